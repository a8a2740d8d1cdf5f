// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct writer: builds a response record by record, with name compression, never past its limit.
//
// A record that does not fit is not written at all, and the caller learns it. Used for everything
// but the prepared answers of the fast path. Lives on the stack of one call; pure.
#pragma once

#include "dns/name.h"
#include "dns/types.h"
#include "dns/wire.h"

// Names that later names may point to: more would cost more time than bytes
// (docs/reference/limits).
enum { COMPRESSION_TARGETS_MAX = 16 };

// The labels of a name that were written out, because no name before it ended like that.
struct writer_target {
    uint16_t first, last; // offsets of labels
    uint16_t rest;        // offset of the label that the pointer behind them leads to; 0: the root
};

struct writer {
    uint8_t *message;
    size_t size, limit;
    struct writer_target targets[COMPRESSION_TARGETS_MAX];
    unsigned target_count;
};

// Begins behind the question that already stands in `message`; `limit` is the largest size.
void writer_begin(struct writer *writer, uint8_t *message, size_t size, size_t limit);
// Writes a record: `rdata` is uncompressed wire form; names in it are compressed where RFC 3597
// allows. False, and nothing written, when it does not fit.
bool writer_put(struct writer *writer, const uint8_t *owner, uint16_t type, uint16_t class,
                uint32_t ttl, const uint8_t *rdata, size_t rdata_size);
