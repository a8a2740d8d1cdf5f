// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of reported loads: bounded, and yet never shut for good.
#include "engine/loads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define HOUR (3600 * NS_PER_SECOND)

static struct loads *loads;

static int setup(void **state)
{
    (void)state;
    loads = loads_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    loads_free(loads);
    return 0;
}

static bool put(unsigned number, int64_t since_ns)
{
    char name[32];
    snprintf(name, sizeof(name), "10.0.%u.%u", number / 256, number % 256);
    return loads_put(loads, name, false, number, since_ns);
}

static const struct load_report *find(unsigned number)
{
    char name[32];
    snprintf(name, sizeof(name), "10.0.%u.%u", number / 256, number % 256);
    return loads_find(loads, name, false);
}

static void count_one(void *context, const struct load_report *report)
{
    (void)report;
    ++*(size_t *)context;
}

static size_t count_all(void)
{
    size_t count = 0;
    loads_walk(loads, count_one, &count);
    return count;
}

static void the_newest_counts(void **state)
{
    (void)state;
    assert_null(loads_find(loads, "paris", true));
    assert_true(loads_put(loads, "paris", true, 0.5, 10));
    assert_true(loads_put(loads, "paris", false, 7, 20));
    assert_true(loads_put(loads, "paris", true, 0.75, 30));
    assert_int_equal(count_all(), 2);
    const struct load_report *site = loads_find(loads, "paris", true);
    assert_true(site->load == 0.75 && site->since_ns == 30);
    assert_true(loads_find(loads, "paris", false)->load == 7);
}

static void names_are_bounded(void **state)
{
    (void)state;
    char name[LOAD_NAME_MAX_CHARS + 2];
    memset(name, 'n', sizeof(name));
    name[LOAD_NAME_MAX_CHARS + 1] = '\0';
    assert_false(loads_put(loads, name, false, 1, 0));
    name[LOAD_NAME_MAX_CHARS] = '\0';
    assert_true(loads_put(loads, name, false, 1, 0));
}

// Half of the names are reported again an hour later. Those of a day ago make room, no others do.
static void old_names_make_room(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOADS_MAX; i++) {
        assert_true(put(i, 0));
    }
    for (unsigned i = 0; i < LOADS_MAX; i += 2) {
        assert_true(put(i, HOUR));
    }
    assert_false(loads_put(loads, "new", false, 1, 24 * HOUR));
    assert_true(put(1, 24 * HOUR)); // a name that is known needs no room
    assert_true(loads_put(loads, "new", false, 1, 24 * HOUR + 1));
    assert_int_equal(count_all(), LOADS_MAX / 2 + 2);
    for (unsigned i = 0; i < LOADS_MAX; i++) {
        assert_true((find(i) != NULL) == (i % 2 == 0 || i == 1));
    }
    for (unsigned i = 0; i < LOADS_MAX / 2 - 2; i++) {
        assert_true(put(LOADS_MAX + i, 25 * HOUR));
    }
    assert_false(loads_put(loads, "newer", false, 1, 25 * HOUR)); // all are of the last day
    assert_true(loads_put(loads, "newer", false, 1, 25 * HOUR + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(old_names_make_room, setup, teardown),
    };
    return cmocka_run_group_tests_name("engine/loads", tests, NULL, NULL);
}
