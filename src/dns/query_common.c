// SPDX-License-Identifier: GPL-3.0-or-later
#include "dns/query_common.h"

enum {
    SUBNET_FIXED_SIZE = 8, // code, length, family, source and scope prefix length
    SUBNET_OCTETS_MAX = 8,
};

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

// The option as two numbers: its first eight octets, and the eight that end where it ends, which
// hold the address. What the first must be but for family and source prefix length is taken off it.
NOT_INLINE static bool parse_subnet(const uint8_t *end, size_t size, struct client_subnet *subnet)
{
    const size_t octets = size - SUBNET_FIXED_SIZE;
    if (octets - 1 >= SUBNET_OCTETS_MAX) {
        return false;
    }
    const uint64_t head = get_u64(end - size), address = get_u64(end - 8);
    const uint64_t rest = head - ((uint64_t)EDNS_ECS << 48) - ((uint64_t)(size - 4) << 32);
    const uint64_t family = rest >> 16; // 1 or 2
    const unsigned length = (uint8_t)(rest >> 8), scope = (uint8_t)rest;
    const unsigned spare = (unsigned)(8 * octets) - length; // bits that must be zero
    if (family - 1 > 1 || scope != 0 || spare > 7 || octets > 4 * family ||
        address >> spare << spare != address) {
        return false;
    }
    subnet_set(subnet, family == 1 ? FAMILY_IPV4 : FAMILY_IPV6, length, head,
               address << (64 - 8 * octets));
    return true;
}

// Nearly all that come are an IPv4 /24 (RFC 7871, 11.1): its first eight octets are one number.
#define HEAD_IPV4_24 ((uint64_t)EDNS_ECS << 48 | UINT64_C(7) << 32 | 1 << 16 | 24 << 8)

bool query_subnet_common(const uint8_t *end, size_t size, struct client_subnet *subnet)
{
    if (size != SUBNET_FIXED_SIZE + 3 || get_u64(end - size) != HEAD_IPV4_24) {
        return parse_subnet(end, size, subnet);
    }
    subnet_set(subnet, FAMILY_IPV4, 24, HEAD_IPV4_24, get_u64(end - 8) << 40);
    return true;
}
