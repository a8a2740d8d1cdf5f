// SPDX-License-Identifier: GPL-3.0-or-later
//
// Compression: the names written so far are a tree. Each target holds the labels that its name
// added to it, above the place where its pointer leads. A name climbs from the root: one comparison
// a target, and one a label that is found. Bounded: targets + labels, whatever is written.
#include "dns/writer.h"

#include <string.h>

enum { POINTER_REACH = 0x4000 }; // a pointer has 14 bits (RFC 1035, 4.1.4)

void writer_begin(struct writer *writer, uint8_t *message, size_t size, size_t limit)
{
    writer->message = message;
    writer->size = size;
    writer->limit = limit;
    writer->target_count = 0;
    if (size > HEADER_SIZE && message[HEADER_SIZE] != 0) { // the question's name
        unsigned last = HEADER_SIZE;
        while (message[last + message[last] + 1U] != 0) {
            last += message[last] + 1U;
        }
        writer->targets[writer->target_count++] =
            (struct writer_target){HEADER_SIZE, (uint16_t)last, 0};
    }
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

// Where labels begin that follow each other.
struct label_starts {
    unsigned count;
    uint16_t at[NAME_MAX_SIZE / 2 + 1];
};

static void find_starts(const uint8_t *bytes, unsigned at, unsigned last,
                        struct label_starts *starts)
{
    starts->count = 0;
    for (; at <= last && bytes[at] != 0; at += bytes[at] + 1U) {
        starts->at[starts->count++] = (uint16_t)at;
    }
}

// The longest suffix that was written before.
struct suffix {
    unsigned labels;  // 0: none
    unsigned pointer; // where it stands
};

// Climbs on along the labels of a target that begins where the suffix ends.
static void climb(const struct writer *writer, const struct writer_target *target,
                  const uint8_t *name, const struct label_starts *own, struct suffix *suffix)
{
    struct label_starts written;
    find_starts(writer->message, target->first, target->last, &written);
    while (written.count > 0 && suffix->labels < own->count) {
        const unsigned at = written.at[--written.count];
        const uint8_t *label = name + own->at[own->count - suffix->labels - 1];
        if (at >= POINTER_REACH || !label_equal(writer->message + at, label)) {
            return;
        }
        *suffix = (struct suffix){suffix->labels + 1, at};
    }
}

static struct suffix find_written(const struct writer *writer, const uint8_t *name,
                                  const struct label_starts *own)
{
    struct suffix suffix = {0};
    for (unsigned i = 0; i < writer->target_count && suffix.labels < own->count; i++) {
        const struct writer_target *target = &writer->targets[i];
        const uint8_t *label = name + own->at[own->count - suffix.labels - 1];
        if (target->rest == suffix.pointer && label_equal(writer->message + target->last, label)) {
            climb(writer, target, name, own, &suffix);
        }
    }
    return suffix;
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
    struct label_starts own;
    find_starts(name, 0, NAME_MAX_SIZE, &own);
    const struct suffix suffix = find_written(writer, name, &own);
    const unsigned left = own.count - suffix.labels; // labels to be written out
    const unsigned last = left > 0 ? own.at[left - 1] : 0;
    if (left > 0 && !put_bytes(writer, name, last + name[last] + 1U)) {
        return false;
    }
    uint8_t tail[2];
    put_u16(tail, 0xc000 | suffix.pointer);
    bool fits = suffix.labels > 0 ? put_bytes(writer, tail, 2) : put_bytes(writer, "", 1);
    if (fits && left > 0 && start < POINTER_REACH &&
        writer->target_count < COMPRESSION_TARGETS_MAX) {
        writer->targets[writer->target_count++] = (struct writer_target){
            (uint16_t)start, (uint16_t)(start + last), (uint16_t)suffix.pointer};
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
