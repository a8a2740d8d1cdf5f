// SPDX-License-Identifier: GPL-3.0-or-later
//
// The engine's life, and the way of a check's result into the answers.
//
// Control thread. A changed check marks the plans that follow from it; the next engine_tick
// compiles just those and publishes one generation for all of them, however many checks changed at
// once (engine_plans.c).
#include "engine/engine_internal.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/cookie_file.h"
#include "engine/loads.h"

#include <string.h>

// The callback also comes when only the time to the next possible change moved: no news, and nor is
// a new check's first success.
static void log_check(struct engine *engine, int check)
{
    struct check_view view;
    char target[SOCKADDR_TEXT_MAX], detail[256];
    if (!health_view(engine->health, check, &view) || view.state == engine->by_check[check].seen) {
        return;
    }
    bool news = view.state != CHECK_UP || engine->by_check[check].seen != CHECK_UNKNOWN;
    enum check_state before = engine->by_check[check].seen;
    engine->by_check[check].seen = (uint8_t)view.state;
    if (news) {
        *(view.state == CHECK_DOWN ? &engine->turns.falls : &engine->turns.rises) += 1;
        engine_tell_check(engine, check, &view, before);
        log_event(LOG_EVENT_CHECK_CHANGED, "check=%d target=%s state=%s result=%s detail=%s", check,
                  check_view_target(&view, target), check_state_names[view.state],
                  probe_reasons[view.last_reason].name,
                  log_quote(view.last_detail ? view.last_detail : "", detail, sizeof(detail)));
    }
}

const struct engine_turns *engine_turns(const struct engine *engine)
{
    return &engine->turns;
}

void engine_watch(struct engine *engine, void (*changed)(void *context), void *context)
{
    engine->changed = changed;
    engine->changed_context = context;
}

static void on_health_changed(void *context, int check)
{
    struct engine *engine = context;
    engine->state_changes++;
    if (engine->changed != NULL) {
        engine->changed(engine->changed_context);
    }
    if ((size_t)check >= engine->by_check_size) {
        return; // acquired by a load that is not applied yet
    }
    log_check(engine, check);
    const struct check_links *links = &engine->by_check[check];
    for (size_t i = 0; i < links->count; i++) {
        engine_mark_dirty(engine, engine->check_slots[links->first + i]);
    }
}

static void on_health_doubted(void *context)
{
    struct engine *engine = context;
    engine_tell_doubt(engine);
    const struct doubt *doubt = health_doubt(engine->health);
    if (doubt_frozen(doubt)) {
        log_event(LOG_EVENT_DOUBT_BEGAN,
                  "cause=\"%s\" failing=%zu up=%zu anchors=%zu anchors_up=%zu",
                  doubt_cause_names[doubt->cause], doubt->failing, doubt->up, doubt->anchors,
                  doubt->anchors_good);
    } else {
        log_event(LOG_EVENT_DOUBT_ENDED, "failing=%zu up=%zu by=%s", doubt->failing, doubt->up,
                  doubt->trusted ? "operator" : "results");
    }
}

// The checker's own network: found dead within four seconds.
static void anchors_acquire(struct engine *engine)
{
    const struct config *config = engine->config;
    for (size_t i = 0; i < config->health_anchor_count; i++) {
        const struct check_spec spec = {
            .kind = CHECK_TCP,
            .port = config->health_anchors[i].port,
            .interval_ns = 2 * NS_PER_SECOND,
            .fast_interval_ns = NS_PER_SECOND,
            .timeout_ns = NS_PER_SECOND,
            .rise = 1,
            .fall = 2,
        };
        health_anchor(engine->health, &config->health_anchors[i].address, &spec);
    }
}

void engine_log_fault(enum log_event event, const char *path, const struct diags *diags)
{
    char error[512];
    log_event(event, "file=%s error=%s", path,
              log_quote(diags->count ? diags->items[0].message : "", error, sizeof(error)));
}

struct engine *engine_new(const struct config *config, const struct clock *clock,
                          const struct prober *prober)
{
    struct engine *engine = mem_alloc(sizeof(*engine));
    struct answer_options options = {
        .udp_payload_max = (uint16_t)config->udp_payload_max,
        .chaos_version = config->chaos_version,
        .chaos_id = config->chaos_id,
        .ecs = config->ecs,
        .nsid = config->nsid,
        .nsid_size = (uint8_t)(config->nsid ? strlen(config->nsid) : 0),
        .cookies_required = config->cookies == COOKIES_REQUIRE,
    };
    if (config->cookies != COOKIES_OFF) { // those of a file come with the first load
        cookie_secrets_random(&options.cookies);
    }
    engine->config = config;
    engine->clock = clock;
    engine->started_ns = clock_monotonic_ns(clock);
    engine->health = health_new(clock, prober, random_seed(), on_health_changed, engine);
    engine->beats = beats_new();
    engine->events = events_new(clock);
    struct doubt_options doubt = {config->health_doubt_share, config->health_doubt_targets};
    health_doubt_open(engine->health, &doubt, on_health_doubted);
    anchors_acquire(engine);
    engine_manual_open(engine);
    engine->loads = loads_new();
    engine->rtt = rtt_new();
    engine_states_open(engine);
    engine->publisher = publisher_new(&options);
    engine_models_open(engine);
    engine->territories = territories_new();
    engine->samples = query_samples_new();
    engine->shares = plan_shares_new();
    engine_ramps_open(engine);
    engine->idle = idle_new();
    engine->rtt_version = rtt_version(engine->rtt);
    territories_measure(engine->territories, engine->rtt);
    return engine;
}

struct zone_state *zone_state_new(const uint8_t *apex, const char *path)
{
    const size_t apex_size = name_size(apex), path_size = strlen(path) + 1;
    struct zone_state *state = mem_alloc(sizeof(*state) + apex_size + path_size);
    state->apex = memcpy(state->texts, apex, apex_size);
    state->path = memcpy(state->texts + apex_size, path, path_size);
    return state;
}

void zone_state_free(struct zone_state *state)
{
    if (state == NULL) {
        return;
    }
    for (size_t i = 0; i < state->steered_count; i++) {
        free(state->steered[i]);
    }
    free(state->steered);
    zone_free(state->zone);
    free(state);
}

void engine_free(struct engine *engine)
{
    if (engine == NULL) {
        return;
    }
    health_free(engine->health);
    beats_free(engine->beats);
    events_free(engine->events);
    manual_free(engine->manual);
    free(engine->manual_path);
    free(engine->states_path);
    check_states_free(engine->recalled);
    publisher_free(engine->publisher);
    for (size_t i = 0; i < engine->zones.count; i++) {
        struct zone_state *state = engine->zones.items[i];
        for (size_t k = 0; k < state->steered_count; k++) {
            territory_release(engine->territories, state->steered[k]->territory);
            territory_release(engine->territories, state->steered[k]->projection);
        }
        zone_state_free(state);
    }
    territories_free(engine->territories);
    query_samples_free(engine->samples);
    engine_populations_drop(engine);
    plan_shares_free(engine->shares);
    engine_ramps_close(engine);
    loads_free(engine->loads);
    free(engine->measured.text);
    idle_free(engine->idle);
    rtt_free(engine->rtt);
    free(engine->rtt_users.slots);
    free(engine->load_users.slots);
    geo_free(engine->geo);
    if (engine->geo_lines != engine->lines) {
        lines_free(engine->geo_lines);
    }
    lines_free(engine->lines);
    shared_free(engine->shared);
    free(engine->geo_stamps);
    zone_table_clear(&engine->zones);
    engine_models_close(engine);
    free(engine->by_check);
    free(engine->check_slots);
    free(engine->steered);
    free(engine->is_dirty);
    free(engine->dirty.slots);
    free(engine->refine.slots);
    free(engine->replaced.items);
    free(engine);
}

struct publisher *engine_publisher(struct engine *engine)
{
    return engine->publisher;
}

struct health *engine_health(struct engine *engine)
{
    return engine->health;
}

struct beats *engine_beats(struct engine *engine)
{
    return engine->beats;
}

struct events *engine_events(struct engine *engine)
{
    return engine->events;
}

struct zone_state *engine_zone_find(const struct engine *engine, const uint8_t *apex)
{
    long index = zone_table_find(&engine->zones, apex);
    return index >= 0 ? engine->zones.items[index] : NULL;
}

// --- health into plans

struct member_view engine_member_view(void *state, const struct member *member)
{
    static const enum member_override overrides[MANUAL_STATE_COUNT] = {
        [MANUAL_UP] = OVERRIDE_UP, [MANUAL_DOWN] = OVERRIDE_DOWN};
    const struct engine *engine = state;
    SP_ASSERT(member->manual < MANUAL_STATE_COUNT);
    enum member_override override = overrides[member->manual];
    bool drained = member->manual == MANUAL_DRAIN;
    struct check_view view;
    if (!health_view(engine->health, member->check, &view)) {
        struct member_view unchecked = {
            .health = HEALTH_UNCHECKED, .override = override, .drained = drained};
        engine_load_view(engine, member, NULL, &unchecked);
        return unchecked;
    }
    static const enum member_health healths[] = {
        [CHECK_UNKNOWN] = HEALTH_UNKNOWN, [CHECK_UP] = HEALTH_UP, [CHECK_DOWN] = HEALTH_DOWN};
    struct member_view result = {
        .health = healths[view.state],
        .change_in_s = view.change_in_s,
        .since_ns = view.since_ns,
        .override = override,
        .drained = drained,
    };
    engine_load_view(engine, member, &view, &result);
    return result;
}

// Counts the plans of each check, or, when there is room for them, writes their slots down.
static void index_plans(struct engine *engine)
{
    for (size_t slot = 0; slot < engine->steered_size; slot++) {
        const struct steered *steered = engine->steered[slot];
        const struct policy *policy = steered ? steered->rrset->policy : NULL;
        for (size_t i = 0; policy && i < policy->pool_count; i++) {
            const struct pool *pool = &policy->pools[i];
            for (size_t j = 0; j < pool->member_count; j++) {
                if (pool->members[j].check >= 0) {
                    struct check_links *links = &engine->by_check[pool->members[j].check];
                    if (engine->check_slots) {
                        engine->check_slots[links->first + links->count] = (uint32_t)slot;
                    }
                    links->count++;
                }
            }
        }
    }
}

void engine_index_checks(struct engine *engine)
{
    free(engine->by_check);
    free(engine->check_slots);
    engine->check_slots = NULL;
    engine->by_check_size = (size_t)health_count(engine->health);
    engine->by_check = mem_alloc_array(engine->by_check_size, sizeof(*engine->by_check));
    index_plans(engine);
    uint32_t sum = 0;
    for (size_t i = 0; i < engine->by_check_size; i++) {
        struct check_links *links = &engine->by_check[i];
        struct check_view view;
        bool used = health_view(engine->health, (int)i, &view);
        links->seen = (uint8_t)(used ? view.state : CHECK_UNKNOWN);
        links->first = sum;
        sum += links->count;
        links->count = 0;
    }
    engine->check_slots = mem_alloc_array(sum + 1UL, sizeof(*engine->check_slots));
    index_plans(engine);
    engine_idle_index(engine);
}

int64_t engine_tick(struct engine *engine)
{
    int64_t next_ns = engine_manual_tick(engine);
    next_ns = MIN(next_ns, engine_idle_tick(engine));
    next_ns = MIN(next_ns, health_tick(engine->health));
    next_ns = MIN(next_ns, engine_ramps_tick(engine));
    next_ns = MIN(next_ns, engine_loads_tick(engine));
    next_ns = MIN(next_ns, engine_rtt_tick(engine));
    return MIN(next_ns, engine_plans_tick(engine));
}
