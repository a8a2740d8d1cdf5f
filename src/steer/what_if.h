// SPDX-License-Identifier: GPL-3.0-or-later
//
// What if: a copy of a policy in which some members are down or weigh something else, for simulate.
//
// The original is not touched. Members, sites and pools are named by shell patterns (fnmatch):
// "192.0.2.1", "fra", "asia*". Pure; control thread.
#pragma once

#include "steer/plan.h"

// A change asked for, and what it hit.
struct what_if_change {
    const char *pattern;
    bool has_weight; // else: down
    uint32_t weight;
    size_t hits;  // members that it changed
    size_t blind; // of those that go down: members whose death no check would notice
};

struct what_if;

// Makes the copy and applies the changes in order; `hits` are filled in. A member's value or name
// is tried, for "down" also its site and the pool it is written in. `health` is the running state,
// which the copy sees but for what goes down; it must outlive the copy.
struct what_if *what_if_new(const struct policy *policy, const struct health_source *health,
                            struct what_if_change *changes, size_t change_count);
void what_if_free(struct what_if *what_if); // NULL allowed
const struct policy *what_if_policy(const struct what_if *what_if);
// As the copy's members have it.
struct health_source what_if_health(struct what_if *what_if);
