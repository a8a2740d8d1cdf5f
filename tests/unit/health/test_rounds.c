// SPDX-License-Identifier: GPL-3.0-or-later
//
// When the probes of many checks begin, from the first on: the registry with a clock that is turned
// by hand and a prober that only counts.
#include "bench.h"

#define INTERVAL_NS (10 * NS_PER_SECOND)

enum { CHECKS = 4000 };

static const struct check_spec cheap = {.kind = CHECK_TCP,
                                        .port = 80,
                                        .interval_ns = INTERVAL_NS,
                                        .timeout_ns = 2 * NS_PER_SECOND,
                                        .rise = 2,
                                        .fall = 3};

static void bench_changed(void *context, int check)
{
    (void)context;
    (void)check;
}

static int setup(void **state)
{
    (void)state;
    bench_open(&bench_prober, bench_changed);
    return 0;
}

static void acquire(unsigned first, unsigned end, const struct check_spec *spec)
{
    for (unsigned i = first; i < end; i++) {
        struct address address = target(i);
        health_acquire(bench.health, &address, spec);
    }
}

// How many probes begin in the time that passes.
static int pass(int64_t span_ns)
{
    int before = bench.started;
    bench.now += span_ns;
    health_tick(bench.health);
    return bench.started - before;
}

static void finish_all(void)
{
    const struct probe_result good = {.reason = PROBE_OK};
    while (bench.flight_count > 0) {
        health_probe_done(bench.health, bench.flights[--bench.flight_count].probe, &good);
    }
}

static void the_first_round_is_spread(void **state)
{
    (void)state;
    acquire(0, 1, &cheap);
    assert_int_equal(pass(0), 1); // one alone goes at once
    acquire(1, CHECKS, &cheap);
    for (int tenth = 1; tenth <= 10; tenth++) {
        int more = pass(NS_PER_SECOND / 10);
        assert_true(more > CHECKS / 10 / 2 && more < CHECKS / 10 * 2);
    }
    assert_int_equal(bench.started, CHECKS);
}

static void handshakes_take_their_time(void **state)
{
    (void)state;
    struct check_spec dear = cheap;
    dear.kind = CHECK_HTTPS; // a thousand a second
    acquire(0, CHECKS, &dear);
    for (int second = 1; second < CHECKS / 1000; second++) {
        int more = pass(NS_PER_SECOND);
        assert_true(more > 800 && more < 1700);
    }
    pass(NS_PER_SECOND);
    assert_int_equal(bench.started, CHECKS);
    finish_all(); // all have had a result: one more is not behind anybody
    struct check_spec other = dear;
    other.port = 8443;
    int64_t began = bench.now;
    struct address late = target(CHECKS);
    acquire(CHECKS, CHECKS + 1, &other);
    while (!address_equal(&bench.last, &late)) {
        pass(NS_PER_MS);
        finish_all();
        assert_true(bench.now - began <= NS_PER_SECOND);
    }
}

static void the_second_round_is_even(void **state)
{
    (void)state;
    acquire(0, CHECKS, &cheap);
    pass(NS_PER_SECOND);
    assert_int_equal(bench.started, CHECKS);
    finish_all();
    for (int tenth = 1; tenth <= 9; tenth++) {
        int more = pass(INTERVAL_NS / 10);
        assert_true(more > CHECKS / 20 && more < CHECKS / 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_round_is_spread, setup, bench_close),
        cmocka_unit_test_setup_teardown(handshakes_take_their_time, setup, bench_close),
        cmocka_unit_test_setup_teardown(the_second_round_is_even, setup, bench_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
