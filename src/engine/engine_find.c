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

// How many labels the ends of two names have in common.
static unsigned labels_shared(const uint8_t *one, const uint8_t *other)
{
    unsigned count = name_label_count(one), other_count = name_label_count(other);
    for (; count > other_count; count--) {
        one = name_parent(one);
    }
    for (; other_count > count; other_count--) {
        other = name_parent(other);
    }
    while (!name_equal(one, other)) { // the root ends it at the latest
        one = name_parent(one);
        other = name_parent(other);
        count--;
    }
    return count;
}

// The name itself, or the closest above it that exists. Empty non-terminals exist, too; the model
// does not list them, so every owner is looked at once.
static const uint8_t *closest_existing(const struct zone *zone, const uint8_t *name)
{
    unsigned shared = name_label_count(zone_apex(zone)), labels = name_label_count(name);
    for (size_t i = 0; i < zone_owner_count(zone) && shared < labels; i++) {
        shared = MAX(shared, labels_shared(zone_owner(zone, i)->name, name));
    }
    for (; labels > shared; labels--) {
        name = name_parent(name);
    }
    return name;
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
    const uint8_t *closest = closest_existing(zone, name);
    if (closest == name) {
        found.standing = NAME_EMPTY;
        return found;
    }
    found.encloser = closest;
    found.standing = NAME_NONE;
    found.owner = wildcard_below(zone, found.encloser);
    if (found.owner != NULL) {
        found.wildcard = true;
        look_at_owner(&found, type);
    }
    return found;
}
