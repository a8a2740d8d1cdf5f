// SPDX-License-Identifier: GPL-3.0-or-later
//
// Recovery: however long one outage was, its target is back as soon as `rise` and the failback
// delay say; damping asks for more only of those that fall again. And small deployments: doubt
// never keeps the dead of a few targets in the answers.
#include "scenarios.h"

#include <stdio.h>

static enum check_state state_of(const struct world *world, int index)
{
    struct check_view view;
    bool used = health_view(world->health, world->targets[index].check, &view);
    SP_ASSERT(used);
    return view.state;
}

// How long until the state is there; fails after `bound_ns`.
static int64_t wait_for(struct world *world, int index, enum check_state wanted, int64_t bound_ns,
                        const char *what)
{
    int64_t begun_ns = world->now_ns;
    while (state_of(world, index) != wanted) {
        if (world->now_ns - begun_ns > bound_ns) {
            world_fail(world, &world->targets[index], "%s took more than %.1f s", what,
                       (double)bound_ns / 1e9);
        }
        world_run(world, world->now_ns + 100 * NS_PER_MS);
    }
    return world->now_ns - begun_ns;
}

// --- recovery

static int64_t outage(struct world *world, int64_t length_ns, int64_t rise_ns)
{
    const struct check_spec *spec = world->targets[0].spec;
    world->targets[0].dead = true;
    int64_t down_ns = wait_for(world, 0, CHECK_DOWN, detection_bound(spec), "a fall");
    world_run(world, world->now_ns + length_ns - down_ns);
    world->targets[0].dead = false;
    return wait_for(world, 0, CHECK_UP, rise_ns, "a recovery");
}

static struct check_spec recovery_spec(int variant)
{
    struct check_spec spec = damped;
    if (variant == 1) {
        spec.failback_ns = MINUTE_NS;
    } else if (variant == 2) {
        spec.rise = 5;
        spec.interval_ns = 30 * NS_PER_SECOND;
    }
    return spec;
}

static void one_outage(const struct options *options, int variant, int64_t length_ns,
                       const char *name)
{
    struct check_spec spec = recovery_spec(variant);
    int64_t bound_ns = (int64_t)spec.rise * spec.interval_ns + spec.failback_ns + NS_PER_SECOND,
            slowest_ns = 0;
    for (int k = 0; k < options->seeds; k++) {
        struct world world;
        world_open(&world, "recovery", options->seed + (uint64_t)k, 1, &spec);
        world.by_streak = false;
        world_run(&world, world.now_ns + world_span(&world, MINUTE_NS, DAY_NS));
        int64_t took_ns = outage(&world, length_ns, bound_ns);
        slowest_ns = MAX(slowest_ns, took_ns);
        world_close(&world);
    }
    printf(
        "  rise %u x %.0f s, failback delay %2.0f s, one outage of %s: back after %.1f s at most "
        "(bound %.0f s)\n",
        spec.rise, (double)spec.interval_ns / 1e9, (double)spec.failback_ns / 1e9, name,
        (double)slowest_ns / 1e9, (double)bound_ns / 1e9);
}

// Outages an hour apart, then peace, then one more.
static void outages_in_a_row(const struct options *options)
{
    static const unsigned results[] = {2, 20, 80, 320, 320};
    int64_t slowest_ns[ARRAY_SIZE(results)] = {0};
    for (int k = 0; k < options->seeds; k++) {
        struct world world;
        world_open(&world, "recovery", options->seed + (uint64_t)k, 1, &damped);
        world.by_streak = false;
        for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
            world_run(&world, world.now_ns + HOUR_NS);
            int64_t bound_ns = results[i] * damped.interval_ns + NS_PER_SECOND;
            int64_t took_ns = outage(&world, 10 * MINUTE_NS, bound_ns);
            slowest_ns[i] = MAX(slowest_ns[i], took_ns);
        }
        world_run(&world, world.now_ns + 3 * 48 * HOUR_NS + MINUTE_NS);
        outage(&world, 10 * MINUTE_NS, 2 * damped.interval_ns + NS_PER_SECOND);
        world_close(&world);
    }
    printf("  outages an hour apart: back after");
    for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
        printf(" %.0f", (double)slowest_ns[i] / 1e9);
    }
    printf(" s at most; after six days of peace as at first\n");
}

void scenario_recovery(const struct options *options)
{
    static const struct {
        int64_t length_ns;
        const char *name;
    } lengths[] = {{10 * MINUTE_NS, "10 min"}, {HOUR_NS, "1 h"}, {DAY_NS, "1 day"}};
    printf("recovery: %d seeds\n", options->seeds);
    for (int variant = 0; variant < 3; variant++) {
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
            one_outage(options, variant, lengths[i].length_ns, lengths[i].name);
        }
    }
    outages_in_a_row(options);
}

// --- small deployments

static void doubted(void *context)
{
    world_fail(context, NULL, "doubt began for the dead of a small deployment");
}

static void small_run(uint64_t seed, int count, int dead)
{
    static const struct doubt_options doubt = {.share = 70, .targets_min = 10};
    struct world world;
    struct check_spec spec = damped;
    if (seed % 3 == 1) {
        spec.fall = 2;
        spec.fast_interval_ns = NS_PER_SECOND;
    } else if (seed % 3 == 2) {
        spec.timeout_ns = spec.interval_ns; // the last chance comes early
    }
    world_open_doubting(&world, "small", seed, count, &spec, &doubt, doubted);
    world.by_streak = false;
    world.gaps_exact = false;
    world_run(&world, world.now_ns + 5 * MINUTE_NS + world_span(&world, 0, MINUTE_NS));
    for (int i = 0; i < dead; i++) {
        world.targets[(i + (int)(seed % (uint64_t)count)) % count].dead = true;
    }
    world_run(&world, world.now_ns + detection_bound(&spec));
    for (int i = 0; i < count; i++) {
        if (state_of(&world, i) != (world.targets[i].dead ? CHECK_DOWN : CHECK_UP)) {
            world_fail(&world, &world.targets[i], "%d of %d died: a state is wrong", dead, count);
        }
    }
    world_close(&world);
}

void scenario_small(const struct options *options)
{
    unsigned runs = 0;
    for (int k = 0; k < options->seeds; k++) {
        for (int count = 1; count <= 24; count++) {
            for (int dead = 1; dead <= count; dead++) {
                if (count < 10 || dead * 100 <= count * 70) {
                    small_run(options->seed + (uint64_t)k, count, dead);
                    runs++;
                }
            }
        }
    }
    printf(
        "small: %u deployments of 1 to 24 targets; all that died, up to all of nine and 70 %% of "
        "more, are down in time, and nobody else\n",
        runs);
}
