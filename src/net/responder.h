// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the UDP, TCP and XDP sides of one data thread share: where answers come from, and the tag by
// which the thread's epoll tells its descriptors apart.
#pragma once

#include "answer/answer.h"
#include "base/clock.h"
#include "net/rrl.h"

// Borrowed by udp, tcp and xdp; belongs to the thread. The root is loaded once a batch and what it
// gave is not kept past rcu_quiescent().
struct responder {
    generation_root *root;
    struct worker *worker;
    struct rrl *rrl; // NULL: answers are not limited
    const struct clock *clock;
};

// Answers a batch of messages that came over UDP, by whatever road: from the current generation,
// and no more of them than response rate limiting lets out. Passes a quiescent state.
void responder_answer(const struct responder *responder, struct message *messages, size_t count);

// The first member of everything that epoll events point to.
struct event_source {
    enum { SOURCE_STOP, SOURCE_UDP, SOURCE_LISTENER, SOURCE_CONNECTION, SOURCE_XDP } kind;
};
