// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading a PROXY header. Type-length-values behind the addresses are stepped over. See proxy.h.
#include "net/proxy.h"

#include "dns/wire.h"

#include <string.h>

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum {
    AT_COMMAND = 12,
    AT_FAMILY = 13,
    AT_LENGTH = 14,
    VERSION_2 = 0x20,
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
    FAMILY_INET = 1,
    FAMILY_INET6 = 2,
    FAMILY_LAST = 3,   // UNIX
    PROTOCOL_LAST = 2, // DGRAM
    INET_SIZE = 12,    // two addresses, two ports
    INET6_SIZE = 36,
};

bool proxy_expected(const struct proxy_trust *trust, const struct address *source)
{
    for (size_t i = 0; i < trust->count; i++) {
        if (prefix_contains(&trust->networks[i], source)) {
            return true;
        }
    }
    return false;
}

// The source address and port of the block; an IPv4-mapped IPv6 address becomes IPv4, as it does
// everywhere else.
static bool take_addresses(const uint8_t *block, size_t size, unsigned family,
                           struct query_source *source)
{
    if (family == FAMILY_INET && size >= INET_SIZE) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        memcpy(&in.sin_addr, block, sizeof(in.sin_addr));
        memcpy(&in.sin_port, block + 8, sizeof(in.sin_port));
        return address_from_sockaddr((struct sockaddr *)&in, &source->address, &source->port);
    }
    if (family == FAMILY_INET6 && size >= INET6_SIZE) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        memcpy(&in6.sin6_addr, block, sizeof(in6.sin6_addr));
        memcpy(&in6.sin6_port, block + 32, sizeof(in6.sin6_port));
        return address_from_sockaddr((struct sockaddr *)&in6, &source->address, &source->port);
    }
    return family != FAMILY_INET && family != FAMILY_INET6;
}

enum proxy_verdict proxy_client(const struct proxy_trust *trust, const uint8_t *bytes, size_t size,
                                struct query_source *source, size_t *header_size)
{
    *header_size = 0;
    if (LIKELY(trust->count == 0) || !proxy_expected(trust, &source->address)) {
        return PROXY_DONE;
    }
    *header_size = PROXY_HEADER_MIN;
    if (memcmp(bytes, signature, MIN(size, sizeof(signature))) != 0) {
        return PROXY_BAD;
    }
    if (size < PROXY_HEADER_MIN) {
        return PROXY_MORE;
    }
    unsigned command = bytes[AT_COMMAND] ^ VERSION_2;
    unsigned family = bytes[AT_FAMILY] >> 4, protocol = bytes[AT_FAMILY] & 15;
    size_t length = get_u16(bytes + AT_LENGTH);
    *header_size += length;
    if (command > COMMAND_PROXY || family > FAMILY_LAST || protocol > PROTOCOL_LAST ||
        *header_size > PROXY_HEADER_MAX) {
        return PROXY_BAD;
    }
    if (size < *header_size) {
        return PROXY_MORE;
    }
    if (command == COMMAND_LOCAL) {
        return PROXY_DONE; // the proxy's own: its health check
    }
    return take_addresses(bytes + PROXY_HEADER_MIN, length, family, source) ? PROXY_DONE
                                                                            : PROXY_BAD;
}
