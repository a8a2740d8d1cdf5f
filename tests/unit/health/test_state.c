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
        bool turned = check_advance(&machine, spec, good[i] ? VERDICT_GOOD : VERDICT_BAD);
        int rise = (int)spec->rise, fall = (int)spec->fall;
        assert_int_equal(machine.state, oracle(good, i + 1, rise, fall));
        assert_int_equal(turned, machine.state != before);
        assert_int_equal(check_results_needed(&machine, spec),
                         oracle_needed(good, i + 1, rise, fall));
        struct check_machine same = machine;
        assert_false(check_advance(&machine, spec, VERDICT_NONE));
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

static void time_to_change_is_rounded_up(void **state)
{
    (void)state;
    struct check_spec spec = {.rise = 2, .fall = 3, .interval_ns = 2500 * NS_PER_MS};
    struct check_machine machine = {0};
    assert_int_equal(check_change_in_s(&machine, &spec), 3); // unknown: one result decides
    check_advance(&machine, &spec, VERDICT_GOOD);
    assert_int_equal(check_change_in_s(&machine, &spec), 0);
    check_advance(&machine, &spec, VERDICT_BAD);
    assert_int_equal(check_change_in_s(&machine, &spec), 5);
    check_advance(&machine, &spec, VERDICT_BAD);
    assert_int_equal(check_change_in_s(&machine, &spec), 3);
    check_advance(&machine, &spec, VERDICT_BAD);
    assert_int_equal(machine.state, CHECK_DOWN);
    assert_int_equal(check_change_in_s(&machine, &spec), 0);
    spec.interval_ns = INT64_MAX;
    spec.rise = UINT32_MAX;
    check_advance(&machine, &spec, VERDICT_GOOD);
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
        cmocka_unit_test(time_to_change_is_rounded_up),
        cmocka_unit_test(every_name_is_there_and_distinct),
        cmocka_unit_test(only_the_target_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
