// SPDX-License-Identifier: GPL-3.0-or-later
//
// Load feedback: what members and sites report, and what it takes from their weights.
//
// Control thread. Loads come over the API, by value or by site, or from an HTTP check. At most once
// a second they are held against the targets of policies and the capacities of sites; only plans of
// which a member lost or won a sixteenth of its weight are compiled anew.
#include "engine/engine_internal.h"

#include "base/memory.h"
#include "engine/loads.h"
#include "steer/load.h"

#define LOADS_INTERVAL_NS NS_PER_SECOND
// A site begins to shed at this part of its capacity.
#define CAPACITY_TARGET 0.8

bool engine_loads_report(struct engine *engine, const char *name, bool is_site, double load)
{
    engine->measured.reports++;
    return loads_put(engine->loads, name, is_site, load, clock_monotonic_ns(engine->clock));
}

static bool report_find(const struct engine *engine, const char *name, bool is_site, double *load,
                        int64_t *since_ns)
{
    const struct load_report *report = loads_find(engine->loads, name, is_site);
    if (report == NULL) {
        return false;
    }
    *load = report->load;
    *since_ns = report->since_ns;
    return true;
}

void engine_load_view(const struct engine *engine, const struct member *member,
                      const struct check_view *check, struct member_view *view)
{
    if (member->text != NULL) {
        view->has_load =
            report_find(engine, member->text, false, &view->load, &view->load_since_ns);
    }
    if (!view->has_load && check != NULL && check->has_load) {
        view->has_load = true;
        view->load = check->load;
        view->load_since_ns = clock_monotonic_ns(engine->clock); // of the last probe that said it
    }
    view->shed_ppm = member->shed_ppm;
}

// --- what they take away

static uint32_t shed_of_member(struct engine *engine, const struct policy *policy,
                               const struct member *member, int64_t now_ns)
{
    struct member_view view = engine_member_view(engine, member);
    uint32_t shed = 0;
    if (policy->load_target > 0 && view.has_load &&
        now_ns - view.load_since_ns <= policy->load_age_ns) {
        shed = load_shed_ppm(member->shed_ppm, view.load, policy->load_target, policy->load_limit);
    }
    double load;
    int64_t since_ns;
    if (member->site != NULL && member->site->capacity > 0 &&
        report_find(engine, member->site->name, true, &load, &since_ns) &&
        now_ns - since_ns <= policy->load_age_ns) {
        double capacity = member->site->capacity;
        uint32_t of_site =
            load_shed_ppm(member->shed_ppm, load, capacity * CAPACITY_TARGET, capacity);
        shed = MAX(shed, of_site);
    }
    return shed;
}

static bool policy_sheds(const struct policy *policy)
{
    bool sheds = policy->load_target > 0;
    for (size_t i = 0; i < policy->site_count; i++) {
        sheds |= policy->sites[i].capacity > 0;
    }
    return sheds;
}

void engine_loads_index(struct engine *engine)
{
    engine->load_users.count = 0;
    for (size_t slot = 0; slot < engine->steered_size; slot++) {
        if (engine->steered[slot] != NULL && policy_sheds(engine->steered[slot]->rrset->policy)) {
            struct slot_list *users = &engine->load_users;
            MEM_GROW(users->slots, users->count, users->capacity);
            users->slots[users->count++] = (uint32_t)slot;
        }
    }
}

static void hold_against(struct engine *engine, uint32_t slot, int64_t now_ns)
{
    const struct policy *policy = engine->steered[slot]->rrset->policy;
    bool changed = false;
    for (size_t i = 0; i < policy->pool_count; i++) {
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            struct member *member = &policy->pools[i].members[k];
            if (member->pool == NULL) {
                uint32_t shed = shed_of_member(engine, policy, member, now_ns);
                changed |= shed != member->shed_ppm;
                member->shed_ppm = shed;
            }
        }
    }
    if (changed) {
        engine_mark_dirty(engine, slot);
    }
}

int64_t engine_loads_tick(struct engine *engine)
{
    int64_t now_ns = clock_monotonic_ns(engine->clock);
    if (engine->load_users.count == 0) {
        return INT64_MAX;
    }
    if (now_ns >= engine->loads_next_ns) {
        engine->loads_next_ns = now_ns + LOADS_INTERVAL_NS;
        for (size_t i = 0; i < engine->load_users.count; i++) {
            uint32_t slot = engine->load_users.slots[i];
            if (engine->steered[slot] != NULL) {
                hold_against(engine, slot, now_ns);
            }
        }
    }
    return engine->loads_next_ns; // reports grow old without a sound
}

struct load_list {
    json_t *json;
    int64_t now_ns;
};

static void list_report(void *context, const struct load_report *report)
{
    const struct load_list *list = context;
    json_array_append_new(
        list->json, json_pack("{s:s, s:f, s:I}", report->is_site ? "site" : "value", report->name,
                              "load", report->load, "age_seconds",
                              (json_int_t)((list->now_ns - report->since_ns) / NS_PER_SECOND)));
}

json_t *engine_loads_list(struct engine *engine)
{
    struct load_list list = {json_array(), clock_monotonic_ns(engine->clock)};
    loads_walk(engine->loads, list_report, &list);
    return list.json;
}
