// SPDX-License-Identifier: GPL-3.0-or-later
//
// Draws through a tree of choices, for plan_pick. Data workers, inside answer(): no lock, no
// allocation, no system call.
//
// One record is a way from the root to a leaf. For more of them, what is gone (values that the
// answer has, entries that hold nothing else) is found out when a draw comes to it: the draw is
// then made again in the same node, which is the same as if what is gone had not been there. That
// happens once an entry; the compiler bounds how often a value may stand in a tree.
#include "steer/plan_tree.h"

#include "base/hash.h"
#include "steer/plan_pick_one.h"
#include "steer/plan_sticky.h"

#include <string.h>

// Whose turns are counted: those of a node as it is come to by this way. With one counter for all
// ways to a node it would keep step with what leads to it.
static uint32_t way_on(uint32_t way, uint32_t entry)
{
    return (way + entry + 1) * 25717U;
}

static void put(struct pick *pick, const struct plan *plan, const struct choice_member *member)
{
    pick->records[pick->count] = plan->records + member->record_offset;
    pick->sizes[pick->count] = member->record_size;
    pick->count++;
}

// --- one record

static size_t draw_first(const struct plan *plan, const struct choice *node, uint32_t way,
                         uint64_t client_hash, const struct dice *dice)
{
    const struct choice_member *members = plan->members + node->first_member;
    uint16_t best[PLAN_ANSWERS_MAX];
    switch (node->method) {
    case METHOD_WEIGHTED:
        return draw_alias(members, node->member_count, dice->random);
    case METHOD_RANDOM:
        return random_below(dice->random, node->member_count);
    case METHOD_ROTATE:
        return dice_turn(dice, way) % node->member_count;
    case METHOD_STICKY:
        sticky_draw(node, members, client_hash, best);
        return best[0];
    default:
        return 0;
    }
}

static void pick_first(const struct plan *plan, uint32_t tree, uint64_t client_hash,
                       const struct dice *dice, struct pick *pick)
{
    const struct choice *node = &plan->choices[plan->choices[tree].root];
    for (uint32_t way = tree;;) {
        const uint32_t drawn = (uint32_t)draw_first(plan, node, way, client_hash, dice);
        const struct choice_member *member = &plan->members[node->first_member + drawn];
        if (member->inner == 0) {
            put(pick, plan, member);
            return;
        }
        way = way_on(way, drawn);
        node = &plan->choices[member->inner - 1];
    }
}

// --- several

// Entries that are gone: at most the values of the answer and their twins, the nodes that hold
// nothing else (each has two entries or more that are gone) and the twins of those.
enum { GONE_MAX = 2 * PLAN_ANSWERS_MAX + TREE_TWINS_MAX, NODE_SLOTS = 512, NOTHING = UINT16_MAX };
enum { RANKS_MAX = PLAN_MEMBERS_MAX + POOLS_MAX + 1 };
_Static_assert(NODE_SLOTS > POOLS_MAX + 1, "each node that is looked at has a slot");

struct visit {
    uint32_t node;
    uint16_t at;    // whose turn it is, or the first in order that may be left
    uint16_t ranks; // sticky: where its ranks begin
};

struct walk {
    const struct plan *plan;
    const struct dice *dice;
    uint64_t client_hash;
    uint32_t tree;
    struct pick *pick;
    uint16_t slots[NODE_SLOTS]; // index among the visits + 1, by node
    struct visit visits[POOLS_MAX + 1];
    size_t visit_count;
    uint16_t ranks[RANKS_MAX]; // places of entries, the best first
    size_t rank_count;
    uint32_t gone[GONE_MAX]; // among plan->members, ascending
    size_t gone_count;
};

// The first of what is gone that is not below the member.
static size_t gone_find(const struct walk *walk, uint32_t member)
{
    size_t low = 0, high = walk->gone_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (walk->gone[middle] < member) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool gone_has(const struct walk *walk, uint32_t member)
{
    const size_t at = gone_find(walk, member);
    return at < walk->gone_count && walk->gone[at] == member;
}

static void gone_add(struct walk *walk, uint32_t member)
{
    const size_t at = gone_find(walk, member);
    SP_ASSERT(walk->gone_count < GONE_MAX);
    memmove(&walk->gone[at + 1], &walk->gone[at], (walk->gone_count - at) * sizeof(*walk->gone));
    walk->gone[at] = member;
    walk->gone_count++;
}

// The first record goes by turns. A node that only later records come to begins anywhere: it would
// be looked at in every answer, so that its turns kept step with those of the nodes above it.
static uint32_t turn_begin(const struct walk *walk, const struct choice *node, uint32_t way)
{
    return walk->pick->count == 0 ? dice_turn(walk->dice, way) % node->member_count
                                  : random_below(walk->dice->random, node->member_count);
}

static struct visit visit_begin(struct walk *walk, uint32_t index, uint32_t way)
{
    const struct choice *node = &walk->plan->choices[index];
    struct visit visit = {.node = index};
    if (node->method == METHOD_ROTATE) {
        visit.at = (uint16_t)turn_begin(walk, node, way);
    } else if (node->method == METHOD_STICKY) {
        visit.ranks = (uint16_t)walk->rank_count;
        walk->rank_count += node->answer_count;
        SP_ASSERT(walk->rank_count <= RANKS_MAX);
        sticky_draw(node, walk->plan->members + node->first_member, walk->client_hash,
                    walk->ranks + visit.ranks);
    }
    return visit;
}

static struct visit *visit_of(struct walk *walk, uint32_t index, uint32_t way)
{
    uint32_t slot = index * 0x9e3779b1U >> 23; // NODE_SLOTS of them
    while (walk->slots[slot] != 0) {
        struct visit *visit = &walk->visits[walk->slots[slot] - 1];
        if (visit->node == index) {
            return visit;
        }
        slot = (slot + 1) % NODE_SLOTS;
    }
    SP_ASSERT(walk->visit_count < ARRAY_SIZE(walk->visits));
    walk->visits[walk->visit_count] = visit_begin(walk, index, way);
    walk->slots[slot] = (uint16_t)++walk->visit_count;
    return &walk->visits[walk->visit_count - 1];
}

// One draw in proportion among the entries that are left: a ticket of what is left, moved past the
// parts that are gone.
static size_t draw_left(const struct walk *walk, const struct choice *node)
{
    const struct choice_member *members = walk->plan->members + node->first_member;
    const size_t begin = gone_find(walk, node->first_member);
    const size_t end = gone_find(walk, node->first_member + node->member_count);
    uint64_t left = node->weight_sum;
    for (size_t i = begin; i < end; i++) {
        left -= walk->plan->members[walk->gone[i]].weight;
    }
    uint64_t ticket = (uint64_t)(((unsigned __int128)random_next(walk->dice->random) * left) >> 64);
    for (size_t i = begin; i < end; i++) {
        const struct choice_member *gone = &walk->plan->members[walk->gone[i]];
        ticket += ticket >= gone->before ? gone->weight : 0;
    }
    return member_of_ticket(members, node->member_count, ticket);
}

static size_t draw_weighted(const struct walk *walk, const struct choice *node)
{
    const struct choice_member *members = walk->plan->members + node->first_member;
    const size_t drawn = draw_alias(members, node->member_count, walk->dice->random);
    return gone_has(walk, node->first_member + (uint32_t)drawn) ? draw_left(walk, node) : drawn;
}

// The next whose turn it is.
static size_t draw_in_turn(const struct walk *walk, const struct choice *node, struct visit *visit)
{
    size_t drawn;
    do {
        drawn = visit->at;
        visit->at = visit->at + 1 == node->member_count ? 0 : visit->at + 1;
    } while (gone_has(walk, node->first_member + (uint32_t)drawn));
    return drawn;
}

// The first that is left, in the node's order or the client's.
static size_t draw_in_order(const struct walk *walk, const struct choice *node, struct visit *visit)
{
    const bool ranked = node->method == METHOD_STICKY;
    for (; visit->at < node->answer_count; visit->at++) {
        const size_t drawn = ranked ? walk->ranks[visit->ranks + visit->at] : visit->at;
        if (!gone_has(walk, node->first_member + (uint32_t)drawn)) {
            return drawn;
        }
    }
    return NOTHING;
}

// An entry of the node that is not known to be gone, or NOTHING.
static size_t draw_entry(struct walk *walk, uint32_t index, uint32_t way)
{
    const struct choice *node = &walk->plan->choices[index];
    struct visit *visit = visit_of(walk, index, way);
    const size_t gone = gone_find(walk, node->first_member + node->member_count) -
                        gone_find(walk, node->first_member);
    if (gone == node->member_count) {
        return NOTHING;
    }
    switch (node->method) {
    case METHOD_WEIGHTED:
        return draw_weighted(walk, node);
    case METHOD_ROTATE:
        return draw_in_turn(walk, node, visit);
    default:
        return draw_in_order(walk, node, visit);
    }
}

static bool answer_has(const struct walk *walk, const struct choice_member *member)
{
    const uint8_t *record = walk->plan->records + member->record_offset;
    for (size_t i = 0; i < walk->pick->count; i++) {
        if (walk->pick->records[i] == record) {
            return true;
        }
    }
    return false;
}

// One more record; false when the tree has none.
static bool draw_next(struct walk *walk)
{
    struct {
        uint32_t entry, node, way;
    } above[TREE_LEVELS_MAX]; // from the root on
    size_t level = 0;
    uint32_t index = (uint32_t)walk->plan->choices[walk->tree].root, way = walk->tree;
    for (;;) {
        const size_t drawn = draw_entry(walk, index, way);
        if (drawn == NOTHING) {
            if (level == 0) {
                return false;
            }
            gone_add(walk, above[--level].entry);
            index = above[level].node;
            way = above[level].way;
            continue;
        }
        const uint32_t entry = walk->plan->choices[index].first_member + (uint32_t)drawn;
        const struct choice_member *member = &walk->plan->members[entry];
        if (member->inner > 0) {
            above[level].entry = entry;
            above[level].node = index;
            above[level++].way = way;
            index = member->inner - 1;
            way = way_on(way, (uint32_t)drawn);
            continue;
        }
        const bool twin = answer_has(walk, member);
        gone_add(walk, entry);
        if (!twin) {
            put(walk->pick, walk->plan, member);
            return true;
        }
    }
}

NOT_INLINE static void pick_several(struct walk *walk)
{
    const size_t wanted = walk->plan->choices[walk->tree].answer_count;
    memset(walk->slots, 0, sizeof(walk->slots));
    walk->visit_count = walk->rank_count = walk->gone_count = 0;
    while (walk->pick->count < wanted && draw_next(walk)) {
    }
}

void plan_pick_nested(const struct plan *plan, uint32_t index, uint64_t client_hash,
                      const struct dice *dice, struct pick *pick)
{
    if (plan->choices[index].answer_count == 1) {
        pick_first(plan, index, client_hash, dice, pick);
        return;
    }
    struct walk walk;
    walk.plan = plan;
    walk.dice = dice;
    walk.client_hash = client_hash;
    walk.tree = index;
    walk.pick = pick;
    pick_several(&walk);
}
