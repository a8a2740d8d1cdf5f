// SPDX-License-Identifier: GPL-3.0-or-later
//
// Weights in a tree of pools, flattened: each leaf's part of the whole as an exact integer.
//
// A pool that stands in another with weight w gives its leaves w in all, in the proportion that
// they have among themselves. So a leaf's part is a product of fractions; a common denominator
// makes integers of them. Called by the policy compiler; pure.
#include "steer/compiler.h"

#include "base/memory.h"

#include <string.h>

#define DENOMINATOR_MAX ((uint64_t)1 << 32)

typedef unsigned __int128 wide;

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t scaled(uint64_t value, wide factor, uint64_t divisor)
{
    if (value == 0) {
        return 0;
    }
    uint64_t result = (uint64_t)((value * factor + divisor / 2) / divisor);
    return MAX(result, (uint64_t)1);
}

// Takes the set from one denominator to another.
static void rebase(struct weights *weights, uint64_t denominator)
{
    for (size_t i = weights->begin; denominator != weights->denominator && i < weights->end; i++) {
        weights->leaves[i].weight =
            scaled(weights->leaves[i].weight, denominator, weights->denominator);
    }
    weights->denominator = denominator;
}

static uint64_t sum_of(const struct weights *weights, size_t end)
{
    uint64_t sum = 0;
    for (size_t i = weights->end; i < end; i++) {
        sum += weights->leaves[i].weight;
    }
    return sum;
}

void weights_join(struct weights *weights, size_t end, uint64_t numerator, uint64_t denominator)
{
    uint64_t sum = sum_of(weights, end); // below 2^52 x 2^12
    SP_ASSERT(numerator > 0 && denominator > 0 && denominator <= DENOMINATOR_MAX && sum > 0);
    if (sum > DENOMINATOR_MAX) {
        for (size_t i = weights->end; i < end; i++) {
            weights->leaves[i].weight = scaled(weights->leaves[i].weight, DENOMINATOR_MAX / 2, sum);
        }
        sum = sum_of(weights, end);
    }
    // numerator/denominator/sum in lowest terms
    uint64_t common = gcd(numerator, denominator);
    numerator /= common;
    denominator /= common;
    common = gcd(numerator, sum);
    numerator /= common;
    wide all = (wide)denominator * (sum / common);
    uint64_t shared = gcd(weights->denominator, (uint64_t)(all % weights->denominator));
    bool exact = all / shared <= DENOMINATOR_MAX / weights->denominator;
    rebase(weights, exact ? (uint64_t)(all / shared) * weights->denominator : DENOMINATOR_MAX);
    for (size_t i = weights->end; i < end; i++) {
        wide part = (wide)weights->leaves[i].weight * numerator * weights->denominator;
        uint64_t weight = (uint64_t)((part + all / 2) / all);
        weights->leaves[i].weight = MAX(weight, (uint64_t)(weights->leaves[i].weight > 0));
    }
    weights->end = end;
}

// --- no value twice

static bool same_value(const struct member *a, const struct member *b)
{
    return a->rdata_size == b->rdata_size && memcmp(a->rdata, b->rdata, a->rdata_size) == 0;
}

// The first leaf with the value, by an open table of indexes + 1.
static size_t slot_find(const struct leaves *leaves, const uint16_t *slots, size_t mask,
                        const struct member *member)
{
    size_t slot = (size_t)hash_bytes(0, member->rdata, member->rdata_size) & mask;
    while (slots[slot] != 0 && !same_value(leaves->items[slots[slot] - 1].member, member)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static void merge_equal(struct leaves *leaves, bool all)
{
    enum { SMALL = 64 };
    uint16_t small[SMALL] = {0};
    size_t size = SMALL;
    while (size < leaves->count * 2) {
        size *= 2;
    }
    uint16_t *slots = size == SMALL ? small : mem_alloc_array(size, sizeof(*slots));
    size_t kept = 0;
    for (size_t i = 0; i < leaves->count; i++) {
        struct leaf leaf = leaves->items[i];
        if (leaf.group != NULL || (leaf.is_pool && !all)) {
            leaves->items[kept++] = leaf;
            continue;
        }
        size_t slot = slot_find(leaves, slots, size - 1, leaf.member);
        if (slots[slot] != 0) {
            leaves->items[slots[slot] - 1].weight += leaf.weight;
            continue;
        }
        leaves->items[kept++] = leaf;
        slots[slot] = (uint16_t)kept;
    }
    leaves->count = kept;
    if (slots != small) {
        free(slots);
    }
}

void leaves_settle(struct leaves *leaves, bool all)
{
    if (leaves->count > 1) {
        merge_equal(leaves, all);
    }
    uint64_t most = 0;
    for (size_t i = 0; i < leaves->count; i++) {
        most = MAX(most, leaves->items[i].weight);
    }
    for (size_t i = 0; most > UINT32_MAX && i < leaves->count; i++) {
        leaves->items[i].weight = scaled(leaves->items[i].weight, UINT32_MAX, most);
    }
}
