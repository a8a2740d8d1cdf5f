// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writers: what is written and read again is what was read the first time, in both dialects; and a
// second writing gives the same text.
#include "../zone_test.h"

#include "zone/rdata.h"
#include "format/writers.h"
#include "format/yaml_out.h"

static char *write_zone(const struct outcome *outcome, enum zone_dialect dialect,
                        struct diags *losses)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    const struct zone_writer writer = {.lines = outcome->lines, .out = out, .diags = losses};
    zone_yaml_write(outcome->zone, dialect, &writer);
    assert_int_equal(fclose(out), 0);
    return text;
}

// --- equality of models

static void same_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a) {
        assert_string_equal(a, b);
    }
}

static void same_member(uint16_t type, const struct member *a, const struct member *b)
{
    assert_int_equal(a->pool == NULL, b->pool == NULL);
    if (a->pool) {
        assert_string_equal(a->pool->name, b->pool->name);
    } else {
        assert_true(rdata_equal(type, a->rdata, a->rdata_size, b->rdata, b->rdata_size));
    }
    assert_int_equal(a->weight, b->weight);
    assert_int_equal(a->priority, b->priority);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->disabled, b->disabled);
    same_text(a->name, b->name);
    same_text(a->remark, b->remark);
    same_text(a->site ? a->site->name : NULL, b->site ? b->site->name : NULL);
}

static const struct pool *pool_named(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->pool_count; i++) {
        if (strcmp(policy->pools[i].name, name) == 0) {
            return &policy->pools[i];
        }
    }
    fail_msg("there is no pool %s", name);
    return NULL;
}

static void same_pools(uint16_t type, const struct policy *a, const struct policy *b)
{
    assert_int_equal(a->pool_count, b->pool_count);
    for (size_t i = 0; i < a->pool_count; i++) {
        const struct pool *x = &a->pools[i], *y = pool_named(b, x->name);
        same_text(x->fallback >= 0 ? a->pools[x->fallback].name : NULL,
                  y->fallback >= 0 ? b->pools[y->fallback].name : NULL);
        assert_int_equal(x->min_up, y->min_up);
        assert_int_equal(x->min_up_percent, y->min_up_percent);
        assert_int_equal(x->has_method, y->has_method);
        assert_int_equal(x->method, y->method);
        assert_int_equal(x->member_count, y->member_count);
        for (size_t k = 0; k < x->member_count; k++) {
            same_member(type, &x->members[k], &y->members[k]);
        }
    }
}

static void same_ramp(const struct ramp *a, const struct ramp *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a == NULL) {
        return;
    }
    assert_int_equal(a->start_ns, b->start_ns);
    assert_int_equal(a->abort_below_ppm, b->abort_below_ppm);
    assert_int_equal(a->step_count, b->step_count);
    for (size_t i = 0; i < a->step_count; i++) {
        assert_int_equal(a->steps[i].share_ppm, b->steps[i].share_ppm);
        assert_int_equal(a->steps[i].for_ns, b->steps[i].for_ns);
    }
}

static void same_rules(const struct policy *a, const struct policy *b)
{
    assert_int_equal(a->rule_count, b->rule_count);
    for (size_t i = 0; i < a->rule_count; i++) {
        const struct rule *x = &a->rules[i], *y = &b->rules[i];
        assert_string_equal(a->pools[x->pool].name, b->pools[y->pool].name);
        assert_int_equal(x->share_ppm, y->share_ppm);
        same_ramp(x->ramp, y->ramp);
        assert_int_equal(x->line_count, y->line_count);
        assert_int_equal(x->asn_count, y->asn_count);
        assert_int_equal(x->geo_count, y->geo_count);
        assert_int_equal(x->subnet_count, y->subnet_count);
        if (x->line_count) {
            assert_memory_equal(x->lines, y->lines, x->line_count * sizeof(*x->lines));
        }
        if (x->asn_count) {
            assert_memory_equal(x->asns, y->asns, x->asn_count * sizeof(*x->asns));
        }
        if (x->subnet_count) {
            assert_memory_equal(x->subnets, y->subnets, x->subnet_count * sizeof(*x->subnets));
        }
        for (size_t k = 0; k < x->geo_count; k++) {
            assert_string_equal(x->geos[k], y->geos[k]);
        }
    }
}

static void same_policy(uint16_t type, const struct policy *a, const struct policy *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a == NULL) {
        return;
    }
    assert_int_equal(a->form, b->form);
    assert_int_equal(a->method, b->method);
    assert_int_equal(a->answers, b->answers);
    assert_int_equal(a->all_down, b->all_down);
    assert_int_equal(a->min_ttl, b->min_ttl);
    assert_int_equal(a->max_failover_ns, b->max_failover_ns);
    assert_int_equal(a->lint_ignored, b->lint_ignored);
    assert_true(a->load_target == b->load_target && a->load_limit == b->load_limit);
    assert_int_equal(a->load_age_ns, b->load_age_ns);
    assert_int_equal(a->value_count, b->value_count);
    for (size_t i = 0; i < a->value_count; i++) {
        assert_true(rdata_equal(type, a->values[i].rdata, a->values[i].rdata_size,
                                b->values[i].rdata, b->values[i].rdata_size));
    }
    assert_true(check_spec_equal(&a->check, &b->check));
    same_pools(type, a, b);
    same_rules(a, b);
}

static void same_zone(const struct zone *a, const struct zone *b)
{
    enum line_precedence x = PRECEDENCE_COUNT, y = PRECEDENCE_COUNT;
    assert_int_equal(zone_precedence(a, &x), zone_precedence(b, &y));
    assert_int_equal(x, y);
    assert_int_equal(zone_owner_count(a), zone_owner_count(b));
    for (size_t i = 0; i < zone_owner_count(a); i++) {
        const struct owner *owner = zone_owner(a, i), *other = zone_find(b, owner->name);
        assert_non_null(other);
        for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
            const struct rrset *twin = owner_rrset(other, rrset->type);
            assert_non_null(twin);
            assert_int_equal(rrset->ttl, twin->ttl);
            assert_int_equal(rrset->record_count, twin->record_count);
            for (size_t k = 0; k < rrset->record_count; k++) {
                assert_true(rdata_equal(rrset->type, rrset->records[k].rdata,
                                        rrset->records[k].rdata_size, twin->records[k].rdata,
                                        twin->records[k].rdata_size));
            }
            same_policy(rrset->type, rrset->policy, twin->policy);
        }
    }
}

// Reads, writes, reads and writes; what octoDNS would lose is in `losses`.
static void round_trip(const char *text, enum zone_dialect dialect, const char *losses)
{
    struct outcome first = read_yaml(text);
    if (first.zone == NULL) {
        fail_msg("%s", diags_text(&first.diags));
    }
    struct diags lost = {0}, again = {0};
    char *once = write_zone(&first, dialect, &lost);
    struct outcome second = read_yaml(once);
    if (second.zone == NULL) {
        fail_msg("%s\n%s", diags_text(&second.diags), once);
    }
    same_zone(first.zone, second.zone);
    char *twice = write_zone(&second, dialect, &again);
    assert_string_equal(once, twice);
    if (losses) {
        assert_string_equal(diags_text(&lost), losses);
    }
    diags_clear(&lost);
    diags_clear(&again);
    free(once);
    free(twice);
    outcome_end(&first);
    outcome_end(&second);
}

static const char octodns_document[] =
    "'':\n"
    "  - {type: MX, values: [{preference: 10, exchange: mail.example.com.}]}\n"
    "  - {type: TXT, values: ['v=spf1 mx -all', 'a\\;b \"quoted\" text', \"x\\x01\"]}\n"
    "  - {type: CAA, value: {flags: 0, tag: issue, value: 'ca.example.net'}}\n"
    "'*': {type: A, ttl: 30, value: 192.0.2.7}\n"
    "a10: {type: A, value: 192.0.2.1}\n"
    "a2: {type: AAAA, values: ['2001:db8::1', '2001:db8::2']}\n"
    "'on': {type: CNAME, value: a2.example.com.}\n"
    "srv: {type: SRV, value: {priority: 1, weight: 2, port: 3, target: t.example.org.}}\n"
    "www:\n"
    "  type: A\n"
    "  ttl: 60\n"
    "  values: [192.0.2.9, 192.0.2.10]\n"
    "  octodns: {healthcheck: {protocol: HTTP, host: null, path: /ok, port: 8080}}\n"
    "  dynamic:\n"
    "    pools:\n"
    "      two: {fallback: one, values: [{value: 192.0.2.1, weight: 3}, {value: 192.0.2.2, "
    "status: down}]}\n"
    "      one: {values: [{value: 192.0.2.3, status: up}]}\n"
    "      '10': {values: [{value: 192.0.2.4}]}\n"
    "    rules:\n"
    "      - {pool: '10', subnets: [10.0.0.0/8, '2001:db8::/32']}\n"
    "      - {pool: two, geos: [EU-DE, NA-US-CA, AS]}\n"
    "      - {pool: one}\n";

static void test_octodns(void **state)
{
    (void)state;
    round_trip(octodns_document, DIALECT_OCTODNS, "");
    round_trip(octodns_document, DIALECT_SIGNPOST, "");
}

static const char own_document[] =
    "$signpost: {precedence: province-first}\n"
    "flat:\n"
    "  type: A\n"
    "  ttl: 60\n"
    "  records:\n"
    "    - {value: 192.0.2.1, line: default, weight: 2}\n"
    "    - {value: 192.0.2.2, line: cn-telecom-gd, status: up, name: b, site: nyc}\n"
    "    - {value: 192.0.2.3, line: cn-gd, enabled: false}\n"
    "    - {value: 192.0.2.5, line: 'alidns:aliyun_r_x'}\n"
    "    - {value: 192.0.2.4, line: office}\n"
    "  signpost: {method: sticky, answers: 2, all_down: none, min_ttl: 7, lint_ignore: "
    "[single-network], max_failover: 90s,\n"
    "    check: {kind: http, path: /x, headers: {X-A: b}, interval: 2.5s, status: '200', body: "
    "'a \"b\"', port: 81}}\n"
    "alias:\n"
    "  type: CNAME\n"
    "  records: [{value: a.example.com.}, {value: b.example.com.}, {value: c.example.com., line: "
    "cn}]\n"
    "mixed:\n"
    "  type: A\n"
    "  value: 192.0.2.9\n"
    "  dynamic:\n"
    "    pools:\n"
    "      a: {min_up: 50%, method: sticky, values: [{value: 192.0.2.1, weight: 0}, {pool: c, "
    "weight: 5}]}\n"
    "      b: {values: [{value: 192.0.2.3, site: fra}]}\n"
    "      c: {method: ordered, values: [{value: 192.0.2.4, priority: 2}, {value: 192.0.2.5}]}\n"
    "    rules:\n"
    "      - {pool: a, lines: [office, jp], asns: [64500], share: 12.5%}\n"
    "      - {pool: a, geos: [AS-CN-GD]}\n"
    "      - {pool: b}\n"
    "  signpost: {method: nearest, check: {kind: all, of: [{kind: tcp, port: 1}, {kind: not, of: "
    "[{kind: dns, query: q.example.com, target: 192.0.2.53}]}]}}\n"
    "busy:\n"
    "  type: A\n"
    "  value: 192.0.2.9\n"
    "  dynamic:\n"
    "    pools: {new: {values: [{value: 192.0.2.1, remark: 'a: b'}]}, old: {values: [192.0.2.2]}}\n"
    "    rules:\n"
    "      - {pool: new, lines: [cn-gd], ramp: {start: '2026-11-25T10:00:00Z', abort_below: "
    "80.5%,\n"
    "          steps: [{share: 0.5%, for: 90s}, {share: 25%, for: 36h}, {share: 100%}]}}\n"
    "      - {pool: new, ramp: {steps: [{share: 5%}]}}\n"
    "      - {pool: old}\n"
    "  signpost: {load: {target: 0.7, limit: 950.25, age: 2m}}\n"
    "measured: {type: A, records: [{value: 192.0.2.1, remark: 'no # remark'}, {value: 192.0.2.2, "
    "site: fra}], signpost: {method: fastest}}\n"
    "many: {type: AAAA, values: ['2001:db8::1', '2001:db8::2'], signpost: {method: random, "
    "answers: 1}}\n"
    "sameway: {type: A, values: [192.0.2.1], signpost: {method: rotate}}\n"
    "types:\n"
    "  - {type: TXT, values: ['\"one\" \"two\"']}\n"
    "  - {type: TYPE65280, value: '\\# 2 abcd'}\n"
    "  - {type: HTTPS, value: {svcpriority: 1, targetname: ., svcparams: {alpn: [h2]}}}\n"
    "  - {type: LOC, value: '52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m'}\n"
    "  - {type: TLSA, value: {certificate_usage: 3, selector: 1, matching_type: 1, "
    "certificate_association_data: ABCD}}\n";

static void test_own(void **state)
{
    (void)state;
    round_trip(own_document, DIALECT_SIGNPOST, "");
}

static void test_losses(void **state)
{
    (void)state;
    struct outcome outcome = read_yaml(own_document);
    struct diags losses = {0};
    char *text = write_zone(&outcome, DIALECT_OCTODNS, &losses);
    const char *said = diags_text(&losses);
    static const char *const words[] = {
        "no place for the precedence", "refuses the weight 0",        "pools within pools",
        "rule 1 has lines, asns",      "Canada only, not AS-CN-GD",   "does not know lines",
        "no pieces of texts",          "knows no method of the pool",
    };
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (!strstr(said, words[i])) {
            fail_msg("nothing says \"%s\":\n%s", words[i], said);
        }
    }
    assert_null(strstr(text, "$signpost"));
    free(text);
    diags_clear(&losses);
    outcome_end(&outcome);
}

// A ramp's beginning on the days where calendars go wrong.
static void test_beginnings(void **state)
{
    (void)state;
    static const char *const times[] = {"1970-01-02T00:00:00Z", "1999-12-31T23:59:59Z",
                                        "2000-02-29T12:34:56Z", "2000-03-01T00:00:01Z",
                                        "2026-11-25T10:00:00Z", "2028-02-29T23:00:00Z",
                                        "2100-02-28T00:00:00Z", "2100-03-01T00:00:00Z"};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        char document[512];
        snprintf(document, sizeof(document),
                 "w:\n  type: A\n  value: 192.0.2.9\n  dynamic:\n    pools: {a: {values: "
                 "[192.0.2.1]}, b: {values: [192.0.2.2]}}\n    rules: [{pool: a, ramp: {start: "
                 "'%s', steps: [{share: 5%%}]}}, {pool: b}]\n",
                 times[i]);
        struct outcome outcome = read_yaml(document);
        struct diags losses = {0};
        char *text = write_zone(&outcome, DIALECT_SIGNPOST, &losses);
        if (strstr(text, times[i]) == NULL) {
            fail_msg("%s became\n%s", times[i], text);
        }
        free(text);
        outcome_end(&outcome);
    }
}

// RFC 1035 out and in again: static zones are the same zone.
static void test_zone_file(void **state)
{
    (void)state;
    struct outcome first =
        read_master("$TTL 60\n@ SOA ns1 host 7 1 2 3 4\n@ NS ns1\nns1 A 192.0.2.1\n"
                    "t TXT \"a;b\" \"c\\\"d\"\n\\*x 30 A 192.0.2.2\n*.w MX 5 ns1\n");
    assert_non_null(first.zone);
    char *text;
    size_t size;
    struct diags losses = {0};
    FILE *out = open_memstream(&text, &size);
    const struct zone_writer writer = {.lines = first.lines, .out = out, .diags = &losses};
    zone_file_write(first.zone, &writer);
    fclose(out);
    assert_int_equal(losses.count, 0);
    struct outcome second = read_master(text);
    if (second.zone == NULL) {
        fail_msg("%s\n%s", diags_text(&second.diags), text);
    }
    same_zone(first.zone, second.zone);
    // And over YAML.
    char *yaml = write_zone(&first, DIALECT_SIGNPOST, &losses);
    struct outcome third = read_yaml(yaml);
    if (third.zone == NULL) {
        fail_msg("%s\n%s", diags_text(&third.diags), yaml);
    }
    same_zone(first.zone, third.zone);
    free(yaml);
    free(text);
    outcome_end(&first);
    outcome_end(&second);
    outcome_end(&third);
}

static void test_order(void **state)
{
    (void)state;
    static const char *const sorted[] = {"",   "*",  "1",   "2",   "10", "a",
                                         "a1", "a2", "a10", "a-b", "b"};
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(sorted); k++) {
            int order = yaml_out_order(sorted[i], sorted[k]);
            bool wildcard = strcmp(sorted[i], "*") == 0 || strcmp(sorted[k], "*") == 0;
            if (!wildcard) {
                assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octodns), cmocka_unit_test(test_own),
        cmocka_unit_test(test_losses),  cmocka_unit_test(test_zone_file),
        cmocka_unit_test(test_order),   cmocka_unit_test(test_beginnings),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
