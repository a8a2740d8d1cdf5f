// SPDX-License-Identifier: GPL-3.0-or-later
//
// DNS over TLS (RFC 7858) over OpenSSL: the certificate, the keys of session tickets, and one
// session a connection. TLS 1.2 and 1.3; ALPN "dot"; tickets but no early data; no renegotiation.
//
// struct tls belongs to the control thread, which may put another certificate in place at any time;
// sessions belong to the one thread that serves TLS. The certificate passes between them under RCU.
#pragma once

#include "base/clock.h"
#include "base/diag.h"

#include <sys/types.h>

// --- the certificate

struct tls_certificate;

// A chain (leaf first) and its key, PEM. Any thread. Every fault goes to `diags`; NULL when there
// was one.
struct tls_certificate *tls_certificate_read(const char *chain_path, const char *key_path,
                                             struct diags *diags);
void tls_certificate_free(struct tls_certificate *certificate); // NULL allowed

struct tls;
// Without a certificate: sessions begin after the first tls_use. The clock outlives it.
struct tls *tls_new(const struct clock *clock);
void tls_free(struct tls *tls); // no session may be left; NULL allowed
// Takes the certificate: new sessions use it from now on. Control thread.
void tls_use(struct tls *tls, struct tls_certificate *certificate);

// --- sessions: a reader thread of RCU

enum {
    // Ticket keys live this long, and are accepted as long again: a ticket is good for one to two
    // lives, and a stolen key opens no older traffic (TLS 1.3 tickets only resume with a new
    // Diffie-Hellman exchange).
    TLS_TICKET_KEY_LIFE_S = 6 * 3600,
};

struct tls_session;
// A session of the server's side on a connected non-blocking socket, which stays the caller's. NULL
// when there is no certificate yet or no memory.
struct tls_session *tls_accept(struct tls *tls, int fd);
// Ends it: politely (close_notify) unless it has failed.
void tls_end(struct tls_session *session);

// How far a handshake has come: what it waits for, if it can go on.
enum tls_progress { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_FAILED };
enum tls_progress tls_handshake(struct tls_session *session);
bool tls_is_resumed(const struct tls_session *session);

// As recv() and send() of a non-blocking socket: -1 with errno, EAGAIN when it would block, EPROTO
// when the session has failed; 0 is the peer's end. What tls_send did not take must be given again
// as it was, from the same byte on.
ssize_t tls_receive(struct tls_session *session, void *bytes, size_t size);
ssize_t tls_send(struct tls_session *session, const void *bytes, size_t size);
// Whether it was for want of room to send that the last tls_receive would have blocked: the peer
// has demanded new keys (RFC 8446, 4.6.3) and does not read. What it sends is not read before that.
bool tls_waits_for_room(const struct tls_session *session);
// Whether bytes wait in the session that the socket no longer announces.
bool tls_has_pending(const struct tls_session *session);
