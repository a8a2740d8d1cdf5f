// SPDX-License-Identifier: GPL-3.0-or-later
//
// The state machine of one check: unknown, up, down, with rise and fall.
//
// One result decides while nothing is known (a fast start); afterwards only `fall` bad results in a
// row take a check down and `rise` good ones bring it up. Results that say nothing about the target
// (the probe was not allowed, or could not be made here) leave the machine alone. Pure.
#pragma once

#include "health/health.h"

// Zero-initialised it is a new machine: CHECK_UNKNOWN.
struct check_machine {
    enum check_state state;
    unsigned run; // results in a row that point away from the state; always below the threshold
};

// Takes one result in; true when the state changed.
bool check_advance(struct check_machine *machine, const struct check_spec *spec,
                   enum probe_verdict verdict);
// Results in a row that would still be needed to change the state; 0 while it is steady.
unsigned check_results_needed(const struct check_machine *machine, const struct check_spec *spec);
// The same as time: results needed x interval, in seconds, rounded up; 0 while it is steady.
uint32_t check_change_in_s(const struct check_machine *machine, const struct check_spec *spec);
