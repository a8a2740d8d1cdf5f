// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/diag.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define NO_LINT NULL, NULL

static struct {
    struct diag diag;
    const char *text;
} format_table[] = {
    {{SEVERITY_ERROR, (char[]){"a.yaml"}, 3, 7, (char[]){"www.ttl"}, (char[]){"not a number"},
      NO_LINT},
     "a.yaml:3:7: error: www.ttl: not a number"},
    {{SEVERITY_WARNING, (char[]){"a.zone"}, 3, 0, NULL, (char[]){"odd"}, NO_LINT},
     "a.zone:3: warning: odd"},
    {{SEVERITY_ERROR, (char[]){"a.zone"}, 0, 0, (char[]){"k"}, (char[]){"m"}, NO_LINT},
     "a.zone: error: k: m"},
    {{SEVERITY_ERROR, (char[]){"a.zone"}, 0, 9, NULL, (char[]){"m"}, NO_LINT}, "a.zone: error: m"},
    {{SEVERITY_ERROR, NULL, 3, 7, (char[]){"k"}, (char[]){"m"}, NO_LINT}, "error: k: m"},
    {{SEVERITY_WARNING, NULL, 0, 0, NULL, (char[]){"m"}, NO_LINT}, "warning: m"},
    {{SEVERITY_NOTE, (char[]){"a.yaml"}, 3, 7, (char[]){"www"}, (char[]){"m"}, "dull", "polish it"},
     "a.yaml:3:7: note: [dull] www: m; polish it"},
};

static void test_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(format_table); i++) {
        char text[256];
        assert_string_equal(diag_format(&format_table[i].diag, text, sizeof(text)),
                            format_table[i].text);
    }
}

// At every size: never past it, always ended, always a prefix of the whole.
static void test_format_is_cut(void **state)
{
    (void)state;
    char whole[256];
    diag_format(&format_table[0].diag, whole, sizeof(whole));
    for (size_t size = 1; size <= strlen(whole) + 1; size++) {
        char *text = mem_alloc(size); // exactly: a sanitizer sees one byte more
        diag_format(&format_table[0].diag, text, size);
        assert_int_equal(strlen(text), size - 1);
        assert_memory_equal(text, whole, size - 1);
        free(text);
    }
}

// A long path must not swallow line and column, nor the message.
static void test_long_path(void **state)
{
    (void)state;
    char path[1001];
    memset(path, 'p', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    struct diag diag = {SEVERITY_ERROR, path, 12, 34, NULL, (char[]){"message"}, NO_LINT};
    char text[2048], expected[2048];
    snprintf(expected, sizeof(expected), "%s:12:34: error: message", path);
    assert_string_equal(diag_format(&diag, text, sizeof(text)), expected);
}

static void test_list_is_bounded_and_counts_on(void **state)
{
    (void)state;
    struct diags diags = {0};
    char file[] = "file";
    for (unsigned i = 1; i <= DIAGS_MAX + 500; i++) {
        struct place place = {file, i, 1};
        if (i % 3 == 0 || i > DIAGS_MAX) {
            diags_warning(&diags, place, "", "number %u", i);
        } else {
            diags_error(&diags, place, "key", "number %u", i);
        }
    }
    file[0] = 'x'; // the list has copies of its own
    assert_int_equal(diags.count, DIAGS_MAX);
    assert_int_equal(diags.warning_count, DIAGS_MAX / 3 + 500);
    assert_int_equal(diags.error_count, DIAGS_MAX - DIAGS_MAX / 3);
    assert_string_equal(diags.items[4].file, "file");
    assert_string_equal(diags.items[4].message, "number 5");
    assert_int_equal(diags.items[4].line, 5);
    assert_null(diags.items[2].key); // an empty key is none
    diags_clear(&diags);
    assert_int_equal(diags.count + diags.error_count + diags.warning_count, 0);
    diags_error(&diags, (struct place){0}, NULL, "%s", "again");
    assert_int_equal(diags.count, 1);
    assert_null(diags.items[0].file);
    diags_clear(&diags);
}

// What refuses an input is told, however many warnings came before it.
static void test_errors_take_the_place_of_others(void **state)
{
    (void)state;
    struct diags diags = {0}, from = {0};
    diags_error(&diags, (struct place){"file", 1, 0}, NULL, "error");
    for (unsigned i = 2; i <= DIAGS_MAX + 1; i++) {
        diags_finding(&diags, i % 2 ? SEVERITY_NOTE : SEVERITY_WARNING, "id", "fix",
                      (struct place){"file", i, 0}, NULL, "other");
    }
    diags_error(&diags, (struct place){"file", 5000, 0}, NULL, "error");
    diags_warning(&from, (struct place){"file", 6000, 0}, NULL, "other");
    diags_error(&from, (struct place){"file", 6001, 0}, NULL, "error");
    diags_move(&diags, &from);
    assert_int_equal(diags.count, DIAGS_MAX);
    assert_int_equal(diags.error_count, 3);
    assert_int_equal(diags.warning_count + diags.note_count, DIAGS_MAX + 1);
    assert_int_equal(diags.items[0].line, 1);
    assert_int_equal(diags.items[DIAGS_MAX - 3].line, DIAGS_MAX - 2);
    assert_int_equal(diags.items[DIAGS_MAX - 2].line, 5000);
    assert_int_equal(diags.items[DIAGS_MAX - 1].line, 6001);
    for (unsigned i = 1; i <= 2 * DIAGS_MAX; i++) { // and when there is nothing but errors
        diags_error(&diags, (struct place){"last", i, 0}, NULL, "error");
    }
    assert_int_equal(diags.count, DIAGS_MAX);
    assert_int_equal(diags.items[1].line, 5000);
    assert_int_equal(diags.items[DIAGS_MAX - 1].line, DIAGS_MAX - 3);
    diags_clear(&diags);
}

static void test_long_message_is_cut(void **state)
{
    (void)state;
    struct diags diags = {0};
    char *message = mem_alloc(100000);
    memset(message, 'm', 99999);
    diags_error(&diags, (struct place){0}, NULL, "%s", message);
    assert_in_range(strlen(diags.items[0].message), 100, 1000);
    free(message);
    diags_clear(&diags);
}

static void fill(struct diags *diags, const char *name, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        diags_error(diags, (struct place){name, i + 1, 0}, NULL, "fault");
    }
}

static void test_move(void **state)
{
    (void)state;
    struct diags into = {0}, from = {0};
    fill(&into, "into", DIAGS_MAX - 10);
    fill(&from, "from", 20);
    diags_warning(&from, (struct place){0}, NULL, "a warning");
    diags_move(&into, &from);
    assert_int_equal(into.count, DIAGS_MAX);
    assert_int_equal(into.error_count, DIAGS_MAX + 10);
    assert_int_equal(into.warning_count, 1);
    assert_string_equal(into.items[DIAGS_MAX - 1].file, "from");
    assert_int_equal(into.items[DIAGS_MAX - 1].line, 10);
    assert_int_equal(from.count + from.error_count + from.warning_count, 0);
    diags_move(&into, &from); // an empty list
    assert_int_equal(into.count, DIAGS_MAX);
    diags_move(&from, &into);
    assert_int_equal(from.count, DIAGS_MAX);
    diags_clear(&from);
    diags_clear(&into);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_format_is_cut),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_list_is_bounded_and_counts_on),
        cmocka_unit_test(test_errors_take_the_place_of_others),
        cmocka_unit_test(test_long_message_is_cut),
        cmocka_unit_test(test_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
