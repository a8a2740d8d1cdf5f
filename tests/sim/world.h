// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct world: a clock and a network that exist only here, for simulations.
//
// Time stands still while code runs and leaps to the next event. The network is a table of targets,
// each with a delay, a loss rate and a switch; probes of them end when the world says so. All
// chance comes from one seed: the same seed gives the same history.
//
// The world watches every probe for what must always hold (one under way at a time; never two
// starts too close or too far apart) and every state against a second implementation of rise and
// fall. world_fail says which seed to repeat and ends the process.
#pragma once

#include "base/hash.h"
#include "health/health.h"
#include "health/schedule.h"

struct world;
struct event;
typedef void event_fire(struct world *world, struct event *event);

// Something that will happen; embedded in what it happens to.
struct event {
    struct due due;
    event_fire *fire;
};

struct target {
    struct address address;
    const struct check_spec *spec;
    int check;
    // The network's side.
    bool dead; // nothing comes back
    uint32_t loss_ppm;
    int64_t delay_ns;
    // The probe under way.
    struct event answer;
    struct probe *probe;
    enum probe_reason coming;
    // What was seen.
    int64_t started_ns;            // -1: never
    enum probe_reason last_result; // of the last probe that ended
    enum check_state expected;     // the second implementation
    unsigned streak;
    unsigned starts, turns;
    bool confirming; // the last result was a failure of an up check
};

struct world {
    const char *scenario;
    uint64_t seed, random;
    int64_t now_ns, wall_ns;
    struct clock clock;
    struct health *health;
    struct due_heap events;
    struct target *targets;
    int target_count, probes_under_way, probes_most;
    bool by_streak;   // the second implementation knows rise and fall only; off: states are taken
    bool cut_off;     // no probe succeeds, not even those under way
    bool cut_at_once; // and they fail at once, not at their deadline
    bool gaps_exact;  // starts are checked for their distance; off after a pause or under overload
    uint64_t probe_count;
    uint64_t trace; // hash of every change of state and its time
    void (*turned)(struct world *world, struct target *target); // NULL: nobody wants to know
    void *context;
};

// Makes `count` targets with one check each.
void world_open(struct world *world, const char *scenario, uint64_t seed, int count,
                const struct check_spec *spec);
// The same for a registry that may doubt itself.
void world_open_doubting(struct world *world, const char *scenario, uint64_t seed, int count,
                         const struct check_spec *spec, const struct doubt_options *options,
                         health_doubted *doubted);
void world_close(struct world *world);
void world_at(struct world *world, struct event *event, int64_t time_ns, event_fire *fire);
// Lets the world turn until `end_ns`.
void world_run(struct world *world, int64_t end_ns);
// The process sleeps; what would have come in meanwhile is lost to deadlines when it wakes.
void world_pause(struct world *world, int64_t length_ns);
int64_t world_span(struct world *world, int64_t from_ns, int64_t to_ns); // uniform
_Noreturn void world_fail(const struct world *world, const struct target *target,
                          const char *format, ...) PRINTF_LIKE(3, 4);
