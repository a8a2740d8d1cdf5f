// SPDX-License-Identifier: GPL-3.0-or-later
//
// Small integers for places and ASNs while geo data is loaded: what the values of struct runs stand
// for. The tables only grow; ids are indexes and stay. The thread that loads owns them; the ASN
// entries and their organisations (in the geo's arena) outlive the load.

#include "geo/geo_load.h"

#include "base/hash.h"

#include <math.h>
#include <string.h>

// --- key maps

static size_t key_map_slot(const struct key_map *map, uint64_t key)
{
    size_t i = hash_u64(0, key) & map->mask;
    while (map->values[i] && map->keys[i] != key) {
        i = (i + 1) & map->mask;
    }
    return i;
}

uint32_t key_map_find(const struct key_map *map, uint64_t key)
{
    return map->values ? map->values[key_map_slot(map, key)] : 0;
}

static void key_map_grow(struct key_map *map)
{
    struct key_map old = *map;
    size_t size = old.values ? (old.mask + 1) * 2 : 256;
    map->keys = mem_alloc_array(size, sizeof(*map->keys));
    map->values = mem_alloc_array(size, sizeof(*map->values));
    map->mask = size - 1;
    for (size_t i = 0; old.values && i <= old.mask; i++) {
        if (old.values[i]) {
            size_t slot = key_map_slot(map, old.keys[i]);
            map->keys[slot] = old.keys[i];
            map->values[slot] = old.values[i];
        }
    }
    key_map_free(&old);
}

void key_map_set(struct key_map *map, uint64_t key, uint32_t value)
{
    SP_ASSERT(value != 0);
    if (!map->values || map->count * 4 > map->mask * 3) {
        key_map_grow(map);
    }
    size_t slot = key_map_slot(map, key);
    map->count += map->values[slot] == 0;
    map->keys[slot] = key;
    map->values[slot] = value;
}

void key_map_free(struct key_map *map)
{
    free(map->keys);
    free(map->values);
    *map = (struct key_map){0};
}

// --- places and ASNs

void interner_init(struct interner *interner, struct arena *arena)
{
    *interner = (struct interner){.arena = arena};
    MEM_GROW(interner->places, interner->place_count, interner->place_capacity);
    interner->places[interner->place_count++] = (struct place_entry){0};
    MEM_GROW(interner->asns, interner->asn_count, interner->asn_capacity);
    interner->asns[interner->asn_count++] = (struct asn_entry){0, ""};
}

void interner_free(struct interner *interner)
{
    free(interner->places);
    key_map_free(&interner->place_ids);
    key_map_free(&interner->asn_ids);
}

uint32_t intern_place(struct interner *interner, const char *country, const char *region)
{
    if (!*country) {
        return 0;
    }
    uint64_t key = (uint64_t)(uint8_t)country[0] << 56 | (uint64_t)(uint8_t)country[1] << 48;
    size_t size = strlen(region);
    SP_ASSERT(size <= 6);
    for (size_t i = 0; i < size; i++) {
        key |= (uint64_t)(uint8_t)region[i] << (40 - 8 * i);
    }
    uint32_t id = key_map_find(&interner->place_ids, key);
    if (id) {
        return id;
    }
    // Made before the array moves: the texts may be those of another place.
    struct place_entry place = {0};
    memcpy(place.country, country, 2);
    memcpy(place.region, region, size);
    MEM_GROW(interner->places, interner->place_count, interner->place_capacity);
    interner->places[interner->place_count] = place;
    id = (uint32_t)interner->place_count++;
    key_map_set(&interner->place_ids, key, id);
    return id;
}

void intern_coordinates(struct interner *interner, uint32_t place, float latitude, float longitude,
                        double networks)
{
    if (place == 0 || isnan(latitude) || isnan(longitude)) {
        return;
    }
    double phi = latitude * (M_PI / 180), lambda = longitude * (M_PI / 180);
    struct place_entry *entry = &interner->places[place];
    entry->x += networks * cos(phi) * cos(lambda);
    entry->y += networks * cos(phi) * sin(lambda);
    entry->z += networks * sin(phi);
}

uint32_t intern_asn(struct interner *interner, uint32_t asn, const char *organisation)
{
    if (asn == 0) {
        return 0;
    }
    uint32_t id = key_map_find(&interner->asn_ids, asn);
    if (id) {
        if (!*interner->asns[id].organisation && *organisation) {
            interner->asns[id].organisation = arena_strdup(interner->arena, organisation);
        }
        return id;
    }
    if (interner->asn_count > LPM_VALUE_MAX) {
        return 0; // 16 million: more than any routing table; the rest stays unknown
    }
    MEM_GROW(interner->asns, interner->asn_count, interner->asn_capacity);
    const char *copy = *organisation ? arena_strdup(interner->arena, organisation) : "";
    interner->asns[interner->asn_count] = (struct asn_entry){asn, copy};
    id = (uint32_t)interner->asn_count++;
    key_map_set(&interner->asn_ids, asn, id);
    return id;
}

uint32_t asn_parse(const char *text)
{
    if ((text[0] == 'A' || text[0] == 'a') && (text[1] == 'S' || text[1] == 's')) {
        text += 2;
    }
    uint64_t number = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 11; digits++) {
        number = number * 10 + (uint64_t)(text[digits] - '0');
    }
    return text[digits] || number > UINT32_MAX ? 0 : (uint32_t)number;
}
