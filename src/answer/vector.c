// SPDX-License-Identifier: GPL-3.0-or-later
#include "answer/vector.h"

#include "base/memory.h"

#include <string.h>

struct vector_edit {
    uint64_t number;
    struct vector *vector;
    const struct vector *old;
    struct vector_chunk **retired;
    size_t retired_count, retired_capacity;
};

static struct vector *copy_directory(const struct vector *old, size_t chunk_count)
{
    struct vector *vector = mem_alloc(sizeof(*vector) + chunk_count * sizeof(vector->chunks[0]));
    vector->chunk_count = chunk_count;
    memcpy(vector->chunks, old->chunks, old->chunk_count * sizeof(vector->chunks[0]));
    return vector;
}

struct vector *vector_new(void)
{
    return mem_alloc(sizeof(struct vector));
}

void vector_free_all(struct vector *vector)
{
    for (size_t i = 0; i < vector->chunk_count; i++) {
        free(vector->chunks[i]);
    }
    free(vector);
}

struct vector_edit *vector_edit_begin(const struct vector *old)
{
    static uint64_t last_number; // one control thread
    struct vector_edit *edit = mem_alloc(sizeof(*edit));
    edit->number = ++last_number;
    edit->old = old;
    edit->vector = copy_directory(old, old->chunk_count);
    return edit;
}

static void grow(struct vector_edit *edit, size_t chunk_count)
{
    struct vector *grown = copy_directory(edit->vector, chunk_count);
    for (size_t i = edit->vector->chunk_count; i < chunk_count; i++) {
        grown->chunks[i] = mem_alloc(sizeof(struct vector_chunk));
        grown->chunks[i]->edit = edit->number;
    }
    free(edit->vector);
    edit->vector = grown;
}

static struct vector_chunk *own_chunk(struct vector_edit *edit, size_t at)
{
    struct vector_chunk *chunk = edit->vector->chunks[at];
    if (chunk->edit == edit->number) {
        return chunk;
    }
    struct vector_chunk *copy = mem_copy(chunk, sizeof(*chunk));
    copy->edit = edit->number;
    edit->vector->chunks[at] = copy;
    MEM_GROW(edit->retired, edit->retired_count, edit->retired_capacity);
    edit->retired[edit->retired_count++] = chunk;
    return copy;
}

const void *vector_edit_set(struct vector_edit *edit, uint32_t slot, const void *item)
{
    size_t at = slot / VECTOR_CHUNK_SIZE;
    if (at >= edit->vector->chunk_count) {
        grow(edit, at + 1);
    }
    struct vector_chunk *chunk = own_chunk(edit, at);
    const void *before = chunk->items[slot % VECTOR_CHUNK_SIZE];
    chunk->items[slot % VECTOR_CHUNK_SIZE] = item;
    return before;
}

const void *vector_edit_get(const struct vector_edit *edit, uint32_t slot)
{
    bool inside = slot / VECTOR_CHUNK_SIZE < edit->vector->chunk_count;
    return inside ? vector_get(edit->vector, slot) : NULL;
}

const struct vector *vector_edit_view(const struct vector_edit *edit)
{
    return edit->vector;
}

struct vector *vector_edit_commit(struct vector_edit *edit)
{
    struct vector *vector = edit->vector;
    edit->vector = NULL;
    return vector;
}

void vector_edit_free(struct vector_edit *edit)
{
    SP_ASSERT(edit->vector == NULL);
    for (size_t i = 0; i < edit->retired_count; i++) {
        free(edit->retired[i]);
    }
    free((void *)(uintptr_t)edit->old);
    free(edit->retired);
    free(edit);
}

void vector_edit_drop(struct vector_edit *edit)
{
    for (size_t i = 0; i < edit->vector->chunk_count; i++) {
        if (edit->vector->chunks[i]->edit == edit->number) {
            free(edit->vector->chunks[i]);
        }
    }
    free(edit->vector);
    free(edit->retired);
    free(edit);
}
