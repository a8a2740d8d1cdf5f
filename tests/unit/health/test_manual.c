// SPDX-License-Identifier: GPL-3.0-or-later
//
// Manual states: patterns, precedence, windows, and clocks that jump.
#include "health/manual.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define S       NS_PER_SECOND
#define HOUR_NS (3600 * S)
#define WEEK_NS (168 * HOUR_NS)

static int64_t now_ns, wall_ns;

static int64_t monotonic(void *state)
{
    (void)state;
    return now_ns;
}

static int64_t wall(void *state)
{
    (void)state;
    return now_ns + wall_ns;
}

static const struct clock fake = {monotonic, wall, NULL};
static struct manual *manual;

static int setup(void **state)
{
    (void)state;
    now_ns = 1000 * S;
    wall_ns = 1800000000 * S;
    manual = manual_new(&fake);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    manual_free(manual);
    return 0;
}

static const struct manual_identity member = {
    .zone = "example.com",
    .owner = "www.example.com",
    .type = "A",
    .pool = "beijing",
    .value = "192.0.2.11",
    .site = "bj-1",
};

static const struct manual_entry *add(const char *pattern, enum manual_state state, int64_t from_ns,
                                      int64_t until_ns)
{
    const struct manual_entry entry = {.state = state,
                                       .pattern = pattern,
                                       .who = "ann",
                                       .why = "because",
                                       .from_ns = from_ns,
                                       .until_ns = until_ns};
    return manual_add(manual, &entry);
}

static enum manual_state state_now(void)
{
    const struct manual_entry *entry = manual_find(manual, &member);
    return entry == NULL ? MANUAL_NONE : entry->state;
}

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        bool matches;
    } cases[] = {
        {"example.com/", true},
        {"example.com/*", true},
        {"example.com./www.example.com./A/beijing/192.0.2.11", true},
        {"EXAMPLE.com/WWW.*/a", true},
        {"example.org/*", false},
        {"*/www.example.com", true},
        {"*/example.com", false},
        {"*/*/AAAA", false},
        {"*/*/*/bei*", true},
        {"*/*/*/*/192.0.2.1?", true},
        {"*/*/*/*/192.0.2.1", false},
        {"*/*/*/*/192.0.2.1[12]", true},
        {"site:bj-*", true},
        {"site:sh-*", false},
        {"pool:beijing", true},
        {"pool:b", false},
        {"value:192.0.2.*", true},
        {"value:192.0.3.*", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct diags diags = {0};
        assert_true(manual_pattern_check(cases[i].pattern, &diags));
        if (manual_pattern_matches(cases[i].pattern, &member) != cases[i].matches) {
            fail_msg("%s", cases[i].pattern);
        }
    }
    const struct manual_identity nowhere = {
        .zone = "a", .owner = "a", .type = "A", .pool = "p", .value = "v", .site = ""};
    assert_false(manual_pattern_matches("site:?*", &nowhere));
}

static void bad_patterns_and_entries(void **state)
{
    (void)state;
    char longer[MANUAL_TEXT_MAX + 2];
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    const char *bad[] = {"", "example.com", "*", "a/b/c/d/e/f", "site:", "a/*********", longer};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct diags diags = {0};
        assert_false(manual_pattern_check(bad[i], &diags));
        assert_string_equal(diags.items[0].key, "pattern");
        diags_clear(&diags);
    }
    int64_t wall_now = now_ns + wall_ns;
    const struct {
        struct manual_entry entry;
        const char *key;
    } entries[] = {
        {{.pattern = "a/", .who = longer, .why = ""}, "who"},
        {{.pattern = "a/", .who = "", .why = longer}, "why"},
        {{.pattern = "a/", .who = "", .why = "", .until_ns = wall_now}, "until"},
        {{.pattern = "a/", .who = "", .why = "", .from_ns = wall_now + 9, .until_ns = wall_now + 8},
         "until"},
        {{.pattern = "a/", .who = "", .why = "", .weekly = true}, "weekly"},
        {{.pattern = "a/",
          .who = "",
          .why = "",
          .weekly = true,
          .from_ns = 1,
          .until_ns = 1 + WEEK_NS},
         "weekly"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
        struct diags diags = {0};
        assert_false(manual_entry_check(&entries[i].entry, wall_now, &diags));
        assert_int_equal(diags.count, 1);
        assert_string_equal(diags.items[0].key, entries[i].key);
        diags_clear(&diags);
    }
}

static void the_last_one_wins(void **state)
{
    (void)state;
    assert_int_equal(state_now(), MANUAL_NONE);
    assert_int_equal(add("example.com/", MANUAL_DRAIN, 0, 0)->id, 1);
    assert_int_equal(state_now(), MANUAL_DRAIN);
    add("value:192.0.2.11", MANUAL_UP, 0, 0);
    add("value:192.0.2.99", MANUAL_DOWN, 0, 0);
    assert_int_equal(state_now(), MANUAL_UP);
    assert_int_equal(manual_remove(manual, "value:192.0.2.11"), 1);
    assert_int_equal(manual_remove(manual, "value:192.0.2.11"), 0);
    assert_int_equal(state_now(), MANUAL_DRAIN);
    assert_int_equal(manual_count(manual), 2);
    assert_string_equal(manual_entry(manual, 0)->who, "ann");
}

static void windows_open_and_close(void **state)
{
    (void)state;
    int64_t next, wall_now = now_ns + wall_ns, begin = now_ns;
    add("example.com/", MANUAL_DOWN, wall_now + HOUR_NS, wall_now + 2 * HOUR_NS);
    assert_int_equal(manual_tick(manual, &next), 0);
    assert_true(next == begin + HOUR_NS);
    assert_int_equal(state_now(), MANUAL_NONE);
    now_ns = next;
    assert_int_equal(state_now(), MANUAL_DOWN);
    wall_ns += 99 * HOUR_NS; // the clock is set: nothing moves
    assert_int_equal(manual_tick(manual, &next), 0);
    assert_true(next == begin + 2 * HOUR_NS);
    assert_int_equal(state_now(), MANUAL_DOWN);
    now_ns = next;
    assert_int_equal(state_now(), MANUAL_NONE);
    assert_int_equal(manual_tick(manual, &next), 1);
    assert_true(next == INT64_MAX);
    assert_int_equal(manual_count(manual), 0);
}

static void weekly_windows_come_again(void **state)
{
    (void)state;
    int64_t next, wall_now = now_ns + wall_ns;
    struct manual_entry entry = {.state = MANUAL_DRAIN,
                                 .pattern = "example.com/",
                                 .who = "",
                                 .why = "",
                                 .weekly = true,
                                 .from_ns = wall_now - 10 * WEEK_NS - HOUR_NS,
                                 .until_ns = wall_now - 10 * WEEK_NS + HOUR_NS};
    manual_add(manual, &entry); // loaded late: it is the tenth week after
    for (int week = 0; week < 5; week++) {
        assert_int_equal(state_now(), MANUAL_DRAIN);
        manual_tick(manual, &next);
        assert_true(next - now_ns == (week == 0 ? HOUR_NS : 2 * HOUR_NS));
        now_ns = next;
        assert_int_equal(manual_tick(manual, &next), 0);
        assert_int_equal(state_now(), MANUAL_NONE);
        assert_true(next - now_ns == WEEK_NS - 2 * HOUR_NS);
        now_ns = next;
    }
    assert_true(manual_entry(manual, 0)->from_ns == now_ns + wall_ns);
}

static void the_list_is_bounded(void **state)
{
    (void)state;
    for (int i = 0; i < MANUAL_ENTRIES_MAX; i++) {
        assert_non_null(add("example.com/", MANUAL_UP, 0, 0));
    }
    assert_null(add("example.com/", MANUAL_UP, 0, 0));
    assert_int_equal(manual_remove(manual, "example.com/"), MANUAL_ENTRIES_MAX);
}

#define MANUAL_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MANUAL_TEST(patterns),
        MANUAL_TEST(bad_patterns_and_entries),
        MANUAL_TEST(the_last_one_wins),
        MANUAL_TEST(windows_open_and_close),
        MANUAL_TEST(weekly_windows_come_again),
        MANUAL_TEST(the_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
