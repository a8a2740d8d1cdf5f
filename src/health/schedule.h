// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct due_heap: a min-heap of due times whose entries are embedded in what is due, so that any
// entry can be taken out in O(log n). Pure; one thread at a time.
#pragma once

#include "base/base.h"

struct due {
    int64_t time_ns;
    size_t slot; // place in the heap, kept by it
};

// Zero-initialise to begin; due_heap_clear releases the array (entries are the caller's).
struct due_heap {
    struct due **items;
    size_t count, capacity;
};

void due_heap_clear(struct due_heap *heap);
// `due` is not in the heap; its time must not change until it is taken out.
void due_heap_put(struct due_heap *heap, struct due *due);
// `due` is in the heap.
void due_heap_take(struct due_heap *heap, struct due *due);

// The earliest, or NULL.
static inline struct due *due_heap_first(const struct due_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}
