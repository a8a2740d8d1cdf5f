// SPDX-License-Identifier: GPL-3.0-or-later
#include "net/responder.h"

#include "base/rcu.h"

void responder_answer(const struct responder *responder, struct message *messages, size_t count)
{
    const struct generation *generation =
        atomic_load_explicit(responder->root, memory_order_acquire);
    answer_batch(generation, responder->worker, messages, count);
    rcu_quiescent();
    if (responder->rrl != NULL) {
        rrl_apply(responder->rrl, messages, count, clock_monotonic_ns(responder->clock),
                  worker_counters_own(responder->worker));
    }
}
