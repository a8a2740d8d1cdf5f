// SPDX-License-Identifier: GPL-3.0-or-later
//
// Damping: a target that loses any share of its probes, for weeks, turns at most twice a day on
// average; and a hard failure at the end of it is seen in time all the same. Each seed and rate is
// a run of its own with one target.
#include "scenarios.h"

#include <stdio.h>

enum { DAYS_MAX = 366 };

struct damping {
    int64_t begun_ns;
    unsigned by_day[DAYS_MAX];
};

static void damping_turned(struct world *world, struct target *target)
{
    struct damping *damping = world->context;
    (void)target;
    int64_t day = (world->now_ns - damping->begun_ns) / DAY_NS;
    SP_ASSERT(day >= 0 && day < DAYS_MAX);
    damping->by_day[day]++;
}

struct totals {
    uint64_t probes, turns;
    unsigned most, most_a_day;
};

static enum check_state state_of(const struct world *world, const struct target *target)
{
    struct check_view view;
    bool used = health_view(world->health, target->check, &view);
    SP_ASSERT(used);
    return view.state;
}

static void hard_failure(struct world *world)
{
    struct target *target = &world->targets[0];
    world_run(world, world->now_ns + world_span(world, 0, 10 * MINUTE_NS));
    target->dead = true;
    world_run(world, world->now_ns + detection_bound(target->spec));
    if (state_of(world, target) != CHECK_DOWN) {
        world_fail(world, target, "a hard failure was not seen in time");
    }
    if (target->loss_ppm > 0) {
        return;
    }
    world_run(world, world->now_ns + world_span(world, 1, 20 * MINUTE_NS));
    target->dead = false;
    world_run(world, world->now_ns + (int64_t)target->spec->rise * target->spec->interval_ns +
                         NS_PER_SECOND);
    if (state_of(world, target) != CHECK_UP) {
        world_fail(world, target, "a recovery was not seen in time");
    }
}

static void damping_run(uint64_t seed, uint32_t loss_ppm, int days, struct totals *totals)
{
    struct world world;
    struct damping damping = {0};
    world_open(&world, "damping", seed, 1, &damped);
    world.by_streak = false;
    world.turned = damping_turned;
    world.context = &damping;
    world.targets[0].loss_ppm = loss_ppm;
    damping.begun_ns = world.now_ns;
    world_run(&world, world.now_ns + days * DAY_NS);
    unsigned turns = world.targets[0].turns - 1; // the first is from unknown
    if (turns > 2U * (unsigned)days) {
        world_fail(&world, &world.targets[0], "%u turns in %d days with %.1f %% loss", turns, days,
                   loss_ppm / 1e4);
    }
    totals->turns += turns;
    totals->most = MAX(totals->most, turns);
    for (int day = 0; day < days; day++) {
        totals->most_a_day = MAX(totals->most_a_day, damping.by_day[day]);
    }
    hard_failure(&world);
    totals->probes += world.probe_count;
    world_close(&world);
}

void scenario_damping(const struct options *options)
{
    static const uint32_t rates_ppm[] = {0,     10000,  20000,  30000,  40000, 50000,
                                         70000, 100000, 150000, 200000, 500000};
    int days = MIN(options->days * 15, DAYS_MAX - 1);
    printf("damping: %d seeds x %d days for each rate; always: at most 2 turns a day on average of "
           "a run, a hard failure is seen within fall x interval + timeout, a recovery without "
           "loss within rise x interval + 1 s\n",
           options->seeds, days);
    for (size_t i = 0; i < ARRAY_SIZE(rates_ppm); i++) {
        struct totals totals = {0};
        for (int k = 0; k < options->seeds; k++) {
            damping_run(options->seed + (uint64_t)k, rates_ppm[i], days, &totals);
        }
        printf(
            "  loss %4.1f %%: %10llu probes, turns a day %.3f on average, %.2f in the worst run, "
            "%u on the worst day\n",
            rates_ppm[i] / 1e4, (unsigned long long)totals.probes,
            (double)totals.turns / options->seeds / days, (double)totals.most / days,
            totals.most_a_day);
    }
}
