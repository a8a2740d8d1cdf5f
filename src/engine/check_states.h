// SPDX-License-Identifier: GPL-3.0-or-later
//
// The states of checks over a restart: a text file, one line a check, with a version, the time of
// writing and a checksum. Pure text in, pure text out; any thread, but the registry's is its own.
//
//   signpost-health 4 SAVED
//   KEY STATE LEVEL FLAPPING HAS-RISEN SINCE RISEN
//   beat AT TTL DOWN HAS-LOAD LOAD NAME DETAIL
//   load ... and rtt ...: engine_measured.c
//   end COUNT CHECKSUM
//
// Times are ns since 1970, TTL is in ns; keys, the checksum and the bits of LOAD are hexadecimal,
// texts are as state_text has them. COUNT is of the checks. Version 1 had no heartbeats, version 2
// neither loads nor round trips, version 3 hexadecimal texts alone.
#pragma once

#include "base/clock.h"
#include "base/diag.h"
#include "health/beats.h"
#include "health/health.h"

// Every check that is up or down, every heartbeat, and the lines that `other` is, as text of *size
// octets, released with free().
char *check_states_format(const struct health *health, const struct beats *beats, const char *other,
                          const struct clock *clock, size_t *size);

// Who reads the lines of others: false when one is damaged. `ahead_ns`: of the wall clock.
struct state_lines {
    void *state;
    bool (*read)(void *state, const char *line, int64_t ahead_ns, int64_t now_ns);
};

struct check_states;

enum check_states_fault {
    CHECK_STATES_GOOD,
    CHECK_STATES_DAMAGED,
    CHECK_STATES_OTHER_VERSION,
    CHECK_STATES_TOO_OLD, // older than `age_max_ns`: nothing is wrong with it
    CHECK_STATES_EARLY,   // saved long after what the clock shows now
};
extern const char *const check_states_fault_texts[CHECK_STATES_EARLY + 1];

// NULL when there is a fault; *age_ns is its age if that could be read. Times become monotonic ones
// of `clock`, and heartbeats go to `beats`. The lines of others are read from a file that is too
// old as well: they have ages of their own.
struct check_states *check_states_parse(const char *text, size_t size, const struct clock *clock,
                                        int64_t age_max_ns, struct beats *beats,
                                        const struct state_lines *others,
                                        enum check_states_fault *fault, int64_t *age_ns);
void check_states_free(struct check_states *states); // NULL allowed
size_t check_states_count(const struct check_states *states);
// Lets a check that has had no result yet go on where it was; true when it is known.
bool check_states_recall(const struct check_states *states, struct health *health, int check);
