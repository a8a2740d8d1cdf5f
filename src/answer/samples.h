// SPDX-License-Identifier: GPL-3.0-or-later
//
// Samples of who asks: now and then a data worker notes the network of a client that got a steered
// answer, and the control thread collects the notes. They are what simulate weighs clients by.
//
// One in SAMPLE_EVERY is noted, as a number: the key of the network (base/address.h) with the
// family in its low bits. The worker writes a ring and never waits; what was not collected in time
// is overwritten. Names under wildcards and at the end of an alias are not sampled.
#pragma once

#include "base/address.h"
#include "base/hash.h"

#include <stdatomic.h>

enum { SAMPLE_EVERY = 64, SAMPLE_RING = 1024 };
enum { SAMPLE_IPV4_LENGTH = 24, SAMPLE_IPV6_LENGTH = 48, SAMPLE_FAMILY = 15 };

// A worker's own, in its scratch.
struct sampler {
    uint32_t left; // steered answers up to the next sample
    _Atomic uint32_t head;
    _Atomic uint64_t ring[SAMPLE_RING];
};

static inline uint64_t sample_make(const struct address *client)
{
    bool ipv4 = client->family == FAMILY_IPV4;
    unsigned length = ipv4 ? (unsigned)SAMPLE_IPV4_LENGTH : (unsigned)SAMPLE_IPV6_LENGTH;
    return (address_key(client) & ~(UINT64_MAX >> length)) | client->family;
}

static inline enum family sample_family(uint64_t sample)
{
    return (enum family)(sample & SAMPLE_FAMILY);
}

// Notes a client; the distance to the next one is drawn, so that no rhythm of queries hides.
static inline void sampler_note(struct sampler *sampler, const struct address *client)
{
    uint32_t head = atomic_load_explicit(&sampler->head, memory_order_relaxed);
    atomic_store_explicit(&sampler->ring[head % SAMPLE_RING], sample_make(client),
                          memory_order_relaxed);
    atomic_store_explicit(&sampler->head, head + 1, memory_order_release);
    sampler->left = 1 + (uint32_t)(hash_u64(SAMPLE_EVERY, head) % (2 * SAMPLE_EVERY - 1));
}

// Takes what was noted since `*seen` (0 at first), at most SAMPLE_RING: into `samples`, how many is
// returned. Any one thread beside the worker's.
static inline size_t sampler_collect(struct sampler *sampler, uint32_t *seen,
                                     uint64_t samples[SAMPLE_RING])
{
    uint32_t head = atomic_load_explicit(&sampler->head, memory_order_acquire);
    uint32_t count = MIN(head - *seen, (uint32_t)SAMPLE_RING);
    for (uint32_t i = 0; i < count; i++) {
        samples[i] = atomic_load_explicit(&sampler->ring[(head - count + i) % SAMPLE_RING],
                                          memory_order_relaxed);
    }
    *seen = head;
    return count;
}
