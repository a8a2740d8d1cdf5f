// SPDX-License-Identifier: GPL-3.0-or-later
//
// Domain names in wire form: length-prefixed labels ending in the zero octet (RFC 1035, 3.1).
//
// A name is a const uint8_t * to valid wire form without compression; its length includes the final
// zero and is 1..255. Model names keep the case of the document; look-ups are on lower-cased names.
// Pure; any thread.
#pragma once

#include "base/block.h"

enum { NAME_MAX_SIZE = 255, LABEL_MAX_SIZE = 63, NAME_TEXT_MAX = 1024 };

// Room for a name that is padded with zeros: its last block filled, and one block more, so that it
// may be read in blocks from any label on.
enum { NAME_PADDED_SIZE = 256 + BLOCK_SIZE };

// Bytes of a valid name with its final zero.
size_t name_size(const uint8_t *name);
// Labels without the root: "www.example.com." has 3.
unsigned name_label_count(const uint8_t *name);
// Where the labels of a name begin; the final zero stands at[count].
struct name_labels {
    unsigned count;
    uint8_t at[NAME_MAX_SIZE / 2 + 1];
};
static inline void name_labels_find(const uint8_t *name, struct name_labels *labels)
{
    unsigned count = 0, at = 0;
    for (; name[at] != 0; at += name[at] + 1U) {
        labels->at[count++] = (uint8_t)at;
    }
    labels->at[count] = (uint8_t)at;
    labels->count = count;
}
// Size of the name that begins at `wire`, at most `available` bytes long; 0 if it is not a valid
// uncompressed name. Safe on any bytes.
size_t name_check(const uint8_t *wire, size_t available);

// One octet in lower case. Names are compared without regard to case (RFC 4343).
static inline uint8_t octet_fold(uint8_t octet)
{
    return (uint8_t)(octet - 'A') < 26 ? octet | 0x20 : octet;
}

// Copies `size` bytes of wire form with A-Z folded to a-z (length octets are below 64, so folding
// blindly is safe). Both buffers need no padding.
void name_fold(const uint8_t *name, size_t size, uint8_t *folded);
// The same into a buffer of NAME_PADDED_SIZE, which is padded with zeros.
static inline void name_fold_and_pad(const uint8_t *name, size_t size, uint8_t *folded)
{
    name_fold(name, size, folded);
    block_store(folded + size, (block16){0});
}

// Sixteen octets in lower case, without a branch: the others keep their bits.
static inline block16 name_fold_block(block16 octets)
{
    const block16 from_a = octets - 'A';
    return octets | ((block16)(from_a < 26) & 0x20);
}

// Folds a name of 1..255 octets into a buffer of NAME_PADDED_SIZE and pads it. Reads whole blocks:
// up to 15 octets behind the name must be readable.
static inline void name_fold_padded(const uint8_t *name, size_t size, uint8_t *folded)
{
    static const uint8_t keep[2 * BLOCK_SIZE] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                 255, 255, 255, 255, 255, 255, 255, 255};
    const size_t last = (size - 1) / BLOCK_SIZE * BLOCK_SIZE; // 1..16 octets stand from there on
    for (size_t at = 0; at < last; at += BLOCK_SIZE) {
        block_store(folded + at, name_fold_block(block_load(name + at)));
    }
    const block16 tail = block_load(keep + BLOCK_SIZE - (size - last));
    block_store(folded + last, name_fold_block(block_load(name + last)) & tail);
    block_store(folded + last + BLOCK_SIZE, (block16){0});
}

bool name_equal(const uint8_t *a, const uint8_t *b); // case-insensitive
// Whether `name` is `parent` or below it, case-insensitive.
bool name_within(const uint8_t *name, const uint8_t *parent);
// The name without its first label. The root has none: do not ask.
const uint8_t *name_parent(const uint8_t *name);
bool name_is_root(const uint8_t *name);
bool name_is_wildcard(const uint8_t *name); // first label is "*"

// Presentation form to wire. Relative text is completed with `origin` (NULL: it must be absolute or
// is taken as such). Understands \. and \DDD, "@" as the origin. Returns the size, or 0 with
// *reason (may be NULL) set to a static text.
size_t name_parse(const char *text, const uint8_t *origin, uint8_t wire[NAME_MAX_SIZE],
                  const char **reason);
// Wire to presentation form with the final dot, special characters escaped (RFC 4343 2.1).
const char *name_format(const uint8_t *name, char text[NAME_TEXT_MAX]);
