// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plans: compiled when something that they follow from has changed, and published together.
//
// Control thread. A plan whose classes end in equal answers is given a projection of its territory,
// so that the scope of its answers is as wide as it may be. Projecting a large territory takes tens
// of milliseconds: a load does it at once, a change of health only when the projection is there
// already; else the plan goes out over the finer territory, which is right but narrower, and is
// refined later, one plan at a time.
#include "engine/engine_internal.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

// Projecting costs some 50 ns a run: as many as may be done on the way of a health change.
enum { RUNS_AT_ONCE_MAX = 10000 };
#define REFINE_INTERVAL_NS NS_PER_SECOND
// All territories together; past it answers keep the scopes that they have.
#define TERRITORIES_SIZE_MAX ((size_t)1 << 30)

// --- compiling

// The plan waits for its projection, once however often it is compiled until then.
static void refine_add(struct engine *engine, struct steered *steered)
{
    struct slot_list *refine = &engine->refine;
    if (!steered->is_refined_later) {
        steered->is_refined_later = true;
        MEM_GROW(refine->slots, refine->count, refine->capacity);
        refine->slots[refine->count++] = steered->slot;
    }
}

// The territory by groups of classes that end in one choice; NULL: it is not there, and not worth
// its time now.
static struct territory *projection_of(struct engine *engine, const struct territory *base,
                                       const uint32_t *groups, size_t count, bool thoroughly)
{
    bool may_build = (thoroughly || territory_run_count(base) <= RUNS_AT_ONCE_MAX) &&
                     territories_size(engine->territories) < TERRITORIES_SIZE_MAX;
    return territory_project(engine->territories, base, groups, count, may_build);
}

static void project(struct engine *engine, struct steered *steered, struct plan *plan,
                    bool thoroughly)
{
    const struct territory *base = steered->territory;
    size_t class_count = territory_class_count(base);
    uint32_t *groups = mem_alloc_array(class_count, sizeof(*groups));
    size_t count = plan_groups(plan, groups);
    struct territory *projection = NULL;
    if (count > 1 && count < class_count) {
        projection = projection_of(engine, base, groups, count, thoroughly);
        if (projection == NULL && !thoroughly) {
            refine_add(engine, steered);
        }
    }
    if (projection != NULL || count == 1) {
        plan_project(plan, projection);
    }
    free(groups);
    struct replaced_list *replaced = &engine->replaced;
    MEM_GROW(replaced->items, replaced->count, replaced->capacity);
    replaced->items[replaced->count++] = (struct replaced){steered, steered->projection};
    steered->projection = projection;
}

struct plan *engine_compile(struct engine *engine, struct steered *steered, bool thoroughly)
{
    struct health_source health = {engine_member_view, engine};
    uint8_t folded[NAME_MAX_SIZE];
    name_fold(steered->owner->name, steered->owner->name_size, folded);
    // The owner name is part of the key, so that different names do not send the same unlucky
    // networks to their canaries; A and AAAA of one name share it.
    uint64_t key = hash_bytes(engine->config->sticky_key, folded, steered->owner->name_size);
    struct plan *plan = plan_compile(steered->rrset->policy, steered->rrset->type,
                                     steered->rrset->ttl, steered->territory, &health, key);
    if (steered->territory != NULL) {
        project(engine, steered, plan, thoroughly);
    }
    plan_share(engine->shares, plan);
    return plan;
}

void engine_plans_settle(struct engine *engine, bool published)
{
    struct replaced_list *replaced = &engine->replaced;
    while (replaced->count > 0) { // backwards: one RRset may be there twice
        struct replaced *last = &replaced->items[--replaced->count];
        struct territory *dropped = published ? last->projection : last->steered->projection;
        if (!published) {
            last->steered->projection = last->projection;
        }
        territory_release(engine->territories, dropped);
    }
}

// --- publishing

void engine_mark_dirty(struct engine *engine, uint32_t slot)
{
    SP_ASSERT(slot < engine->steered_size);
    if (engine->is_dirty[slot]) {
        return;
    }
    engine->is_dirty[slot] = true;
    struct slot_list *dirty = &engine->dirty;
    MEM_GROW(dirty->slots, dirty->count, dirty->capacity);
    dirty->slots[dirty->count++] = slot;
}

static void publish_dirty(struct engine *engine, bool thoroughly)
{
    struct change *change = change_begin(engine->publisher);
    for (size_t i = 0; i < engine->dirty.count; i++) {
        uint32_t slot = engine->dirty.slots[i];
        engine->is_dirty[slot] = false;
        if (engine->steered[slot] != NULL) {
            change_plan(change, slot, engine_compile(engine, engine->steered[slot], thoroughly));
        }
    }
    struct diags diags = {0};
    size_t plans = engine->dirty.count;
    engine->dirty.count = 0;
    bool published = change_publish(change, &diags);
    engine_plans_settle(engine, published);
    if (published) {
        log_event(LOG_EVENT_PUBLISHED, "plans=%zu", plans);
    } else {
        char text[512];
        log_event(LOG_EVENT_PUBLISH_REFUSED, "error=%s",
                  log_quote(diags.count ? diags.items[0].message : "", text, sizeof(text)));
    }
    diags_clear(&diags);
}

// One plan at a time gets the projection that it went out without.
static int64_t refine(struct engine *engine)
{
    int64_t now_ns = clock_monotonic_ns(engine->clock);
    if (engine->refine.count == 0) {
        return INT64_MAX;
    }
    if (now_ns >= engine->refine_ns) {
        engine->refine_ns = now_ns + REFINE_INTERVAL_NS;
        uint32_t slot = engine->refine.slots[--engine->refine.count];
        if (slot < engine->steered_size && engine->steered[slot] != NULL) {
            engine->steered[slot]->is_refined_later = false;
            engine_mark_dirty(engine, slot);
            publish_dirty(engine, true);
        }
    }
    return engine->refine.count > 0 ? engine->refine_ns : INT64_MAX;
}

void engine_publish_dirty(struct engine *engine)
{
    if (engine->dirty.count > 0) {
        publish_dirty(engine, false);
    }
}

int64_t engine_plans_tick(struct engine *engine)
{
    engine_publish_dirty(engine);
    return refine(engine);
}
