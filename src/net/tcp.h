// SPDX-License-Identifier: GPL-3.0-or-later
//
// The TCP side of one data thread: its listeners and connections (RFC 7766). Worker only, but for
// tcp_new and tcp_free, which the control thread calls while the worker does not run.
#pragma once

#include "base/clock.h"
#include "net/responder.h"

struct tcp_options {
    int epoll_fd;                     // where descriptors are registered; borrowed
    unsigned clients_max;             // at least 1
    unsigned clients_per_address_max; // 0: no limit of its own
    int64_t idle_ns;
    const struct clock *clock;
    const struct responder *responder; // borrowed
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
