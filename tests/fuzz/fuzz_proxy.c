// SPDX-License-Identifier: GPL-3.0-or-later
//
// PROXY headers: any bytes from a trusted proxy. Whatever is decided from a part of the bytes must
// agree with what is decided from all of them. The first octet says which family the proxy has.
#include "fuzz.h"

#include "net/proxy.h"

static const struct prefix networks[] = {
    {{FAMILY_IPV4, {192, 0, 2, 0}}, 24},
    {{FAMILY_IPV6, {0x20, 1, 0x0d, 0xb8}}, 32},
};

static struct query_source proxy_source(bool ipv6)
{
    struct query_source source = {.address = networks[ipv6].address, .port = 4000};
    source.address.bytes[15] = ipv6 ? 1 : 0;
    return source;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const struct proxy_trust trust = {networks, ARRAY_SIZE(networks)};
    bool ipv6 = data[0] & 1;
    size_t header_size, part_size;
    uint8_t *bytes = mem_copy(data + 1, size - 1); // of exactly that size, for the sanitizers
    struct query_source source = proxy_source(ipv6);
    const struct query_source before = source;
    enum proxy_verdict verdict = proxy_client(&trust, bytes, size - 1, &source, &header_size);
    SP_ASSERT(header_size >= PROXY_HEADER_MIN);
    switch (verdict) {
    case PROXY_DONE:
        SP_ASSERT(header_size <= size - 1 && header_size <= PROXY_HEADER_MAX);
        SP_ASSERT(source.address.family == FAMILY_IPV4 || source.address.family == FAMILY_IPV6);
        break;
    case PROXY_MORE:
        SP_ASSERT(header_size > size - 1 && header_size <= PROXY_HEADER_MAX);
        break;
    case PROXY_BAD:
        break;
    }
    if (verdict != PROXY_DONE) {
        SP_ASSERT(address_equal(&source.address, &before.address) && source.port == before.port);
    }
    size_t whole_size = verdict == PROXY_DONE ? header_size : size - 1;
    for (size_t part = 0; part < whole_size; part++) {
        uint8_t *copy = mem_copy(bytes, part);
        struct query_source other = before;
        enum proxy_verdict early = proxy_client(&trust, copy, part, &other, &part_size);
        SP_ASSERT(early == PROXY_MORE || (early == PROXY_BAD && verdict == PROXY_BAD));
        SP_ASSERT(early == PROXY_BAD || part_size > part);
        free(copy);
    }
    free(bytes);
    return 0;
}
