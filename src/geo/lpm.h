// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct lpm: longest-prefix match over 64-bit keys, compressed (a poptrie).
//
// One map serves one address family (base/address.h makes the keys). It is built once from merged
// segments and never changes; a look-up costs a few dependent loads and takes no lock. Each leaf
// also knows the length of the widest prefix around it over which the value is constant: that is
// the ECS scope (RFC 7871, section 7.2.1), for nothing.
#pragma once

#include "base/base.h"

enum { LPM_VALUE_MAX = (1 << 24) - 1 };

// A run of keys with one value; it ends where the next segment begins, the last at the last key.
struct lpm_segment {
    uint64_t first;
    uint32_t value; // 0..LPM_VALUE_MAX
};

struct lpm_match {
    uint32_t value;
    uint8_t length; // the widest prefix around the key with this value everywhere; 0..64
};

struct lpm;

// What the first step needs, for lpm_leaf alone: the top bits of the key give a leaf, or the number
// of the node to go on from.
struct lpm_top {
    uint32_t *direct;
    unsigned direct_bits;
};
#define LPM_LEAF_FLAG (UINT32_C(1) << 31) // in direct[]
static inline const struct lpm_top *lpm_top(const struct lpm *map)
{
    return (const struct lpm_top *)map;
}

// Builds a map. `segments` is strictly ascending by `first` and begins at key 0; neighbours with
// equal values are merged. count >= 1. Owned by the caller; released with lpm_free (NULL allowed).
struct lpm *lpm_build(const struct lpm_segment *segments, size_t count);
void lpm_free(struct lpm *map);

// A match as the map holds it: value and length in one word.
enum { LPM_LENGTH_BITS = 7 };

static inline struct lpm_match lpm_match(uint32_t leaf)
{
    return (struct lpm_match){leaf >> LPM_LENGTH_BITS & LPM_VALUE_MAX,
                              leaf & ((1U << LPM_LENGTH_BITS) - 1)};
}

// The steps after the first, from node `number`.
uint32_t lpm_leaf_below(const struct lpm *map, uint64_t key, uint32_t number);

// The leaf that holds the key. Any thread, no lock, no allocation. Inline as far as most keys of
// most maps go.
static inline uint32_t lpm_leaf(const struct lpm *map, uint64_t key)
{
    const struct lpm_top *top = lpm_top(map);
    // In two steps: direct_bits may be 0.
    const uint32_t word = top->direct[(key >> 1) >> (63 - top->direct_bits)];
    return LIKELY(word & LPM_LEAF_FLAG) ? word : lpm_leaf_below(map, key, word);
}

static inline struct lpm_match lpm_lookup(const struct lpm *map, uint64_t key)
{
    return lpm_match(lpm_leaf(map, key));
}

// A look-up in steps, for when many clients are to be found at once: each step waits for memory,
// and so those of all clients wait together. Begin all, then lpm_seek_end for all of them; `leaf`
// is then the answer of lpm_leaf. The maps may be different ones. Any thread, no lock, no
// allocation.
struct lpm_seek {
    const struct lpm *map;
    uint64_t key;
    const uint32_t *leaf; // after lpm_seek_end
};
enum { LPM_SEEK_MAX = 64 }; // how many at once

static inline void lpm_seek_begin(struct lpm_seek *seek, const struct lpm *map, uint64_t key)
{
    const struct lpm_top *top = lpm_top(map);
    const uint32_t *word = &top->direct[(key >> 1) >> (63 - top->direct_bits)];
    __builtin_prefetch(word);
    *seek = (struct lpm_seek){map, key, word};
}

// At most LPM_SEEK_MAX. One whose `leaf` is a leaf already, of whatever map, stays as it is.
void lpm_seek_end(struct lpm_seek *seeks, size_t count);

// Calls `visit` for each maximal run of keys with one value, ascending, first and last inclusive.
typedef void lpm_visit(void *context, uint64_t first, uint64_t last, uint32_t value);
void lpm_walk(const struct lpm *map, lpm_visit *visit, void *context);

size_t lpm_size(const struct lpm *map); // bytes held
