// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finding names: closest encloser and wildcard (RFC 4592), zones in one another, and the silent
// following of aliases that ALIAS records and the hints of services need.
//
// Called by resolve.c and service.c for what the fast path leaves. Bounded whatever the data: one
// look-up a label, CHAIN_MAX links.
#include "answer/follow.h"

#include <string.h>

// The name within one zone, whose apex is at or above it.
static struct place_found find_in_zone(const struct generation *generation, const uint8_t *name,
                                       size_t size, uint32_t zone)
{
    struct place_found found = {0};
    for (const uint8_t *at = name;; size -= at[0] + 1U, at += at[0] + 1) {
        uint64_t hash = generation_hash(generation, at, size);
        const struct node *node = index_find_in_zone(generation->names, hash, at, size, zone);
        if (node != NULL && !(node->flags & NODE_OCCLUDED)) {
            found.node = at == name ? node : NULL;
            found.encloser = node;
            return found;
        }
    }
}

struct place_found response_find(const struct generation *generation, const uint8_t *name,
                                 size_t size, uint16_t type)
{
    struct place_found found = {0};
    uint64_t hash = generation_hash(generation, name, size);
    if (type == TYPE_DS) { // the parent's side of a cut answers for DS (RFC 4035, 3.1.4.1)
        found.node = index_find(generation->names, hash, name, size, NODE_OCCLUDED | NODE_APEX);
        if (found.node != NULL &&
            generation_apex_between(generation, name, size, found.node->apex_label_count) != NULL) {
            found.node = NULL; // it is not the parent's
        }
    }
    if (found.node == NULL) {
        found.node = index_find(generation->names, hash, name, size, NODE_OCCLUDED);
    }
    found.encloser = found.node;
    unsigned labels = name_label_count(name);
    size_t left = size;
    for (const uint8_t *at = name; found.encloser == NULL && labels > 0;) {
        left -= at[0] + 1U;
        at += at[0] + 1;
        if (--labels <= generation->labels_max) { // nothing deeper exists: no use in asking
            hash = generation_hash(generation, at, left);
            found.encloser = index_find(generation->names, hash, at, left, NODE_OCCLUDED);
        }
    }
    const struct node *child =
        found.encloser
            ? generation_apex_between(generation, name, size, found.encloser->apex_label_count)
            : NULL;
    return child ? find_in_zone(generation, name, size, child->zone) : found;
}

const struct node *response_wildcard(const struct generation *generation,
                                     const struct node *encloser)
{
    uint8_t name[NAME_MAX_SIZE + 2] = {1, '*'};
    size_t size = encloser->name_size + 2U;
    if (!(encloser->flags & NODE_HAS_WILDCARD) || size > NAME_MAX_SIZE) {
        return NULL;
    }
    memcpy(name + 2, node_name(encloser), encloser->name_size);
    return index_find_in_zone(generation->names, generation_hash(generation, name, size), name,
                              size, encloser->zone);
}

// A name on its way along aliases.
struct trail {
    uint8_t name[NAME_MAX_SIZE]; // folded
    size_t size;
    uint32_t ttl_max;
};

static void trail_move(struct trail *trail, const uint8_t *record)
{
    const uint8_t *target = record + 12;
    trail->size = name_size(target);
    name_fold(target, trail->size, trail->name);
    trail->ttl_max = MIN(trail->ttl_max, get_u32(record + 6));
}

// False when the new name would be too long (RFC 6672, 2.2).
static bool trail_substitute(struct trail *trail, const struct node *dname)
{
    const uint8_t *record = node_records(dname, node_rrset(dname, TYPE_DNAME));
    size_t prefix = trail->size - dname->name_size, target_size = name_size(record + 12);
    if (prefix + target_size > NAME_MAX_SIZE) {
        return false;
    }
    name_fold(record + 12, target_size, trail->name + prefix);
    trail->size = prefix + target_size;
    trail->ttl_max = MIN(trail->ttl_max, get_u32(record + 6));
    return true;
}

// The record that leads on from a node without the type; NULL: none does.
static const uint8_t *link_of(struct response *response, const struct node *node)
{
    uint16_t type = node->flags & NODE_HAS_CNAME ? TYPE_CNAME : TYPE_ALIAS;
    const struct node_rrset *rrset = node_rrset(node, type);
    if (rrset == NULL) {
        return NULL;
    }
    if (rrset->plan == 0) {
        return node_records(node, rrset);
    }
    struct pick pick;
    response_pick(response, rrset, &pick);
    return pick.kind == PICK_MEMBERS ? pick.records[0] : NULL;
}

bool response_follow(struct response *response, const uint8_t *name, uint16_t type,
                     struct followed *found)
{
    const struct generation *generation = response->generation;
    struct trail trail = {.size = name_size(name), .ttl_max = UINT32_MAX};
    name_fold(name, trail.size, trail.name);
    for (unsigned links = 0; links <= CHAIN_MAX; links++) {
        struct place_found place = response_find(generation, trail.name, trail.size, type);
        if (place.encloser == NULL || place.encloser->flags & NODE_CUT) {
            return false;
        }
        if (place.node == NULL && place.encloser->flags & NODE_HAS_DNAME) {
            if (!trail_substitute(&trail, place.encloser)) {
                return false;
            }
            continue;
        }
        const struct node *node =
            place.node ? place.node : response_wildcard(generation, place.encloser);
        if (node == NULL) {
            return false;
        }
        const struct node_rrset *rrset = node_rrset(node, type);
        if (rrset != NULL) {
            *found = (struct followed){node, rrset, trail.ttl_max};
            return true;
        }
        const uint8_t *record = link_of(response, node);
        if (record == NULL) {
            return false;
        }
        trail_move(&trail, record);
    }
    return false;
}
