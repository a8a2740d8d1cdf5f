// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct runs: the form that every source of geo data is flattened to.

#include "geo/geo_load.h"

void runs_add(struct runs *runs, uint64_t first, uint64_t last, uint32_t value)
{
    SP_ASSERT(first <= last);
    if (runs->full || last < runs->end) {
        return;
    }
    if (first > runs->end) {
        runs_add(runs, runs->end, first - 1, 0);
    }
    if (runs->count == 0 || runs->items[runs->count - 1].value != value) {
        MEM_GROW(runs->items, runs->count, runs->capacity);
        runs->items[runs->count++] = (struct lpm_segment){runs->end, value};
    }
    runs->full = last == UINT64_MAX;
    runs->end = last + 1;
}

void runs_finish(struct runs *runs)
{
    if (!runs->full) {
        runs_add(runs, runs->end, UINT64_MAX, 0);
    }
}

void runs_fill(struct runs *top, const struct runs *below)
{
    SP_ASSERT(top->full && below->full);
    if (below->count == 1 && below->items[0].value == 0) {
        return;
    }
    struct runs merged = {0};
    for (size_t i = 0, k = 0; i < top->count && k < below->count;) {
        uint64_t top_last = i + 1 < top->count ? top->items[i + 1].first - 1 : UINT64_MAX;
        uint64_t below_last = k + 1 < below->count ? below->items[k + 1].first - 1 : UINT64_MAX;
        uint64_t last = MIN(top_last, below_last);
        uint32_t value = top->items[i].value ? top->items[i].value : below->items[k].value;
        runs_add(&merged, merged.end, last, value);
        i += top_last == last;
        k += below_last == last;
    }
    free(top->items);
    *top = merged;
}

void runs_free(struct runs *runs)
{
    free(runs->items);
    *runs = (struct runs){0};
}

void prefix_keys(const struct prefix *prefix, uint64_t *first, uint64_t *last)
{
    // An IPv4 address is the top half of its key.
    *first = address_key(&prefix->address);
    *last = *first | (prefix->length < 64 ? UINT64_MAX >> prefix->length : 0);
}
