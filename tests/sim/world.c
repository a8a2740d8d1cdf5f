// SPDX-License-Identifier: GPL-3.0-or-later
//
// The world of the simulations: see world.h. One thread; used by the programs in this folder.
#include "world.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void world_fail(const struct world *world, const struct target *target, const char *format, ...)
{
    char text[ADDRESS_TEXT_MAX] = "-";
    va_list arguments;
    va_start(arguments, format);
    printf("FAILED: %s at %.3f s, target %s: ", world->scenario, (double)world->now_ns / 1e9,
           target ? address_format(&target->address, text) : text);
    vprintf(format, arguments);
    printf("\nrepeat with: --scenario %s --seed %llu\n", world->scenario,
           (unsigned long long)world->seed);
    va_end(arguments);
    exit(1);
}

int64_t world_span(struct world *world, int64_t from_ns, int64_t to_ns)
{
    return from_ns + (int64_t)((double)(to_ns - from_ns) *
                               ((double)(random_next(&world->random) >> 11) / (1LL << 53)));
}

void world_at(struct world *world, struct event *event, int64_t time_ns, event_fire *fire)
{
    event->due.time_ns = time_ns;
    event->fire = fire;
    due_heap_put(&world->events, &event->due);
}

// --- the clock ---

static int64_t world_monotonic(void *state)
{
    return ((struct world *)state)->now_ns;
}

static int64_t world_wall(void *state)
{
    struct world *world = state;
    return world->now_ns + world->wall_ns;
}

// --- the network ---

static struct target *target_of(struct world *world, const struct address *address)
{
    unsigned number =
        (unsigned)address->bytes[1] << 16 | (unsigned)address->bytes[2] << 8 | address->bytes[3];
    SP_ASSERT(number < (unsigned)world->target_count);
    return &world->targets[number];
}

// A failure is confirmed after half an interval, or once its own deadline has passed.
static void check_gap(const struct world *world, const struct target *target)
{
    int64_t interval = target->spec->interval_ns, gap = world->now_ns - target->started_ns;
    int64_t planned = target->confirming ? interval / 2 : interval;
    if (gap > MAX(planned, target->spec->timeout_ns)) {
        world_fail(world, target, "missed: %.3f s between starts", (double)gap / 1e9);
    }
    if (gap < planned / 10 * 9 && target->starts > 1) {
        world_fail(world, target, "doubled: %.3f s between starts", (double)gap / 1e9);
    }
}

// Rise and fall, once more and differently: a streak of equal results, of any length.
static void expect_state(struct target *target, enum probe_reason result)
{
    bool good = result == PROBE_OK;
    bool same = (target->last_result == PROBE_OK) == good;
    target->streak = same ? target->streak + 1 : 1;
    if (target->expected == CHECK_UNKNOWN) {
        target->expected = good ? CHECK_UP : CHECK_DOWN;
    } else if (good && target->streak >= target->spec->rise) {
        target->expected = CHECK_UP;
    } else if (!good && target->streak >= target->spec->fall) {
        target->expected = CHECK_DOWN;
    }
    target->last_result = result;
}

static void probe_end(struct world *world, struct target *target, enum probe_reason result)
{
    struct probe *probe = target->probe;
    struct check_view view;
    bool late = world->now_ns - target->started_ns > target->spec->timeout_ns;
    target->probe = NULL;
    world->probes_under_way--;
    if (!late) {
        expect_state(target, result);
    }
    health_probe_done(world->health, probe, &(struct probe_result){.reason = result});
    bool seen = health_view(world->health, target->check, &view);
    if (seen && !world->by_streak) {
        target->expected = view.state;
    }
    target->confirming = result != PROBE_OK && target->expected == CHECK_UP;
    if (!seen || view.state != target->expected) {
        world_fail(world, target, "state %s, expected %s", check_state_names[view.state],
                   check_state_names[target->expected]);
    }
}

static void answer_arrives(struct world *world, struct event *event)
{
    struct target *target = container_of(event, struct target, answer);
    if (world->cut_off && target->coming == PROBE_OK) { // its answer is lost
        int64_t deadline_ns = target->started_ns + target->spec->timeout_ns;
        target->coming = PROBE_L4_TIMEOUT;
        world_at(world, event, MAX(deadline_ns, world->now_ns), answer_arrives);
        return;
    }
    probe_end(world, target, target->coming);
}

static void world_start(void *state, struct probe *probe, const struct address *address,
                        const struct check_spec *spec)
{
    struct world *world = state;
    struct target *target = target_of(world, address);
    if (target->probe) {
        world_fail(world, target, "two probes at once");
    }
    if (world->gaps_exact && target->started_ns >= 0) {
        check_gap(world, target);
    }
    target->probe = probe;
    target->started_ns = world->now_ns;
    target->starts++;
    world->probe_count++;
    world->probes_under_way++;
    world->probes_most = MAX(world->probes_most, world->probes_under_way);
    bool lost =
        world->cut_off || target->dead || random_below(&world->random, 1000000) < target->loss_ppm;
    target->coming = lost ? PROBE_L4_TIMEOUT : PROBE_OK;
    int64_t lasts_ns = lost ? spec->timeout_ns : target->delay_ns;
    if (world->cut_off && world->cut_at_once) { // no route
        target->coming = PROBE_L4_UNREACHABLE;
        lasts_ns = NS_PER_MS;
    }
    world_at(world, &target->answer, world->now_ns + lasts_ns, answer_arrives);
}

static void world_cancel(void *state, struct probe *probe)
{
    struct world *world = state;
    for (int i = 0; i < world->target_count; i++) {
        struct target *target = &world->targets[i];
        if (target->probe == probe) {
            due_heap_take(&world->events, &target->answer.due);
            target->probe = NULL;
            world->probes_under_way--;
            return;
        }
    }
    world_fail(world, NULL, "cancel of a probe that is not under way");
}

static void world_changed(void *context, int check)
{
    struct world *world = context;
    struct check_view view;
    if (!health_view(world->health, check, &view)) {
        world_fail(world, NULL, "a change of an unused check");
    }
    struct target *target = target_of(world, &view.target);
    if (view.since_ns != world->now_ns || view.change_count == target->turns) {
        return; // only the hint changed
    }
    target->turns++;
    world->trace = hash_u64(world->trace, (uint64_t)world->now_ns);
    world->trace = hash_u64(world->trace, (uint64_t)check << 2 | view.state);
    if (world->turned) {
        world->turned(world, target);
    }
}

// --- the whole ---

void world_open(struct world *world, const char *scenario, uint64_t seed, int count,
                const struct check_spec *spec)
{
    static const struct doubt_options never = {.share = 100};
    world_open_doubting(world, scenario, seed, count, spec, &never, NULL);
}

void world_open_doubting(struct world *world, const char *scenario, uint64_t seed, int count,
                         const struct check_spec *spec, const struct doubt_options *options,
                         health_doubted *doubted)
{
    *world =
        (struct world){.scenario = scenario, .seed = seed, .gaps_exact = true, .by_streak = true};
    world->random = hash_u64(seed, 1);
    world->now_ns = world_span(world, 0, 1000 * NS_PER_SECOND);
    world->wall_ns = 1800000000 * NS_PER_SECOND;
    world->clock = (struct clock){world_monotonic, world_wall, world};
    struct prober prober = {world_start, world_cancel, NULL, world};
    world->health = health_new(&world->clock, &prober, seed, world_changed, world);
    health_doubt_open(world->health, options, doubted);
    world->targets = mem_alloc_array((size_t)count, sizeof(*world->targets));
    world->target_count = count;
    for (int i = 0; i < count; i++) {
        struct target *target = &world->targets[i];
        target->address =
            (struct address){FAMILY_IPV4, {203, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        target->spec = spec;
        target->started_ns = -1;
        target->delay_ns = world_span(world, NS_PER_MS, 300 * NS_PER_MS);
        target->check = health_acquire(world->health, &target->address, spec);
    }
}

void world_close(struct world *world)
{
    health_free(world->health);
    if (world->probes_under_way != 0) {
        world_fail(world, NULL, "%d probes are left", world->probes_under_way);
    }
    due_heap_clear(&world->events);
    free(world->targets);
}

void world_run(struct world *world, int64_t end_ns)
{
    for (;;) {
        int64_t next = health_tick(world->health);
        struct due *due = due_heap_first(&world->events);
        if (due && due->time_ns <= next) {
            next = due->time_ns;
        } else {
            due = NULL;
        }
        if (next > end_ns) {
            world->now_ns = end_ns;
            return;
        }
        if (next < world->now_ns) {
            world_fail(world, NULL, "a due time in the past after a tick");
        }
        world->now_ns = next;
        if (due) {
            struct event *event = container_of(due, struct event, due);
            due_heap_take(&world->events, due);
            event->fire(world, event);
        }
    }
}

void world_pause(struct world *world, int64_t length_ns)
{
    world->gaps_exact = false;
    world->now_ns += length_ns;
    for (int i = 0; i < world->target_count; i++) {
        struct target *target = &world->targets[i];
        if (target->probe) { // timers come before sockets: the deadline is what is seen
            due_heap_take(&world->events, &target->answer.due);
            probe_end(world, target, PROBE_L4_TIMEOUT);
        }
    }
}
