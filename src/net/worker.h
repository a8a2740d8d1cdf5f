// SPDX-License-Identifier: GPL-3.0-or-later
//
// One data thread: its sockets, its event loop. Made and ended by the control thread (net.c).
#pragma once

#include "net/net.h"
#include "net/responder.h"

#include <pthread.h>

struct data_worker_options {
    int stop_fd;     // an eventfd: readable when the thread must end; borrowed
    int core;        // to pin the thread to; -1: none
    struct tls *tls; // its streams are TLS, and it yields to other threads; NULL: plain TCP
    const struct net_options *net; // borrowed
};

// Sockets to serve. The descriptors go to the worker.
struct data_worker_socket {
    int udp_fd, tcp_fd; // udp_fd -1: none
    bool wildcard;
};

struct data_worker;
// NULL with errno.
struct data_worker *data_worker_new(const struct data_worker_options *options,
                                    const struct data_worker_socket *sockets, size_t count);
// Serves an XDP socket too. Before the thread starts; the socket stays the caller's and must
// outlive the worker.
struct xdp_socket; // net/xdp.h
void data_worker_add(struct data_worker *data_worker, struct xdp_socket *socket);
// The thread must have ended. Closes the sockets.
void data_worker_free(struct data_worker *data_worker);
// 0 or an errno.
int data_worker_start(struct data_worker *data_worker, generation_root *root);
void data_worker_join(struct data_worker *data_worker); // a worker that never started is allowed
const struct worker_counters *data_worker_counters(const struct data_worker *data_worker);
struct asked *data_worker_asked(const struct data_worker *data_worker);
size_t data_worker_samples(struct data_worker *data_worker, uint32_t *seen, uint64_t *samples);
