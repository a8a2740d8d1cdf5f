// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which plans are asked for: a data worker stamps the place of a plan with its second (modulo 2^16)
// whenever it answers from it, and the control thread looks for stamps that are new since its last
// look. A stamp is one plain store into the worker's own memory, to a line that nobody else writes.
//
// Plans whose numbers are equal modulo ASKED_SIZE share a place: then one looks asked for because
// the other is, never the other way round.
#pragma once

#include "base/base.h"

#include <stdatomic.h>

enum { ASKED_SIZE = 1 << 16 };

// A worker's own, in its scratch.
struct asked {
    _Atomic uint16_t stamps[ASKED_SIZE];
};

// `plan` is its slot + 1, as it stands in a node.
static inline void asked_note(struct asked *asked, uint32_t plan, uint16_t stamp)
{
    atomic_store_explicit(&asked->stamps[plan % ASKED_SIZE], stamp, memory_order_relaxed);
}

// Writes `now_ns` down for every place with a new stamp: `seen` are the stamps of the last look.
// Any one thread beside the worker's.
static inline void asked_look(const struct asked *asked, uint16_t seen[ASKED_SIZE], int64_t now_ns,
                              int64_t asked_ns[ASKED_SIZE])
{
    for (size_t i = 0; i < ASKED_SIZE; i++) {
        const uint16_t stamp = atomic_load_explicit(&asked->stamps[i], memory_order_relaxed);
        if (UNLIKELY(stamp != seen[i])) {
            seen[i] = stamp;
            asked_ns[i] = now_ns;
        }
    }
}
