// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct rtt: measured round trips between networks of clients and places (sites, or members by
// their value), for method `fastest`.
//
// Reports are smoothed as TCP does; what plans see is a copy that follows only when the smoothed
// value has moved for good, so that noise compiles nothing. Control thread; no clock of its own.
#pragma once

#include "base/address.h"

enum {
    RTT_LENGTH_IPV4 = 24, // networks are reported and kept at these lengths
    RTT_LENGTH_IPV6 = 48,
    RTT_SAMPLES_MIN = 5,      // before a value counts
    RTT_NETWORKS_MAX = 65536, // of both families
    RTT_PLACES_MAX = 16,      // of one network
};

// A network that nobody has measured for an hour goes by distance again.
#define RTT_AGE_NS INT64_C(3600000000000)
#define RTT_MS_MAX 1e6

struct rtt;

// Nobody has measured anything; the caller's.
struct rtt *rtt_new(void);
void rtt_free(struct rtt *rtt); // NULL allowed

// Adds `samples` measurements of this mean. False when the table is full.
bool rtt_add(struct rtt *rtt, const struct address *client, const char *place, double ms,
             unsigned samples, int64_t now_ns);
// Drops what was last reported before `oldest_ns`.
void rtt_age(struct rtt *rtt, int64_t oldest_ns);
// Another number whenever something that plans see has changed; never 0.
uint64_t rtt_version(const struct rtt *rtt);
size_t rtt_network_count(const struct rtt *rtt);

struct rtt_network {
    enum family family;
    uint64_t first, last; // keys, base/address.h
    size_t count;
    struct rtt_value {
        uint64_t place;         // rtt_place
        double smoothed_ms, ms; // ms: what plans see; 0: not enough samples yet
        uint64_t samples;
        int64_t since_ns; // of the last report
    } values[RTT_PLACES_MAX];
};
// A site, or the value of a member without one, by its name: the same in every process.
uint64_t rtt_place(const char *name);
// What was known of a place before, over anything that is. False when the table is full.
bool rtt_put(struct rtt *rtt, const struct address *client, const struct rtt_value *known);
// The networks of a family, ascending and disjoint, in an array that the caller frees.
const struct rtt_network **rtt_networks(const struct rtt *rtt, enum family family, size_t *count);
// What plans see of a place; 0: nothing.
double rtt_of(const struct rtt_network *network, uint64_t place);
