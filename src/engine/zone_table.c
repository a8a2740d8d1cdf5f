// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/zone_table.h"

#include "base/hash.h"
#include "base/memory.h"
#include "engine/engine_internal.h"

static uint64_t hash_apex(const uint8_t *apex)
{
    uint8_t folded[NAME_MAX_SIZE];
    size_t size = name_size(apex);
    name_fold(apex, size, folded);
    return hash_bytes(0, folded, size);
}

// The slot that holds the apex, or the empty one where it would go.
static size_t slot_of(const struct zone_table *table, const uint8_t *apex)
{
    size_t at = hash_apex(apex) & (table->slot_count - 1);
    while (table->slots[at] != 0 && !name_equal(table->items[table->slots[at] - 1]->apex, apex)) {
        at = (at + 1) & (table->slot_count - 1);
    }
    return at;
}

static void slots_grow(struct zone_table *table)
{
    free(table->slots);
    table->slot_count = table->slot_count ? table->slot_count * 2 : 64;
    table->slots = mem_alloc_array(table->slot_count, sizeof(*table->slots));
    for (size_t i = 0; i < table->count; i++) {
        table->slots[slot_of(table, table->items[i]->apex)] = (uint32_t)i + 1;
    }
}

void zone_table_add(struct zone_table *table, struct zone_state *state)
{
    if ((table->count + 1) * 2 > table->slot_count) {
        slots_grow(table);
    }
    size_t slot = slot_of(table, state->apex);
    SP_ASSERT(table->slots[slot] == 0);
    MEM_GROW(table->items, table->count, table->capacity);
    table->items[table->count++] = state;
    table->slots[slot] = (uint32_t)table->count;
}

long zone_table_find(const struct zone_table *table, const uint8_t *apex)
{
    if (table->slot_count == 0) {
        return -1;
    }
    return (long)table->slots[slot_of(table, apex)] - 1;
}

void zone_table_clear(struct zone_table *table)
{
    free(table->items);
    free(table->slots);
    *table = (struct zone_table){0};
}
