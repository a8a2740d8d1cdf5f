// SPDX-License-Identifier: GPL-3.0-or-later
//
// From a zone to its nodes. Called by the publisher on the control thread when a zone is put.
//
// A table of all names of the zone is made first: owners, and the empty non-terminals between them
// and the apex (RFC 4592, 2.2.2). It tells each name what it must know of others: whether a
// delegation or a DNAME above it occludes it, whether a wildcard stands below it.
#include "answer/node.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/slab.h"
#include "dns/types.h"
#include "dns/wire.h"

struct name_entry {
    const uint8_t *name; // folded, in the builder's arena
    uint8_t name_size;
    uint8_t flags;
    const struct owner *owner; // NULL: empty non-terminal
};

struct builder {
    struct arena *arena;
    const uint8_t *apex; // folded
    uint8_t apex_size, apex_label_count;
    struct name_entry *entries;
    size_t count, capacity;
    uint32_t *slots; // open addressing: entry + 1
    size_t slot_count;
};

static size_t slot_of(const struct builder *b, const uint8_t *name, size_t size)
{
    size_t at = hash_bytes(0, name, size) & (b->slot_count - 1);
    while (b->slots[at] != 0) {
        const struct name_entry *entry = &b->entries[b->slots[at] - 1];
        if (entry->name_size == size && memcmp(entry->name, name, size) == 0) {
            break;
        }
        at = (at + 1) & (b->slot_count - 1);
    }
    return at;
}

static struct name_entry *find(const struct builder *b, const uint8_t *name, size_t size)
{
    uint32_t number = b->slots[slot_of(b, name, size)];
    return number ? &b->entries[number - 1] : NULL;
}

static void slots_grow(struct builder *b)
{
    free(b->slots);
    b->slot_count *= 2;
    b->slots = mem_alloc_array(b->slot_count, sizeof(*b->slots));
    for (size_t i = 0; i < b->count; i++) {
        b->slots[slot_of(b, b->entries[i].name, b->entries[i].name_size)] = (uint32_t)i + 1;
    }
}

static struct name_entry *add(struct builder *b, const uint8_t *name, size_t size)
{
    struct name_entry *known = find(b, name, size);
    if (known != NULL) {
        return known;
    }
    if ((b->count + 1) * 2 > b->slot_count) {
        slots_grow(b);
    }
    MEM_GROW(b->entries, b->count, b->capacity);
    b->entries[b->count] = (struct name_entry){.name = name, .name_size = (uint8_t)size};
    b->slots[slot_of(b, name, size)] = (uint32_t)b->count + 1;
    return &b->entries[b->count++];
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

static void add_owner(struct builder *b, const struct owner *owner)
{
    uint8_t *name = arena_alloc(b->arena, owner->name_size);
    name_fold(owner->name, owner->name_size, name);
    size_t size = owner->name_size;
    struct name_entry *entry = add(b, name, size);
    entry->owner = owner;
    entry->flags |= flags_of_owner(owner, size == b->apex_size);
    bool known = false; // then the rest of the way up is known too
    while (size > b->apex_size && !known) {
        bool wildcard = name_is_wildcard(name); // also one without records (RFC 4592, 2.2.2)
        size -= name[0] + 1U;
        name += name[0] + 1;
        size_t before = b->count;
        struct name_entry *parent = add(b, name, size);
        parent->flags |= wildcard ? NODE_HAS_WILDCARD : 0;
        known = b->count == before;
    }
}

static bool is_occluded(const struct builder *b, const struct name_entry *entry)
{
    const uint8_t *name = entry->name;
    size_t size = entry->name_size;
    while (size > b->apex_size) {
        size -= name[0] + 1U;
        name += name[0] + 1;
        const struct name_entry *above = find(b, name, size);
        SP_ASSERT(above != NULL);
        if (above->flags & (NODE_CUT | NODE_HAS_DNAME)) {
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

static size_t node_size_of(const struct name_entry *entry, size_t *rrset_count)
{
    size_t size = sizeof(struct node) + entry->name_size;
    *rrset_count = 0;
    if (entry->owner == NULL) {
        return size;
    }
    for (const struct rrset *rrset = entry->owner->rrsets; rrset != NULL; rrset = rrset->next) {
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

static struct node *node_build(const struct builder *b, const struct name_entry *entry,
                               uint32_t zone_slot, node_slots_of *slots_of, void *context)
{
    size_t rrset_count;
    size_t size = node_size_of(entry, &rrset_count);
    SP_ASSERT(size <= UINT32_MAX && rrset_count <= UINT16_MAX);
    struct node *node = memset(slab_alloc(node_slab(), size), 0, size);
    node->zone = zone_slot;
    node->name_size = entry->name_size;
    node->label_count = (uint8_t)name_label_count(entry->name);
    node->apex_label_count = b->apex_label_count;
    node->flags = entry->flags | (is_occluded(b, entry) ? NODE_OCCLUDED : 0);
    node->rrset_count = (uint16_t)rrset_count;
    memcpy((uint8_t *)&node->rrsets[rrset_count], entry->name, entry->name_size);
    size_t offset = sizeof(*node) + rrset_count * sizeof(node->rrsets[0]) + entry->name_size;
    struct node_rrset *out = node->rrsets;
    for (const struct rrset *rrset = entry->owner ? entry->owner->rrsets : NULL; rrset != NULL;
         rrset = rrset->next, out++) {
        struct node_slots slots =
            slots_of(context, entry->name, entry->name_size, entry->owner, rrset);
        out->type = rrset->type;
        out->count = (uint16_t)rrset->record_count;
        out->plan = slots.plan;
        out->turn = slots.turn;
        out->is_ready = is_plain(rrset->type) && !(node->flags & NODE_CUT);
        out->size = (uint32_t)put_records((uint8_t *)node + offset, rrset, out);
        offset += out->size;
    }
    SP_ASSERT(offset == size);
    return node;
}

struct zone_nodes zone_nodes_build(const struct zone *zone, uint32_t zone_slot,
                                   node_slots_of *slots_of, void *context)
{
    struct builder b = {.arena = arena_new(), .slot_count = 64};
    uint8_t apex[NAME_MAX_SIZE];
    b.apex_size = (uint8_t)name_size(zone_apex(zone));
    name_fold(zone_apex(zone), b.apex_size, apex);
    b.apex = apex;
    b.apex_label_count = (uint8_t)name_label_count(apex);
    b.slots = mem_alloc_array(b.slot_count, sizeof(*b.slots));
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        add_owner(&b, zone_owner(zone, i));
    }
    struct zone_nodes result = {.count = b.count};
    result.nodes = mem_alloc_array(b.count, sizeof(*result.nodes));
    for (size_t i = 0; i < b.count; i++) {
        result.nodes[i] = node_build(&b, &b.entries[i], zone_slot, slots_of, context);
        result.labels_max = MAX(result.labels_max, (unsigned)result.nodes[i]->label_count);
    }
    free(b.entries);
    free(b.slots);
    arena_free(b.arena);
    return result;
}
