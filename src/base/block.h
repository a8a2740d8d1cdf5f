// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sixteen bytes at a time: what the query path copies and compares is short and of any size, and a
// call of memcpy or memcmp costs more than the bytes.
//
// No function touches a byte outside of what it was given: where the size is no multiple of the
// block the last one overlaps the one before, and up to two blocks need no loop. The vector is
// GCC's portable kind: one register on every x86-64 and ARMv8, scalar code elsewhere.
#pragma once

#include "base/base.h"

#include <string.h>

enum { BLOCK_SIZE = 16 };

typedef uint8_t block16 __attribute__((vector_size(BLOCK_SIZE)));

static inline block16 block_load(const uint8_t *at)
{
    block16 value;
    memcpy(&value, at, BLOCK_SIZE);
    return value;
}

static inline void block_store(uint8_t *at, block16 value)
{
    memcpy(at, &value, BLOCK_SIZE);
}

// A copy of at least one block; the two must not overlap.
static inline void block_copy(uint8_t *to, const uint8_t *from, size_t size)
{
    SP_DEBUG_ASSERT(size >= BLOCK_SIZE);
    const size_t last = size - BLOCK_SIZE;
    block_store(to, block_load(from));
    for (size_t at = BLOCK_SIZE; at < last; at += BLOCK_SIZE) {
        block_store(to + at, block_load(from + at));
    }
    block_store(to + last, block_load(from + last));
}

// The same for any size.
static inline void bytes_copy(uint8_t *to, const uint8_t *from, size_t size)
{
    if (LIKELY(size >= BLOCK_SIZE)) {
        block_copy(to, from, size);
    } else {
        memcpy(to, from, size);
    }
}

static inline uint64_t word_load(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

static inline bool block_is_zero(block16 value)
{
    uint64_t halves[2];
    memcpy(halves, &value, BLOCK_SIZE);
    return (halves[0] | halves[1]) == 0;
}

// Whether two strings of bytes of one size are equal.
static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    if (size < BLOCK_SIZE) {
        if (size < sizeof(uint64_t)) {
            return memcmp(a, b, size) == 0;
        }
        const size_t tail = size - sizeof(uint64_t);
        return ((word_load(a) ^ word_load(b)) | (word_load(a + tail) ^ word_load(b + tail))) == 0;
    }
    const size_t last = size - BLOCK_SIZE;
    block16 different =
        (block_load(a) ^ block_load(b)) | (block_load(a + last) ^ block_load(b + last));
    for (size_t at = BLOCK_SIZE; at < last; at += BLOCK_SIZE) {
        different |= block_load(a + at) ^ block_load(b + at);
    }
    return block_is_zero(different);
}
