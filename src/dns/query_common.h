// SPDX-License-Identifier: GPL-3.0-or-later
//
// The shape of nearly every query, parsed in one pass without a loop but over its labels:
//
//   header   QUERY, one question, one additional record, nothing else
//   question name, type, class
//   OPT      root, version 0; no option, or one client subnet; then the message ends
//
// The fixed parts are compared as whole words. OPT behind the name is also what makes it safe to
// fold the name in blocks: they end within the message. Anything else is left to query.c, which
// accepts all of this too, field by field; the tests compare the two. Inline, because answer() has
// it in a loop over many messages and the call would cost a sixth.
#pragma once

#include "dns/query.h"
#include "dns/types.h"
#include "dns/wire.h"

enum {
    OPT_FIXED_SIZE = 1 + RR_FIXED_SIZE,
    COMMON_SIZE_MIN = HEADER_SIZE + 1 + QUESTION_FIXED_SIZE + OPT_FIXED_SIZE,
    COMMON_SIZE_MAX = COMMON_SIZE_MIN + NAME_MAX_SIZE + 16, // with the longest subnet
};

_Static_assert(BLOCK_SIZE <= QUESTION_FIXED_SIZE + OPT_FIXED_SIZE + 1,
               "a block that begins in the name ends in the message");

// The four counts of the header: one question, one additional record.
#define COUNTS_COMMON UINT64_C(0x0001000000000001)

// Where the name at `at` ends; 0 when it has a label of another kind or does not end before
// `limit`.
static inline size_t query_name_end(const uint8_t *message, size_t at, size_t limit)
{
    while (at < limit) {
        size_t length = message[at];
        if (length - 1 >= LABEL_MAX_SIZE) {
            return length == 0 ? at + 1 : 0;
        }
        at += length + 1;
    }
    return 0;
}

// Of a client subnet option: code, length, family, source and scope prefix length.
enum { SUBNET_FIXED_SIZE = 8 };

static inline void subnet_set(struct client_subnet *subnet, enum family family, unsigned length,
                              uint64_t head, uint64_t address)
{
    subnet->present = true;
    subnet->source_length = (uint8_t)length;
    subnet->head = head;
    subnet->address.family = (uint8_t)family;
    put_u64(subnet->address.bytes, address);
    put_u64(subnet->address.bytes + 8, 0);
}

// A client subnet option that fills `size` bytes up to `end` (RFC 7871, section 6), with an address
// of one to eight octets. False: ask query_parse.
bool query_subnet_other(const uint8_t *end, size_t size, struct client_subnet *subnet);

// Nearly all that come are an IPv4 /24 (RFC 7871, 11.1): its first eight octets are one number.
#define HEAD_IPV4_24 ((uint64_t)EDNS_ECS << 48 | UINT64_C(7) << 32 | 1 << 16 | 24 << 8)

static inline bool query_subnet_common(const uint8_t *end, size_t size,
                                       struct client_subnet *subnet)
{
    if (UNLIKELY(size != SUBNET_FIXED_SIZE + 3 || get_u64(end - size) != HEAD_IPV4_24)) {
        return query_subnet_other(end, size, subnet);
    }
    subnet_set(subnet, FAMILY_IPV4, 24, HEAD_IPV4_24, get_u64(end - 8) << 40);
    return true;
}

// True when the message has that shape; then it is good, and every field is what query_parse would
// have made of it. False says nothing: ask query_parse.
static inline bool query_parse_common(const uint8_t *message, size_t size, struct query *query)
{
    if (size - COMMON_SIZE_MIN > COMMON_SIZE_MAX - COMMON_SIZE_MIN) {
        return false;
    }
    unsigned flags = get_u16(message + AT_FLAGS);
    if (get_u64(message + AT_QDCOUNT) != COUNTS_COMMON || flags & (FLAG_QR | MASK_OPCODE)) {
        return false;
    }
    size_t limit = size - QUESTION_FIXED_SIZE - OPT_FIXED_SIZE;
    size_t end = query_name_end(message, HEADER_SIZE, limit);
    if (end == 0 || end > HEADER_SIZE + NAME_MAX_SIZE) {
        return false;
    }
    const uint8_t *question = message + end, *opt = question + QUESTION_FIXED_SIZE;
    size_t rdata_size = size - (end + QUESTION_FIXED_SIZE + OPT_FIXED_SIZE);
    // OPT at the root: a zero before the type.
    bool is_opt = (get_u32(opt) & 0xffffff00) == TYPE_OPT << 8;
    if (!is_opt || opt[6] != 0 || get_u16(opt + 9) != rdata_size) { // version 0
        return false;
    }
    query->subnet.present = false;
    query->options.asked = 0;
    query->name = message + HEADER_SIZE;
    query->name_size = (uint16_t)(end - HEADER_SIZE);
    const uint32_t asked = get_u32(question);
    query->type = (uint16_t)(asked >> 16);
    query->class = (uint16_t)asked;
    query->flags = (uint16_t)flags;
    query->edns = true;
    query->dnssec_ok = opt[7] >> 7;
    query->udp_payload = get_u16(opt + 3);
    name_fold_padded(query->name, end - HEADER_SIZE, query->folded);
    return rdata_size == 0 || query_subnet_common(message + size, rdata_size, &query->subnet);
}
