// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the index lies in memory, and the look-up of the query path in steps, so that a batch can
// wait for each step's memory together. See index.h for the picture.
//
//   directory (2^bits pointers)      pages (512)
//   hash 000... ──────────────────►  [ tag|node  tag|node  ...  0  ... ]
//   hash 001... ──────┐
//   hash 010... ──┐   └──────────►   [ ... ]
//   hash 011... ──┴──────────────►   [ ... ]   depth 2: shared by two directory entries
//
// A slot is a node's address with the top 16 bits of its hash, the tag, in the unused top bits, so
// that probing touches a node only when it is (65,535 times in 65,536) the right one. The bits
// below the tag choose the page, the lowest ones the slot. Internal to answer/.
#pragma once

#include "answer/index.h"

enum { PAGE_SLOTS = 512, TAG_BITS = 16 };

struct page {
    uint64_t edit; // number of the edit that made it
    uint16_t used;
    uint8_t depth; // bits of the hash that all its names share
    uint64_t slots[PAGE_SLOTS];
};

struct index {
    unsigned shift; // 64 - log2 of the directory's size, which is at least 2
    size_t count, page_count;
    struct page *pages[];
};

// Marks of a slot. Addresses of nodes leave the lowest bits free.
#define SLOT_SHARED   UINT64_C(1) // other nodes of this name may follow
#define SLOT_OCCLUDED UINT64_C(2) // the node is NODE_OCCLUDED
#define SLOT_SPECIAL  (SLOT_SHARED | SLOT_OCCLUDED)
#define SLOT_ADDRESS  ((UINT64_C(1) << 48) - 1 - SLOT_SPECIAL)

static inline size_t directory_at(const struct index *index, uint64_t hash)
{
    return hash << TAG_BITS >> index->shift;
}

static inline unsigned slot_start(uint64_t hash)
{
    return (unsigned)hash & (PAGE_SLOTS - 1);
}

static inline unsigned next_slot(unsigned at)
{
    return (at + 1) & (PAGE_SLOTS - 1);
}

static inline uint64_t slot_make(uint64_t hash, const struct node *node)
{
    uint64_t address = (uint64_t)(uintptr_t)node;
    SP_ASSERT((address & ~SLOT_ADDRESS) == 0);
    address |= node->flags & NODE_OCCLUDED ? SLOT_OCCLUDED : 0;
    return address | hash >> (64 - TAG_BITS) << (64 - TAG_BITS);
}

static inline bool slot_has_tag(uint64_t slot, uint64_t hash)
{
    return (slot ^ hash) >> (64 - TAG_BITS) == 0;
}

static inline const struct node *slot_node(uint64_t slot)
{
    return (const struct node *)(uintptr_t)(slot & SLOT_ADDRESS);
}

static inline bool is_named(const struct node *node, const uint8_t *name, size_t size)
{
    return node->name_size == size && bytes_equal(node_name(node), name, size);
}

// Where the run of a hash begins.
static inline const uint64_t *index_run(const struct index *index, uint64_t hash)
{
    return &index->pages[directory_at(index, hash)]->slots[slot_start(hash)];
}

// The first slot of a run with the tag of the hash; 0: no node has the name.
static inline uint64_t index_probe(const struct index *index, uint64_t hash, const uint64_t *run)
{
    if (LIKELY(slot_has_tag(*run, hash))) { // or nothing under a tag of zeros: as good
        return *run;
    }
    const uint64_t *end = index->pages[directory_at(index, hash)]->slots + PAGE_SLOTS;
    while (*run != 0 && !slot_has_tag(*run, hash)) {
        run = run + 1 == end ? end - PAGE_SLOTS : run + 1;
    }
    return *run;
}
