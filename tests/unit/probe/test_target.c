// SPDX-License-Identifier: GPL-3.0-or-later
//
// The deny list: both edges of every network, inside and outside.
#include "probe/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static bool denied(const char *text, const char *allow)
{
    struct address address;
    struct prefix prefix;
    if (!address_parse(text, &address) || (allow && !prefix_parse(allow, &prefix, NULL))) {
        fail_msg("bad row: %s %s", text, allow ? allow : "");
    }
    return target_denied(&address, &prefix, allow != NULL);
}

static void edges_are_exact(void **state)
{
    (void)state;
    // Last address before, first and last inside, first address after; NULL where there is none.
    static const char *const rows[][4] = {
        {NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
        {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
        {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
        {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
        {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
        {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
        {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
        {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
        {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
        {"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
        {NULL, "240.0.0.0", "255.255.255.255", NULL},
        {NULL, "::", "::ffff:ffff", "::1:0:0"},
        {"::fffe:ffff:ffff", "::ffff:0.0.0.0", "::ffff:255.255.255.255", "::1:0:0:0"},
        {"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::", "64:ff9b::ffff:ffff",
         "64:ff9b::1:0:0"},
        {"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
         "64:ff9b:2::"},
        {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2001:1::"},
        {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
        {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
        {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
        {NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t k = 0; k < 4; k++) {
            bool inside = k == 1 || k == 2;
            if (rows[i][k] && denied(rows[i][k], NULL) != inside) {
                fail_msg("%s: expected %s", rows[i][k], inside ? "denied" : "allowed");
            }
        }
    }
}

static void public_and_documentation_addresses_pass(void **state)
{
    (void)state;
    static const char *const rows[] = {"192.0.2.1",   "198.51.100.7", "203.0.113.255", "8.8.8.8",
                                       "2001:db8::1", "2a00:1450::1", "240e::1"};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_false(denied(rows[i], NULL));
    }
}

static void allow_opens_only_what_it_names(void **state)
{
    (void)state;
    assert_false(denied("127.0.0.1", "127.0.0.0/8"));
    assert_false(denied("10.1.2.3", "10.1.2.3/32"));
    assert_true(denied("10.1.2.4", "10.1.2.3/32"));
    assert_true(denied("127.0.0.1", "10.0.0.0/8"));
    assert_true(denied("::ffff:127.0.0.1", "127.0.0.0/8"));
    assert_true(denied("127.0.0.1", "::/0"));
    assert_true(denied("::1", "0.0.0.0/0"));
    assert_false(denied("fd00::1", "fd00::/8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_exact),
        cmocka_unit_test(public_and_documentation_addresses_pass),
        cmocka_unit_test(allow_opens_only_what_it_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
