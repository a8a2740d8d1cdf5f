// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/texts.h"

#include "base/counted.h"
#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

struct entry {
    struct counted_entry counted;
    char text[];
};

struct texts {
    struct counted table;
    uint64_t key;
};

struct texts *texts_new(void)
{
    struct texts *texts = mem_alloc(sizeof(*texts));
    texts->key = random_seed();
    return texts;
}

void texts_free(struct texts *texts)
{
    if (texts) {
        counted_clear(&texts->table);
        free(texts);
    }
}

static bool is_text(const struct counted_entry *counted, const void *wanted)
{
    return strcmp(container_of(counted, struct entry, counted)->text, wanted) == 0;
}

const char *texts_keep(struct texts *texts, const char *text)
{
    size_t size = strlen(text) + 1;
    uint64_t hash = hash_bytes(texts->key, text, size);
    struct counted_entry *found = counted_find(&texts->table, hash, is_text, text);
    if (found == NULL) {
        struct entry *entry = mem_alloc(sizeof(*entry) + size);
        memcpy(entry->text, text, size);
        found = &entry->counted;
        counted_add(&texts->table, found, hash);
    }
    return container_of(counted_keep(found), struct entry, counted)->text;
}

void texts_drop(struct texts *texts, const char *kept)
{
    if (kept == NULL) {
        return;
    }
    struct entry *entry = (struct entry *)(void *)((char *)kept - offsetof(struct entry, text));
    if (counted_drop(&texts->table, &entry->counted)) {
        free(entry);
    }
}
