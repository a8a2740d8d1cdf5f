// SPDX-License-Identifier: GPL-3.0-or-later
//
// simulate: where the traffic of a whole population of clients goes, by walking the tables that
// answer, prefix by prefix, instead of asking them address by address.
//
// A population is clients by key (base/address.h) with their weight: every address there is, or the
// networks that the server has been asked from. Groups (lines, countries) are territories of rules
// that are made for the purpose: group_policy. Pure; control thread.
#pragma once

#include "geo/geo.h"
#include "steer/plan.h"
#include "steer/territory.h"

// A run of keys, first and last inclusive, whose weight lies evenly over them.
struct population_run {
    uint64_t first, last;
    double weight;
};

// Runs ascending and disjoint, of one family.
struct population {
    enum family family;
    struct population_run *runs;
    size_t count, capacity;
};

// Every unicast address of the public space of IPv4, one each. In IPv6, where most of the space is
// empty, every /48 that the geo data knows a country or an ASN of, one each; all of 2000::/3 when
// it knows none.
struct population population_of_addresses(const struct geo *geo, enum family family);
// The networks, in any order; overlapping ones count twice where they overlap. `weights` NULL: by
// addresses (IPv6: /48s), at least 1 each.
struct population population_of_networks(enum family family, const struct prefix *networks,
                                         const double *weights, size_t count);
void population_free(struct population *population);
double population_weight(const struct population *population);

// Weights of the population by what decides for it.
struct simulation {
    size_t choice_count, group_count; // of the plan; groups and, last, "no group"
    double *weights;                  // [group * choice_count + choice]
    double *group_weights;            // clients in each group; groups may overlap
};

// Walks. `groups` is a territory whose classes list the groups (rules) that hold a client, or NULL:
// one group of all. `group_count` is the number of groups.
struct simulation simulate(const struct plan *plan, const struct population *population,
                           const struct territory *groups, size_t group_count);
void simulation_free(struct simulation *simulation);

// A policy whose rules are the groups, one each, for territory_acquire: every class of its
// territory lists all groups that hold the client. `rules` are the caller's, `count` of them.
struct policy group_policy(struct rule *rules, size_t count);
