// SPDX-License-Identifier: GPL-3.0-or-later
//
// Texts of check definitions: what they mean, and what is refused.
#include "zone/check_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void octets_have_escapes(void **state)
{
    (void)state;
    static const char text[] = "a\\r\\n\\t\\0\\\\\\\"\\xfF\\x00b";
    static const uint8_t expected[] = {'a', '\r', '\n', '\t', 0, '\\', '"', 0xff, 0, 'b'};
    uint8_t octets[sizeof(text)];
    size_t size;
    const char *reason;
    assert_true(check_octets(text, octets, &size, &reason));
    assert_int_equal(size, sizeof(expected));
    assert_memory_equal(octets, expected, size);
    static const char *const bad[] = {"", "\\", "\\q", "\\x", "\\x1", "\\xg0", "a\\"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(check_octets(bad[i], octets, &size, &reason));
    }
}

static void statuses_are_sets(void **state)
{
    (void)state;
    struct check_statuses statuses;
    const char *reason;
    assert_true(check_statuses("200-204, 301,599", &statuses, &reason));
    for (unsigned status = 0; status < 1000; status++) {
        bool expected = (status >= 200 && status <= 204) || status == 301 || status == 599;
        assert_int_equal(check_statuses_hold(&statuses, status), expected);
    }
    static const char *const bad[] = {"",     "99",   "600",  "200-",    "-200", "204-200",
                                      "200,", ",200", "2000", "200 201", "2x",   "200--201"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (check_statuses(bad[i], &statuses, &reason)) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void rcodes_have_names(void **state)
{
    (void)state;
    uint32_t rcodes;
    const char *reason;
    char text[16];
    assert_true(check_rcodes("noerror, NXDOMAIN,9", &rcodes, &reason));
    assert_int_equal(rcodes, 1U << 0 | 1U << 3 | 1U << 9);
    assert_false(check_rcodes("", &rcodes, &reason));
    assert_false(check_rcodes("24", &rcodes, &reason));
    assert_false(check_rcodes("NOERROR;NXDOMAIN", &rcodes, &reason));
    assert_string_equal(check_rcode_name(2, text), "SERVFAIL");
    assert_string_equal(check_rcode_name(12, text), "RCODE12");
}

static void protocols_have_lengths(void **state)
{
    (void)state;
    uint8_t wire[CHECK_ALPN_MAX];
    size_t size;
    const char *reason;
    assert_true(check_alpn("h2,http/1.1", wire, &size, &reason));
    assert_int_equal(size, 12);
    assert_memory_equal(wire, "\2h2\10http/1.1", size);
    assert_false(check_alpn("", wire, &size, &reason));
    assert_false(check_alpn("h2,", wire, &size, &reason));
    assert_false(check_alpn("h 2", wire, &size, &reason));
    char text[CHECK_ALPN_MAX + 1];
    memset(text, 'a', sizeof(text));
    text[CHECK_ALPN_MAX] = '\0';
    assert_false(check_alpn(text, wire, &size, &reason));
}

static void expressions_cannot_explode(void **state)
{
    (void)state;
    static const char *const good[] = {"^ok$", "a{2,5}b{10}", "[a-z]+(x|y)*", "\\."};
    static const char *const bad[] = {
        "(a)\\1", "((a{255}){255}){255}", "a{256}", "a{1,300}", "((a{10}){11}){10}", "(", "a{x}",
        "["};
    const char *reason;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(check_regex(good[i], &reason));
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (check_regex(bad[i], &reason)) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void requests_cannot_be_bent(void **state)
{
    (void)state;
    const char *reason;
    static const char *const hosts[] = {"a\r\nX: y", "user@host", "host/path", "host:80", "a b",
                                        "[::1]",     "a#b",       "",          "\xc3\xa4"};
    static const char *const paths[] = {"", "x", "/ HTTP/1.1\r\nX: y", "/\n", "/a b", "/\x7f"};
    static const char *const headers[] = {
        "Host: x\n", "content-LENGTH: 5\n",          "A b: c\n",  "A: b\r\n", "A: b\nC\n",
        ": x\n",     "Transfer-Encoding: chunked\n", "A: \x01\n", "A: b"};
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        assert_false(check_host(hosts[i], &reason));
    }
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        assert_false(check_path(paths[i], &reason));
    }
    for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
        if (check_headers(headers[i], &reason)) {
            fail_msg("row %zu was taken", i);
        }
    }
    assert_true(check_host("www.example.com", &reason) && check_host("2001:db8::1", &reason));
    assert_true(check_headers("A: b c\nX-Y:\n", &reason));
    assert_true(check_method("HEAD", &reason) && !check_method("get", &reason));
    assert_false(check_method("DELETE", &reason));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_have_escapes),        cmocka_unit_test(statuses_are_sets),
        cmocka_unit_test(rcodes_have_names),          cmocka_unit_test(protocols_have_lengths),
        cmocka_unit_test(expressions_cannot_explode), cmocka_unit_test(requests_cannot_be_bent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
