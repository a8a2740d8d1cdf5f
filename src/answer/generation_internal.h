// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a generation, for the files of answer/.
#pragma once

#include "answer/generation.h"
#include "answer/index_probe.h"
#include "answer/vector.h"

struct worker; // answer/answer.h

// The authority section of a negative answer that has no other records: the SOA with its TTL
// lowered (RFC 2308, section 5), its names compressed as far as the end of the question allows.
// Behind another question only the pointers differ.
struct denial {
    uint16_t size; // 0: there is none
    struct denial_pointer {
        uint16_t at, value; // where it stands, and what it is less the end of the question
    } pointers[3];          // the owner's, MNAME's, RNAME's; spare ones stand behind the end
    uint8_t *bytes;
};

// What a zone is beside its nodes. Immutable.
struct zone_entry {
    uint32_t slot;
    uint8_t apex_size;
    struct node *apex_node;
    // The SOA as negative answers carry it: owner pointer to be patched, TTL = min(TTL, MINIMUM)
    // (RFC 2308, section 5).
    uint16_t negative_soa_size;
    uint8_t *negative_soa;
    struct denial denial;
    // Every node, for the next change of the zone. The list is NULL when the zone has most of all
    // names: then the index is the list.
    struct zone_nodes nodes;
    uint8_t apex[]; // folded
};

// The list, made when need be; the caller gives it back.
static inline struct node **zone_nodes_list(const struct zone_entry *zone,
                                            const struct index *names)
{
    return zone->nodes.nodes ? zone->nodes.nodes
                             : index_collect(names, zone->slot, zone->nodes.count);
}

static inline void zone_nodes_give_back(const struct zone_entry *zone, struct node **list)
{
    if (list != zone->nodes.nodes) {
        free(list);
    }
}

// A set of label counts, 0..127.
struct depths {
    uint64_t words[2];
};

static inline void depths_add(struct depths *depths, unsigned depth)
{
    depths->words[depth / 64] |= UINT64_C(1) << depth % 64;
}

// The largest member below `bound` (at most 128); -1: there is none.
static inline int depths_below(const struct depths *depths, unsigned bound)
{
    for (int word = 1; word >= 0; word--) {
        const unsigned first = (unsigned)word * 64;
        if (bound > first) {
            const unsigned kept = MIN(bound - first, 64U);
            const uint64_t members = depths->words[word] & UINT64_MAX >> (64 - kept);
            if (members != 0) {
                return (int)first + 63 - __builtin_clzll(members);
            }
        }
    }
    return -1;
}

// How many members there are from `least` to `most` (at most 127).
static inline unsigned depths_between(const struct depths *depths, unsigned least, unsigned most)
{
    uint64_t low = depths->words[0], high = depths->words[1];
    if (least >= 64) {
        low = 0;
        high = high >> (least - 64) << (least - 64);
    } else {
        low = low >> least << least;
    }
    if (most >= 64) {
        high &= UINT64_MAX >> (127 - most);
    } else {
        high = 0;
        low &= UINT64_MAX >> (63 - most);
    }
    return (unsigned)(__builtin_popcountll(low) + __builtin_popcountll(high));
}

struct generation {
    uint64_t number;
    struct index_key key;
    struct index *names;
    struct vector *zones;      // struct zone_entry
    struct vector *plans;      // struct plan
    unsigned apex_labels_max;  // no zone's apex is deeper
    struct depths apex_depths; // no apex stands at another depth
    size_t zone_count, plan_count, node_bytes;
    struct answer_options options;
    uint16_t udp_limit;      // largest UDP answer that the options allow
    uint8_t opt[BLOCK_SIZE]; // OPT without options: root, type, our payload, zeros
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

// The deepest apex at or above a folded and padded name that has at least `least` labels and fewer
// than `below`; NULL: none. One look-up for each depth at which there are apexes.
const struct node *generation_apex(const struct generation *generation, const uint8_t *folded,
                                   size_t size, const struct name_labels *labels, unsigned least,
                                   unsigned below);
// The deepest apex strictly above a folded and padded name that has more than `labels` labels, or
// NULL: a zone that is served here and lies between a name and a zone with an apex of so many
// labels. It answers for the name, though the other zone has records there and no delegation.
const struct node *generation_apex_between(const struct generation *generation,
                                           const uint8_t *folded, size_t size, unsigned labels);
// The node that answers for the name; NULL when there is none.
const struct node *generation_node(const struct generation *generation, const uint8_t *folded,
                                   size_t size);

// Asks the generation for each RRset of a node and checks the answers; false with an error in
// `diags` at the first wrong one (self_query.c).
bool self_query_node(const struct generation *generation, struct worker *worker,
                     const struct node *node, struct diags *diags);

// Makes the denial of a zone whose negative SOA stands (denial.c); its bytes are the zone's.
void denial_make(struct zone_entry *zone);
