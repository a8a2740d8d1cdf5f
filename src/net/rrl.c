// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of loads and the verdict.
//
// Called by responder.c on a data thread, once a batch and then once a message; each thread has a
// table of its own. A bucket is one cache line of four loads, so an address costs one line for
// itself and one for each network around it. A load is kept as it was when it was last changed;
// what it has decayed to follows from the time since.
#include "net/rrl.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

#include <math.h>

enum { SLOTS_PER_BUCKET = 4, PREFIXES_MAX = 5 };

// How much a network may have, as a multiple of one address.
static const struct rrl_prefix {
    uint8_t length;
    uint16_t multiplier;
} prefix_table[2][PREFIXES_MAX] = {
    {{32, 1}, {24, 32}, {20, 256}, {18, 768}},
    {{128, 1}, {64, 2}, {56, 3}, {48, 4}, {32, 64}},
};
static const unsigned prefix_counts[2] = {4, 5};

struct slot {
    uint32_t tag; // of the network; 0: free
    float load;   // at `at_ns`
    int64_t at_ns;
};

struct bucket {
    _Alignas(64) struct slot slots[SLOTS_PER_BUCKET];
};

struct rrl {
    struct bucket *buckets;
    size_t bucket_mask;
    uint64_t key;
    float burst;
    double decay_per_ns; // loads fall by e in 1 / decay_per_ns
    uint32_t slip, slip_turn;
    struct prefix *exempt;
    size_t exempt_count;
};

struct rrl *rrl_new(const struct rrl_options *options)
{
    SP_ASSERT(options->rate > 0 && options->burst > 0);
    struct rrl *rrl = mem_alloc(sizeof(*rrl));
    size_t bucket_count = 1;
    while (bucket_count * SLOTS_PER_BUCKET < options->table_size) {
        bucket_count *= 2;
    }
    rrl->buckets = mem_alloc_aligned(bucket_count * sizeof(*rrl->buckets), sizeof(*rrl->buckets));
    rrl->bucket_mask = bucket_count - 1;
    rrl->key = options->key;
    rrl->burst = (float)options->burst;
    // A source that asks `rate` times a second for ever comes to a load of rate / decay: the burst.
    rrl->decay_per_ns = (double)options->rate / options->burst / (double)NS_PER_SECOND;
    rrl->slip = options->slip;
    rrl->exempt_count = options->exempt_count;
    if (options->exempt_count > 0) {
        rrl->exempt = mem_copy(options->exempt, options->exempt_count * sizeof(*options->exempt));
    }
    return rrl;
}

void rrl_free(struct rrl *rrl)
{
    if (rrl != NULL) {
        free(rrl->buckets);
        free(rrl->exempt);
        free(rrl);
    }
}

static float load_now(const struct rrl *rrl, const struct slot *slot, int64_t now_ns)
{
    double elapsed_ns = (double)MAX(now_ns - slot->at_ns, 0);
    return slot->load * expf((float)(-elapsed_ns * rrl->decay_per_ns));
}

// A network's place in the table: its bucket, and its slot there when it has one.
struct found {
    struct bucket *bucket;
    struct slot *slot;
    uint32_t tag;
    float load;
};

static struct found find(const struct rrl *rrl, const struct address *address, unsigned length,
                         int64_t now_ns)
{
    struct address network = *address;
    address_mask(&network, length);
    uint64_t hash = hash_bytes(rrl->key + length, network.bytes, sizeof(network.bytes));
    hash ^= network.family == FAMILY_IPV4 ? 0 : 0x9e3779b97f4a7c15ULL;
    struct found found = {.bucket = &rrl->buckets[hash & rrl->bucket_mask],
                          .tag = (uint32_t)(hash >> 32) | 1};
    for (unsigned i = 0; i < SLOTS_PER_BUCKET; i++) {
        struct slot *slot = &found.bucket->slots[i];
        if (slot->tag == found.tag) {
            found.slot = slot;
            found.load = load_now(rrl, slot, now_ns);
            break;
        }
    }
    return found;
}

// A slot for a network that has none: a free one, or that of the smallest load.
static struct slot *displace(const struct rrl *rrl, struct bucket *bucket, int64_t now_ns)
{
    struct slot *smallest = &bucket->slots[0];
    float smallest_load = INFINITY;
    for (unsigned i = 0; i < SLOTS_PER_BUCKET; i++) {
        struct slot *slot = &bucket->slots[i];
        float load = slot->tag == 0 ? -1 : load_now(rrl, slot, now_ns);
        if (load < smallest_load) {
            smallest = slot;
            smallest_load = load;
        }
    }
    return smallest;
}

static void add_one(const struct rrl *rrl, const struct found *found, int64_t now_ns)
{
    struct slot *slot = found->slot;
    // Two networks of one query may share a bucket: the earlier may have taken what was found.
    if (slot == NULL || slot->tag != found->tag) {
        slot = displace(rrl, found->bucket, now_ns);
    }
    *slot = (struct slot){found->tag, found->load + 1, now_ns};
}

static bool is_exempt(const struct rrl *rrl, const struct address *address)
{
    for (size_t i = 0; i < rrl->exempt_count; i++) {
        if (prefix_contains(&rrl->exempt[i], address)) {
            return true;
        }
    }
    return false;
}

static enum rrl_verdict withhold(struct rrl *rrl)
{
    if (rrl->slip == 0 || ++rrl->slip_turn < rrl->slip) {
        return RRL_DROP;
    }
    rrl->slip_turn = 0;
    return RRL_SLIP;
}

enum rrl_verdict rrl_ask(struct rrl *rrl, const struct address *address, int64_t now_ns)
{
    unsigned family = address->family == FAMILY_IPV4 ? 0 : 1;
    struct found found[PREFIXES_MAX];
    for (unsigned i = 0; i < prefix_counts[family]; i++) {
        const struct rrl_prefix *prefix = &prefix_table[family][i];
        found[i] = find(rrl, address, prefix->length, now_ns);
        if (found[i].load + 1 > rrl->burst * (float)prefix->multiplier) {
            return is_exempt(rrl, address) ? RRL_PASS : withhold(rrl);
        }
    }
    for (unsigned i = 0; i < prefix_counts[family]; i++) {
        add_one(rrl, &found[i], now_ns);
    }
    return RRL_PASS;
}

void rrl_apply(struct rrl *rrl, struct message *messages, size_t count, int64_t now_ns,
               struct worker_counters *counters)
{
    for (size_t i = 0; i < count; i++) {
        struct message *message = &messages[i];
        if (message->out_size == 0 || message->cookie_valid) {
            continue;
        }
        switch (rrl_ask(rrl, &message->source.address, now_ns)) {
        case RRL_PASS:
            break;
        case RRL_SLIP:
            message->out_size = answer_truncate(message->out);
            counter_add(&counters->rrl_slipped);
            break;
        case RRL_DROP:
            message->out_size = 0;
            counter_add(&counters->rrl_dropped);
            break;
        }
    }
}
