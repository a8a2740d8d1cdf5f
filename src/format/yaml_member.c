// SPDX-License-Identifier: GPL-3.0-or-later
//
// The keys of a member that both forms with mappings have (values of `dynamic` pools and flat
// rows): weight, site, priority, name. And the sites of a policy.
//
// While a record is read, members point to the sites of shared.yaml; yaml_members_settle gives the
// policy copies of its own. Called by yaml_dynamic.c, yaml_flat.c and zone_yaml.c.
#include "format/yaml_zone.h"

#include "base/memory.h"

#include <string.h>

bool yaml_weight_read(const struct yaml *at, uint32_t *weight)
{
    return yaml_number(at, 0, WEIGHT_MAX, weight);
}

static void site_unknown(const struct zone_reader *reader, const struct yaml *at, const char *text)
{
    const char **names = mem_alloc_array(reader->site_count, sizeof(*names));
    for (size_t i = 0; i < reader->site_count; i++) {
        names[i] = reader->sites[i].name;
    }
    char hint[HINT_MAX];
    yaml_error(at, "there is no site \"%.60s\" in shared.yaml%s", text,
               hint_format(text_nearest(text, names, reader->site_count), hint));
    free(names);
}

static bool site_read(const struct yaml_record *record, const struct yaml *at,
                      struct member *member)
{
    const struct zone_reader *reader = record->yz->reader;
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    for (size_t i = 0; i < reader->site_count; i++) {
        if (strcmp(reader->sites[i].name, text) == 0) {
            member->site = &reader->sites[i];
            return true;
        }
    }
    site_unknown(reader, at, text);
    return false;
}

bool yaml_member_keys_read(const struct yaml_record *record, const struct yaml *at,
                           struct member *member)
{
    struct yaml child;
    bool good = true;
    member->weight = 1;
    if (yaml_get(at, "weight", &child)) {
        good = yaml_weight_read(&child, &member->weight);
    }
    if (yaml_get(at, "priority", &child)) {
        good &= yaml_number(&child, 0, PRIORITY_MAX, &member->priority);
    }
    if (yaml_get(at, "site", &child)) {
        good &= site_read(record, &child, member);
    }
    if (yaml_get(at, "name", &child)) {
        const char *text = yaml_text(&child);
        good &= text != NULL;
        member->name = text ? arena_strdup(record->yz->arena, text) : NULL;
    }
    if (yaml_get(at, "remark", &child) && child.node->kind == YAML_SCALAR) {
        member->remark = arena_strdup(record->yz->arena, child.node->text);
    }
    return good;
}

// --- the sites of a policy

static const struct site *site_of_policy(struct arena *arena, struct policy *policy,
                                         const struct site *site)
{
    for (size_t i = 0; i < policy->site_count; i++) {
        if (strcmp(policy->sites[i].name, site->name) == 0) {
            return &policy->sites[i];
        }
    }
    struct site *copy = &policy->sites[policy->site_count++];
    *copy = *site;
    copy->name = arena_strdup(arena, site->name);
    return copy;
}

// A member without a site is a place of its own, known by its value.
static const struct site *place_of_member(struct policy *policy, const struct member *member)
{
    for (size_t i = 0; i < policy->site_count; i++) {
        if (strcmp(policy->sites[i].name, member->text) == 0) {
            return &policy->sites[i];
        }
    }
    struct site *place = &policy->sites[policy->site_count++];
    *place = (struct site){.name = member->text, .place = member->place};
    return place;
}

static void members_settle(struct arena *arena, struct policy *policy, struct member *members,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i].site != NULL) {
            members[i].site = site_of_policy(arena, policy, members[i].site);
        } else if (members[i].pool == NULL && policy_uses(policy, METHOD_FASTEST)) {
            members[i].site = place_of_member(policy, &members[i]);
        }
    }
}

// Lowest priority first, equal ones as written.
static void priorities_sort(struct member *members, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct member member = members[i];
        size_t at = i;
        for (; at > 0 && members[at - 1].priority > member.priority; at--) {
            members[at] = members[at - 1];
        }
        members[at] = member;
    }
}

static bool has_located_site(const struct policy *policy)
{
    for (size_t i = 0; i < policy->site_count; i++) {
        if (policy->sites[i].located) {
            return true;
        }
    }
    return false;
}

void yaml_members_settle(const struct yaml_record *record, struct policy *policy)
{
    struct arena *arena = record->yz->arena;
    size_t places = record->yz->reader->site_count;
    const bool fastest = policy_uses(policy, METHOD_FASTEST);
    for (size_t i = 0; fastest && i < policy->pool_count; i++) {
        places += policy->pools[i].member_count;
    }
    places += fastest ? policy->value_count : 0;
    policy->sites = arena_alloc(arena, places * sizeof(*policy->sites));
    for (size_t i = 0; i < policy->pool_count; i++) {
        struct pool *pool = &policy->pools[i];
        members_settle(arena, policy, pool->members, pool->member_count);
        // Without a method of its own it may stand in one that is ordered.
        if (pool->has_method ? pool->method == METHOD_ORDERED
                             : policy_uses(policy, METHOD_ORDERED)) {
            priorities_sort(pool->members, pool->member_count);
        }
    }
    members_settle(arena, policy, policy->values, policy->value_count);
    if (policy->method == METHOD_ORDERED) {
        priorities_sort(policy->values, policy->value_count);
    }
    if (policy_uses(policy, METHOD_NEAREST) && !has_located_site(policy)) {
        yaml_warning(record->at, "no member has a site with a place: the method \"nearest\" "
                                 "answers in the order that is written");
    }
}
