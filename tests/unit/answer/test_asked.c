// SPDX-License-Identifier: GPL-3.0-or-later
//
// Marks of plans that are asked for: each is seen once, at the next look, whatever time it is.
#include "answer/asked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void each_mark_is_seen_once(void **state)
{
    (void)state;
    static struct asked asked;
    static int64_t seen[ASKED_SIZE], expected[ASKED_SIZE];
    const uint32_t plans[] = {0, 1, 77, ASKED_SIZE - 1};
    for (int64_t now = 1; now <= 1 << 17; now += 1 << 16) {
        for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
            asked_note(&asked, plans[i]);
            asked_note(&asked, plans[i]);
            expected[plans[i]] = now;
        }
        asked_look(&asked, now, seen);
        assert_memory_equal(seen, expected, sizeof(seen));
        asked_look(&asked, now + 1, seen); // nothing is new
        assert_memory_equal(seen, expected, sizeof(seen));
    }
}

static void places_are_shared(void **state)
{
    (void)state;
    static struct asked asked;
    static int64_t seen[ASKED_SIZE];
    asked_note(&asked, 5 * ASKED_SIZE + 3);
    asked_look(&asked, 9, seen);
    assert_int_equal(seen[3], 9);
    assert_int_equal(seen[4], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mark_is_seen_once),
        cmocka_unit_test(places_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
