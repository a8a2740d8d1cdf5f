// SPDX-License-Identifier: GPL-3.0-or-later
//
// When the checker doubts itself, and what it lets fall.
#include "health/doubt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define S NS_PER_SECOND

static struct doubt doubt;

static void open_with(size_t up)
{
    doubt_open(&doubt, &(struct doubt_options){.share = 70, .targets_min = 10});
    doubt.up = up;
}

static bool update_with(size_t failing, int64_t now)
{
    doubt.failing = failing;
    return doubt_update(&doubt, now);
}

static void more_than_the_share_raises_it(void **state)
{
    (void)state;
    open_with(100);
    assert_false(update_with(70, S));
    assert_true(update_with(71, 2 * S));
    assert_int_equal(doubt.cause, DOUBT_SHARE);
    assert_true(doubt.since_ns == 2 * S);
    assert_false(update_with(51, 3 * S)); // it does not flicker
    assert_true(update_with(50, 4 * S));
    assert_false(doubt_frozen(&doubt));
    assert_int_equal(doubt.raised_count, 1);
}

static void the_last_results_raise_it_early(void **state)
{
    (void)state;
    open_with(400);
    for (int i = 0; i < 200; i++) {
        doubt_note(&doubt, S, true);
    }
    for (int i = 0; i < 94; i++) { // a quarter of the targets is 100; 95 % of them 95
        doubt_note(&doubt, S, false);
        assert_false(update_with((size_t)i, S));
    }
    doubt_note(&doubt, S, false);
    assert_true(update_with(95, S));
    for (int i = 0; i < 50; i++) {
        assert_false(update_with(95, 2 * S));
        doubt_note(&doubt, 2 * S, true);
    }
    doubt_note(&doubt, 2 * S, true);
    assert_true(update_with(95, 2 * S));
    assert_false(doubt_frozen(&doubt));
}

// Of 20 targets 14 die: ten failures in a row are chance.
static void a_short_run_of_failures_raises_nothing(void **state)
{
    (void)state;
    open_with(20);
    for (int i = 0; i < 60; i++) {
        doubt_note(&doubt, S, true);
    }
    for (int i = 0; i < 14; i++) {
        doubt_note(&doubt, 2 * S, false);
        assert_false(update_with((size_t)i + 1, 2 * S));
    }
    assert_false(doubt_allows_fall(&doubt, S, 13 * S, true)); // none is good
    open_with(20);
    for (int i = 0; i < 14; i++) {
        doubt_note(&doubt, 2 * S, false);
    }
    doubt_note(&doubt, 2 * S, true);
    assert_true(doubt_allows_fall(&doubt, S, 13 * S, true));
}

static void few_targets_say_nothing(void **state)
{
    (void)state;
    open_with(9);
    assert_false(update_with(9, S));
    assert_true(doubt_allows_fall(&doubt, 0, S, false));
    open_with(10);
    assert_true(update_with(10, S));
    doubt_open(&doubt, &(struct doubt_options){.share = 100, .targets_min = 1});
    doubt.up = 50;
    assert_false(update_with(50, S));
    assert_true(doubt_allows_fall(&doubt, 0, S, false));
}

static void anchors_raise_it_alone(void **state)
{
    (void)state;
    open_with(3);
    doubt.anchors = 2;
    doubt.anchors_good = 1;
    assert_false(update_with(0, S));
    doubt.anchors_good = 0;
    assert_true(update_with(0, 2 * S));
    assert_int_equal(doubt.cause, DOUBT_ANCHORS);
    doubt.anchors_good = 1;
    assert_true(update_with(0, 3 * S));
    // A fall waits for a probe of an anchor that began after the failure.
    doubt.anchor_good_ns = 10 * S;
    assert_false(doubt_allows_fall(&doubt, 10 * S, 11 * S, false));
    assert_true(doubt_allows_fall(&doubt, 10 * S, 11 * S, true));
    assert_true(doubt_allows_fall(&doubt, 9 * S, 11 * S, false));
}

static void a_fall_waits_for_other_results(void **state)
{
    (void)state;
    open_with(100);
    assert_false(doubt_allows_fall(&doubt, 10 * S, 12 * S, false));
    doubt_note(&doubt, 9 * S, true); // before the failure: says nothing
    assert_false(doubt_allows_fall(&doubt, 10 * S, 12 * S, false));
    for (int i = 0; i < DOUBT_WITNESSES; i++) { // fewer may all be of one target that lives
        assert_false(doubt_allows_fall(&doubt, 10 * S, 12 * S, false));
        doubt_note(&doubt, 11 * S, true);
    }
    for (int i = 0; i <= 7; i++) { // three of ten are good at the end
        assert_true(doubt_allows_fall(&doubt, 10 * S, 12 * S, false));
        doubt_note(&doubt, 11 * S, false);
    }
    assert_false(doubt_allows_fall(&doubt, 10 * S, 12 * S, false)); // of eleven
    assert_true(doubt_allows_fall(&doubt, 10 * S, 12 * S, true));   // too few to doubt
    for (int i = 0; i < 50; i++) {                                  // 3 of 11 to 60
        assert_true(doubt_allows_fall(&doubt, 10 * S, 12 * S, true));
        doubt_note(&doubt, 11 * S, false);
    }
    assert_false(doubt_allows_fall(&doubt, 10 * S, 12 * S, true)); // of 61: less than a twentieth
    assert_true(doubt_frozen(&doubt));
    assert_false(doubt_allows_fall(&doubt, 10 * S, 12 * S, true));
}

static void old_results_are_forgotten(void **state)
{
    (void)state;
    open_with(100);
    doubt_note(&doubt, 5 * S, true);
    doubt_note(&doubt, 5 * S + DOUBT_SLOTS * DOUBT_SLOT_NS, false); // the same slot
    assert_false(doubt_allows_fall(&doubt, S, 200 * S, false));
}

static void the_operator_has_the_last_word(void **state)
{
    (void)state;
    open_with(100);
    assert_false(doubt_trust(&doubt)); // nothing to overrule
    assert_false(doubt.trusted);
    update_with(90, S);
    assert_true(doubt_trust(&doubt));
    assert_false(doubt_frozen(&doubt));
    assert_false(update_with(95, 2 * S)); // and it stays overruled while it is bad
    assert_true(doubt_allows_fall(&doubt, S, 2 * S, false));
    assert_false(update_with(50, 3 * S));
    assert_false(doubt.trusted);
    assert_true(update_with(71, 4 * S)); // the next time is another time
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_the_share_raises_it),
        cmocka_unit_test(the_last_results_raise_it_early),
        cmocka_unit_test(a_short_run_of_failures_raises_nothing),
        cmocka_unit_test(few_targets_say_nothing),
        cmocka_unit_test(anchors_raise_it_alone),
        cmocka_unit_test(a_fall_waits_for_other_results),
        cmocka_unit_test(old_results_are_forgotten),
        cmocka_unit_test(the_operator_has_the_last_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
