// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/schedule.h"

#include "base/memory.h"

static void place(struct due_heap *heap, size_t slot, struct due *due)
{
    heap->items[slot] = due;
    due->slot = slot;
}

// Both move `due` from the hole at `slot` to where it belongs.
static void sift_up(struct due_heap *heap, size_t slot, struct due *due)
{
    while (slot > 0) {
        struct due *parent = heap->items[(slot - 1) / 2];
        if (parent->time_ns <= due->time_ns) {
            break;
        }
        place(heap, slot, parent);
        slot = (slot - 1) / 2;
    }
    place(heap, slot, due);
}

static void sift_down(struct due_heap *heap, size_t slot, struct due *due)
{
    for (;;) {
        size_t child = 2 * slot + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count &&
            heap->items[child + 1]->time_ns < heap->items[child]->time_ns) {
            child++;
        }
        if (due->time_ns <= heap->items[child]->time_ns) {
            break;
        }
        place(heap, slot, heap->items[child]);
        slot = child;
    }
    place(heap, slot, due);
}

void due_heap_clear(struct due_heap *heap)
{
    free(heap->items);
    *heap = (struct due_heap){0};
}

void due_heap_put(struct due_heap *heap, struct due *due)
{
    MEM_GROW(heap->items, heap->count, heap->capacity);
    heap->count++;
    sift_up(heap, heap->count - 1, due);
}

void due_heap_take(struct due_heap *heap, struct due *due)
{
    size_t slot = due->slot;
    SP_ASSERT(slot < heap->count && heap->items[slot] == due);
    heap->count--;
    struct due *last = heap->items[heap->count];
    if (last == due) {
        return;
    }
    if (slot > 0 && last->time_ns < heap->items[(slot - 1) / 2]->time_ns) {
        sift_up(heap, slot, last);
    } else {
        sift_down(heap, slot, last);
    }
}
