// SPDX-License-Identifier: GPL-3.0-or-later
//
// Manual states of members: from what operators say to what the policy compiler sees.
//
// Control thread. Each member carries the state that holds it (struct member, `manual`), written
// when its zone is bound and again when the list changes or a window begins or ends; the plans that
// follow are marked and published with the next tick. A change of the list is on disk before it is
// acknowledged.
#include "engine/engine_internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "dns/types.h"
#include "engine/manual_file.h"

#include <stdio.h>
#include <string.h>

// The texts that an identity borrows.
struct identity_texts {
    char zone[NAME_TEXT_MAX], owner[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
};

static void name_bare(const uint8_t *name, char text[NAME_TEXT_MAX])
{
    name_format(name, text);
    size_t size = strlen(text);
    if (size > 1) {
        text[size - 1] = '\0'; // the final dot
    }
}

static struct manual_identity rrset_identity(const uint8_t *apex, const struct owner *owner,
                                             const struct rrset *rrset,
                                             struct identity_texts *texts)
{
    name_bare(apex, texts->zone);
    name_bare(owner->name, texts->owner);
    rr_type_format(rrset->type, texts->type);
    return (struct manual_identity){
        .zone = texts->zone, .owner = texts->owner, .type = texts->type};
}

typedef void visit_member(void *context, const struct manual_identity *identity,
                          struct member *member);

static void each_member(const uint8_t *apex, const struct owner *owner, const struct rrset *rrset,
                        visit_member *visit, void *context)
{
    struct identity_texts texts;
    struct manual_identity identity = rrset_identity(apex, owner, rrset, &texts);
    const struct policy *policy = rrset->policy;
    for (size_t i = 0; i < policy->pool_count; i++) {
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            struct member *member = &policy->pools[i].members[k];
            identity.pool = policy->pools[i].name;
            identity.value = member->text != NULL ? member->text : "";
            identity.site = member->site != NULL ? member->site->name : "";
            visit(context, &identity, member);
        }
    }
}

struct binding {
    const struct manual *manual;
    bool changed;
};

static void bind_member(void *context, const struct manual_identity *identity,
                        struct member *member)
{
    struct binding *binding = context;
    const struct manual_entry *entry = manual_find(binding->manual, identity);
    uint8_t state = entry == NULL ? MANUAL_NONE : (uint8_t)entry->state;
    binding->changed |= member->manual != state;
    member->manual = state;
}

void engine_manual_bind(struct engine *engine, const uint8_t *apex, const struct owner *owner,
                        const struct rrset *rrset)
{
    struct binding binding = {.manual = engine->manual};
    if (manual_count(engine->manual) > 0) {
        each_member(apex, owner, rrset, bind_member, &binding);
    }
}

struct search {
    const struct manual *manual;
    const struct member *member;
    const struct manual_entry *entry;
};

static void search_member(void *context, const struct manual_identity *identity,
                          struct member *member)
{
    struct search *search = context;
    if (member == search->member) {
        search->entry = manual_find(search->manual, identity);
    }
}

const struct manual_entry *engine_manual_entry(const struct engine *engine, const uint8_t *apex,
                                               const struct owner *owner, const struct rrset *rrset,
                                               const struct member *member)
{
    struct search search = {.manual = engine->manual, .member = member};
    each_member(apex, owner, rrset, search_member, &search);
    return search.entry;
}

// After a change of the list: every member again.
static void rebind(struct engine *engine)
{
    for (size_t i = 0; i < engine->zones.count; i++) {
        const struct zone_state *zone = engine->zones.items[i];
        for (size_t k = 0; k < zone->steered_count; k++) {
            const struct steered *steered = zone->steered[k];
            struct binding binding = {.manual = engine->manual};
            each_member(zone->apex, steered->owner, steered->rrset, bind_member, &binding);
            if (binding.changed) {
                engine_mark_dirty(engine, steered->slot);
            }
        }
    }
}

struct counting {
    const char *pattern;
    size_t count;
    struct health *release; // checks of matching members are let back; NULL: only counted
};

static void count_member(void *context, const struct manual_identity *identity,
                         struct member *member)
{
    struct counting *counting = context;
    if (!manual_pattern_matches(counting->pattern, identity)) {
        return;
    }
    if (counting->release == NULL) {
        counting->count++;
    } else if (member->check >= 0) {
        counting->count += health_release_down(counting->release, member->check);
    }
}

static void each_served_member(struct engine *engine, visit_member *visit, void *context)
{
    for (size_t i = 0; i < engine->zones.count; i++) {
        const struct zone_state *zone = engine->zones.items[i];
        for (size_t k = 0; k < zone->steered_count; k++) {
            each_member(zone->apex, zone->steered[k]->owner, zone->steered[k]->rrset, visit,
                        context);
        }
    }
}

static bool save(struct engine *engine, struct diags *diags)
{
    bool saved = engine->manual_path == NULL ||
                 manual_file_write(engine->manual_path, engine->manual, diags);
    engine->manual_save_ns = saved ? INT64_MAX : clock_monotonic_ns(engine->clock) + SAVE_RETRY_NS;
    return saved;
}

static void after_change(struct engine *engine)
{
    manual_tick(engine->manual, &engine->manual_next_ns);
    rebind(engine);
    engine_publish_dirty(engine); // it answers so before it is acknowledged
}

void engine_manual_open(struct engine *engine)
{
    struct diags diags = {0};
    engine->manual = manual_new(engine->clock);
    engine->manual_next_ns = engine->manual_save_ns = INT64_MAX;
    if (engine->config->health_state != NULL) {
        engine->manual_path = mem_printf("%s/health.manual", engine->config->health_state);
        if (!manual_file_read(engine->manual_path, engine->manual, &diags)) {
            engine_log_fault(LOG_EVENT_STATE_DAMAGED, engine->manual_path, &diags);
        }
    }
    diags_clear(&diags);
    manual_tick(engine->manual, &engine->manual_next_ns);
}

static void save_or_log(struct engine *engine)
{
    struct diags diags = {0};
    if (!save(engine, &diags)) {
        engine_log_fault(LOG_EVENT_STATE_NOT_SAVED, engine->manual_path, &diags);
    }
    diags_clear(&diags);
}

int64_t engine_manual_tick(struct engine *engine)
{
    int64_t now_ns = clock_monotonic_ns(engine->clock);
    size_t ended = 0;
    if (now_ns >= engine->manual_next_ns) {
        ended = manual_tick(engine->manual, &engine->manual_next_ns);
        rebind(engine);
        engine_tell_manual(engine, "window", "", NULL);
    }
    if (ended > 0) {
        log_event(LOG_EVENT_MANUAL_ENDED, "entries=%zu reason=until", ended);
    }
    if (ended > 0 || now_ns >= engine->manual_save_ns) {
        save_or_log(engine);
    }
    return MIN(engine->manual_next_ns, engine->manual_save_ns);
}

// --- for the API

size_t engine_manual_count(const struct engine *engine)
{
    return manual_count(engine->manual);
}

json_t *engine_manual_list(struct engine *engine)
{
    json_t *list = json_array();
    for (size_t i = 0; i < manual_count(engine->manual); i++) {
        const struct manual_entry *entry = manual_entry(engine->manual, i);
        struct counting counting = {.pattern = entry->pattern};
        each_served_member(engine, count_member, &counting);
        json_t *json = manual_entry_json(entry);
        json_object_set_new(json, "in_force", json_boolean(manual_in_force(engine->manual, i)));
        json_object_set_new(json, "members", json_integer((json_int_t)counting.count));
        json_array_append_new(list, json);
    }
    return list;
}

json_t *engine_manual_set(struct engine *engine, const struct manual_entry *wanted, int64_t for_ns,
                          struct diags *diags)
{
    struct manual_entry entry = *wanted;
    entry.set_ns = clock_wall_ns(engine->clock) / NS_PER_SECOND * NS_PER_SECOND; // as on disk
    entry.from_ns = entry.from_ns == 0 ? entry.set_ns : entry.from_ns;
    if (for_ns > 0 && __builtin_add_overflow(entry.from_ns, for_ns, &entry.until_ns)) {
        diags_error(diags, (struct place){0}, "for", "it ends later than there are times");
        return NULL;
    }
    if (!manual_entry_check(&entry, entry.set_ns, diags)) {
        return NULL;
    }
    const struct manual_entry *added = manual_add(engine->manual, &entry);
    if (added == NULL) {
        diags_error(diags, (struct place){0}, NULL, "there are %d entries already: clear some",
                    MANUAL_ENTRIES_MAX);
        return NULL;
    }
    if (!save(engine, diags)) {
        manual_drop_last(engine->manual);
        return NULL;
    }
    char who[300], why[300], pattern[300];
    log_event(LOG_EVENT_MANUAL_SET, "id=%llu state=%s pattern=%s who=%s why=%s",
              (unsigned long long)added->id, manual_state_names[added->state],
              log_quote(added->pattern, pattern, sizeof(pattern)),
              log_quote(added->who, who, sizeof(who)), log_quote(added->why, why, sizeof(why)));
    json_t *json = manual_entry_json(added);
    engine_tell_manual(engine, manual_state_names[added->state], added->pattern, added);
    struct counting counting = {.pattern = added->pattern};
    each_served_member(engine, count_member, &counting);
    json_object_set_new(json, "members", json_integer((json_int_t)counting.count));
    after_change(engine);
    return json;
}

bool engine_manual_clear(struct engine *engine, const char *pattern, size_t *removed,
                         struct diags *diags)
{
    char quoted[300];
    *removed = manual_remove(engine->manual, pattern);
    if (*removed == 0) {
        return true;
    }
    log_event(LOG_EVENT_MANUAL_ENDED, "entries=%zu reason=cleared pattern=%s", *removed,
              log_quote(pattern, quoted, sizeof(quoted)));
    engine_tell_manual(engine, "cleared", pattern, NULL);
    after_change(engine);
    return save(engine, diags);
}

bool engine_health_release(struct engine *engine, const char *pattern, size_t *released,
                           struct diags *diags)
{
    struct counting counting = {.pattern = pattern, .release = engine->health};
    if (!manual_pattern_check(pattern, diags)) {
        return false;
    }
    each_served_member(engine, count_member, &counting);
    *released = counting.count;
    return true;
}
