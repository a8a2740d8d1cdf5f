// SPDX-License-Identifier: GPL-3.0-or-later
//
// The PROXY protocol, version 2 (HAProxy's proxy-protocol.txt, section 2.2), and the one function
// that decides who a client is: proxy_client(). UDP, TCP and TLS ask it before anything else looks
// at the source, so steering, rate limits and access lists all see the same client.
//
// From the listed networks a header is compulsory, as the protocol demands: what comes without one
// is not served. From all others none is looked for. Pure; any thread.
#pragma once

#include "answer/answer.h"
#include "base/address.h"

enum {
    PROXY_HEADER_MIN = 16,
    // The longest header that is taken; what HAProxy and dnsdist send is far below.
    PROXY_HEADER_MAX = 4096,
    // Over UDP the answer is written behind the header: every buffer has room for this much.
    PROXY_HEADER_UDP_MAX = 480,
};

// Networks whose hosts speak for others. Borrowed.
struct proxy_trust {
    const struct prefix *networks;
    size_t count;
};

enum proxy_verdict {
    PROXY_DONE, // *source is the client; the message begins behind *header_size
    PROXY_MORE, // a good beginning; *header_size bytes are needed to go on
    PROXY_BAD,
};

// Whether a header must come from this source.
bool proxy_expected(const struct proxy_trust *trust, const struct address *source);

// `bytes` are what came from *source so far. On PROXY_DONE *source is made the client's: without a
// header expected, of a LOCAL header, or of one without an IP address it stays as it is.
enum proxy_verdict proxy_client(const struct proxy_trust *trust, const uint8_t *bytes, size_t size,
                                struct query_source *source, size_t *header_size);
