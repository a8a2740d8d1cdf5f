// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of the registry share: a clock that the test turns by hand, and a prober that
// keeps what is under way until the test says how it ends.
#pragma once

#include "health/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { PROBES_MAX = 6000 };

struct flight {
    struct probe *probe;
    struct address target;
};

// The one bench of a test program; bench_open makes it anew for each test.
static struct bench {
    int64_t now;
    struct clock clock;
    struct health *health;
    struct flight flights[PROBES_MAX]; // in the order of their start
    int flight_count, started, cancelled;
    struct address last; // where the newest probe went
} bench;

static inline int64_t bench_now(void *state)
{
    (void)state;
    return bench.now;
}

static inline void bench_start(void *state, struct probe *probe, const struct address *target,
                               const struct check_spec *spec)
{
    (void)state;
    assert_true(spec->interval_ns > 0);
    assert_true(bench.flight_count < PROBES_MAX);
    bench.flights[bench.flight_count++] = (struct flight){probe, *target};
    bench.started++;
    bench.last = *target;
}

static inline void flight_drop(int index)
{
    bench.flight_count--;
    memmove(&bench.flights[index], &bench.flights[index + 1],
            (size_t)(bench.flight_count - index) * sizeof(struct flight));
}

static inline void bench_cancel(void *state, struct probe *probe)
{
    (void)state;
    for (int i = 0; i < bench.flight_count; i++) {
        if (bench.flights[i].probe == probe) {
            flight_drop(i);
            bench.cancelled++;
            return;
        }
    }
    fail_msg("a probe that is not under way was cancelled");
}

static const struct prober bench_prober = {bench_start, bench_cancel, NULL, NULL};

// `changed` is told of the bench's checks, with the bench as context.
static inline void bench_open(const struct prober *prober,
                              void (*changed)(void *context, int check))
{
    memset(&bench, 0, sizeof(bench));
    bench.now = 1000 * NS_PER_SECOND;
    bench.clock = (struct clock){bench_now, bench_now, NULL};
    bench.health = health_new(&bench.clock, prober, 42, changed, &bench);
}

static inline int bench_close(void **state)
{
    (void)state;
    health_free(bench.health);
    assert_int_equal(bench.flight_count, 0);
    return 0;
}

static inline struct address target(unsigned number)
{
    struct address address = {.family = FAMILY_IPV4, .bytes = {203}};
    address.bytes[1] = (uint8_t)(number >> 16);
    address.bytes[2] = (uint8_t)(number >> 8);
    address.bytes[3] = (uint8_t)number;
    return address;
}

static inline struct check_view view(int check)
{
    struct check_view result;
    assert_true(health_view(bench.health, check, &result));
    return result;
}
