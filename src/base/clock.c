// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

static int64_t system_monotonic_ns(void *state)
{
    (void)state;
    return read_ns(CLOCK_MONOTONIC);
}

static int64_t system_wall_ns(void *state)
{
    (void)state;
    return read_ns(CLOCK_REALTIME);
}

const struct clock *clock_system(void)
{
    static const struct clock clock = {system_monotonic_ns, system_wall_ns, NULL};
    return &clock;
}
