// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct octets: a growing buffer with a limit, for what a probe sends and gets. One thread.
#pragma once

#include "base/base.h"

// Zero-initialise with a limit; octets_free at the end.
struct octets {
    uint8_t *at;
    size_t count, capacity;
    size_t limit;
};

// Appends as many as the limit lets in; returns how many. A NUL, which does not count, follows
// them.
size_t octets_put(struct octets *octets, const void *more, size_t count);
static inline bool octets_full(const struct octets *octets)
{
    return octets->count >= octets->limit;
}
void octets_free(struct octets *octets);
