// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of round trips: an open hash table of networks, each with a short list of places.
// See rtt.h; filled by the API, read when a territory of method `fastest` is built. Control thread.
#include "steer/rtt.h"

#include "base/hash.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

// A value that plans see follows once the smoothed one is this far away.
#define MOVE_MS       2.0
#define MOVE_FRACTION 0.125
#define SMOOTHING     0.125 // weight of one new sample

struct rtt {
    struct rtt_network **slots;
    size_t size, count;
    uint64_t version;
};

struct rtt *rtt_new(void)
{
    struct rtt *rtt = mem_alloc(sizeof(*rtt));
    rtt->version = 1;
    return rtt;
}

void rtt_free(struct rtt *rtt)
{
    for (size_t i = 0; rtt != NULL && i < rtt->size; i++) {
        free(rtt->slots[i]);
    }
    if (rtt != NULL) {
        free(rtt->slots);
        free(rtt);
    }
}

uint64_t rtt_version(const struct rtt *rtt)
{
    return rtt->version;
}

size_t rtt_network_count(const struct rtt *rtt)
{
    return rtt->count;
}

uint64_t rtt_place(const char *name)
{
    return hash_bytes(0x7274745f5f5f5f5fULL, name, strlen(name));
}

double rtt_of(const struct rtt_network *network, uint64_t place)
{
    for (size_t i = 0; i < network->count; i++) {
        if (network->values[i].place == place) {
            return network->values[i].ms;
        }
    }
    return 0;
}

// --- the table

static struct rtt_network **slot_of(const struct rtt *rtt, enum family family, uint64_t first)
{
    size_t at = (size_t)hash_u64(family, first);
    while (rtt->slots[at & (rtt->size - 1)] != NULL) {
        const struct rtt_network *network = rtt->slots[at & (rtt->size - 1)];
        if (network->family == family && network->first == first) {
            break;
        }
        at++;
    }
    return &rtt->slots[at & (rtt->size - 1)];
}

static void resize(struct rtt *rtt, size_t size)
{
    struct rtt old = *rtt;
    rtt->size = size;
    rtt->slots = mem_alloc_array(size, sizeof(struct rtt_network *));
    for (size_t i = 0; i < old.size; i++) {
        if (old.slots[i] != NULL) {
            *slot_of(rtt, old.slots[i]->family, old.slots[i]->first) = old.slots[i];
        }
    }
    free(old.slots);
}

static struct rtt_network *network_find(struct rtt *rtt, const struct address *client)
{
    unsigned length =
        client->family == FAMILY_IPV4 ? (unsigned)RTT_LENGTH_IPV4 : (unsigned)RTT_LENGTH_IPV6;
    uint64_t rest = UINT64_MAX >> length, first = address_key(client) & ~rest;
    if (rtt->count * 2 >= rtt->size) {
        resize(rtt, MAX(rtt->size * 2, (size_t)64));
    }
    struct rtt_network **slot = slot_of(rtt, client->family, first);
    if (*slot == NULL && rtt->count < RTT_NETWORKS_MAX) {
        *slot = mem_alloc(sizeof(**slot));
        **slot =
            (struct rtt_network){.family = client->family, .first = first, .last = first | rest};
        rtt->count++;
    }
    return *slot;
}

static struct rtt_value *value_find(struct rtt_network *network, uint64_t place)
{
    for (size_t i = 0; i < network->count; i++) {
        if (network->values[i].place == place) {
            return &network->values[i];
        }
    }
    if (network->count == RTT_PLACES_MAX) {
        return NULL;
    }
    struct rtt_value *value = &network->values[network->count++];
    *value = (struct rtt_value){.place = place};
    return value;
}

bool rtt_add(struct rtt *rtt, const struct address *client, const char *place, double ms,
             unsigned samples, int64_t now_ns)
{
    struct rtt_network *network = network_find(rtt, client);
    struct rtt_value *value = network ? value_find(network, rtt_place(place)) : NULL;
    if (value == NULL) {
        return false;
    }
    double weight = value->samples == 0 ? 1 : 1 - pow(1 - SMOOTHING, samples);
    value->smoothed_ms += (ms - value->smoothed_ms) * weight;
    value->samples += samples;
    value->since_ns = now_ns;
    double moved = fabs(value->smoothed_ms - value->ms);
    bool far = value->ms == 0 || moved > MAX(MOVE_MS, value->ms * MOVE_FRACTION);
    if (value->samples >= RTT_SAMPLES_MIN && far) {
        value->ms = MAX(value->smoothed_ms, 0.001);
        rtt->version++;
    }
    return true;
}

bool rtt_put(struct rtt *rtt, const struct address *client, const struct rtt_value *known)
{
    struct rtt_network *network = network_find(rtt, client);
    struct rtt_value *value = network ? value_find(network, known->place) : NULL;
    if (value == NULL) {
        return false;
    }
    *value = *known;
    rtt->version += value->ms > 0;
    return true;
}

void rtt_age(struct rtt *rtt, int64_t oldest_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < rtt->size; i++) {
        struct rtt_network *network = rtt->slots[i];
        for (size_t k = 0; network != NULL && k < network->count;) {
            if (network->values[k].since_ns >= oldest_ns) {
                k++;
                continue;
            }
            rtt->version += network->values[k].ms > 0;
            network->values[k] = network->values[--network->count];
        }
        if (network != NULL && network->count == 0) {
            free(network);
            rtt->slots[i] = NULL;
        }
        kept += rtt->slots[i] != NULL;
    }
    if (kept < rtt->count) {
        rtt->count = kept;
        resize(rtt, rtt->size); // what stood behind a freed slot is found again
    }
}

static int network_compare(const void *a, const void *b)
{
    const struct rtt_network *x = *(const struct rtt_network *const *)a;
    const struct rtt_network *y = *(const struct rtt_network *const *)b;
    return (x->first > y->first) - (x->first < y->first);
}

const struct rtt_network **rtt_networks(const struct rtt *rtt, enum family family, size_t *count)
{
    const struct rtt_network **list = mem_alloc_array(rtt->count, sizeof(*list));
    *count = 0;
    for (size_t i = 0; i < rtt->size; i++) {
        if (rtt->slots[i] != NULL && rtt->slots[i]->family == family) {
            list[(*count)++] = rtt->slots[i];
        }
    }
    if (*count > 0) {
        qsort(list, *count, sizeof(*list), network_compare);
    }
    return list;
}
