// SPDX-License-Identifier: GPL-3.0-or-later
//
// The model of pools with methods of their own: what steer/plan_tree.h says, word by word, run once
// for every way in which its draws may fall. It shares no code with the compiler or the draws.
#pragma once

#include "plan_model.h"

enum {
    NODES_MAX = 16,
    ENTRIES_MAX = 64,
    WAYS_MAX = 300000,
    STEPS_MAX = 64,
    OUTCOMES_SLOTS = 1 << 14
};

// An entry of a pool: a value, by the last octets of its rdata, or a node.
struct model_entry {
    double weight;
    int value; // -1: a node
    size_t node;
    const struct pool *from; // the pool as it is written there
};

struct model_node {
    bool known;
    enum method method;
    struct model_entry entries[ENTRIES_MAX];
    size_t count;
};

// What the ways end in: answers as numbers, each value a digit, with their probabilities.
struct model_outcomes {
    struct {
        uint64_t answer; // 0: free
        double probability;
        uint32_t count;
    } slots[OUTCOMES_SLOTS];
};

struct nested_model {
    struct model m;
    struct model_node nodes[NODES_MAX]; // by the pool that answers
    bool hashed;                        // some node that was looked at is sticky
    // One way through the draws: the options that were taken and how many there were.
    size_t steps, replayed, options[STEPS_MAX], counts[STEPS_MAX];
    double probability;
    // The answer so far, and what nodes remember within it.
    int answer[8];
    size_t answered;
    bool begun[NODES_MAX];
    size_t turn[NODES_MAX], ranked[NODES_MAX], ranks[NODES_MAX][ENTRIES_MAX];
};

static inline int value_of(const struct member *member)
{
    return member->rdata[2] << 8 | member->rdata[3];
}

static inline void model_entry_add(struct model_node *node, struct model_entry entry)
{
    for (size_t i = 0; i < node->count; i++) {
        struct model_entry *other = &node->entries[i];
        bool same = entry.value >= 0 ? other->value == entry.value
                                     : node->method == METHOD_STICKY && other->from == entry.from &&
                                           other->value < 0;
        if (same) {
            other->weight += entry.weight;
            return;
        }
    }
    assert_true(node->count < ENTRIES_MAX);
    node->entries[node->count++] = entry;
}

static inline bool member_gives(struct nested_model *n, const struct member *member)
{
    return member->pool == NULL
               ? usable(&n->m, member)
               : there(&n->m, member) &&
                     chain_pool(&n->m, (int)(member->pool - n->m.policy->pools)) >= 0;
}

static inline void model_node_of(struct nested_model *n, size_t pool, enum method method);

// The members of the pool, which have `part` of the node between them.
static inline void model_entries(struct nested_model *n, struct model_node *node,
                                 const struct pool *pool, double part)
{
    double sum = 0;
    bool spare = true;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        spare &= member->weight == 0 || !member_gives(n, member);
    }
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        sum += member_gives(n, member) ? spare ? 1 : member->weight : 0;
    }
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        const double own = part * (spare ? 1 : member->weight) / sum;
        if (!member_gives(n, member) || (member->weight == 0 && !spare)) {
            continue;
        }
        if (member->pool == NULL) {
            model_entry_add(node, (struct model_entry){own, value_of(member), 0, NULL});
            continue;
        }
        const struct pool *pools = n->m.policy->pools;
        const size_t at = (size_t)chain_pool(&n->m, (int)(member->pool - pools));
        if (pools[at].has_method) {
            model_node_of(n, at, pools[at].method);
            model_entry_add(node, (struct model_entry){own, -1, at, member->pool});
        } else {
            model_entries(n, node, &pools[at], own);
        }
    }
}

static inline void model_node_of(struct nested_model *n, size_t pool, enum method method)
{
    struct model_node *node = &n->nodes[pool];
    if (!node->known) {
        node->known = true;
        node->method = method;
        model_entries(n, node, &n->m.policy->pools[pool], 1);
        n->hashed |= method == METHOD_STICKY;
    }
}

// --- one way

// One of so many options, in proportion to their weights.
static inline size_t option(struct nested_model *n, const double *weights, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i];
    }
    if (count == 1) {
        return 0;
    }
    assert_true(n->steps < STEPS_MAX);
    const size_t step = n->steps++;
    if (step >= n->replayed) {
        n->options[step] = 0;
        n->counts[step] = count;
    }
    n->probability *= weights[n->options[step]] / sum;
    return n->options[step];
}

static inline bool answered(const struct nested_model *n, int value)
{
    for (size_t i = 0; i < n->answered; i++) {
        if (n->answer[i] == value) {
            return true;
        }
    }
    return false;
}

// Whether the entry has a value that the answer has not.
static inline bool has_left(const struct nested_model *n, const struct model_entry *entry)
{
    if (entry->value >= 0) {
        return !answered(n, entry->value);
    }
    const struct model_node *node = &n->nodes[entry->node];
    for (size_t i = 0; i < node->count; i++) {
        if (has_left(n, &node->entries[i])) {
            return true;
        }
    }
    return false;
}

// Among the entries that `in` holds.
static inline size_t option_in(struct nested_model *n, const struct model_node *node,
                               const bool *in)
{
    double weights[ENTRIES_MAX];
    size_t places[ENTRIES_MAX], count = 0;
    for (size_t i = 0; i < node->count; i++) {
        if (in[i]) {
            weights[count] = node->method == METHOD_RANDOM ? 1 : node->entries[i].weight;
            places[count++] = i;
        }
    }
    return places[option(n, weights, count)];
}

static inline size_t next_by_rank(struct nested_model *n, size_t index, const bool *left)
{
    const struct model_node *node = &n->nodes[index];
    for (size_t rank = 0;; rank++) {
        if (rank == n->ranked[index]) {
            bool unranked[ENTRIES_MAX];
            memset(unranked, true, sizeof(unranked));
            for (size_t i = 0; i < rank; i++) {
                unranked[n->ranks[index][i]] = false;
            }
            n->ranks[index][n->ranked[index]++] = option_in(n, node, unranked);
        }
        if (left[n->ranks[index][rank]]) {
            return n->ranks[index][rank];
        }
    }
}

static inline size_t next_in_turn(struct nested_model *n, size_t index, const bool *left)
{
    const struct model_node *node = &n->nodes[index];
    if (!n->begun[index]) {
        double even[ENTRIES_MAX];
        for (size_t i = 0; i < node->count; i++) {
            even[i] = 1;
        }
        n->turn[index] = option(n, even, node->count);
        n->begun[index] = true;
    }
    while (!left[n->turn[index] % node->count]) {
        n->turn[index]++;
    }
    return n->turn[index]++ % node->count;
}

static inline int model_draw(struct nested_model *n, size_t index)
{
    const struct model_node *node = &n->nodes[index];
    bool left[ENTRIES_MAX];
    size_t first = node->count, chosen;
    for (size_t i = node->count; i-- > 0;) {
        left[i] = has_left(n, &node->entries[i]);
        first = left[i] ? i : first;
    }
    switch (node->method) {
    case METHOD_WEIGHTED:
    case METHOD_RANDOM:
        chosen = option_in(n, node, left);
        break;
    case METHOD_STICKY:
        chosen = next_by_rank(n, index, left);
        break;
    case METHOD_ROTATE:
        chosen = next_in_turn(n, index, left);
        break;
    default:
        chosen = first;
    }
    const struct model_entry *entry = &node->entries[chosen];
    return entry->value >= 0 ? entry->value : model_draw(n, entry->node);
}

static inline uint64_t answer_number(const int *values, size_t count)
{
    uint64_t number = 1;
    for (size_t i = 0; i < count; i++) {
        number = number * 1000 + (uint64_t)values[i];
    }
    return number;
}

static inline size_t outcome_slot(const struct model_outcomes *outcomes, uint64_t answer)
{
    size_t slot = (size_t)(answer * UINT64_C(0x9e3779b97f4a7c15) >> 50);
    while (outcomes->slots[slot].answer != 0 && outcomes->slots[slot].answer != answer) {
        slot = (slot + 1) % OUTCOMES_SLOTS;
    }
    return slot;
}

static inline void one_way(struct nested_model *n, size_t root, size_t wanted)
{
    const struct model_entry all = {.value = -1, .node = root};
    n->steps = n->answered = 0;
    n->probability = 1;
    memset(n->begun, 0, sizeof(n->begun));
    memset(n->ranked, 0, sizeof(n->ranked));
    while (n->answered < wanted && has_left(n, &all)) {
        n->answer[n->answered] = model_draw(n, root);
        n->answered++;
    }
}

// Every way; false when there are too many. `pool` is where the rule leads.
static inline bool model_ways(struct nested_model *n, size_t pool, size_t wanted,
                              struct model_outcomes *outcomes)
{
    const struct policy *policy = n->m.policy;
    const size_t root = (size_t)chain_pool(&n->m, (int)pool);
    model_node_of(n, root, policy_method_of(policy, &policy->pools[root]));
    n->replayed = 0;
    for (size_t way = 0; way < WAYS_MAX; way++) {
        one_way(n, root, wanted);
        const uint64_t answer = answer_number(n->answer, n->answered);
        const size_t slot = outcome_slot(outcomes, answer);
        outcomes->slots[slot].answer = answer;
        outcomes->slots[slot].probability += n->probability;
        size_t last = n->steps; // the last step with an option left is taken on
        while (last > 0 && n->options[last - 1] + 1 == n->counts[last - 1]) {
            last--;
        }
        if (last == 0) {
            return true;
        }
        n->options[last - 1]++;
        n->replayed = last;
    }
    return false;
}
