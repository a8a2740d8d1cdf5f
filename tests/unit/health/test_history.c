// SPDX-License-Identifier: GPL-3.0-or-later
//
// The last results of a check against a plain list of all of them.
#include "health/history.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void the_last_hundred_are_kept(void **state)
{
    (void)state;
    enum { TOTAL = 1000 };
    static struct history history;
    static struct history_result all[TOTAL];
    uint64_t seed = random_seed(), random = seed;
    int64_t now = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < TOTAL; i++) {
        now += (1 + random_below(&random, 300)) * 100 * NS_PER_MS;
        all[i] = (struct history_result){
            random_below(&random, PROBE_REASON_COUNT),
            (int64_t)(random_next(&random) >> (20 + random_below(&random, 40))), now};
        history_add(&history, all[i].reason, all[i].latency_ns, now);
        assert_int_equal(history.count, i < 99 ? i + 1 : 100);
        for (unsigned age = 0; age < history.count; age++) {
            struct history_result seen = history_result(&history, age);
            const struct history_result *expected = &all[i - age];
            assert_int_equal(seen.reason, expected->reason);
            assert_true(seen.at_ns == expected->at_ns);
            int64_t off = seen.latency_ns - expected->latency_ns;
            assert_true((off < 0 ? -off : off) <= expected->latency_ns / 8 + 3);
        }
    }
}

static void long_gaps_and_latencies_saturate(void **state)
{
    (void)state;
    struct history history = {0};
    history_add(&history, PROBE_OK, INT64_MAX, 0);
    history_add(&history, PROBE_OK, 0, INT64_MAX);
    history_add(&history, PROBE_OK, -5, 10); // no clock runs backwards, but nothing breaks
    assert_true(history_result(&history, 2).latency_ns > INT64_MAX / 2);
    assert_true(history_result(&history, 0).latency_ns == 0);
    assert_int_equal(history.bars[HISTORY_BOUNDS], 1);
    assert_int_equal(history.bars[0], 2);
}

static void bars_hold_their_upper_bound(void **state)
{
    (void)state;
    struct history history = {0};
    for (unsigned bar = 0; bar < HISTORY_BOUNDS; bar++) {
        history_add(&history, PROBE_OK, history_bounds_ns[bar], 0);
        history_add(&history, PROBE_OK, history_bounds_ns[bar] + 1, 0);
        history_add(&history, PROBE_L4_TIMEOUT, history_bounds_ns[bar], 0); // not a success
    }
    assert_int_equal(history.bars[0], 1);
    for (unsigned bar = 1; bar < HISTORY_BOUNDS; bar++) {
        assert_int_equal(history.bars[bar], 2);
    }
    assert_int_equal(history.bars[HISTORY_BOUNDS], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_hundred_are_kept),
        cmocka_unit_test(long_gaps_and_latencies_saturate),
        cmocka_unit_test(bars_hold_their_upper_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
