// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/responder.h"

#include "base/rcu.h"
#include "net/net.h"

#include <string.h>

// Behind a PROXY header, where one is due, stands the query of the client that it names. The place
// where the message began is kept: the answer moves there. A datagram without a good header is no
// message.
static void headers_strip(const struct responder *responder, struct message *messages, size_t count,
                          uint8_t **begins)
{
    struct worker_counters *counters = worker_counters_own(responder->worker);
    for (size_t i = 0; i < count; i++) {
        struct message *message = &messages[i];
        size_t header_size = 0;
        enum proxy_verdict verdict =
            proxy_client(&responder->net->proxy, message->query, message->query_size,
                         &message->source, &header_size);
        begins[i] = message->out;
        if (header_size == 0) {
            continue;
        }
        if (verdict != PROXY_DONE || header_size > PROXY_HEADER_UDP_MAX) {
            message->query_size = 0;
            counter_add(&counters->proxy_refused);
            continue;
        }
        message->out += header_size;
        message->query = message->out;
        message->query_size -= header_size;
        counter_add(&counters->proxied);
    }
}

static void answers_move(struct message *messages, size_t count, uint8_t *const *begins)
{
    for (size_t i = 0; i < count; i++) {
        if (messages[i].out != begins[i]) {
            memmove(begins[i], messages[i].out, messages[i].out_size);
            messages[i].query = messages[i].out = begins[i];
        }
    }
}

void responder_answer(const struct responder *responder, struct message *messages, size_t count)
{
    const struct generation *generation =
        atomic_load_explicit(responder->root, memory_order_acquire);
    bool proxied = responder->net->proxy.count > 0;
    uint8_t *begins[ANSWER_BATCH_MAX];
    if (proxied) {
        headers_strip(responder, messages, count, begins);
    }
    answer_batch(generation, responder->worker, messages, count);
    rcu_quiescent();
    if (responder->rrl != NULL) {
        rrl_apply(responder->rrl, messages, count, clock_monotonic_ns(responder->net->clock),
                  worker_counters_own(responder->worker));
    }
    if (proxied) {
        answers_move(messages, count, begins);
    }
}
