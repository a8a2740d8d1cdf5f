// SPDX-License-Identifier: GPL-3.0-or-later
#include "dns/query_common.h"

enum { SUBNET_OCTETS_MAX = 8 };

// The option as two numbers: its first eight octets, and the eight that end where it ends, which
// hold the address. What the first must be but for family and source prefix length is taken off it.
bool query_subnet_other(const uint8_t *end, size_t size, struct client_subnet *subnet)
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
