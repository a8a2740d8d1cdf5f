// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct territory: which clients fall under which rules, as one longest-prefix map a family.
//
// All targets of a policy's rules (lines, countries, networks, ASNs) collapse here into
// prefix -> class, where a class is the ordered list of rules that hold the client. Neighbouring
// prefixes of one class are merged, so the matched length is exactly the ECS scope of the policy.
// Two policies with the same targets share one territory (struct territories interns them): a
// health or weight change never rebuilds it.
//
// Made by the control thread; immutable; looked up by any thread.
#pragma once

#include "base/address.h"
#include "geo/geo.h"
#include "geo/lines.h"
#include "zone/policy.h"

struct territory;

struct territory_match {
    uint32_t class_index;
    uint8_t scope; // widest prefix around the client with this class: 0..32 or 0..64
};

// Any thread, no lock, no allocation.
struct territory_match territory_lookup(const struct territory *territory,
                                        const struct address *client);

// A class: the rules (indexes into policy.rules) that hold its clients, in rule order. Nothing
// follows the first that surely decides (rule_is_final, steer/rule.h).
struct territory_class {
    const uint16_t *rules;
    size_t rule_count;
    // For methods that go by distance: the policy's sites, nearest first. NULL: members stand as
    // written.
    const uint16_t *order;
    size_t order_count;
    uint32_t order_number; // equal orders of a territory have equal numbers
};
size_t territory_class_count(const struct territory *territory);
struct territory_class territory_class(const struct territory *territory, uint32_t index);
// Runs of keys of one class, ascending over the whole space.
void territory_walk(const struct territory *territory, enum family family, lpm_visit *visit,
                    void *context);
size_t territory_size(const struct territory *territory); // bytes held

// The interned set. Control thread.
struct territories;
// An empty one; the caller's.
struct territories *territories_new(void);
void territories_free(struct territories *set); // all must have been released

// The territory of a policy's rules over this geo data: found or built, with one more user. NULL
// when no rule looks at the client (every client is class 0 with scope 0, holding all rules).
struct territory *territory_acquire(struct territories *set, const struct policy *policy,
                                    const struct lines *lines, const struct geo *geo);
// The last user frees it: only after the grace period of the last plan that points to it.
void territory_release(struct territories *set, struct territory *territory);
// A territory by groups of classes of another: found, or built if it `may_build`, with one more
// user; else NULL. Its class i is group i and holds no rules.
struct territory *territory_project(struct territories *set, const struct territory *base,
                                    const uint32_t *group_of_class, size_t group_count,
                                    bool may_build);
// Runs of prefixes of one class: what it costs to project it.
size_t territory_run_count(const struct territory *territory);

// Where territories of method `fastest` find measured round trips from now on; a new version of the
// table makes new territories. It must outlive the set; NULL: nowhere.
struct rtt;
void territories_measure(struct territories *set, const struct rtt *rtt);

// After new lines or geo data: entries of the old data are no longer found (but live while used).
void territories_forget(struct territories *set);
size_t territories_count(const struct territories *set);
size_t territories_size(const struct territories *set); // bytes held by all
