// SPDX-License-Identifier: GPL-3.0-or-later
#include "probe/definition.h"

#include "base/hash.h"
#include "base/memory.h"

struct entry {
    struct check_spec *spec;
    uint64_t hash;
    size_t users;
    struct entry *next;
};

struct definitions {
    struct entry **buckets;
    size_t bucket_count; // a power of two
    size_t count;
    uint64_t key;
};

struct definitions *definitions_new(void)
{
    struct definitions *definitions = mem_alloc(sizeof(*definitions));
    definitions->bucket_count = 16;
    definitions->buckets = mem_alloc_array(definitions->bucket_count, sizeof(struct entry *));
    definitions->key = random_seed();
    return definitions;
}

void definitions_free(struct definitions *definitions)
{
    if (definitions) {
        SP_ASSERT(definitions->count == 0);
        free(definitions->buckets);
        free(definitions);
    }
}

static struct entry **bucket_of(const struct definitions *definitions, uint64_t hash)
{
    return &definitions->buckets[hash & (definitions->bucket_count - 1)];
}

static void grow(struct definitions *definitions)
{
    struct entry **old = definitions->buckets;
    size_t old_count = definitions->bucket_count;
    definitions->bucket_count *= 2;
    definitions->buckets = mem_alloc_array(definitions->bucket_count, sizeof(struct entry *));
    for (size_t i = 0; i < old_count; i++) {
        struct entry *next;
        for (struct entry *entry = old[i]; entry; entry = next) {
            next = entry->next;
            entry->next = *bucket_of(definitions, entry->hash);
            *bucket_of(definitions, entry->hash) = entry;
        }
    }
    free(old);
}

static struct entry *entry_find(const struct definitions *definitions, uint64_t hash,
                                const struct check_spec *spec)
{
    struct entry *entry = *bucket_of(definitions, hash);
    while (entry && (entry->hash != hash || !check_spec_equal(entry->spec, spec))) {
        entry = entry->next;
    }
    return entry;
}

const struct check_spec *definition_find(const struct definitions *definitions,
                                         const struct check_spec *spec)
{
    uint64_t hash = check_spec_hash(spec, definitions->key);
    const struct entry *entry = entry_find(definitions, hash, spec);
    return entry ? entry->spec : NULL;
}

const struct check_spec *definition_keep(struct definitions *definitions,
                                         const struct check_spec *spec)
{
    uint64_t hash = check_spec_hash(spec, definitions->key);
    struct entry *entry = entry_find(definitions, hash, spec);
    if (entry == NULL) {
        if (definitions->count == definitions->bucket_count) {
            grow(definitions);
        }
        entry = mem_alloc(sizeof(*entry));
        *entry = (struct entry){check_spec_clone(spec), hash, 0, *bucket_of(definitions, hash)};
        *bucket_of(definitions, hash) = entry;
        definitions->count++;
    }
    entry->users++;
    return entry->spec;
}

void definition_drop(struct definitions *definitions, const struct check_spec *kept)
{
    struct entry **link = bucket_of(definitions, check_spec_hash(kept, definitions->key));
    while (*link && (*link)->spec != kept) {
        link = &(*link)->next;
    }
    struct entry *entry = *link;
    SP_ASSERT(entry != NULL);
    if (--entry->users == 0) {
        *link = entry->next;
        free(entry->spec);
        free(entry);
        definitions->count--;
    }
}
