// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a zone to its nodes. Called by the publisher on the control thread when a zone is put.
//
// Before nodes are made, each name is told what it must know of others: whether a delegation or a
// DNAME above it occludes it, whether a wildcard stands below it. Owners are found in the zone's
// own index; the empty non-terminals between them and the apex (RFC 4592, 2.2.2), of which most
// zones have few, have a table here.
#include "answer/node.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/slab.h"
#include "dns/types.h"
#include "dns/wire.h"

// A name without records between an owner and the apex.
struct empty {
    const uint8_t *name; // folded, in the builder's arena
    uint8_t name_size;
    uint8_t flags;
};

struct builder {
    const struct zone *zone;
    uint8_t apex_size, apex_label_count;
    uint8_t *flags; // of each owner
    struct arena *arena;
    uint64_t hash_key; // random: names may be chosen to collide
    struct empty *empties;
    size_t empty_count, empty_capacity;
    uint32_t *slots; // open addressing: empty + 1
    size_t slot_count;
};

static uint32_t *empty_slot(const struct builder *b, const uint8_t *folded, size_t size)
{
    size_t at = hash_bytes(b->hash_key, folded, size) & (b->slot_count - 1);
    while (b->slots[at] != 0) {
        const struct empty *empty = &b->empties[b->slots[at] - 1];
        if (empty->name_size == size && memcmp(empty->name, folded, size) == 0) {
            break;
        }
        at = (at + 1) & (b->slot_count - 1);
    }
    return &b->slots[at];
}

static void slots_grow(struct builder *b)
{
    free(b->slots);
    b->slot_count = b->slot_count ? b->slot_count * 2 : 64;
    b->slots = mem_alloc_array(b->slot_count, sizeof(*b->slots));
    for (size_t i = 0; i < b->empty_count; i++) {
        *empty_slot(b, b->empties[i].name, b->empties[i].name_size) = (uint32_t)i + 1;
    }
}

// The entry of an empty non-terminal; *known: it was there before.
static struct empty *empty_get(struct builder *b, const uint8_t *name, size_t size, bool *known)
{
    uint8_t folded[NAME_MAX_SIZE];
    name_fold(name, size, folded);
    if ((b->empty_count + 1) * 2 > b->slot_count) {
        slots_grow(b);
    }
    uint32_t *slot = empty_slot(b, folded, size);
    *known = *slot != 0;
    if (!*known) {
        MEM_GROW(b->empties, b->empty_count, b->empty_capacity);
        b->empties[b->empty_count++] = (struct empty){
            .name = arena_bytes(b->arena, folded, size),
            .name_size = (uint8_t)size,
        };
        *slot = (uint32_t)b->empty_count;
    }
    return &b->empties[*slot - 1];
}

static uint8_t flags_of_owner(const struct owner *owner, bool is_apex)
{
    uint8_t flags = is_apex ? NODE_APEX : 0;
    for (const struct rrset *rrset = owner->rrsets; rrset != NULL; rrset = rrset->next) {
        flags |= rrset->type == TYPE_CNAME ? NODE_HAS_CNAME : 0;
        flags |= rrset->type == TYPE_DNAME ? NODE_HAS_DNAME : 0;
        flags |= rrset->type == TYPE_ALIAS ? NODE_HAS_ALIAS : 0;
        flags |=
            rrset->type == TYPE_NS && !is_apex && !name_is_wildcard(owner->name) ? NODE_CUT : 0;
    }
    return flags;
}

// Flags of the owner, and what the names above it learn of it. An owner above goes the rest of the
// way up itself.
static void look_up(struct builder *b, size_t index)
{
    const struct owner *owner = zone_owner(b->zone, index);
    b->flags[index] |= flags_of_owner(owner, owner->name_size == b->apex_size);
    const uint8_t *name = owner->name;
    size_t size = owner->name_size;
    bool known = false;
    while (size > b->apex_size && !known) {
        uint8_t wildcard = name_is_wildcard(name) ? NODE_HAS_WILDCARD : 0;
        size -= name[0] + 1U;
        name += name[0] + 1;
        if (size == b->apex_size && wildcard == 0) {
            return; // as from most names
        }
        const long above = zone_find_index(b->zone, name);
        if (above >= 0) {
            b->flags[above] |= wildcard;
            return;
        }
        empty_get(b, name, size, &known)->flags |= wildcard; // RFC 4592, 2.2.2
    }
}

static bool is_occluded(const struct builder *b, const uint8_t *name, size_t size)
{
    while (zone_has_covers(b->zone) && size > b->apex_size) {
        size -= name[0] + 1U;
        name += name[0] + 1;
        const long above = zone_find_index(b->zone, name);
        if (above >= 0 && b->flags[above] & (NODE_CUT | NODE_HAS_DNAME)) {
            return true;
        }
    }
    return false;
}

static size_t records_size(const struct rrset *rrset)
{
    size_t size = 0;
    for (size_t i = 0; i < rrset->record_count; i++) {
        size += 2 + RR_FIXED_SIZE + rrset->records[i].rdata_size;
    }
    return size;
}

static size_t put_records(uint8_t *at, const struct rrset *rrset, struct node_rrset *entry)
{
    size_t size = 0;
    for (size_t i = 0; i < rrset->record_count; i++) {
        const struct record *record = &rrset->records[i];
        put_u16(at + size, 0xc00c);
        put_u16(at + size + 2, rrset->type);
        put_u16(at + size + 4, CLASS_IN);
        put_u32(at + size + 6, rrset->ttl);
        put_u16(at + size + 10, record->rdata_size);
        memcpy(at + size + 12, record->rdata, record->rdata_size);
        size_t record_size = 12U + record->rdata_size;
        bool equal = record_size <= UINT8_MAX && (i == 0 || entry->record_size == record_size);
        entry->record_size = equal ? (uint8_t)record_size : 0;
        size += record_size;
    }
    return size;
}

static size_t node_size_of(const struct owner *owner, size_t name_size, size_t *rrset_count)
{
    size_t size = sizeof(struct node) + name_size;
    *rrset_count = 0;
    for (const struct rrset *rrset = owner ? owner->rrsets : NULL; rrset; rrset = rrset->next) {
        size += sizeof(struct node_rrset) + records_size(rrset);
        *rrset_count += 1;
    }
    return size;
}

// Types whose rdata holds no domain name and asks for no additional records.
static bool is_plain(uint16_t type)
{
    switch (type) {
    case TYPE_A:
    case TYPE_AAAA:
    case TYPE_TXT:
    case TYPE_CAA:
    case TYPE_TLSA:
    case TYPE_SSHFP:
    case TYPE_SPF:
    case TYPE_HINFO:
    case TYPE_OPENPGPKEY:
        return true;
    default:
        return false;
    }
}

// One for all publishers: one control thread.
static struct slab *node_slab(void)
{
    static struct slab *slab;
    if (slab == NULL) {
        slab = slab_new();
    }
    return slab;
}

void node_free(struct node *node)
{
    slab_free(node_slab(), node, node_size(node));
}

// `owner` is NULL for an empty non-terminal.
static struct node *node_build(const struct builder *b, const uint8_t *name, size_t name_size,
                               uint8_t flags, const struct owner *owner,
                               const struct node_maker *maker)
{
    size_t rrset_count;
    const size_t size = node_size_of(owner, name_size, &rrset_count);
    SP_ASSERT(size <= UINT32_MAX && rrset_count <= UINT16_MAX);
    struct node *node = slab_alloc(node_slab(), size);
    memset(node, 0, sizeof(*node) + rrset_count * sizeof(node->rrsets[0]));
    node->zone = maker->zone_slot;
    node->name_size = (uint8_t)name_size;
    node->label_count = (uint8_t)name_label_count(name);
    node->apex_label_count = b->apex_label_count;
    node->flags = flags | (is_occluded(b, name, name_size) ? NODE_OCCLUDED : 0);
    node->rrset_count = (uint16_t)rrset_count;
    uint8_t *at = (uint8_t *)&node->rrsets[rrset_count];
    const uint8_t *folded = at;
    name_fold(name, name_size, at);
    at += name_size;
    struct node_rrset *out = node->rrsets;
    for (const struct rrset *rrset = owner ? owner->rrsets : NULL; rrset; rrset = rrset->next) {
        struct node_slots slots = maker->slots_of(maker->context, folded, name_size, owner, rrset);
        out->type = rrset->type;
        out->count = (uint16_t)rrset->record_count;
        out->plan = slots.plan;
        out->turn = slots.turn;
        out->is_ready = is_plain(rrset->type) && !(node->flags & NODE_CUT);
        out->size = (uint32_t)put_records(at, rrset, out);
        at += out->size;
        out++;
    }
    SP_ASSERT(at == (uint8_t *)node + size);
    return node;
}

struct zone_nodes zone_nodes_build(const struct zone *zone, const struct node_maker *maker)
{
    const size_t owner_count = zone_owner_count(zone);
    struct builder b = {
        .zone = zone,
        .apex_size = (uint8_t)name_size(zone_apex(zone)),
        .apex_label_count = (uint8_t)name_label_count(zone_apex(zone)),
        .flags = mem_alloc(owner_count),
        .arena = arena_new(),
        .hash_key = random_seed(),
    };
    for (size_t i = 0; i < owner_count; i++) {
        look_up(&b, i);
    }
    struct zone_nodes result = {.count = owner_count + b.empty_count};
    result.nodes = mem_alloc_array(result.count, sizeof(*result.nodes));
    for (size_t i = 0; i < owner_count; i++) {
        const struct owner *owner = zone_owner(zone, i);
        result.nodes[i] = node_build(&b, owner->name, owner->name_size, b.flags[i], owner, maker);
        result.labels_max = MAX(result.labels_max, (unsigned)result.nodes[i]->label_count);
    }
    for (size_t i = 0; i < b.empty_count; i++) {
        const struct empty *empty = &b.empties[i];
        result.nodes[owner_count + i] =
            node_build(&b, empty->name, empty->name_size, empty->flags, NULL, maker);
    }
    free(b.flags);
    free(b.empties);
    free(b.slots);
    arena_free(b.arena);
    return result;
}
