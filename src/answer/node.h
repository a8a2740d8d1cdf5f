// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct node: one owner name of one zone, with its RRsets as finished wire records.
//
// One block, immutable once published: header, table of RRsets, folded name, records. A record
// stands as it goes out when its owner is the question's name: pointer 0xC00C, type, class, TTL,
// RDLENGTH, rdata. Internal to answer/.
#pragma once

#include "zone/zone.h"

enum node_flag {
    NODE_APEX = 1,         // the zone's own name
    NODE_CUT = 2,          // has NS and is not the apex: a delegation (RFC 1034, 4.2.1)
    NODE_OCCLUDED = 4,     // below a cut or a DNAME: glue only, never found by a question
    NODE_HAS_WILDCARD = 8, // "*" exists one label below
    NODE_HAS_CNAME = 16,
    NODE_HAS_DNAME = 32,
    NODE_HAS_ALIAS = 64, // stands for the addresses of another name
};

struct node_rrset {
    uint16_t type;
    uint16_t count;      // records
    uint16_t turn;       // first turn counter (steer/plan.h) of a rotated or steered RRset
    uint8_t record_size; // when all are of one size (and it is below 256), else 0
    bool is_ready;       // the records answer as they stand: no names to compress or to look up
    uint32_t size;       // of all records together; they follow those of the RRset before
    uint32_t plan;       // slot + 1 of its plan; 0: static
};

struct node {
    uint32_t zone; // slot in the generation's zones
    uint8_t name_size, label_count, apex_label_count;
    uint8_t flags;
    uint16_t rrset_count;
    struct node_rrset rrsets[];
};

static inline const uint8_t *node_name(const struct node *node)
{
    return (const uint8_t *)&node->rrsets[node->rrset_count];
}

static inline const struct node_rrset *node_rrset(const struct node *node, uint16_t type)
{
    const struct node_rrset *const end = node->rrsets + node->rrset_count;
    for (const struct node_rrset *rrset = node->rrsets; rrset < end; rrset++) {
        if (rrset->type == type) {
            return rrset;
        }
    }
    return NULL;
}

// The records of an RRset, given those of the first.
static inline const uint8_t *node_records_from(const struct node *node,
                                               const struct node_rrset *rrset, const uint8_t *first)
{
    for (const struct node_rrset *before = node->rrsets; before < rrset; before++) {
        first += before->size;
    }
    return first;
}

static inline const uint8_t *node_records(const struct node *node, const struct node_rrset *rrset)
{
    return node_records_from(node, rrset, node_name(node) + node->name_size);
}

// Bytes of the whole block: its records end it.
static inline size_t node_size(const struct node *node)
{
    const uint8_t *end = node_records(node, node->rrsets + node->rrset_count);
    return (size_t)(end - (const uint8_t *)node);
}

// What the builder asks about each RRset: its plan slot (+1, 0: static) and its turn counter.
struct node_slots {
    uint32_t plan;
    uint16_t turn;
};
typedef struct node_slots node_slots_of(void *context, const uint8_t *folded_name, size_t name_size,
                                        const struct owner *owner, const struct rrset *rrset);

// Every node of a zone: owners and empty non-terminals. The array and the nodes belong to the
// caller; labels_max is the deepest name.
struct zone_nodes {
    struct node **nodes;
    size_t count;
    unsigned labels_max;
};

// What they are made with.
struct node_maker {
    uint32_t zone_slot;
    node_slots_of *slots_of;
    void *context;
};

// Makes them: owners in the order of the zone, which is still as its reader left it, then the empty
// non-terminals.
struct zone_nodes zone_nodes_build(const struct zone *zone, const struct node_maker *maker);

// Takes back a node that was never published, or whose grace period has passed. Control thread.
void node_free(struct node *node);
