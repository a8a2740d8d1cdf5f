// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct zone_table: zone states in the order they were added, found by apex. Internal to engine/;
// one thread at a time.
#pragma once

#include "base/base.h"

struct zone_state; // engine/engine_internal.h

struct zone_table {
    struct zone_state **items;
    size_t count, capacity;
    uint32_t *slots; // open addressing: item + 1
    size_t slot_count;
};

// The apex must not be in the table yet. The table borrows the state.
void zone_table_add(struct zone_table *table, struct zone_state *state);
// Index of the zone with this apex (any case), or -1.
long zone_table_find(const struct zone_table *table, const uint8_t *apex);
// Frees the table, not the states.
void zone_table_clear(struct zone_table *table);
