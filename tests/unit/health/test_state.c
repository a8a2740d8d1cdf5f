// SPDX-License-Identifier: GPL-3.0-or-later
//
// The state machine against an oracle that looks at the whole history, over all short sequences.
#include "health/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { SEQUENCE_MAX = 11 };

// The states that a history leads to, written from the rule and not from the table: after the
// first result, a state turns when the last `rise` or `fall` results all contradict it.
static enum check_state oracle(const bool *good, int count, int rise, int fall)
{
    if (count == 0) {
        return CHECK_UNKNOWN;
    }
    enum check_state state = good[0] ? CHECK_UP : CHECK_DOWN;
    int turned_at = 0; // results up to this one are used up
    for (int i = 1; i < count; i++) {
        int needed = state == CHECK_UP ? fall : rise;
        int same = 0;
        while (i - same > turned_at && good[i - same] == (state == CHECK_DOWN)) {
            same++;
        }
        if (same >= needed) {
            state = state == CHECK_UP ? CHECK_DOWN : CHECK_UP;
            turned_at = i;
        }
    }
    return state;
}

// The fewest further results, all contradicting, that would change the state.
static unsigned oracle_needed(const bool *good, int count, int rise, int fall)
{
    enum check_state state = oracle(good, count, rise, fall);
    if (state == CHECK_UNKNOWN || good[count - 1] == (state == CHECK_UP)) {
        return state == CHECK_UNKNOWN; // a steady state needs a first contradiction
    }
    bool longer[2 * SEQUENCE_MAX];
    memcpy(longer, good, (size_t)count * sizeof(bool));
    for (unsigned more = 1;; more++) {
        longer[count + (int)more - 1] = state == CHECK_DOWN;
        if (oracle(longer, count + (int)more, rise, fall) != state) {
            return more;
        }
    }
}

static void play(unsigned bits, int length, const struct check_spec *spec)
{
    bool good[SEQUENCE_MAX];
    struct check_machine machine = {0};
    for (int i = 0; i < length; i++) {
        enum check_state before = machine.state;
        good[i] = bits >> i & 1;
        bool turned = check_advance(&machine, spec, good[i] ? VERDICT_GOOD : VERDICT_BAD, i, true);
        int rise = (int)spec->rise, fall = (int)spec->fall;
        assert_int_equal(machine.state, oracle(good, i + 1, rise, fall));
        assert_int_equal(turned, machine.state != before);
        assert_int_equal(check_results_needed(&machine, spec),
                         oracle_needed(good, i + 1, rise, fall));
        struct check_machine same = machine;
        assert_false(check_advance(&machine, spec, VERDICT_NONE, i, true));
        assert_memory_equal(&machine, &same, sizeof(same));
    }
}

static void all_sequences_agree_with_the_oracle(void **state)
{
    (void)state;
    for (unsigned rise = 1; rise <= 4; rise++) {
        for (unsigned fall = 1; fall <= 4; fall++) {
            struct check_spec spec = {.rise = rise, .fall = fall, .interval_ns = NS_PER_SECOND};
            for (unsigned bits = 0; bits < 1U << SEQUENCE_MAX; bits++) {
                play(bits, SEQUENCE_MAX, &spec);
            }
        }
    }
}

// --- damping: the rule once more, from the whole history

// Bad results since the target turned, or since the last `clean` good ones in a row.
static int failures_since_clean(const bool *good, int from, int to, int clean)
{
    int failures = 0, row = 0;
    for (int i = from; i <= to; i++) {
        row = good[i] ? row + 1 : 0;
        failures = row >= clean ? 0 : failures + !good[i];
    }
    return failures;
}

static int row_until(const bool *good, int from, int to, bool value)
{
    int row = 0;
    while (to - row >= from && good[to - row] == value) {
        row++;
    }
    return row;
}

static enum check_state damped_oracle(const bool *good, int count, const struct check_spec *spec)
{
    enum check_state state = CHECK_UNKNOWN;
    int begin = 0, level = 0; // of the present state
    bool flapping = false, risen = false;
    for (int i = 0; i < count; i++) {
        int row = row_until(good, begin, i, good[i]);
        bool falls = state == CHECK_UP && !good[i] &&
                     (row >= (int)spec->fall ||
                      failures_since_clean(good, begin, i, (int)spec->flap_clean) >=
                          (int)spec->flap_failures);
        int needed = (int)spec->rise;
        if (flapping || level > 0) {
            needed = (int)spec->flap_rise * (level > 2 ? 16 : level > 1 ? 4 : 1);
        }
        if (state == CHECK_UNKNOWN) {
            state = good[i] ? CHECK_UP : CHECK_DOWN;
            begin = i + 1;
        } else if (falls) {
            level = risen ? (level < 3 ? level + 1 : 3) : 0;
            flapping = row < (int)spec->fall;
            state = CHECK_DOWN;
            begin = i + 1;
        } else if (state == CHECK_DOWN && good[i] && row >= needed) {
            state = CHECK_UP;
            begin = i + 1;
            flapping = false;
            risen = true;
        }
    }
    return state;
}

static void damping_agrees_with_the_oracle(void **state)
{
    (void)state;
    enum { LENGTH = 15 };
    static const struct check_spec specs[] = {
        {.rise = 1, .fall = 2, .flap_failures = 2, .flap_clean = 2, .flap_rise = 2},
        {.rise = 2, .fall = 3, .flap_failures = 3, .flap_clean = 3, .flap_rise = 3},
        {.rise = 1, .fall = 2, .flap_failures = 3, .flap_clean = 1, .flap_rise = 2},
        {.rise = 1, .fall = 1, .flap_failures = 5, .flap_clean = 2, .flap_rise = 1},
    };
    for (size_t k = 0; k < ARRAY_SIZE(specs); k++) {
        for (unsigned bits = 0; bits < 1U << LENGTH; bits++) {
            bool good[LENGTH];
            struct check_machine machine = {0};
            for (int i = 0; i < LENGTH; i++) {
                good[i] = bits >> i & 1;
                check_advance(&machine, &specs[k], good[i] ? VERDICT_GOOD : VERDICT_BAD,
                              i * NS_PER_SECOND, true);
            }
            assert_int_equal(machine.state, damped_oracle(good, LENGTH, &specs[k]));
        }
    }
}

static const struct check_spec damped = {.rise = 2,
                                         .fall = 3,
                                         .interval_ns = 10 * NS_PER_SECOND,
                                         .flap_failures = 10,
                                         .flap_clean = 10,
                                         .flap_rise = 20};

// Results until the state turns, one every 10 s.
static int until_turned(struct check_machine *machine, const struct check_spec *spec,
                        enum probe_verdict verdict, int64_t *now)
{
    for (int count = 1; count < 10000; count++) {
        *now += 10 * NS_PER_SECOND;
        if (check_advance(machine, spec, verdict, *now, true)) {
            return count;
        }
    }
    return -1;
}

static void trust_is_lost_and_regained_in_steps(void **state)
{
    (void)state;
    struct check_machine machine = {0};
    int64_t now = 0;
    check_advance(&machine, &damped, VERDICT_GOOD, now, true);
    static const int needed[] = {2, 20, 80, 320, 320};
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        assert_int_equal(until_turned(&machine, &damped, VERDICT_BAD, &now), 3);
        assert_int_equal(until_turned(&machine, &damped, VERDICT_GOOD, &now), needed[i]);
    }
    static const struct {
        int calm; // times the memory
        int needed;
    } regained[] = {{1, 80}, {1, 20}, {1, 2}, {0, 20}, {0, 80}, {2, 2}, {1000, 2}};
    for (size_t i = 0; i < ARRAY_SIZE(regained); i++) {
        now += regained[i].calm * FLAP_MEMORY_NS;
        assert_int_equal(until_turned(&machine, &damped, VERDICT_BAD, &now), 3);
        assert_int_equal(until_turned(&machine, &damped, VERDICT_GOOD, &now), regained[i].needed);
    }
}

static void scattered_failures_take_it_down(void **state)
{
    (void)state;
    struct check_machine machine = {.state = CHECK_UP};
    for (int i = 0; i < 9; i++) {
        assert_false(check_advance(&machine, &damped, VERDICT_BAD, 0, true));
        for (int k = 0; k < 9; k++) {
            check_advance(&machine, &damped, VERDICT_GOOD, 0, true);
        }
    }
    struct check_machine cleaned = machine;
    check_advance(&cleaned, &damped, VERDICT_GOOD, 0, true); // the tenth in a row
    assert_false(check_advance(&cleaned, &damped, VERDICT_BAD, 0, true));
    assert_true(check_about_to_fall(&machine, &damped));
    assert_true(check_advance(&machine, &damped, VERDICT_BAD, 0, true));
    assert_int_equal(check_rise_needed(&machine, &damped), 20);
}

static void the_way_back_can_be_held(void **state)
{
    (void)state;
    struct check_spec held = {.rise = 1,
                              .fall = 1,
                              .interval_ns = NS_PER_SECOND,
                              .hold_down_ns = 100 * NS_PER_SECOND,
                              .failback_ns = 50 * NS_PER_SECOND};
    struct check_machine machine = {.state = CHECK_UP};
    int64_t s = NS_PER_SECOND;
    assert_true(check_advance(&machine, &held, VERDICT_BAD, 1000 * s, true));
    assert_int_equal(check_waits_for(&machine, &held, 1001 * s), WAIT_RESULTS);
    assert_false(check_advance(&machine, &held, VERDICT_GOOD, 1080 * s, true));
    assert_int_equal(check_waits_for(&machine, &held, 1080 * s), WAIT_HOLD_DOWN);
    assert_false(check_advance(&machine, &held, VERDICT_GOOD, 1129 * s, true));
    assert_int_equal(check_waits_for(&machine, &held, 1129 * s), WAIT_FAILBACK);
    struct check_machine other = machine;
    assert_true(check_advance(&machine, &held, VERDICT_GOOD, 1130 * s, true));
    assert_int_equal(check_waits_for(&machine, &held, 1130 * s), WAIT_NOTHING);
    held.failback_manual = true;
    assert_false(check_advance(&other, &held, VERDICT_GOOD, 9999 * s, true));
    assert_int_equal(check_waits_for(&other, &held, 9999 * s), WAIT_OPERATOR);
    other.released = true;
    assert_true(check_advance(&other, &held, VERDICT_GOOD, 9999 * s, true));
    assert_false(other.released); // for this once
}

static void a_fall_can_be_put_off(void **state)
{
    (void)state;
    struct check_machine machine = {.state = CHECK_UP};
    for (int i = 0; i < 7; i++) {
        assert_false(check_advance(&machine, &damped, VERDICT_BAD, 0, i < 2));
        assert_int_equal(check_results_needed(&machine, &damped), i < 2 ? 2 - i : 1);
    }
    assert_true(check_advance(&machine, &damped, VERDICT_BAD, 0, true));
    assert_false(machine.flapping);
}

static void time_to_change_is_rounded_up(void **state)
{
    (void)state;
    struct check_spec spec = {.rise = 2, .fall = 3, .interval_ns = 2500 * NS_PER_MS};
    struct check_machine machine = {0};
    assert_int_equal(check_change_in_s(&machine, &spec), 3); // unknown: one result decides
    check_advance(&machine, &spec, VERDICT_GOOD, 0, true);
    assert_int_equal(check_change_in_s(&machine, &spec), 0);
    check_advance(&machine, &spec, VERDICT_BAD, 0, true);
    assert_int_equal(check_change_in_s(&machine, &spec), 5);
    check_advance(&machine, &spec, VERDICT_BAD, 0, true);
    assert_int_equal(check_change_in_s(&machine, &spec), 3);
    check_advance(&machine, &spec, VERDICT_BAD, 0, true);
    assert_int_equal(machine.state, CHECK_DOWN);
    assert_int_equal(check_change_in_s(&machine, &spec), 0);
    spec.interval_ns = INT64_MAX;
    spec.rise = UINT32_MAX;
    check_advance(&machine, &spec, VERDICT_GOOD, 0, true);
    assert_true(check_change_in_s(&machine, &spec) == UINT32_MAX);
}

static void every_name_is_there_and_distinct(void **state)
{
    (void)state;
    for (int i = 0; i < PROBE_REASON_COUNT; i++) {
        assert_non_null(probe_reasons[i].name);
        for (int k = 0; k < i; k++) {
            assert_string_not_equal(probe_reasons[i].name, probe_reasons[k].name);
        }
    }
    assert_string_equal(probe_reasons[PROBE_L7_STATUS].name, "L7STS");
    assert_string_equal(check_state_names[CHECK_UNKNOWN], "unknown");
    assert_string_equal(check_state_names[CHECK_UP], "up");
    assert_string_equal(check_state_names[CHECK_DOWN], "down");
}

static void only_the_target_is_judged(void **state)
{
    (void)state;
    assert_int_equal(probe_reasons[PROBE_OK].verdict, VERDICT_GOOD);
    assert_int_equal(probe_reasons[PROBE_DENIED].verdict, VERDICT_NONE);
    assert_int_equal(probe_reasons[PROBE_LOCAL_ERROR].verdict, VERDICT_NONE);
    for (int result = PROBE_L4_TIMEOUT; result <= PROBE_L7_STATUS; result++) {
        assert_int_equal(probe_reasons[result].verdict, VERDICT_BAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sequences_agree_with_the_oracle),
        cmocka_unit_test(damping_agrees_with_the_oracle),
        cmocka_unit_test(trust_is_lost_and_regained_in_steps),
        cmocka_unit_test(scattered_failures_take_it_down),
        cmocka_unit_test(the_way_back_can_be_held),
        cmocka_unit_test(a_fall_can_be_put_off),
        cmocka_unit_test(time_to_change_is_rounded_up),
        cmocka_unit_test(every_name_is_there_and_distinct),
        cmocka_unit_test(only_the_target_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
