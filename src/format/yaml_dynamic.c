// SPDX-License-Identifier: GPL-3.0-or-later
//
// octoDNS `dynamic`: pools. How they hang together is in yaml_pools.c, the rules in yaml_rules.c.
//
// octoDNS's checks with our wider weights (0: only when nothing else is usable), `min_up`, and a
// warning for every key that it would silently leave out. Called by the YAML zone reader.
#include "format/yaml_zone.h"

#include "base/hash.h"
#include "base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char *const dynamic_keys[] = {"pools", "rules"};
static const char *const pool_keys[] = {"fallback", "values", "min_up", "method"};
static const char *const value_keys[] = {"value", "weight",   "status", "site",
                                         "name",  "priority", "remark"};
static const char *const status_names[] = {"obey", "up", "down"}; // in the order of member_status

// A pool in the place of a value; yaml_pools.c finds it when all are read.
static bool nested_fill(const struct yaml_record *record, const struct yaml *at,
                        struct member *member)
{
    static const char *const nested_keys[] = {"pool", "weight", "priority", "remark"};
    struct yaml pool;
    *member = (struct member){.weight = 1, .check = -1, .place = yaml_place(at)};
    yaml_known_keys(at, nested_keys, ARRAY_SIZE(nested_keys));
    bool good = yaml_get(at, "pool", &pool);
    SP_ASSERT(good);
    const char *name = yaml_text(&pool);
    member->text = arena_strdup(record->yz->arena, name ? name : "");
    return yaml_member_keys_read(record, at, member) && name != NULL;
}

static bool member_fill(const struct yaml_record *record, const struct yaml *at,
                        struct member *member)
{
    struct yaml value, status;
    if (at->node->kind != YAML_MAP) {
        return yaml_member_read(record, at, member);
    }
    if (yaml_has(at, "pool") && !yaml_has(at, "value")) {
        return nested_fill(record, at, member);
    }
    bool simple = record->type == TYPE_A || record->type == TYPE_AAAA || record->type == TYPE_CNAME;
    if (!simple && !yaml_has(at, "value")) {
        return yaml_member_read(record, at, member); // {preference: 10, exchange: mx}
    }
    yaml_known_keys(at, value_keys, ARRAY_SIZE(value_keys));
    if (!yaml_get(at, "value", &value)) {
        yaml_error(at, "missing \"value\"");
        return false;
    }
    bool good = yaml_member_read(record, &value, member);
    unsigned choice = STATUS_OBEY;
    good &= yaml_member_keys_read(record, at, member);
    if (yaml_get(at, "status", &status)) {
        good &= yaml_choice(&status, status_names, ARRAY_SIZE(status_names), &choice);
    }
    member->status = (enum member_status)choice;
    return good;
}

static void names_compare(const struct yaml *at, const struct member *members, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i && members[i].name; j++) {
            if (members[j].name && strcmp(members[i].name, members[j].name) == 0) {
                yaml_error(at, "the name \"%.60s\" is here twice", members[i].name);
            }
        }
    }
}

// Equal values have equal hashes: names in them are compared without regard to case.
static uint64_t value_hash(const struct member *member)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < member->rdata_size; i++) {
        hash = hash_u64(hash, (uint64_t)tolower(member->rdata[i]));
    }
    return hash;
}

static bool is_same_value(uint16_t type, const struct member *a, const struct member *b)
{
    return rdata_equal(type, a->rdata, a->rdata_size, b->rdata, b->rdata_size);
}

void yaml_members_compare(const struct yaml_record *record, const struct yaml *at,
                          const struct member *members, size_t count)
{
    names_compare(at, members, count);
    size_t size = 16;
    while (size < 2 * count) {
        size *= 2;
    }
    uint16_t *slots = mem_alloc_array(size, sizeof(*slots)); // indexes + 1, by hash of the value
    for (size_t i = 0; i < count; i++) {
        if (members[i].pool != NULL || members[i].rdata_size == 0) {
            continue;
        }
        size_t slot = (size_t)value_hash(&members[i]) & (size - 1);
        while (slots[slot] != 0 &&
               !is_same_value(record->type, &members[slots[slot] - 1], &members[i])) {
            slot = (slot + 1) & (size - 1);
        }
        if (slots[slot] != 0) {
            yaml_warning(at, "the value %.80s is here twice; the weights add up", members[i].text);
        } else {
            slots[slot] = (uint16_t)(i + 1);
        }
    }
    free(slots);
}

static bool members_read(const struct yaml_record *record, const struct yaml *values,
                         struct pool *pool)
{
    if (!yaml_is_list(values)) {
        return false;
    }
    size_t count = values->node->child_count;
    if (count == 0 || count > RRSET_MEMBERS_MAX) {
        yaml_error(values, "expected 1 to %d values, found %zu", RRSET_MEMBERS_MAX, count);
        return false;
    }
    pool->members = arena_alloc(record->yz->arena, count * sizeof(*pool->members));
    bool good = true;
    struct yaml item = {0};
    while (yaml_next(values, &item)) {
        good &= member_fill(record, &item, &pool->members[pool->member_count++]);
    }
    if (good) {
        yaml_members_compare(record, values, pool->members, count);
    }
    return good;
}

// A count of members, or a percentage of them.
static bool min_up_read(const struct yaml *at, struct pool *pool)
{
    const char *text = yaml_text(at), *rest;
    int64_t billionths;
    if (text == NULL) {
        return false;
    }
    bool whole = decimal_parse(text, &billionths, &rest) && billionths % 1000000000 == 0;
    int64_t number = whole ? billionths / 1000000000 : 0;
    bool percent = whole && strcmp(rest, "%") == 0;
    if (!whole || number < 1 || (percent ? number > 100 : *rest != '\0')) {
        yaml_error(at,
                   "expected a number of members such as 2, or a part such as 50%%, "
                   "found \"%.40s\"",
                   text);
        return false;
    }
    if (!percent && pool->member_count > 0 && (size_t)number > pool->member_count) {
        yaml_error(at, "%lld members can never be up: the pool has %zu", (long long)number,
                   pool->member_count);
        return false;
    }
    pool->min_up = (uint32_t)number;
    pool->min_up_percent = percent;
    return true;
}

static bool pool_read(const struct yaml_record *record, const struct yaml *at, struct pool *pool)
{
    *pool = (struct pool){
        .name = arena_strdup(record->yz->arena, at->node->key),
        .fallback = -1,
        .min_up = 1,
        .place = yaml_key_place(at),
    };
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, pool_keys, ARRAY_SIZE(pool_keys));
    struct yaml values, min_up, method;
    bool good = true;
    if (yaml_get(at, "values", &values)) {
        good = members_read(record, &values, pool);
    } else {
        yaml_error(at, "missing \"values\"");
        good = false;
    }
    if (yaml_get(at, "min_up", &min_up)) {
        good &= min_up_read(&min_up, pool);
    }
    if (yaml_get(at, "method", &method)) {
        pool->has_method = yaml_method_read(&method, &pool->method);
        good &= pool->has_method;
    }
    return good;
}

static bool pools_read(const struct yaml_record *record, const struct yaml *pools,
                       struct policy *policy)
{
    if (!yaml_is_map(pools)) {
        return false;
    }
    size_t count = pools->node->child_count;
    if (count == 0 || count > POOLS_MAX) {
        yaml_error(pools, "expected 1 to %d pools, found %zu", POOLS_MAX, count);
        return false;
    }
    policy->pools = arena_alloc(record->yz->arena, count * sizeof(*policy->pools));
    bool good = true;
    struct yaml pool = {0};
    while (yaml_next(pools, &pool)) {
        good &= pool_read(record, &pool, &policy->pools[policy->pool_count++]);
    }
    return yaml_pools_link(pools, policy) && good;
}

bool yaml_dynamic_read(const struct yaml_record *record, const struct yaml *dynamic,
                       struct policy *policy)
{
    struct yaml pools, rules;
    bool used[POOLS_MAX] = {0};
    if (!yaml_is_map(dynamic)) {
        return false;
    }
    yaml_known_keys(dynamic, dynamic_keys, ARRAY_SIZE(dynamic_keys));
    bool has_values = yaml_has(record->at, "value") || yaml_has(record->at, "values");
    if (!has_values) {
        yaml_error(record->at, "missing \"value\" or \"values\" beside \"dynamic\": expected the "
                               "last resort, which is also what a plain tool sees");
    }
    bool has_pools = yaml_get(dynamic, "pools", &pools);
    bool has_rules = yaml_get(dynamic, "rules", &rules);
    if (!has_pools) {
        yaml_error(dynamic, "missing \"pools\"");
    }
    if (!has_rules) {
        yaml_error(dynamic, "missing \"rules\"");
    }
    bool good = has_pools && pools_read(record, &pools, policy);
    if (has_rules && policy->pool_count > 0) {
        bool ruled = yaml_rules_read(record, &rules, policy, used);
        // A rule with a fault may be the one that uses a pool.
        return ruled && yaml_pools_used_check(&pools, policy, used) && good && has_values;
    }
    return false;
}
