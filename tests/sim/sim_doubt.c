// SPDX-License-Identifier: GPL-3.0-or-later
//
// Doubt: a checker that is cut off changes no state and says so within an interval; and what it
// must not do: hold back the failure of many targets that is real, or one that comes afterwards.
#include "scenarios.h"

#include <stdio.h>

enum { TARGETS = 200 };

struct cut {
    bool expected; // states may turn
    int64_t alarm_ns;
    unsigned turns;
};

static void cut_turned(struct world *world, struct target *target)
{
    struct cut *cut = world->context;
    if (!cut->expected) {
        world_fail(world, target, "a state changed because the checker was cut off");
    }
    cut->turns++;
}

static void cut_doubted(void *context)
{
    struct world *world = context;
    struct cut *cut = world->context;
    if (doubt_frozen(health_doubt(world->health))) {
        cut->alarm_ns = world->now_ns;
    }
}

static unsigned count_down(const struct world *world)
{
    unsigned down = 0;
    for (int i = 0; i < world->target_count; i++) {
        struct check_view view;
        health_view(world->health, world->targets[i].check, &view);
        down += view.state == CHECK_DOWN;
    }
    return down;
}

// Some of the targets are down all the time; the others work.
static void begin(struct world *world, struct cut *cut, uint64_t seed,
                  const struct check_spec *spec)
{
    static const struct doubt_options options = {.share = 70, .targets_min = 10};
    world_open_doubting(world, "isolation", seed, TARGETS, spec, &options, cut_doubted);
    *cut = (struct cut){.expected = true};
    world->by_streak = false;
    world->gaps_exact = false;
    world->turned = cut_turned;
    world->context = cut;
    for (int i = 0; i < TARGETS; i++) {
        world->targets[i].dead = i % 10 == 0;
    }
    world_run(world, world->now_ns + 5 * MINUTE_NS + world_span(world, 0, MINUTE_NS));
}

static int64_t isolation_run(uint64_t seed, bool at_once)
{
    struct world world;
    struct cut cut;
    struct check_spec spec = damped;
    if (seed % 3 == 1) { // nervous: quick to fall
        spec.fall = 2;
        spec.fast_interval_ns = NS_PER_SECOND;
    }
    begin(&world, &cut, seed, &spec);
    cut.expected = false;
    int64_t begun_ns = world.now_ns;
    world.cut_off = true;
    world.cut_at_once = at_once;
    world_run(&world, world.now_ns + world_span(&world, 30 * NS_PER_SECOND, 30 * MINUTE_NS));
    if (cut.alarm_ns < begun_ns || cut.alarm_ns > begun_ns + spec.interval_ns) {
        world_fail(&world, NULL, "the alarm came after %.1f s",
                   (double)(cut.alarm_ns - begun_ns) / 1e9);
    }
    world.cut_off = false;
    world_run(&world, world.now_ns + MINUTE_NS);
    if (doubt_frozen(health_doubt(world.health)) || count_down(&world) != TARGETS / 10) {
        world_fail(&world, NULL, "the doubt did not end well");
    }
    cut.expected = true; // afterwards all is as before
    world.targets[1].dead = true;
    world_run(&world, world.now_ns + detection_bound(&spec));
    if (count_down(&world) != TARGETS / 10 + 1) {
        world_fail(&world, &world.targets[1], "a failure after the doubt was not seen in time");
    }
    world_close(&world);
    return cut.alarm_ns - begun_ns;
}

// A part of the targets dies for good; that of the doubt is not reached.
static void outage_run(uint64_t seed, int per_cent)
{
    struct world world;
    struct cut cut;
    begin(&world, &cut, seed, &damped);
    unsigned dead = 0;
    for (int i = 0; i < TARGETS; i++) {
        struct target *target = &world.targets[i];
        target->dead |= i % 10 != 0 && (int)((unsigned)i * 37U % 100U) < per_cent;
        dead += target->dead;
    }
    world_run(&world, world.now_ns + detection_bound(&damped));
    if (cut.alarm_ns != 0 || count_down(&world) != dead) {
        world_fail(&world, NULL, "%u of %u dead targets are down after a real outage",
                   count_down(&world), dead);
    }
    world_close(&world);
}

void scenario_isolation(const struct options *options)
{
    int64_t slowest_ns = 0;
    for (int k = 0; k < options->seeds; k++) {
        for (int at_once = 0; at_once < 2; at_once++) {
            int64_t alarm_ns = isolation_run(options->seed + (uint64_t)k, at_once);
            slowest_ns = MAX(slowest_ns, alarm_ns);
        }
        outage_run(options->seed + (uint64_t)k, 1 + k * 7 % 60);
    }
    printf("isolation: %d runs, no state changed, the slowest alarm after %.1f s of an interval of "
           "%.0f s; %d real outages of up to 60 %%, all seen in time\n",
           2 * options->seeds, (double)slowest_ns / 1e9, (double)damped.interval_ns / 1e9,
           options->seeds);
}
