// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lint over the zones that the engine has: gives lint/lint.c the lines, the geometry and what the
// probes saw. Control thread; reads the models, changes nothing.
#include "engine/engine_internal.h"

#include "api/api.h"
#include "base/memory.h"
#include "dns/types.h"
#include "steer/reach.h"
#include "lint/lint.h"

struct linting {
    const struct engine *engine;
    struct reach *reach;
};

static const struct rule_reach *ask_reach(void *state, const struct policy *policy)
{
    struct linting *linting = state;
    return reach_of_policy(linting->reach, policy);
}

static const char *ask_tls_fault(void *state, const struct member *member)
{
    const struct linting *linting = state;
    struct check_view view;
    if (!health_view(linting->engine->health, member->check, &view)) {
        return NULL;
    }
    switch (view.last_reason) {
    case PROBE_L6_CERTIFICATE:
    case PROBE_L6_NAME:
    case PROBE_L6_EXPIRED:
        return view.last_detail != NULL && *view.last_detail ? view.last_detail
                                                             : probe_reasons[view.last_reason].help;
    default:
        return NULL;
    }
}

static uint64_t ignored_rules(const struct config *config)
{
    uint64_t ignored = 0;
    for (size_t i = 0; i < config->lint_ignore_count; i++) {
        int index = lint_rule_find(config->lint_ignore[i]);
        SP_ASSERT(index >= 0); // the configuration was checked
        ignored |= UINT64_C(1) << index;
    }
    return ignored;
}

static struct lint_world world_of(struct linting *linting)
{
    const struct engine *engine = linting->engine;
    return (struct lint_world){
        .lines = engine->lines,
        .max_failover_ns = engine->config->max_failover_ns,
        .idle_factor = engine->config->health_idle_factor,
        .checked_ttl_max = engine->config->checked_ttl_max,
        .ignored = ignored_rules(engine->config),
        .reach = ask_reach,
        .tls_fault = ask_tls_fault,
        .state = linting,
    };
}

void engine_lint(const struct engine *engine, const uint8_t *apex, struct diags *findings)
{
    if (engine->lines == NULL) {
        return; // nothing is loaded yet
    }
    engine_models_forget(engine);
    struct linting linting = {engine, reach_new(engine->lines, engine->geo)};
    struct lint_world world = world_of(&linting);
    if (apex == NULL) {
        lint_lines(&world, findings);
    }
    for (size_t i = 0; i < engine->zones.count; i++) {
        const struct zone_state *zone = engine->zones.items[i];
        if (apex == NULL || name_equal(zone->apex, apex)) {
            lint_zone(&world, zone->zone, findings);
        }
    }
    reach_free(linting.reach);
}

static json_t *seconds(int64_t ns)
{
    return json_real((double)ns / (double)NS_PER_SECOND);
}

static void add_failovers(const struct lint_world *world, const struct owner *owner, json_t *list)
{
    for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
        struct failover failover;
        char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
        if (!lint_failover(world, rrset, &failover)) {
            continue;
        }
        bool budgeted = failover.budget_ns > 0;
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "name",
                      name_format(owner->name, name), "type", rr_type_format(rrset->type, type),
                      "detection_s", seconds(failover.detection_ns), "publication_s",
                      seconds(failover.publication_ns), "ttl_s", seconds(failover.ttl_ns),
                      "total_s", seconds(failover.total_ns), "max_failover_s",
                      budgeted ? seconds(failover.budget_ns) : json_null(), "within",
                      !budgeted || failover.total_ns <= failover.budget_ns));
    }
}

json_t *engine_failovers(const struct engine *engine, const uint8_t *apex)
{
    json_t *list = json_array();
    struct lint_world world = {.max_failover_ns = engine->config->max_failover_ns,
                               .idle_factor = engine->config->health_idle_factor};
    for (size_t i = 0; i < engine->zones.count; i++) {
        const struct zone_state *state = engine->zones.items[i];
        if (apex != NULL && !name_equal(state->apex, apex)) {
            continue;
        }
        for (size_t k = 0; k < zone_owner_count(state->zone); k++) {
            add_failovers(&world, zone_owner(state->zone, k), list);
        }
    }
    return list;
}

json_t *engine_lint_json(const struct engine *engine, const uint8_t *apex)
{
    if (apex != NULL && engine_zone_find(engine, apex) == NULL) {
        return NULL;
    }
    struct diags findings = {0};
    engine_lint(engine, apex, &findings);
    json_t *json =
        json_pack("{s:o, s:I, s:I, s:o}", "findings", findings_json(&findings), "warnings",
                  (json_int_t)findings.warning_count, "notes", (json_int_t)findings.note_count,
                  "failover", engine_failovers(engine, apex));
    diags_clear(&findings);
    return json;
}
