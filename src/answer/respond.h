// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of answer(): one response in the making. answer.c judges the query and takes the fast
// path; resolve.c walks the zone for everything else. Internal to answer/.
#pragma once

#include "answer/answer.h"
#include "answer/generation_internal.h"
#include "dns/query.h"
#include "dns/writer.h"

// A query on its way through the stages of a batch.
struct pending {
    struct query query;
    enum query_verdict verdict;
    bool cookie_valid;       // the query had a server cookie of ours
    uint64_t hash;           // of the name, when there is one
    const struct node *node; // of the name; NULL: none, or not looked for
    const struct plan *plan; // that will decide; NULL: none, or not looked for
};

struct worker {
    uint64_t random;
    uint32_t now_s; // worker_set_time
    struct worker_counters counters;
    struct pending pending[ANSWER_BATCH_MAX];
    uint32_t turns[TURNS_COUNT];
};

struct response {
    const struct generation *generation;
    struct worker *worker;
    struct query *query;
    struct address client; // the accepted client subnet, else the source
    bool located;          // it is the subnet
    uint8_t *message;
    size_t question_end; // header and question stand before it
    size_t limit;        // largest size, with the room for OPT already taken off
    uint16_t flags;      // AA, TC, rcode so far
    uint16_t answer_count, authority_count, additional_count;
    uint8_t scope; // widest so far: the longest scope of all parts counts
    unsigned rcode;
    // options.c; 0 and NULL for nearly every query
    bool cookie_valid;
    uint16_t options_room; // that the asked options take off the limit
    uint16_t keepalive_ds; // of the connection
    uint16_t ede;          // extended error + 1
    const char *ede_text;
};

// The full algorithm of RFC 1034, 4.3.2: delegations, CNAME chains, wildcards, DNAME, negative
// answers. Writes the sections and returns the size of the message without OPT.
size_t response_resolve(struct response *response);

// The decision of a policy for this client. The scope of the response follows.
void response_pick(struct response *response, const struct node_rrset *rrset, struct pick *pick);

// Whose turn it is: the offset of the record that comes first in a rotated RRset (turn != 0).
size_t response_rotation(struct response *response, const struct node_rrset *rrset);

// Class CHAOS: who are you (RFC 4892). Returns the size without OPT.
size_t response_chaos(struct response *response);
