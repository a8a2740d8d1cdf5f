// SPDX-License-Identifier: GPL-3.0-or-later
//
// The query parser. Called by answer() for every packet; walks the message once.
//
// Limits, with their reasons: one question (nobody serves more, RFC 9619); no answer records; one
// authority record only for IXFR (RFC 1995); at most QUERY_ADDITIONAL_MAX additional records (OPT,
// TSIG, SIG(0) and one to spare), so that a long packet of records costs no more than a short one.
#include "dns/query.h"

#include "dns/types.h"
#include "dns/wire.h"

#include <string.h>

struct cursor {
    const uint8_t *at, *end;
};

static size_t left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

// Owner names of other records may be compressed; nothing follows the pointers, they are stepped
// over.
static bool skip_name(struct cursor *cursor)
{
    while (cursor->at < cursor->end) {
        unsigned length = *cursor->at;
        if (length == 0) {
            cursor->at += 1;
            return true;
        }
        if (length >= 0xc0) {
            bool whole = left(cursor) >= 2;
            cursor->at += whole ? 2 : 0;
            return whole;
        }
        if (length > LABEL_MAX_SIZE || left(cursor) <= length) {
            return false;
        }
        cursor->at += length + 1;
    }
    return false;
}

// RFC 7871, 7.1.2: family 1 or 2, lengths in range, scope 0, exactly the bytes needed, no bits past
// the source length.
static bool parse_subnet(const uint8_t *data, size_t size, struct client_subnet *subnet)
{
    if (size < 4 || subnet->present) {
        return false;
    }
    unsigned family = get_u16(data), length = data[2], scope = data[3];
    if ((family != 1 && family != 2) || scope != 0) {
        return false;
    }
    enum family kind = family == 1 ? FAMILY_IPV4 : FAMILY_IPV6;
    size_t octets = (length + 7) / 8;
    if (length > family_bits(kind) || size - 4 != octets) {
        return false;
    }
    unsigned spare = (unsigned)(8 * octets) - length; // bits of the last octet that must be zero
    if (spare > 0 && data[4 + octets - 1] & ((1U << spare) - 1)) {
        return false;
    }
    subnet->address = (struct address){.family = (uint8_t)kind};
    memcpy(subnet->address.bytes, data + 4, octets);
    subnet->present = true;
    subnet->source_length = (uint8_t)length;
    subnet->head = get_u64(data - 4); // code and length stand before it
    return true;
}

static bool parse_options(const uint8_t *data, size_t size, struct query *query)
{
    struct cursor cursor = {data, data + size};
    for (unsigned count = 0; left(&cursor) > 0; count++) {
        if (left(&cursor) < 4) {
            return false;
        }
        unsigned code = get_u16(cursor.at);
        size_t length = get_u16(cursor.at + 2);
        cursor.at += 4;
        if (left(&cursor) < length || count >= EDNS_OPTIONS_MAX) {
            return false;
        }
        bool good = code == EDNS_ECS ? parse_subnet(cursor.at, length, &query->subnet)
                                     : edns_option_read(code, cursor.at, length, &query->options);
        if (!good) {
            return false;
        }
        cursor.at += length;
    }
    return true;
}

// One additional record; only OPT matters (RFC 6891). Sets *version when it is one.
static bool parse_additional(struct cursor *cursor, struct query *query, unsigned *version)
{
    const uint8_t *owner = cursor->at;
    if (left(cursor) > 0 && *owner == 0) {
        cursor->at++; // the root: OPT, nearly always
    } else if (!skip_name(cursor)) {
        return false;
    }
    if (left(cursor) < RR_FIXED_SIZE) {
        return false;
    }
    unsigned type = get_u16(cursor->at);
    size_t rdata_size = get_u16(cursor->at + 8);
    const uint8_t *fixed = cursor->at;
    cursor->at += RR_FIXED_SIZE;
    if (left(cursor) < rdata_size) {
        return false;
    }
    const uint8_t *rdata = cursor->at;
    cursor->at += rdata_size;
    if (type != TYPE_OPT) {
        return true;
    }
    if (query->edns || *owner != 0) {
        return false; // a second OPT, or one that is not at the root
    }
    query->edns = true;
    query->udp_payload = get_u16(fixed + 2);
    *version = fixed[5];
    query->dnssec_ok = fixed[6] & 0x80;
    return *version > 0 || parse_options(rdata, rdata_size, query);
}

static bool parse_question(struct cursor *cursor, struct query *query)
{
    size_t size = name_check(cursor->at, left(cursor));
    if (size == 0 || left(cursor) - size < QUESTION_FIXED_SIZE) {
        return false;
    }
    query->name = cursor->at;
    query->name_size = (uint16_t)size;
    query->type = get_u16(cursor->at + size);
    query->class = get_u16(cursor->at + size + 2);
    cursor->at += size + QUESTION_FIXED_SIZE;
    uint8_t padded[NAME_PADDED_SIZE]; // the message may end right behind the question
    memcpy(padded, query->name, size);
    name_fold_padded(padded, size, query->folded);
    return true;
}

// Records that are not looked at, as the SOA of a question for IXFR (RFC 1995, section 3).
static bool skip_records(struct cursor *cursor, unsigned count)
{
    for (; count > 0; count--) {
        struct query ignored;
        unsigned version;
        ignored.edns = true; // an OPT here is a fault, as a second one is
        if (!parse_additional(cursor, &ignored, &version)) {
            return false;
        }
    }
    return true;
}

// RFC 7873, 5.4: a client that only wants a cookie asks nothing.
static enum query_verdict parse_without_question(const uint8_t *message, struct cursor *cursor,
                                                 struct query *query)
{
    unsigned version = 0;
    bool good = get_u16(message + AT_ANCOUNT) == 0 && get_u16(message + AT_NSCOUNT) == 0 &&
                get_u16(message + AT_ARCOUNT) == 1 && parse_additional(cursor, query, &version);
    if (!good || left(cursor) > 0) {
        return QUERY_FORMERR;
    }
    if (version > 0) {
        return QUERY_BADVERS;
    }
    return query->options.asked & EDNS_ASKED_COOKIE ? QUERY_COOKIE : QUERY_FORMERR;
}

// A request of another opcode is read for its OPT, which the answer must have as well (RFC 6891,
// 6.1.1), as far as its sections are what all opcodes so far have: NOTIFY brings an answer record
// (RFC 1996, 3.7), UPDATE what it changes in the authority section (RFC 2136, 2). What cannot be
// read has none.
static void parse_unserved(const uint8_t *message, struct cursor *cursor, struct query *query)
{
    const unsigned questions = get_u16(message + AT_QDCOUNT);
    const unsigned records = get_u16(message + AT_ANCOUNT) + get_u16(message + AT_NSCOUNT);
    unsigned version = 0, additional = get_u16(message + AT_ARCOUNT);
    bool good = questions <= 1 && records <= QUERY_ADDITIONAL_MAX &&
                additional <= QUERY_ADDITIONAL_MAX &&
                (questions == 0 || parse_question(cursor, query)) && skip_records(cursor, records);
    for (; good && additional > 0; additional--) {
        good = parse_additional(cursor, query, &version);
    }
    if (!good || left(cursor) > 0) {
        query_begin(query);
    }
    query->name = NULL; // what it asks is not known
}

enum query_verdict query_parse(const uint8_t *message, size_t size, struct query *query)
{
    query_begin(query);
    if (size < HEADER_SIZE) {
        return QUERY_SILENCE;
    }
    query->flags = get_u16(message + AT_FLAGS);
    if (query->flags & FLAG_QR) {
        return QUERY_SILENCE;
    }
    struct cursor cursor = {message + HEADER_SIZE, message + size};
    if ((query->flags & MASK_OPCODE) != 0) {
        parse_unserved(message, &cursor, query);
        return QUERY_NOTIMP;
    }
    if (UNLIKELY(get_u16(message + AT_QDCOUNT) == 0)) {
        return parse_without_question(message, &cursor, query);
    }
    if (get_u16(message + AT_QDCOUNT) != 1 || !parse_question(&cursor, query)) {
        return QUERY_FORMERR;
    }
    unsigned authority = get_u16(message + AT_NSCOUNT), additional = get_u16(message + AT_ARCOUNT);
    if (get_u16(message + AT_ANCOUNT) != 0 || additional > QUERY_ADDITIONAL_MAX ||
        authority > (query->type == TYPE_IXFR ? 1U : 0U)) {
        return QUERY_FORMERR;
    }
    unsigned version = 0;
    bool good = skip_records(&cursor, authority);
    for (; good && additional > 0; additional--) {
        good = parse_additional(&cursor, query, &version);
    }
    if (!good || left(&cursor) > 0) {
        return QUERY_FORMERR;
    }
    return version > 0 ? QUERY_BADVERS : QUERY_GOOD;
}
