// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct net: the data workers: UDP and TCP sockets, one thread a worker, each with its own sockets
// (SO_REUSEPORT), its own struct worker and counters. Nothing is shared on the path but the
// generation that all read. TLS has a thread of its own, which yields to the others (ADR 12).
//
// Made and ended by the control thread. A worker registers with RCU, reads a batch, loads the root
// once, answers the batch, sends it, and passes a quiescent state.
#pragma once

#include "answer/answer.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/diag.h"
#include "net/proxy.h"
#include "net/rrl.h"
#include "net/tls.h"
#include "net/xdp.h"

struct net;

struct net_options {
    const struct endpoint *listen;
    size_t listen_count;
    const struct endpoint *listen_tls; // served by one thread more
    size_t listen_tls_count;
    unsigned workers;
    unsigned tcp_clients_max; // connections a worker holds, at least 1; the longest idle makes room
    // Of them from one IPv4 address or one IPv6 /64; 0: no limit of its own.
    unsigned tcp_clients_per_address_max;
    int64_t tcp_idle_ns;    // a connection without a query for this long is closed
    int64_t tcp_message_ns; // so is one whose message, or whose taking of our answers, lasts longer
    int64_t tls_handshake_ns;    // a handshake that lasts longer is given up
    unsigned tls_handshakes_max; // under way at once, at least 1; the oldest makes room
    unsigned tcp_fast_open_max;  // requests of TCP Fast Open that wait (RFC 7413); 0: off
    struct proxy_trust proxy;    // who speaks for others (PROXY protocol); borrowed
    // Rate 0: answers over UDP are not limited. Each worker has a key and a table of its own.
    struct rrl_options rrl;
    const struct clock *clock;
    // Interfaces whose UDP goes through XDP sockets where that can be; their names are borrowed
    // until net_open returns.
    const char *const *xdp_interfaces;
    size_t xdp_interface_count;
    enum xdp_wish xdp_wish;
};

// Binds every socket (a port of 0 is chosen by the kernel, the same for all workers and for UDP and
// TCP). On failure NULL and one clear error in `diags` ("cannot listen on 127.0.0.1:53: ...").
// Limits of the system that are lower than wanted are warnings.
struct net *net_open(const struct net_options *options, struct diags *diags);
// The certificate for TLS from now on; it is taken. A server without listen_tls has no use for it.
void net_use_certificate(struct net *net, struct tls_certificate *certificate);
// Starts the threads; they answer from `root` from now on. False, with errno set, when the system
// refuses a thread; net_close is due all the same.
bool net_start(struct net *net, generation_root *root);
// Stops and joins the threads (within 1 s), closes the sockets, frees. NULL allowed.
void net_close(struct net *net);

// Of all threads that answer: the workers, then the one for TLS if there is one.
unsigned net_worker_count(const struct net *net);
const struct worker_counters *net_worker_counters(const struct net *net, unsigned worker);
// Clients that a worker noted (worker_samples, answer/answer.h).
size_t net_worker_samples(struct net *net, unsigned worker, uint32_t *seen, uint64_t *samples);
// Which plans it has answered from (worker_asked).
struct asked *net_worker_asked(const struct net *net, unsigned worker);
// The interfaces that XDP sockets serve.
size_t net_xdp_count(const struct net *net);
const struct xdp_interface *net_xdp(const struct net *net, size_t index);
// The endpoints as bound (with the ports that the kernel chose): those for UDP and TCP, then those
// for TLS.
size_t net_endpoint_count(const struct net *net);
struct endpoint net_endpoint(const struct net *net, size_t index);
bool net_endpoint_is_tls(const struct net *net, size_t index);
