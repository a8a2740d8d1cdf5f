// SPDX-License-Identifier: GPL-3.0-or-later
//
// One fast keyed hash for names and clients, and the small generator that throws the dice.
//
// hash_bytes: multiply-and-fold over 8-byte words, in the manner of wyhash: about 1 ns for a name.
// It is keyed, because owner names can be chosen by a hostile customer; it is no MAC. The same key
// gives the same value on every machine (sticky choices must agree between servers).
#pragma once

#include "base/base.h"

#include <string.h>

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// A key made ready for many values.
struct hash_key {
    uint64_t mask, factor;
};

static inline struct hash_key hash_key(uint64_t key)
{
    return (struct hash_key){key ^ 0x9e3779b97f4a7c15ULL, key ^ 0xe7037ed1a0b428dbULL};
}

static inline uint64_t hash_keyed(struct hash_key key, uint64_t value)
{
    return hash_mix(value ^ key.mask, key.factor);
}

static inline uint64_t hash_u64(uint64_t key, uint64_t value)
{
    return hash_keyed(hash_key(key), value);
}

// Eight bytes as a number, the first one lowest: the same on every machine.
static inline uint64_t hash_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t hash_bytes(uint64_t key, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    uint64_t hash = key ^ (length * 0xa0761d6478bd642fULL);
    uint64_t word;
    for (; length >= 8; at += 8, length -= 8) {
        hash = hash_mix(hash ^ hash_word(at), 0xe7037ed1a0b428dbULL);
    }
    word = 0;
    switch (length) { // the tail, without reading past the end
    case 7:
        word |= (uint64_t)at[6] << 48; // fall through
    case 6:
        word |= (uint64_t)at[5] << 40; // fall through
    case 5:
        word |= (uint64_t)at[4] << 32; // fall through
    case 4:
        word |= (uint64_t)at[3] << 24; // fall through
    case 3:
        word |= (uint64_t)at[2] << 16; // fall through
    case 2:
        word |= (uint64_t)at[1] << 8; // fall through
    case 1:
        word |= at[0];
    }
    return hash_mix(hash ^ word, 0x8ebc6af09c88c6e3ULL);
}

// splitmix64: passes BigCrush, one multiply chain, 8 bytes of state. One state a thread.
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

// wyrand: as good for half the instructions, but not every number comes up. For the query path.
static inline uint64_t random_next_quick(uint64_t *state)
{
    *state += 0xa0761d6478bd642fULL;
    return hash_mix(*state, *state ^ 0xe7037ed1a0b428dbULL);
}

// Uniform in [0, bound) for bound > 0: Lemire's multiplication; the bias is below 2^-32.
static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(((random_next(state) >> 32) * bound) >> 32);
}

// 8 bytes from the kernel's generator, for keys and seeds.
uint64_t random_seed(void);
