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
    SUBNET_FIXED_SIZE = 8, // code, length, family, source and scope prefix length
    SUBNET_OCTETS_MAX = 8,
};

_Static_assert(BLOCK_SIZE <= QUESTION_FIXED_SIZE + OPT_FIXED_SIZE + 1,
               "a block that begins in the name ends in the message");

// The four counts of the header: one question, one additional record.
#define COUNTS_COMMON UINT64_C(0x0001000000000001)

// OPT as a number: root, type 41, (payload, extended rcode), version 0, (flags).
#define OPT_MASK   UINT64_C(0xffffff000000ff00)
#define OPT_COMMON ((uint64_t)TYPE_OPT << 40)

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

// A client subnet option that fills `size` bytes up to `end` (RFC 7871, section 6). The address is
// the word that ends there, its octets shifted to the top.
static inline bool query_subnet_common(const uint8_t *end, size_t size,
                                       struct client_subnet *subnet)
{
    size_t octets = size - SUBNET_FIXED_SIZE;
    if (octets - 1 >= SUBNET_OCTETS_MAX) {
        return false;
    }
    uint64_t head = get_u64(end - size);
    unsigned length = head >> 8 & 0xff, family = head >> 16 & 0xffff;
    uint64_t key = get_u64(end - 8) << (64 - 8 * octets);
    uint64_t expected = (uint64_t)EDNS_ECS << 48 | (uint64_t)(octets + 4) << 32 |
                        (uint64_t)family << 16 | (uint64_t)length << 8;
    if (head != expected || (length + 7) / 8 != octets || key << (length - 1) << 1 != 0) {
        return false;
    }
    if (family == 1 ? length > 32 : family != 2) {
        return false;
    }
    subnet->present = true;
    subnet->source_length = (uint8_t)length;
    subnet->address.family = family == 1 ? FAMILY_IPV4 : FAMILY_IPV6;
    put_u64(subnet->address.bytes, key);
    put_u64(subnet->address.bytes + 8, 0);
    return true;
}

// True when the message has that shape; then it is good, and every field is what query_parse would
// have made of it. False says nothing: ask query_parse.
static inline bool query_parse_common(const uint8_t *message, size_t size, struct query *query)
{
    if (size < HEADER_SIZE + 1 + QUESTION_FIXED_SIZE + OPT_FIXED_SIZE) {
        return false;
    }
    unsigned flags = get_u16(message + AT_FLAGS);
    if (get_u64(message + AT_QDCOUNT) != COUNTS_COMMON || flags & (FLAG_QR | MASK_OPCODE)) {
        return false;
    }
    size_t limit = size - QUESTION_FIXED_SIZE - OPT_FIXED_SIZE;
    size_t end =
        query_name_end(message, HEADER_SIZE, MIN(limit, (size_t)HEADER_SIZE + NAME_MAX_SIZE));
    if (end == 0) {
        return false;
    }
    const uint8_t *question = message + end, *opt = question + QUESTION_FIXED_SIZE;
    uint64_t fixed = get_u64(opt);
    size_t rdata_size = size - (end + QUESTION_FIXED_SIZE + OPT_FIXED_SIZE);
    if ((fixed & OPT_MASK) != OPT_COMMON || get_u16(opt + 9) != rdata_size) {
        return false;
    }
    query->subnet.present = false;
    query->options.asked = 0;
    if (rdata_size > 0 && !query_subnet_common(message + size, rdata_size, &query->subnet)) {
        return false;
    }
    query->name = message + HEADER_SIZE;
    query->name_size = (uint16_t)(end - HEADER_SIZE);
    query->type = get_u16(question);
    query->class = get_u16(question + 2);
    query->flags = (uint16_t)flags;
    query->edns = true;
    query->dnssec_ok = fixed & 0x80;
    query->udp_payload = MAX((uint16_t)(fixed >> 24), QUERY_PAYLOAD_MIN);
    name_fold_padded(query->name, query->name_size, query->folded);
    return true;
}
