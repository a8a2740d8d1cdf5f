// SPDX-License-Identifier: GPL-3.0-or-later
//
// The streams of one data thread: its listeners and connections, TCP (RFC 7766) or TLS (RFC 7858).
// Worker only, but for tcp_new and tcp_free, which the control thread calls while the worker does
// not run.
#pragma once

#include "net/net.h"
#include "net/responder.h"
#include "net/tls.h"

// All borrowed.
struct tcp_options {
    int epoll_fd; // where descriptors are registered
    const struct net_options *net;
    const struct responder *responder;
    struct tls *tls; // NULL: plain TCP
};

struct tcp;
// Takes the listening sockets (not the array).
struct tcp *tcp_new(const struct tcp_options *options, const int *listeners, size_t listener_count);
void tcp_free(struct tcp *tcp); // closes everything; NULL allowed

// An epoll event whose source is a listener or a connection of this thread.
void tcp_event(struct tcp *tcp, struct event_source *source, uint32_t events);
// Once a round of events, after all of them: closes what is overdue and frees what was closed.
// Returns the milliseconds until it wants to be called again; -1: not before the next event.
int tcp_tick(struct tcp *tcp);
