// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct generation: everything that answers, at one moment. Immutable.
//
// A generation is three persistent structures (a paged hash index of owner names, a vector of
// zones, a vector of plans) and the answering options. The next generation shares all pages that
// did not change with the last: a change costs what it touches. The control thread makes
// generations through a struct publisher; data workers read the current one through publisher_root,
// under RCU (base/rcu.h), and hold it for one batch.
#pragma once

#include "base/diag.h"
#include "dns/cookie.h"
#include "steer/plan.h"
#include "zone/zone.h"

#include <stdatomic.h>

struct generation;

// With it an OPT and the longest question still fit 512 bytes.
enum { NSID_MAX_SIZE = 128 };

// Options of answering that come from the configuration.
struct answer_options {
    uint16_t udp_payload_max;      // 512..1232: larger EDNS offers are cut to this; default 1232
    const char *chaos_version;     // CH TXT version.bind / version.server; NULL: refused
    const char *chaos_id;          // CH TXT id.server / hostname.bind; NULL: refused
    bool ecs;                      // client subnets are accepted (default true)
    const char *nsid;              // name server id (RFC 5001), nsid_size bytes; NULL: not told
    uint8_t nsid_size;             // at most NSID_MAX_SIZE
    bool cookies_required;         // over UDP, who sends a cookie must send a good one (BADCOOKIE)
    struct cookie_secrets cookies; // count 0: cookies are off
};

struct publisher;

// With an empty generation. The options are copied, their texts borrowed.
struct publisher *publisher_new(const struct answer_options *options);
// Readers must be gone.
void publisher_free(struct publisher *publisher);

// Where data workers load the current generation from (acquire). Never NULL after publisher_new.
typedef _Atomic(const struct generation *) generation_root;
generation_root *publisher_root(struct publisher *publisher);
const struct generation *publisher_current(const struct publisher *publisher);
uint64_t generation_number(const struct generation *generation);

// A change: any number of puts and removals that become visible at once.
struct change;
// An empty one over what is served; it ends in change_publish or change_drop. Control thread.
struct change *change_begin(struct publisher *publisher);
// Puts a zone in place of the one with the same apex. Steered RRsets need a plan at once: `plan_of`
// is asked for each (it returns ownership) and is told the slot under which later change_plan calls
// replace it. Owner names equal to those of the old zone keep their memory.
typedef struct plan *plan_maker(void *context, const struct owner *owner, const struct rrset *rrset,
                                uint32_t slot);
void change_zone(struct change *change, const struct zone *zone, plan_maker *plan_of,
                 void *context);
void change_zone_remove(struct change *change, const uint8_t *apex);
// Replaces the plan of a steered RRset; takes ownership.
void change_plan(struct change *change, uint32_t slot, struct plan *plan);

// Other secrets of cookies from this generation on.
void change_cookies(struct change *change, const struct cookie_secrets *secrets);

// Self-query: asks the new generation for what was changed. When an answer is wrong (an error is
// added to `diags`) the change is dropped and the old generation goes on; else it is published, the
// call waits for the readers (rcu_wait) and frees what was replaced. Ends the change in both cases.
bool change_publish(struct change *change, struct diags *diags);
void change_drop(struct change *change);

struct generation_summary {
    size_t zone_count, name_count, plan_count, memory_size;
};
// For status pages and metrics.
struct generation_summary generation_summary(const struct generation *generation);

// What the documents said, made of what answers: names in lower case, places not known. They lie in
// the arena and point into this generation. The zone of that apex must be there.
// NULL when the name has no records.
const struct owner *generation_owner(const struct generation *generation, const uint8_t *apex,
                                     const uint8_t *name, struct arena *arena);
struct owner_list {
    const struct owner **owners;
    size_t count;
};
struct owner_list generation_owners(const struct generation *generation, const uint8_t *apex,
                                    struct arena *arena);

// Cold look-ups for explain and the API. NULL when there is none.
const struct plan *generation_plan(const struct generation *generation, const uint8_t *owner,
                                   uint16_t type);
