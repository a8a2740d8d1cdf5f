// SPDX-License-Identifier: GPL-3.0-or-later
//
// From nodes back to owners: what a zone's document said of a name, made of what answers. Control
// thread; cold. The records are not copied: an owner points into its node and lives no longer.
#include "answer/generation_internal.h"

#include "dns/wire.h"

#include <string.h>

static struct rrset *rrset_make(const struct node *node, const struct node_rrset *from,
                                struct arena *arena)
{
    struct rrset *rrset = arena_alloc(arena, sizeof(*rrset));
    const uint8_t *at = node_records(node, from);
    rrset->type = from->type;
    rrset->ttl = rrset->ttl_most = get_u32(at + 6);
    rrset->record_count = rrset->record_capacity = from->count;
    rrset->records = arena_alloc(arena, from->count * sizeof(*rrset->records));
    for (unsigned i = 0; i < from->count; i++) {
        const uint16_t size = get_u16(at + 10);
        rrset->records[i] = (struct record){at + 12, size};
        at += 12U + size;
    }
    return rrset;
}

static const struct owner *owner_make(const struct node *node, struct arena *arena)
{
    struct owner *owner = arena_alloc(arena, sizeof(*owner));
    owner->name = node_name(node);
    owner->name_size = node->name_size;
    for (unsigned i = node->rrset_count; i > 0; i--) {
        struct rrset *rrset = rrset_make(node, &node->rrsets[i - 1], arena);
        rrset->next = owner->rrsets;
        owner->rrsets = rrset;
    }
    return owner;
}

static const struct zone_entry *entry_of(const struct generation *generation, const uint8_t *apex)
{
    uint8_t folded[NAME_MAX_SIZE];
    size_t size = name_size(apex);
    name_fold(apex, size, folded);
    const struct node *node =
        index_find(generation->names, generation_hash(generation, folded, size), folded, size, 0);
    SP_ASSERT(node != NULL && node->flags & NODE_APEX);
    return generation_zone(generation, node);
}

const struct owner *generation_owner(const struct generation *generation, const uint8_t *apex,
                                     const uint8_t *name, struct arena *arena)
{
    uint8_t folded[NAME_MAX_SIZE];
    size_t size = name_size(name);
    name_fold(name, size, folded);
    const struct node *node =
        index_find_in_zone(generation->names, generation_hash(generation, folded, size), folded,
                           size, entry_of(generation, apex)->slot);
    bool has_records = node != NULL && node->rrset_count > 0; // else an empty non-terminal
    return has_records ? owner_make(node, arena) : NULL;
}

struct owner_list generation_owners(const struct generation *generation, const uint8_t *apex,
                                    struct arena *arena)
{
    const struct zone_entry *zone = entry_of(generation, apex);
    struct owner_list list = {0};
    list.owners = arena_alloc(arena, zone->nodes.count * sizeof(struct owner *));
    struct node **nodes = zone_nodes_list(zone, generation->names);
    for (size_t i = 0; i < zone->nodes.count; i++) {
        const struct node *node = nodes[i];
        if (node->rrset_count > 0) {
            list.owners[list.count++] = owner_make(node, arena);
        }
    }
    zone_nodes_give_back(zone, nodes);
    return list;
}
