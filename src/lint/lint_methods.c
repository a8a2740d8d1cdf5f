// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lint: methods of pools that stand in other pools. Called by lint.c for each RRset with a policy,
// on whatever thread lints; pure.
#include "lint/lint_parts.h"

#include "dns/types.h"

// The members of the pool are chosen among by its own method, or by that of what it stands in or
// answers for.
static void mark(const struct policy *policy, size_t at, enum method around,
                 unsigned methods[POOLS_MAX])
{
    const struct pool *pool = &policy->pools[at];
    const unsigned seen = methods[at];
    const enum method method = pool->has_method ? pool->method : around;
    methods[at] |= 1U << method;
    if (methods[at] == seen) {
        return;
    }
    for (size_t i = 0; i < pool->member_count; i++) {
        if (pool->members[i].pool != NULL) {
            mark(policy, (size_t)(pool->members[i].pool - policy->pools), method, methods);
        }
    }
    if (pool->fallback >= 0) {
        mark(policy, (size_t)pool->fallback, around, methods);
    }
}

void lint_methods(const struct policy *policy, unsigned methods[POOLS_MAX])
{
    for (size_t i = 0; i < policy->pool_count; i++) {
        methods[i] = 0;
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        mark(policy, policy->rules[i].pool, policy->method, methods);
    }
}

// The methods of the pools that this one stands in, and of rules that lead to it.
static unsigned methods_around(const struct policy *policy, size_t at,
                               const unsigned methods[POOLS_MAX])
{
    unsigned around = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        around |= policy->rules[i].pool == at ? 1U << METHOD_COUNT : 0;
    }
    for (size_t i = 0; i < policy->pool_count; i++) {
        const struct pool *pool = &policy->pools[i];
        around |= pool->fallback == (int)at ? 1U << METHOD_COUNT : 0;
        for (size_t k = 0; k < pool->member_count; k++) {
            around |= pool->members[k].pool == &policy->pools[at] ? methods[i] : 0;
        }
    }
    return around;
}

static void has_place(void *context, const struct member *member)
{
    bool *found = context;
    *found |= member->site != NULL && member->site->located;
}

// Why the pool's method does nothing, or NULL.
static const char *why_idle(const struct lint *lint, size_t at, const unsigned methods[POOLS_MAX])
{
    const struct policy *policy = lint->policy;
    const struct pool *pool = &policy->pools[at];
    const unsigned around = methods_around(policy, at, methods);
    bool placed = pool->method != METHOD_NEAREST;
    lint_leaves(pool->members, pool->member_count, has_place, &placed);
    if (pool->member_count == 1) {
        return "it has a single member";
    }
    if (!placed) {
        return "no member has a site with a place";
    }
    if (pool->method == METHOD_ORDERED && around == 1U << METHOD_ORDERED) {
        return "the pools that it stands in are ordered, too";
    }
    const bool one = policy->answers == 1 || lint->rrset->type == TYPE_CNAME;
    return one && pool->method == METHOD_WEIGHTED && around == 1U << METHOD_WEIGHTED
               ? "the pools that it stands in are drawn by weights, too"
               : NULL;
}

void lint_method_no_effect(struct lint *lint)
{
    unsigned methods[POOLS_MAX];
    lint_methods(lint->policy, methods);
    for (size_t i = 0; i < lint->policy->pool_count; i++) {
        const struct pool *pool = &lint->policy->pools[i];
        const char *why = pool->has_method ? why_idle(lint, i, methods) : NULL;
        if (why != NULL) {
            lint_report(lint, pool->place, "the method of the pool \"%.80s\" has no effect: %s",
                        pool->name, why);
        }
    }
}
