// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lint: who gets what. Rules that take nobody, pools that nobody comes to, members and weights that
// never decide, lines that hold the same network.
//
// Each function is one row of the table in lint.c. Whether a rule takes anybody is told by
// lint->reach, which the geometry of all clients was asked for; nothing is guessed from the order
// of the document.
#include "lint/lint_parts.h"

#include "base/memory.h"
#include "dns/types.h"

#include <stdio.h>
#include <string.h>

enum { LABEL_TEXT_MAX = 160 };

// `rule 3 (pool "asia")`, or `line "cn-telecom"` where rules are made from rows.
static const char *rule_label(const struct policy *policy, size_t index, char text[LABEL_TEXT_MAX])
{
    const char *pool = policy->pools[policy->rules[index].pool].name;
    if (policy->form == FORM_FLAT) {
        snprintf(text, LABEL_TEXT_MAX, "line \"%.80s\"", pool);
    } else {
        snprintf(text, LABEL_TEXT_MAX, "rule %zu (pool \"%.80s\")", index + 1, pool);
    }
    return text;
}

static void takers_format(const struct lint *lint, const struct rule_reach *reach, char *text,
                          size_t size)
{
    size_t used = 0, shown = MIN((size_t)reach->taken_by_count, ARRAY_SIZE(reach->taken_by));
    text[0] = '\0';
    for (size_t i = 0; i < shown && used < size; i++) {
        char label[LABEL_TEXT_MAX];
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 rule_label(lint->policy, reach->taken_by[i], label));
    }
    if (shown < reach->taken_by_count && used < size) {
        snprintf(text + used, size - used, " and %zu more", reach->taken_by_count - shown);
    }
}

// In the flat form an operator's line may be several rules, of its narrower networks first
// (yaml_flat.c): the line is reached when one of them is, and is one finding when none is.
static bool line_is_told_elsewhere(const struct lint *lint, size_t rule)
{
    const struct policy *policy = lint->policy;
    for (size_t i = 0; policy->form == FORM_FLAT && i < policy->rule_count; i++) {
        bool same = policy->rules[i].pool == policy->rules[rule].pool;
        if (same && (lint->reach[i].reached || i < rule)) {
            return true;
        }
    }
    return false;
}

void lint_rule_shadowed(struct lint *lint)
{
    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        const struct rule_reach *reach = &lint->reach[i];
        char label[LABEL_TEXT_MAX], takers[320];
        if (reach->held && !reach->reached && !line_is_told_elsewhere(lint, i)) {
            takers_format(lint, reach, takers, sizeof(takers));
            lint_report(lint, lint->policy->rules[i].place,
                        "%s is never reached: all its clients are taken by %s",
                        rule_label(lint->policy, i, label), takers);
        }
    }
}

// On lines that stand for codes that nobody knows.
static bool is_opaque(const struct lint *lint, const struct rule *rule)
{
    for (size_t i = 0; i < rule->line_count; i++) {
        if (lines_get(lint->world->lines, (size_t)rule->lines[i])->kind == LINE_OPAQUE) {
            return true;
        }
    }
    return false;
}

void lint_line_opaque(struct lint *lint)
{
    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        const struct rule *rule = &lint->policy->rules[i];
        if (is_opaque(lint, rule)) {
            lint_report(lint, rule->place, "nobody knows the line \"%.80s\"",
                        lint->policy->pools[rule->pool].name);
        }
    }
}

void lint_rule_empty(struct lint *lint)
{
    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        const struct rule_reach *reach = &lint->reach[i];
        char label[LABEL_TEXT_MAX];
        if (!reach->held && !is_opaque(lint, &lint->policy->rules[i])) {
            lint_report(lint, lint->policy->rules[i].place, "%s holds no client%s",
                        rule_label(lint->policy, i, label),
                        reach->guess ? ": no geo database that knows its targets is loaded"
                                     : " of the loaded geo data");
        }
    }
}

// --- pools and members

static size_t sure_count(const struct policy *policy, const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        count += lint_member_is_sure(policy, &pool->members[i]);
    }
    return count;
}

// Whether the pool never gives way to its fallback.
static bool pool_is_sure(const struct policy *policy, const struct pool *pool)
{
    size_t wanted = pool->min_up;
    if (pool->min_up_percent) {
        wanted = (pool->member_count * pool->min_up + 99) / 100;
    }
    return sure_count(policy, pool) >= MAX(wanted, (size_t)1);
}

// Marks a pool that some client may get, the pools in it, and what it may give way to.
static void pool_mark(const struct policy *policy, size_t at, bool reached[POOLS_MAX])
{
    const struct pool *pool = &policy->pools[at];
    if (reached[at]) {
        return;
    }
    reached[at] = true;
    for (size_t i = 0; i < pool->member_count; i++) {
        if (pool->members[i].pool != NULL) {
            pool_mark(policy, (size_t)(pool->members[i].pool - policy->pools), reached);
        }
    }
    if (pool->fallback >= 0 && !pool_is_sure(policy, pool)) {
        pool_mark(policy, (size_t)pool->fallback, reached);
    }
}

static void pools_mark(const struct lint *lint, bool reached[POOLS_MAX])
{
    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        if (lint->reach[i].reached) {
            pool_mark(lint->policy, lint->policy->rules[i].pool, reached);
        }
    }
}

// Whether a rule that holds nobody leads there: then that is what is wrong.
static bool pool_is_of_dead_rule(const struct lint *lint, size_t pool)
{
    for (size_t i = 0; i < lint->policy->rule_count; i++) {
        if (lint->policy->rules[i].pool == pool && !lint->reach[i].held) {
            return true;
        }
    }
    return false;
}

void lint_pool_unreachable(struct lint *lint)
{
    bool reached[POOLS_MAX] = {0};
    pools_mark(lint, reached);
    for (size_t i = 0; i < lint->policy->pool_count; i++) {
        const struct pool *pool = &lint->policy->pools[i];
        if (!reached[i] && !pool_is_of_dead_rule(lint, i)) {
            lint_report(lint, pool->place, "no client ever comes to the pool \"%.80s\" (%zu %s)",
                        pool->name, pool->member_count,
                        pool->member_count == 1 ? "member" : "members");
        }
    }
}

// Records of an answer from this pool; 0: all.
static size_t answers_of(const struct lint *lint)
{
    return lint->rrset->type == TYPE_CNAME ? 1 : lint->policy->answers;
}

// In the order of the method `ordered`.
static bool comes_before(const struct pool *pool, size_t a, size_t b)
{
    const struct member *x = &pool->members[a], *y = &pool->members[b];
    return x->priority < y->priority || (x->priority == y->priority && a < b);
}

// Why the member is never handed out, or NULL.
static const char *member_unused(const struct lint *lint, const struct pool *pool, size_t index,
                                 unsigned methods)
{
    const struct policy *policy = lint->policy;
    size_t before = 0, weighty = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        bool sure = lint_member_is_sure(policy, &pool->members[i]);
        before += sure && comes_before(pool, i, index) && pool->members[i].weight > 0;
        weighty += sure && pool->members[i].weight > 0;
    }
    if (pool->members[index].weight == 0 && weighty > 0) {
        return "its weight is 0, and a member that has one never goes down";
    }
    bool ordered = methods == 1U << METHOD_ORDERED && answers_of(lint) > 0;
    return ordered && before >= answers_of(lint)
               ? "the method is ordered, and enough members before it never go down"
               : NULL;
}

void lint_member_unused(struct lint *lint)
{
    unsigned methods[POOLS_MAX];
    lint_methods(lint->policy, methods);
    for (size_t i = 0; i < lint->policy->pool_count; i++) {
        const struct pool *pool = &lint->policy->pools[i];
        for (size_t k = 0; k < pool->member_count; k++) {
            const struct member *member = &pool->members[k];
            const char *why =
                lint_member_counts(member) ? member_unused(lint, pool, k, methods[i]) : NULL;
            if (why != NULL) {
                lint_report(lint, member->place, "%.80s of the pool \"%.80s\" is never used: %s",
                            member->text, pool->name, why);
            }
        }
    }
}

void lint_default_missing(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    if (policy->form != FORM_FLAT || policy->rules[policy->rule_count - 1].line_count == 0) {
        return;
    }
    lint_report(lint, lint->rrset->place,
                "no row on the line \"default\": clients of other lines get %s",
                policy->value_count > 0 ? "the values beside" : "no answer");
}

// --- weights

struct weights {
    size_t count; // of members that may be handed out
    uint32_t least, most;
};

static struct weights weights_of(const struct pool *pool)
{
    struct weights weights = {.least = UINT32_MAX};
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        if (lint_member_counts(member) && member->weight > 0) {
            weights.count++;
            weights.least = MIN(weights.least, member->weight);
            weights.most = MAX(weights.most, member->weight);
        }
    }
    return weights;
}

void lint_weight_no_effect(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    unsigned methods[POOLS_MAX], all = 0;
    lint_methods(policy, methods);
    for (size_t i = 0; i < policy->pool_count; i++) {
        all |= methods[i];
    }
    for (size_t i = 0; i < policy->pool_count; i++) {
        const struct pool *pool = &policy->pools[i];
        const bool looks = methods[i] & (1U << METHOD_WEIGHTED | 1U << METHOD_STICKY);
        const bool one_level = (all & (all - 1)) == 0;
        struct weights weights = weights_of(pool);
        const char *why = NULL;
        if (weights.count == 1 && pool->member_count == 1 && weights.most != 1) {
            why = "it has a single member";
        } else if (weights.count > 1 && weights.least < weights.most && !looks) {
            why = "the method does not look at them";
        } else if (weights.count > 1 && weights.least < weights.most && one_level &&
                   answers_of(lint) >= pool->member_count) {
            why = "every member is in every answer, in another order at most";
        }
        if (why != NULL) {
            lint_report(lint, pool->place, "the weights of the pool \"%.80s\" have no effect: %s",
                        pool->name, why);
        }
    }
}

// --- lines

static void report_clash(void *context, const struct line *first, const struct line *second,
                         const struct prefix *network)
{
    char text[PREFIX_TEXT_MAX];
    lint_report(context, second->place, "%s is in the line \"%.80s\" and in \"%.80s\"",
                prefix_format(network, text), first->id, second->id);
}

void lint_lines_overlap(struct lint *lint)
{
    lines_clashes(lint->world->lines, report_clash, lint);
}
