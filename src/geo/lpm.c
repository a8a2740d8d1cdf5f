// SPDX-License-Identifier: GPL-3.0-or-later
//
// The poptrie (Asai and Ohara, SIGCOMM 2015) behind struct lpm.
//
//   key:  | direct bits |  6  |  6  |  6  | ...      the last step reaches past bit 64: zeros
//           direct[]      node  node  node -> leaf
//
// direct[] is indexed by the top bits and holds leaves or node numbers. A node has 64 slots: in
// `inner` a bit is set where the slot is another node; the inner slots' nodes lie side by side from
// first_node. In `starts` a bit is set where a run of equal leaves begins; the leaves of the runs
// lie side by side from first_leaf. Both are found by counting bits, so a node is 24 bytes.
//
// A leaf is one word: value and the length of the widest prefix around the slot over which the
// value is constant. That length follows from the merged segment [first, last] that holds the slot:
// one more than the longest prefix shared with either neighbour of the segment. Slots whose words
// are equal share a leaf, and a slot that lies wholly in one segment never becomes a node, so no
// block is split and the length is exact.
//
// Built by the threads that load geo data or compile policies; read by any, without locks.

#include "geo/lpm.h"

#include "base/memory.h"

enum {
    STRIDE = 6,
    SLOTS = 1 << STRIDE,
    DIRECT_BITS_MAX = 18,
};

_Static_assert(LPM_VALUE_MAX < 1 << (31 - LPM_LENGTH_BITS), "a leaf word holds value and length");

struct node {
    uint64_t inner, starts;
    uint32_t first_node, first_leaf;
};

struct lpm {
    struct lpm_top top; // first: lpm_top
    struct node *nodes;
    uint32_t *leaves;
    size_t node_count, leaf_count;
};

static uint32_t leaf_make(uint32_t value, unsigned length)
{
    return value << LPM_LENGTH_BITS | length;
}

// --- building

struct builder {
    struct lpm *map;
    const struct lpm_segment *segments; // neighbours differ in value
    size_t count;
    size_t node_capacity, leaf_capacity;
};

static uint64_t segment_last(const struct builder *b, size_t segment)
{
    return segment + 1 < b->count ? b->segments[segment + 1].first - 1 : UINT64_MAX;
}

// Length of the widest prefix around `key` that lies in the segment.
static unsigned block_length(const struct builder *b, size_t segment, uint64_t key)
{
    unsigned length = 0;
    if (segment > 0) {
        uint64_t before = b->segments[segment].first - 1;
        length = (unsigned)__builtin_clzll(key ^ before) + 1;
    }
    if (segment + 1 < b->count) {
        uint64_t after = b->segments[segment + 1].first;
        length = MAX(length, (unsigned)__builtin_clzll(key ^ after) + 1);
    }
    return length;
}

static uint32_t leaf_for(const struct builder *b, size_t segment, uint64_t key)
{
    return leaf_make(b->segments[segment].value, block_length(b, segment, key));
}

static uint32_t leaf_add(struct builder *b, uint32_t leaf)
{
    MEM_GROW(b->map->leaves, b->map->leaf_count, b->leaf_capacity);
    b->map->leaves[b->map->leaf_count] = leaf;
    return (uint32_t)b->map->leaf_count++;
}

static uint32_t nodes_add(struct builder *b, size_t count)
{
    struct lpm *map = b->map;
    size_t first = map->node_count;
    SP_ASSERT(first + count < LPM_LEAF_FLAG);
    while (map->node_count < first + count) {
        MEM_GROW(map->nodes, map->node_count, b->node_capacity);
        map->nodes[map->node_count++] = (struct node){0};
    }
    return (uint32_t)first;
}

// First and last key of a slot in the node that begins at `start`, `offset` bits down. In the last
// node a slot is narrower than a key; the slots of one key all give that key.
static uint64_t slot_first(uint64_t start, unsigned offset, unsigned slot)
{
    return start | ((uint64_t)slot << (64 - STRIDE)) >> offset;
}

static uint64_t slot_last(uint64_t start, unsigned offset, unsigned slot)
{
    unsigned below = offset + STRIDE;
    uint64_t rest = below < 64 ? UINT64_MAX >> below : 0;
    return slot_first(start, offset, slot) | rest;
}

// Fills a node whose first key is in `segment`. Its children are added together, so that they lie
// side by side, then filled. Depth is at most eleven.
static void node_fill(struct builder *b, uint32_t index, uint64_t start, unsigned offset,
                      size_t segment)
{
    struct node node = {.first_leaf = (uint32_t)b->map->leaf_count};
    size_t child_segments[SLOTS];
    unsigned child_count = 0;
    uint32_t run = UINT32_MAX; // no leaf word has its top bit set
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        uint64_t first = slot_first(start, offset, slot);
        while (segment_last(b, segment) < first) {
            segment++;
        }
        if (segment_last(b, segment) < slot_last(start, offset, slot)) {
            node.inner |= UINT64_C(1) << slot;
            child_segments[child_count++] = segment;
            continue;
        }
        uint32_t leaf = leaf_for(b, segment, first);
        if (leaf != run) {
            node.starts |= UINT64_C(1) << slot;
            leaf_add(b, leaf);
            run = leaf;
        }
    }
    node.first_node = nodes_add(b, child_count);
    b->map->nodes[index] = node;

    uint64_t inner = node.inner;
    for (unsigned i = 0; i < child_count; i++, inner &= inner - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(inner);
        node_fill(b, node.first_node + i, slot_first(start, offset, slot), offset + STRIDE,
                  child_segments[i]);
    }
}

static void direct_fill(struct builder *b)
{
    struct lpm *map = b->map;
    size_t segment = 0;
    for (size_t i = 0; i < (size_t)1 << map->top.direct_bits; i++) {
        uint64_t first = map->top.direct_bits ? (uint64_t)i << (64 - map->top.direct_bits) : 0;
        uint64_t last = first | UINT64_MAX >> map->top.direct_bits;
        while (segment_last(b, segment) < first) {
            segment++;
        }
        if (segment_last(b, segment) >= last) {
            map->top.direct[i] = LPM_LEAF_FLAG | leaf_for(b, segment, first);
        } else {
            map->top.direct[i] = nodes_add(b, 1);
            node_fill(b, map->top.direct[i], first, map->top.direct_bits, segment);
        }
    }
}

// Entries of a direct table of `bits` that are no leaf: a segment begins inside of them.
static size_t split_count(const struct lpm_segment *segments, size_t count, unsigned bits)
{
    const uint64_t inside = UINT64_MAX >> bits;
    uint64_t previous = UINT64_MAX; // no entry, for bits > 0
    size_t split = 0;
    for (size_t i = 1; i < count; i++) {
        const uint64_t entry = segments[i].first & ~inside;
        split += (segments[i].first & inside) != 0 && entry != previous;
        previous = (segments[i].first & inside) != 0 ? entry : previous;
    }
    return split;
}

// The direct table with which the map is smallest, about: what is not decided there takes a node
// and some leaves, and a look-up goes on to both. Networks tend to begin at /16 or /20, and a table
// that ends a bit before such a length leaves nearly all of it to the nodes.
static unsigned direct_bits_for(const struct lpm_segment *segments, size_t count)
{
    enum { SPLIT_SIZE = sizeof(struct node) + 5 * sizeof(uint32_t), BITS_MORE = 4 };
    const unsigned least = MIN(63 - (unsigned)__builtin_clzll(count), (unsigned)DIRECT_BITS_MAX);
    unsigned best = least;
    size_t best_size = SIZE_MAX;
    for (unsigned bits = least; bits <= MIN(least + BITS_MORE, (unsigned)DIRECT_BITS_MAX); bits++) {
        const size_t size = ((size_t)1 << bits) * sizeof(uint32_t) +
                            split_count(segments, count, bits) * SPLIT_SIZE;
        if (size < best_size) {
            best = bits;
            best_size = size;
        }
    }
    return best;
}

// A copy without the segments that repeat the value before them; NULL when there are none.
static struct lpm_segment *segments_merge(const struct lpm_segment *segments, size_t *count)
{
    size_t repeated = 0;
    for (size_t i = 0; i < *count; i++) {
        SP_ASSERT(segments[i].value <= LPM_VALUE_MAX);
        SP_ASSERT(i == 0 || segments[i].first > segments[i - 1].first);
        repeated += i > 0 && segments[i].value == segments[i - 1].value;
    }
    if (repeated == 0) {
        return NULL;
    }
    struct lpm_segment *merged = mem_alloc_array(*count - repeated, sizeof(*merged));
    size_t used = 0;
    for (size_t i = 0; i < *count; i++) {
        if (i == 0 || segments[i].value != segments[i - 1].value) {
            merged[used++] = segments[i];
        }
    }
    *count = used;
    return merged;
}

struct lpm *lpm_build(const struct lpm_segment *segments, size_t count)
{
    SP_ASSERT(count > 0);
    SP_ASSERT(segments[0].first == 0);
    struct lpm *map = mem_alloc(sizeof(*map));
    struct lpm_segment *merged = segments_merge(segments, &count);
    struct builder b = {.map = map, .segments = merged ? merged : segments, .count = count};
    map->top.direct_bits = direct_bits_for(b.segments, b.count);
    map->top.direct = mem_alloc_array((size_t)1 << map->top.direct_bits, sizeof(*map->top.direct));
    direct_fill(&b);
    free(merged);
    // What the doubling left over goes back.
    if (map->node_count > 0) {
        map->nodes = mem_resize(map->nodes, map->node_count, sizeof(*map->nodes));
        map->leaves = mem_resize(map->leaves, map->leaf_count, sizeof(*map->leaves));
    }
    return map;
}

void lpm_free(struct lpm *map)
{
    if (map) {
        free(map->top.direct);
        free(map->nodes);
        free(map->leaves);
        free(map);
    }
}

size_t lpm_size(const struct lpm *map)
{
    return sizeof(*map) + ((size_t)1 << map->top.direct_bits) * sizeof(*map->top.direct) +
           map->node_count * sizeof(*map->nodes) + map->leaf_count * sizeof(*map->leaves);
}

// --- reading

// Counting bits without the instruction costs more than the memory access. Sanitizers do not get on
// with the resolver that chooses between the clones when the program is loaded. The clones are
// static, because clang 14 gives those of a public function a name that no other file can link to.
#if defined(__x86_64__) && !defined(__POPCNT__) && !defined(SP_DEBUG)
#define WITH_POPCNT __attribute__((target_clones("popcnt", "default")))
#else
#define WITH_POPCNT
#endif

WITH_POPCNT static uint32_t leaf_find(const struct lpm *map, uint64_t key, uint32_t number)
{
    for (unsigned offset = map->top.direct_bits;; offset += STRIDE) {
        const struct node *node = &map->nodes[number];
        uint64_t bit = UINT64_C(1) << ((key << offset) >> (64 - STRIDE));
        if (!(node->inner & bit)) {
            uint64_t upto = bit | (bit - 1);
            unsigned run = (unsigned)__builtin_popcountll(node->starts & upto);
            return map->leaves[node->first_leaf + run - 1];
        }
        number = node->first_node + (uint32_t)__builtin_popcountll(node->inner & (bit - 1));
    }
}

uint32_t lpm_leaf_below(const struct lpm *map, uint64_t key, uint32_t number)
{
    return leaf_find(map, key, number);
}

// A seek on its way down.
struct descent {
    struct lpm_seek *seek;
    uint32_t number; // of its node
    unsigned offset;
};

// Takes all of them down by one node. Returns how many have not come to their leaf; those are the
// first ones then.
WITH_POPCNT static size_t descend(struct descent *descents, size_t count)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        const struct descent at = descents[i];
        const struct lpm *map = at.seek->map;
        const struct node *node = &map->nodes[at.number];
        const uint64_t bit = UINT64_C(1) << ((at.seek->key << at.offset) >> (64 - STRIDE));
        if (node->inner & bit) {
            const uint64_t before = node->inner & (bit - 1);
            const uint32_t number = node->first_node + (uint32_t)__builtin_popcountll(before);
            __builtin_prefetch(&map->nodes[number]);
            descents[left++] = (struct descent){at.seek, number, at.offset + STRIDE};
        } else {
            const unsigned run = (unsigned)__builtin_popcountll(node->starts & (bit | (bit - 1)));
            at.seek->leaf = &map->leaves[node->first_leaf + run - 1];
            __builtin_prefetch(at.seek->leaf);
        }
    }
    return left;
}

void lpm_seek_end(struct lpm_seek *seeks, size_t count)
{
    struct descent descents[LPM_SEEK_MAX];
    size_t left = 0;
    SP_ASSERT(count <= LPM_SEEK_MAX);
    for (size_t i = 0; i < count; i++) {
        const uint32_t word = *seeks[i].leaf;
        if (UNLIKELY(!(word & LPM_LEAF_FLAG))) {
            __builtin_prefetch(&seeks[i].map->nodes[word]);
            descents[left++] = (struct descent){&seeks[i], word, seeks[i].map->top.direct_bits};
        }
    }
    while (left > 0) {
        left = descend(descents, left);
    }
}

struct walk {
    const struct lpm *map;
    lpm_visit *visit;
    void *context;
    uint64_t first; // of the run being gathered
    uint32_t value;
    bool begun;
};

static void walk_leaf(struct walk *walk, uint64_t first, uint32_t leaf)
{
    uint32_t value = lpm_match(leaf).value;
    if (walk->begun && walk->value == value) {
        return;
    }
    if (walk->begun) {
        walk->visit(walk->context, walk->first, first - 1, walk->value);
    }
    walk->begun = true;
    walk->first = first;
    walk->value = value;
}

static void walk_node(struct walk *walk, const struct node *node, uint64_t start, unsigned offset)
{
    const uint32_t *leaf = walk->map->leaves + node->first_leaf - 1;
    uint32_t child = node->first_node;
    // Only slots where something begins: a node, a run of leaves, or a run resumed after a node.
    uint64_t slots = node->inner | node->starts | node->inner << 1;
    for (; slots; slots &= slots - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(slots);
        uint64_t bit = UINT64_C(1) << slot;
        uint64_t first = slot_first(start, offset, slot);
        leaf += (node->starts & bit) != 0;
        if (node->inner & bit) {
            walk_node(walk, &walk->map->nodes[child++], first, offset + STRIDE);
        } else {
            walk_leaf(walk, first, *leaf);
        }
    }
}

void lpm_walk(const struct lpm *map, lpm_visit *visit, void *context)
{
    struct walk walk = {.map = map, .visit = visit, .context = context};
    for (size_t i = 0; i < (size_t)1 << map->top.direct_bits; i++) {
        uint64_t first = map->top.direct_bits ? (uint64_t)i << (64 - map->top.direct_bits) : 0;
        if (map->top.direct[i] & LPM_LEAF_FLAG) {
            walk_leaf(&walk, first, map->top.direct[i]);
        } else {
            walk_node(&walk, &map->nodes[map->top.direct[i]], first, map->top.direct_bits);
        }
    }
    visit(context, walk.first, UINT64_MAX, walk.value);
}
