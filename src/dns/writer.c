// SPDX-License-Identifier: GPL-3.0-or-later
//
// Compression: the names written so far are a tree. Each target holds the labels that its name
// added to it, above the place where its pointer leads. A name climbs from the root: one comparison
// a target, and one a label that is found. Bounded: targets + labels, whatever is written, and
// COMPRESSED_NAMES_MAX times that for a message.
#include "dns/writer.h"

#include <string.h>

enum { POINTER_REACH = 0x4000 }; // a pointer has 14 bits (RFC 1035, 4.1.4)

// What tells most labels apart above one suffix: the length and both ends.
static inline uint64_t key_of(const uint8_t *label, unsigned rest)
{
    const unsigned length = label[0];
    const uint64_t ends = (unsigned)octet_fold(label[1]) << 8 | octet_fold(label[length]);
    return ends << 32 | length << 16 | rest;
}

static void add_target(struct writer *writer, size_t first, size_t last, unsigned rest)
{
    const unsigned at = writer->target_count++;
    writer->targets[at] = (struct writer_target){(uint16_t)first, (uint16_t)last, (uint16_t)rest};
    writer->keys[at] = key_of(writer->message + last, rest);
}

void writer_begin(struct writer *writer, uint8_t *message, size_t size, size_t limit)
{
    writer->message = message;
    writer->size = size;
    writer->limit = limit;
    writer->target_count = 0;
    writer->last_name = 0;
    writer->type = 0;
    writer->info = NULL;
    writer->searched = 0;
    writer->question = (struct name_labels){.count = 0};
    if (size > HEADER_SIZE && message[HEADER_SIZE] != 0) { // the question's name
        name_labels_find(message + HEADER_SIZE, &writer->question);
        add_target(writer, HEADER_SIZE,
                   HEADER_SIZE + writer->question.at[writer->question.count - 1], 0);
    }
}

void writer_back(struct writer *writer, const struct writer_mark *mark)
{
    writer->size = mark->size;
    writer->target_count = mark->target_count;
    writer->searched = mark->searched;
}

static bool label_equal(const uint8_t *a, const uint8_t *b)
{
    if (a[0] != b[0]) {
        return false;
    }
    for (unsigned i = 1; i <= a[0]; i++) {
        if (a[i] != b[i] && octet_fold(a[i]) != octet_fold(b[i])) {
            return false;
        }
    }
    return true;
}

// The longest suffix that was written before.
struct suffix {
    unsigned labels;  // 0: none
    unsigned pointer; // where it stands
};

// Where the labels of a target begin, from its first on. Every name is held against the question,
// so its are kept.
static const struct name_labels *
labels_of(struct writer *writer, const struct writer_target *target, struct name_labels *store)
{
    if (target->first == HEADER_SIZE) {
        return &writer->question;
    }
    const uint8_t *first = writer->message + target->first;
    const unsigned last = target->last - target->first;
    store->count = 0;
    for (unsigned at = 0; at <= last; at += first[at] + 1U) {
        store->at[store->count++] = (uint8_t)at;
    }
    return store;
}

// Climbs on along the labels of a target, whose last one ends the suffix.
static void climb(struct writer *writer, const struct writer_target *target, const uint8_t *name,
                  const struct name_labels *own, struct suffix *suffix)
{
    struct name_labels store;
    const struct name_labels *written = labels_of(writer, target, &store);
    for (unsigned left = written->count - 1; left > 0 && suffix->labels < own->count;) {
        const unsigned at = target->first + written->at[--left];
        const uint8_t *label = name + own->at[own->count - suffix->labels - 1];
        if (!label_equal(writer->message + at, label)) {
            return;
        }
        *suffix = (struct suffix){suffix->labels + 1, at};
    }
}

static inline struct suffix find_written(struct writer *writer, const uint8_t *name,
                                         const struct name_labels *own)
{
    struct suffix suffix = {0};
    if (own->count == 0 || writer->searched == COMPRESSED_NAMES_MAX) {
        return suffix;
    }
    writer->searched++;
    const uint8_t *label = name + own->at[own->count - 1];
    uint64_t key = key_of(label, 0);
    for (unsigned i = 0; i < writer->target_count; i++) {
        const struct writer_target *target = &writer->targets[i];
        if (writer->keys[i] != key || !label_equal(writer->message + target->last, label)) {
            continue;
        }
        suffix = (struct suffix){suffix.labels + 1, target->last};
        if (suffix.labels < own->count && target->first < target->last) {
            climb(writer, target, name, own, &suffix);
        }
        if (suffix.labels == own->count) {
            break;
        }
        label = name + own->at[own->count - suffix.labels - 1];
        key = key_of(label, suffix.pointer);
    }
    return suffix;
}

static bool has_room(const struct writer *writer, size_t size)
{
    return writer->limit - writer->size >= size;
}

// What stands between names is short: a call would cost more than the bytes.
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t size)
{
    enum { SHORT = 8 };
    if (size > SHORT) {
        memcpy(to, from, size);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
    }
}

static bool put_bytes(struct writer *writer, const uint8_t *bytes, size_t size)
{
    if (!has_room(writer, size)) {
        return false;
    }
    copy_short(writer->message + writer->size, bytes, size);
    writer->size += size;
    return true;
}

// Writes a name with the longest known suffix replaced by a pointer. Where the whole of it can be
// pointed to then goes to *where; 0: nowhere. Returns the size of the name as it came; 0: no room.
static size_t put_name(struct writer *writer, const uint8_t *name, uint16_t *where)
{
    struct name_labels *const own = &writer->own;
    name_labels_find(name, own);
    const struct suffix suffix = find_written(writer, name, own);
    const unsigned left = own->count - suffix.labels; // labels to be written out
    const size_t start = writer->size, plain = own->at[left], name_size = own->at[own->count] + 1U;
    const size_t tail = suffix.labels > 0 ? 2 : 1;
    if (!has_room(writer, plain + tail)) {
        return 0;
    }
    writer->size = start + plain + tail;
    if (left == 0) {
        *where = (uint16_t)suffix.pointer;
    } else {
        *where = start < POINTER_REACH ? (uint16_t)start : 0;
    }
    uint8_t *const at = writer->message + start;
    copy_short(at, name, plain);
    if (suffix.labels > 0) {
        put_u16(at + plain, 0xc000 | suffix.pointer);
    } else {
        at[plain] = 0;
    }
    if (left > 0 && start + plain < POINTER_REACH &&
        writer->target_count < COMPRESSION_TARGETS_MAX) {
        add_target(writer, start, start + own->at[left - 1], suffix.pointer);
    }
    return name_size;
}

static bool put_owner(struct writer *writer, struct writer_owner *owner)
{
    if (owner->at == 0) {
        return put_name(writer, owner->name, &owner->at) != 0;
    }
    if (!has_room(writer, 2)) {
        return false;
    }
    put_u16(writer->message + writer->size, 0xc000U | owner->at);
    writer->size += 2;
    return true;
}

// The names in rdata, and what stands before and behind them.
static bool put_names(struct writer *writer, const struct rr_type_info *info, const uint8_t *rdata,
                      size_t size)
{
    const uint8_t *at = rdata + info->name_offset, *const end = rdata + size;
    if (info->name_offset > 0 && !put_bytes(writer, rdata, info->name_offset)) {
        return false;
    }
    for (unsigned left = info->name_count; left > 0; left--) {
        const size_t name_size = put_name(writer, at, &writer->last_name);
        if (name_size == 0) {
            return false;
        }
        at += name_size;
    }
    return at == end || put_bytes(writer, at, (size_t)(end - at));
}

static const struct rr_type_info *info_of(struct writer *writer, uint16_t type)
{
    if (writer->type != type) { // no type is 0
        writer->type = type;
        writer->info = rr_type_find(type);
    }
    return writer->info;
}

// As it was; the owner, if only this record had it, is nowhere again.
static bool give_up(struct writer *writer, const struct writer_mark *mark,
                    struct writer_owner *owner)
{
    writer_back(writer, mark);
    owner->at = owner->at < mark->size ? owner->at : 0;
    return false;
}

bool writer_put(struct writer *writer, struct writer_owner *owner, uint16_t type, uint16_t class,
                uint32_t ttl, const uint8_t *rdata, size_t rdata_size)
{
    const struct writer_mark before = writer_mark(writer);
    if (!put_owner(writer, owner) || !has_room(writer, RR_FIXED_SIZE)) {
        return give_up(writer, &before, owner);
    }
    const size_t start = writer->size + RR_FIXED_SIZE;
    uint8_t *const fixed = writer->message + writer->size;
    put_u16(fixed, type);
    put_u16(fixed + 2, class);
    put_u32(fixed + 4, ttl);
    writer->size = start;
    writer->last_name = 0;
    const struct rr_type_info *info = info_of(writer, type);
    const bool plain = info == NULL || info->name_count == 0 || !info->compressible;
    if (plain ? !put_bytes(writer, rdata, rdata_size)
              : !put_names(writer, info, rdata, rdata_size)) {
        return give_up(writer, &before, owner);
    }
    put_u16(fixed + 8, (unsigned)(writer->size - start));
    return true;
}

bool writer_copy(struct writer *writer, struct writer_owner *owner, const uint8_t *record,
                 size_t size)
{
    const struct writer_mark before = writer_mark(writer);
    writer->last_name = 0;
    if (!put_owner(writer, owner) || !put_bytes(writer, record + 2, size - 2)) {
        return give_up(writer, &before, owner);
    }
    return true;
}
