// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which plans are asked for: a data worker marks the place of a plan whenever it answers from it,
// and the control thread takes the marks away and notes when it saw them. A mark is one plain store
// of a constant into the worker's own memory; the control thread writes there only where it found a
// mark. One that is made in that very moment may be taken away unseen, with the one it was seen by.
//
// Plans whose numbers are equal modulo ASKED_SIZE share a place: then one looks asked for because
// the other is, never the other way round.
#pragma once

#include "base/base.h"

#include <stdatomic.h>

enum { ASKED_SIZE = 1 << 16 };

// A worker's own, in its scratch.
struct asked {
    _Atomic uint8_t marks[ASKED_SIZE];
};

// `plan` is its slot + 1, as it stands in a node.
static inline void asked_note(struct asked *asked, uint32_t plan)
{
    atomic_store_explicit(&asked->marks[plan % ASKED_SIZE], 1, memory_order_relaxed);
}

// Writes `now_ns` down for every place that was marked since the last look. Any one thread beside
// the worker's.
static inline void asked_look(struct asked *asked, int64_t now_ns, int64_t asked_ns[ASKED_SIZE])
{
    for (size_t i = 0; i < ASKED_SIZE; i++) {
        if (UNLIKELY(atomic_load_explicit(&asked->marks[i], memory_order_relaxed) != 0)) {
            atomic_store_explicit(&asked->marks[i], 0, memory_order_relaxed);
            asked_ns[i] = now_ns;
        }
    }
}
