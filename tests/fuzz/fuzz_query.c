// SPDX-License-Identifier: GPL-3.0-or-later
//
// answer() over one generation that has everything (world.h). The first octet says transport and
// source, the rest is the packet.
#include "world.h"

#include "answer/answer.h"
#include "dns/types.h"
#include "dns/wire.h"

// --- reading the answer back

// The end of a name whose pointers lead backwards only; 0 when it is malformed.
static size_t name_end(const uint8_t *message, size_t size, size_t at)
{
    size_t end = 0, lowest = at, length = 0;
    while (at < size) {
        unsigned label = message[at];
        if (label >= 0xc0) {
            size_t target = at + 1 < size ? (label & 0x3fU) << 8 | message[at + 1] : size;
            end = end ? end : at + 2;
            if (target >= lowest || target < HEADER_SIZE) {
                return 0;
            }
            at = lowest = target;
            continue;
        }
        length += label + 1;
        at += label + 1;
        if (label > 63 || length > NAME_MAX_SIZE) {
            return 0;
        }
        if (label == 0) {
            return end ? end : at;
        }
    }
    return 0;
}

static void check_records(const uint8_t *message, size_t size, size_t at)
{
    unsigned opts = 0;
    for (unsigned section = 0; section < 3; section++) {
        for (unsigned left = get_u16(message + AT_ANCOUNT + 2 * section); left > 0; left--) {
            at = name_end(message, size, at);
            SP_ASSERT(at != 0 && at + RR_FIXED_SIZE <= size);
            uint16_t type = get_u16(message + at);
            size_t end = at + RR_FIXED_SIZE + get_u16(message + at + 8);
            const struct rr_type_info *info = rr_type_find(type);
            SP_ASSERT(end <= size);
            size_t name = at + RR_FIXED_SIZE + (info ? info->name_offset : 0);
            for (unsigned i = 0; info != NULL && i < info->name_count; i++) {
                name = name_end(message, end, name);
                SP_ASSERT(name != 0 && name <= end);
            }
            opts += type == TYPE_OPT;
            SP_ASSERT(type != TYPE_OPT || section == 2);
            at = end;
        }
    }
    SP_ASSERT(at == size && opts <= 1);
}

static void check_answer(const uint8_t *query, size_t query_size, const uint8_t *message,
                         size_t size, size_t capacity)
{
    SP_ASSERT(size >= HEADER_SIZE && size <= capacity);
    unsigned flags = get_u16(message + AT_FLAGS), asked = get_u16(query + AT_FLAGS);
    SP_ASSERT(memcmp(message, query, 2) == 0);
    SP_ASSERT(flags & FLAG_QR && !(asked & FLAG_QR));
    SP_ASSERT((flags & MASK_OPCODE) == (asked & MASK_OPCODE));
    SP_ASSERT((flags & FLAG_RD) == (asked & FLAG_RD));
    SP_ASSERT((flags & 0x00f0) == 0);
    SP_ASSERT(get_u16(message + AT_QDCOUNT) <= 1);
    size_t at = HEADER_SIZE;
    if (get_u16(message + AT_QDCOUNT) == 1) {
        at = name_end(message, size, at);
        SP_ASSERT(at != 0 && at + QUESTION_FIXED_SIZE <= size);
        at += QUESTION_FIXED_SIZE;
        SP_ASSERT(at <= query_size && memcmp(message + 12, query + 12, at - 12) == 0);
    }
    SP_ASSERT(!(flags & FLAG_TC) || get_u16(message + AT_ANCOUNT) == 0);
    unsigned error = flags & 15;
    SP_ASSERT(error == RCODE_NOERROR || error == RCODE_NXDOMAIN || error == 6 ||
              get_u16(message + AT_ANCOUNT) == 0);
    check_records(message, size, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct worker *worker;
    if (size < 1 || size > 65536) {
        return 0;
    }
    worker = worker ? worker : worker_new(1);
    bool tcp = data[0] & 1;
    worker_set_time(worker, 1700000000);
    struct query_source source = {
        .address = {.family = data[0] & 2 ? FAMILY_IPV6 : FAMILY_IPV4, .bytes = {203, 0, 113, 1}},
        .port = (uint16_t)(data[0] & 4 ? data[0] : 53000),
        .transport = tcp ? (data[0] & 8 ? TRANSPORT_TLS : TRANSPORT_TCP) : TRANSPORT_UDP,
    };
    size_t capacity = tcp ? ANSWER_TCP_MAX : ANSWER_UDP_MAX;
    uint8_t *query = mem_copy(data + 1, size - 1), *out[3];
    struct message batch[2];
    for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
        out[i] = mem_alloc(capacity);
    }
    size_t written = answer(world(), worker, query, size - 1, &source, out[0]);
    for (size_t i = 0; i < ARRAY_SIZE(batch); i++) {
        batch[i] = (struct message){
            .query = query, .query_size = size - 1, .source = source, .out = out[i + 1]};
    }
    answer_batch(world(), worker, batch, ARRAY_SIZE(batch));
    if (written > 0) {
        check_answer(query, size - 1, out[0], written, capacity);
        check_answer(query, size - 1, out[1], batch[0].out_size, capacity);
        check_answer(query, size - 1, out[2], batch[1].out_size, capacity);
    } else {
        SP_ASSERT(size - 1 < HEADER_SIZE || query[2] & 0x80 || (!tcp && source.port < 1024));
        SP_ASSERT(batch[0].out_size == 0 && batch[1].out_size == 0);
    }
    free(query);
    for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
        free(out[i]);
    }
    return 0;
}
