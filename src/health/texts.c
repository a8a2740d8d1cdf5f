// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/texts.h"

#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

struct entry {
    struct entry *next;
    uint64_t hash;
    size_t users;
    char text[];
};

struct texts {
    struct entry **buckets;
    size_t bucket_count; // a power of two
    size_t count;
    uint64_t key;
};

struct texts *texts_new(void)
{
    struct texts *texts = mem_alloc(sizeof(*texts));
    texts->bucket_count = 16;
    texts->buckets = mem_alloc_array(texts->bucket_count, sizeof(struct entry *));
    texts->key = random_seed();
    return texts;
}

void texts_free(struct texts *texts)
{
    if (texts) {
        SP_ASSERT(texts->count == 0);
        free(texts->buckets);
        free(texts);
    }
}

static struct entry **bucket_of(const struct texts *texts, uint64_t hash)
{
    return &texts->buckets[hash & (texts->bucket_count - 1)];
}

static void grow(struct texts *texts)
{
    struct entry **old = texts->buckets;
    size_t old_count = texts->bucket_count;
    texts->bucket_count *= 2;
    texts->buckets = mem_alloc_array(texts->bucket_count, sizeof(struct entry *));
    for (size_t i = 0; i < old_count; i++) {
        struct entry *next;
        for (struct entry *entry = old[i]; entry; entry = next) {
            next = entry->next;
            entry->next = *bucket_of(texts, entry->hash);
            *bucket_of(texts, entry->hash) = entry;
        }
    }
    free(old);
}

const char *texts_keep(struct texts *texts, const char *text)
{
    size_t size = strlen(text) + 1;
    uint64_t hash = hash_bytes(texts->key, text, size);
    struct entry *entry = *bucket_of(texts, hash);
    while (entry && (entry->hash != hash || strcmp(entry->text, text) != 0)) {
        entry = entry->next;
    }
    if (entry == NULL) {
        if (texts->count == texts->bucket_count) {
            grow(texts);
        }
        entry = mem_alloc(sizeof(*entry) + size);
        entry->hash = hash;
        memcpy(entry->text, text, size);
        entry->next = *bucket_of(texts, hash);
        *bucket_of(texts, hash) = entry;
        texts->count++;
    }
    entry->users++;
    return entry->text;
}

void texts_drop(struct texts *texts, const char *kept)
{
    if (kept == NULL) {
        return;
    }
    struct entry **link = bucket_of(texts, hash_bytes(texts->key, kept, strlen(kept) + 1));
    while (*link && (*link)->text != kept) {
        link = &(*link)->next;
    }
    struct entry *entry = *link;
    SP_ASSERT(entry != NULL);
    if (--entry->users == 0) {
        *link = entry->next;
        free(entry);
        texts->count--;
    }
}
