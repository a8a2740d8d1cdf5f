// SPDX-License-Identifier: GPL-3.0-or-later
//
// The zone model: owners in document order, and an open-addressing index over their folded names.
//
// Filled by the readers on a pool thread, one record at a time; a million owners cost one index
// slot and one arena block each. Everything but the index and the list of owners lives in the
// arena, so pointers to owners, RRsets and rdata stay valid while the zone grows.
#include "zone/zone.h"

#include "base/hash.h"
#include "zone/rdata.h"

#include <string.h>

// So few owners are found by looking at all of them: most zones need no index.
enum { TTL_MAX = INT32_MAX, OWNERS_WITHOUT_INDEX = 8, INDEX_FIRST_SIZE = 16 };

// An index slot. The hash stays with it: strangers are told apart, and the index grows, without
// touching owners.
struct slot {
    uint32_t hash;
    uint32_t owner; // index + 1; 0: free
};

struct zone {
    struct arena *arena;
    const uint8_t *apex;
    uint8_t apex_size;
    const char *path;
    uint64_t hash_key; // random: owner names may be chosen to collide
    struct owner **owners;
    size_t owner_count, owner_capacity;
    struct slot *slots; // NULL while there are few owners
    size_t slot_count;  // a power of two, or 0
    bool has_alias, has_covers, has_includes, may_have_policy;
    const struct owner_source *source; // after zone_release; then owners, slots and arena are gone
    struct owner *last;                // records of one owner follow each other in most documents
    bool has_precedence;
    enum line_precedence precedence;
    uint8_t kept[]; // apex and path, after zone_release
};

struct zone *zone_new(const uint8_t *apex)
{
    struct zone *zone = mem_alloc(sizeof(*zone));
    zone->arena = arena_new();
    zone->apex_size = (uint8_t)name_size(apex);
    zone->apex = arena_bytes(zone->arena, apex, zone->apex_size);
    zone->hash_key = random_seed();
    return zone;
}

void zone_free(struct zone *zone)
{
    if (zone == NULL) {
        return;
    }
    arena_free(zone->arena);
    free(zone->owners);
    free(zone->slots);
    free(zone);
}

bool zone_is_released(const struct zone *zone)
{
    return zone->source != NULL;
}

bool zone_has_policy(const struct zone *zone)
{
    for (size_t i = 0; zone->may_have_policy && i < zone->owner_count; i++) {
        for (const struct rrset *rrset = zone->owners[i]->rrsets; rrset; rrset = rrset->next) {
            if (rrset->policy != NULL) {
                return true;
            }
        }
    }
    return false;
}

struct zone *zone_release(struct zone *zone, const struct owner_source *source)
{
    SP_ASSERT(zone->source == NULL && !zone_has_policy(zone));
    const size_t apex_size = zone->apex_size;
    const size_t path_size = zone->path ? strlen(zone->path) + 1 : 0;
    struct zone *kept = mem_alloc(sizeof(*kept) + apex_size + path_size);
    kept->apex = memcpy(kept->kept, zone->apex, apex_size);
    kept->apex_size = zone->apex_size;
    kept->owner_count = zone->owner_count;
    kept->has_alias = zone->has_alias;
    kept->has_covers = zone->has_covers;
    kept->has_includes = zone->has_includes;
    kept->has_precedence = zone->has_precedence;
    kept->precedence = zone->precedence;
    kept->source = source;
    if (zone->path != NULL) {
        kept->path = memcpy(kept->kept + apex_size, zone->path, path_size);
    }
    zone_free(zone);
    return kept;
}

const uint8_t *zone_apex(const struct zone *zone)
{
    return zone->apex;
}

struct arena *zone_arena(struct zone *zone)
{
    return zone->arena;
}

const char *zone_path(const struct zone *zone)
{
    return zone->path;
}

void zone_set_path(struct zone *zone, const char *path)
{
    zone->path = arena_strdup(zone->arena, path);
}

bool zone_has_includes(const struct zone *zone)
{
    return zone->has_includes;
}

void zone_set_includes(struct zone *zone)
{
    zone->has_includes = true;
}

bool zone_precedence(const struct zone *zone, enum line_precedence *precedence)
{
    if (zone->has_precedence) {
        *precedence = zone->precedence;
    }
    return zone->has_precedence;
}

void zone_set_precedence(struct zone *zone, enum line_precedence precedence)
{
    zone->has_precedence = true;
    zone->precedence = precedence;
}

size_t zone_owner_count(const struct zone *zone)
{
    return zone->owner_count;
}

const struct owner *zone_owner(const struct zone *zone, size_t index)
{
    SP_ASSERT(index < zone->owner_count);
    if (zone->source != NULL) {
        return zone->source->at(zone->source->state, zone, index);
    }
    return zone->owners[index];
}

static uint32_t name_hash(const struct zone *zone, const uint8_t *name, size_t size)
{
    uint8_t folded[NAME_MAX_SIZE];
    name_fold(name, size, folded);
    return (uint32_t)(hash_bytes(zone->hash_key, folded, size) >> 32);
}

static bool is_owner(const struct owner *owner, const uint8_t *name, size_t size)
{
    return owner->name_size == size && name_equal(owner->name, name);
}

// The slot of the name, or the free slot where it belongs.
static struct slot *slot_find(const struct zone *zone, const uint8_t *name, size_t size,
                              uint32_t hash)
{
    size_t mask = zone->slot_count - 1;
    for (size_t at = hash & mask;; at = (at + 1) & mask) {
        struct slot *slot = &zone->slots[at];
        if (slot->owner == 0 ||
            (slot->hash == hash && is_owner(zone->owners[slot->owner - 1], name, size))) {
            return slot;
        }
    }
}

static void slot_put(struct zone *zone, struct slot slot)
{
    const size_t mask = zone->slot_count - 1;
    size_t at = slot.hash & mask;
    while (zone->slots[at].owner != 0) {
        at = (at + 1) & mask;
    }
    zone->slots[at] = slot;
}

static void index_make(struct zone *zone)
{
    zone->slot_count = INDEX_FIRST_SIZE;
    zone->slots = mem_alloc_array(zone->slot_count, sizeof(*zone->slots));
    for (size_t i = 0; i < zone->owner_count; i++) {
        const struct owner *owner = zone->owners[i];
        slot_put(zone,
                 (struct slot){name_hash(zone, owner->name, owner->name_size), (uint32_t)i + 1});
    }
}

// Slots move in their order to one of two places each: memory is walked, not jumped about in.
static void index_grow(struct zone *zone)
{
    struct slot *old = zone->slots;
    const size_t old_count = zone->slot_count;
    zone->slot_count = old_count * 2;
    zone->slots = mem_alloc_array(zone->slot_count, sizeof(*zone->slots));
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].owner != 0) {
            slot_put(zone, old[i]);
        }
    }
    free(old);
}

static struct owner *owner_add(struct zone *zone, const uint8_t *name, size_t size)
{
    SP_ASSERT(zone->owner_count < UINT32_MAX);
    struct owner *owner = arena_alloc(zone->arena, sizeof(*owner));
    owner->name = arena_bytes(zone->arena, name, size);
    owner->name_size = (uint8_t)size;
    MEM_GROW(zone->owners, zone->owner_count, zone->owner_capacity);
    zone->owners[zone->owner_count++] = owner;
    return owner;
}

// Where the owner is in the list, or -1.
static long look_at_all(const struct zone *zone, const uint8_t *name, size_t size)
{
    for (size_t i = 0; i < zone->owner_count; i++) {
        if (is_owner(zone->owners[i], name, size)) {
            return (long)i;
        }
    }
    return -1;
}

static struct owner *owner_get_indexed(struct zone *zone, const uint8_t *name, size_t size)
{
    const uint32_t hash = name_hash(zone, name, size);
    struct slot *slot = slot_find(zone, name, size, hash);
    if (slot->owner != 0) {
        return zone->owners[slot->owner - 1];
    }
    struct owner *owner = owner_add(zone, name, size);
    *slot = (struct slot){hash, (uint32_t)zone->owner_count};
    if (zone->owner_count * 3 > zone->slot_count * 2) {
        index_grow(zone);
    }
    return owner;
}

static struct owner *owner_get(struct zone *zone, const uint8_t *name)
{
    const size_t size = name_size(name);
    struct owner *last = zone->last;
    if (last && last->name_size == size && memcmp(last->name, name, size) == 0) {
        return last;
    }
    if (zone->slots != NULL) {
        return zone->last = owner_get_indexed(zone, name, size);
    }
    const long index = look_at_all(zone, name, size);
    zone->last = index >= 0 ? zone->owners[index] : owner_add(zone, name, size);
    if (zone->owner_count > OWNERS_WITHOUT_INDEX) {
        index_make(zone);
    }
    return zone->last;
}

const struct owner *zone_find(const struct zone *zone, const uint8_t *name)
{
    if (zone->source != NULL) {
        return zone->source->find(zone->source->state, zone, name);
    }
    const long index = zone_find_index(zone, name);
    return index >= 0 ? zone->owners[index] : NULL;
}

long zone_find_index(const struct zone *zone, const uint8_t *name)
{
    SP_ASSERT(zone->source == NULL);
    const size_t size = name_size(name);
    if (zone->slots == NULL) {
        return look_at_all(zone, name, size);
    }
    return (long)slot_find(zone, name, size, name_hash(zone, name, size))->owner - 1;
}

const struct rrset *owner_rrset(const struct owner *owner, uint16_t type)
{
    for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
        if (rrset->type == type) {
            return rrset;
        }
    }
    return NULL;
}

static struct rrset *rrset_get(struct zone *zone, const uint8_t *owner_name, uint16_t type)
{
    struct owner *owner = owner_get(zone, owner_name);
    struct rrset **link = &owner->rrsets;
    for (; *link; link = &(*link)->next) {
        if ((*link)->type == type) {
            return *link;
        }
    }
    *link = arena_alloc(zone->arena, sizeof(**link));
    (*link)->type = type;
    zone->has_alias |= type == TYPE_ALIAS;
    zone->has_covers |=
        type == TYPE_DNAME || (type == TYPE_NS && owner->name_size != zone->apex_size);
    return *link;
}

struct rrset *zone_rrset(struct zone *zone, const uint8_t *owner, uint16_t type)
{
    zone->may_have_policy = true;
    return rrset_get(zone, owner, type);
}

bool zone_has_alias(const struct zone *zone)
{
    return zone->has_alias;
}

bool zone_has_covers(const struct zone *zone)
{
    return zone->has_covers;
}

static bool rrset_has(const struct rrset *rrset, const uint8_t *rdata, size_t rdata_size)
{
    for (size_t i = 0; i < rrset->record_count; i++) {
        const struct record *record = &rrset->records[i];
        if (rdata_equal(rrset->type, record->rdata, record->rdata_size, rdata, rdata_size)) {
            return true;
        }
    }
    return false;
}

void rrset_add(struct zone *zone, struct rrset *rrset, const uint8_t *rdata, size_t rdata_size)
{
    SP_ASSERT(rdata_size <= RDATA_MAX_SIZE);
    if (rrset_has(rrset, rdata, rdata_size)) {
        return;
    }
    if (rrset->record_count == rrset->record_capacity) { // the arena keeps the old half: n in all
        uint32_t capacity = rrset->record_capacity ? rrset->record_capacity * 2 : 1;
        struct record *records = arena_alloc(zone->arena, capacity * sizeof(*records));
        if (rrset->record_count > 0) {
            memcpy(records, rrset->records, rrset->record_count * sizeof(*records));
        }
        rrset->records = records;
        rrset->record_capacity = capacity;
    }
    rrset->records[rrset->record_count++] = (struct record){
        .rdata = arena_bytes(zone->arena, rdata, rdata_size),
        .rdata_size = (uint16_t)rdata_size,
    };
}

// What is wrong with a record by itself, or NULL.
static const char *record_fault(const struct zone *zone, const struct zone_record *record)
{
    if (!name_within(record->owner, zone->apex)) {
        return "the name is outside the zone";
    }
    if (!rr_type_is_data(record->type)) {
        return "no zone holds records of this type";
    }
    if (record->ttl > TTL_MAX) {
        return "the TTL must be at most 2147483647 (RFC 2181, section 8)";
    }
    if (!rdata_check(record->type, record->rdata, record->rdata_size)) {
        return "the record data does not have the form of its type";
    }
    if (record->type == TYPE_SOA && !name_equal(record->owner, zone->apex)) {
        return "a SOA record belongs to the top of the zone only";
    }
    return NULL;
}

// What is wrong with it beside those that its RRset has, or NULL.
static const char *rrset_fault(const struct rrset *rrset, const struct zone_record *record)
{
    if (rrset->record_count == 0 || rrset_has(rrset, record->rdata, record->rdata_size)) {
        return NULL;
    }
    switch (rrset->type) {
    case TYPE_SOA:
        return "a zone has one SOA record; this is the second";
    case TYPE_CNAME:
        return "a name has one CNAME record; this is the second (RFC 2181, section 10.1)";
    case TYPE_DNAME:
        return "a name has one DNAME record; this is the second (RFC 6672, section 2.4)";
    case TYPE_ALIAS:
        return "a name has one ALIAS record; this is the second";
    }
    return rrset->record_count >= RRSET_MEMBERS_MAX
               ? "more than 4096 records of one type at one name"
               : NULL;
}

static bool reject(const struct zone_record *record, struct diags *diags, const char *fault)
{
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    diags_error(diags, record->place, name_format(record->owner, name), "%s: %s",
                rr_type_format(record->type, type), fault);
    return false;
}

bool zone_add(struct zone *zone, const struct zone_record *record, struct diags *diags)
{
    const char *fault = record_fault(zone, record);
    if (fault) {
        return reject(record, diags, fault);
    }
    struct rrset *rrset = rrset_get(zone, record->owner, record->type);
    fault = rrset_fault(rrset, record);
    if (fault) {
        return reject(record, diags, fault);
    }
    if (rrset->record_count == 0) {
        rrset->ttl = rrset->ttl_most = record->ttl;
        rrset->place = record->place;
    }
    rrset->ttl = MIN(rrset->ttl, record->ttl);
    rrset->ttl_most = MAX(rrset->ttl_most, record->ttl);
    rrset_add(zone, rrset, record->rdata, record->rdata_size);
    return true;
}
