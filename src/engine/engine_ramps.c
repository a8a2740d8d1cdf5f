// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ramps in the engine: from the timetable to the shares of plans, and the pool's health back.
//
// Control thread. Each tick moves the shares whose step has come and takes to zero those whose pool
// has too many members down; only the plans of those are compiled.
#include "engine/engine_internal.h"

#include "base/durable_file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text_file.h"

#include <stdio.h>
#include <string.h>

enum { SAVED_MAX_MIB = 64 };

static void id_of(const struct owner *owner, const struct policy *policy, const struct rule *rule,
                  char id[RAMP_ID_MAX])
{
    char name[NAME_TEXT_MAX];
    name_format(owner->name, name);
    size_t size = strlen(name);
    name[size > 1 ? size - 1 : size] = '\0'; // the final dot
    snprintf(id, RAMP_ID_MAX, "%s:%s", name, policy->pools[rule->pool].name);
}

void engine_ramps_bind(struct engine *engine, const struct owner *owner, const struct rrset *rrset)
{
    const struct policy *policy = rrset->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].ramp != NULL) {
            char id[RAMP_ID_MAX];
            id_of(owner, policy, &policy->rules[i], id);
            ramps_bind(engine->ramps, id, policy->rules[i].ramp);
        }
    }
}

// --- the list of uses

static bool is_used(void *context, const char *id)
{
    const struct engine *engine = context;
    for (size_t i = 0; i < engine->ramp_use_count; i++) {
        if (strcmp(engine->ramp_uses[i].id, id) == 0) {
            return true;
        }
    }
    return false;
}

void engine_ramps_index(struct engine *engine)
{
    engine->ramp_use_count = 0;
    for (size_t slot = 0; slot < engine->steered_size; slot++) {
        const struct steered *steered = engine->steered[slot];
        const struct policy *policy = steered ? steered->rrset->policy : NULL;
        for (size_t i = 0; policy != NULL && i < policy->rule_count; i++) {
            if (policy->rules[i].ramp != NULL) {
                MEM_GROW(engine->ramp_uses, engine->ramp_use_count, engine->ramp_use_capacity);
                struct ramp_use *use = &engine->ramp_uses[engine->ramp_use_count++];
                *use = (struct ramp_use){.steered = steered, .rule = &policy->rules[i]};
                id_of(steered->owner, policy, use->rule, use->id);
            }
        }
    }
    ramps_keep(engine->ramps, is_used, engine);
}

// --- the pool's health

struct strength {
    uint64_t members, up;
};

// A member without a result yet is not against the ramp.
static void strength_add(struct engine *engine, const struct pool *pool, struct strength *strength)
{
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        if (member->pool != NULL) {
            strength_add(engine, member->pool, strength);
            continue;
        }
        struct member_view view = engine_member_view(engine, member);
        bool forced = view.override == OVERRIDE_UP || member->status == STATUS_UP;
        bool down = member->status == STATUS_DOWN || view.override == OVERRIDE_DOWN ||
                    view.drained || (view.health == HEALTH_DOWN && !forced);
        strength->members += !member->disabled;
        strength->up += !member->disabled && !down;
    }
}

static bool pool_is_falling(struct engine *engine, const struct ramp_use *use)
{
    struct strength strength = {0};
    const struct policy *policy = use->steered->rrset->policy;
    strength_add(engine, &policy->pools[use->rule->pool], &strength);
    return strength.up * 1000000 < strength.members * use->rule->ramp->abort_below_ppm;
}

// --- moving

static bool save(struct engine *engine, struct diags *diags)
{
    if (engine->ramps_path == NULL) {
        return true;
    }
    json_t *list = ramps_save(engine->ramps);
    char *text = json_dumps(list, JSON_INDENT(1));
    SP_ASSERT(text != NULL); // only memory could be missing
    json_decref(list);
    bool saved = durable_state_write(engine->ramps_path, text, strlen(text), diags);
    engine->ramps_save_ns = saved ? INT64_MAX : clock_monotonic_ns(engine->clock) + SAVE_RETRY_NS;
    free(text);
    return saved;
}

static void save_or_log(struct engine *engine)
{
    struct diags diags = {0};
    if (!save(engine, &diags)) {
        engine_log_fault(LOG_EVENT_STATE_NOT_SAVED, engine->ramps_path, &diags);
    }
    diags_clear(&diags);
}

// No file: nothing has moved yet.
static void read_saved(struct engine *engine, struct diags *diags)
{
    size_t size;
    char *text = text_file_read(engine->ramps_path, SAVED_MAX_MIB, true, diags, &size);
    if (text == NULL || size == 0) {
        free(text);
        return;
    }
    json_t *saved = json_loadb(text, size, 0, NULL);
    if (json_is_array(saved)) {
        ramps_load(engine->ramps, saved);
    } else {
        diags_error(diags, (struct place){.file = engine->ramps_path}, NULL,
                    "it is no list of ramps; they begin anew");
    }
    json_decref(saved);
    free(text);
}

void engine_ramps_open(struct engine *engine)
{
    struct diags diags = {0};
    engine->ramps = ramps_new(engine->clock);
    engine->ramps_save_ns = INT64_MAX;
    if (engine->config->health_state == NULL) {
        return;
    }
    engine->ramps_path = mem_printf("%s/ramps.json", engine->config->health_state);
    read_saved(engine, &diags);
    if (diags.error_count > 0) {
        engine_log_fault(LOG_EVENT_STATE_DAMAGED, engine->ramps_path, &diags);
    }
    diags_clear(&diags);
}

void engine_ramps_close(struct engine *engine)
{
    ramps_free(engine->ramps);
    free(engine->ramps_path);
    free(engine->ramp_uses);
}

static bool abort_if_falling(struct engine *engine, const struct ramp_use *use)
{
    if (ramps_mode(engine->ramps, use->id) == RAMP_ABORTED || use->rule->ramp->share_ppm == 0 ||
        !pool_is_falling(engine, use)) {
        return false;
    }
    ramps_set(engine->ramps, use->id, RAMP_ABORTED);
    log_event(LOG_EVENT_RAMP_ABORTED, "ramp=%s share=%.4f", use->id,
              use->rule->ramp->share_ppm / 1e6);
    return true;
}

int64_t engine_ramps_tick(struct engine *engine)
{
    int64_t next_ns = INT64_MAX;
    bool moved = false;
    for (size_t i = 0; i < engine->ramp_use_count; i++) {
        moved |= abort_if_falling(engine, &engine->ramp_uses[i]);
    }
    for (size_t i = 0; i < engine->ramp_use_count; i++) {
        const struct ramp_use *use = &engine->ramp_uses[i];
        int64_t use_next_ns;
        uint32_t share = ramps_share(engine->ramps, use->id, use->rule->ramp, &use_next_ns);
        next_ns = MIN(next_ns, use_next_ns);
        if (share != use->rule->ramp->share_ppm) {
            log_event(LOG_EVENT_RAMP_MOVED, "ramp=%s share=%.4f", use->id, share / 1e6);
            use->rule->ramp->share_ppm = share;
            engine_mark_dirty(engine, use->steered->slot);
            moved = true;
        }
    }
    if (moved || clock_monotonic_ns(engine->clock) >= engine->ramps_save_ns) {
        save_or_log(engine);
    }
    return MIN(next_ns, engine->ramps_save_ns);
}

// --- for the API

json_t *engine_ramps_list(struct engine *engine)
{
    json_t *list = json_array();
    int64_t now_ns = clock_monotonic_ns(engine->clock);
    for (size_t i = 0; i < engine->ramp_use_count; i++) {
        const struct ramp_use *use = &engine->ramp_uses[i];
        char type[RR_TYPE_TEXT_MAX];
        int64_t next_ns;
        uint32_t share = ramps_share(engine->ramps, use->id, use->rule->ramp, &next_ns);
        json_t *item =
            json_pack("{s:s, s:s, s:s, s:f}", "ramp", use->id, "type",
                      rr_type_format(use->steered->rrset->type, type), "mode",
                      ramp_mode_names[ramps_mode(engine->ramps, use->id)], "share", share / 1e6);
        json_object_set_new(item, "next_step_in_seconds",
                            next_ns == INT64_MAX
                                ? json_null()
                                : json_integer(MAX(next_ns - now_ns, (int64_t)0) / NS_PER_SECOND));
        json_array_append_new(list, item);
    }
    return list;
}

bool engine_ramps_set(struct engine *engine, const char *id, enum ramp_mode mode,
                      struct diags *diags)
{
    if (!is_used(engine, id) || !ramps_set(engine->ramps, id, mode)) {
        return false;
    }
    log_event(LOG_EVENT_RAMP_SET, "ramp=%s mode=%s", id, ramp_mode_names[mode]);
    engine_ramps_tick(engine);
    save(engine, diags);
    engine_publish_dirty(engine); // it answers so before it is acknowledged
    return true;
}
