// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct vector: slot number -> pointer, persistent: the next version shares all chunks that did
// not change. Two loads to read. Setting: control thread. Reading: any thread. Internal to answer/.
#pragma once

#include "base/base.h"

enum { VECTOR_CHUNK_SIZE = 256 };

struct vector_chunk {
    uint64_t edit; // number of the edit that made it
    const void *items[VECTOR_CHUNK_SIZE];
};

struct vector {
    size_t chunk_count;
    struct vector_chunk *chunks[];
};

static inline const void *vector_get(const struct vector *vector, uint32_t slot)
{
    return vector->chunks[slot / VECTOR_CHUNK_SIZE]->items[slot % VECTOR_CHUNK_SIZE];
}

// An empty vector, and the end of this version with all its chunks (no other version may live).
struct vector *vector_new(void);
void vector_free_all(struct vector *vector);

// A new version to edit: the same life as an index_edit (answer/index.h).
struct vector_edit;
struct vector_edit *vector_edit_begin(const struct vector *old);
// Grows as needed. Returns what was there before.
const void *vector_edit_set(struct vector_edit *edit, uint32_t slot, const void *item);
const void *vector_edit_get(const struct vector_edit *edit, uint32_t slot); // NULL past the end
const struct vector *vector_edit_view(const struct vector_edit *edit);
struct vector *vector_edit_commit(struct vector_edit *edit);
void vector_edit_free(struct vector_edit *edit); // after the grace period
void vector_edit_drop(struct vector_edit *edit);
