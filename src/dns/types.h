// SPDX-License-Identifier: GPL-3.0-or-later
//
// The numbers of the protocol, and one table of record types.
#pragma once

#include "base/base.h"

enum rr_type {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_PTR = 12,
    TYPE_HINFO = 13,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_RP = 17,
    TYPE_AFSDB = 18,
    TYPE_RT = 21,
    TYPE_SIG = 24,
    TYPE_AAAA = 28,
    TYPE_LOC = 29,
    TYPE_SRV = 33,
    TYPE_NAPTR = 35,
    TYPE_KX = 36,
    TYPE_DNAME = 39,
    TYPE_OPT = 41,
    TYPE_DS = 43,
    TYPE_SSHFP = 44,
    TYPE_RRSIG = 46,
    TYPE_NSEC = 47,
    TYPE_DNSKEY = 48,
    TYPE_TLSA = 52,
    TYPE_OPENPGPKEY = 61,
    TYPE_SVCB = 64,
    TYPE_HTTPS = 65,
    TYPE_SPF = 99,
    TYPE_TSIG = 250,
    TYPE_IXFR = 251,
    TYPE_AXFR = 252,
    TYPE_MAILB = 253,
    TYPE_MAILA = 254,
    TYPE_ANY = 255,
    TYPE_URI = 256,
    TYPE_CAA = 257,
    TYPE_ALIAS = 65401, // of our own: the addresses of another name; never goes out as such
};

enum rr_class { CLASS_IN = 1, CLASS_CH = 3, CLASS_NONE = 254, CLASS_ANY = 255 };

enum opcode { OPCODE_QUERY = 0, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5 };

enum rcode {
    RCODE_NOERROR = 0,
    RCODE_FORMERR = 1,
    RCODE_SERVFAIL = 2,
    RCODE_NXDOMAIN = 3,
    RCODE_NOTIMP = 4,
    RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6,
    RCODE_BADVERS = 16, // extended: four bits in the header, eight in OPT
    RCODE_BADCOOKIE = 23,
};

// Where names stand in the rdata of a type, for compression and additional-section processing.
// Only the types of RFC 1035 may be compressed on output (RFC 3597, section 4).
struct rr_type_info {
    uint16_t type;
    const char *name;
    uint8_t name_offset;   // fixed bytes before the first name
    uint8_t name_count;    // names that follow each other there; 0: none
    bool compressible;     // the names may be compressed
    bool wants_additional; // addresses of the (last) name belong into the additional section
};

// The row of a type, or NULL for types without one (they are opaque, RFC 3597).
const struct rr_type_info *rr_type_find(uint16_t type);
// "AAAA" or "TYPE65280" (RFC 3597, section 5). `text` has room for RR_TYPE_TEXT_MAX.
enum { RR_TYPE_TEXT_MAX = 16 };
const char *rr_type_format(uint16_t type, char text[RR_TYPE_TEXT_MAX]);
// Case-insensitive; also TYPEnnn. False if unknown.
bool rr_type_parse(const char *text, uint16_t *type);
