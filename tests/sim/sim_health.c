// SPDX-License-Identifier: GPL-3.0-or-later
//
// Health checks under simulated days: lost packets, hard failures, pauses of the process, jumps of
// the wall clock, more checks than may run at once.
//
//   sim-health [--scenario NAME] [--seed N] [--seeds N] [--days N]
//
// Without --seed a new one is drawn and printed. Every promise is checked in every run; the figures
// that are printed have no bound of their own.
#include "scenarios.h"

#include <stdio.h>
#include <string.h>

const struct check_spec usual = {.kind = CHECK_TCP,
                                 .port = 443,
                                 .interval_ns = 10 * NS_PER_SECOND,
                                 .timeout_ns = 2 * NS_PER_SECOND,
                                 .rise = 2,
                                 .fall = 3};
const struct check_spec damped = {.kind = CHECK_TCP,
                                  .port = 443,
                                  .interval_ns = 10 * NS_PER_SECOND,
                                  .timeout_ns = 2 * NS_PER_SECOND,
                                  .rise = 2,
                                  .fall = 3,
                                  .flap_failures = 10,
                                  .flap_clean = 10,
                                  .flap_rise = 20};

// --- loss: hard failures are found and only they, whatever gets lost ---

enum { LOSS_TARGETS = 20 };

struct life {
    struct event flip, deadline;
    struct target *target;
    int64_t flipped_ns;
    bool due_met; // the deadline of the present half of life has passed
};

struct loss {
    struct life lives[LOSS_TARGETS];
    double detection_max, recovery_max; // parts of what is promised
    unsigned outages;
    int flaps, flap_checks; // with the usual definition: turns that no flip explains
};

int64_t detection_bound(const struct check_spec *spec)
{
    return (int64_t)spec->fall * spec->interval_ns + spec->timeout_ns;
}

int64_t recovery_bound(const struct check_spec *spec)
{
    return (int64_t)spec->rise * spec->interval_ns + spec->timeout_ns;
}

static void deadline_passes(struct world *world, struct event *event)
{
    struct life *life = container_of(event, struct life, deadline);
    struct target *target = life->target;
    life->due_met = true;
    if (target->dead && target->expected != CHECK_DOWN) {
        world_fail(world, target, "a hard failure was not seen in time");
    }
    if (!target->dead && target->loss_ppm == 0 && target->expected != CHECK_UP) {
        world_fail(world, target, "a recovery was not seen in time");
    }
}

static void life_flips(struct world *world, struct event *event)
{
    struct life *life = container_of(event, struct life, flip);
    struct target *target = life->target;
    struct loss *loss = world->context;
    target->dead = !target->dead;
    loss->outages += target->dead;
    life->flipped_ns = world->now_ns;
    life->due_met = false;
    int64_t bound = target->dead ? detection_bound(target->spec) : recovery_bound(target->spec);
    int64_t length = target->dead ? bound + world_span(world, 1, 20 * MINUTE_NS)
                                  : world_span(world, 10 * MINUTE_NS, 6 * HOUR_NS);
    world_at(world, &life->deadline, world->now_ns + bound, deadline_passes);
    world_at(world, &life->flip, world->now_ns + length, life_flips);
}

static void loss_turned(struct world *world, struct target *target)
{
    struct loss *loss = world->context;
    struct life *life = &loss->lives[target - world->targets];
    int64_t after = world->now_ns - life->flipped_ns;
    loss->flaps++;
    if (target->dead && life->due_met) {
        world_fail(world, target, "a dead target changed its state");
    }
    if (target->loss_ppm == 0 && life->due_met) {
        world_fail(world, target, "a healthy target without loss changed its state");
    }
    double *most = target->dead ? &loss->detection_max : &loss->recovery_max;
    double part = (double)after / (double)(target->dead ? detection_bound(target->spec)
                                                        : recovery_bound(target->spec));
    if (!life->due_met) {
        *most = MAX(*most, part);
    }
}

// The usual definition, and for odd seeds any other whose timeout is no longer than its interval.
static struct check_spec loss_spec(uint64_t seed)
{
    struct check_spec spec = usual;
    uint64_t random = hash_u64(seed, 2);
    if (seed % 2) {
        spec.rise = 1 + random_below(&random, 5);
        spec.fall = 1 + random_below(&random, 5);
        spec.interval_ns = (1000 + random_below(&random, 29000)) * NS_PER_MS;
        spec.timeout_ns =
            (500 + random_below(&random, (uint32_t)(spec.interval_ns / NS_PER_MS) - 499)) *
            NS_PER_MS;
    }
    return spec;
}

static void loss_run(uint64_t seed, uint32_t loss_ppm, int64_t length_ns, struct loss *loss,
                     uint64_t *probe_count)
{
    struct world world;
    struct check_spec spec = loss_spec(seed);
    world_open(&world, "loss", seed, LOSS_TARGETS, &spec);
    world.turned = loss_turned;
    world.context = loss;
    for (int i = 0; i < LOSS_TARGETS; i++) {
        struct life *life = &loss->lives[i];
        life->target = &world.targets[i];
        life->target->loss_ppm = loss_ppm;
        life->flipped_ns = world.now_ns;
        life->due_met = false;
        world_at(&world, &life->deadline, world.now_ns + recovery_bound(&spec), deadline_passes);
        world_at(&world, &life->flip, life->deadline.due.time_ns + world_span(&world, 1, HOUR_NS),
                 life_flips);
    }
    int flaps = loss->flaps;
    unsigned outages = loss->outages;
    world_run(&world, world.now_ns + length_ns);
    if (seed % 2) {
        loss->flaps = flaps;
    } else { // each check turns once at the start and twice for an outage
        loss->flaps -= LOSS_TARGETS + 2 * (int)(loss->outages - outages);
        loss->flap_checks += LOSS_TARGETS;
    }
    *probe_count += world.probe_count;
    world_close(&world);
}

static void scenario_loss(const struct options *options)
{
    static const uint32_t rates_ppm[] = {0, 10000, 20000, 50000, 100000, 200000, 500000};
    printf("loss: %d seeds x %d targets x %d days for each rate; always: a hard failure is seen "
           "within fall x interval + timeout, a recovery without loss within rise x interval + "
           "timeout, no probe missed or doubled, nothing else turns a state without loss\n",
           options->seeds, LOSS_TARGETS, options->days);
    for (size_t i = 0; i < ARRAY_SIZE(rates_ppm); i++) {
        struct loss loss = {0};
        uint64_t probe_count = 0;
        for (int k = 0; k < options->seeds; k++) {
            loss_run(options->seed + (uint64_t)k, rates_ppm[i], options->days * DAY_NS, &loss,
                     &probe_count);
        }
        double flaps =
            (double)MAX(loss.flaps, 0) / MAX((double)loss.flap_checks * options->days, 1);
        printf(
            "  loss %4.1f %%: %9llu probes, %6u outages, slowest detection %5.1f %% of the bound, "
            "flaps a day with the usual check %7.2f\n",
            rates_ppm[i] / 1e4, (unsigned long long)probe_count, loss.outages,
            loss.detection_max * 100, flaps);
    }
}

// --- wall: the wall clock has no say ---

struct jump {
    struct event event;
    unsigned count;
};

static void wall_jumps(struct world *world, struct event *event)
{
    static const int64_t leaps_s[] = {
        -1,        3600,       -3600, 86400 * 3650LL, 1, -86400 * 3650LL,
        363000000, 2500000000, -600,  -2500000000};
    struct jump *jump = container_of(event, struct jump, event);
    world->wall_ns += leaps_s[jump->count++ % ARRAY_SIZE(leaps_s)] * NS_PER_SECOND;
    world_at(world, event, world->now_ns + 7 * MINUTE_NS, wall_jumps);
}

static uint64_t wall_run(uint64_t seed, bool jumping)
{
    struct world world;
    struct jump jump = {0};
    world_open(&world, "wall", seed, 20, &usual);
    for (int i = 0; i < world.target_count; i++) {
        world.targets[i].loss_ppm = 200000;
    }
    if (jumping) {
        world_at(&world, &jump.event, world.now_ns + MINUTE_NS, wall_jumps);
    }
    world_run(&world, world.now_ns + 12 * HOUR_NS);
    uint64_t trace = world.trace;
    world_close(&world);
    return trace;
}

static void scenario_wall(const struct options *options)
{
    for (int k = 0; k < options->seeds; k++) {
        uint64_t seed = options->seed + (uint64_t)k;
        if (wall_run(seed, false) != wall_run(seed, true)) {
            struct world world = {.scenario = "wall", .seed = seed};
            world_fail(&world, NULL, "jumps of the wall clock changed what happened");
        }
    }
    printf("wall: %d seeds, the same history with and without jumps of the wall clock\n",
           options->seeds);
}

// --- pause: a process that slept blames no target and does not storm when it wakes ---

static void never_turned(struct world *world, struct target *target)
{
    if (target->turns > 1) {
        world_fail(world, target, "a pause changed a state");
    }
}

static unsigned total_starts(const struct world *world)
{
    unsigned total = 0;
    for (int i = 0; i < world->target_count; i++) {
        total += world->targets[i].starts;
    }
    return total;
}

static void pause_run(uint64_t seed)
{
    enum { TARGETS = 1000 };
    struct check_spec nervous = usual;
    struct world world;
    nervous.fall = 1;
    world_open(&world, "pause", seed, TARGETS, &nervous);
    world.turned = never_turned;
    world_run(&world, world.now_ns + MINUTE_NS);
    for (int k = 0; k < 10; k++) {
        world_pause(&world, world_span(&world, MINUTE_NS, HOUR_NS));
        for (int tenth = 0; tenth < 10; tenth++) {
            unsigned before = total_starts(&world);
            world_run(&world, world.now_ns + nervous.interval_ns / 10);
            if (total_starts(&world) - before > TARGETS / 10 * 2) {
                world_fail(&world, NULL, "%u probes in a tenth of an interval after a pause",
                           total_starts(&world) - before);
            }
        }
        world.gaps_exact = false;
        world_run(&world, world.now_ns + nervous.interval_ns);
        world.gaps_exact = true; // after one more interval all is as before
        world_run(&world, world.now_ns + MINUTE_NS);
    }
    world_close(&world);
}

static void scenario_pause(const struct options *options)
{
    for (int k = 0; k < options->seeds; k++) {
        pause_run(options->seed + (uint64_t)k);
    }
    printf("pause: %d seeds x 10 pauses, no state changed, no storm\n", options->seeds);
}

// --- load: many checks, half of them into a black hole; then more than fit ---

static void load_run(uint64_t seed, int64_t timeout_ns, int dead_part, double late_max_s)
{
    enum { TARGETS = 10000, STEPS = 6000 };
    static struct {
        int64_t started_ns;
    } seen[TARGETS];
    static unsigned late_counts[1001]; // by 100 ms
    struct check_spec spec = usual;
    struct world world;
    uint64_t gaps = 0;
    spec.timeout_ns = timeout_ns;
    memset(late_counts, 0, sizeof(late_counts));
    world_open(&world, "load", seed, TARGETS, &spec);
    world.gaps_exact = false;
    for (int i = 0; i < TARGETS; i++) {
        world.targets[i].dead = i % dead_part == 0;
        seen[i].started_ns = -1;
    }
    for (int step = 0; step < STEPS; step++) {
        world_run(&world, world.now_ns + 100 * NS_PER_MS);
        for (int i = 0; i < TARGETS; i++) {
            const struct target *target = &world.targets[i];
            if (target->started_ns == seen[i].started_ns) {
                continue;
            }
            if (seen[i].started_ns >= 0) {
                int64_t late = target->started_ns - seen[i].started_ns - spec.interval_ns;
                late_counts[MIN(MAX(late, 0) / (100 * NS_PER_MS), 1000)] += late > 0;
                gaps++;
            }
            seen[i].started_ns = target->started_ns;
        }
    }
    uint64_t above = 0;
    int p99 = 1000;
    while (p99 > 0 && (above += late_counts[p99]) * 100 <= gaps) {
        p99--;
    }
    double late_s = p99 == 0 && above * 100 <= gaps ? 0 : (p99 + 1) / 10.0;
    printf("load: %d checks, 1 of %d dead, timeout %.0f s: at most %d probes at once, 99 %% of the "
           "starts at most %.1f s late\n",
           TARGETS, dead_part, (double)timeout_ns / 1e9, world.probes_most, late_s);
    if (late_s > late_max_s || world.probes_most > HEALTH_PROBES_MAX) {
        world_fail(&world, NULL, "more than %.1f s late", late_max_s);
    }
    if (!health_settled(world.health)) {
        world_fail(&world, NULL, "a check was never probed");
    }
    world_close(&world);
}

static void scenario_load(const struct options *options)
{
    load_run(options->seed, 2 * NS_PER_SECOND, 2, 0.5); // 5 % of the interval
    // More than may run at once: waves of 4,096 every 9 s; each check is in every third at least.
    load_run(options->seed, 9 * NS_PER_SECOND, 1, 18);
}

// --- the program ---

static const struct {
    const char *name;
    void (*run)(const struct options *options);
} scenarios[] = {
    {"loss", scenario_loss}, {"wall", scenario_wall},         {"pause", scenario_pause},
    {"load", scenario_load}, {"damping", scenario_damping},   {"isolation", scenario_isolation},
    {"idle", scenario_idle}, {"recovery", scenario_recovery}, {"small", scenario_small},
};

static bool option_number(const char *text, unsigned long long *number)
{
    char *end;
    *number = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0';
}

static bool options_read(int argc, char **argv, struct options *options)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned long long number = 0;
        bool good = option_number(argv[i + 1], &number);
        if (strcmp(argv[i], "--scenario") == 0) {
            options->scenario = argv[i + 1];
            good = true;
        } else if (strcmp(argv[i], "--seed") == 0) {
            options->seed = number;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            options->seeds = (int)number;
        } else if (strcmp(argv[i], "--days") == 0) {
            options->days = (int)number;
        } else {
            good = false;
        }
        if (!good) {
            return false;
        }
    }
    return argc % 2 == 1;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = random_seed() >> 1, .seeds = 16, .days = 2};
    if (!options_read(argc, argv, &options)) {
        fprintf(stderr, "usage: %s [--scenario NAME] [--seed N] [--seeds N] [--days N]\n", argv[0]);
        return 2;
    }
    bool found = false;
    printf("seed %llu\n", (unsigned long long)options.seed);
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++) {
        if (!options.scenario || strcmp(options.scenario, scenarios[i].name) == 0) {
            scenarios[i].run(&options);
            found = true;
        }
    }
    return found ? 0 : 2;
}
