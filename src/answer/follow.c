// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finding names: closest encloser and wildcard (RFC 4592), zones in one another, and the silent
// following of aliases that ALIAS records and the hints of services need.
//
// Called by resolve.c and service.c for what the fast path leaves. Bounded whatever the data: a
// name takes one look-up for each depth at which zones begin, and seven for its place in its zone;
// a chain has CHAIN_MAX links, and all of one answer together FOLLOWED_MAX look-ups.
#include "answer/follow.h"

#include <string.h>

// The node of the name's last `depth` labels in a zone, unless it is occluded.
static const struct node *find_ending(const struct generation *generation, const uint8_t *name,
                                      size_t size, const struct name_labels *labels, unsigned depth,
                                      uint32_t zone)
{
    const unsigned at = labels->at[labels->count - depth];
    const uint64_t hash = generation_hash_padded(generation, name + at, size - at);
    const struct node *node =
        index_find_in_zone(generation->names, hash, name + at, size - at, zone);
    return node != NULL && !(node->flags & NODE_OCCLUDED) ? node : NULL;
}

// The name within one zone, whose apex is at or above it. Between the apex and a node there is a
// node at every label, and below an occluded one all are: so the deepest is found by steps that
// double, from the apex on, and halve when one was too far.
static struct place_found find_in_zone(const struct generation *generation, const uint8_t *name,
                                       size_t size, const struct name_labels *labels,
                                       const struct node *apex)
{
    const struct zone_entry *zone = generation_zone(generation, apex);
    struct place_found found = {.encloser = apex};
    unsigned low = apex->label_count, high = MIN(labels->count, zone->nodes.labels_max) + 1;
    for (unsigned step = 1; high - low > 1;) {
        const unsigned depth = low + MIN(step, (high - low) / 2);
        const struct node *node = find_ending(generation, name, size, labels, depth, zone->slot);
        found.looks++;
        if (node != NULL) {
            found.encloser = node;
            low = depth;
            step *= 2;
        } else {
            high = depth;
        }
    }
    found.node = found.encloser->label_count == labels->count ? found.encloser : NULL;
    return found;
}

// The parent's side of a cut answers for DS (RFC 4035, 3.1.4.1). NULL: it has nothing there.
static const struct node *find_at_parent(const struct generation *generation, const uint8_t *name,
                                         size_t size, const struct name_labels *labels)
{
    const struct node *parent = generation_apex(generation, name, size, labels, 0, labels->count);
    return parent ? find_ending(generation, name, size, labels, labels->count, parent->zone) : NULL;
}

struct place_found response_find(const struct generation *generation, const uint8_t *name,
                                 size_t size, const struct name_labels *labels, uint16_t type)
{
    if (type != TYPE_DS) { // most are there, and in no zone within a zone
        const struct node *node =
            index_find(generation->names, generation_hash_padded(generation, name, size), name,
                       size, NODE_OCCLUDED);
        if (node != NULL &&
            depths_below(&generation->apex_depths, labels->count) <= node->apex_label_count) {
            return (struct place_found){.node = node, .encloser = node};
        }
    }
    const struct node *apex = generation_apex(generation, name, size, labels, 0, labels->count + 1);
    const unsigned looks =
        depths_between(&generation->apex_depths, apex ? apex->label_count : 0U, labels->count);
    if (apex == NULL) {
        return (struct place_found){.looks = looks};
    }
    if (type == TYPE_DS && apex->label_count == labels->count) {
        const struct node *node = find_at_parent(generation, name, size, labels);
        if (node != NULL) {
            return (struct place_found){.node = node, .encloser = node};
        }
    }
    struct place_found found = find_in_zone(generation, name, size, labels, apex);
    found.looks += looks;
    return found;
}

const struct node *response_wildcard(const struct generation *generation,
                                     const struct node *encloser)
{
    uint8_t name[NAME_PADDED_SIZE];
    size_t size = encloser->name_size + 2U;
    if (!(encloser->flags & NODE_HAS_WILDCARD) || size > NAME_MAX_SIZE) {
        return NULL;
    }
    name[0] = 1;
    name[1] = '*';
    memcpy(name + 2, node_name(encloser), encloser->name_size);
    block_store(name + size, (block16){0});
    return index_find_in_zone(generation->names, generation_hash_padded(generation, name, size),
                              name, size, encloser->zone);
}

// A name on its way along aliases.
struct trail {
    uint8_t name[NAME_PADDED_SIZE]; // folded and padded
    size_t size;
    uint32_t ttl_max;
};

static void trail_move(struct trail *trail, const uint8_t *record)
{
    const uint8_t *target = record + 12;
    trail->size = name_size(target);
    name_fold_and_pad(target, trail->size, trail->name);
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
    name_fold_and_pad(record + 12, target_size, trail->name + prefix);
    trail->size = prefix + target_size;
    trail->ttl_max = MIN(trail->ttl_max, get_u32(record + 6));
    return true;
}

// The record that leads on from a node without the type.
static enum follow_end link_of(struct response *response, const struct node *node, enum need need,
                               const uint8_t **record)
{
    uint16_t type = node->flags & NODE_HAS_CNAME ? TYPE_CNAME : TYPE_ALIAS;
    const struct node_rrset *rrset = node_rrset(node, type);
    if (rrset == NULL) {
        return FOLLOWED_NONE;
    }
    if (rrset->plan == 0) {
        *record = node_records(node, rrset);
        return FOLLOWED_FOUND;
    }
    if (!response_may_pick(response, rrset, need)) {
        return FOLLOWED_TOO_MUCH;
    }
    struct pick pick;
    response_pick(response, rrset, &pick);
    *record = pick.kind == PICK_MEMBERS ? pick.records[0] : NULL;
    return *record != NULL ? FOLLOWED_FOUND : FOLLOWED_NONE;
}

// One step from where the trail is: the RRset is found, there is none, or the trail goes on, which
// leaves `found` without an RRset.
static enum follow_end follow_step(struct response *response, struct trail *trail, uint16_t type,
                                   enum need need, struct followed *found)
{
    const struct generation *generation = response->generation;
    struct name_labels labels;
    name_labels_find(trail->name, &labels);
    struct place_found place = response_find(generation, trail->name, trail->size, &labels, type);
    response_looked(response, &place, false);
    if (place.encloser == NULL || place.encloser->flags & NODE_CUT) {
        return FOLLOWED_NONE;
    }
    if (place.node == NULL && place.encloser->flags & NODE_HAS_DNAME) {
        return trail_substitute(trail, place.encloser) ? FOLLOWED_FOUND : FOLLOWED_NONE;
    }
    const struct node *node =
        place.node ? place.node : response_wildcard(generation, place.encloser);
    if (node == NULL) {
        return FOLLOWED_NONE;
    }
    const struct node_rrset *rrset = node_rrset(node, type);
    if (rrset != NULL) {
        *found = (struct followed){node, rrset, trail->ttl_max};
        return FOLLOWED_FOUND;
    }
    const uint8_t *record;
    enum follow_end end = link_of(response, node, need, &record);
    if (end == FOLLOWED_FOUND) {
        trail_move(trail, record);
    }
    return end;
}

enum follow_end response_follow(struct response *response, const uint8_t *name, uint16_t type,
                                enum need need, struct followed *found)
{
    struct trail trail;
    if (response->followed >= FOLLOWED_MAX) {
        return FOLLOWED_TOO_MUCH;
    }
    trail.size = name_size(name);
    trail.ttl_max = UINT32_MAX;
    name_fold_and_pad(name, trail.size, trail.name);
    found->rrset = NULL;
    for (unsigned links = 0; links <= CHAIN_MAX; links++) {
        enum follow_end end = follow_step(response, &trail, type, need, found);
        if (end != FOLLOWED_FOUND || found->rrset != NULL) {
            return end;
        }
        if (response->followed >= FOLLOWED_MAX) {
            return FOLLOWED_TOO_MUCH;
        }
    }
    return FOLLOWED_NONE;
}
