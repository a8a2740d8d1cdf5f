// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the UDP, TCP and XDP sides of one data thread share: where answers come from, and the tag by
// which the thread's epoll tells its descriptors apart.
#pragma once

#include "answer/answer.h"
#include "net/rrl.h"

struct net_options;

// Borrowed by udp, tcp and xdp; belongs to the thread. The root is loaded once a batch and what it
// gave is not kept past rcu_quiescent().
struct responder {
    generation_root *root;
    struct worker *worker;
    struct rrl *rrl; // NULL: answers are not limited
    const struct net_options *net;
};

// Answers a batch of messages that came over UDP, by whatever road: from the current generation,
// for the client that a proxy names if it is one, and no more of them than response rate limiting
// lets out. Each is answered in place (query == out), where PROXY_HEADER_UDP_MAX bytes more than
// ANSWER_UDP_MAX have room. Passes a quiescent state.
void responder_answer(const struct responder *responder, struct message *messages, size_t count);

// The first member of everything that epoll events point to.
struct event_source {
    enum { SOURCE_STOP, SOURCE_LISTENER, SOURCE_CONNECTION, SOURCE_XDP, SOURCE_DATAGRAMS } kind;
};
