// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text and socket forms of addresses. Everything that takes text is strict: decimal digits only, no
// signs, no spaces, no short forms, so that what an operator wrote is what is meant.
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct address address_from_key(enum family family, uint64_t key)
{
    struct address address = {.family = (uint8_t)family};
    unsigned count = family == FAMILY_IPV4 ? 4 : 8;
    for (unsigned i = 0; i < count; i++) {
        address.bytes[i] = (uint8_t)(key >> (56 - 8 * i));
    }
    return address;
}

bool address_parse(const char *text, struct address *address)
{
    struct address parsed = {0};
    if (inet_pton(AF_INET, text, parsed.bytes) == 1) {
        parsed.family = FAMILY_IPV4;
    } else if (inet_pton(AF_INET6, text, parsed.bytes) == 1) {
        parsed.family = FAMILY_IPV6;
    } else {
        return false;
    }
    *address = parsed;
    return true;
}

void address_mask(struct address *address, unsigned length)
{
    for (unsigned i = 0; i < sizeof(address->bytes); i++) {
        unsigned kept = length > 8 * i ? MIN(length - 8 * i, 8U) : 0;
        address->bytes[i] &= (uint8_t)(0xff00U >> kept);
    }
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

// Decimal digits only, at most `max`; strtoul would take signs and spaces.
static bool parse_number(const char *text, unsigned max, unsigned *value)
{
    unsigned number = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 5) {
        return false;
    }
    for (; *text; text++) {
        if (*text < '0' || *text > '9') {
            return false;
        }
        number = number * 10 + (unsigned)(*text - '0');
    }
    *value = number;
    return number <= max;
}

bool prefix_parse(const char *text, struct prefix *prefix, bool *host_bits)
{
    char copy[PREFIX_TEXT_MAX];
    if (host_bits) {
        *host_bits = false;
    }
    size_t size = strlen(text) + 1;
    if (size > sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, size);
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
    }
    struct prefix parsed = {0};
    if (!address_parse(copy, &parsed.address)) {
        return false;
    }
    unsigned length = family_bits(parsed.address.family);
    if (slash && !parse_number(slash + 1, length, &length)) {
        return false;
    }
    struct address masked = parsed.address;
    address_mask(&masked, length);
    if (!address_equal(&masked, &parsed.address)) {
        if (host_bits) {
            *host_bits = true;
        }
        return false;
    }
    parsed.length = (uint8_t)length;
    *prefix = parsed;
    return true;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    int family = address->family == FAMILY_IPV4 ? AF_INET : AF_INET6;
    if (address->family == FAMILY_NONE ||
        !inet_ntop(family, address->bytes, text, ADDRESS_TEXT_MAX)) {
        snprintf(text, ADDRESS_TEXT_MAX, "none");
    }
    return text;
}

const char *prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX])
{
    char address[ADDRESS_TEXT_MAX];
    snprintf(text, PREFIX_TEXT_MAX, "%s/%u", address_format(&prefix->address, address),
             prefix->length);
    return text;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
    struct address masked = *address;
    address_mask(&masked, prefix->length);
    return address_equal(&masked, &prefix->address);
}

bool address_from_sockaddr(const struct sockaddr *from, struct address *address, uint16_t *port)
{
    *address = (struct address){0};
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        address->family = FAMILY_IPV4;
        memcpy(address->bytes, &in->sin_addr, 4);
        *port = ntohs(in->sin_port);
        return true;
    }
    if (from->sa_family != AF_INET6) {
        return false;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        address->family = FAMILY_IPV4;
        memcpy(address->bytes, in6->sin6_addr.s6_addr + 12, 4);
    } else {
        address->family = FAMILY_IPV6;
        memcpy(address->bytes, &in6->sin6_addr, 16);
    }
    *port = ntohs(in6->sin6_port);
    return true;
}

socklen_t address_to_sockaddr(const struct address *address, uint16_t port,
                              struct sockaddr_storage *to)
{
    memset(to, 0, sizeof(*to));
    if (address->family == FAMILY_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)to;
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        memcpy(&in->sin_addr, address->bytes, 4);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)to;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    memcpy(&in6->sin6_addr, address->bytes, 16);
    return sizeof(*in6);
}

bool endpoint_parse(const char *text, bool allow_zero, struct address *address, uint16_t *port)
{
    char copy[SOCKADDR_TEXT_MAX];
    unsigned number;
    size_t length = strlen(text);
    const char *colon = strrchr(text, ':');
    if (length >= sizeof(copy) || colon == NULL || !parse_number(colon + 1, 65535, &number) ||
        (number == 0 && !allow_zero)) {
        return false;
    }
    size_t host_length = (size_t)(colon - text);
    bool bracketed = host_length >= 2 && text[0] == '[' && text[host_length - 1] == ']';
    memcpy(copy, text + bracketed, host_length - 2 * bracketed);
    copy[host_length - 2 * bracketed] = '\0';
    struct address parsed;
    if (!address_parse(copy, &parsed) || bracketed != (parsed.family == FAMILY_IPV6)) {
        return false;
    }
    *address = parsed;
    *port = (uint16_t)number;
    return true;
}

const char *endpoint_format(const struct address *address, uint16_t port,
                            char text[SOCKADDR_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    const char *form = address->family == FAMILY_IPV6 ? "[%s]:%u" : "%s:%u";
    snprintf(text, SOCKADDR_TEXT_MAX, form, address_format(address, host), port);
    return text;
}
