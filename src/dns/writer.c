// SPDX-License-Identifier: GPL-3.0-or-later
//
// Compression compares each suffix of a name with the names written so far, label by label, and
// remembers the first few. Bounded: targets x labels, whatever is written.
#include "dns/writer.h"

#include <string.h>

enum { POINTER_REACH = 0x4000 }; // a pointer has 14 bits (RFC 1035, 4.1.4)

void writer_begin(struct writer *writer, uint8_t *message, size_t size, size_t limit)
{
    writer->message = message;
    writer->size = size;
    writer->limit = limit;
    writer->targets[0] = HEADER_SIZE; // the question's name
    writer->target_count = 1;
}

static bool label_equal(const uint8_t *a, const uint8_t *b)
{
    if (a[0] != b[0]) {
        return false;
    }
    for (unsigned i = 1; i <= a[0]; i++) {
        if (octet_fold(a[i]) != octet_fold(b[i])) {
            return false;
        }
    }
    return true;
}

// Whether the (possibly compressed) name at `offset` of our own message equals `name`.
static bool equals_written(const struct writer *writer, unsigned offset, const uint8_t *name)
{
    for (;;) {
        const uint8_t *at = writer->message + offset;
        if (at[0] >= 0xc0) {
            offset = get_u16(at) & 0x3fff; // our own pointers only lead backwards
            continue;
        }
        if (!label_equal(at, name)) {
            return false;
        }
        if (at[0] == 0) {
            return true;
        }
        offset += at[0] + 1U;
        name += name[0] + 1;
    }
}

// Offset of a written suffix that equals `name`, looking at the suffixes of one target. The labels
// of both are counted so that only suffixes of equal depth are compared.
static unsigned find_in_target(const struct writer *writer, unsigned offset, const uint8_t *name,
                               unsigned labels)
{
    unsigned depth = 0;
    unsigned starts[NAME_MAX_SIZE / 2 + 1];
    for (unsigned at = offset; writer->message[at] != 0;) {
        if (writer->message[at] >= 0xc0) {
            at = get_u16(writer->message + at) & 0x3fff;
            continue;
        }
        starts[depth++] = at;
        at += writer->message[at] + 1U;
    }
    if (depth < labels || starts[depth - labels] >= POINTER_REACH ||
        !equals_written(writer, starts[depth - labels], name)) {
        return 0;
    }
    return starts[depth - labels];
}

static unsigned find_written(const struct writer *writer, const uint8_t *name, unsigned labels)
{
    for (unsigned i = 0; i < writer->target_count; i++) {
        unsigned offset = find_in_target(writer, writer->targets[i], name, labels);
        if (offset != 0) {
            return offset;
        }
    }
    return 0;
}

static bool put_bytes(struct writer *writer, const void *bytes, size_t size)
{
    if (writer->limit - writer->size < size) {
        return false;
    }
    memcpy(writer->message + writer->size, bytes, size);
    writer->size += size;
    return true;
}

// Writes a name with the longest known suffix replaced by a pointer.
static bool put_name(struct writer *writer, const uint8_t *name)
{
    size_t start = writer->size;
    unsigned labels = name_label_count(name);
    unsigned pointer = 0;
    for (; labels > 0; labels--, name = name_parent(name)) {
        pointer = find_written(writer, name, labels);
        if (pointer != 0) {
            break;
        }
        if (!put_bytes(writer, name, name[0] + 1U)) {
            return false;
        }
    }
    uint8_t tail[2];
    put_u16(tail, 0xc000 | pointer);
    bool fits = pointer ? put_bytes(writer, tail, 2) : put_bytes(writer, "", 1);
    bool is_new = start < POINTER_REACH && writer->size - start > 2;
    if (fits && is_new && writer->target_count < COMPRESSION_TARGETS_MAX) {
        writer->targets[writer->target_count++] = (uint16_t)start;
    }
    return fits;
}

static bool put_rdata(struct writer *writer, uint16_t type, const uint8_t *rdata, size_t size)
{
    const struct rr_type_info *info = rr_type_find(type);
    if (info == NULL || info->name_count == 0 || !info->compressible) {
        return put_bytes(writer, rdata, size);
    }
    const uint8_t *at = rdata + info->name_offset;
    if (!put_bytes(writer, rdata, info->name_offset)) {
        return false;
    }
    for (unsigned i = 0; i < info->name_count; i++) {
        if (!put_name(writer, at)) {
            return false;
        }
        at += name_size(at);
    }
    return put_bytes(writer, at, size - (size_t)(at - rdata));
}

bool writer_put(struct writer *writer, const uint8_t *owner, uint16_t type, uint16_t class,
                uint32_t ttl, const uint8_t *rdata, size_t rdata_size)
{
    struct writer before = *writer;
    uint8_t fixed[RR_FIXED_SIZE];
    put_u16(fixed, type);
    put_u16(fixed + 2, class);
    put_u32(fixed + 4, ttl);
    put_u16(fixed + 8, 0);
    if (!put_name(writer, owner) || !put_bytes(writer, fixed, sizeof(fixed))) {
        *writer = before;
        return false;
    }
    size_t rdata_start = writer->size;
    if (!put_rdata(writer, type, rdata, rdata_size)) {
        *writer = before;
        return false;
    }
    put_u16(writer->message + rdata_start - 2, (unsigned)(writer->size - rdata_start));
    return true;
}
