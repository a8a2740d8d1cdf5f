// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of answer(): one response in the making. answer.c judges the query and takes the fast
// path; resolve.c walks the zone for everything else. Internal to answer/.
#pragma once

#include "answer/answer.h"
#include "answer/asked.h"
#include "answer/generation_internal.h"
#include "answer/samples.h"
#include "dns/query.h"
#include "dns/writer.h"

// What stands for a name and a type.
struct found {
    const struct node *node;        // of the name; NULL: none
    const struct node_rrset *rrset; // of the type; NULL: none
    const uint8_t *records;         // of the node's first RRset
};

// A query on its way through the stages of a batch. Each stage sets what the next one needs, and
// fetches the memory that it will touch.
struct pending {
    // Set for every message.
    enum query_verdict verdict;
    // Good, class IN, its OPT says no more than query_parse_common reads, and it comes from a port
    // that no service of its own answers from.
    bool is_simple;
    uint64_t slot; // what the index holds for the name; 0: there is no such name, or no good query
    uint64_t hash; // of the name
    const uint64_t *run; // where the index holds that hash; without a good query, a slot of nothing
    // Set when the verdict is good.
    struct found found;           // set when the fast path was not taken at once
    const struct plan *plan;      // that will decide; NULL: none
    struct message *message;      // set with it
    struct territory_match match; // of the client, set before the plan decides
    bool located;                 // by the client subnet; set with it
    struct query query;
};

// What the fast path keeps for the length of a batch: counters, added up at its end, and the node
// above the last name that did not exist. Such names come in floods for one zone.
struct tally {
    unsigned fixed, steered, nodata, nxdomain; // responses
    unsigned plain, ecs;                       // queries: without EDNS, with a client subnet
    const struct node *encloser;               // NULL: none yet
};

// What was decided for an RRset of addresses stays so for the rest of the response: hints and
// additional records agree, and one question takes one turn. One entry a family.
struct decided {
    const struct node_rrset *picked, *rotated;
    struct pick pick;
    size_t offset;
};

// Begins on a cache line and ends with one: no two workers write to the same.
struct worker {
    _Alignas(64) uint64_t random;
    struct dice dice; // over `random` and `turns`; only the first counter changes
    uint32_t now_s;   // worker_set_time
    struct worker_counters counters;
    struct decided decided[2]; // of the response that resolve.c makes
    struct sampler sampler;
    struct asked asked;
    struct pending pending[ANSWER_BATCH_MAX];
    uint32_t turns[TURNS_COUNT];
};

// Sizes of OPT: without options, and with the longest client subnet that query_parse_common takes,
// as far as the fast path writes.
enum { OPT_SIZE = 11, OPT_REACH = OPT_SIZE + 8 + 8 };

struct response {
    const struct generation *generation;
    struct worker *worker;
    struct query *query;
    struct address client; // the accepted client subnet, else the source
    bool located;          // it is the subnet
    uint8_t *message;
    size_t question_end; // header and question stand before it
    size_t limit;        // largest size, with the room for OPT already taken off
    uint16_t flags;      // AA and TC so far
    uint16_t answer_count, authority_count, additional_count;
    const struct territory *territory; // the client was looked for on last, and where it is there;
    struct territory_match match;      // when it is not located, the scope means nothing
    uint8_t scope;                     // widest so far: the longest scope of all parts counts
    uint16_t followed;                 // look-ups for names beyond the one asked for, FOLLOWED_MAX
    uint32_t effort;                   // of the decisions so far, plan_effort_max
    unsigned rcode;
    // options.c; 0 and NULL for nearly every query
    bool cookie_valid;
    uint16_t options_room; // that the asked options take off the limit
    uint16_t keepalive_ds; // of the connection
    uint16_t ede;          // extended error + 1
    const char *ede_text;
};

// Whether a client subnet says where the client is; else the source counts. (RFC 7871, 7.1.2: a
// length of 0 asks not to be located; the address is then all zeros, which is nowhere.)
static inline bool subnet_is_usable(const struct client_subnet *subnet)
{
    const uint64_t key = address_key(&subnet->address);
    if (subnet->address.family == FAMILY_IPV4) {
        const unsigned first = (unsigned)(key >> 56);
        return first - 1 < 223 && first != 127 && key >> 48 != 0xa9fe; // 169.254/16
    }
    // ::/64 holds :: and ::1; fe80::/10 is link-local, ff00::/8 multicast.
    return key != 0 && key >> 54 != 0xfe80 >> 6 && key >> 56 != 0xff;
}

static inline bool query_is_located(const struct query *query, const struct generation *generation)
{
    return query->subnet.present && generation->options.ecs && subnet_is_usable(&query->subnet);
}

// The full algorithm of RFC 1034, 4.3.2: delegations, CNAME chains, wildcards, DNAME, negative
// answers. Writes the sections and returns the size of the message without OPT.
size_t response_resolve(struct response *response);

// The decision of a policy for this client. The scope of the response follows.
void response_pick(struct response *response, const struct node_rrset *rrset, struct pick *pick);

// What an answer may spend on decisions, as plan_effort_max counts. On those that it can do without
// RESPONSE_EFFORT_MAX in all: a policy may have PLAN_MEMBERS_MAX members, and a response may name
// many policies. On those that lead to it ANSWER_EFFORT_MAX, which is the dearest policy and some
// names on the way there: each look-up of response->followed counts as FOLLOWED_EFFORT. What is
// asked for by its own name is always decided.
enum { RESPONSE_EFFORT_MAX = 1280, ANSWER_EFFORT_MAX = 5600, FOLLOWED_EFFORT = 36 };

enum need { NEED_ANSWER, NEED_EXTRA };

// Whether one more decision stays within that.
bool response_may_pick(const struct response *response, const struct node_rrset *rrset,
                       enum need need);

// What is to be said about an answer that a policy gives though no member is usable.
void response_failed_open(struct response *response, enum failed_open open);

// Whose turn it is: the offset of the record that comes first in a rotated RRset (turn != 0).
size_t response_rotation(struct response *response, const struct node_rrset *rrset);

// The same, decided once a response and RRset. Valid until the next RRset of its family.
const struct pick *response_pick_once(struct response *response, const struct node_rrset *rrset);
size_t response_rotation_once(struct response *response, const struct node_rrset *rrset);

// Class CHAOS: who are you (RFC 4892). Returns the size without OPT.
size_t response_chaos(struct response *response);
