// SPDX-License-Identifier: GPL-3.0-or-later
//
// Heap blocks and arenas. An arena is a list of chunks; each new chunk is a quarter of all before
// it, within limits, so that a small zone costs little and a large one few calls. Aligned blocks
// fill a chunk from its beginning, octets from its end. Sanitizer builds still see overruns between
// chunks only; that is the price of the bump pointer.
#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK_SIZE_MIN = 464, CHUNK_SIZE_MAX = 4 << 20, ALIGNMENT = 16, LARGE_BLOCK = 1 << 20 };

struct chunk {
    struct chunk *next;
    size_t used; // from the beginning, a multiple of the alignment
    size_t size; // to where the octets begin
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

struct arena {
    struct chunk *head;
    size_t total;
};

void mem_exhausted(size_t size)
{
    fprintf(stderr, "signpost: out of memory (%zu bytes refused)\n", size);
    abort();
}

void mem_give_back_early(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
}

void mem_trim(void)
{
    malloc_trim(0);
}

static void *check(void *block, size_t size)
{
    if (UNLIKELY(block == NULL)) {
        mem_exhausted(size);
    }
    return block;
}

void *mem_alloc(size_t size)
{
    return check(calloc(1, size ? size : 1), size);
}

// Bytes of an array, for people.
static size_t array_size(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes;
}

void *mem_alloc_array(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size), array_size(count, size));
}

void *mem_alloc_aligned(size_t size, size_t alignment)
{
    void *block = check(aligned_alloc(alignment, size), size);
    return memset(block, 0, size);
}

void *mem_resize(void *block, size_t count, size_t size)
{
    return check(reallocarray(block, count ? count : 1, size), array_size(count, size));
}

void *mem_copy(const void *bytes, size_t size)
{
    void *copy = check(malloc(size ? size : 1), size);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

void *mem_scratch(size_t size)
{
    return check(malloc(size), size);
}

char *mem_strdup(const char *text)
{
    return mem_copy(text, strlen(text) + 1);
}

char *mem_printf(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    SP_ASSERT(length >= 0);
    char *text = mem_alloc((size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

struct arena *arena_new(void)
{
    return mem_alloc(sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (arena == NULL) {
        return;
    }
    for (struct chunk *chunk = arena->head, *next; chunk != NULL; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(arena);
}

static struct chunk *chunk_add(struct arena *arena, size_t need)
{
    const size_t usual = MIN(MAX(arena->total / 4, (size_t)CHUNK_SIZE_MIN), (size_t)CHUNK_SIZE_MAX);
    const size_t size = (MAX(need, usual) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    struct chunk *chunk = check(malloc(sizeof(*chunk) + size), size);
    chunk->next = arena->head;
    chunk->used = 0;
    chunk->size = size;
    arena->head = chunk;
    arena->total += sizeof(*chunk) + size;
    return chunk;
}

static struct chunk *chunk_with(struct arena *arena, size_t need)
{
    SP_ASSERT(need <= SIZE_MAX / 2); // its chunk's header is added to it
    struct chunk *chunk = arena->head;
    bool has_room = chunk != NULL && chunk->size - chunk->used >= need;
    return LIKELY(has_room) ? chunk : chunk_add(arena, need);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    SP_ASSERT(need >= size);
    struct chunk *chunk = chunk_with(arena, need);
    void *block = chunk->bytes + chunk->used;
    chunk->used += need;
    memset(block, 0, size);
    return block;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    void *copy = arena_alloc(arena, size);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

void *arena_bytes(struct arena *arena, const void *bytes, size_t size)
{
    struct chunk *chunk = chunk_with(arena, size);
    chunk->size -= size;
    void *copy = chunk->bytes + chunk->size;
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return arena_bytes(arena, text, strlen(text) + 1);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    SP_ASSERT(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

size_t arena_size(const struct arena *arena)
{
    return arena->total;
}
