// SPDX-License-Identifier: GPL-3.0-or-later
//
// What stays of a zone's document while it is served. A zone with policies stays as it is: health
// changes compile them again. Of any other, the nodes that answer hold all there is, so its model
// is given back; whoever asks it for an owner gets one that is made of the node. What was made so
// lives until the next operation of the engine that looks at zones (engine_models_forget). Control
// thread.
#include "engine/engine_internal.h"

// As long as all documents together have no more names, every model stays: lint then knows the
// lines of the document.
enum { NAMES_KEPT_MAX = 100000 };

// The model of a zone with fewer names is given back as soon as its nodes are made, so that the
// models of a million zones and their nodes are never there together. That of a larger one takes a
// while, and waits until the zone answers.
enum { SMALL_ZONE = 1000 };

struct engine_models {
    struct owner_source source;
    struct arena *arena;     // what was made since the last forgetting
    const struct zone *zone; // that `list` is of
    struct owner_list list;
};

static const struct generation *served(const struct engine *engine)
{
    return publisher_current(engine->publisher);
}

static const struct owner *find_owner(void *state, const struct zone *zone, const uint8_t *name)
{
    const struct engine *engine = state;
    return generation_owner(served(engine), zone_apex(zone), name, engine->models->arena);
}

// All owners of the zone that was looked at last are kept: whoever asks for one asks for the
// others.
static const struct owner *owner_at(void *state, const struct zone *zone, size_t index)
{
    const struct engine *engine = state;
    struct engine_models *models = engine->models;
    if (models->zone != zone) {
        models->list = generation_owners(served(engine), zone_apex(zone), models->arena);
        models->zone = zone;
        SP_ASSERT(models->list.count == zone_owner_count(zone));
    }
    return models->list.owners[index];
}

void engine_models_open(struct engine *engine)
{
    engine->models = mem_alloc(sizeof(*engine->models));
    engine->models->arena = arena_new();
    engine->models->source = (struct owner_source){find_owner, owner_at, engine};
}

void engine_models_close(struct engine *engine)
{
    arena_free(engine->models->arena);
    free(engine->models);
}

void engine_models_forget(const struct engine *engine)
{
    if (arena_size(engine->models->arena) > 0) {
        arena_free(engine->models->arena);
        engine->models->arena = arena_new();
    }
    engine->models->zone = NULL;
}

// What is left of the zone and its state goes to new blocks: those that the reader made lie among
// the models, and would keep pages of them in memory.
static struct zone_state *released(const struct engine *engine, struct zone_state *state)
{
    SP_ASSERT(state->steered_count == 0);
    struct zone_state *kept = zone_state_new(state->apex, state->path);
    kept->stamp = state->stamp;
    kept->zone = zone_release(state->zone, &engine->models->source);
    state->zone = NULL;
    zone_state_free(state);
    return kept;
}

static bool may_be_released(const struct zone *zone)
{
    return !zone_is_released(zone) && !zone_has_policy(zone) && !zone_has_alias(zone);
}

bool engine_models_are_many(const struct engine *engine, const struct zone_table *zones)
{
    size_t names = 0;
    for (size_t i = 0; i < zones->count; i++) {
        const struct zone_state *state = zones->items[i];
        const struct zone *zone = state->zone;
        if (zone == NULL) { // the served version is still the newest
            zone = engine_zone_find(engine, state->apex)->zone;
        }
        names += zone_owner_count(zone);
    }
    return names > NAMES_KEPT_MAX;
}

// Not one by one: the allocator would put blocks that stay where a model was, and keep its page.
void engine_release_small(const struct engine *engine, struct zone_state **states, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const struct zone *zone = states[i]->zone;
        if (zone != NULL && zone_owner_count(zone) < SMALL_ZONE && may_be_released(zone)) {
            states[i] = released(engine, states[i]);
            any = true;
        }
    }
    if (any) {
        mem_trim();
    }
}

void engine_release_models(struct engine *engine)
{
    if (!engine_models_are_many(engine, &engine->zones)) {
        return;
    }
    bool any = false;
    for (size_t i = 0; i < engine->zones.count; i++) {
        struct zone_state **state = &engine->zones.items[i];
        if (may_be_released((*state)->zone)) {
            *state = released(engine, *state);
            any = true;
        }
    }
    if (any) {
        mem_trim();
    }
}
