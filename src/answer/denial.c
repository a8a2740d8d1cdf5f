// SPDX-License-Identifier: GPL-3.0-or-later
//
// The prepared authority section of negative answers. Control thread, when a zone is put.
//
// The writer makes it twice, behind questions of which one is two octets longer: the bytes that
// differ are those of the pointers.
#include "answer/generation_internal.h"

#include "base/memory.h"
#include "dns/types.h"
#include "dns/writer.h"

enum { DENIAL_SIZE_MAX = 512 };

// Writes the SOA behind a question for the apex with `labels` before it. Returns where the question
// ends; 0: there is no such name, or the record does not fit.
static size_t write_behind(const struct zone_entry *zone, const uint8_t *labels, size_t labels_size,
                           struct writer *writer, uint8_t message[DENIAL_SIZE_MAX])
{
    const uint8_t *record = zone->negative_soa;
    uint8_t *name = message + HEADER_SIZE;
    if (labels_size + zone->apex_size > NAME_MAX_SIZE) {
        return 0;
    }
    memcpy(name, labels, labels_size);
    memcpy(name + labels_size, zone->apex, zone->apex_size);
    size_t end = HEADER_SIZE + labels_size + zone->apex_size + QUESTION_FIXED_SIZE;
    writer_begin(writer, message, end, DENIAL_SIZE_MAX);
    struct writer_owner apex = {.name = zone->apex};
    bool fits = writer_put(writer, &apex, TYPE_SOA, CLASS_IN, get_u32(record + 6), record + 12,
                           get_u16(record + 10));
    return fits ? end : 0;
}

void denial_make(struct zone_entry *zone)
{
    static const uint8_t label[] = {1, 0xff}; // nobody's
    uint8_t near[DENIAL_SIZE_MAX], far[DENIAL_SIZE_MAX];
    struct writer near_writer, far_writer;
    struct denial *denial = &zone->denial;
    size_t near_end = write_behind(zone, label, 0, &near_writer, near);
    size_t far_end = write_behind(zone, label, sizeof(label), &far_writer, far);
    if (near_end == 0 || far_end == 0) {
        return; // resolve.c writes it, as long as it is
    }
    size_t size = near_writer.size - near_end;
    if (far_writer.size - far_end != size) {
        return;
    }
    denial->bytes = mem_copy(near + near_end, size);
    size_t count = 0;
    for (size_t at = 0; at + 1 < size; at++) {
        unsigned value = get_u16(near + near_end + at);
        if (value >= 0xc000 && get_u16(far + far_end + at) == value + sizeof(label)) {
            SP_ASSERT(count < ARRAY_SIZE(denial->pointers));
            denial->pointers[count++] =
                (struct denial_pointer){(uint16_t)at, (uint16_t)(value - near_end)};
        }
    }
    for (; count < ARRAY_SIZE(denial->pointers); count++) {
        denial->pointers[count].at = (uint16_t)size;
    }
    denial->size = (uint16_t)size;
}
