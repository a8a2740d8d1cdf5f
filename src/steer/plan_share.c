// SPDX-License-Identifier: GPL-3.0-or-later
//
// Plans of equal content share their tables. Thousands of names often have one policy; what is each
// one's own is the key of its hashes and the territory that it was compiled for.
//
// Control thread. A set of tables is kept while a plan uses it; plans that are still served keep
// theirs until plan_free, after the grace period.
#include "steer/plan_internal.h"

#include "base/memory.h"

#include <string.h>

struct plan_tables {
    struct plan_shares *set;
    struct plan_tables *next; // of the same bucket
    uint64_t hash;
    size_t user_count;
    struct plan plan; // whose arrays these are
};

struct plan_shares {
    struct plan_tables **buckets;
    size_t bucket_count, count; // bucket_count is a power of two
};

struct plan_shares *plan_shares_new(void)
{
    struct plan_shares *set = mem_alloc(sizeof(*set));
    set->bucket_count = 64;
    set->buckets = mem_alloc_array(set->bucket_count, sizeof(struct plan_tables *));
    return set;
}

void plan_shares_free(struct plan_shares *set)
{
    SP_ASSERT(set->count == 0);
    free(set->buckets);
    free(set);
}

size_t plan_shares_count(const struct plan_shares *set)
{
    return set->count;
}

// --- content

struct part {
    const void *bytes;
    size_t size;
};

enum { PARTS = 6 };

static void parts_of(const struct plan *plan, struct part parts[PARTS])
{
    parts[0] = (struct part){plan->choices, plan->choice_count * sizeof(*plan->choices)};
    parts[1] = (struct part){plan->members, plan->member_count * sizeof(*plan->members)};
    parts[2] = (struct part){plan->records, plan->record_size};
    parts[3] = (struct part){plan->details, plan->detail_count * sizeof(*plan->details)};
    parts[4] =
        (struct part){plan->choice_of_class, plan->class_count * sizeof(*plan->choice_of_class)};
    parts[5] = (struct part){plan->detail_of_class,
                             plan->base_class_count * sizeof(*plan->detail_of_class)};
}

static uint64_t content_hash(const struct plan *plan)
{
    struct part parts[PARTS];
    parts_of(plan, parts);
    uint64_t hash = 0;
    for (size_t i = 0; i < PARTS; i++) {
        hash = hash_bytes(hash, parts[i].bytes, parts[i].size);
    }
    return hash;
}

static bool content_equal(const struct plan *a, const struct plan *b)
{
    struct part x[PARTS], y[PARTS];
    parts_of(a, x);
    parts_of(b, y);
    for (size_t i = 0; i < PARTS; i++) {
        if (x[i].size != y[i].size ||
            (x[i].size > 0 && memcmp(x[i].bytes, y[i].bytes, x[i].size) != 0)) {
            return false;
        }
    }
    return true;
}

static void arrays_free(struct plan *plan)
{
    free(plan->choice_of_class);
    free(plan->detail_of_class);
    free(plan->details);
    free(plan->choices);
    free(plan->members);
    free(plan->records);
}

// --- the set

static void grow(struct plan_shares *set)
{
    struct plan_shares old = *set;
    set->bucket_count = old.bucket_count * 4;
    set->buckets = mem_alloc_array(set->bucket_count, sizeof(struct plan_tables *));
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (struct plan_tables *at = old.buckets[i], *next; at != NULL; at = next) {
            next = at->next;
            struct plan_tables **bucket = &set->buckets[at->hash & (set->bucket_count - 1)];
            at->next = *bucket;
            *bucket = at;
        }
    }
    free(old.buckets);
}

static struct plan_tables *tables_new(struct plan_shares *set, const struct plan *plan,
                                      uint64_t hash)
{
    if (set->count >= set->bucket_count) {
        grow(set);
    }
    struct plan_tables *tables = mem_alloc(sizeof(*tables));
    struct plan_tables **bucket = &set->buckets[hash & (set->bucket_count - 1)];
    *tables = (struct plan_tables){.set = set, .next = *bucket, .hash = hash, .plan = *plan};
    *bucket = tables;
    set->count++;
    return tables;
}

void plan_share(struct plan_shares *set, struct plan *plan)
{
    SP_ASSERT(plan->tables == NULL);
    uint64_t hash = content_hash(plan);
    struct plan_tables *at = set->buckets[hash & (set->bucket_count - 1)];
    while (at != NULL && (at->hash != hash || !content_equal(&at->plan, plan))) {
        at = at->next;
    }
    if (at == NULL) {
        at = tables_new(set, plan, hash);
    } else {
        struct plan own = *plan;
        arrays_free(plan);
        *plan = at->plan;
        plan->territory = own.territory;
        plan->base = own.base;
        plan->sticky_key = own.sticky_key;
    }
    plan->tables = at;
    at->user_count++;
}

static void tables_release(struct plan_tables *tables)
{
    if (--tables->user_count > 0) {
        return;
    }
    struct plan_shares *set = tables->set;
    struct plan_tables **link = &set->buckets[tables->hash & (set->bucket_count - 1)];
    while (*link != tables) {
        link = &(*link)->next;
    }
    *link = tables->next;
    set->count--;
    arrays_free(&tables->plan);
    free(tables);
}

void plan_free(struct plan *plan)
{
    if (plan == NULL) {
        return;
    }
    if (plan->tables != NULL) {
        tables_release(plan->tables);
    } else {
        arrays_free(plan);
    }
    free(plan);
}

size_t plan_size(const struct plan *plan)
{
    struct part parts[PARTS];
    parts_of(plan, parts);
    size_t size = 0;
    for (size_t i = 0; i < PARTS; i++) {
        size += parts[i].size;
    }
    size_t users = plan->tables ? plan->tables->user_count : 1;
    return sizeof(*plan) + (size + (plan->tables ? sizeof(*plan->tables) : 0)) / users;
}
