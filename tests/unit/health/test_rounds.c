// SPDX-License-Identifier: GPL-3.0-or-later
//
// When the probes of many checks begin, from the first on: the registry with a clock that is turned
// by hand and a prober that only counts.
#include "health/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define INTERVAL_NS (10 * NS_PER_SECOND)

enum { CHECKS = 4000 };

static struct bench {
    int64_t now;
    struct clock clock;
    struct health *health;
    struct probe *flights[CHECKS + 1];
    struct address last; // where the last probe went
    int flight_count, started;
} bench;

static const struct check_spec cheap = {.kind = CHECK_TCP,
                                        .port = 80,
                                        .interval_ns = INTERVAL_NS,
                                        .timeout_ns = 2 * NS_PER_SECOND,
                                        .rise = 2,
                                        .fall = 3};

static int64_t bench_now(void *state)
{
    (void)state;
    return bench.now;
}

static void bench_start(void *state, struct probe *probe, const struct address *target,
                        const struct check_spec *spec)
{
    (void)state;
    (void)spec;
    bench.flights[bench.flight_count++] = probe;
    bench.last = *target;
    bench.started++;
}

static void bench_cancel(void *state, struct probe *probe)
{
    (void)state;
    (void)probe;
}

static void bench_changed(void *context, int check)
{
    (void)context;
    (void)check;
}

static int setup(void **state)
{
    (void)state;
    static const struct prober prober = {bench_start, bench_cancel, NULL, NULL};
    memset(&bench, 0, sizeof(bench));
    bench.now = 1000 * NS_PER_SECOND;
    bench.clock = (struct clock){bench_now, bench_now, NULL};
    bench.health = health_new(&bench.clock, &prober, 42, bench_changed, &bench);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    health_free(bench.health);
    return 0;
}

static struct address target(unsigned number)
{
    struct address address = {.family = FAMILY_IPV4, .bytes = {203}};
    address.bytes[2] = (uint8_t)(number >> 8);
    address.bytes[3] = (uint8_t)number;
    return address;
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
        health_probe_done(bench.health, bench.flights[--bench.flight_count], &good);
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
        cmocka_unit_test_setup_teardown(the_first_round_is_spread, setup, teardown),
        cmocka_unit_test_setup_teardown(handshakes_take_their_time, setup, teardown),
        cmocka_unit_test_setup_teardown(the_second_round_is_even, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
