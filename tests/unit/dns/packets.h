// SPDX-License-Identifier: GPL-3.0-or-later
//
// Queries in the making, and both parsers asked about each: the one for the common shape takes only
// good queries, and gives what the other gives. Needs cmocka.h before it.
#pragma once

#include "base/memory.h"
#include "dns/query_common.h"
#include "dns/types.h"
#include "dns/wire.h"

#include <string.h>

struct packet {
    uint8_t bytes[2048];
    size_t size;
};

static inline void put(struct packet *packet, const void *bytes, size_t size)
{
    memcpy(packet->bytes + packet->size, bytes, size);
    packet->size += size;
}

static inline void put16(struct packet *packet, unsigned value)
{
    put_u16(packet->bytes + packet->size, value);
    packet->size += 2;
}

static inline struct packet header(unsigned flags, unsigned questions, unsigned answers,
                                   unsigned authority, unsigned additional)
{
    struct packet packet = {.size = 0};
    const unsigned words[] = {0x1234, flags, questions, answers, authority, additional};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        put16(&packet, words[i]);
    }
    return packet;
}

#define WWW "\3wWw\7Example\3com"

static inline void put_question(struct packet *packet, unsigned type)
{
    put(packet, WWW, sizeof(WWW));
    put16(packet, type);
    put16(packet, CLASS_IN);
}

static inline void put_record(struct packet *packet, const char *owner, size_t owner_size,
                              unsigned type, unsigned class, uint32_t ttl, const void *rdata,
                              size_t rdata_size)
{
    put(packet, owner, owner_size);
    put16(packet, type);
    put16(packet, class);
    put16(packet, ttl >> 16);
    put16(packet, ttl & 0xffff);
    put16(packet, (unsigned)rdata_size);
    put(packet, rdata, rdata_size);
}

static inline void put_opt(struct packet *packet, unsigned payload, uint32_t ttl,
                           const void *options, size_t size)
{
    put_record(packet, "", 1, TYPE_OPT, payload, ttl, options, size);
}

static inline struct packet question(unsigned flags)
{
    struct packet packet = header(flags, 1, 0, 0, 0);
    put_question(&packet, TYPE_A);
    return packet;
}

static inline struct packet with_opt(unsigned payload, uint32_t ttl, const void *options,
                                     size_t size)
{
    struct packet packet = header(FLAG_RD, 1, 0, 0, 1);
    put_question(&packet, TYPE_A);
    put_opt(&packet, payload, ttl, options, size);
    return packet;
}

static unsigned common_count;

// The short way takes only good queries, and gives what the long one gives.
static inline void check_common(const uint8_t *bytes, size_t size, enum query_verdict verdict,
                                const struct query *query)
{
    struct query common;
    memset(&common, 0xee, sizeof(common));
    if (!query_parse_common(bytes, size, &common)) {
        return;
    }
    common_count++;
    assert_int_equal(verdict, QUERY_GOOD);
    assert_ptr_equal(common.name, query->name);
    assert_int_equal(common.name_size, query->name_size);
    assert_int_equal(common.type, query->type);
    assert_int_equal(common.class, query->class);
    assert_int_equal(common.flags, query->flags);
    assert_int_equal(common.edns, query->edns);
    assert_int_equal(common.dnssec_ok, query->dnssec_ok);
    assert_int_equal(common.udp_payload, query->udp_payload);
    assert_int_equal(common.options.asked, query->options.asked);
    assert_int_equal(common.subnet.present, query->subnet.present);
    if (query->subnet.present) {
        assert_int_equal(common.subnet.source_length, query->subnet.source_length);
        assert_true(common.subnet.head == query->subnet.head);
        assert_true(address_equal(&common.subnet.address, &query->subnet.address));
    }
    size_t padded = (query->name_size + 15U) / 16 * 16 + 16;
    assert_memory_equal(common.folded, query->folded, padded);
}

static inline enum query_verdict parse(const uint8_t *bytes, size_t size, struct query *query)
{
    uint8_t *copy = mem_copy(bytes, size); // exactly: a sanitizer sees a read past the end
    enum query_verdict verdict = query_parse(copy, size, query);
    check_common(copy, size, verdict, query);
    if (query->name != NULL && size >= HEADER_SIZE) {
        query->name = bytes + (query->name - copy);
    }
    free(copy);
    return verdict;
}
