// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dynamic records at the limits: many pools, rules, ways and networks.
#include "../zone_test.h"

#include "dns/svcb.h"

static void test_limits(void **state)
{
    (void)state;
    const char *pools = "w:\n  type: A\n  value: 192.0.2.1\n  dynamic:\n    pools:\n";
    const char *pool = "      p%zu: {fallback: p%zu, values: [{value: 10.0.%zu.%zu}]}\n";
    expect_many(many(pools, pool, POOLS_MAX + 1, "    rules: [{pool: p0}]\n"),
                "5:5 error w.dynamic.pools: expected 1 to 255 pools, found 256\n");
    const char *service = "w:\n  type: HTTPS\n  values:\n";
    const char *record = "  - '%zu h%zu.example.com. ipv4hint=auto'\n";
    expect_many(many(service, record, SVCB_FOLLOWING_MAX, ""), "");
    expect_many(
        many(service, record, SVCB_FOLLOWING_MAX + 1, ""),
        "4:6 error w.example.com.: an answer may have 16 records whose hints follow at most, "
        "and this one 17\n");
    const char *rules = "w:\n  type: A\n  value: 192.0.2.1\n  dynamic:\n"
                        "    pools: {a: {values: [{value: 192.0.2.1}]}}\n    rules:\n";
    const char *rule = "      - {asns: [6%zu, 7%zu, 8%zu, 9%zu], pool: a}\n";
    const char *last = "      - {pool: a}\n";
    expect_many(many(rules, rule, RULES_MAX - 1, last), "");
    expect_many(many(rules, rule, RULES_MAX, last),
                "6:5 error w.dynamic.rules: expected 1 to 1000 rules, found 1001\n");
}

// Two ways to each next pool: 2^12 values are the limit, and 2^60 are told apart from it in no
// time.
static void test_many_ways(void **state)
{
    (void)state;
    for (unsigned depth = 12; depth <= 60; depth += depth == 12 ? 1 : 47) {
        char text[8192], expected[512], *at = text;
        at += sprintf(at, "w:\n  type: A\n  value: 192.0.2.1\n  dynamic:\n    pools:\n"
                          "      p0: {values: [192.0.2.1]}\n");
        for (unsigned i = 1; i <= depth; i++) {
            at += sprintf(at, "      p%u: {values: [{pool: p%u}, {pool: p%u}]}\n", i, i - 1, i - 1);
        }
        sprintf(at, "    rules: [{pool: p%u}]\n", depth);
        struct outcome outcome = read_yaml(text);
        snprintf(
            expected, sizeof(expected),
            "19:7 error w.dynamic.pools.p13: with the pools in it and their fallbacks the pool "
            "has more than 4096 values\n");
        expect_diags(&outcome, depth == 12 ? "" : expected);
        outcome_end(&outcome);
    }
}

// Networks of many rules are compared by hashing: a hundred thousand take no quadratic time. The
// oracle is the construction: every thousandth network repeats an earlier one.
static void test_many_subnets(void **state)
{
    (void)state;
    enum { NETWORKS = 100000 };
    char *text = mem_alloc(NETWORKS * 24 + 1024);
    char *at = text + sprintf(text, "w:\n  type: A\n  value: 192.0.2.1\n  dynamic:\n"
                                    "    pools: {a: {values: [192.0.2.1]}, b: {values: "
                                    "[192.0.2.2]}}\n    rules:\n      - {pool: a, subnets: [");
    for (unsigned i = 0; i < NETWORKS; i++) {
        unsigned network = i % 1000 == 999 ? i - 999 : i;
        at += sprintf(at, "%u.%u.%u.0/24,", 1 + (network >> 16), network >> 8 & 255, network & 255);
    }
    sprintf(at, "]}\n      - {pool: b}\n");
    struct outcome outcome = read_yaml(text);
    assert_int_equal(outcome.diags.error_count, NETWORKS / 1000);
    outcome_end(&outcome);
    free(text);
}

// Headers of a check are written out again by the exporter, which has room for so much.
static void test_long_headers(void **state)
{
    (void)state;
    static const char head[] =
        "w: {type: A, value: 192.0.2.1, signpost: {check: {kind: http, port: 80, "
        "headers: {X-A: \"";
    char text[8192];
    for (size_t size = 4096 - strlen("X-A: \n"); size <= 4096; size += 6) {
        memcpy(text, head, strlen(head));
        memset(text + strlen(head), 'x', size);
        strcpy(text + strlen(head) + size, "\"}}}}\n");
        struct outcome outcome = read_yaml(text);
        expect_diags(
            &outcome,
            size < 4096 ? "" : "1:73 error w.signpost.check.headers: at most 4096 characters\n");
        outcome_end(&outcome);
    }
}

// Merged keys are told from those that are there without comparing each with each: ten thousand
// million comparisons would be a minute for a document of a megabyte.
static void test_many_merged_keys(void **state)
{
    (void)state;
    char *text = many("b: &b\n  type: A\n  value: 192.0.2.1\n  octodns: &o\n", "    k%zu: %zu\n",
                      100000, "m: {type: A, value: 192.0.2.2, octodns: {<<: *o, k7: 7}}\n");
    struct outcome outcome = read_yaml(text);
    expect_diags(&outcome, "");
    outcome_end(&outcome);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),       cmocka_unit_test(test_many_ways),
        cmocka_unit_test(test_many_subnets), cmocka_unit_test(test_many_merged_keys),
        cmocka_unit_test(test_long_headers),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
