// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/counted.h"

#include "base/memory.h"

enum { BUCKETS_FIRST = 16 };

void counted_clear(struct counted *counted)
{
    SP_ASSERT(counted->count == 0);
    free(counted->buckets);
    *counted = (struct counted){0};
}

static struct counted_entry **bucket_of(const struct counted *counted, uint64_t hash)
{
    return &counted->buckets[hash & (counted->bucket_count - 1)];
}

static void put(struct counted *counted, struct counted_entry *entry)
{
    struct counted_entry **bucket = bucket_of(counted, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
}

static void grow(struct counted *counted)
{
    struct counted_entry **old = counted->buckets, *next;
    size_t old_count = counted->bucket_count;
    counted->bucket_count = old_count == 0 ? BUCKETS_FIRST : 2 * old_count;
    counted->buckets = mem_alloc_array(counted->bucket_count, sizeof(struct counted_entry *));
    for (size_t i = 0; i < old_count; i++) {
        for (struct counted_entry *entry = old[i]; entry != NULL; entry = next) {
            next = entry->next;
            put(counted, entry);
        }
    }
    free(old);
}

struct counted_entry *counted_find(const struct counted *counted, uint64_t hash,
                                   counted_equal *equal, const void *wanted)
{
    if (counted->count == 0) {
        return NULL;
    }
    struct counted_entry *entry = *bucket_of(counted, hash);
    while (entry != NULL && (entry->hash != hash || !equal(entry, wanted))) {
        entry = entry->next;
    }
    return entry;
}

void counted_add(struct counted *counted, struct counted_entry *entry, uint64_t hash)
{
    if (counted->count == counted->bucket_count) {
        grow(counted);
    }
    entry->hash = hash;
    entry->users = 0;
    put(counted, entry);
    counted->count++;
}

struct counted_entry *counted_keep(struct counted_entry *entry)
{
    entry->users++;
    return entry;
}

bool counted_drop(struct counted *counted, struct counted_entry *entry)
{
    SP_ASSERT(entry->users > 0);
    if (--entry->users > 0) {
        return false;
    }
    struct counted_entry **link = bucket_of(counted, entry->hash);
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    counted->count--;
    return true;
}
