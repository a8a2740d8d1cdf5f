// SPDX-License-Identifier: GPL-3.0-or-later
//
// Documents of a few pools that stand in each other, made by hand.
#pragma once

#include "plans.h"

enum { POOLS = 6, CHECKS = 24 };

struct document {
    struct arena *arena;
    struct pool pools[POOLS];
    struct rule rule;
    struct policy policy;
    struct member_view views[CHECKS];
    struct health_source health;
};

static inline void document_begin(struct document *d, size_t pools, enum method method,
                                  unsigned answers)
{
    *d = (struct document){.arena = arena_new(), .rule = {.share_ppm = 1000000}};
    for (size_t i = 0; i < CHECKS; i++) {
        d->views[i].health = HEALTH_UP;
    }
    d->health = (struct health_source){view_of_array, d->views};
    d->policy = (struct policy){.form = FORM_DYNAMIC,
                                .method = method,
                                .answers = answers,
                                .pools = d->pools,
                                .pool_count = pools,
                                .rules = &d->rule,
                                .rule_count = 1};
}

static inline void pool_begin(struct document *d, size_t index, size_t members)
{
    static const char *const names[POOLS] = {"p0", "p1", "p2", "p3", "p4", "p5"};
    d->pools[index] = (struct pool){.name = names[index], .fallback = -1, .min_up = 1};
    d->pools[index].members = arena_alloc(d->arena, members * sizeof(struct member));
}

static inline struct member *add_value(struct document *d, size_t pool, uint16_t value,
                                       uint32_t weight)
{
    struct member *member = &d->pools[pool].members[d->pools[pool].member_count++];
    *member = member_make(d->arena, 0, value, weight);
    return member;
}

static inline void add_pool(struct document *d, size_t pool, size_t inner, uint32_t weight)
{
    d->pools[pool].members[d->pools[pool].member_count++] =
        (struct member){.pool = &d->pools[inner], .weight = weight, .check = -1};
}

static inline void set_method(struct document *d, size_t pool, enum method method)
{
    d->pools[pool].has_method = true;
    d->pools[pool].method = method;
}

static inline struct plan *document_compile(const struct document *d)
{
    return plan_compile(&d->policy, TYPE_A, 60, NULL, &d->health, 99);
}
