// SPDX-License-Identifier: GPL-3.0-or-later
//
// Damaged YAML documents: random changes to a good one. Each gives a zone or an error, and what is
// accepted keeps the promises that the policy compiler builds on.
#include "../zone_test.h"

#include "base/hash.h"

static const char whole[] =
    "'':\n"
    "  - {type: NS, values: [ns1.example.net., ns2.example.net.]}\n"
    "  - type: MX\n"
    "    values:\n"
    "      - {preference: 10, exchange: mail.example.com.}\n"
    "www: &www\n"
    "  type: A\n"
    "  ttl: 60\n"
    "  values: [198.51.100.1]\n"
    "  dynamic:\n"
    "    pools:\n"
    "      a: {fallback: b, values: [{value: 192.0.2.1, weight: 3}, {value: 192.0.2.2}], min_up: "
    "2}\n"
    "      b: {fallback: c, values: [{value: 192.0.2.3, status: up}], min_up: 50%}\n"
    "      c: {values: [{value: 198.51.100.1}]}\n"
    "    rules:\n"
    "      - {lines: [cn-telecom, office], pool: a}\n"
    "      - {subnets: [10.0.0.0/8, '2001:db8::/32'], pool: b}\n"
    "      - {geos: [AS-CN, EU], pool: a}\n"
    "      - {share: 5%, asns: [64500], pool: b}\n"
    "      - {pool: c}\n"
    "  octodns: {healthcheck: {protocol: HTTPS, host: www.example.com, path: /x, port: 443}}\n"
    "  signpost: {method: rotate, answers: 2, all_down: all, min_ttl: 5, check: {interval: 1, "
    "timeout: "
    "500ms}}\n"
    "api:\n"
    "  type: A\n"
    "  records:\n"
    "    - {value: 192.0.2.1, line: default, weight: 2}\n"
    "    - {value: 192.0.2.2, line: cn, enabled: false}\n"
    "    - {value: 192.0.2.3, line: office, status: paused}\n"
    "www2: *www\n"
    "txt: {type: TXT, values: ['\"a\" \"b\"', v=spf1\\; x]}\n"
    "merged: {<<: *www, ttl: 50}\n"
    "plain: {type: A, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: tcp, port: 1}}}\n";

static void check_member(const struct member *member)
{
    assert_true(member->rdata_size > 0);
    assert_non_null(member->text);
    assert_true(member->weight <= WEIGHT_MAX);
    assert_int_equal(member->check, -1);
}

static void check_pool(const struct policy *policy, const struct pool *pool)
{
    assert_true(pool->member_count > 0 && pool->member_count <= RRSET_MEMBERS_MAX);
    assert_true(pool->min_up >= 1);
    assert_true(!pool->min_up_percent || pool->min_up <= 100);
    for (size_t i = 0; i < pool->member_count; i++) {
        check_member(&pool->members[i]);
    }
    int at = pool->fallback;
    for (size_t steps = 0; at >= 0; steps++) { // every chain ends
        assert_true((size_t)at < policy->pool_count && steps < policy->pool_count);
        at = policy->pools[at].fallback;
    }
}

static void check_rule(const struct outcome *outcome, const struct policy *policy, size_t index)
{
    const struct rule *rule = &policy->rules[index];
    size_t targets = rule->line_count + rule->geo_count + rule->subnet_count + rule->asn_count;
    assert_true(rule->pool < policy->pool_count);
    assert_true(rule->share_ppm >= 1 && rule->share_ppm <= 1000000);
    for (size_t i = 0; i < rule->line_count; i++) {
        assert_true(rule->lines[i] >= 0 && (size_t)rule->lines[i] < lines_count(outcome->lines));
    }
    bool last = index + 1 == policy->rule_count;
    bool everybody = targets == 0 && rule->share_ppm == 1000000;
    assert_true(last || !everybody);
    assert_true(!last || everybody || policy->form == FORM_FLAT);
}

static void check_policy(const struct outcome *outcome, const struct rrset *rrset)
{
    const struct policy *policy = rrset->policy;
    assert_true(rrset->record_count > 0);
    assert_true(rrset->type != TYPE_CNAME || rrset->record_count == 1 ||
                policy->form == FORM_PLAIN);
    assert_true(policy->pool_count >= 1 && policy->pool_count <= POOLS_MAX);
    assert_true(policy->rule_count >= 1 && policy->rule_count <= RULES_MAX);
    assert_true(policy->answers <= 64 && policy->min_ttl <= rrset->ttl);
    for (size_t i = 0; i < policy->pool_count; i++) {
        check_pool(policy, &policy->pools[i]);
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        check_rule(outcome, policy, i);
    }
    for (size_t i = 0; i < policy->value_count; i++) {
        check_member(&policy->values[i]);
        assert_false(policy->values[i].disabled);
    }
    const struct check_spec *check = &policy->check;
    bool http = check->kind == CHECK_HTTP || check->kind == CHECK_HTTPS;
    assert_true(check->kind < CHECK_KIND_COUNT);
    assert_true(!check_kinds[check->kind].has_port || check->port > 0);
    assert_true(!http || check->path[0] == '/');
    assert_true(check->kind == CHECK_NONE ||
                (check->rise >= 1 && check->fall >= 1 && check->timeout_ns > 0));
    assert_true(check->timeout_ns <= check->interval_ns);
}

static void check_zone(const struct outcome *outcome)
{
    for (size_t i = 0; i < zone_owner_count(outcome->zone); i++) {
        const struct owner *owner = zone_owner(outcome->zone, i);
        assert_true(name_within(owner->name, zone_apex(outcome->zone)));
        for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
            assert_true(rrset->record_count > 0);
            if (rrset->policy) {
                check_policy(outcome, rrset);
            }
        }
    }
}

// Writes some random characters, or moves a piece of the text elsewhere.
static size_t damage(uint64_t *seed, char *text, size_t size)
{
    static const char alphabet[] = "\n \t:,[]{}'\"&*!|>%@#-?~\\.0129aEZ/\x80\xc3";
    if (random_below(seed, 3) > 0) {
        for (unsigned n = 1 + random_below(seed, 3); n > 0; n--) {
            text[random_below(seed, (uint32_t)size)] =
                alphabet[random_below(seed, sizeof(alphabet) - 1)];
        }
        return size;
    }
    size_t from = random_below(seed, (uint32_t)size), to = random_below(seed, (uint32_t)size);
    size_t length = 1 + random_below(seed, 40);
    length = MIN(length, size - MAX(from, to));
    memmove(text + to, text + from, length);
    return random_below(seed, 4) ? size : MAX(to, (size_t)1); // sometimes cut short
}

static void test_damage(void **state)
{
    (void)state;
    uint64_t seed = random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t accepted = 0;
    for (int round = 0; round < 2500; round++) {
        char text[sizeof(whole)];
        memcpy(text, whole, sizeof(whole));
        size_t size = damage(&seed, text, sizeof(whole) - 1);
        struct outcome outcome = read_yaml_bytes(text, size, PRECEDENCE_ISP_FIRST);
        if (outcome.zone) {
            accepted++;
            check_zone(&outcome);
        }
        outcome_end(&outcome);
    }
    assert_true(accepted > 100); // some changes are harmless, or the test would see nothing
}

static void test_whole(void **state)
{
    (void)state;
    struct outcome outcome = read_yaml(whole);
    expect_diags(&outcome, "");
    check_zone(&outcome);
    outcome_end(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
