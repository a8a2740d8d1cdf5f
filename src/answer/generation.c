// SPDX-License-Identifier: GPL-3.0-or-later
//
// Cold questions about a generation: sizes for status pages, a plan for explain.
#include "answer/generation_internal.h"

struct generation_summary generation_summary(const struct generation *generation)
{
    return (struct generation_summary){
        .zone_count = generation->zone_count,
        .name_count = index_count(generation->names),
        .plan_count = generation->plan_count,
        .memory_size = index_size(generation->names) + generation->node_bytes,
    };
}

const struct node *generation_apex(const struct generation *generation, const uint8_t *folded,
                                   size_t size, const struct name_labels *labels, unsigned least,
                                   unsigned below)
{
    unsigned bound = MIN(below, labels->count + 1);
    for (;;) {
        const int depth = depths_below(&generation->apex_depths, bound);
        if (depth < (int)least) {
            return NULL;
        }
        const unsigned at = labels->at[labels->count - (unsigned)depth];
        const uint64_t hash = generation_hash_padded(generation, folded + at, size - at);
        const struct node *node = index_find(generation->names, hash, folded + at, size - at, 0);
        if (node != NULL && node->flags & NODE_APEX) {
            return node;
        }
        bound = (unsigned)depth;
    }
}

const struct node *generation_apex_between(const struct generation *generation,
                                           const uint8_t *folded, size_t size, unsigned labels)
{
    struct name_labels own;
    name_labels_find(folded, &own);
    return generation_apex(generation, folded, size, &own, labels + 1, own.count);
}

const struct node *generation_node(const struct generation *generation, const uint8_t *folded,
                                   size_t size)
{
    uint8_t padded[NAME_PADDED_SIZE];
    name_fold_and_pad(folded, size, padded);
    const struct node *node =
        index_find(generation->names, generation_hash_padded(generation, padded, size), padded,
                   size, NODE_OCCLUDED);
    bool elsewhere = node != NULL && generation_apex_between(generation, padded, size,
                                                             node->apex_label_count) != NULL;
    return elsewhere ? NULL : node;
}

const struct plan *generation_plan(const struct generation *generation, const uint8_t *owner,
                                   uint16_t type)
{
    uint8_t folded[NAME_MAX_SIZE];
    size_t size = name_size(owner);
    name_fold(owner, size, folded);
    const struct node *node = generation_node(generation, folded, size);
    const struct node_rrset *rrset = node ? node_rrset(node, type) : NULL;
    return rrset && rrset->plan != 0 ? vector_get(generation->plans, rrset->plan - 1) : NULL;
}
