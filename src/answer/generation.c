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

const struct node *generation_apex_between(const struct generation *generation,
                                           const uint8_t *folded, size_t size, unsigned labels)
{
    unsigned depth = name_label_count(folded);
    while (depth > labels + 1) {
        size -= folded[0] + 1U;
        folded = name_parent(folded);
        if (--depth > generation->apex_labels_max) {
            continue;
        }
        uint64_t hash = generation_hash(generation, folded, size);
        const struct node *node = index_find(generation->names, hash, folded, size, 0);
        if (node != NULL && node->flags & NODE_APEX) {
            return node;
        }
    }
    return NULL;
}

const struct node *generation_node(const struct generation *generation, const uint8_t *folded,
                                   size_t size)
{
    const struct node *node = index_find(
        generation->names, generation_hash(generation, folded, size), folded, size, NODE_OCCLUDED);
    bool elsewhere = node != NULL && generation_apex_between(generation, folded, size,
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
