// SPDX-License-Identifier: GPL-3.0-or-later
//
// shared.yaml: lines and sites.
#include "../zone_test.h"

static void expect_shared(const char *text, const char *diags, size_t count)
{
    const char *path = file_write(1, "example.com.shared", text, strlen(text));
    struct diags list = {0};
    struct shared *shared = shared_read(path, &list);
    expect_text(text, diags_text(&list), diags);
    assert_int_equal(shared->line_count, count);
    shared_free(shared);
    diags_clear(&list);
}

static void test_shared(void **state)
{
    (void)state;
    const char *text = "lines:\n"
                       "  office: {networks: [10.0.0.0/8, '2001:db8::/32'], asns: [64500, AS64501],"
                       " countries: [CN]}\n"
                       "  empty:\n    remark: none\n";
    const char *path = file_write(1, "shared.yaml", text, strlen(text));
    struct diags diags = {0};
    struct shared *shared = shared_read(path, &diags);
    assert_string_equal(diags_text(&diags), "");
    assert_int_equal(shared->line_count, 2);
    const struct line_definition *line = &shared->lines[0];
    char prefix[PREFIX_TEXT_MAX];
    assert_string_equal(line->name, "office");
    assert_int_equal(line->place.line, 2);
    assert_int_equal(line->network_count, 2);
    assert_string_equal(prefix_format(&line->networks[1], prefix), "2001:db8::/32");
    assert_int_equal(line->asn_count, 2);
    assert_int_equal(line->asns[1], 64501);
    assert_int_equal(line->country_count, 1);
    assert_string_equal(line->countries[0], "CN");
    shared_free(shared);

    expect_shared("", "", 0);
    expect_shared("lines:\n", "", 0);
    expect_shared(
        "line: {a: {}}\nfoo: 1\n",
        "1:1 warning line: unknown key, left out of account; did you mean \"lines\"?\n"
        "2:6 warning foo: unknown key, left out of account; known are \"lines\", \"sites\" "
        "and \"checks\"\n",
        0);
    expect_shared("lines: {a: {networks: [10.0.0.1/8, x], asns: [0], countries: [cn, XX, CHN]},\n"
                  "  b: {network: [], networks: 10.0.0.0/8}, c: 5}\n",
                  "1:24 error lines.a.networks[0]: \"10.0.0.1/8\" has bits set behind its length; "
                  "the network is 10.0.0.0/8\n"
                  "1:36 error lines.a.networks[1]: expected a network such as 192.0.2.0/24 or "
                  "2001:db8::/32, found \"x\"\n"
                  "1:47 error lines.a.asns[0]: expected an AS number such as 64500 or AS64500, "
                  "found \"0\"\n"
                  "1:63 error lines.a.countries[0]: expected a country code in capitals (ISO "
                  "3166-1) such as CN, found \"cn\"\n"
                  "1:67 error lines.a.countries[1]: expected a country code in capitals (ISO "
                  "3166-1) such as CN, found \"XX\"\n"
                  "1:71 error lines.a.countries[2]: expected a country code in capitals (ISO "
                  "3166-1) such as CN, found \"CHN\"\n"
                  "2:7 warning lines.b.network: unknown key, left out of account; did you mean "
                  "\"networks\"?\n"
                  "2:30 error lines.b.networks: expected a list, found a single value\n"
                  "2:46 error lines.c: expected a mapping, found a single value\n",
                  3);
    shared = shared_read("/nonexistent/shared.yaml", &diags); // a missing file is an empty one
    assert_int_equal(shared->line_count + diags.count, 0);
    shared_free(shared);
    diags_clear(&diags);
}

static void test_sites(void **state)
{
    (void)state;
    expect_shared("sites:\n  fra: {lat: 50.11}\n  nyc: {lat: 91, lon: -74}\n"
                  "  syd: {lat: -33.87, lon: 151.2, bias: 1.5, capacity: 0, color: red}\n",
                  "2:3 error sites.fra: \"lat\" and \"lon\" go together\n"
                  "3:14 error sites.nyc.lat: expected a number from -90 to 90, found \"91\"\n"
                  "4:65 warning sites.syd.color: unknown key, left out of account\n"
                  "4:40 error sites.syd.bias: a bias is a whole number\n"
                  "4:55 error sites.syd.capacity: expected a number from 1e-09 to 1e+09, found "
                  "\"0\"\n",
                  0);
    struct diags diags = {0};
    const char *path =
        file_write(1, "shared.yaml",
                   "sites: {a: {lat: 50.11, lon: -8.5, bias: -20, capacity: 100}, b: {}}\n", 69);
    struct shared *shared = shared_read(path, &diags);
    assert_string_equal(diags_text(&diags), "");
    assert_int_equal(shared->site_count, 2);
    const struct site *site = &shared->sites[0];
    assert_string_equal(site->name, "a");
    assert_true(site->located && site->latitude == 50.11 && site->longitude == -8.5);
    assert_true(site->bias == -20 && site->capacity == 100);
    assert_false(shared->sites[1].located);
    shared_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shared), cmocka_unit_test(test_sites)};
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
