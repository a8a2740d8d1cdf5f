// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the pools of a dynamic record hang together: fallbacks, pools in the place of values, that
// neither leads in a circle, and which methods go together.
//
// A pool may stand in several others; what it comes to in all, each way counted, is bounded, since
// the compiler walks every way. Called by yaml_dynamic.c when all pools are read.
#include "format/yaml_zone.h"

#include <stdio.h>
#include <string.h>

static int pool_find(const struct policy *policy, const char *name)
{
    for (size_t i = 0; i < policy->pool_count; i++) {
        if (strcmp(policy->pools[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool fallback_link(const struct yaml *pool_at, struct policy *policy, size_t index)
{
    struct yaml fallback;
    if (!yaml_get(pool_at, "fallback", &fallback) || fallback.node->kind == YAML_NULL) {
        return true;
    }
    const char *name = yaml_text(&fallback);
    if (name == NULL) {
        return false;
    }
    int target = pool_find(policy, name);
    if (target < 0) {
        yaml_error(&fallback, "there is no pool \"%.60s\"", name);
        return false;
    }
    if (strcmp(name, "default") == 0) {
        yaml_warning(&fallback, "octoDNS takes \"default\" as no fallback; here it is the pool");
    }
    policy->pools[index].fallback = target;
    return true;
}

static bool nested_link(const struct yaml *values, struct policy *policy, struct pool *pool)
{
    struct yaml item = {0}, at;
    bool good = true;
    while (yaml_next(values, &item)) {
        if (item.node->index >= pool->member_count || !yaml_get(&item, "pool", &at) ||
            yaml_has(&item, "value") || at.node->kind != YAML_SCALAR) {
            continue;
        }
        int target = pool_find(policy, at.node->text);
        if (target < 0) {
            yaml_error(&at, "there is no pool \"%.60s\"", at.node->text);
            good = false;
            continue;
        }
        pool->members[item.node->index].pool = &policy->pools[target];
    }
    return good;
}

// --- circles

struct walk {
    const struct yaml *pools;
    const struct policy *policy;
    enum { WALK_NEW, WALK_ON_THE_WAY, WALK_DONE } states[POOLS_MAX];
    uint64_t leaves[POOLS_MAX];
    unsigned levels[POOLS_MAX]; // methods below and here, one in the other
    size_t way[POOLS_MAX];
    size_t way_length;
    bool good;
};

// The part of the way that comes back to `to`, told from its first pool in the document.
static void circle_report(struct walk *walk, size_t to)
{
    size_t begin = walk->way_length - 1, least = 0;
    while (walk->way[begin] != to) {
        begin--;
    }
    size_t length = walk->way_length - begin;
    const size_t *circle = walk->way + begin;
    bool fallbacks = true;
    for (size_t i = 0; i < length; i++) {
        least = circle[i] < circle[least] ? i : least;
        fallbacks &= walk->policy->pools[circle[i]].fallback == (int)circle[(i + 1) % length];
    }
    char text[300];
    size_t used = 0;
    for (size_t i = 0; i <= length && used < sizeof(text); i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%.60s", i ? " -> " : "",
                                 walk->policy->pools[circle[(least + i) % length]].name);
    }
    struct yaml pool;
    if (yaml_get(walk->pools, walk->policy->pools[circle[least]].name, &pool)) {
        yaml_error(&pool, "the %s go in a circle: %s", fallbacks ? "fallbacks" : "pools", text);
    }
    walk->good = false;
}

static void walk_pool(struct walk *walk, size_t index);

// Follows an edge; the leaves behind it, and into `levels` the most that are there.
static uint64_t walk_to(struct walk *walk, size_t to, unsigned *levels)
{
    if (walk->states[to] == WALK_ON_THE_WAY) {
        circle_report(walk, to);
        return 0;
    }
    walk_pool(walk, to);
    *levels = MAX(*levels, walk->levels[to]);
    return walk->leaves[to];
}

// Leaves of a pool: its values, those of each pool in it, and those of its fallbacks.
static void walk_pool(struct walk *walk, size_t index)
{
    const struct pool *pool = &walk->policy->pools[index];
    if (walk->states[index] != WALK_NEW) {
        return;
    }
    walk->states[index] = WALK_ON_THE_WAY;
    walk->way[walk->way_length++] = index;
    uint64_t leaves = 0;
    unsigned inside = 0, instead = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct pool *nested = pool->members[i].pool;
        leaves += nested ? walk_to(walk, (size_t)(nested - walk->policy->pools), &inside) : 1;
    }
    leaves += pool->fallback >= 0 ? walk_to(walk, (size_t)pool->fallback, &instead) : 0;
    walk->levels[index] = MAX(inside + pool->has_method, instead);
    walk->leaves[index] = MIN(leaves, (uint64_t)UINT32_MAX);
    walk->way_length--;
    walk->states[index] = WALK_DONE;
}

// Told of the outermost pool with too many below it.
static void levels_check(struct walk *walk)
{
    for (size_t i = 0; walk->good && i < walk->policy->pool_count; i++) {
        struct yaml at;
        if (walk->levels[i] > METHOD_LEVELS_MAX &&
            yaml_get(walk->pools, walk->policy->pools[i].name, &at)) {
            yaml_error(&at, "%u pools with a method stand in each other; at most %d may",
                       walk->levels[i], METHOD_LEVELS_MAX);
            walk->good = false;
        }
    }
}

static void leaves_check(struct walk *walk)
{
    for (size_t i = 0; walk->good && i < walk->policy->pool_count; i++) {
        const struct pool *pool = &walk->policy->pools[i];
        bool nests = false;
        for (size_t k = 0; k < pool->member_count; k++) {
            nests |= pool->members[k].pool != NULL;
        }
        struct yaml at;
        if (nests && walk->leaves[i] > RRSET_MEMBERS_MAX &&
            yaml_get(walk->pools, pool->name, &at)) {
            yaml_error(&at,
                       "with the pools in it and their fallbacks the pool has more than %d "
                       "values",
                       RRSET_MEMBERS_MAX);
            walk->good = false;
        }
    }
}

bool yaml_pools_link(const struct yaml *pools, struct policy *policy)
{
    bool good = true;
    struct yaml at, values;
    for (size_t i = 0; i < policy->pool_count; i++) {
        if (yaml_get(pools, policy->pools[i].name, &at)) {
            good &= fallback_link(&at, policy, i);
            if (yaml_get(&at, "values", &values) && values.node->kind == YAML_LIST) {
                good &= nested_link(&values, policy, &policy->pools[i]);
            }
        }
    }
    struct walk walk = {.pools = pools, .policy = policy, .good = true};
    for (size_t i = 0; i < policy->pool_count; i++) {
        walk_pool(&walk, i);
    }
    leaves_check(&walk);
    levels_check(&walk);
    return walk.good && good;
}

// --- methods

bool yaml_pools_methods_check(const struct yaml_record *record, const struct policy *policy)
{
    struct yaml dynamic, pools, pool, method;
    if (!policy_uses(policy, METHOD_NEAREST) || !policy_uses(policy, METHOD_FASTEST)) {
        return true;
    }
    bool found = yaml_get(record->at, "dynamic", &dynamic) && yaml_get(&dynamic, "pools", &pools);
    for (size_t i = 0; found && i < policy->pool_count; i++) {
        const enum method own = policy->pools[i].method;
        if (policy->pools[i].has_method && (own == METHOD_NEAREST || own == METHOD_FASTEST) &&
            yaml_get(&pools, policy->pools[i].name, &pool) && yaml_get(&pool, "method", &method)) {
            yaml_error(&method, "\"nearest\" and \"fastest\" cannot stand in one record; "
                                "\"fastest\" goes by distance where nothing is measured");
            return false;
        }
    }
    return true;
}

// --- use

static void mark_used(const struct policy *policy, bool *used, bool *followed, size_t index)
{
    const struct pool *pool = &policy->pools[index];
    if (followed[index]) {
        return;
    }
    used[index] = followed[index] = true;
    if (pool->fallback >= 0) {
        mark_used(policy, used, followed, (size_t)pool->fallback);
    }
    for (size_t i = 0; i < pool->member_count; i++) {
        if (pool->members[i].pool != NULL) {
            mark_used(policy, used, followed, (size_t)(pool->members[i].pool - policy->pools));
        }
    }
}

bool yaml_pools_used_check(const struct yaml *pools, const struct policy *policy, bool *used)
{
    bool followed[POOLS_MAX] = {0}, good = true;
    for (size_t i = 0; i < policy->pool_count; i++) {
        if (used[i]) {
            mark_used(policy, used, followed, i);
        }
    }
    for (size_t i = 0; i < policy->pool_count; i++) {
        struct yaml pool;
        if (!used[i] && yaml_get(pools, policy->pools[i].name, &pool)) {
            yaml_error(&pool, "the pool is used by no rule and is no fallback of a used one");
            good = false;
        }
    }
    return good;
}
