// SPDX-License-Identifier: GPL-3.0-or-later
//
// What one probe saw: the seam between probers and the state machine.
//
// The reason is one of a table (probe_reasons, result.c), after HAProxy's taxonomy where it has a
// word: the layer that failed is in the name. The detail is one line in our own words; it never
// holds octets that the target sent. Plain data, zero-initialised means "nothing was seen".
#pragma once

#include "base/base.h"

enum probe_verdict { VERDICT_BAD, VERDICT_GOOD, VERDICT_NONE };
extern const char *const verdict_names[3]; // what a result counts as: "bad", "good", "nothing"

enum probe_reason {
    PROBE_OK,
    // Layer 3: echo requests.
    PROBE_L3_TIMEOUT, // none came back
    PROBE_L3_LOSS,    // too few came back
    PROBE_L3_SLOW,    // they came back too late
    // Layer 4.
    PROBE_L4_TIMEOUT,     // no connection in time
    PROBE_L4_REFUSED,     // connection refused or reset
    PROBE_L4_UNREACHABLE, // no route, ICMP unreachable
    PROBE_L4_ERROR,       // another error of the connection
    // Layer 6: TLS.
    PROBE_L6_TIMEOUT,     // no handshake in time
    PROBE_L6_HANDSHAKE,   // no handshake: an alert, no common version, not TLS
    PROBE_L6_CERTIFICATE, // the chain is not trusted
    PROBE_L6_NAME,        // the certificate does not cover the name
    PROBE_L6_EXPIRED,     // the certificate ends too soon, has ended, or has not begun
    PROBE_L6_ALPN,        // none of the wanted protocols
    // Layer 7.
    PROBE_L7_TIMEOUT, // connected, no complete answer in time
    PROBE_L7_INVALID, // not the protocol
    PROBE_L7_STATUS,  // wrong status, response code or serving status
    PROBE_L7_CONTENT, // the answer is not the expected one
    PROBE_L7_CLOSED,  // the connection ended before the answer was complete
    // Commands.
    PROBE_EXEC_TIMEOUT, // killed at the deadline
    PROBE_EXEC_STATUS,  // another exit status than 0
    PROBE_EXEC_SIGNAL,  // ended by a signal
    // Not probed: heartbeats and expressions.
    PROBE_BEAT_LATE,  // no heartbeat for longer than its time to live
    PROBE_BEAT_BAD,   // the heartbeat itself said down
    PROBE_EXPRESSION, // the expression over other checks is false
    // These say nothing about the target; they count for no state.
    PROBE_LOCAL_ERROR, // the probe could not be made here: no descriptor, no memory, no CA file
    PROBE_DENIED,      // the address is not allowed to be probed
    PROBE_REASON_COUNT
};

struct probe_reason_info {
    const char *name; // "OK", "L4TOUT", "L4CON", ...
    enum probe_verdict verdict;
    const char *help; // what it means, for people
};
extern const struct probe_reason_info probe_reasons[PROBE_REASON_COUNT];

enum { PROBE_DETAIL_MAX = 128 };

struct probe_result {
    enum probe_reason reason;
    bool warning;             // good, but somebody should look: the detail says at what
    bool has_certificate;     // certificate_days is set
    bool has_load;            // load is set
    bool resumed;             // the TLS session was resumed
    int32_t certificate_days; // until the certificate ends; negative: since
    double load;              // as the target said it; finite, not negative
    // How long each layer took; 0: it was not reached or the kind has none.
    int64_t connect_ns, tls_ns, first_byte_ns, total_ns;
    char detail[PROBE_DETAIL_MAX];
};

// Sets reason and detail.
void probe_result_set(struct probe_result *result, enum probe_reason reason, const char *format,
                      ...) PRINTF_LIKE(3, 4);
