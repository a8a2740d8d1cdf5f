// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct query: one request, taken apart and judged. Total over all inputs: any bytes give a
// verdict. Pure; any thread; no allocation.
#pragma once

#include "base/address.h"
#include "dns/edns.h"
#include "dns/name.h"

// Client subnet option (RFC 7871) as the query carried it.
struct client_subnet {
    bool present;
    uint8_t source_length;
    struct address address; // bits past source_length are zero
    // The option's first eight octets as a number: the answer repeats them, with a scope in the
    // last.
    uint64_t head;
};

// What a client takes that says nothing, or less (RFC 6891, 6.2.3).
enum { QUERY_PAYLOAD_MIN = 512 };

// OPT, TSIG, SIG(0) and one to spare; a query with more is malformed.
enum { QUERY_ADDITIONAL_MAX = 4 };

struct query {
    const uint8_t *name; // into the message, case kept
    uint16_t name_size;
    uint16_t type, class;
    uint16_t flags;
    bool edns, dnssec_ok;
    uint16_t udp_payload; // the client's offer; less than QUERY_PAYLOAD_MIN stands for that
    struct client_subnet subnet;
    struct edns_request options;                           // asked: 0 for nearly every query
    _Alignas(BLOCK_SIZE) uint8_t folded[NAME_PADDED_SIZE]; // the name in lower case, padded
};

enum query_verdict {
    QUERY_GOOD,
    QUERY_SILENCE, // deserves no answer: a response, or too short to answer
    QUERY_FORMERR, // malformed (RFC 1035; RFC 6891, 6.1.1; RFC 7871, 7.1.2)
    QUERY_NOTIMP,  // an opcode that is not served; OPT is read all the same, where it can be
    QUERY_BADVERS, // EDNS version above 0 (RFC 6891, 6.1.3)
    QUERY_COOKIE,  // no question, but a cookie: only a server cookie is wanted (RFC 7873, 5.4)
};

// A query with nothing in it yet: what an absent part of the message stands for.
static inline void query_begin(struct query *query)
{
    query->name = NULL;
    query->edns = query->dnssec_ok = query->subnet.present = false;
    query->options.asked = 0;
    query->udp_payload = QUERY_PAYLOAD_MIN;
}

// On QUERY_GOOD, QUERY_BADVERS and, where the question could be read, QUERY_FORMERR the fields are
// filled in; name is NULL when there is no usable question.
enum query_verdict query_parse(const uint8_t *message, size_t size, struct query *query);
