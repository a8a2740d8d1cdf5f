// SPDX-License-Identifier: GPL-3.0-or-later
#include "probe/definition.h"

#include "base/counted.h"
#include "base/hash.h"
#include "base/memory.h"

struct entry {
    struct counted_entry counted;
    struct check_spec *spec;
};

struct definitions {
    struct counted table;
    uint64_t key;
};

struct definitions *definitions_new(void)
{
    struct definitions *definitions = mem_alloc(sizeof(*definitions));
    definitions->key = random_seed();
    return definitions;
}

void definitions_free(struct definitions *definitions)
{
    if (definitions) {
        counted_clear(&definitions->table);
        free(definitions);
    }
}

static struct entry *entry_of(struct counted_entry *counted)
{
    return container_of(counted, struct entry, counted);
}

static bool is_equal(const struct counted_entry *counted, const void *wanted)
{
    return check_spec_equal(container_of(counted, struct entry, counted)->spec, wanted);
}

static bool is_same(const struct counted_entry *counted, const void *wanted)
{
    return container_of(counted, struct entry, counted)->spec == wanted;
}

const struct check_spec *definition_find(const struct definitions *definitions,
                                         const struct check_spec *spec)
{
    uint64_t hash = check_spec_hash(spec, definitions->key);
    struct counted_entry *found = counted_find(&definitions->table, hash, is_equal, spec);
    return found ? entry_of(found)->spec : NULL;
}

const struct check_spec *definition_keep(struct definitions *definitions,
                                         const struct check_spec *spec)
{
    uint64_t hash = check_spec_hash(spec, definitions->key);
    struct counted_entry *found = counted_find(&definitions->table, hash, is_equal, spec);
    if (found == NULL) {
        struct entry *entry = mem_alloc(sizeof(*entry));
        entry->spec = check_spec_clone(spec);
        found = &entry->counted;
        counted_add(&definitions->table, found, hash);
    }
    return entry_of(counted_keep(found))->spec;
}

void definition_drop(struct definitions *definitions, const struct check_spec *kept)
{
    uint64_t hash = check_spec_hash(kept, definitions->key);
    struct counted_entry *found = counted_find(&definitions->table, hash, is_same, kept);
    SP_ASSERT(found != NULL);
    if (counted_drop(&definitions->table, found)) {
        struct entry *entry = entry_of(found);
        free(entry->spec);
        free(entry);
    }
}
