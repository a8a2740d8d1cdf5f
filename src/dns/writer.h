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
// Names of a message for which that is tried; what comes later is written out.
enum { COMPRESSED_NAMES_MAX = 16 };

// The labels of a name that were written out, because no name before it ended like that.
struct writer_target {
    uint16_t first, last; // offsets of labels
    uint16_t rest;        // offset of the label that the pointer behind them leads to; 0: the root
};

struct writer {
    uint8_t *message;
    size_t size, limit;
    unsigned target_count, searched; // searched: names for which compression was tried
    uint16_t last_name;              // where the last name in rdata can be pointed to; 0: nowhere
    uint16_t type;                   // of the last record, whose row is `info`
    const struct rr_type_info *info;
    struct writer_target targets[COMPRESSION_TARGETS_MAX];
    uint64_t keys[COMPRESSION_TARGETS_MAX]; // of a target's last label and its rest
    struct name_labels question;            // of the first target
    struct name_labels own;                 // of the name that was written last
};

// A name that owns records, and where the message has it already: records of one owner point to the
// first one's.
struct writer_owner {
    const uint8_t *name;
    uint16_t at; // 0: not known yet. HEADER_SIZE: it is the question's name (and not the root)
};

// Begins behind the question that already stands in `message`; `limit` is the largest size.
void writer_begin(struct writer *writer, uint8_t *message, size_t size, size_t limit);
// Writes a record: `rdata` is uncompressed wire form; names in it are compressed where RFC 3597
// allows. False, and nothing written, when it does not fit.
bool writer_put(struct writer *writer, struct writer_owner *owner, uint16_t type, uint16_t class,
                uint32_t ttl, const uint8_t *rdata, size_t rdata_size);
// The same for a record without names that is finished but for its owner, in the place of whose
// name two octets stand.
bool writer_copy(struct writer *writer, struct writer_owner *owner, const uint8_t *record,
                 size_t size);

// What was written, to go back to when more of it does not fit.
struct writer_mark {
    size_t size;
    unsigned target_count, searched;
};
static inline struct writer_mark writer_mark(const struct writer *writer)
{
    return (struct writer_mark){writer->size, writer->target_count, writer->searched};
}
void writer_back(struct writer *writer, const struct writer_mark *mark);
