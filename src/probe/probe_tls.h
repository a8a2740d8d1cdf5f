// SPDX-License-Identifier: GPL-3.0-or-later
//
// TLS for probes: trust anchors that all checks share, sessions that are resumed, and what a
// handshake says about the certificate.
//
// One context for each file of trust anchors (and one for the system's), made at first use and made
// anew when the file has changed or after ten minutes. A session is kept per check as a few hundred
// octets (without the certificate, which was judged when it was seen); a full handshake is made at
// least every ten minutes and after every bad result, so a new certificate is never overlooked for
// longer. Thread of the prober.
#pragma once

#include "base/address.h"
#include "probe/result.h"
#include "zone/check.h"

#include <openssl/ssl.h>

struct probe_tls;

// Without a context: each set of authorities is loaded when it is first needed. The caller's.
struct probe_tls *probe_tls_new(void);
void probe_tls_free(struct probe_tls *tls); // NULL allowed

// What is remembered of a check between its probes. Zero-initialise; tls_memory_clear at the end.
struct tls_memory {
    uint8_t *session; // DER; NULL: the next handshake is a full one
    size_t session_size;
    int64_t full_ns;   // monotonic time of the last full handshake
    int64_t not_after; // when the certificate ends, seconds since 1970
};
void tls_memory_clear(struct tls_memory *memory);

// One handshake and its connection.
struct tls_link {
    SSL *ssl;
    struct tls_memory *memory;
    const struct check_spec *spec;
    SSL_SESSION *session; // the newest that the peer gave us
    int64_t not_after;
    bool has_not_after;
};

// Who must be at the other end, and what is to be spoken there. All borrowed.
struct tls_peer {
    const struct check_spec *spec;
    const char *name;              // sent as SNI and verified; NULL: no SNI is sent,
    const struct address *address; // and this is verified
    const uint8_t *alpn;           // wire form (RFC 7301, 3.1)
    size_t alpn_size;              // 0: none
};

// A link over the connected socket. False with the result set when there are no trust anchors.
bool tls_link_open(struct probe_tls *tls, struct tls_link *link, struct tls_memory *memory, int fd,
                   const struct tls_peer *peer, struct probe_result *result);
void tls_link_close(struct tls_link *link);

enum tls_step { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_FAILED };

// Goes on with the handshake; TLS_FAILED sets the result. When it is TLS_DONE, tls_judge says
// whether the certificate and the protocol are good, and fills in days and `resumed`.
enum tls_step tls_shake(struct tls_link *link, struct probe_result *result);
bool tls_judge(struct tls_link *link, bool need_alpn, struct probe_result *result);
// Remembers the session after a good result, forgets it after another. Once, before the close.
void tls_remember(struct tls_link *link, bool good);

// Octets, 0 at the end of the connection, or -1 with *step set (TLS_FAILED: the connection broke).
int tls_read(struct tls_link *link, void *octets, size_t room, enum tls_step *step);
int tls_write(struct tls_link *link, const void *octets, size_t count, enum tls_step *step);
// After TLS_FAILED of these two: true, with the result set, when it was TLS that failed (an alert)
// and not the connection.
bool tls_complaint(struct probe_result *result);
