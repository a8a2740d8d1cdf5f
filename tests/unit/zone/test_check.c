// SPDX-License-Identifier: GPL-3.0-or-later
//
// Check definitions: that every option counts in equality, hash and copies.
#include "zone/check.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

// Gives the option another value than the zeroed one.
static void change(struct check_spec *spec, const struct check_option *option)
{
    char *field = (char *)spec + option->offset;
    switch (option->type) {
    case CHECK_OPTION_TEXT:
        *(const char **)field = "text";
        break;
    case CHECK_OPTION_NUMBER:
        *(uint32_t *)field = 7;
        break;
    case CHECK_OPTION_BOOL:
        *(bool *)field = true;
        break;
    case CHECK_OPTION_DURATION:
        *(int64_t *)field = 7;
        break;
    }
}

static void every_option_counts(void **state)
{
    (void)state;
    const struct check_spec plain = {.kind = CHECK_HTTP};
    for (size_t i = 0; i < check_option_count; i++) {
        struct check_spec other = plain;
        change(&other, &check_options[i]);
        if (check_spec_equal(&plain, &other) ||
            check_spec_hash(&plain, 1) == check_spec_hash(&other, 1)) {
            fail_msg("the option %s does not count", check_options[i].name);
        }
    }
}

// A field without a row would be left out by reader, equality and copies.
static void every_field_has_a_row(void **state)
{
    (void)state;
    static const size_t widths[] = {
        [CHECK_OPTION_TEXT] = sizeof(char *),
        [CHECK_OPTION_NUMBER] = sizeof(uint32_t),
        [CHECK_OPTION_BOOL] = sizeof(bool),
        [CHECK_OPTION_DURATION] = sizeof(int64_t),
    };
    struct check_spec seen;
    memset(&seen, 0, sizeof(seen));
    memset(&seen.kind, 1, sizeof(seen.kind));
    memset(&seen.target, 1, sizeof(seen.target));
    memset(&seen.operands, 1, sizeof(seen.operands));
    memset(&seen.operand_count, 1, sizeof(seen.operand_count));
    for (size_t i = 0; i < check_option_count; i++) {
        memset((char *)&seen + check_options[i].offset, 1, widths[check_options[i].type]);
    }
    const char *bytes = (const char *)&seen;
    size_t hole = 0;
    for (size_t i = 0; i < sizeof(seen); i++) { // padding is never as wide as what follows it
        hole = bytes[i] ? 0 : hole + 1;
        if (hole >= 8 || (hole == 4 && i % 8 == 3)) {
            fail_msg("the field at octet %zu has no row", i + 1 - hole);
        }
    }
}

static void names_are_distinct_within_a_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < check_option_count; i++) {
        assert_true(check_options[i].kinds != 0);
        for (size_t k = 0; k < i; k++) {
            if (check_options[i].kinds & check_options[k].kinds) {
                assert_string_not_equal(check_options[i].name, check_options[k].name);
            }
        }
    }
    for (int kind = 0; kind < CHECK_KIND_COUNT; kind++) {
        assert_non_null(check_kinds[kind].name);
        assert_non_null(check_kinds[kind].help);
    }
}

static void the_target_and_the_operands_count(void **state)
{
    (void)state;
    struct check_spec leaf = {.kind = CHECK_TCP, .port = 80}, other = {.kind = CHECK_TCP};
    const struct check_spec *one[] = {&leaf}, *two[] = {&leaf, &other}, *three[] = {&other};
    struct check_spec a = {.kind = CHECK_ALL, .operands = one, .operand_count = 1}, b = a;
    assert_true(check_spec_equal(&a, &b));
    b.operands = two;
    b.operand_count = 2;
    assert_false(check_spec_equal(&a, &b));
    b.operands = three;
    b.operand_count = 1;
    assert_false(check_spec_equal(&a, &b));
    assert_true(check_spec_hash(&a, 1) != check_spec_hash(&b, 1));
    b = a;
    b.target.family = FAMILY_IPV4;
    assert_false(check_spec_equal(&a, &b));
}

static void a_copy_is_equal_and_its_own(void **state)
{
    (void)state;
    struct check_spec leaf = {.kind = CHECK_HTTP}, bare = {.kind = CHECK_TCP, .port = 3};
    for (size_t i = 0; i < check_option_count; i++) {
        change(&leaf, &check_options[i]);
    }
    const struct check_spec *inner[] = {&bare};
    struct check_spec negation = {.kind = CHECK_NOT, .operands = inner, .operand_count = 1};
    const struct check_spec *outer[] = {&leaf, &negation};
    struct check_spec root = {.kind = CHECK_ALL, .operands = outer, .operand_count = 2};
    struct check_spec *copy = check_spec_clone(&root);
    assert_true(check_spec_equal(copy, &root));
    assert_ptr_not_equal(copy->operands[0], &leaf);
    assert_ptr_not_equal(copy->operands[0]->host, leaf.host);
    assert_ptr_not_equal(copy->operands[1]->operands[0], &bare);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_counts),
        cmocka_unit_test(every_field_has_a_row),
        cmocka_unit_test(names_are_distinct_within_a_kind),
        cmocka_unit_test(the_target_and_the_operands_count),
        cmocka_unit_test(a_copy_is_equal_and_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
