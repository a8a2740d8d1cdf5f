// SPDX-License-Identifier: GPL-3.0-or-later
#include "steer/what_if.h"

#include "base/memory.h"

#include <fnmatch.h>

struct what_if {
    struct arena *arena;
    struct policy policy;
    const struct health_source *health;
    const struct member **down; // of the copy
    size_t down_count, down_capacity;
};

static struct member *members_copy(struct what_if *w, const struct member *members, size_t count)
{
    return count == 0 ? NULL : arena_copy(w->arena, members, count * sizeof(*members));
}

static void policy_copy(struct what_if *w, const struct policy *policy)
{
    w->policy = *policy;
    w->policy.values = members_copy(w, policy->values, policy->value_count);
    if (policy->pool_count == 0) {
        return;
    }
    w->policy.pools =
        arena_copy(w->arena, policy->pools, policy->pool_count * sizeof(*policy->pools));
    for (size_t i = 0; i < policy->pool_count; i++) {
        struct pool *pool = &w->policy.pools[i];
        pool->members = members_copy(w, pool->members, pool->member_count);
        for (size_t k = 0; k < pool->member_count; k++) {
            const struct pool *nested = pool->members[k].pool;
            pool->members[k].pool = nested ? &w->policy.pools[nested - policy->pools] : NULL;
        }
    }
}

// --- changes

static bool matches(const char *pattern, const char *text)
{
    return text != NULL && fnmatch(pattern, text, 0) == 0;
}

static bool change_hits(const struct what_if_change *change, const struct member *member,
                        const char *pool)
{
    bool itself = matches(change->pattern, member->text) || matches(change->pattern, member->name);
    bool around = !change->has_weight &&
                  (matches(change->pattern, pool) ||
                   (member->site != NULL && matches(change->pattern, member->site->name)));
    return itself || around;
}

// A member that goes down obeys a check that says so, whether it has one or not.
static void take_down(struct what_if *w, struct what_if_change *change, struct member *member)
{
    change->blind += member->check < 0 || member->status == STATUS_UP;
    member->status = member->status == STATUS_UP ? STATUS_OBEY : member->status;
    member->check = MAX(member->check, 0);
    MEM_GROW(w->down, w->down_count, w->down_capacity);
    w->down[w->down_count++] = member;
}

static void members_change(struct what_if *w, struct what_if_change *change, struct member *members,
                           size_t count, const char *pool)
{
    for (size_t i = 0; i < count; i++) {
        // A pool in a pool has a weight here; its members go down where they are written.
        bool nested = members[i].pool != NULL;
        if ((nested && !change->has_weight) || !change_hits(change, &members[i], pool)) {
            continue;
        }
        change->hits++;
        if (change->has_weight) {
            members[i].weight = change->weight;
        } else {
            take_down(w, change, &members[i]);
        }
    }
}

struct what_if *what_if_new(const struct policy *policy, const struct health_source *health,
                            struct what_if_change *changes, size_t change_count)
{
    struct what_if *w = mem_alloc(sizeof(*w));
    w->arena = arena_new();
    w->health = health;
    policy_copy(w, policy);
    for (size_t i = 0; i < change_count; i++) {
        changes[i].hits = changes[i].blind = 0;
        for (size_t k = 0; k < policy->pool_count; k++) {
            struct pool *pool = &w->policy.pools[k];
            members_change(w, &changes[i], pool->members, pool->member_count, pool->name);
        }
    }
    return w;
}

void what_if_free(struct what_if *w)
{
    if (w == NULL) {
        return;
    }
    arena_free(w->arena);
    free(w->down);
    free(w);
}

const struct policy *what_if_policy(const struct what_if *w)
{
    return &w->policy;
}

static struct member_view view(void *state, const struct member *member)
{
    const struct what_if *w = state;
    for (size_t i = 0; i < w->down_count; i++) {
        if (w->down[i] == member) {
            return (struct member_view){.health = HEALTH_DOWN};
        }
    }
    return w->health->view(w->health->state, member);
}

struct health_source what_if_health(struct what_if *w)
{
    return (struct health_source){view, w};
}
