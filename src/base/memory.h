// SPDX-License-Identifier: GPL-3.0-or-later
//
// Memory in three lifetimes: process, generation, request (docs/architecture.md).
//
// mem_*: heap blocks that never come back as NULL: an allocation that the kernel refuses ends the
// process with one clear line, because no caller has anything better to do (docs/adr/0003).
// struct arena: many small allocations that end together. Nothing here is used on the query path.
// All of it: any thread, but one arena belongs to one thread at a time.
#pragma once

#include "base/base.h"

// Says how much was refused and ends the process.
_Noreturn void mem_exhausted(size_t size);
// At the start of a server: blocks past a megabyte come from the system and go back to it at once.
// Otherwise the allocator keeps what a thread of the pool has freed, as much as the largest block
// was that it has seen.
void mem_give_back_early(void);
// Gives what was freed back to the system, as far as the allocator can.
void mem_trim(void);

// Zeroed memory. Owned by the caller; released with free().
void *mem_alloc(size_t size);
void *mem_alloc_array(size_t count, size_t size);
// `alignment` is a power of two that divides `size`; what is read together may want a line of the
// processor's caches for itself.
enum { CACHE_LINE = 64 };
void *mem_alloc_aligned(size_t size, size_t alignment);
// Like realloc for `count` elements of `size`; new bytes are not zeroed.
void *mem_resize(void *block, size_t count, size_t size);
void *mem_copy(const void *bytes, size_t size);
// Room for something large that is filled at once: not zeroed. Not a thread-local array: the C
// library writes zeros over those of every thread that starts.
void *mem_scratch(size_t size);
char *mem_strdup(const char *text);
char *mem_printf(const char *format, ...) PRINTF_LIKE(1, 2);

// Makes room for one more element in a growing array: `*items` holds `count` of `*capacity`.
// Doubles, so that n appends cost O(n).
#define MEM_GROW(items, count, capacity)                                                           \
    do {                                                                                           \
        if ((count) == (capacity)) {                                                               \
            (capacity) = (capacity) ? (capacity)*2 : 8;                                            \
            (items) = mem_resize((items), (capacity), sizeof(*(items)));                           \
        }                                                                                          \
    } while (0)

struct arena;

// An empty one, whose first allocation asks the system; the caller's. One thread at a time.
struct arena *arena_new(void);
// Ends every allocation of the arena. NULL is allowed.
void arena_free(struct arena *arena);
// Zeroed, aligned for any type, valid until arena_free.
void *arena_alloc(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *bytes, size_t size);
// The same for octets and text: not aligned, so that short ones lie side by side.
void *arena_bytes(struct arena *arena, const void *bytes, size_t size);
char *arena_strdup(struct arena *arena, const char *text);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
// Bytes asked from the system so far.
size_t arena_size(const struct arena *arena);
