// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a territory, shared by territory.c (interning) and territory_build.c (the sweep).
#pragma once

#include "steer/territory.h"

struct class_range {
    uint32_t offset, count; // into rules
    uint32_t order;         // into orders, + 1; 0: none
};

struct territory {
    struct lpm *ipv4, *ipv6;
    struct class_range *classes;
    size_t class_count;
    uint16_t *rules;
    uint16_t **orders; // each of site_count indexes
    size_t order_count, site_count;
    size_t run_count; // of both maps: what it costs to go through them
    // Interning.
    uint64_t number; // no other territory of the set ever had it
    struct territory *next;
    uint64_t hash;
    uint8_t *key;
    size_t key_size;
    unsigned user_count;
};

// Whether the policy's method wants the order of its sites.
bool territory_is_ordered(const struct policy *policy);
// A new territory without users and key. `rtt`: round trips for method `fastest`, or NULL.
struct rtt;
struct territory *territory_build(const struct policy *policy, const struct lines *lines,
                                  const struct geo *geo, const struct rtt *rtt);

// territory_fastest.c: runs of order numbers (which the caller frees) with the measured networks
// laid over those by distance.
struct overlay_source {
    size_t site_count;
    const uint16_t *(*order_of)(void *context, uint32_t number);
    uint32_t (*intern)(void *context, const uint16_t *order);
    void *context;
};
struct lpm_segment *territory_overlay(const struct overlay_source *source, const struct site *sites,
                                      const struct rtt *rtt, enum family family,
                                      const struct lpm_segment *runs, size_t *count);

static inline const struct lpm *territory_map(const struct territory *territory, enum family family)
{
    return family == FAMILY_IPV4 ? territory->ipv4 : territory->ipv6;
}

// What the map says of a client.
static inline struct territory_match territory_match_of(uint32_t leaf)
{
    const struct lpm_match match = lpm_match(leaf);
    return (struct territory_match){.class_index = match.value, .scope = match.length};
}

// territory_lookup, inline for the query path.
static inline struct territory_match territory_find(const struct territory *territory,
                                                    const struct address *client)
{
    const struct lpm *map = territory_map(territory, client->family);
    return territory_match_of(lpm_leaf(map, address_key(client)));
}
