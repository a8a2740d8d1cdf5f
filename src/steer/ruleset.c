// SPDX-License-Identifier: GPL-3.0-or-later
//
// Interned sets of rules. A territory meets a few dozen distinct sets but takes their unions
// millions of times while it sweeps the address space, so the last unions are remembered.
#include "steer/ruleset.h"

#include "base/hash.h"
#include "base/memory.h"

enum { UNION_CACHE_SIZE = 4096 }; // power of two

struct set {
    uint64_t hash;
    uint32_t offset, count; // into members
};

struct union_entry {
    uint32_t a, b, result;
};

struct rulesets {
    struct set *sets;
    size_t count, capacity;
    uint16_t *members;
    size_t member_count, member_capacity;
    uint32_t *slots; // open addressing, set number + 1
    size_t slot_count;
    struct union_entry unions[UNION_CACHE_SIZE];
    uint16_t *scratch;
};

static void slots_grow(struct rulesets *sets)
{
    free(sets->slots);
    sets->slot_count = sets->slot_count ? sets->slot_count * 2 : 64;
    sets->slots = mem_alloc_array(sets->slot_count, sizeof(*sets->slots));
    for (size_t i = 0; i < sets->count; i++) {
        size_t at = sets->sets[i].hash & (sets->slot_count - 1);
        while (sets->slots[at] != 0) {
            at = (at + 1) & (sets->slot_count - 1);
        }
        sets->slots[at] = (uint32_t)i + 1;
    }
}

static void members_append(struct rulesets *sets, const uint16_t *rules, size_t count)
{
    while (sets->member_capacity - sets->member_count < count) {
        sets->member_capacity = MAX(sets->member_capacity * 2, (size_t)64);
        sets->members = mem_resize(sets->members, sets->member_capacity, sizeof(*sets->members));
    }
    for (size_t i = 0; i < count; i++) {
        sets->members[sets->member_count++] = rules[i];
    }
}

static uint32_t intern(struct rulesets *sets, const uint16_t *rules, size_t count)
{
    uint64_t hash = hash_bytes(0, rules, count * sizeof(*rules));
    size_t at = hash & (sets->slot_count - 1);
    for (; sets->slots[at] != 0; at = (at + 1) & (sets->slot_count - 1)) {
        const struct set *set = &sets->sets[sets->slots[at] - 1];
        if (set->hash == hash && set->count == count &&
            memcmp(sets->members + set->offset, rules, count * sizeof(*rules)) == 0) {
            return sets->slots[at] - 1;
        }
    }
    MEM_GROW(sets->sets, sets->count, sets->capacity);
    sets->sets[sets->count] = (struct set){hash, (uint32_t)sets->member_count, (uint32_t)count};
    members_append(sets, rules, count);
    uint32_t number = (uint32_t)sets->count++;
    sets->slots[at] = number + 1;
    if (sets->count * 2 > sets->slot_count) {
        slots_grow(sets);
    }
    return number;
}

struct rulesets *rulesets_new(size_t rule_count)
{
    struct rulesets *sets = mem_alloc(sizeof(*sets));
    sets->scratch = mem_alloc_array(rule_count + 1, sizeof(*sets->scratch));
    sets->member_capacity = 64;
    sets->members = mem_alloc_array(sets->member_capacity, sizeof(*sets->members));
    slots_grow(sets);
    uint32_t empty = intern(sets, sets->scratch, 0);
    SP_ASSERT(empty == 0);
    return sets;
}

void rulesets_free(struct rulesets *sets)
{
    free(sets->sets);
    free(sets->members);
    free(sets->slots);
    free(sets->scratch);
    free(sets);
}

static uint32_t merge(struct rulesets *sets, uint32_t a, uint32_t b)
{
    const struct set *x = &sets->sets[a], *y = &sets->sets[b];
    const uint16_t *left = sets->members + x->offset, *right = sets->members + y->offset;
    size_t i = 0, j = 0, count = 0;
    while (i < x->count || j < y->count) {
        if (j == y->count || (i < x->count && left[i] < right[j])) {
            sets->scratch[count++] = left[i++];
        } else {
            i += i < x->count && left[i] == right[j];
            sets->scratch[count++] = right[j++];
        }
    }
    return intern(sets, sets->scratch, count);
}

uint32_t rulesets_union(struct rulesets *sets, uint32_t a, uint32_t b)
{
    if (a == b || b == 0) {
        return a;
    }
    if (a == 0) {
        return b;
    }
    struct union_entry *entry = &sets->unions[hash_u64(a, b) & (UNION_CACHE_SIZE - 1)];
    if (entry->a != a || entry->b != b) {
        uint32_t result = merge(sets, a, b);
        *entry = (struct union_entry){a, b, result};
    }
    return entry->result;
}

uint32_t rulesets_with(struct rulesets *sets, uint32_t set, uint16_t rule)
{
    return merge(sets, set, intern(sets, &rule, 1));
}

const uint16_t *rulesets_rules(const struct rulesets *sets, uint32_t set, size_t *count)
{
    *count = sets->sets[set].count;
    return sets->members + sets->sets[set].offset;
}
