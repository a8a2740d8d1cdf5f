// SPDX-License-Identifier: GPL-3.0-or-later
//
// XDP sockets: UDP that passes the kernel's network stack by. One socket a receive queue of an
// interface, served by the data thread that it is given to; the answer is built in the frame that
// brought the query.
//
// TCP, fragments, odd packets and whatever is not for one of our endpoints stay with the kernel and
// its sockets, which are open all the while: an interface that cannot do it, or a queue that nobody
// serves, costs speed and no query.
#pragma once

#include "base/diag.h"
#include "net/responder.h"
#include "net/xdp_filter.h"

// All the queues of one interface.
struct xdp_interface;
struct xdp_socket;

enum xdp_wish { XDP_WISH_AUTO, XDP_WISH_NATIVE, XDP_WISH_GENERIC };

// Opens a socket for each receive queue and attaches the filter, in the mode wished (auto: in the
// driver when that can be, else behind it). Wildcards among the endpoints stand for the addresses
// that this machine has now. NULL, with a warning that says why, when it cannot be done: the
// kernel's sockets then have all of it. Control thread.
struct xdp_interface *xdp_open(const char *name, enum xdp_wish wish,
                               const struct endpoint *endpoints, size_t count, struct diags *diags);
// Data threads must have ended.
void xdp_close(struct xdp_interface *interface); // NULL allowed
const char *xdp_name(const struct xdp_interface *interface);
enum xdp_mode xdp_mode(const struct xdp_interface *interface);
unsigned xdp_queue_count(const struct xdp_interface *interface);
struct xdp_socket *xdp_queue(const struct xdp_interface *interface, unsigned queue);

// What one thread adds and any reads, relaxed.
#define XDP_COUNTERS(X)                                                                            \
    X(received, "Frames that came by XDP sockets")                                                 \
    X(sent, "Frames that left by XDP sockets")                                                     \
    X(refused, "Frames that held no datagram that could be answered")                              \
    X(lost, "Answers for which the interface had no room")

struct xdp_counters {
#define X(name, help) _Atomic uint64_t name;
    XDP_COUNTERS(X)
#undef X
};

// The rest is for the data thread that serves the socket.
int xdp_socket_fd(const struct xdp_socket *socket); // to watch for input
struct event_source *xdp_socket_source(struct xdp_socket *socket);
struct xdp_socket *xdp_socket_of(struct event_source *source);
const struct xdp_counters *xdp_socket_counters(const struct xdp_socket *socket); // any thread
// Answers what waits, a batch at a time. Returns when little is left or when other descriptors
// should have their turn. Passes a quiescent state after each batch.
void xdp_serve(struct xdp_socket *socket, const struct responder *responder);
