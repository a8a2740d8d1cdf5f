// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time is asked for through a struct clock, so that a simulation can bring its own.
//
// Intervals use only the monotonic reading (ns since an arbitrary start, never backwards); the wall
// reading (ns since 1970) is for serials, signatures and logs. No other file reads the system time.
#pragma once

#include "base/base.h"

#define NS_PER_SECOND 1000000000LL
#define NS_PER_MS     1000000LL

struct clock {
    int64_t (*monotonic_ns)(void *state);
    int64_t (*wall_ns)(void *state);
    void *state;
};

static inline int64_t clock_monotonic_ns(const struct clock *clock)
{
    return clock->monotonic_ns(clock->state);
}

static inline int64_t clock_wall_ns(const struct clock *clock)
{
    return clock->wall_ns(clock->state);
}

// The machine's clock. Any thread; lives as long as the process.
const struct clock *clock_system(void);
