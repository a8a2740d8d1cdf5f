// SPDX-License-Identifier: GPL-3.0-or-later
//
// The policy compiler's model: the five steps of docs/architecture.md word by word, for one client.
// It shares no code with the compiler.
#pragma once

#include "base/memory.h"
#include "steer/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>

enum { PLACES_MAX = 2048 };

struct place_of {
    const struct member *member;
    double part; // of the whole
};

struct outcome {
    enum pick_kind kind;
    bool failed_open;
    int pool; // -1: the values
    size_t count;
    struct place_of places[PLACES_MAX]; // in the order of the document
};

struct model {
    const struct policy *policy;
    const struct member_view *views;
    bool (*accepts)(const struct model *m, const struct member *member);
    int64_t latest; // for last_good
    // Which of the rule's clients it is: `place` of `places`. No places: nothing is usable.
    uint32_t place, places;
};

static inline struct member_view view_of(const struct model *m, const struct member *member)
{
    static const struct member_view nothing;
    return member->check < 0 ? nothing : m->views[member->check];
}

static inline bool works(const struct member *member, const struct member_view *view)
{
    bool said = view->override == OVERRIDE_UP || member->status == STATUS_UP;
    bool seen = member->status == STATUS_OBEY &&
                (view->health == HEALTH_UP || view->health == HEALTH_UNCHECKED);
    return !member->disabled && view->override != OVERRIDE_DOWN && (said || seen);
}

static inline bool usable(const struct model *m, const struct member *member)
{
    struct member_view view = view_of(m, member);
    return works(member, &view) && !view.drained;
}

static inline bool there(const struct model *m, const struct member *member)
{
    (void)m;
    return !member->disabled && member->status != STATUS_DOWN;
}

static inline bool possible(const struct model *m, const struct member *member)
{
    struct member_view view = view_of(m, member);
    return there(m, member) && !view.drained && view.override != OVERRIDE_DOWN;
}

static inline bool drained_and_up(const struct model *m, const struct member *member)
{
    const struct member_view view = view_of(m, member);
    return view.drained && works(member, &view);
}

static inline bool went_down_last(const struct model *m, const struct member *member)
{
    return possible(m, member) && view_of(m, member).since_ns == m->latest;
}

static inline size_t needed(const struct pool *pool)
{
    size_t least = pool->min_up;
    if (pool->min_up_percent) {
        for (least = 0; least * 100 < pool->min_up * pool->member_count; least++) {
        }
    }
    return least > 0 ? least : 1;
}

static inline int chain_pool(const struct model *m, int first);

static inline size_t count_usable(const struct model *m, const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        count += member->pool ? there(m, member) &&
                                    chain_pool(m, (int)(member->pool - m->policy->pools)) >= 0
                              : usable(m, member);
    }
    return count;
}

static inline int chain_pool(const struct model *m, int first)
{
    for (int at = first; at >= 0; at = m->policy->pools[at].fallback) {
        if (count_usable(m, &m->policy->pools[at]) >= needed(&m->policy->pools[at])) {
            return at;
        }
    }
    for (int at = first; at >= 0; at = m->policy->pools[at].fallback) {
        if (count_usable(m, &m->policy->pools[at]) > 0) {
            return at;
        }
    }
    return -1;
}

// Adds the member, or its part to what it has already.
static inline void add_part(struct outcome *outcome, const struct member *member, double part)
{
    for (size_t i = 0; i < outcome->count; i++) {
        if (outcome->places[i].member == member) {
            outcome->places[i].part += part;
            return;
        }
    }
    assert_true(outcome->count < PLACES_MAX);
    outcome->places[outcome->count++] = (struct place_of){member, part};
}

static inline double own_weight(const struct model *m, const struct member *member)
{
    double shed = member->pool ? 0 : view_of(m, member).shed_ppm / 1e6;
    if (m->policy->method == METHOD_WEIGHTED || m->policy->method == METHOD_STICKY) {
        return member->weight * (1 - shed);
    }
    // Those who come first are shed first.
    bool sheds = shed >= 0.5;
    if (m->places > 0) {
        sheds = shed == 1 || floor(shed * m->places + 1e-7) > m->place;
    }
    return sheds ? 0 : member->weight;
}

static inline double gather(const struct model *m, const struct member *members, size_t count,
                            double part, struct outcome *outcome);

// What the entry comes to when it gets `part` of the whole; 0 when it gives nobody.
static inline double gather_entry(const struct model *m, const struct member *member, double part,
                                  struct outcome *outcome)
{
    if (member->pool == NULL) {
        if (m->accepts(m, member) && outcome) {
            add_part(outcome, member, part);
        }
        return m->accepts(m, member);
    }
    if (!there(m, member)) {
        return 0;
    }
    const struct pool *pools = m->policy->pools;
    int at = (int)(member->pool - pools);
    if (m->accepts == usable) {
        at = chain_pool(m, at);
    }
    while (at >= 0 && m->accepts != usable &&
           gather(m, pools[at].members, pools[at].member_count, 1, NULL) == 0) {
        at = pools[at].fallback;
    }
    return at < 0 ? 0 : gather(m, pools[at].members, pools[at].member_count, part, outcome);
}

// Those with a weight in proportion; failing them, those without in equal parts.
static inline double gather(const struct model *m, const struct member *members, size_t count,
                            double part, struct outcome *outcome)
{
    for (int spare = 0; spare < 2; spare++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++) {
            double weight = own_weight(m, &members[i]);
            if ((weight == 0) == spare && gather_entry(m, &members[i], 1, NULL) > 0) {
                sum += spare ? 1 : weight;
            }
        }
        for (size_t i = 0; sum > 0 && outcome && i < count; i++) {
            double weight = own_weight(m, &members[i]);
            if ((weight == 0) == spare) {
                gather_entry(m, &members[i], part * (spare ? 1 : weight) / sum, outcome);
            }
        }
        if (sum > 0) {
            return 1;
        }
    }
    return 0;
}

static inline bool take(struct model *m, bool (*which)(const struct model *, const struct member *),
                        int pool, struct outcome *outcome)
{
    const struct policy *policy = m->policy;
    m->accepts = which;
    outcome->kind = PICK_MEMBERS;
    outcome->pool = pool;
    outcome->count = 0;
    gather(m, pool < 0 ? policy->values : policy->pools[pool].members,
           pool < 0 ? policy->value_count : policy->pools[pool].member_count, 1, outcome);
    return outcome->count > 0;
}

static inline bool take_chain(struct model *m,
                              bool (*which)(const struct model *, const struct member *), int first,
                              struct outcome *outcome)
{
    bool found = false;
    for (int at = first; at >= 0 && !found; at = m->policy->pools[at].fallback) {
        found = take(m, which, at, outcome);
    }
    return found;
}

static inline void from_values(struct model *m, struct outcome *outcome)
{
    if (!take(m, possible, -1, outcome) && !take(m, there, -1, outcome)) {
        outcome->kind = PICK_NODATA;
    }
}

static inline int64_t latest_below(const struct model *m, const struct pool *pool)
{
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        const struct pool *pools = m->policy->pools;
        for (int at = member->pool && there(m, member) ? (int)(member->pool - pools) : -1; at >= 0;
             at = pools[at].fallback) {
            latest = MAX(latest, latest_below(m, &pools[at]));
        }
        if (member->pool == NULL && possible(m, member)) {
            latest = MAX(latest, view_of(m, member).since_ns);
        }
    }
    return latest;
}

static inline bool last_good(struct model *m, int first, struct outcome *outcome)
{
    int best = -1;
    m->latest = INT64_MIN;
    for (int at = first; at >= 0; at = m->policy->pools[at].fallback) {
        int64_t latest = latest_below(m, &m->policy->pools[at]);
        best = latest > m->latest ? at : best;
        m->latest = MAX(latest, m->latest);
    }
    return best >= 0 && take(m, went_down_last, best, outcome);
}

static inline void nothing_usable(struct model *m, int first, struct outcome *outcome)
{
    enum all_down all_down = m->policy->all_down;
    outcome->failed_open = true;
    outcome->pool = first;
    if (all_down == ALL_DOWN_SERVFAIL || all_down == ALL_DOWN_NONE) {
        outcome->kind = all_down == ALL_DOWN_NONE ? PICK_NODATA : PICK_SERVFAIL;
        return;
    }
    if ((all_down == ALL_DOWN_VALUES && take(m, possible, -1, outcome)) ||
        take_chain(m, drained_and_up, first, outcome) ||
        (all_down == ALL_DOWN_LAST_GOOD && last_good(m, first, outcome)) ||
        take_chain(m, possible, first, outcome) || take(m, possible, -1, outcome) ||
        take_chain(m, there, first, outcome)) {
        return;
    }
    from_values(m, outcome);
}

static inline void of_rule(struct model *m, const struct rule *rule, struct outcome *outcome)
{
    int at = chain_pool(m, (int)rule->pool);
    if (at < 0) {
        m->places = 0;
        nothing_usable(m, (int)rule->pool, outcome);
    } else {
        assert_true(take(m, usable, at, outcome));
    }
}

// `rules` are those that hold the client, in order; `place` is where shares have put it.
static inline void model_outcome(struct model *m, const size_t *rules, size_t count, uint32_t place,
                                 struct outcome *outcome)
{
    const struct rule *all = m->policy->rules;
    outcome->failed_open = false;
    outcome->count = 0;
    m->places = 0;
    if (count > 0 && m->policy->form == FORM_FLAT) {
        size_t i = 0;
        while (i < count && chain_pool(m, (int)all[rules[i]].pool) < 0) {
            i++;
        }
        m->place = place;
        m->places = 1000000;
        of_rule(m, &all[rules[i < count ? i : 0]], outcome);
        return;
    }
    uint64_t passed = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t share = all[rules[i]].share_ppm;
        m->place = (uint32_t)(place - passed);
        m->places = share < 1000000 ? share : (uint32_t)(1000000 - passed);
        passed += share;
        if (place < passed) {
            of_rule(m, &all[rules[i]], outcome);
            return;
        }
    }
    m->places = 0;
    from_values(m, outcome);
}
