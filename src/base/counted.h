// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct counted: a hash table of things that are kept once however many keep them. An entry is
// embedded in the thing; who owns the table makes and frees things, compares them, and counts here.
// One thread.
#pragma once

#include "base/base.h"

struct counted_entry {
    struct counted_entry *next;
    uint64_t hash;
    size_t users;
};

// Zero-initialised it is empty; the first keep makes its memory.
struct counted {
    struct counted_entry **buckets;
    size_t bucket_count; // a power of two, or 0
    size_t count;
};

// Whether the entry is the wanted thing.
typedef bool counted_equal(const struct counted_entry *entry, const void *wanted);

// Nothing may be kept any more.
void counted_clear(struct counted *counted);
// The entry that has the hash and is equal, or NULL. Does not count.
struct counted_entry *counted_find(const struct counted *counted, uint64_t hash,
                                   counted_equal *equal, const void *wanted);
// A new entry, without users; none that is equal may be there.
void counted_add(struct counted *counted, struct counted_entry *entry, uint64_t hash);
// One user more. Returns the entry.
struct counted_entry *counted_keep(struct counted_entry *entry);
// One user less. True when that was the last: the entry is out of the table, the caller's to free.
bool counted_drop(struct counted *counted, struct counted_entry *entry);
