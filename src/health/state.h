// SPDX-License-Identifier: GPL-3.0-or-later
//
// The state machine of one check: unknown, up, down.
//
// Falling: one bad result while nothing is known (a fast start); then `fall` bad ones in a row, or,
// against targets that fail now and then, `flap_failures` of them without `flap_clean` good ones in
// a row in between. Rising: `rise` good ones in a row; more of them, in steps, when the target fell
// that second way or not long after it had risen before; and not before the hold-down, the
// failback delay and, if asked for, the operator allow it. Results that say nothing about the
// target leave the machine alone.
//
// Pure: the time comes in with each result (monotonic, ns).
#pragma once

#include "health/health.h"

// A target that falls again within this time after it rose is trusted less at each fall: it must
// give flap_rise good results in a row, then four times as many, and so on. For each such time that
// it was up it is trusted a level more.
#define FLAP_MEMORY_NS (48 * 3600 * NS_PER_SECOND)
enum { FLAP_LEVEL_MAX = 3, FLAP_LEVEL_FACTOR = 4 };

// Zero-initialised it is a new machine: CHECK_UNKNOWN.
struct check_machine {
    enum check_state state;
    uint32_t run;      // results in a row that point away from the state
    uint32_t failures; // while up: bad results since the last clean run
    uint32_t clean;    // good results in a row
    uint8_t level;     // how little it is trusted: 0..FLAP_LEVEL_MAX
    bool flapping;     // down: fell with more failures than in a row
    bool has_risen;    // risen_ns is set: it has been down before
    bool released;     // down: the operator lets it come back (failback_manual)
    int64_t fell_ns;   // down: since when
    int64_t good_ns;   // when the present row of good results began
    int64_t risen_ns;  // when it last came up after it was down
};

// Takes one result in; true when the state changed. While `may_fall` is false an up check counts
// its failures but stays: it falls with the next bad result once it may.
bool check_advance(struct check_machine *machine, const struct check_spec *spec,
                   enum probe_verdict verdict, int64_t now_ns, bool may_fall);
// Whether one more bad result would take an up check down.
bool check_about_to_fall(const struct check_machine *machine, const struct check_spec *spec);
// What a check that is down and gives good results waits for.
enum check_wait check_waits_for(const struct check_machine *machine, const struct check_spec *spec,
                                int64_t now_ns);
// Good results in a row that bring a check up that is down.
uint32_t check_rise_needed(const struct check_machine *machine, const struct check_spec *spec);
// Forgets what is under way in either direction; state and level stay.
void check_settle(struct check_machine *machine);

// Results in a row that would still be needed to change the state; 0 while it is steady.
uint32_t check_results_needed(const struct check_machine *machine, const struct check_spec *spec);
// The same as time: results needed x interval, in seconds, rounded up; 0 while it is steady.
uint32_t check_change_in_s(const struct check_machine *machine, const struct check_spec *spec);
