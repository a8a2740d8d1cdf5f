// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/engine_find.h"

#include "dns/types.h"

#include <string.h>

const char *const name_standing_texts[NAME_STANDINGS] = {
    [NAME_NO_ZONE] = "no zone",     [NAME_RECORDS] = "records",       [NAME_ALIAS] = "alias",
    [NAME_NO_TYPE] = "no type",     [NAME_EMPTY] = "empty",           [NAME_NONE] = "nothing",
    [NAME_DELEGATED] = "delegated", [NAME_REDIRECTED] = "redirected",
};

// The zone with the longest apex at or above the name. The DS of an apex is its parent's
// (RFC 4035, 3.1.4.1).
static const struct zone_state *zone_of_name(const struct engine *engine, const uint8_t *name,
                                             uint16_t type)
{
    const struct zone_state *own = NULL;
    for (const uint8_t *at = name;; at = name_parent(at)) {
        const struct zone_state *zone = engine_zone_find(engine, at);
        if (zone != NULL && at == name && type == TYPE_DS && !name_is_root(name)) {
            own = zone; // unless a parent is here, too
        } else if (zone != NULL) {
            return zone;
        }
        if (name_is_root(at)) {
            return own;
        }
    }
}

// The topmost cut or DNAME at or above the name, below the apex; its owner, or NULL.
static const struct owner *look_above(struct found_name *found, const uint8_t *name, uint16_t type)
{
    const struct owner *top = NULL;
    const uint8_t *apex = found->zone->apex;
    for (const uint8_t *at = name;; at = name_parent(at)) {
        const struct owner *owner = zone_find(found->zone->zone, at);
        bool is_apex = name_equal(at, apex);
        bool cut =
            owner && !is_apex && owner_rrset(owner, TYPE_NS) && !(at == name && type == TYPE_DS);
        bool redirected = owner && at != name && owner_rrset(owner, TYPE_DNAME);
        if (cut || redirected) {
            top = owner;
            found->standing = cut ? NAME_DELEGATED : NAME_REDIRECTED;
            found->rrset = owner_rrset(owner, cut ? TYPE_NS : TYPE_DNAME);
        }
        if (is_apex) {
            return top;
        }
    }
}

// Empty non-terminals exist, too; the model does not list them.
static bool name_exists(const struct zone *zone, const uint8_t *name)
{
    bool found = zone_find(zone, name) != NULL;
    for (size_t i = 0; i < zone_owner_count(zone) && !found; i++) {
        found = name_within(zone_owner(zone, i)->name, name);
    }
    return found;
}

static const struct owner *wildcard_below(const struct zone *zone, const uint8_t *encloser)
{
    uint8_t wildcard[NAME_MAX_SIZE + 2] = {1, '*'};
    size_t size = name_size(encloser);
    if (size + 2 > NAME_MAX_SIZE) {
        return NULL;
    }
    memcpy(wildcard + 2, encloser, size);
    return zone_find(zone, wildcard);
}

static void look_at_owner(struct found_name *found, uint16_t type)
{
    found->rrset = owner_rrset(found->owner, type);
    found->standing = NAME_RECORDS;
    if (found->rrset == NULL) {
        found->rrset = owner_rrset(found->owner, TYPE_CNAME);
        if (found->rrset == NULL && (type == TYPE_A || type == TYPE_AAAA)) {
            found->rrset = owner_rrset(found->owner, TYPE_ALIAS);
        }
        found->standing = found->rrset ? NAME_ALIAS : NAME_NO_TYPE;
    }
}

struct found_name engine_find_name(const struct engine *engine, const uint8_t *name, uint16_t type)
{
    struct found_name found = {.standing = NAME_NO_ZONE};
    found.zone = zone_of_name(engine, name, type);
    if (found.zone == NULL) {
        return found;
    }
    const struct zone *zone = found.zone->zone;
    found.owner = look_above(&found, name, type);
    if (found.owner != NULL) {
        return found;
    }
    found.owner = zone_find(zone, name);
    if (found.owner != NULL) {
        look_at_owner(&found, type);
        return found;
    }
    if (name_exists(zone, name)) {
        found.standing = NAME_EMPTY;
        return found;
    }
    found.encloser = name_parent(name);
    while (!name_exists(zone, found.encloser)) { // ends at the apex at the latest
        found.encloser = name_parent(found.encloser);
    }
    found.standing = NAME_NONE;
    found.owner = wildcard_below(zone, found.encloser);
    if (found.owner != NULL) {
        found.wildcard = true;
        look_at_owner(&found, type);
    }
    return found;
}
