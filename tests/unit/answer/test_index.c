// SPDX-License-Identifier: GPL-3.0-or-later
//
// The persistent index and vector against plain arrays, over many versions that live at once.
#include "answer/index_probe.h"
#include "answer/vector.h"

#include "../seed.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

enum { NAMES = 6000, ZONES = 4, VERSIONS = 5, OPERATIONS_MAX = 3000, EDITS = 80 };

static uint64_t dice;
static const struct index_key key = {0x5eed, 0xfeed5eedfeed5eed};

static struct node *node_make(unsigned name, unsigned zone)
{
    uint8_t wire[32];
    int length = snprintf((char *)wire + 1, sizeof(wire) - 1, "n%u", name);
    wire[0] = (uint8_t)length;
    wire[length + 1] = 0;
    struct node *node = mem_alloc(sizeof(*node) + (size_t)length + 2);
    node->zone = zone;
    node->name_size = (uint8_t)(length + 2);
    node->apex_label_count = (uint8_t)zone; // deeper zones have higher slots here
    memcpy((uint8_t *)node->rrsets, wire, node->name_size);
    return node;
}

static uint64_t hash_of(const struct node *node)
{
    return index_hash(&key, node_name(node), node->name_size);
}

// One version and what it must hold.
struct version {
    struct index *index;
    const struct node *(*nodes)[ZONES];
    size_t count;
    struct index_edit *edit; // by which it was made
};

static const struct node *deepest(const struct version *version, unsigned name, unsigned without)
{
    const struct node *best = NULL;
    for (unsigned zone = 0; zone < ZONES; zone++) {
        const struct node *node = version->nodes[name][zone];
        if (node != NULL && !(node->flags & without)) {
            best = node;
        }
    }
    return best;
}

static void check_name(const struct version *version, unsigned name)
{
    struct node *probe = node_make(name, 0);
    uint64_t hash = hash_of(probe);
    const uint8_t *wire = node_name(probe);
    const uint64_t *run = index_run(version->index, hash);
    uint64_t slot = index_probe(version->index, hash, run);
    const struct node *best = deepest(version, name, 0);
    // The query path's look-up ends only where no node of the name is, and an unmarked node of the
    // name is the only one. (Now and then it gives another name with the same tag.)
    assert_true(slot != 0 || best == NULL);
    if (slot != 0 && !(slot & SLOT_SHARED) && is_named(slot_node(slot), wire, probe->name_size)) {
        assert_ptr_equal(slot_node(slot), best);
    }
    for (unsigned zone = 0; zone < ZONES; zone++) {
        assert_ptr_equal(index_find_in_zone(version->index, hash, wire, probe->name_size, zone),
                         version->nodes[name][zone]);
    }
    assert_ptr_equal(index_find(version->index, hash, wire, probe->name_size, 0),
                     deepest(version, name, 0));
    assert_ptr_equal(index_find(version->index, hash, wire, probe->name_size, NODE_OCCLUDED),
                     deepest(version, name, NODE_OCCLUDED));
    free(probe);
}

static void check_version(const struct version *version, unsigned stride)
{
    assert_int_equal(index_count(version->index), version->count);
    assert_true(index_size(version->index) > 4096);
    for (unsigned name = random_below(&dice, stride); name < NAMES; name += stride) {
        check_name(version, name);
    }
}

// All nodes ever made, freed at the end: the index does not own them.
static struct node **made;
static size_t made_count, made_capacity;

static struct node *node_keep(unsigned name, unsigned zone)
{
    struct node *node = node_make(name, zone);
    node->flags = random_below(&dice, 4) ? 0 : NODE_OCCLUDED;
    MEM_GROW(made, made_count, made_capacity);
    made[made_count++] = node;
    return node;
}

static void put(struct version *version, struct index_edit *edit, unsigned name, unsigned zone)
{
    struct node *node = node_keep(name, zone);
    const struct node *before = index_edit_put(edit, node);
    assert_ptr_equal(before, version->nodes[name][zone]);
    version->count += before == NULL;
    version->nodes[name][zone] = node;
}

// A part of the names that the zone does not have yet, at once.
static void put_new(struct version *version, struct index_edit *edit, unsigned zone, unsigned part)
{
    struct index_entry *entries = mem_alloc_array(NAMES, sizeof(*entries));
    size_t count = 0;
    for (unsigned name = 0; name < NAMES; name++) {
        if (version->nodes[name][zone] == NULL && random_below(&dice, part) == 0) {
            const struct node *node = node_keep(name, zone);
            entries[count++] = (struct index_entry){hash_of(node), node};
            version->nodes[name][zone] = node;
        }
    }
    index_edit_put_new(edit, entries, count);
    version->count += count;
    free(entries);
}

static void edit_randomly(struct version *version, struct index_edit *edit, unsigned balance)
{
    for (unsigned left = random_below(&dice, OPERATIONS_MAX); left > 0; left--) {
        unsigned name = random_below(&dice, NAMES), zone = random_below(&dice, ZONES);
        if (random_below(&dice, 10) < balance) {
            put(version, edit, name, zone);
        } else if (version->nodes[name][zone] != NULL) {
            index_edit_remove(edit, version->nodes[name][zone]);
            version->nodes[name][zone] = NULL;
            version->count--;
        }
        if (random_below(&dice, 16000) < balance) {
            put_new(version, edit, zone, 1 + random_below(&dice, 200));
        }
        if (left % 64 == 0) { // a look at the work in progress
            struct version view = *version;
            view.index = (struct index *)(uintptr_t)index_edit_view(edit);
            check_name(&view, name);
        }
    }
}

static void test_index_over_versions(void **state)
{
    (void)state;
    struct version versions[VERSIONS + 1] = {0};
    size_t first = 0, next = 1; // live versions, in a ring
    size_t map_size = NAMES * sizeof(*versions[0].nodes);
    versions[0].index = index_new();
    versions[0].nodes = mem_alloc(map_size);
    size_t largest = 0;
    for (unsigned i = 0; i < EDITS; i++) {
        const struct version *old = &versions[(next - 1) % (VERSIONS + 1)];
        struct version new = {.nodes = mem_copy(old->nodes, map_size), .count = old->count};
        struct index_edit *edit = index_edit_begin(old->index, key);
        edit_randomly(&new, edit, i < EDITS / 2 ? 8 : 3); // grow, then shrink
        if (random_below(&dice, 4) == 0) {
            index_edit_drop(edit);
            free(new.nodes);
            check_version(old, 7);
            continue;
        }
        new.index = index_edit_commit(edit);
        new.edit = edit;
        largest = MAX(largest, new.count);
        versions[next++ % (VERSIONS + 1)] = new;
        for (size_t v = first; v < next; v++) {
            check_version(&versions[v % (VERSIONS + 1)], v + 1 == next ? 1 : 11);
        }
        if (next - first > VERSIONS) { // the grace period of the oldest is over
            index_edit_free(versions[(first + 1) % (VERSIONS + 1)].edit);
            free(versions[first++ % (VERSIONS + 1)].nodes);
        }
    }
    for (; next - first > 1; first++) {
        index_edit_free(versions[(first + 1) % (VERSIONS + 1)].edit);
        free(versions[first % (VERSIONS + 1)].nodes);
    }
    index_free_all(versions[first % (VERSIONS + 1)].index);
    free(versions[first % (VERSIONS + 1)].nodes);
    for (size_t i = 0; i < made_count; i++) {
        free(made[i]);
    }
    free(made);
    print_message("%zu nodes at most\n", largest);
    assert_true(largest > 5000); // dozens of pages
}

// The size of an index that the nodes are put into at once.
static size_t size_put_at_once(struct node *const *nodes, size_t count)
{
    struct index_entry *entries = mem_alloc_array(count, sizeof(*entries));
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct index_entry){hash_of(nodes[i]), nodes[i]};
    }
    struct index_edit *edit = index_edit_begin(index_new(), key);
    index_edit_put_new(edit, entries, count);
    free(entries);
    struct index *index = index_edit_commit(edit);
    index_edit_free(edit);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(
            index_find(index, hash_of(nodes[i]), node_name(nodes[i]), nodes[i]->name_size, 0),
            nodes[i]);
    }
    const size_t size = index_size(index);
    index_free_all(index);
    return size;
}

// A change of one node copies one page, whatever the size.
static void test_edit_shares_pages(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    struct index *index = index_new();
    struct node **nodes = mem_alloc_array(COUNT + 1, sizeof(*nodes));
    struct index_edit *edit = index_edit_begin(index, key);
    for (unsigned i = 0; i <= COUNT; i++) {
        nodes[i] = node_make(i, 0);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_null(index_edit_put(edit, nodes[i]));
    }
    index = index_edit_commit(edit);
    index_edit_free(edit);
    size_t size = index_size(index);
    assert_in_range(size / COUNT, 12, 30); // octets a name
    assert_in_range(size_put_at_once(nodes, COUNT), size / 8 * 7, size / 8 * 9);
    edit = index_edit_begin(index, key);
    assert_null(index_edit_put(edit, nodes[COUNT]));
    struct index *second = index_edit_commit(edit);
    assert_in_range(index_size(second), size, size + 4096);
    index_edit_free(edit);
    for (unsigned i = 0; i <= COUNT; i++) {
        assert_ptr_equal(
            index_find(second, hash_of(nodes[i]), node_name(nodes[i]), nodes[i]->name_size, 0),
            nodes[i]);
    }
    index_free_all(second);
    for (unsigned i = 0; i <= COUNT; i++) {
        free(nodes[i]);
    }
    free(nodes);
}

static void test_vector_over_versions(void **state)
{
    (void)state;
    enum { SLOTS = 3000 };
    static const char items[SLOTS];
    const void **old_map = mem_alloc_array(SLOTS, sizeof(*old_map));
    const void **map = mem_alloc_array(SLOTS, sizeof(*map));
    struct vector *vector = vector_new();
    uint32_t limit = 1;
    for (unsigned i = 0; i < 200; i++) {
        struct vector_edit *edit = vector_edit_begin(vector);
        memcpy(old_map, map, SLOTS * sizeof(*map));
        limit = MIN(limit + 40, (uint32_t)SLOTS);
        for (unsigned left = random_below(&dice, 60); left > 0; left--) {
            uint32_t slot = random_below(&dice, limit);
            const void *item = random_below(&dice, 5) ? &items[random_below(&dice, SLOTS)] : NULL;
            assert_ptr_equal(vector_edit_set(edit, slot, item), map[slot]);
            map[slot] = item;
        }
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            assert_ptr_equal(vector_edit_get(edit, slot), map[slot]);
            bool there = slot / VECTOR_CHUNK_SIZE < vector->chunk_count;
            assert_ptr_equal(there ? vector_get(vector, slot) : NULL, old_map[slot]);
        }
        if (random_below(&dice, 3) == 0) {
            vector_edit_drop(edit);
            memcpy(map, old_map, SLOTS * sizeof(*map));
            continue;
        }
        struct vector *new = vector_edit_commit(edit);
        for (uint32_t slot = 0; slot / VECTOR_CHUNK_SIZE < vector->chunk_count; slot++) {
            assert_ptr_equal(vector_get(vector, slot), slot < SLOTS ? old_map[slot] : NULL);
        }
        vector_edit_free(edit);
        vector = new;
    }
    vector_free_all(vector);
    free(old_map);
    free(map);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_index_over_versions),
        cmocka_unit_test(test_edit_shares_pages),
        cmocka_unit_test(test_vector_over_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
