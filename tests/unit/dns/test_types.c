// SPDX-License-Identifier: GPL-3.0-or-later
#include "dns/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

// The binary search finds every row only when the table ascends: all numbers, both ways.
static void test_every_type_both_ways(void **state)
{
    (void)state;
    unsigned known = 0;
    const struct rr_type_info *last = NULL;
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        const struct rr_type_info *info = rr_type_find((uint16_t)type);
        char text[RR_TYPE_TEXT_MAX], generic[RR_TYPE_TEXT_MAX];
        uint16_t parsed;
        rr_type_format((uint16_t)type, text);
        snprintf(generic, sizeof(generic), "TYPE%u", type);
        if (info != NULL) {
            assert_int_equal(info->type, type);
            assert_true(last == NULL || last < info); // ascending, and one row a type
            last = info;
            known++;
            assert_string_equal(text, info->name);
        } else {
            assert_string_equal(text, generic);
        }
        assert_true(rr_type_parse(text, &parsed));
        assert_int_equal(parsed, type);
        assert_true(rr_type_parse(generic, &parsed));
        assert_int_equal(parsed, type);
    }
    assert_in_range(known, 60, 100);
}

static void test_rows_are_consecutive(void **state)
{
    (void)state;
    // No row stands between two that the search found but is itself never found.
    const struct rr_type_info *first = rr_type_find(TYPE_A), *end = rr_type_find(TYPE_CAA);
    for (const struct rr_type_info *at = first; at <= end; at++) {
        assert_ptr_equal(rr_type_find(at->type), at);
        uint16_t type;
        assert_true(rr_type_parse(at->name, &type));
        assert_int_equal(type, at->type); // names are unique too
    }
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int type; // -1: refused
    } table[] = {
        {"A", 1},
        {"a", 1},
        {"aAaA", 28},
        {"TYPE65535", 65535},
        {"type1", 1},
        {"Type0", 0},
        {"ANY", 255},
        {"TYPE65536", -1},
        {"TYPE", -1},
        {"TYPE-1", -1},
        {"TYPE+1", -1},
        {"TYPE1x", -1},
        {"TYPE 1", -1},
        {"", -1},
        {"AA", -1},
        {"TYPE4294967297", -1},
        {"99999999999", -1},
        {"HTTPS", 65},
        {"svcb", 64},
        {"CAA ", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        uint16_t type = 4711;
        bool good = rr_type_parse(table[i].text, &type);
        print_message("\"%s\"\n", table[i].text);
        assert_int_equal(good, table[i].type >= 0);
        assert_int_equal(type, good ? table[i].type : 4711);
    }
}

// RFC 3597, section 4: only the types of RFC 1035 are compressed.
static void test_who_is_compressed(void **state)
{
    (void)state;
    static const uint16_t rfc1035[] = {2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15};
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        const struct rr_type_info *info = rr_type_find((uint16_t)type);
        bool expected = false;
        for (size_t i = 0; i < ARRAY_SIZE(rfc1035); i++) {
            expected |= rfc1035[i] == type;
        }
        assert_int_equal(info != NULL && info->compressible, expected);
        assert_true(info == NULL || !info->compressible || info->name_count > 0);
        assert_true(info == NULL || !info->wants_additional || info->name_count > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_both_ways),
        cmocka_unit_test(test_rows_are_consecutive),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_who_is_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
