// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether every ALIAS of a load points to a name that is served here, and to no loop.
//
// Looks at all zones as they will be, because a zone that goes takes the targets in it along. Only
// zones that have an ALIAS are walked. Control thread, before the change is built.
#include "engine/engine_internal.h"

#include "dns/types.h"

#include <string.h>

// The zone that will answer for the name, or NULL.
static const struct zone *zone_of(const struct engine *engine, const struct load *load,
                                  const uint8_t *name)
{
    for (;; name = name_parent(name)) {
        long index = zone_table_find(&load->zones, name);
        if (index >= 0) {
            const struct zone_state *state = load->zones.items[index];
            return state->zone ? state->zone : engine_zone_find(engine, state->apex)->zone;
        }
        if (name_is_root(name)) {
            return NULL;
        }
    }
}

static bool is_delegated(const struct zone *zone, const uint8_t *name)
{
    for (; !name_equal(name, zone_apex(zone)); name = name_parent(name)) {
        const struct owner *owner = zone_find(zone, name);
        if (owner != NULL && owner_rrset(owner, TYPE_NS) != NULL) {
            return true;
        }
    }
    return false;
}

// The name's owner, or the wildcard that stands for it.
static const struct owner *owner_of(const struct zone *zone, const uint8_t *name)
{
    const struct owner *owner = zone_find(zone, name);
    while (owner == NULL && !name_equal(name, zone_apex(zone))) {
        uint8_t wildcard[NAME_MAX_SIZE + 2] = {1, '*'};
        name = name_parent(name);
        size_t size = name_size(name);
        memcpy(wildcard + 2, name, size);
        owner = size + 2 <= NAME_MAX_SIZE ? zone_find(zone, wildcard) : NULL;
        if (zone_find(zone, name) != NULL) {
            break;
        }
    }
    return owner;
}

// Where an owner leads on to, or NULL.
static const uint8_t *link_of(const struct owner *owner)
{
    const struct rrset *rrset = owner_rrset(owner, TYPE_CNAME);
    rrset = rrset ? rrset : owner_rrset(owner, TYPE_ALIAS);
    return rrset && rrset->record_count > 0 ? rrset->records[0].rdata : NULL;
}

// What is wrong with the way from here, or NULL.
static const char *fault_of(const struct engine *engine, const struct load *load,
                            const uint8_t *target)
{
    bool first = true;
    for (unsigned links = 0; links <= CHAIN_MAX; links++, first = false) {
        const struct zone *zone = zone_of(engine, load, target);
        if (zone == NULL) {
            return first ? "which is in no zone of this server; only names that are served here "
                           "can be followed"
                         : "which leads to a name in no zone of this server";
        }
        if (is_delegated(zone, target)) {
            return "which is delegated to other servers";
        }
        const struct owner *owner = owner_of(zone, target);
        target = owner ? link_of(owner) : NULL;
        if (target == NULL) {
            return NULL;
        }
    }
    _Static_assert(CHAIN_MAX == 8, "as the text says");
    return "which leads in a circle, or over more than 8 names";
}

static void check_zone(const struct engine *engine, struct load *load, const struct zone *zone)
{
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        const struct owner *owner = zone_owner(zone, i);
        const struct rrset *alias = owner_rrset(owner, TYPE_ALIAS);
        if (alias == NULL || alias->record_count == 0) {
            continue;
        }
        const uint8_t *target = alias->records[0].rdata;
        const char *fault = fault_of(engine, load, target);
        if (fault != NULL) {
            char name[NAME_TEXT_MAX], target_text[NAME_TEXT_MAX];
            diags_error(&load->diags, alias->place, name_format(owner->name, name),
                        "the ALIAS points to %s, %s", name_format(target, target_text), fault);
        }
    }
}

void engine_check_aliases(const struct engine *engine, struct load *load)
{
    for (size_t i = 0; i < load->zones.count; i++) {
        const struct zone_state *state = load->zones.items[i];
        const struct zone_state *served =
            state->zone ? NULL : engine_zone_find(engine, state->apex);
        const struct zone *zone = state->zone ? state->zone : served ? served->zone : NULL;
        if (zone != NULL && zone_has_alias(zone)) {
            check_zone(engine, load, zone);
        }
    }
}
