// SPDX-License-Identifier: GPL-3.0-or-later
#include "steer/reach.h"

#include "base/memory.h"
#include "steer/rule.h"
#include "steer/simulate.h"

#include <string.h>

enum { SHARE_ALL = 1000000 };

struct reach {
    const struct lines *lines;
    const struct geo *geo;
    struct geo_summary known;
    struct territories *territories;
    struct territory **held; // each has one user that is ours
    size_t held_count, held_capacity;
    struct rule_reach rules[RULES_MAX];
};

struct reach *reach_new(const struct lines *lines, const struct geo *geo)
{
    struct reach *reach = mem_alloc(sizeof(*reach));
    reach->lines = lines;
    reach->geo = geo;
    reach->known = geo_summary(geo);
    reach->territories = territories_new();
    return reach;
}

void reach_free(struct reach *reach)
{
    for (size_t i = 0; i < reach->held_count; i++) {
        territory_release(reach->territories, reach->held[i]);
    }
    territories_free(reach->territories);
    free(reach->held);
    free(reach);
}

static void taken_add(struct rule_reach *reach, uint16_t taker)
{
    size_t stored = MIN((size_t)reach->taken_by_count, ARRAY_SIZE(reach->taken_by));
    for (size_t i = 0; i < stored; i++) {
        if (reach->taken_by[i] == taker) {
            return;
        }
    }
    if (stored < ARRAY_SIZE(reach->taken_by)) {
        reach->taken_by[stored] = taker;
    }
    reach->taken_by_count++;
}

// The clients of one class, held by these rules in order: those up to the first that surely decides
// (or to where the shares add up to everybody) are reached.
static void class_reach(const struct policy *policy, const uint16_t *rules, size_t count,
                        struct rule_reach *reach)
{
    uint64_t taken_ppm = 0;
    size_t live = 0;
    for (bool open = true; open && live < count; live++) {
        const struct rule *rule = &policy->rules[rules[live]];
        reach[rules[live]].held = reach[rules[live]].reached = true;
        taken_ppm += rule->share_ppm;
        open = policy->form == FORM_FLAT ? !rule_is_sure(policy, rule) : taken_ppm < SHARE_ALL;
    }
    for (size_t i = live; i < count; i++) {
        reach[rules[i]].held = true;
        for (size_t k = 0; k < live; k++) {
            taken_add(&reach[rules[i]], rules[k]);
        }
    }
}

// Whether the loaded data could know nothing of what the rule looks at.
static bool needs_more_data(const struct reach *reach, const struct rule *rule)
{
    bool places = rule->geo_count > 0, asns = rule->asn_count > 0;
    for (size_t i = 0; i < rule->line_count; i++) {
        const struct line *line = lines_get(reach->lines, (size_t)rule->lines[i]);
        places |= line->kind != LINE_CUSTOM || line->country_count > 0;
        asns |= line->isps != 0 || line->asn_count > 0;
    }
    return (places && !reach->known.has_places) || (asns && !reach->known.has_asns);
}

static void classes_reach(struct reach *reach, const struct policy *policy,
                          const struct territory *territory)
{
    if (territory == NULL) { // every rule holds everybody
        uint16_t all[RULES_MAX];
        for (size_t i = 0; i < policy->rule_count; i++) {
            all[i] = (uint16_t)i;
        }
        class_reach(policy, all, policy->rule_count, reach->rules);
        return;
    }
    for (size_t i = 0; i < territory_class_count(territory); i++) {
        struct territory_class class = territory_class(territory, (uint32_t)i);
        class_reach(policy, class.rules, class.rule_count, reach->rules);
    }
}

const struct rule_reach *reach_of_policy(struct reach *reach, const struct policy *policy)
{
    SP_ASSERT(policy->rule_count <= RULES_MAX);
    memset(reach->rules, 0, sizeof(reach->rules));
    // Every rule a group: the classes are the sets of rules that hold some client, all of them.
    struct rule *rules = mem_alloc_array(policy->rule_count, sizeof(*rules));
    for (size_t i = 0; i < policy->rule_count; i++) {
        rules[i] = policy->rules[i];
    }
    struct policy groups = group_policy(rules, policy->rule_count);
    struct territory *territory =
        territory_acquire(reach->territories, &groups, reach->lines, reach->geo);
    free(rules);
    if (territory != NULL) {
        MEM_GROW(reach->held, reach->held_count, reach->held_capacity);
        reach->held[reach->held_count++] = territory;
    }
    classes_reach(reach, policy, territory);
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct rule_reach *rule = &reach->rules[i];
        rule->guess = !rule->held && needs_more_data(reach, &policy->rules[i]);
    }
    return reach->rules;
}
