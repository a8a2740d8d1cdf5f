// SPDX-License-Identifier: GPL-3.0-or-later
//
// Step 3 of the decision: which members. Pools, the pools in them, their fallbacks, and what is
// left when everything is down.
//
// A pool's entry is a value or another pool; the tree that they make is free of loops (the readers
// refuse them), as are the fallbacks. An entry that is a pool is usable when that pool or one of
// its fallbacks is. Called by the policy compiler; pure.
#include "steer/compiler.h"

#include "base/memory.h"
#include "steer/explain.h"

#include <string.h>

struct member_view members_view(const struct compiler *c, const struct member *member)
{
    if (c->health == NULL) {
        return (struct member_view){.health = HEALTH_UNCHECKED};
    }
    return c->health->view(c->health->state, member);
}

// --- what is usable

enum member_standing member_standing(const struct member *member, const struct member_view *view)
{
    if (member->disabled) {
        return MEMBER_PAUSED;
    }
    if (view->drained) {
        return MEMBER_DRAINED;
    }
    if (view->override == OVERRIDE_DOWN) {
        return MEMBER_OVERRIDDEN;
    }
    if (view->override == OVERRIDE_UP || member->status == STATUS_UP) {
        return MEMBER_USABLE;
    }
    if (member->status == STATUS_DOWN) {
        return MEMBER_SAID_DOWN;
    }
    return view->health == HEALTH_DOWN      ? MEMBER_CHECK_DOWN
           : view->health == HEALTH_UNKNOWN ? MEMBER_NO_RESULT
                                            : MEMBER_USABLE;
}

static bool view_is_usable(const struct member *member, const struct member_view *view)
{
    return member_standing(member, view) == MEMBER_USABLE;
}

// Whether it would be usable if it were not drained.
static bool is_drained_only(const struct member *member, const struct member_view *view)
{
    struct member_view undrained = *view;
    undrained.drained = false;
    return view->drained && view_is_usable(member, &undrained);
}

// What a document has taken out is no member at all.
static bool member_is_there(const struct member *member)
{
    return !member->disabled && member->status != STATUS_DOWN;
}

size_t members_min_up(const struct pool *pool)
{
    size_t wanted = pool->min_up;
    if (pool->min_up_percent) {
        wanted = (pool->member_count * pool->min_up + 99) / 100;
    }
    return MAX(wanted, (size_t)1);
}

static int pool_index(const struct compiler *c, const struct pool *pool)
{
    return (int)(pool - c->policy->pools);
}

static const struct pool_state *state_of(struct compiler *c, int index);

static void state_add_entry(struct compiler *c, struct pool_state *state,
                            const struct member *member)
{
    if (member->pool != NULL) {
        int nested = pool_index(c, member->pool);
        const struct pool_state *below = state_of(c, nested);
        state->usable += member_is_there(member) && below->resolved >= 0;
        state->change_in_s = sooner(state->change_in_s, members_change_in_s(c, nested));
        return;
    }
    struct member_view view = members_view(c, member);
    state->usable += view_is_usable(member, &view);
    state->change_in_s = sooner(state->change_in_s, view.change_in_s);
}

static bool has_enough(const struct compiler *c, int index)
{
    return c->states[index].usable >= members_min_up(&c->policy->pools[index]);
}

static const struct pool_state *state_of(struct compiler *c, int index)
{
    struct pool_state *state = &c->states[index];
    if (state->known) {
        return state;
    }
    const struct pool *pool = &c->policy->pools[index];
    state->known = true; // before the fallbacks, so that not even a loop would be endless
    state->resolved = -1;
    for (size_t i = 0; i < pool->member_count; i++) {
        state_add_entry(c, state, &pool->members[i]);
    }
    if (has_enough(c, index)) {
        state->resolved = index;
        return state;
    }
    // Too few: the first of the fallbacks with enough, else the first with any.
    int below = pool->fallback >= 0 ? state_of(c, pool->fallback)->resolved : -1;
    bool better = below >= 0 && (state->usable == 0 || has_enough(c, below));
    state->resolved = better ? below : state->usable > 0 ? index : -1;
    return state;
}

int members_resolve(struct compiler *c, int first)
{
    return state_of(c, first)->resolved;
}

// The pool that a chain goes on with, -1 at its end. The bound is a seat belt.
static int chain_next(const struct compiler *c, int at, size_t *steps)
{
    return ++*steps <= c->policy->pool_count ? c->policy->pools[at].fallback : -1;
}

// Pools before the one that answers could recover; where it answers for want of a better one those
// behind it could, too.
uint32_t members_change_in_s(struct compiler *c, int first)
{
    uint32_t change = 0;
    int resolved = members_resolve(c, first);
    size_t steps = 0;
    for (int at = first; at >= 0; at = chain_next(c, at, &steps)) {
        change = sooner(change, state_of(c, at)->change_in_s);
        if (at == resolved && has_enough(c, at)) {
            break;
        }
    }
    return change;
}

// --- taking them

static bool accepts(const struct compiler *c, const struct member *member,
                    const struct member_view *view, enum accept accept)
{
    if (accept == ACCEPT_USABLE) {
        return view_is_usable(member, view);
    }
    bool possible = member_is_there(member) && !view->drained && view->override != OVERRIDE_DOWN;
    switch (accept) {
    case ACCEPT_DRAINED:
        return is_drained_only(member, view);
    case ACCEPT_LAST_GOOD:
        return possible && view->since_ns == c->last_good_ns;
    case ACCEPT_POSSIBLE:
        return possible;
    default:
        return member_is_there(member);
    }
}

static void take_pool(struct compiler *c, const struct pool *pool, uint16_t index,
                      enum accept accept);

// What the pool at `at` gives to the pool that `from` stands in: its leaves, or a group of them.
static void take_inner(struct compiler *c, const struct pool *from, int at, enum accept accept)
{
    const struct pool *pool = &c->policy->pools[at];
    const enum method outer = c->method;
    const size_t begin = c->leaves.count;
    c->method = pool->has_method ? pool->method : outer;
    take_pool(c, pool, (uint16_t)at, accept);
    c->method = outer;
    if (pool->has_method && c->leaves.count > begin) {
        group_close(c, begin, pool, from);
    }
}

// The nested pool itself or a fallback of it, whichever gives something.
static void take_nested(struct compiler *c, const struct pool *pool, enum accept accept)
{
    int at = pool_index(c, pool);
    if (accept == ACCEPT_USABLE) {
        at = members_resolve(c, at);
        if (at >= 0) {
            take_inner(c, pool, at, accept);
        }
        return;
    }
    size_t before = c->leaves.count, steps = 0;
    for (; at >= 0 && c->leaves.count == before; at = chain_next(c, at, &steps)) {
        take_inner(c, pool, at, accept);
    }
}

enum { PARTS = 1000000 }; // of a weight

static bool method_weighs(enum method method)
{
    return method == METHOD_WEIGHTED || method == METHOD_STICKY;
}

// Where weights do not matter a member stands by for those of its clients whom it sheds.
static uint64_t weight_left(const struct compiler *c, const struct member_view *view)
{
    uint32_t shed = MIN(view->shed_ppm, (uint32_t)PARTS);
    return method_weighs(c->method) ? PARTS - shed : shed > c->shed_level ? 0 : PARTS;
}

// Takes an entry if it is of the kind: with a weight, or standing by with none. The part of its
// weight that load has left it, in millionths.
static uint64_t take_entry(struct compiler *c, const struct pool *pool, uint16_t pool_number,
                           size_t index, bool spare, enum accept accept)
{
    const struct member *member = &pool->members[index];
    if (member->pool != NULL) {
        if ((member->weight == 0) == spare && member_is_there(member)) {
            take_nested(c, member->pool, accept);
        }
        return PARTS;
    }
    struct member_view view = members_view(c, member);
    uint64_t left = weight_left(c, &view);
    if ((member->weight == 0 || left == 0) == spare && accepts(c, member, &view, accept)) {
        MEM_GROW(c->leaves.items, c->leaves.count, c->leaves.capacity);
        c->leaves.items[c->leaves.count++] = (struct leaf){.member = member,
                                                           .pool = pool_number,
                                                           .index = (uint16_t)index,
                                                           .weight = 1,
                                                           .rank = place_rank(c, member)};
    }
    return left;
}

// Weight 0 means "only when nothing else": those are taken when they are all there is, and then
// they are equal.
static void take_pool(struct compiler *c, const struct pool *pool, uint16_t index,
                      enum accept accept)
{
    size_t begin = c->leaves.count;
    for (int spare = 0; spare < 2 && c->leaves.count == begin; spare++) {
        struct weights weights = {.begin = begin, .end = begin, .denominator = 1};
        for (size_t i = 0; i < pool->member_count; i++) {
            size_t before = c->leaves.count;
            uint64_t left = take_entry(c, pool, index, i, spare, accept);
            if (c->leaves.count > before) {
                weights.leaves = c->leaves.items;
                uint64_t weight = spare ? 1 : pool->members[i].weight;
                weights_join(&weights, c->leaves.count, spare ? 1 : weight * left,
                             spare ? 1 : PARTS);
            }
        }
    }
}

// --- load feedback

static size_t level_add(uint32_t levels[SHED_LEVELS_MAX], size_t count, uint32_t level)
{
    size_t at = 0;
    while (at < count && levels[at] < level) {
        at++;
    }
    if (count == SHED_LEVELS_MAX || (at < count && levels[at] == level)) {
        return count;
    }
    memmove(&levels[at + 1], &levels[at], (count - at) * sizeof(*levels));
    levels[at] = level;
    return count + 1;
}

static size_t sheds_below(struct compiler *c, int pool, enum method method,
                          uint32_t levels[SHED_LEVELS_MAX], size_t count)
{
    const struct pool *from = &c->policy->pools[pool];
    method = from->has_method ? from->method : method;
    for (size_t i = 0; i < from->member_count; i++) {
        const struct member *member = &from->members[i];
        if (member->pool != NULL) {
            int nested =
                member_is_there(member) ? members_resolve(c, pool_index(c, member->pool)) : -1;
            count = nested >= 0 ? sheds_below(c, nested, method, levels, count) : count;
            continue;
        }
        if (method_weighs(method)) {
            continue;
        }
        struct member_view view = members_view(c, member);
        if (view.shed_ppm > 0 && view.shed_ppm < PARTS && view_is_usable(member, &view)) {
            count = level_add(levels, count, view.shed_ppm);
        }
    }
    return count;
}

size_t members_sheds(struct compiler *c, int pool, uint32_t levels[SHED_LEVELS_MAX])
{
    return sheds_below(c, pool, c->policy->method, levels, 0);
}

size_t members_take(struct compiler *c, int pool, enum accept accept)
{
    const struct pool *from = &c->policy->pools[pool];
    groups_free(c);
    c->leaves.count = 0;
    c->method = policy_method_of(c->policy, from);
    take_pool(c, from, (uint16_t)pool, accept);
    leaves_arrange(c, c->method, from->has_method ? from : NULL, &c->leaves);
    return c->leaves.count;
}

size_t members_take_values(struct compiler *c, enum accept accept)
{
    const struct policy *policy = c->policy;
    const struct pool values = {.members = policy->values, .member_count = policy->value_count};
    groups_free(c);
    c->leaves.count = 0;
    c->method = policy->method;
    take_pool(c, &values, NOT_ONE, accept);
    leaves_arrange(c, c->method, NULL, &c->leaves);
    return c->leaves.count;
}

// --- everything is down

// When the last of a pool's members went down; INT64_MIN when it has none that may ever be used.
static int64_t last_good_of_pool(const struct compiler *c, const struct pool *pool)
{
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        if (member->pool != NULL) {
            size_t steps = 0;
            int nested = member_is_there(member) ? pool_index(c, member->pool) : -1;
            for (int at = nested; at >= 0; at = chain_next(c, at, &steps)) {
                int64_t pool_ns = last_good_of_pool(c, &c->policy->pools[at]); // once a level
                latest = MAX(latest, pool_ns);
            }
            continue;
        }
        struct member_view view = members_view(c, member);
        if (accepts(c, member, &view, ACCEPT_POSSIBLE)) {
            latest = MAX(latest, view.since_ns);
        }
    }
    return latest;
}

// The members of the chain that were the last to go down. Their pool, or -1.
static int take_last_good(struct compiler *c, int first)
{
    int best = -1;
    int64_t latest = INT64_MIN;
    size_t steps = 0;
    for (int at = first; at >= 0; at = chain_next(c, at, &steps)) {
        int64_t since = last_good_of_pool(c, &c->policy->pools[at]);
        best = since > latest ? at : best;
        latest = MAX(latest, since);
    }
    c->last_good_ns = latest;
    return best >= 0 && members_take(c, best, ACCEPT_LAST_GOOD) > 0 ? best : -1;
}

// The first pool of the chain that gives something, or -1.
static int take_first(struct compiler *c, int first, enum accept accept)
{
    size_t steps = 0;
    for (int at = first; at >= 0; at = chain_next(c, at, &steps)) {
        if (members_take(c, at, accept) > 0) {
            return at;
        }
    }
    return -1;
}

// A member that is drained and up is better than any that is down. Then comes what `all_down` asks
// for, and if that is not there, any member of the chain or of the values rather than none, at the
// very last one that an operator has taken out.
int members_take_all_down(struct compiler *c, int first)
{
    enum all_down all_down = c->policy->all_down;
    if (all_down == ALL_DOWN_VALUES && members_take_values(c, ACCEPT_POSSIBLE) > 0) {
        return -1;
    }
    int pool = take_first(c, first, ACCEPT_DRAINED);
    pool = pool < 0 && all_down == ALL_DOWN_LAST_GOOD ? take_last_good(c, first) : pool;
    pool = pool >= 0 ? pool : take_first(c, first, ACCEPT_POSSIBLE);
    if (pool >= 0 || members_take_values(c, ACCEPT_POSSIBLE) > 0) {
        return pool;
    }
    pool = take_first(c, first, ACCEPT_ANY);
    if (pool < 0) {
        members_take_values(c, ACCEPT_ANY);
    }
    return pool;
}
