// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a generation, for the files of answer/.
#pragma once

#include "answer/generation.h"
#include "answer/index_probe.h"
#include "answer/vector.h"

// What a zone is beside its nodes. Immutable.
struct zone_entry {
    uint32_t slot;
    uint8_t apex_size;
    uint8_t apex[NAME_MAX_SIZE]; // folded
    struct node *apex_node;
    // The SOA as negative answers carry it: owner pointer to be patched, TTL = min(TTL, MINIMUM)
    // (RFC 2308, section 5).
    uint16_t negative_soa_size;
    uint8_t *negative_soa;
    struct zone_nodes nodes; // every node, for the next change of the zone
};

struct generation {
    uint64_t number;
    struct index_key key;
    struct index *names;
    struct vector *zones;     // struct zone_entry
    struct vector *plans;     // struct plan
    unsigned labels_max;      // no name is deeper
    unsigned apex_labels_max; // nor any zone's apex
    size_t zone_count, plan_count, node_bytes;
    struct answer_options options;
    uint16_t udp_limit;   // largest UDP answer that the options allow
    uint8_t opt_start[8]; // of OPT: root, type, our payload, no extended rcode, version 0
};

static inline uint64_t generation_hash(const struct generation *generation, const uint8_t *folded,
                                       size_t size)
{
    return index_hash(&generation->key, folded, size);
}

// The same for a padded name (dns/name.h), or its end from any label on.
static inline uint64_t generation_hash_padded(const struct generation *generation,
                                              const uint8_t *folded, size_t size)
{
    return index_hash_padded(&generation->key, folded, size);
}

static inline const struct zone_entry *generation_zone(const struct generation *generation,
                                                       const struct node *node)
{
    return vector_get(generation->zones, node->zone);
}

// The deepest apex strictly above the name that has more than `labels` labels, or NULL: a zone that
// is served here and lies between a name and a zone with an apex of so many labels. It answers for
// the name, though the other zone has records there and no delegation.
const struct node *generation_apex_between(const struct generation *generation,
                                           const uint8_t *folded, size_t size, unsigned labels);
// The node that answers for the name; NULL when there is none.
const struct node *generation_node(const struct generation *generation, const uint8_t *folded,
                                   size_t size);

// Asks the generation for each RRset of a node and checks the answers; false with an error in
// `diags` at the first wrong one (self_query.c).
bool self_query_node(const struct generation *generation, struct worker *worker,
                     const struct node *node, struct diags *diags);
