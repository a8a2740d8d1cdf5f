// SPDX-License-Identifier: GPL-3.0-or-later
//
// Methods of pools.
#include "../zone_test.h"

static const struct document_case good_documents[] = {
    // Those of a pool without a method may stand in one that is ordered.
    {"w:\n"
     "  type: A\n"
     "  value: 192.0.2.1\n"
     "  dynamic:\n"
     "    pools:\n"
     "      all: {method: rotate, values: [{pool: eu, priority: 2}, {pool: us}]}\n"
     "      eu: {method: ordered, values: [{value: 192.0.2.1, priority: 2}, {pool: us}]}\n"
     "      us: {values: [{value: 192.0.2.2, priority: 1}, {value: 192.0.2.3}]}\n"
     "    rules: [{pool: all}]\n"
     "  signpost: {method: sticky}\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.1]\n"
       "dynamic sticky 1 all min_ttl=5 values 192.0.2.1*1\n"
       "all rotate (eu)*1/p2 (us)*1\n"
       "eu ordered (us)*1 192.0.2.1*1/p2\n"
       "us 192.0.2.3*1 192.0.2.2*1/p1\n"
       "all:\n"}}},
    // A member without a site is a place of its own where a pool asks for round trips.
    {"w: {type: A, value: 192.0.2.1, dynamic: {pools: {all: {values: [{pool: eu}]}, eu: {method: "
     "fastest, values: [192.0.2.1, {value: 192.0.2.2, site: fra}]}}, rules: [{pool: all}]}}\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.1]\n"
       "dynamic weighted 1 all min_ttl=5 values 192.0.2.1*1@192.0.2.1\n"
       "all (eu)*1\n"
       "eu fastest 192.0.2.1*1@192.0.2.1 192.0.2.2*1@fra\n"
       "all:\n"}}},
};

static const struct document_case bad_documents[] = {
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools:\n"
             "      a: {method: waited, values: [{pool: b}]}\n"
             "      b: {method: [], values: [{value: 192.0.2.1}]}\n"
             "    rules: [{pool: a}]\n",
     .diags = "6:19 error w.dynamic.pools.a.method: expected one of rotate, random, weighted, "
              "sticky, nearest, fastest, ordered; found \"waited\"\n"
              "7:11 error w.dynamic.pools.b.method: expected a value, found a list\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools:\n"
             "      a: {method: sticky, values: [{pool: b}]}\n"
             "      b: {method: fastest, values: [{value: 192.0.2.1, site: fra}]}\n"
             "    rules: [{pool: a}]\n"
             "  signpost: {method: nearest}\n",
     .diags = "7:19 error w.dynamic.pools.b.method: \"nearest\" and \"fastest\" cannot stand in "
              "one record; \"fastest\" goes by distance where nothing is measured\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools:\n"
             "      a: {values: [{pool: b}]}\n"
             "      b: {method: rotate, values: [{pool: c}]}\n"
             "      c: {method: rotate, values: [{pool: d}, {value: 192.0.2.1}]}\n"
             "      d: {method: rotate, values: [{pool: e}]}\n"
             "      e: {method: rotate, fallback: f, values: [192.0.2.2]}\n"
             "      f: {method: rotate, values: [{pool: g}]}\n"
             "      g: {method: rotate, values: [{pool: h}]}\n"
             "      h: {method: rotate, values: [{pool: i}]}\n"
             "      i: {method: rotate, values: [{pool: j}]}\n"
             "      j: {method: rotate, values: [{pool: k}]}\n"
             "      k: {method: rotate, values: [192.0.2.3]}\n"
             "    rules: [{pool: a}]\n",
     .diags = "6:7 error w.dynamic.pools.a: 9 pools with a method stand in each other; at most 8 "
              "may\n"},
};

static void test_good(void **state)
{
    (void)state;
    documents_run(good_documents, ARRAY_SIZE(good_documents));
}

static void test_bad(void **state)
{
    (void)state;
    documents_run(bad_documents, ARRAY_SIZE(bad_documents));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
