// SPDX-License-Identifier: GPL-3.0-or-later
//
// EDNS options (RFC 6891, 6.1.2) of a query other than the client subnet: what the client asks for.
//
// Nearly no query carries one, so the query parser calls edns_option_read only when it meets one,
// and everything that follows is behind `asked != 0`. Pure; any thread.
#pragma once

#include "base/base.h"

enum edns_option {
    EDNS_NSID = 3,       // RFC 5001
    EDNS_ECS = 8,        // RFC 7871
    EDNS_COOKIE = 10,    // RFC 7873
    EDNS_KEEPALIVE = 11, // RFC 7828
    EDNS_PADDING = 12,   // RFC 7830
    EDNS_EDE = 15,       // RFC 8914
};

enum { EDNS_OPTION_HEAD_SIZE = 4 };

// Options that one query may carry: more is no use to anybody and costs time (FORMERR).
enum { EDNS_OPTIONS_MAX = 16 };

// Bits of edns_request.asked.
enum {
    EDNS_ASKED_NSID = 1,
    EDNS_ASKED_COOKIE = 2,
    EDNS_ASKED_KEEPALIVE = 4,
    EDNS_ASKED_PADDING = 8,
};

// A client cookie has 8 octets, a server cookie that may stand behind it 8 to 32 (RFC 7873, 4).
enum { COOKIE_CLIENT_SIZE = 8, COOKIE_OPTION_MAX = 40 };

// Copied out of the message: the answer may be written over it.
struct edns_request {
    uint8_t asked;
    uint8_t cookie_size;               // with EDNS_ASKED_COOKIE: 8 or 16..40
    uint8_t cookie[COOKIE_OPTION_MAX]; // client cookie, then what the client took for our own
};

// Takes note of one option. Options that we do not know, and second ones of a kind that we do, are
// passed over (RFC 6891, 6.1.2; RFC 7873, 5.2). False when it is malformed: FORMERR.
bool edns_option_read(unsigned code, const uint8_t *data, size_t size,
                      struct edns_request *request);

// Extended errors that we give (RFC 8914, 4).
enum ede {
    EDE_OTHER = 0,
    EDE_STALE_ANSWER = 3,
    EDE_PROHIBITED = 18,
    EDE_NOT_AUTHORITATIVE = 20,
};
