// SPDX-License-Identifier: GPL-3.0-or-later
//
// The registry of checks and their schedule.
//
// Owned by the engine, called on the control thread only. A check is in exactly one phase: waiting
// in the heap for its due time; ready, in a queue, when more are due than may be under way; or
// probing.
//
// What the schedule guarantees while the control thread is not itself late:
//   - two starts of one check are never more than one interval apart, so a hard failure is seen
//     within fall x interval + timeout. Jitter only ever shortens, by up to a tenth; it keeps
//     checks from running in step. After the first failure of an up check the next comes in half
//     the time;
//   - never two probes of a check at once, nor two within nearly half an interval: a probe that
//     started late moves the next one only if they would come too close;
//   - due times follow from planned times, so lateness does not add up, and what a pause of the
//     process left out is not made up for: the checks are spread over one interval again.
// A failure that was noticed long after its deadline tells of such a pause, not of the target, and
// does not count; but only once in a row, so that a slow machine still sees failures.
#include "health/health.h"

#include "base/hash.h"
#include "base/memory.h"
#include "health/definition.h"
#include "health/schedule.h"
#include "health/state.h"

#include <string.h>

enum { DETAIL_MAX = 104 };
// First probes of many checks start at most one a millisecond, but all within a second.
#define SPREAD_STEP_NS  NS_PER_MS
#define SPREAD_MAX_NS   NS_PER_SECOND
#define INTERVAL_MIN_NS (10 * NS_PER_MS)
#define LATE_FAILURE_NS (500 * NS_PER_MS)
#define JITTER_PART     10
#define CHECKS_MAX      (1 << 24)

enum phase { PHASE_WAITING, PHASE_READY, PHASE_PROBING };

struct check {
    struct probe probe;
    struct due due;
    struct check *ready_before, *ready_after; // PHASE_READY
    struct check *bucket_next;
    uint64_t hash;
    struct address target;
    const struct check_spec *spec; // the one copy, health/definition.h
    int index;
    unsigned users;
    enum phase phase;
    struct check_machine machine;
    bool had_result;
    bool excused; // the last result was a late failure that did not count
    bool spread;  // after a pause, the due time was drawn anew
    int64_t started_ns, since_ns, latency_ns;
    enum probe_reason last_reason;
    char detail[DETAIL_MAX];
    uint64_t probe_count, failure_count, change_count;
};

_Static_assert(sizeof(struct check) <= 512, "a check fits in 1 KB with what its prober keeps");

struct health {
    const struct clock *clock;
    struct prober prober;
    struct definitions *definitions;
    health_changed *changed;
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
    unsigned probing_count;
    size_t unsettled_count; // checks that have had no result yet
};

// --- equality: one check per distinct (address, definition) ---

static uint64_t identity_hash(const struct address *target, const struct check_spec *kept)
{
    uint64_t hash = hash_bytes(target->family, target->bytes, sizeof(target->bytes));
    return hash_u64(hash, (uint64_t)(uintptr_t)kept);
}

static struct check **bucket_of(const struct health *health, uint64_t hash)
{
    return &health->buckets[hash & (health->bucket_count - 1)];
}

static void buckets_grow(struct health *health)
{
    free(health->buckets);
    health->bucket_count *= 2;
    health->buckets = mem_alloc_array(health->bucket_count, sizeof(struct check *));
    for (int i = 0; i < health->count; i++) {
        struct check *check = health->checks[i];
        if (check) {
            struct check **bucket = bucket_of(health, check->hash);
            check->bucket_next = *bucket;
            *bucket = check;
        }
    }
}

// --- the schedule ---

// Uniform in [0, span).
static int64_t random_span(struct health *health, int64_t span)
{
    return (int64_t)((unsigned __int128)random_next(&health->random) * (uint64_t)span >> 64);
}

static void wait_until(struct health *health, struct check *check, int64_t time_ns)
{
    check->phase = PHASE_WAITING;
    check->due.time_ns = time_ns;
    due_heap_put(&health->waiting, &check->due);
}

static void ready_append(struct health *health, struct check *check)
{
    check->phase = PHASE_READY;
    check->ready_before = health->ready_last;
    check->ready_after = NULL;
    *(health->ready_last ? &health->ready_last->ready_after : &health->ready_first) = check;
    health->ready_last = check;
}

static void ready_remove(struct health *health, struct check *check)
{
    struct check *before = check->ready_before, *after = check->ready_after;
    *(before ? &before->ready_after : &health->ready_first) = after;
    *(after ? &after->ready_before : &health->ready_last) = before;
}

// After a result: half the time when a first failure wants to be confirmed, else an interval.
static void schedule_next(struct health *health, struct check *check, int64_t now)
{
    if (check->excused) { // the process was paused, with all other checks
        wait_until(health, check, now + random_span(health, check->spec->interval_ns));
        return;
    }
    bool confirm = check->machine.state == CHECK_UP && check->machine.run == 1;
    int64_t gap = confirm ? check->spec->interval_ns / 2 : check->spec->interval_ns;
    gap -= random_span(health, gap / JITTER_PART);
    int64_t next = MAX(check->due.time_ns + gap, check->started_ns + gap / 2);
    wait_until(health, check, MAX(next, now));
}

static void probe_start(struct health *health, struct check *check, int64_t now)
{
    check->phase = PHASE_PROBING;
    check->started_ns = now;
    check->spread = false;
    check->probe_count++;
    health->probing_count++;
    health->prober.start(health->prober.state, &check->probe, &check->target, check->spec);
}

// Whether whole probes were left out before `now`. Checks that were never probed do not wait again.
static bool slept_through(const struct check *check, int64_t now)
{
    return check->probe_count > 0 && !check->spread &&
           now - check->due.time_ns >= check->spec->interval_ns;
}

int64_t health_tick(struct health *health)
{
    int64_t now = clock_monotonic_ns(health->clock);
    struct due *due;
    while ((due = due_heap_first(&health->waiting)) != NULL && due->time_ns <= now) {
        struct check *check = container_of(due, struct check, due);
        due_heap_take(&health->waiting, due);
        if (slept_through(check, now)) {
            check->spread = true;
            wait_until(health, check, now + random_span(health, check->spec->interval_ns));
        } else {
            ready_append(health, check);
        }
    }
    struct check *check;
    while (health->probing_count < HEALTH_PROBES_MAX && (check = health->ready_first) != NULL) {
        ready_remove(health, check);
        probe_start(health, check, now);
    }
    return due ? due->time_ns : INT64_MAX;
}

// --- results ---

// Details may quote what a target sent: one line of ASCII is all that may pass.
static void detail_set(struct check *check, const char *detail)
{
    size_t i = 0;
    for (; detail[i] && i < DETAIL_MAX - 1; i++) {
        check->detail[i] = detail[i] >= 0x20 && detail[i] < 0x7f ? detail[i] : '?';
    }
    check->detail[i] = '\0';
}

static bool failed_late(const struct check *check, enum probe_verdict verdict, int64_t now)
{
    return verdict == VERDICT_BAD && !check->excused &&
           now - check->started_ns > check->spec->timeout_ns + LATE_FAILURE_NS;
}

void health_probe_done(struct health *health, struct probe *probe,
                       const struct probe_result *result)
{
    struct check *check = container_of(probe, struct check, probe);
    SP_ASSERT(check->phase == PHASE_PROBING);
    SP_ASSERT(result->reason < PROBE_REASON_COUNT);
    int64_t now = clock_monotonic_ns(health->clock);
    enum probe_verdict verdict = probe_reasons[result->reason].verdict;
    health->probing_count--;
    check->latency_ns = now - check->started_ns;
    check->last_reason = result->reason;
    detail_set(check, result->detail);
    check->excused = failed_late(check, verdict, now);
    if (check->excused) {
        verdict = VERDICT_NONE;
    } else if (!check->had_result) {
        check->had_result = true;
        health->unsettled_count--;
    }
    check->failure_count += verdict == VERDICT_BAD;

    bool hinted = check_results_needed(&check->machine, check->spec) > 0;
    bool turned = check_advance(&check->machine, check->spec, verdict);
    if (turned) {
        check->since_ns = now;
        check->change_count++;
    }
    schedule_next(health, check, now);
    if (turned || hinted != (check_results_needed(&check->machine, check->spec) > 0)) {
        health->changed(health->context, check->index);
    }
}

// --- users ---

// The definition as it is kept: bounds that the arithmetic here relies on.
static struct check_spec definition_normal(const struct check_spec *spec)
{
    struct check_spec normal = *spec;
    normal.interval_ns = MAX(spec->interval_ns, INTERVAL_MIN_NS);
    normal.timeout_ns = MAX(spec->timeout_ns, NS_PER_MS);
    normal.rise = MAX(spec->rise, 1U);
    normal.fall = MAX(spec->fall, 1U);
    return normal;
}

static int index_take(struct health *health)
{
    if (health->free_count > 0) {
        return health->free_indexes[--health->free_count];
    }
    SP_ASSERT(health->count < CHECKS_MAX);
    MEM_GROW(health->checks, health->count, health->capacity);
    return health->count++;
}

int health_acquire(struct health *health, const struct address *target,
                   const struct check_spec *spec)
{
    SP_ASSERT(target->family != FAMILY_NONE && spec->kind != CHECK_NONE);
    struct check_spec normal = definition_normal(spec);
    const struct check_spec *kept = definition_keep(health->definitions, &normal);
    uint64_t hash = identity_hash(target, kept);
    for (struct check *found = *bucket_of(health, hash); found; found = found->bucket_next) {
        if (found->spec == kept && address_equal(&found->target, target)) {
            definition_drop(health->definitions, kept);
            found->users++;
            return found->index;
        }
    }
    struct check *check = mem_alloc(sizeof(*check));
    check->target = *target;
    check->spec = kept;
    int64_t now = clock_monotonic_ns(health->clock);
    check->hash = hash;
    check->users = 1;
    check->since_ns = now;
    check->index = index_take(health);
    health->checks[check->index] = check;
    health->check_count++;
    health->unsettled_count++;
    if (health->check_count > health->bucket_count) {
        buckets_grow(health);
    } else {
        check->bucket_next = *bucket_of(health, hash);
        *bucket_of(health, hash) = check;
    }
    int64_t spread = MIN((int64_t)(health->check_count - 1) * SPREAD_STEP_NS, SPREAD_MAX_NS);
    wait_until(health, check, now + random_span(health, MIN(spread, check->spec->interval_ns)));
    return check->index;
}

static void check_end(struct health *health, struct check *check)
{
    switch (check->phase) {
    case PHASE_WAITING:
        due_heap_take(&health->waiting, &check->due);
        break;
    case PHASE_READY:
        ready_remove(health, check);
        break;
    case PHASE_PROBING:
        health->probing_count--;
        health->prober.cancel(health->prober.state, &check->probe);
        break;
    }
    struct check **link = bucket_of(health, check->hash);
    while (*link != check) {
        link = &(*link)->bucket_next;
    }
    *link = check->bucket_next;
    if (check->probe.kept) {
        health->prober.forget(health->prober.state, &check->probe);
    }
    definition_drop(health->definitions, check->spec);
    health->checks[check->index] = NULL;
    health->check_count--;
    health->unsettled_count -= !check->had_result;
    free(check);
}

void health_release(struct health *health, int index)
{
    SP_ASSERT(index >= 0 && index < health->count && health->checks[index] != NULL);
    struct check *check = health->checks[index];
    check->users--;
    if (check->users > 0) {
        return;
    }
    check_end(health, check);
    MEM_GROW(health->free_indexes, health->free_count, health->free_capacity);
    health->free_indexes[health->free_count++] = index;
}

// --- the whole ---

struct health *health_new(const struct clock *clock, const struct prober *prober, uint64_t seed,
                          health_changed *changed, void *context)
{
    struct health *health = mem_alloc(sizeof(*health));
    health->clock = clock;
    health->prober = *prober;
    health->random = seed;
    health->changed = changed;
    health->context = context;
    health->definitions = definitions_new();
    health->bucket_count = 64;
    health->buckets = mem_alloc_array(health->bucket_count, sizeof(struct check *));
    return health;
}

void health_free(struct health *health)
{
    if (health == NULL) {
        return;
    }
    for (int i = 0; i < health->count; i++) {
        if (health->checks[i]) {
            check_end(health, health->checks[i]);
        }
    }
    due_heap_clear(&health->waiting);
    free(health->checks);
    free(health->free_indexes);
    free(health->buckets);
    definitions_free(health->definitions);
    free(health);
}

bool health_settled(const struct health *health)
{
    return health->unsettled_count == 0;
}

int health_count(const struct health *health)
{
    return health->count;
}

bool health_view(const struct health *health, int index, struct check_view *view)
{
    if (index < 0 || index >= health->count || health->checks[index] == NULL) {
        return false;
    }
    const struct check *check = health->checks[index];
    *view = (struct check_view){
        .state = check->machine.state,
        .target = check->target,
        .spec = check->spec,
        .since_ns = check->since_ns,
        .last_reason = check->last_reason,
        .last_detail = check->detail,
        .last_latency_ns = check->latency_ns,
        .run = check->machine.run,
        .change_in_s = check_change_in_s(&check->machine, check->spec),
        .probe_count = check->probe_count,
        .failure_count = check->failure_count,
        .change_count = check->change_count,
    };
    return true;
}
