// SPDX-License-Identifier: GPL-3.0-or-later
//
// What tcp.c (who may connect, for how long) and tcp_stream.c (bytes in, answers out) share.
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
    // A connection that holds more than this counts as a large holder, ...
    TCP_HELD_SMALL = 4096,
    // ... and when all connections of a worker hold more than this, the longest large holder goes.
    TCP_HELD_MAX = 8 << 20,
};

enum connection_state {
    CONNECTION_READING, // waits for queries
    CONNECTION_BLOCKED, // holds answers that the peer does not take; reads nothing
    CONNECTION_ENDING,  // like blocked, and closed after the last answer
    CONNECTION_CLOSED,  // awaits its release at the end of the round
    CONNECTION_STATE_COUNT
};

struct connection {
    struct event_source source; // SOURCE_CONNECTION
    enum connection_state state;
    int fd;
    struct query_source peer;
    struct list by_mark;    // tcp.connections
    struct list by_address; // a bucket of tcp.buckets
    struct list by_holding; // tcp.holders while a large holder
    struct connection *next_closed;
    // When the last query was complete, the first byte of the next one came, or the last answer was
    // taken. Single bytes, in or out, do not renew it.
    int64_t mark_ns;
    uint8_t *in; // an incomplete message, or messages that wait until the peer reads
    uint8_t *out;
    size_t in_size, in_capacity, out_at, out_size;
    size_t held_size; // what the two buffers occupy, as counted in tcp.held_size
};

struct listener {
    struct event_source source; // SOURCE_LISTENER
    int fd;
};

struct tcp {
    struct tcp_options options;
    struct listener *listeners;
    size_t listener_count;
    int64_t accept_resume_ns; // not 0: no descriptors left, listeners rest until then
    unsigned count;           // open connections
    size_t held_size;
    struct list connections;   // open ones, oldest mark first
    struct connection *closed; // a stack
    struct list holders;       // large holders, the longest first
    struct list *buckets;
    size_t bucket_mask;
    size_t out_size;
    uint8_t in[TCP_READ_SIZE];
    uint8_t out[TCP_FLUSH_SIZE + TCP_PREFIX_SIZE + ANSWER_TCP_MAX];
};

// tcp_stream.c
void connection_read(struct tcp *tcp, struct connection *connection);
void connection_write(struct tcp *tcp, struct connection *connection);

// tcp.c
void connection_close(struct tcp *tcp, struct connection *connection);
void connection_mark(struct tcp *tcp, struct connection *connection);
void connection_turn(struct tcp *tcp, struct connection *connection, enum connection_state state);
// After the buffers changed: counts them, and makes room when all together hold too much.
void connection_count_held(struct tcp *tcp, struct connection *connection);
