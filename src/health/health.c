// SPDX-License-Identifier: GPL-3.0-or-later
//
// The registry of checks: who uses which, and what can be seen of them.
//
// Owned by the engine, called on the control thread only. What happens to a check over time, its
// schedule and the results of its probes, is in cycle.c.
#include "health/registry.h"

#include "base/hash.h"
#include "base/memory.h"

// First probes start at most one a millisecond, but all within a second as long as they are few. Of
// many, no more start in a second than the machine can see through: those to black holes must leave
// room for others under way, and handshakes and commands take a processor's time.
#define SPREAD_STEP_NS  NS_PER_MS
#define SPREAD_MAX_NS   NS_PER_SECOND
#define FIRST_CHEAP_NS  (NS_PER_MS / 10)
#define FIRST_DEAR_NS   NS_PER_MS
#define INTERVAL_MIN_NS (10 * NS_PER_MS)
#define CHECKS_MAX      (1 << 24)

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

// --- users ---

// The definition as it is kept: bounds that the arithmetic here relies on.
static struct check_spec definition_normal(const struct check_spec *spec)
{
    struct check_spec normal = *spec;
    normal.interval_ns = MAX(spec->interval_ns, INTERVAL_MIN_NS);
    normal.timeout_ns = MAX(spec->timeout_ns, NS_PER_MS);
    normal.rise = MAX(spec->rise, 1U);
    normal.fall = MAX(spec->fall, 1U);
    normal.flap_clean = MAX(spec->flap_clean, 1U);
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

int64_t first_cost_ns(const struct check_spec *spec)
{
    bool dear = spec->kind == CHECK_HTTPS || spec->kind == CHECK_TLS || spec->kind == CHECK_EXEC ||
                (spec->kind == CHECK_GRPC && spec->tls);
    return dear ? FIRST_DEAR_NS : FIRST_CHEAP_NS;
}

// Until the first probe of a new check, behind those that wait for theirs.
static int64_t first_wait(struct health *health, const struct check_spec *spec)
{
    int64_t spread = MIN((int64_t)(health->check_count - 1) * SPREAD_STEP_NS, SPREAD_MAX_NS);
    int64_t behind = MAX(health->unsettled_ns - SPREAD_MAX_NS, 0) % spec->interval_ns;
    return MIN(behind + health_random_span(health, MIN(spread, spec->interval_ns)),
               spec->interval_ns);
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
    check->hinted = true; // one result decides
    check->acquired_ns = now;
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
    check_wait_until(health, check, now + first_wait(health, check->spec));
    health->unsettled_ns += first_cost_ns(check->spec);
    return check->index;
}

int health_find(const struct health *health, const struct address *target,
                const struct check_spec *spec)
{
    struct check_spec normal = definition_normal(spec);
    const struct check_spec *kept = definition_find(health->definitions, &normal);
    if (kept == NULL) {
        return -1;
    }
    struct check *found = *bucket_of(health, identity_hash(target, kept));
    while (found && (found->spec != kept || !address_equal(&found->target, target))) {
        found = found->bucket_next;
    }
    return found ? found->index : -1;
}

static void check_end(struct health *health, struct check *check)
{
    check_leave(health, check);
    struct check **link = bucket_of(health, check->hash);
    while (*link != check) {
        link = &(*link)->bucket_next;
    }
    *link = check->bucket_next;
    if (check->probe.kept) {
        health->prober.forget(health->prober.state, &check->probe);
    }
    if (!check->had_result) {
        health->unsettled_count--;
        health->unsettled_ns -= first_cost_ns(check->spec);
    }
    definition_drop(health->definitions, check->spec);
    health->checks[check->index] = NULL;
    health->check_count--;
    texts_drop(health->details, check->detail);
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
    health->details = texts_new();
    health->probes_max = HEALTH_PROBES_MAX;
    doubt_open(&health->doubt, &(struct doubt_options){.share = 100});
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
    texts_free(health->details);
    free(health);
}

int health_anchor(struct health *health, const struct address *target,
                  const struct check_spec *spec)
{
    int index = health_acquire(health, target, spec);
    health->checks[index]->is_anchor = true;
    return index;
}

void health_doubt_open(struct health *health, const struct doubt_options *options,
                       health_doubted *doubted)
{
    SP_ASSERT(health->check_count == 0);
    doubt_open(&health->doubt, options);
    health->doubted = doubted;
}

const struct doubt *health_doubt(const struct health *health)
{
    return &health->doubt;
}

void health_limit(struct health *health, unsigned probes_max)
{
    health->probes_max = MAX(probes_max, 1U);
}

struct health_lateness health_lateness(const struct health *health)
{
    return health->lateness;
}

// The same in every process, as long as the definition is.
uint64_t health_key(const struct health *health, int index)
{
    const struct check *check = health->checks[index];
    return hash_bytes(check_spec_hash(check->spec, check->target.family), check->target.bytes,
                      sizeof(check->target.bytes));
}

struct check_memory health_memory(const struct health *health, int index)
{
    const struct check *check = health->checks[index];
    return (struct check_memory){
        .state = check->machine.state,
        .level = check->machine.level,
        .flapping = check->machine.flapping,
        .has_risen = check->machine.has_risen,
        .since_ns = check->since_ns,
        .risen_ns = check->machine.risen_ns,
    };
}

void health_remember(struct health *health, int index, const struct check_memory *memory)
{
    struct check *check = health->checks[index];
    SP_ASSERT(check->machine.state == CHECK_UNKNOWN && memory->state <= CHECK_DOWN);
    struct check_standing before = check_standing(check);
    check->machine.state = memory->state;
    check->machine.level = (uint8_t)MIN((unsigned)memory->level, (unsigned)FLAP_LEVEL_MAX);
    check->machine.flapping = memory->flapping;
    check->machine.has_risen = memory->has_risen;
    check->machine.risen_ns = memory->risen_ns;
    check->machine.fell_ns = memory->since_ns;
    check->since_ns = memory->since_ns;
    check->hinted = check_results_needed(&check->machine, check->spec) > 0;
    check_recount(health, check, before);
}

bool health_settled(const struct health *health)
{
    return health->unsettled_count == 0;
}

int health_count(const struct health *health)
{
    return health->count;
}

const char *check_view_target(const struct check_view *view, char text[SOCKADDR_TEXT_MAX])
{
    if (view->spec->port == 0) {
        return address_format(&view->target, text);
    }
    return endpoint_format(&view->target, (uint16_t)view->spec->port, text);
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
        .last_detail = check->detail ? check->detail : "",
        .last_latency_ns = check->latency_ns,
        .run = check->machine.run,
        .waits_for =
            check_waits_for(&check->machine, check->spec, clock_monotonic_ns(health->clock)),
        .rise_needed = check_rise_needed(&check->machine, check->spec),
        .is_anchor = check->is_anchor,
        .resting = check->resting,
        .users = check->users,
        .acquired_ns = check->acquired_ns,
        .warning = check->warning,
        .has_certificate = check->has_certificate,
        .certificate_days = check->certificate_days,
        .has_load = check->has_load,
        .load = check->load,
        .history = &check->history,
        .change_in_s = check_change_in_s(&check->machine, check->spec),
        .probe_count = check->probe_count,
        .failure_count = check->failure_count,
        .change_count = check->change_count,
    };
    return true;
}
