// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside of the registry: what health.c (checks and their users) and cycle.c (the schedule, the
// ends of probes) share. Nobody else includes it.
#pragma once

#include "probe/definition.h"
#include "health/doubt.h"
#include "health/health.h"
#include "health/schedule.h"
#include "health/state.h"
#include "health/texts.h"

enum { DETAIL_MAX = 104 }; // with the end

// A check is in exactly one phase: waiting in the heap for its due time; ready, in a queue, when
// more are due than may be under way; or probing.
enum phase { PHASE_WAITING, PHASE_READY, PHASE_PROBING };

struct check {
    struct probe probe;
    struct due due;
    struct check *ready_before, *ready_after; // PHASE_READY
    struct check *bucket_next;
    uint64_t hash;
    struct address target;
    const struct check_spec *spec; // the one copy, probe/definition.h
    int index;
    unsigned users;
    enum phase phase;
    struct check_machine machine;
    bool is_anchor;
    bool resting; // waiting, for longer than its interval
    bool had_result;
    bool excused; // the last result was a late failure that did not count
    bool spread;  // after a pause, the due time was drawn anew
    bool failing; // the last result that counts was bad
    bool hinted;  // the owner was told that change_in_s is not zero
    bool warning, has_certificate, has_load;
    int32_t certificate_days;
    double load;
    int64_t acquired_ns, started_ns, since_ns, latency_ns;
    int64_t rest_ns;                        // the gap while nobody asks; 0: somebody does
    int64_t failing_started_ns, failing_ns; // start and end of the first probe that failed
    enum probe_reason last_reason;
    const char *detail; // kept in health->details; NULL: the last result had none
    uint64_t probe_count, failure_count, change_count;
    struct history history;
};

_Static_assert(sizeof(struct check) <= 760, "a check fits in 1 KB with its places in the tables");

struct health {
    const struct clock *clock;
    struct prober prober;
    struct definitions *definitions;
    struct texts *details;
    health_changed *changed;
    health_doubted *doubted;
    void *context;
    uint64_t random;
    struct check **checks; // by index; NULL where there is none
    int count, capacity;
    int *free_indexes;
    size_t free_count, free_capacity;
    struct check **buckets; // by hash, bucket_count is a power of two
    size_t bucket_count, check_count;
    struct due_heap waiting;
    struct check *ready_first, *ready_last;
    unsigned probing_count, probes_max;
    size_t unsettled_count; // checks that have had no result yet
    int64_t unsettled_ns;   // how long the first round of these takes, first_cost_ns of each
    struct doubt doubt;
    bool thawed; // doubt ended: the next tick tells the owner what that changed
    struct health_lateness lateness;
};

// The check waits for its first probe, or for a new due time.
void check_wait_until(struct health *health, struct check *check, int64_t time_ns);
// Out of the schedule and of the counts, its probe cancelled.
void check_leave(struct health *health, struct check *check);
// What a first probe takes of the first round.
int64_t first_cost_ns(const struct check_spec *spec);
// Uniform in [0, span).
int64_t health_random_span(struct health *health, int64_t span);
// Keeps the counts of doubt: how the check stood before a change.
struct check_standing {
    bool known, up, failing;
};
struct check_standing check_standing(const struct check *check);
void check_recount(struct health *health, const struct check *check, struct check_standing before);
