// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lint: for every rule of the table documents that it speaks about, and near ones that it does not.
// Documents go the whole way: reader, geometry, rules.
#include "../zone_test.h"
#include "cases.h"

#include "geo/geo.h"
#include "steer/reach.h"
#include "lint/lint.h"

static struct lines *lines;
static struct geo *geo;
static struct reach *reach;

static int group_setup(void **state)
{
    folder_begin(state);
    static const char networks[] = "cidr,country,region,asn,line,lat,lon\n"
                                   "203.0.113.0/24,CN,,64500,,,\n";
    const char *path = file_write(1, "networks.csv", networks, sizeof(networks) - 1);
    static struct prefix office[] = {
        {.address = {.family = FAMILY_IPV4, .bytes = {10, 1}}, .length = 16}};
    static struct prefix half1[] = {
        {.address = {.family = FAMILY_IPV4, .bytes = {10, 1}}, .length = 17}};
    const struct line_definition definitions[] = {
        {.name = "office", .networks = office, .network_count = 1},
        {.name = "half1", .networks = half1, .network_count = 1},
    };
    struct diags diags = {0};
    lines = lines_new(definitions, ARRAY_SIZE(definitions), &diags);
    struct geo_config config = {.networks_path = path};
    geo = geo_load(&config, lines, &diags);
    assert_int_equal(diags.error_count, 0);
    diags_clear(&diags);
    reach = reach_new(lines, geo);
    test_lines = lines;
    return 0;
}

static int group_teardown(void **state)
{
    reach_free(reach);
    geo_free(geo);
    return folder_end(state); // frees test_lines
}

static const struct rule_reach *ask_reach(void *state, const struct policy *policy)
{
    (void)state;
    return reach_of_policy(reach, policy);
}

// 203.0.113.66 has the certificate of another.
static const char *ask_tls_fault(void *state, const struct member *member)
{
    (void)state;
    return strcmp(member->text, "203.0.113.66") == 0 ? "not for y.example.com" : NULL;
}

static struct lint_world world_make(void)
{
    return (struct lint_world){
        .lines = lines,
        .max_failover_ns = 120 * NS_PER_SECOND,
        .checked_ttl_max = 300,
        .reach = ask_reach,
        .tls_fault = ask_tls_fault,
    };
}

// What the server does when it takes a zone: members get their checks.
static void bind_checks(const struct zone *zone)
{
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        for (struct rrset *rrset = zone_owner(zone, i)->rrsets; rrset; rrset = rrset->next) {
            const struct policy *policy = rrset->policy;
            for (size_t k = 0; policy && k < policy->pool_count; k++) {
                for (size_t m = 0; m < policy->pools[k].member_count; m++) {
                    struct member *member = &policy->pools[k].members[m];
                    bool runs = policy->check.kind != CHECK_NONE && member->status == STATUS_OBEY;
                    member->check = runs ? 0 : -1;
                }
            }
        }
    }
}

static struct outcome read_bound(const char *text)
{
    struct outcome outcome = read_yaml(text);
    if (outcome.zone == NULL) {
        fail_msg("%s", diags_text(&outcome.diags));
    }
    bind_checks(outcome.zone);
    return outcome;
}

// What the rule with this id found, and no other; every finding has the row's fix and severity.
static const char *findings_text(const struct diags *findings, const char *id)
{
    static char text[8192];
    char *at = text;
    *at = '\0';
    for (size_t i = 0; i < findings->count; i++) {
        const struct diag *finding = &findings->items[i];
        int index = lint_rule_find(finding->id);
        assert_true(index >= 0);
        assert_string_equal(finding->fix, lint_rule_at((size_t)index)->fix);
        assert_int_equal(finding->severity, lint_rule_at((size_t)index)->severity);
        if (strcmp(finding->id, id) == 0) {
            at = put(at, "%u:%u %s: %s\n", finding->line, finding->column,
                     finding->key ? finding->key : "-", finding->message);
        }
    }
    return text;
}

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome outcome = read_bound(cases[i].text);
        struct lint_world world = world_make();
        struct diags findings = {0};
        lint_zone(&world, outcome.zone, &findings);
        expect_text(cases[i].text, findings_text(&findings, cases[i].id), cases[i].expected);
        diags_clear(&findings);
        // Switched off, it says nothing.
        world.ignored = UINT64_C(1) << lint_rule_find(cases[i].id);
        lint_zone(&world, outcome.zone, &findings);
        expect_text(cases[i].text, findings_text(&findings, cases[i].id), "");
        diags_clear(&findings);
        outcome_end(&outcome);
    }
}

// --- lines

static void lines_case(const struct line_definition *definitions, size_t count,
                       const char *expected)
{
    struct lint_world world = world_make();
    struct diags findings = {0};
    struct lines *own = lines_new(definitions, count, &findings);
    assert_int_equal(findings.count, 0);
    world.lines = own;
    lint_lines(&world, &findings);
    expect_text("lines", findings_text(&findings, "lines-overlap"), expected);
    diags_clear(&findings);
    lines_free(own);
}

static void test_lines_overlap(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.0.0.0/8", "10.1.0.0/16", "2001:db8::/48", "10.1.0.0/16",
                                        "2001:db8::/48"};
    struct prefix networks[ARRAY_SIZE(texts)];
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_true(prefix_parse(texts[i], &networks[i], NULL));
    }
    struct line_definition definitions[] = {
        {.name = "wide", .networks = networks, .network_count = 1, .place = {"s", 1, 3}},
        {.name = "a", .networks = networks + 1, .network_count = 2, .place = {"s", 2, 3}},
        {.name = "b", .networks = networks + 3, .network_count = 2, .place = {"s", 3, 3}},
    };
    lines_case(definitions, 2, "");
    lines_case(definitions, 3,
               "3:3 -: 10.1.0.0/16 is in the line \"a\" and in \"b\"\n"
               "3:3 -: 2001:db8::/48 is in the line \"a\" and in \"b\"\n");
    lines_case(definitions, 0, "");
}

// --- the table

static void test_table(void **state)
{
    (void)state;
    assert_in_range(lint_rule_count(), 1, 64);
    assert_int_equal(lint_rule_find("nope"), -1);
    for (size_t i = 0; i < lint_rule_count(); i++) {
        const struct lint_rule *rule = lint_rule_at(i);
        assert_int_equal(lint_rule_find(rule->id), i);
        assert_int_not_equal(rule->severity, SEVERITY_ERROR);
        assert_int_equal(strspn(rule->id, "abcdefghijklmnopqrstuvwxyz-"), strlen(rule->id));
        assert_int_equal(rule->reason[strlen(rule->reason) - 1], '.');
        assert_int_not_equal(rule->fix[strlen(rule->fix) - 1], '.');
    }
}

// Every rule is seen to speak and to be silent.
static void test_every_rule_is_tested(void **state)
{
    (void)state;
    for (size_t i = 0; i < lint_rule_count(); i++) {
        const char *id = lint_rule_at(i)->id;
        bool speaks = strcmp(id, "lines-overlap") == 0, silent = speaks; // test_lines_overlap
        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
            bool same = strcmp(cases[k].id, id) == 0;
            speaks |= same && *cases[k].expected;
            silent |= same && !*cases[k].expected;
        }
        if (!speaks || !silent) {
            fail_msg("%s has no %s test", id, speaks ? "negative" : "positive");
        }
    }
}

static void test_ignored_for_one_record(void **state)
{
    (void)state;
    struct outcome outcome = read_bound(
        "w: {type: A, value: 192.0.2.1, signpost: {method: random, lint_ignore: single-address}}\n"
        "x: {type: A, value: 192.0.2.1, signpost: {method: random, lint_ignore: [family-missing, "
        "single-address]}}\n"
        "y: {type: A, value: 192.0.2.1, signpost: {method: random}}\n");
    struct lint_world world = world_make();
    struct diags findings = {0};
    lint_zone(&world, outcome.zone, &findings);
    expect_text("", findings_text(&findings, "single-address"),
                "3:21 y.example.com. A: clients of the pool \"default\" have only 192.0.2.1\n");
    expect_text("", findings_text(&findings, "family-missing"),
                "1:1 w.example.com. A: steered, and the name has no AAAA records\n"
                "3:1 y.example.com. A: steered, and the name has no AAAA records\n");
    diags_clear(&findings);
    outcome_end(&outcome);
}

static void test_keys(void **state)
{
    (void)state;
    struct outcome outcome =
        read_yaml("w: {type: A, value: 192.0.2.1, signpost: {lint_ignore: [single-adress, [a]], "
                  "max_failover: 0}}\n");
    expect_diags(&outcome,
                 "1:92 error w.signpost.max_failover: expected a time from 1s to 86400s "
                 "such as 500ms, 10s or 1m, found \"0\"\n"
                 "1:57 error w.signpost.lint_ignore[0]: there is no lint rule "
                 "\"single-adress\"; did you mean \"single-address\"?\n"
                 "1:72 error w.signpost.lint_ignore[1]: expected a value, found a list\n");
    outcome_end(&outcome);
}

// Worst cases of the composed kinds of checks.
static void test_failover_of_expressions(void **state)
{
    (void)state;
    struct check_spec tcp = {.kind = CHECK_TCP,
                             .fall = 3,
                             .interval_ns = 10 * NS_PER_SECOND,
                             .timeout_ns = 2 * NS_PER_SECOND};
    struct check_spec beat = {.kind = CHECK_HEARTBEAT, .ttl_ns = 40 * NS_PER_SECOND};
    const struct check_spec *operands[] = {&tcp, &beat};
    struct member member = {.status = STATUS_OBEY};
    struct pool pool = {.members = &member, .member_count = 1};
    struct policy policy = {.pools = &pool, .pool_count = 1};
    struct rrset rrset = {.ttl = 5, .policy = &policy};
    struct lint_world world = world_make();
    struct failover failover;
    assert_false(lint_failover(&world, &rrset, &failover));
    policy.check = tcp;
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 38 * NS_PER_SECOND);
    world.idle_factor = 6; // dead while nobody asks
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.detection_ns, (60 + 2 * 10 + 2) * NS_PER_SECOND);
    policy.check.idle_interval_ns = 90 * NS_PER_SECOND;
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.detection_ns, (90 + 2 * 10 + 2) * NS_PER_SECOND);
    policy.check.idle_interval_ns = tcp.interval_ns; // never
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 38 * NS_PER_SECOND);
    policy.check = beat;
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 46 * NS_PER_SECOND);
    policy.check = (struct check_spec){.kind = CHECK_ANY, .operands = operands, .operand_count = 2};
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 46 * NS_PER_SECOND);
    member.status = STATUS_UP; // nobody obeys the check
    assert_false(lint_failover(&world, &rrset, &failover));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_lines_overlap),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_rule_is_tested),
        cmocka_unit_test(test_ignored_for_one_record),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_failover_of_expressions),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
