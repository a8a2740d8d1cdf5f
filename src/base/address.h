// SPDX-License-Identifier: GPL-3.0-or-later
//
// IP addresses and prefixes of both families, and the 64-bit key under which both are looked up.
//
// The key of an IPv4 address is the address in the upper 32 bits; of an IPv6 address its first 64
// bits (steering never looks past a /64, the smallest network that a site hands to a client).
// Pure; any thread.
#pragma once

#include "base/base.h"

#include <endian.h>
#include <netinet/in.h>
#include <string.h>

enum family { FAMILY_NONE = 0, FAMILY_IPV4 = 4, FAMILY_IPV6 = 6 };

struct address {
    uint8_t family;    // enum family
    uint8_t bytes[16]; // network order; IPv4 in the first four, the rest zero
};

struct prefix {
    struct address address; // bits past `length` are zero
    uint8_t length;         // 0..32 or 0..128
};

// Where a server listens.
struct endpoint {
    struct address address;
    uint16_t port;
};

enum { ADDRESS_TEXT_MAX = 46, PREFIX_TEXT_MAX = 50, SOCKADDR_TEXT_MAX = 56 };

static inline uint64_t address_key(const struct address *address)
{
    uint64_t wire; // an IPv4 address is followed by zeros
    memcpy(&wire, address->bytes, sizeof(wire));
    return be64toh(wire);
}

// The inverse of address_key: low bits of the address are zero.
struct address address_from_key(enum family family, uint64_t key);

// Number of bits in an address of this family: 32 or 128.
static inline unsigned family_bits(enum family family)
{
    return family == FAMILY_IPV4 ? 32 : 128;
}

// "192.0.2.1" or "2001:db8::1", nothing else. False leaves *address alone.
bool address_parse(const char *text, struct address *address);
// "192.0.2.0/24"; a bare address is its own /32 or /128. False on bad syntax or when bits are set
// past the length (host bits); *host_bits (may be NULL) tells the second reason apart.
bool prefix_parse(const char *text, struct prefix *prefix, bool *host_bits);
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);
const char *prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX]);
bool prefix_contains(const struct prefix *prefix, const struct address *address);
// Sets every bit past `length` to zero.
void address_mask(struct address *address, unsigned length);
bool address_equal(const struct address *a, const struct address *b);

// Conversions to and from the system's form. An IPv4-mapped IPv6 socket address becomes IPv4.
bool address_from_sockaddr(const struct sockaddr *from, struct address *address, uint16_t *port);
socklen_t address_to_sockaddr(const struct address *address, uint16_t port,
                              struct sockaddr_storage *to);
// "127.0.0.1:5300" or "[::1]:5300"; the port is compulsory, 1..65535 (0 is taken when allow_zero).
bool endpoint_parse(const char *text, bool allow_zero, struct address *address, uint16_t *port);
const char *endpoint_format(const struct address *address, uint16_t port,
                            char text[SOCKADDR_TEXT_MAX]);
