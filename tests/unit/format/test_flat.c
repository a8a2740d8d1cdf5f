// SPDX-License-Identifier: GPL-3.0-or-later
//
// The flat form: rows with lines, weights and states.
#include "../zone_test.h"

static const struct document_case good_documents[] = {
    {"w:\n"
     "  type: A\n"
     "  ttl: 3\n"
     "  records:\n"
     "    - {value: 192.0.2.1, line: default}\n"
     "    - {value: 203.0.113.2, line: cn-unicom, status: paused}\n"
     "    - {value: 203.0.113.1, line: 电信, enabled: false, remark: moved}\n"
     "    - {value: 203.0.113.3, line: cn-guangdong, status: down}\n"
     "    - {value: 203.0.113.4, line: cn-telecom-gd}\n"
     "    - {value: 10.1.0.1, line: office}\n"
     "    - {value: 192.0.2.2, status: up}\n",
     "",
     {{"w", "A",
       "3 [192.0.2.1] [192.0.2.2]\n"
       "flat rotate 0 all min_ttl=3 values 192.0.2.1*1 192.0.2.2*1/up\n"
       "office 10.1.0.1*1\n"
       "cn-telecom-gd 203.0.113.4*1\n"
       "cn-unicom 203.0.113.2*1/off\n"
       "cn-telecom 203.0.113.1*1/off\n"
       "cn-gd 203.0.113.3*1/down\n"
       "default 192.0.2.1*1 192.0.2.2*1/up\n"
       "office: line=office\n"
       "cn-telecom-gd: line=cn-telecom-gd\n"
       "cn-unicom: line=cn-unicom\n"
       "cn-telecom: line=cn-telecom\n"
       "cn-gd: line=cn-gd\n"
       "default:\n"}}},
    {"w: {type: MX, records: [{value: {preference: 10, exchange: a.example.net.}, weight: "
     "5}, {value: {preference: 20, exchange: b.example.net.}, line: cn}]}\n",
     "",
     {{"w", "MX",
       "3600 [10 a.example.net.]\n"
       "flat weighted 1 all min_ttl=5 values 10 a.example.net.*5\n"
       "cn 20 b.example.net.*1\n"
       "default 10 a.example.net.*5\n"
       "cn: line=cn\n"
       "default:\n"}}},
    {"w: {type: A, records: [{value: 192.0.2.2, enabled: false}]}\n",
     "1:14 warning w.records: every row is paused: the name has no A record\n",
     {{"w", "A", "-"}}},
    {"w: {type: A, value: 192.0.2.9, records: [{value: 192.0.2.2, line: cn}]}\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.9]\n"
       "flat rotate 0 all min_ttl=5 values 192.0.2.9*1\n"
       "cn 192.0.2.2*1\n"
       "cn: line=cn\n"}}},
    {"w: {type: A, records: [{value: 192.0.2.2, line: cn}]}\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.2]\n"
       "flat rotate 0 all min_ttl=5 values\n"
       "cn 192.0.2.2*1\n"
       "cn: line=cn\n"}}},
    {"w: {type: A, records: [{value: 192.0.2.2, enabled: false}, {value: 192.0.2.3, line: "
     "cn}]}\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.3]\n"
       "flat rotate 0 all min_ttl=5 values\n"
       "cn 192.0.2.3*1\n"
       "default 192.0.2.2*1/off\n"
       "cn: line=cn\n"
       "default:\n"}}},
    // One TTL: the least of the rows'; what is beside them is for rows without.
    {"w: {type: A, ttl: 90, records: [{value: 192.0.2.1, ttl: 120}, {value: 192.0.2.2, ttl: 30}, "
     "{value: 192.0.2.3}]}\n"
     "x: {type: A, ttl: 90, records: [{value: 192.0.2.1, ttl: 120}]}\n",
     "",
     {{"w", "A",
       "30 [192.0.2.1] [192.0.2.2] [192.0.2.3]\n"
       "flat rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1 192.0.2.3*1\n"
       "default 192.0.2.1*1 192.0.2.2*1 192.0.2.3*1\n"
       "default:\n"},
      {"x", "A",
       "120 [192.0.2.1]\n"
       "flat rotate 0 all min_ttl=5 values 192.0.2.1*1\n"
       "default 192.0.2.1*1\n"
       "default:\n"}}},
    {"w: {type: CNAME, records: [{value: a.example.net.}, {value: b.example.net.}, "
     "{value: c.example.net., line: cn}]}\n",
     "",
     {{"w", "CNAME",
       "3600 [a.example.net.]\n"
       "flat rotate 1 all min_ttl=5 values a.example.net.*1 b.example.net.*1\n"
       "cn c.example.net.*1\n"
       "default a.example.net.*1 b.example.net.*1\n"
       "cn: line=cn\n"
       "default:\n"}}},
};

static const struct document_case bad_documents[] = {
    {.text = "g: {type: A, records: [], dynamic: {}}\n"
             "h: {type: A, records: []}\n"
             "i: {type: A, records: {value: 192.0.2.1}}\n",
     .diags = "1:14 error g.records: \"records\" and \"dynamic\" do not go together\n"
              "2:14 error h.records: expected 1 to 4096 rows, found 0\n"
              "3:14 error i.records: expected a list, found a mapping\n"},
    {.text = "w: {type: A, records: [{value: 192.0.2.1, line: nope}, {line: default}, {value: x}, "
             "5, {value: 192.0.2.1, weight: -1, status: off, enabled: yes, ttl: -5, lien: x}, "
             "{value: 192.0.2.1, line: cn-telecm}]}\n",
     .diags = "1:49 error w.records[0].line: there is no line \"nope\"\n"
              "1:56 error w.records[1]: missing \"value\"\n"
              "1:81 error w.records[2].value: expected A record data, found \"x\": not an IPv4 "
              "address\n"
              "1:85 error w.records[3]: expected a mapping, found a single value\n"
              "1:161 warning w.records[4].lien: unknown key, left out of account; did you mean "
              "\"line\"?\n"
              "1:115 error w.records[4].weight: expected a whole number from 0 to 1000000, found "
              "\"-1\"\n"
              "1:151 error w.records[4].ttl: expected a whole number from 0 to 2147483647, found "
              "\"-5\"\n"
              "1:127 error w.records[4].status: expected one of obey, up, down, paused; found "
              "\"off\"\n"
              "1:141 error w.records[4].enabled: expected true or false, found \"yes\"\n"
              "1:190 error w.records[5].line: there is no line \"cn-telecm\"; did you mean "
              "\"cn-telecom\"?\n"},
    {.text = "w: {type: A, records: [{value: 192.0.2.1}, {value: 192.0.2.2}, {value: 192.0.2.1, "
             "weight: 4}]}\n",
     .diags = "1:14 warning w.records: the value 192.0.2.1 is here twice; the weights add up\n"},
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

// The order of the rules in the flat form, as a list of pools.
static void expect_order(const char *text, enum line_precedence precedence, const char *expected)
{
    struct outcome outcome = read_yaml_bytes(text, strlen(text), precedence);
    expect_diags(&outcome, "");
    const struct policy *policy = find_rrset(&outcome, "w", TYPE_A)->policy;
    char order[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        used += (size_t)snprintf(order + used, sizeof(order) - used, "%s%s", i ? " " : "",
                                 policy->pools[policy->rules[i].pool].name);
        assert_int_equal(policy->rules[i].line_count, i + 1 < policy->rule_count);
    }
    assert_string_equal(order, expected);
    outcome_end(&outcome);
}

// The worked difference between providers: an ISP, its province, both, beside the default.
static void test_precedence(void **state)
{
    (void)state;
    const char *text = "w:\n  type: A\n  records:\n"
                       "    - {value: 192.0.2.8}\n"
                       "    - {value: 192.0.2.9, line: cn-guangdong}\n"
                       "    - {value: 192.0.2.10, line: cn-telecom}\n"
                       "    - {value: 192.0.2.11, line: cn}\n"
                       "    - {value: 192.0.2.12, line: asia}\n"
                       "    - {value: 192.0.2.13, line: overseas}\n"
                       "    - {value: 192.0.2.14, line: cn-telecom-gd}\n"
                       "    - {value: 192.0.2.15, line: office}\n";
    expect_order(text, PRECEDENCE_ISP_FIRST,
                 "office cn-telecom-gd cn-telecom cn-gd cn asia overseas default");
    expect_order(text, PRECEDENCE_PROVINCE_FIRST,
                 "office cn-telecom-gd cn-gd cn-telecom cn asia overseas default");
}

static void test_limits(void **state)
{
    (void)state;
    const char *rows = "w:\n  type: A\n  records:\n";
    const char *row = "    - {remark: %zu-%zu, value: 10.0.%zu.%zu}\n";
    expect_many(many(rows, row, RRSET_MEMBERS_MAX, ""), "");
    expect_many(many(rows, row, RRSET_MEMBERS_MAX + 1, ""),
                "3:3 error w.records: expected 1 to 4096 rows, found 4097\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
