// SPDX-License-Identifier: GPL-3.0-or-later
//
// What tcp.c (who may connect, for how long), tcp_begin.c (what comes before the first query) and
// tcp_stream.c (bytes in, answers out) share.
#pragma once

#include "net/list.h"
#include "net/tcp.h"

enum {
    // Most bytes read at once; also the longest input kept while answers are blocked.
    TCP_READ_SIZE = 4096,
    // Answers gather up to here before they are sent; the bound of what one blocked peer holds is
    // this and one message.
    TCP_FLUSH_SIZE = 16384,
    TCP_PREFIX_SIZE = 2,
    // The kernel is given no more while it has not sent so much yet: what it has can no longer be
    // overtaken.
    TCP_UNSENT_MAX = 16384,
    // An answer up to here passes larger ones while the peer is behind with taking them. It is what
    // resolvers took over UDP at most, so whatever is larger is what streams are for.
    TCP_PASSING_MAX = 4096,
    // Octets of questions that are put off meanwhile. The shortest with a long answer (one label's
    // length, type and class behind header and prefix) has 19: at most 107 are put off.
    TCP_LATER_MAX = 2048,
    // A connection that holds more than this counts as a large holder, ...
    TCP_HELD_SMALL = 4096,
    // ... and when all connections of a worker hold more than this, the longest large holder goes:
    // with what a connection costs anyway, 1,024 of them take no more than 8 KiB each.
    TCP_HELD_MAX = 7 << 20,
};

enum connection_state {
    CONNECTION_PROXIED,      // waits for the header of the PROXY protocol
    CONNECTION_SHAKES_READS, // in the TLS handshake: waits for the peer's bytes,
    CONNECTION_SHAKES_SENDS, // or for room to send ours
    CONNECTION_READING,      // waits for queries
    CONNECTION_BLOCKED,      // holds answers that the peer does not take; reads nothing before
    CONNECTION_ENDING,       // like blocked, and left after the last answer
    CONNECTION_LEAVING,      // said its last; waits for the peer to end, too
    CONNECTION_CLOSED,       // awaits its release at the end of the round
    CONNECTION_STATE_COUNT
};

// What a connection is waited for; each has its own limit of time.
enum patience {
    PATIENCE_QUERY,     // for the next query to begin
    PATIENCE_PROGRESS,  // for a message to be complete, for answers to be taken
    PATIENCE_HANDSHAKE, // for TLS
    PATIENCE_COUNT
};

struct connection {
    struct event_source source; // SOURCE_CONNECTION
    enum connection_state state;
    enum patience patience;
    int fd;
    struct tls_session *tls;  // NULL: plain, or not begun yet
    struct query_source peer; // the client, once a proxy has said who it is
    struct list by_mark;      // tcp.waiting[patience]
    struct list by_address;   // a bucket of tcp.buckets; none while the client is not known
    struct list by_holding;   // tcp.holders while a large holder
    struct connection *next_closed;
    // When the last query was complete, the first byte of the next one came, or the last answer was
    // taken. Single bytes, in or out, do not renew it.
    int64_t mark_ns;
    uint8_t *in; // an incomplete message, or messages that wait until the peer reads
    uint8_t *out;
    uint8_t *later; // questions that are put off, each with its prefix, the oldest first; or NULL
    size_t in_size, in_capacity, out_at, out_size, later_size;
    size_t held_size; // what the three buffers occupy, as counted in tcp.held_size
    size_t drained;   // octets that came after it was left
};

struct listener {
    struct event_source source; // SOURCE_LISTENER
    int fd;
};

struct tcp {
    struct tcp_options options;
    struct worker_counters *counters;
    struct worker *again; // makes what was put off; NULL: nothing was yet
    struct listener *listeners;
    size_t listener_count;
    int64_t accept_resume_ns; // not 0: no descriptors left, listeners rest until then
    unsigned count;           // open connections
    unsigned handshake_count; // of them in the TLS handshake
    size_t held_size;
    struct list waiting[PATIENCE_COUNT]; // open ones, oldest mark first
    struct connection *closed;           // a stack
    struct list holders;                 // large holders, the longest first
    struct list *buckets;
    size_t bucket_mask;
    size_t out_size;
    uint8_t in[TCP_READ_SIZE];
    uint8_t out[TCP_FLUSH_SIZE + TCP_PREFIX_SIZE + ANSWER_TCP_MAX];
};

// tcp_begin.c
void connection_begin(struct tcp *tcp, struct connection *connection);
// What it waits for in one of the states before READING has come.
void connection_begin_more(struct tcp *tcp, struct connection *connection);

// tcp_stream.c
void connection_read(struct tcp *tcp, struct connection *connection);
void connection_write(struct tcp *tcp, struct connection *connection);
// In LEAVING: throws away what comes, until the peer's end or too much of it.
void connection_drain(struct tcp *tcp, struct connection *connection);

// tcp.c
void connection_close(struct tcp *tcp, struct connection *connection);
// The moment from which its patience runs; which one follows from what it does now.
void connection_mark(struct tcp *tcp, struct connection *connection);
void connection_turn(struct tcp *tcp, struct connection *connection, enum connection_state state);
// The client is known: it counts as one of its address, whose longest idle leaves when the address
// has its share.
void connection_settle(struct tcp *tcp, struct connection *connection);
// After the buffers changed: counts them, and makes room when all together hold too much.
void connection_count_held(struct tcp *tcp, struct connection *connection);
// Closes the longest-waiting of those in a TLS handshake while there are too many.
void tcp_limit_handshakes(struct tcp *tcp);
// For edns-tcp-keepalive.
uint16_t tcp_keepalive_ds(const struct tcp *tcp);
