// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rest: while nobody asks for them, targets are probed at a tenth of the rate. What must hold all
// the same: who is asked for is probed within an interval and at the full rate from then on; a
// death in rest is found with the next probe, and confirmed as any other; and a checker that is cut
// off while all rest blames no target.
#include "scenarios.h"

#include <stdio.h>

// The few are probed so rarely that the first of them would be down before the others are looked
// at.
enum { TARGETS = 200, FEW = 40, FACTOR = 10, FEW_FACTOR = 30 };

static void begin(struct world *world, uint64_t seed, int count, int factor)
{
    static const struct doubt_options options = {.share = 70, .targets_min = 10};
    world_open_doubting(world, "idle", seed, count, &damped, &options, NULL);
    world->by_streak = false;
    world->gaps_exact = false;
    world_run(world, world->now_ns + MINUTE_NS);
    for (int i = 0; i < count; i++) {
        health_rest(world->health, world->targets[i].check, factor * damped.interval_ns);
    }
    world_run(world, world->now_ns + (factor + 1) * damped.interval_ns);
}

static enum check_state state_of(const struct world *world, const struct target *target)
{
    struct check_view view;
    health_view(world->health, target->check, &view);
    return view.state;
}

// The part of the full rate at which all are probed in an hour of rest.
static double rate_run(uint64_t seed)
{
    struct world world;
    begin(&world, seed, TARGETS, FACTOR);
    uint64_t before = world.probe_count;
    world_run(&world, world.now_ns + HOUR_NS);
    double rate = (double)(world.probe_count - before) / TARGETS * (double)damped.interval_ns /
                  (double)HOUR_NS;
    world_close(&world);
    if (rate > 1.12 / FACTOR || rate < 0.98 / FACTOR) {
        world_fail(&world, NULL, "%.3f of the full rate", rate);
    }
    return rate;
}

// One after the other is asked for: the first probe, and those that follow.
static int64_t wake_run(uint64_t seed)
{
    struct world world;
    int64_t slowest_ns = 0;
    begin(&world, seed, TARGETS, FACTOR);
    for (int i = 0; i < 50; i++) {
        struct target *target = &world.targets[i];
        world_run(&world, world.now_ns + world_span(&world, 0, MINUTE_NS));
        int64_t asked_ns = world.now_ns;
        unsigned starts = target->starts - (target->probe != NULL); // one under way is as good
        health_rest(world.health, target->check, 0);
        while (target->starts == starts) {
            world_run(&world, world.now_ns + 10 * NS_PER_MS);
            if (world.now_ns > asked_ns + damped.interval_ns / 2 + 10 * NS_PER_MS) {
                world_fail(&world, target, "asked for, and not probed in half an interval");
            }
        }
        slowest_ns = MAX(slowest_ns, target->started_ns - asked_ns);
        starts = target->starts;
        world_run(&world, world.now_ns + MINUTE_NS);
        if (target->starts - starts < MINUTE_NS / damped.interval_ns - 1) {
            world_fail(&world, target, "%u probes in a minute after it was asked for",
                       target->starts - starts);
        }
        health_rest(world.health, target->check, FACTOR * damped.interval_ns);
    }
    world_close(&world);
    return slowest_ns;
}

// Some die while nobody asks.
static void death_run(uint64_t seed)
{
    struct world world;
    begin(&world, seed, TARGETS, FACTOR);
    for (int i = 0; i < TARGETS; i += 20) {
        struct target *target = &world.targets[i];
        world_run(&world, world.now_ns + world_span(&world, 0, MINUTE_NS));
        target->dead = true;
        world_run(&world, world.now_ns + FACTOR * damped.interval_ns - damped.interval_ns +
                              detection_bound(&damped));
        if (state_of(&world, target) != CHECK_DOWN) {
            world_fail(&world, target, "a death in rest was not seen in time");
        }
    }
    for (int i = 0; i < TARGETS; i++) {
        if (state_of(&world, &world.targets[i]) != (i % 20 == 0 ? CHECK_DOWN : CHECK_UP)) {
            world_fail(&world, &world.targets[i], "the wrong state");
        }
    }
    world_close(&world);
}

static void blamed(struct world *world, struct target *target)
{
    world_fail(world, target, "a state changed because the checker was cut off");
}

static void isolation_run(uint64_t seed, bool at_once)
{
    struct world world;
    bool few = seed % 4 < 2;
    begin(&world, seed, few ? FEW : TARGETS, few ? FEW_FACTOR : FACTOR);
    world.turned = blamed;
    world.cut_off = true;
    world.cut_at_once = at_once;
    int64_t shortest_ns = FEW_FACTOR * damped.interval_ns + 2 * damped.interval_ns;
    world_run(&world, world.now_ns + world_span(&world, shortest_ns, 30 * MINUTE_NS));
    if (!doubt_frozen(health_doubt(world.health))) {
        world_fail(&world, NULL, "no alarm");
    }
    world.cut_off = false;
    world_run(&world, world.now_ns + 2 * MINUTE_NS);
    if (doubt_frozen(health_doubt(world.health))) {
        world_fail(&world, NULL, "the doubt did not end");
    }
    world_close(&world);
}

void scenario_idle(const struct options *options)
{
    int64_t slowest_ns = 0;
    double rate = 0;
    for (int k = 0; k < options->seeds; k++) {
        uint64_t seed = options->seed + (uint64_t)k;
        double seed_rate = rate_run(seed);
        int64_t wake_ns = wake_run(seed);
        rate = MAX(rate, seed_rate);
        slowest_ns = MAX(slowest_ns, wake_ns);
        death_run(seed);
        isolation_run(seed, k % 2 == 0);
    }
    printf("idle: %d seeds x %d targets; in rest at most %.3f of the full rate, the slowest first "
           "probe after a query %.1f s of an interval of %.0f s, every death in rest seen in time, "
           "no state changed while cut off\n",
           options->seeds, TARGETS, rate, (double)slowest_ns / 1e9,
           (double)damped.interval_ns / 1e9);
}
