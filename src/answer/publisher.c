// SPDX-License-Identifier: GPL-3.0-or-later
//
// The publisher: makes generations and shows them to the data workers. Control thread.
//
// A change collects puts in edits of the three persistent structures. Publishing is: self-query on
// the new generation (which nobody else sees yet), one atomic store of the root, rcu_wait, free
// what only the old generation used. A change that fails its self-query is dropped; the generation
// that answers was never touched.
#include "answer/answer.h"
#include "answer/generation_internal.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "dns/query.h"
#include "dns/wire.h"

#include <string.h>

struct publisher {
    generation_root root;
    struct generation *current;
    struct worker *worker; // asks the self-queries
    uint32_t *free_zones, *free_plans;
    size_t free_zone_count, free_zone_capacity, free_plan_count, free_plan_capacity;
    uint32_t next_zone, next_plan;
    uint16_t next_turn;
    bool changing;
};

// Memory that ends with the change: after the grace period when published (old), at once when
// dropped (new).
struct pile {
    struct pile_item {
        void *block;
        void (*release)(void *block);
    } * items;
    size_t count, capacity;
};

struct change {
    struct publisher *publisher;
    struct generation *next;
    struct index_edit *names;
    struct vector_edit *zones, *plans;
    struct pile old, new;
    const struct node **changed; // new ones: to be asked in the self-query, freed when dropped
    size_t changed_count, changed_capacity;
    uint32_t *freed_plans, *taken_plans; // slots: free after publishing; taken by this change
    size_t freed_plan_count, freed_plan_capacity, taken_plan_count, taken_plan_capacity;
    uint32_t *freed_zones, *taken_zones;
    size_t freed_zone_count, freed_zone_capacity, taken_zone_count, taken_zone_capacity;
};

static void pile_add(struct pile *pile, void *block, void (*release)(void *))
{
    MEM_GROW(pile->items, pile->count, pile->capacity);
    pile->items[pile->count++] = (struct pile_item){block, release};
}

static void pile_release(struct pile *pile)
{
    for (size_t i = 0; i < pile->count; i++) {
        pile->items[i].release(pile->items[i].block);
    }
    free(pile->items);
}

static void release_plan(void *block)
{
    plan_free(block);
}

static void release_node(void *block)
{
    node_free(block);
}

static void release_zone(void *block)
{
    struct zone_entry *zone = block;
    free(zone->negative_soa);
    free(zone->denial.bytes);
    free(zone->nodes.nodes);
    free(zone);
}

struct publisher *publisher_new(const struct answer_options *options)
{
    struct publisher *publisher = mem_alloc(sizeof(*publisher));
    struct generation *generation = mem_alloc(sizeof(*generation));
    generation->key = index_key(random_seed());
    generation->names = index_new();
    generation->zones = vector_new();
    generation->plans = vector_new();
    generation->options = *options;
    generation->udp_limit = (uint16_t)MIN(
        MAX((unsigned)options->udp_payload_max, (unsigned)QUERY_PAYLOAD_MIN), ANSWER_UDP_MAX);
    put_u16(generation->opt + 1, TYPE_OPT);
    put_u16(generation->opt + 3, options->udp_payload_max);
    publisher->current = generation;
    publisher->next_turn = 1;
    publisher->worker = worker_new(random_seed());
    atomic_store_explicit(&publisher->root, generation, memory_order_release);
    return publisher;
}

static void generation_free_all(struct generation *generation)
{
    size_t zones = generation->zones->chunk_count * VECTOR_CHUNK_SIZE;
    for (size_t slot = 0; slot < zones; slot++) {
        struct zone_entry *zone = (void *)(uintptr_t)vector_get(generation->zones, (uint32_t)slot);
        if (zone != NULL) {
            release_zone(zone);
        }
    }
    size_t plans = generation->plans->chunk_count * VECTOR_CHUNK_SIZE;
    for (size_t slot = 0; slot < plans; slot++) {
        plan_free((void *)(uintptr_t)vector_get(generation->plans, (uint32_t)slot));
    }
    index_free_nodes(generation->names);
    index_free_all(generation->names);
    vector_free_all(generation->zones);
    vector_free_all(generation->plans);
    free(generation);
}

void publisher_free(struct publisher *publisher)
{
    if (publisher == NULL) {
        return;
    }
    SP_ASSERT(!publisher->changing);
    generation_free_all(publisher->current);
    worker_free(publisher->worker);
    free(publisher->free_zones);
    free(publisher->free_plans);
    free(publisher);
}

generation_root *publisher_root(struct publisher *publisher)
{
    return &publisher->root;
}

const struct generation *publisher_current(const struct publisher *publisher)
{
    return publisher->current;
}

uint64_t generation_number(const struct generation *generation)
{
    return generation->number;
}

struct change *change_begin(struct publisher *publisher)
{
    SP_ASSERT(!publisher->changing);
    publisher->changing = true;
    struct change *change = mem_alloc(sizeof(*change));
    const struct generation *current = publisher->current;
    change->publisher = publisher;
    change->next = mem_copy(current, sizeof(*current));
    change->next->number++;
    change->names = index_edit_begin(current->names, current->key);
    change->zones = vector_edit_begin(current->zones);
    change->plans = vector_edit_begin(current->plans);
    return change;
}

static uint64_t hash_of(const struct change *change, const uint8_t *folded, size_t size)
{
    return generation_hash(change->next, folded, size);
}

// --- slots

static uint32_t zone_slot_take(struct change *change)
{
    struct publisher *p = change->publisher;
    uint32_t slot = p->free_zone_count > 0 ? p->free_zones[--p->free_zone_count] : p->next_zone++;
    MEM_GROW(change->taken_zones, change->taken_zone_count, change->taken_zone_capacity);
    change->taken_zones[change->taken_zone_count++] = slot;
    return slot;
}

static uint32_t plan_slot_take(struct change *change)
{
    struct publisher *p = change->publisher;
    uint32_t slot = p->free_plan_count > 0 ? p->free_plans[--p->free_plan_count] : p->next_plan++;
    MEM_GROW(change->taken_plans, change->taken_plan_count, change->taken_plan_capacity);
    change->taken_plans[change->taken_plan_count++] = slot;
    return slot;
}

static void plan_put(struct change *change, uint32_t slot, struct plan *plan)
{
    const void *before = vector_edit_set(change->plans, slot, plan);
    if (before != NULL) {
        pile_add(&change->old, (void *)(uintptr_t)before, release_plan);
    } else {
        change->next->plan_count++;
    }
    pile_add(&change->new, plan, release_plan);
}

static void plan_slot_free(struct change *change, uint32_t slot)
{
    const void *before = vector_edit_set(change->plans, slot, NULL);
    SP_ASSERT(before != NULL);
    pile_add(&change->old, (void *)(uintptr_t)before, release_plan);
    MEM_GROW(change->freed_plans, change->freed_plan_count, change->freed_plan_capacity);
    change->freed_plans[change->freed_plan_count++] = slot;
    change->next->plan_count--;
}

// --- zones

struct slot_context {
    struct change *change;
    uint32_t zone_slot;
    bool is_new; // the zone: its names have no slots
    plan_maker *plan_of;
    void *context;
};

// Slots of an RRset: those of the same RRset in the zone's last version, so that a node that did
// not change is equal to the last one byte by byte; else new ones.
static struct node_slots slots_of_rrset(void *context, const uint8_t *folded, size_t size,
                                        const struct owner *owner, const struct rrset *rrset)
{
    struct slot_context *slots = context;
    struct change *change = slots->change;
    bool rotated = rrset->record_count > 1 && (rrset->type == TYPE_A || rrset->type == TYPE_AAAA);
    if (rrset->policy == NULL && !rotated) {
        return (struct node_slots){0};
    }
    const struct node *before = slots->is_new ? NULL
                                              : index_find_in_zone(index_edit_view(change->names),
                                                                   hash_of(change, folded, size),
                                                                   folded, size, slots->zone_slot);
    const struct node_rrset *last = before ? node_rrset(before, rrset->type) : NULL;
    struct node_slots result = {.turn = last ? last->turn : 0};
    if (result.turn == 0) { // 0 means that nothing rotates
        uint16_t *next = &change->publisher->next_turn;
        result.turn = *next;
        *next = *next == UINT16_MAX ? 1 : *next + 1;
    }
    if (rrset->policy != NULL) {
        bool had_plan = last != NULL && last->plan != 0;
        uint32_t slot = had_plan ? last->plan - 1 : plan_slot_take(change);
        result.plan = slot + 1;
        plan_put(change, slot, slots->plan_of(slots->context, owner, rrset, slot));
    }
    return result;
}

// Frees the plan slots of a node that goes, but those its successor still uses.
static void release_plans_of(struct change *change, const struct node *old, const struct node *new)
{
    for (unsigned i = 0; i < old->rrset_count; i++) {
        const struct node_rrset *rrset = &old->rrsets[i];
        const struct node_rrset *next = new ? node_rrset(new, rrset->type) : NULL;
        if (rrset->plan != 0 && (next == NULL || next->plan != rrset->plan)) {
            plan_slot_free(change, rrset->plan - 1);
        }
    }
}

static void mark_changed(struct change *change, const struct node *node)
{
    MEM_GROW(change->changed, change->changed_count, change->changed_capacity);
    change->changed[change->changed_count++] = node;
}

// Puts one new node, or keeps the old one where nothing changed. Returns the one that stays.
static struct node *node_put(struct change *change, struct node *node)
{
    uint64_t hash = hash_of(change, node_name(node), node->name_size);
    const struct node *before = index_find_in_zone(index_edit_view(change->names), hash,
                                                   node_name(node), node->name_size, node->zone);
    const size_t size = node_size(node);
    if (before != NULL && node_size(before) == size && memcmp(before, node, size) == 0) {
        node_free(node);
        return (struct node *)(uintptr_t)before;
    }
    index_edit_put(change->names, node);
    change->next->node_bytes += size;
    mark_changed(change, node);
    if (before != NULL) {
        release_plans_of(change, before, node);
        change->next->node_bytes -= node_size(before);
        pile_add(&change->old, (void *)(uintptr_t)before, release_node);
    }
    return node;
}

// Puts the nodes of a zone that was not there before.
static void nodes_put_new(struct change *change, const struct zone_nodes *nodes)
{
    struct index_entry *entries = mem_scratch(nodes->count * sizeof(*entries));
    for (size_t i = 0; i < nodes->count; i++) {
        const struct node *node = nodes->nodes[i];
        entries[i].hash = hash_of(change, node_name(node), node->name_size);
        entries[i].node = node;
        change->next->node_bytes += node_size(node);
    }
    index_edit_put_new(change->names, entries, nodes->count);
    for (size_t i = 0; i < nodes->count; i++) { // sorted now: the self-query goes page by page
        mark_changed(change, entries[i].node);
    }
    free(entries);
}

static void node_take_out(struct change *change, const struct node *node)
{
    index_edit_remove(change->names, node);
    release_plans_of(change, node, NULL);
    change->next->node_bytes -= node_size(node);
    pile_add(&change->old, (void *)(uintptr_t)node, release_node);
}

// Removes the nodes of the zone's last version whose names the new version does not have. The names
// of the new version are all in the index by now; a node that is still there under an old address
// and was not kept is one that went.
static void remove_gone(struct change *change, struct node *const *old, size_t old_count,
                        const struct zone_entry *new)
{
    struct node *const *kept = new ? new->nodes.nodes : NULL;
    size_t kept_count = new ? new->nodes.count : 0, bits = 4;
    while (((size_t)1 << bits) < kept_count * 2) {
        bits++;
    }
    const struct node **set = mem_alloc_array((size_t)1 << bits, sizeof(*set));
    size_t mask = ((size_t)1 << bits) - 1;
    for (size_t i = 0; i < kept_count; i++) {
        size_t at = hash_u64(0, (uintptr_t)kept[i]) & mask;
        while (set[at] != NULL) {
            at = (at + 1) & mask;
        }
        set[at] = kept[i];
    }
    for (size_t i = 0; i < old_count; i++) {
        const struct node *node = old[i];
        uint64_t hash = hash_of(change, node_name(node), node->name_size);
        if (index_find_in_zone(index_edit_view(change->names), hash, node_name(node),
                               node->name_size, node->zone) != node) {
            continue; // replaced by a new node of its name
        }
        size_t at = hash_u64(0, (uintptr_t)node) & mask;
        while (set[at] != NULL && set[at] != node) {
            at = (at + 1) & mask;
        }
        if (set[at] == NULL) {
            node_take_out(change, node);
        }
    }
    free(set);
}

static const struct zone_entry *zone_entry_find(const struct change *change,
                                                const uint8_t *folded_apex)
{
    size_t size = name_size(folded_apex);
    const struct node *node = index_find(index_edit_view(change->names),
                                         hash_of(change, folded_apex, size), folded_apex, size, 0);
    bool is_apex = node != NULL && node->flags & NODE_APEX;
    return is_apex ? vector_edit_get(change->zones, node->zone) : NULL;
}

static void negative_soa_make(struct zone_entry *zone)
{
    const struct node_rrset *soa = node_rrset(zone->apex_node, TYPE_SOA);
    SP_ASSERT(soa != NULL && soa->count == 1); // zone_finish saw to it
    zone->negative_soa_size = (uint16_t)soa->size;
    zone->negative_soa = mem_copy(node_records(zone->apex_node, soa), soa->size);
    uint32_t ttl = get_u32(zone->negative_soa + 6);
    uint32_t minimum = get_u32(zone->negative_soa + soa->size - 4);
    put_u32(zone->negative_soa + 6, MIN(ttl, minimum));
}

void change_zone(struct change *change, const struct zone *zone, plan_maker *plan_of, void *context)
{
    uint8_t apex[NAME_MAX_SIZE];
    size_t apex_size = name_size(zone_apex(zone));
    name_fold(zone_apex(zone), apex_size, apex);
    const struct zone_entry *old = zone_entry_find(change, apex);
    struct zone_entry *new = mem_alloc(sizeof(*new) + apex_size);
    new->slot = old ? old->slot : zone_slot_take(change);
    new->apex_size = (uint8_t)apex_size;
    memcpy(new->apex, apex, apex_size);
    struct node **old_nodes = old ? zone_nodes_list(old, index_edit_view(change->names)) : NULL;
    struct slot_context slots = {change, new->slot, old == NULL, plan_of, context};
    const struct node_maker maker = {new->slot, slots_of_rrset, &slots};
    new->nodes = zone_nodes_build(zone, &maker);
    const unsigned apex_labels = name_label_count(apex);
    change->next->apex_labels_max = MAX(change->next->apex_labels_max, apex_labels);
    depths_add(&change->next->apex_depths, apex_labels);
    if (old == NULL) {
        nodes_put_new(change, &new->nodes);
    }
    for (size_t i = 0; i < new->nodes.count; i++) {
        if (old != NULL) {
            new->nodes.nodes[i] = node_put(change, new->nodes.nodes[i]);
        }
        if (new->nodes.nodes[i]->flags & NODE_APEX) {
            new->apex_node = new->nodes.nodes[i];
        }
    }
    negative_soa_make(new);
    denial_make(new);
    vector_edit_set(change->zones, new->slot, new);
    pile_add(&change->new, new, release_zone);
    if (old != NULL) {
        remove_gone(change, old_nodes, old->nodes.count, new);
        zone_nodes_give_back(old, old_nodes);
        pile_add(&change->old, (void *)(uintptr_t)old, release_zone);
    } else {
        change->next->zone_count++;
    }
}

void change_zone_remove(struct change *change, const uint8_t *apex)
{
    uint8_t folded[NAME_MAX_SIZE];
    name_fold(apex, name_size(apex), folded);
    const struct zone_entry *old = zone_entry_find(change, folded);
    if (old == NULL) {
        return;
    }
    struct node **nodes = zone_nodes_list(old, index_edit_view(change->names));
    remove_gone(change, nodes, old->nodes.count, NULL);
    zone_nodes_give_back(old, nodes);
    vector_edit_set(change->zones, old->slot, NULL);
    pile_add(&change->old, (void *)(uintptr_t)old, release_zone);
    MEM_GROW(change->freed_zones, change->freed_zone_count, change->freed_zone_capacity);
    change->freed_zones[change->freed_zone_count++] = old->slot;
    change->next->zone_count--;
}

void change_plan(struct change *change, uint32_t slot, struct plan *plan)
{
    SP_ASSERT(vector_edit_get(change->plans, slot) != NULL);
    plan_put(change, slot, plan);
}

void change_cookies(struct change *change, const struct cookie_secrets *secrets)
{
    change->next->options.cookies = *secrets;
}

// --- the end of a change

static void give_back(uint32_t **list, size_t *count, size_t *capacity, const uint32_t *slots,
                      size_t slot_count)
{
    for (size_t i = 0; i < slot_count; i++) {
        MEM_GROW(*list, *count, *capacity);
        (*list)[(*count)++] = slots[i];
    }
}

static void change_end(struct change *change)
{
    change->publisher->changing = false;
    free(change->changed);
    free(change->freed_plans);
    free(change->taken_plans);
    free(change->freed_zones);
    free(change->taken_zones);
    free(change);
}

void change_drop(struct change *change)
{
    struct publisher *p = change->publisher;
    index_edit_drop(change->names);
    vector_edit_drop(change->zones);
    vector_edit_drop(change->plans);
    pile_release(&change->new);
    for (size_t i = 0; i < change->changed_count; i++) {
        node_free((struct node *)(uintptr_t)change->changed[i]);
    }
    free(change->old.items);
    free(change->next);
    give_back(&p->free_plans, &p->free_plan_count, &p->free_plan_capacity, change->taken_plans,
              change->taken_plan_count);
    give_back(&p->free_zones, &p->free_zone_count, &p->free_zone_capacity, change->taken_zones,
              change->taken_zone_count);
    change_end(change);
}

enum { AHEAD = 8 }; // nodes that are fetched before they are asked for

static bool self_query(struct change *change, struct diags *diags)
{
    // The view of the edits, before they are committed: the same bytes that would be published.
    struct generation view = *change->next;
    view.names = (struct index *)(uintptr_t)index_edit_view(change->names);
    view.zones = (struct vector *)(uintptr_t)vector_edit_view(change->zones);
    view.plans = (struct vector *)(uintptr_t)vector_edit_view(change->plans);
    for (size_t i = 0; i < change->changed_count; i++) {
        const struct node *ahead = change->changed[MIN(i + AHEAD, change->changed_count - 1)];
        __builtin_prefetch(ahead);
        __builtin_prefetch((const uint8_t *)ahead + CACHE_LINE);
        if (!self_query_node(&view, change->publisher->worker, change->changed[i], diags)) {
            return false;
        }
    }
    return true;
}

// A zone with most of the names needs no list of them: walking the index costs no more than making
// the zone anew, which is when it is asked for.
static void drop_long_lists(struct change *change)
{
#ifdef SP_DEBUG
    return; // leak checkers do not see through the marks in the index
#endif
    const size_t names = index_count(index_edit_view(change->names));
    for (size_t i = 0; i < change->new.count; i++) {
        struct zone_entry *zone = change->new.items[i].block;
        if (change->new.items[i].release == release_zone && zone->nodes.count >= names / 4) {
            free(zone->nodes.nodes);
            zone->nodes.nodes = NULL;
        }
    }
}

bool change_publish(struct change *change, struct diags *diags)
{
    struct publisher *p = change->publisher;
    if (!self_query(change, diags)) {
        change_drop(change);
        return false;
    }
    struct generation *old = p->current;
    drop_long_lists(change);
    change->next->names = index_edit_commit(change->names);
    change->next->zones = vector_edit_commit(change->zones);
    change->next->plans = vector_edit_commit(change->plans);
    p->current = change->next;
    atomic_store_explicit(&p->root, change->next, memory_order_release);
    rcu_wait();
    index_edit_free(change->names);
    vector_edit_free(change->zones);
    vector_edit_free(change->plans);
    pile_release(&change->old);
    free(change->new.items);
    free(old);
    give_back(&p->free_plans, &p->free_plan_count, &p->free_plan_capacity, change->freed_plans,
              change->freed_plan_count);
    give_back(&p->free_zones, &p->free_zone_count, &p->free_zone_capacity, change->freed_zones,
              change->freed_zone_count);
    change_end(change);
    return true;
}
