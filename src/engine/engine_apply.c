// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a load to a generation. Control thread.
//
// Order matters: checks of the new policies are acquired before those of the old are released, so
// that a check that both share keeps its state; territories and models of the old version end only
// after publishing, when no reader can hold a plan that points to them. Until change_publish has
// said yes, nothing of the engine is changed but that.
#include "engine/engine_internal.h"

#include "base/log.h"
#include "base/memory.h"
#include "dns/types.h"
#include "health/expression.h"
#include "probe/target.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 1 << 13 }; // zones whose models are given back together

struct apply {
    struct engine *engine;
    struct load *load;
    const struct lines *lines; // the newest
    const struct geo *geo;
    struct zone_state *zone; // being put
    struct {
        struct steered *steered;
        struct territory *territory;
    } * moved; // unchanged RRsets whose territory is made anew, with their old one
    size_t moved_count, moved_capacity;
    const char *anchors; // the file that a check named last
};

// --- checks

static bool check_is_run(const struct policy *policy, const struct member *member)
{
    return policy->check.kind != CHECK_NONE && member->pool == NULL &&
           member->status == STATUS_OBEY && !member->disabled;
}

// What the checks of a member are about: its value, if that is an address. Of others the reader has
// let pass only checks that look elsewhere.
static struct address member_value(uint16_t type, const struct member *member)
{
    struct address address = {.family = FAMILY_NONE};
    if (type == TYPE_A || type == TYPE_AAAA) {
        address.family = type == TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;
        SP_ASSERT(member->rdata_size <= sizeof(address.bytes));
        memcpy(address.bytes, member->rdata, member->rdata_size);
    }
    return address;
}

// A target that no probe may go to is never judged: better said than found out.
static void check_target(struct apply *apply, const struct member *member,
                         const struct address *value, const struct check_spec *check)
{
    const struct config *config = apply->engine->config;
    const struct address *target = check->target.family != FAMILY_NONE ? &check->target : value;
    for (size_t i = 0; i < check->operand_count; i++) {
        check_target(apply, member, target, check->operands[i]);
    }
    if (check_kinds[check->kind].probed &&
        target_denied(target, config->health_allow, config->health_allow_count)) {
        diags_warning(&apply->load->diags, member->place, member->text,
                      "probes may not go to this address, so it counts as up; allow its network in "
                      "health.allow of the configuration");
    }
}

static bool has_command(const struct config *config, const char *name)
{
    size_t i = 0;
    while (i < config->health_command_count && strcmp(config->health_commands[i].name, name) != 0) {
        i++;
    }
    return i < config->health_command_count;
}

// What a definition names and this machine has not: such a check judges nobody either.
static void check_means(struct apply *apply, const struct member *member,
                        const struct check_spec *check)
{
    struct diags *diags = &apply->load->diags;
    for (size_t i = 0; i < check->operand_count; i++) {
        check_means(apply, member, check->operands[i]);
    }
    if (check->kind == CHECK_EXEC && !has_command(apply->engine->config, check->command)) {
        diags_warning(diags, member->place, "command",
                      "health.commands of the configuration has no \"%s\", so who is checked by it "
                      "counts as up",
                      check->command);
    }
    bool again = apply->anchors != NULL && check->ca_path != NULL &&
                 strcmp(apply->anchors, check->ca_path) == 0; // most share one file
    if (check->ca_path != NULL && !again && access(check->ca_path, R_OK) != 0) {
        diags_warning(diags, member->place, "ca", "%s: %s, so who is checked with it counts as up",
                      check->ca_path, strerror(errno));
    }
    apply->anchors = check->ca_path != NULL ? check->ca_path : apply->anchors;
}

static void checks_acquire(struct apply *apply, const struct rrset *rrset)
{
    struct engine *engine = apply->engine;
    const struct policy *policy = rrset->policy;
    for (size_t i = 0; i < policy->value_count; i++) {
        policy->values[i].check = -1;
    }
    bool looked = policy->check.kind == CHECK_NONE;
    for (size_t i = 0; i < policy->pool_count; i++) {
        if (!looked && policy->pools[i].member_count > 0) {
            check_means(apply, &policy->pools[i].members[0], &policy->check);
            looked = true;
        }
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            struct member *member = &policy->pools[i].members[k];
            member->check = -1;
            if (check_is_run(policy, member)) {
                struct address value = member_value(rrset->type, member);
                check_target(apply, member, &value, &policy->check);
                member->check = expression_acquire(engine->health, &value, &policy->check);
                if (engine->recalled != NULL) {
                    check_states_recall(engine->recalled, engine->health, member->check);
                }
            }
        }
    }
}

static void checks_release(struct engine *engine, const struct rrset *rrset)
{
    const struct policy *policy = rrset->policy;
    for (size_t i = 0; i < policy->pool_count; i++) {
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            const struct member *member = &policy->pools[i].members[k];
            if (member->check >= 0) {
                struct address value = member_value(rrset->type, member);
                expression_release(engine->health, &value, &policy->check);
            }
        }
    }
}

// --- building the change

static struct plan *make_plan(void *context, const struct owner *owner, const struct rrset *rrset,
                              uint32_t slot)
{
    struct apply *apply = context;
    struct engine *engine = apply->engine;
    checks_acquire(apply, rrset);
    engine_manual_bind(engine, apply->zone->apex, owner, rrset);
    struct steered *steered = mem_alloc(sizeof(*steered));
    *steered = (struct steered){.slot = slot, .owner = owner, .rrset = rrset};
    steered->territory =
        territory_acquire(engine->territories, rrset->policy, apply->lines, apply->geo);
    struct zone_state *zone = apply->zone;
    MEM_GROW(zone->steered, zone->steered_count, zone->steered_capacity);
    zone->steered[zone->steered_count++] = steered;
    engine_ramps_bind(engine, owner, rrset);
    return engine_compile(engine, steered, true);
}

// Geo data changed: the policies of unchanged zones get new territories and plans.
static void move_zone(struct apply *apply, struct change *change, struct zone_state *served)
{
    struct engine *engine = apply->engine;
    for (size_t i = 0; i < served->steered_count; i++) {
        struct steered *steered = served->steered[i];
        MEM_GROW(apply->moved, apply->moved_count, apply->moved_capacity);
        apply->moved[apply->moved_count].steered = steered;
        apply->moved[apply->moved_count++].territory = steered->territory;
        steered->territory = territory_acquire(engine->territories, steered->rrset->policy,
                                               apply->lines, apply->geo);
        change_plan(change, steered->slot, engine_compile(engine, steered, true));
    }
}

static void fill_change(struct apply *apply, struct change *change)
{
    struct engine *engine = apply->engine;
    struct load *load = apply->load;
    for (size_t i = 0; i < engine->zones.count; i++) {
        const uint8_t *apex = engine->zones.items[i]->apex;
        if (zone_table_find(&load->zones, apex) < 0) {
            change_zone_remove(change, apex);
        }
    }
    const bool many = engine_models_are_many(engine, &load->zones);
    for (size_t i = 0; i < load->zones.count; i++) {
        struct zone_state *state = load->zones.items[i];
        apply->zone = state;
        if (state->zone != NULL) {
            change_zone(change, state->zone, make_plan, apply);
        } else if (load->geo != NULL) {
            move_zone(apply, change, engine_zone_find(engine, state->apex));
        }
        const size_t done = i + 1;
        if (many && (done % BATCH == 0 || done == load->zones.count)) {
            const size_t from = i / BATCH * BATCH;
            engine_release_small(engine, load->zones.items + from, done - from);
        }
    }
}

// --- after the verdict

static void zone_state_end(struct engine *engine, struct zone_state *state)
{
    for (size_t i = 0; i < state->steered_count; i++) {
        struct steered *steered = state->steered[i];
        if (steered->slot < engine->steered_size && engine->steered[steered->slot] == steered) {
            engine->steered[steered->slot] = NULL;
        }
        territory_release(engine->territories, steered->territory);
        territory_release(engine->territories, steered->projection);
        checks_release(engine, steered->rrset);
    }
    zone_state_free(state);
}

static void undo(struct apply *apply)
{
    struct engine *engine = apply->engine;
    for (size_t i = 0; i < apply->moved_count; i++) {
        struct steered *steered = apply->moved[i].steered;
        territory_release(engine->territories, steered->territory);
        steered->territory = apply->moved[i].territory;
    }
    for (size_t i = 0; i < apply->load->zones.count; i++) {
        zone_state_end(engine, apply->load->zones.items[i]);
    }
    zone_table_clear(&apply->load->zones);
}

static void steered_set(struct engine *engine, struct steered *steered)
{
    if (steered->slot >= engine->steered_size) {
        size_t size = MAX(engine->steered_size * 2, (size_t)steered->slot + 64);
        engine->steered = mem_resize(engine->steered, size, sizeof(*engine->steered));
        engine->is_dirty = mem_resize(engine->is_dirty, size, sizeof(*engine->is_dirty));
        for (size_t i = engine->steered_size; i < size; i++) {
            engine->steered[i] = NULL;
            engine->is_dirty[i] = false;
        }
        engine->steered_size = size;
    }
    engine->steered[steered->slot] = steered;
}

// The served zones after the change: new states, or the old ones of unchanged files.
static void take_zones(struct engine *engine, struct load *load)
{
    struct zone_table old = engine->zones;
    for (size_t i = 0; i < load->zones.count; i++) {
        struct zone_state *state = load->zones.items[i];
        for (size_t k = 0; k < state->steered_count; k++) {
            steered_set(engine, state->steered[k]);
        }
        if (state->zone == NULL) { // the served version stays
            long index = zone_table_find(&old, state->apex);
            SP_ASSERT(index >= 0);
            load->zones.items[i] = old.items[index];
            zone_state_free(state);
        }
    }
    engine->zones = load->zones;
    load->zones = (struct zone_table){0};
    for (size_t i = 0; i < old.count; i++) {
        if (engine_zone_find(engine, old.items[i]->apex) != old.items[i]) {
            zone_state_end(engine, old.items[i]);
        }
    }
    zone_table_clear(&old);
}

static void take_lines_and_geo(struct engine *engine, struct load *load)
{
    struct lines *old_lines = load->lines ? engine->lines : NULL;
    struct lines *old_geo_lines = load->geo ? engine->geo_lines : NULL;
    if (load->lines != NULL) {
        shared_free(engine->shared);
        engine->shared = load->shared;
        engine->lines = load->lines;
        load->shared = NULL;
        load->lines = NULL;
    }
    engine->shared_stamp = load->shared_stamp;
    engine->lines_stamp = load->lines_stamp;
    if (load->geo != NULL) {
        engine_populations_drop(engine);
        geo_free(engine->geo);
        engine->geo = load->geo;
        engine->geo_lines = engine->lines;
        load->geo = NULL;
    }
    if (old_lines != NULL && old_lines != engine->geo_lines) {
        lines_free(old_lines);
    }
    if (old_geo_lines != NULL && old_geo_lines != old_lines && old_geo_lines != engine->lines) {
        lines_free(old_geo_lines);
    }
    free(engine->geo_stamps);
    engine->geo_stamps = load->geo_stamps;
    load->geo_stamps = NULL;
}

static void log_geo(const struct engine *engine)
{
    struct geo_summary summary = geo_summary(engine->geo);
    log_event(LOG_EVENT_GEO_LOADED,
              "locations=%zu networks_ipv4=%zu networks_ipv6=%zu asn_networks=%zu bytes=%zu",
              summary.location_count, summary.network_count_ipv4, summary.network_count_ipv6,
              summary.asn_network_count, summary.memory_size);
    if (!summary.has_places || !summary.has_asns) {
        log_event(LOG_EVENT_GEO_OFF, "countries_and_regions=%s asns=%s isp_lines=%s",
                  summary.has_places ? "on" : "off", summary.has_asns ? "on" : "off",
                  summary.has_asns ? "on" : "built-in networks only");
    }
}

// The change answers: the engine follows it.
static void take_over(struct apply *apply)
{
    struct engine *engine = apply->engine;
    struct load *load = apply->load;
    for (size_t i = 0; i < apply->moved_count; i++) {
        territory_release(engine->territories, apply->moved[i].territory);
    }
    bool new_geo = load->geo != NULL;
    take_zones(engine, load);
    take_lines_and_geo(engine, load);
    engine_index_checks(engine);
    engine_ramps_index(engine);
    engine_loads_index(engine);
    engine_rtt_index(engine);
    engine_states_close(engine);
    engine_models_forget(engine); // they are made of the generation before
    if (new_geo) {
        log_geo(engine);
    }
}

bool engine_apply(struct engine *engine, struct load *load)
{
    engine_models_forget(engine);
    if (load->diags.error_count == 0) {
        engine_check_aliases(engine, load);
    }
    if (load->diags.error_count > 0) {
        return false;
    }
    struct apply apply = {.engine = engine, .load = load};
    apply.lines = load->lines ? load->lines : engine->lines;
    apply.geo = load->geo ? load->geo : engine->geo;
    if (load->lines != NULL || load->geo != NULL) {
        territories_forget(engine->territories);
    }
    struct change *change = change_begin(engine->publisher);
    fill_change(&apply, change);
    if (load->cookies.count > 0) {
        change_cookies(change, &load->cookies);
    }
    bool published = change_publish(change, &load->diags);
    engine_plans_settle(engine, published);
    if (published) {
        take_over(&apply);
    } else {
        undo(&apply);
    }
    free(apply.moved);
    return published;
}
