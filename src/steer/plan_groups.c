// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pools with a method of their own that stand in other pools.
//
// While members are taken such a pool becomes a group: one leaf of the pool around it. Most of what
// its method decides is decided here: of a fixed order only the first members are kept, a draw
// within a draw is one draw with other weights, and a group of one is what it holds. What is left
// when the query must ask several methods one after the other becomes a tree of choices
// (steer/plan_tree.h). Called by the policy compiler; pure.
#include "steer/compiler.h"

#include "base/hash.h"
#include "base/memory.h"
#include "steer/plan_tree.h"

#include <string.h>

// --- the order of sites

void compiler_class(struct compiler *c, struct territory_class class)
{
    c->class = class;
    if (class.order == NULL) {
        return;
    }
    if (c->place_of == NULL) {
        c->place_of = mem_alloc_array(class.order_count, sizeof(*c->place_of));
    }
    for (size_t i = 0; i < class.order_count; i++) {
        c->place_of[class.order[i]] = (uint16_t)i;
    }
}

uint32_t place_rank(const struct compiler *c, const struct member *member)
{
    if (c->class.order == NULL) {
        return 0;
    }
    return member->site ? c->place_of[member->site - c->policy->sites]
                        : (uint32_t)c->class.order_count;
}

// Nearest first; equal ones, and those without a site at the end, as they were.
static void leaves_sort(const struct compiler *c, struct leaves *leaves)
{
    const size_t count = leaves->count, ranks = c->class.order_count + 1;
    struct leaf *sorted = mem_alloc_array(count, sizeof(*sorted));
    size_t *begins = mem_alloc_array(ranks + 1, sizeof(*begins)); // by rank + 1
    for (size_t i = 0; i < count; i++) {
        begins[leaves->items[i].rank + 1]++;
    }
    for (size_t i = 1; i <= ranks; i++) {
        begins[i] += begins[i - 1];
    }
    for (size_t i = 0; i < count; i++) {
        sorted[begins[leaves->items[i].rank]++] = leaves->items[i];
    }
    memcpy(leaves->items, sorted, count * sizeof(*sorted));
    free(sorted);
    free(begins);
}

// Each pool deals its clients out by itself: what a client draws for a member is another number in
// each, else those whom one pool has passed over would be passed over by the next.
static void identities_salt(const struct pool *pool, struct leaves *leaves)
{
    const uint64_t key = pool_identity(pool);
    for (size_t i = 0; i < leaves->count; i++) {
        struct leaf *leaf = &leaves->items[i];
        const uint64_t own = leaf->identity ? leaf->identity : member_identity(leaf->member);
        leaf->identity = hash_u64(key, own) | 1; // 0 is none
    }
}

void leaves_arrange(struct compiler *c, enum method method, const struct pool *pool,
                    struct leaves *leaves)
{
    leaves_settle(leaves, false);
    if (method == METHOD_STICKY && pool != NULL) {
        identities_salt(pool, leaves);
    }
    bool by_place = method == METHOD_NEAREST || method == METHOD_FASTEST;
    if (by_place && c->class.order != NULL && leaves->count > 1) {
        leaves_sort(c, leaves);
    }
}

// --- groups

void groups_free(struct compiler *c)
{
    arena_free(c->groups);
    c->groups = NULL;
}

static struct leaves leaves_copy(struct compiler *c, const struct leaf *items, size_t count)
{
    return (struct leaves){.items = arena_copy(c->groups, items, count * sizeof(*items)),
                           .count = count,
                           .capacity = count};
}

void group_close(struct compiler *c, size_t begin, const struct pool *pool, const struct pool *from)
{
    c->groups = c->groups ? c->groups : arena_new();
    struct group *group = arena_alloc(c->groups, sizeof(*group));
    group->pool = pool;
    group->method = pool->method;
    group->leaves = leaves_copy(c, c->leaves.items + begin, c->leaves.count - begin);
    leaves_arrange(c, group->method, pool, &group->leaves);
    uint32_t rank = UINT32_MAX; // as near as the nearest in it
    for (size_t i = 0; i < group->leaves.count; i++) {
        rank = MIN(rank, group->leaves.items[i].rank);
    }
    c->leaves.items[begin] = (struct leaf){.group = group,
                                           .weight = 1,
                                           .rank = rank,
                                           .is_pool = true,
                                           .identity = pool_identity(from)};
    c->leaves.count = begin + 1;
}

size_t leaves_values(const struct leaves *leaves)
{
    size_t count = 0;
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->items[i];
        count += leaf->group ? leaves_values(&leaf->group->leaves) : 1;
    }
    return count;
}

bool leaves_any(const struct compiler *c, const struct leaves *leaves,
                bool (*which)(const struct compiler *c, const struct member *member))
{
    bool any = false;
    for (size_t i = 0; i < leaves->count && !any; i++) {
        const struct leaf *leaf = &leaves->items[i];
        any = leaf->group ? leaves_any(c, &leaf->group->leaves, which) : which(c, leaf->member);
    }
    return any;
}

// --- what can be decided now

static bool draws(enum method method)
{
    return method == METHOD_WEIGHTED || method == METHOD_RANDOM;
}

static bool has_groups(const struct leaves *leaves)
{
    for (size_t i = 0; i < leaves->count; i++) {
        if (leaves->items[i].group != NULL) {
            return true;
        }
    }
    return false;
}

// Appends all values, groups and all.
static void values_add(struct leaves *values, const struct leaf *leaf)
{
    if (leaf->group == NULL) {
        MEM_GROW(values->items, values->count, values->capacity);
        values->items[values->count++] = *leaf;
        return;
    }
    for (size_t i = 0; i < leaf->group->leaves.count; i++) {
        values_add(values, &leaf->group->leaves.items[i]);
    }
}

static size_t distinct_values(const struct leaves *leaves)
{
    struct leaves values = {0};
    for (size_t i = 0; i < leaves->count; i++) {
        values_add(&values, &leaves->items[i]);
    }
    leaves_settle(&values, true);
    free(values.items);
    return values.count;
}

// How many of the first leaves have `wanted` distinct values among them, or all.
static size_t enough_of(const struct leaves *leaves, size_t wanted)
{
    struct leaves values = {0};
    size_t taken = 0;
    while (taken < leaves->count && values.count < wanted) {
        values_add(&values, &leaves->items[taken++]);
        if (values.count >= wanted) {
            leaves_settle(&values, true);
        }
    }
    free(values.items);
    return taken;
}

// Groups of the kind give way to what they hold. A draw gets the leaf's weight for all of them.
static void groups_melt(struct compiler *c, struct leaves *leaves, bool (*kind)(enum method method),
                        bool weighs)
{
    struct leaves melted = {0};
    struct weights weights = {.denominator = 1};
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->items[i];
        const bool melts = leaf->group != NULL && kind(leaf->group->method);
        const bool even = !melts || leaf->group->method == METHOD_RANDOM;
        const struct leaves inner =
            melts ? leaf->group->leaves : (struct leaves){.items = &leaves->items[i], .count = 1};
        for (size_t k = 0; k < inner.count; k++) {
            MEM_GROW(melted.items, melted.count, melted.capacity);
            melted.items[melted.count] = inner.items[k];
            melted.items[melted.count].is_pool = leaf->is_pool;
            melted.items[melted.count++].weight = even ? 1 : inner.items[k].weight;
        }
        if (weighs) {
            weights.leaves = melted.items;
            weights_join(&weights, melted.count, leaf->weight, 1);
        }
    }
    *leaves = leaves_copy(c, melted.items, melted.count);
    free(melted.items);
}

// A pool that stands twice among those that clients are kept to stands there once, with both
// weights.
static void twins_join(struct leaves *leaves)
{
    size_t kept = 0;
    for (size_t i = 0; i < leaves->count; i++) {
        const struct leaf *leaf = &leaves->items[i];
        size_t twin = leaf->is_pool ? 0 : kept;
        while (twin < kept && leaves->items[twin].identity != leaf->identity) {
            twin++;
        }
        if (twin < kept) {
            leaves->items[twin].weight += leaf->weight;
        } else {
            leaves->items[kept++] = *leaf;
        }
    }
    leaves->count = kept;
}

static void weights_even(struct leaves *leaves)
{
    for (size_t i = 0; i < leaves->count; i++) {
        leaves->items[i].weight = 1;
    }
}

// Innermost first. Returns the method that is left.
static enum method leaves_simplify(struct compiler *c, enum method method, struct leaves *leaves)
{
    bool any = false;
    for (size_t i = 0; i < leaves->count; i++) {
        struct leaf *leaf = &leaves->items[i];
        struct group *group = leaf->group;
        any |= leaf->is_pool;
        if (group == NULL) {
            continue;
        }
        group->method = leaves_simplify(c, group->method, &group->leaves);
        if (group->leaves.count == 1) { // keeps its place, its weight and its clients
            const struct leaf outer = *leaf;
            *leaf = group->leaves.items[0];
            leaf->weight = outer.weight;
            leaf->is_pool = true;
            leaf->identity = outer.identity;
        }
    }
    if (method_is_fixed(method)) {
        groups_melt(c, leaves, method_is_fixed, false);
        leaves_settle(leaves, true);
        leaves->count = enough_of(leaves, c->wanted);
    } else if (any && draws(method)) {
        if (method == METHOD_RANDOM) {
            weights_even(leaves);
        }
        if (c->wanted == 1) {
            groups_melt(c, leaves, draws, true);
        }
        method = METHOD_WEIGHTED;
        leaves_settle(leaves, true);
    } else if (any && method == METHOD_STICKY) {
        twins_join(leaves);
        leaves_settle(leaves, false);
    }
    return method;
}

void groups_simplify(struct compiler *c)
{
    struct leaves leaves = leaves_copy(c, c->leaves.items, c->leaves.count);
    c->method = leaves_simplify(c, c->method, &leaves);
    while (leaves.count == 1 && leaves.items[0].group != NULL) {
        const struct group *only = leaves.items[0].group;
        c->method = only->method;
        leaves = only->leaves;
    }
    c->leaves.count = 0;
    for (size_t i = 0; i < leaves.count; i++) {
        MEM_GROW(c->leaves.items, c->leaves.count, c->leaves.capacity);
        c->leaves.items[c->leaves.count++] = leaves.items[i];
    }
}

bool groups_need_tree(const struct compiler *c)
{
    if (has_groups(&c->leaves) || c->wanted == 1 || c->leaves.count < 2) {
        return has_groups(&c->leaves);
    }
    return distinct_values(&c->leaves) < c->leaves.count;
}

// --- the tree

struct tree_builder {
    struct compiler *c;
    uint32_t ttl;
    size_t entries, levels, node_count; // of distinct nodes
    uint32_t nodes[POOLS_MAX + 1];
    size_t ranked;                   // entries that a node may have to put in order
    uint32_t efforts[POOLS_MAX + 1]; // of putting them in order, the greatest first
    bool many;                       // more to choose from than may be put in order at length
};

static bool node_note(struct tree_builder *b, uint32_t node)
{
    for (size_t i = 0; i < b->node_count; i++) {
        if (b->nodes[i] == node) {
            return false;
        }
    }
    SP_ASSERT(b->node_count < ARRAY_SIZE(b->nodes)); // pools that give the same are one node
    b->nodes[b->node_count++] = node;
    return true;
}

// Few members are all weighed and put in order.
static uint32_t rank_effort(const struct choice *node)
{
    return MIN(choice_effort(node), 14U * node->member_count + 20);
}

static void effort_note(struct tree_builder *b, uint32_t effort)
{
    size_t at = b->node_count - 1;
    for (; at > 0 && b->efforts[at - 1] < effort; at--) {
        b->efforts[at] = b->efforts[at - 1];
    }
    b->efforts[at] = effort;
}

// Of so many records: each may lead through nodes where no other has been.
static uint32_t tree_effort(const struct tree_builder *b, size_t answers)
{
    const size_t steps = answers * b->levels;
    size_t effort = steps * (answers > 1 ? STEP_EFFORT : STEP_EFFORT / 2);
    for (size_t i = 0; i < MIN(steps, b->node_count); i++) {
        effort += b->efforts[i];
    }
    return (uint32_t)effort;
}

static uint32_t node_add(struct tree_builder *b, enum method method, const struct leaves *leaves,
                         size_t level)
{
    struct compiler *c = b->c;
    struct plan *plan = c->plan;
    uint32_t *inner = mem_alloc_array(leaves->count, sizeof(*inner));
    SP_ASSERT(level <= TREE_LEVELS_MAX);
    b->levels = MAX(b->levels, level);
    for (size_t i = 0; i < leaves->count; i++) {
        const struct group *group = leaves->items[i].group;
        inner[i] = group ? node_add(b, group->method, &group->leaves, level + 1) + 1 : 0;
    }
    const bool even = method == METHOD_RANDOM;
    const bool many = method == METHOD_STICKY && leaves->count > STICKY_MANY;
    const size_t few = MIN(b->ranked, (size_t)STICKY_MANY_ANSWERS);
    struct choice node = {.kind = PICK_MEMBERS,
                          .method = (uint8_t)(even ? METHOD_WEIGHTED : method),
                          .member_count = (uint16_t)leaves->count,
                          .answer_count = (uint16_t)MIN(many ? few : b->ranked, leaves->count),
                          .ttl = b->ttl,
                          .share_ppm = SHARE_ALL,
                          .otherwise = NO_CHOICE,
                          .first_member = (uint32_t)plan->member_count};
    for (size_t i = 0; i < leaves->count; i++) {
        struct leaf leaf = leaves->items[i];
        leaf.weight = even ? 1 : leaf.weight;
        choice_member_add(c, &leaf, inner[i], b->ttl);
        node.weight_sum += leaf.weight;
    }
    free(inner);
    node.hashed = node.method == METHOD_STICKY && node.member_count > node.answer_count;
    const size_t count = plan->choice_count;
    const uint32_t index = choice_intern(c, &node);
    if (plan->choice_count == count) { // it was there
        plan->member_count = node.first_member;
    }
    if (node_note(b, index)) {
        b->entries += leaves->count;
        b->many |= many;
        effort_note(b, method == METHOD_STICKY ? rank_effort(&node) : 0);
    }
    return index;
}

static bool goes_by_hash(enum method method, const struct leaves *leaves)
{
    bool hashed = method == METHOD_STICKY;
    for (size_t i = 0; i < leaves->count && !hashed; i++) {
        const struct group *group = leaves->items[i].group;
        hashed = group != NULL && goes_by_hash(group->method, &group->leaves);
    }
    return hashed;
}

// Whether answers of so many records, out of these leaves, depend on the client's hash. What a
// fixed order gives as a whole does not, unless `twins` make it give less than it has.
static bool leaves_hashed(enum method method, const struct leaves *leaves, size_t wanted,
                          bool twins)
{
    if (wanted >= leaves_values(leaves)) {
        return false;
    }
    if (twins || !method_is_fixed(method)) {
        return goes_by_hash(method, leaves);
    }
    bool hashed = false;
    for (size_t i = 0; i < leaves->count && !hashed && wanted > 0; i++) {
        const struct group *group = leaves->items[i].group;
        const size_t values = group ? leaves_values(&group->leaves) : 1;
        hashed = group != NULL && leaves_hashed(group->method, &group->leaves, wanted, twins);
        wanted -= MIN(values, wanted);
    }
    return hashed;
}

struct tree tree_add(struct compiler *c, uint32_t ttl)
{
    const size_t values = distinct_values(&c->leaves);
    const size_t twice = leaves_values(&c->leaves) - values;
    const size_t wanted = MIN((size_t)c->wanted, (size_t)TREE_ANSWERS_MAX);
    struct tree_builder b = {.c = c, .ttl = ttl};
    b.ranked = wanted == 1 ? 1 : wanted + MIN(twice, (size_t)TREE_TWINS_MAX);
    struct tree tree = {.root = node_add(&b, c->method, &c->leaves, 1)};
    // In a tree each node but the root, and each value, stands in one place: the rest are twins.
    const size_t twins = b.entries - (b.node_count - 1) - values;
    const size_t twins_most = b.many ? STICKY_MANY_ANSWERS - TREE_ANSWERS_MAX : TREE_TWINS_MAX;
    tree.answers = twins > twins_most ? 1 : MIN(wanted, values);
    while (tree.answers > 1 && tree_effort(&b, tree.answers) > TREE_EFFORT_MAX) {
        tree.answers--;
    }
    tree.hashed = leaves_hashed(c->method, &c->leaves, tree.answers, twice > 0);
    tree.effort = tree_effort(&b, tree.answers);
    return tree;
}
