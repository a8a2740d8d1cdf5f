// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the scenarios of sim-health share: the usual check, its promises, and the options.
#pragma once

#include "world.h"

#define MINUTE_NS (60 * NS_PER_SECOND)
#define HOUR_NS   (60 * MINUTE_NS)
#define DAY_NS    (24 * HOUR_NS)

struct options {
    const char *scenario;
    uint64_t seed;
    int seeds, days;
};

extern const struct check_spec usual;  // without damping
extern const struct check_spec damped; // the same with the default damping

// How long a hard failure, or a recovery without loss, may take to be seen.
int64_t detection_bound(const struct check_spec *spec);
int64_t recovery_bound(const struct check_spec *spec);

// sim_damping.c, sim_doubt.c, sim_idle.c and sim_recovery.c
void scenario_damping(const struct options *options);
void scenario_isolation(const struct options *options);
void scenario_idle(const struct options *options);
void scenario_recovery(const struct options *options);
void scenario_small(const struct options *options);
