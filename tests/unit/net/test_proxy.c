// SPDX-License-Identifier: GPL-3.0-or-later
//
// PROXY headers: those that HAProxy and dnsdist send, each cut at every byte, each byte changed,
// and who is the client in every combination of source, header and trust.
#include "dns/wire.h"
#include "net/proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static struct prefix networks[2];
static struct proxy_trust trust = {networks, 2};

static int setup(void **state)
{
    (void)state;
    return prefix_parse("192.0.2.0/28", &networks[0], NULL) &&
                   prefix_parse("2001:db8:1::/64", &networks[1], NULL)
               ? 0
               : 1;
}

static struct query_source from(const char *address)
{
    struct query_source source = {.port = 4000, .transport = TRANSPORT_UDP};
    assert_true(address_parse(address, &source.address));
    return source;
}

// A header with `size` octets behind its fixed part.
static size_t make(uint8_t *out, unsigned command, unsigned family, const void *block, size_t size)
{
    memcpy(out, signature, sizeof(signature));
    out[12] = (uint8_t)command;
    out[13] = (uint8_t)family;
    put_u16(out + 14, (unsigned)size);
    memcpy(out + 16, block, size);
    return 16 + size;
}

static const uint8_t inet[12] = {198, 51, 100, 7, 192, 0, 2, 200, 0xd4, 0x31, 0, 53};
static const uint8_t inet6[36] = {0x20, 1, 0x0d, 0xb8, 0,    9, 0,    0,    0,    0,    0, 0,
                                  0,    0, 0,    8,    0x20, 1, 0x0d, 0xb8, 0,    1,    0, 0,
                                  0,    0, 0,    0,    0,    0, 0,    1,    0xd4, 0x31, 0, 53};
static const uint8_t mapped[36] = {0,   0,  0,   0, 0, 0, 0, 0, 0,    0,   0xff, 0xff,
                                   198, 51, 100, 7, 0, 0, 0, 0, 0,    0,   0,    0,
                                   0,   0,  0,   0, 0, 0, 0, 0, 0xd4, 0x31};

static void expect(const char *source_text, const uint8_t *bytes, size_t size, const char *client,
                   uint16_t port)
{
    struct query_source source = from(source_text);
    size_t header_size = 99;
    assert_int_equal(proxy_client(&trust, bytes, size, &source, &header_size), PROXY_DONE);
    struct query_source expected = from(client);
    assert_true(address_equal(&source.address, &expected.address));
    assert_int_equal(source.port, port);
    assert_true(header_size <= size);
}

static void test_clients(void **state)
{
    (void)state;
    static const struct {
        unsigned command, family;
        const uint8_t *block;
        size_t size;
        const char *client; // NULL: the header is bad; "": the proxy itself
    } cases[] = {
        {0x21, 0x11, inet, 12, "198.51.100.7"},
        {0x21, 0x12, inet, 12, "198.51.100.7"},
        {0x21, 0x21, inet6, 36, "2001:db8:9::8"},
        {0x21, 0x22, inet6, 36, "2001:db8:9::8"},
        {0x21, 0x22, mapped, 36, "198.51.100.7"},
        {0x20, 0x00, inet, 0, ""},
        {0x20, 0x11, inet, 12, ""},
        {0x21, 0x00, inet, 0, ""},
        {0x21, 0x31, inet6, 36, ""},
        {0x21, 0x11, inet, 11, NULL},
        {0x21, 0x21, inet6, 35, NULL},
        {0x21, 0x41, inet, 12, NULL},
        {0x21, 0x13, inet, 12, NULL},
        {0x22, 0x11, inet, 12, NULL},
        {0x11, 0x11, inet, 12, NULL},
        {0x01, 0x11, inet, 12, NULL},
    };
    static const char *const proxies[] = {"192.0.2.1", "2001:db8:1::53"};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t bytes[64];
        size_t size = make(bytes, cases[i].command, cases[i].family, cases[i].block, cases[i].size);
        for (size_t j = 0; j < ARRAY_SIZE(proxies); j++) {
            struct query_source source = from(proxies[j]);
            size_t header_size;
            if (cases[i].client == NULL) {
                assert_int_equal(proxy_client(&trust, bytes, size, &source, &header_size),
                                 PROXY_BAD);
            } else if (*cases[i].client == '\0') {
                expect(proxies[j], bytes, size, proxies[j], 4000);
            } else {
                expect(proxies[j], bytes, size, cases[i].client, 0xd431);
            }
        }
        // From elsewhere nothing is looked for: the bytes are the message.
        expect("198.51.100.99", bytes, size, "198.51.100.99", 4000);
        expect("192.0.2.16", bytes, size, "192.0.2.16", 4000);
        expect("2001:db8:2::53", bytes, size, "2001:db8:2::53", 4000);
    }
}

// Cut at every byte: more is wanted, at most what is still to come, and the source is not touched.
static void test_cuts(void **state)
{
    (void)state;
    uint8_t block[200] = {0}, bytes[300];
    memcpy(block, inet, sizeof(inet)); // the rest are type-length-values
    size_t size = make(bytes, 0x21, 0x12, block, sizeof(block));
    for (size_t cut = 0; cut < size; cut++) {
        struct query_source source = from("192.0.2.1");
        size_t header_size;
        assert_int_equal(proxy_client(&trust, bytes, cut, &source, &header_size), PROXY_MORE);
        assert_in_range(header_size, cut + 1, size);
        assert_int_equal(source.port, 4000);
    }
    struct query_source source = from("192.0.2.1");
    size_t header_size;
    assert_int_equal(proxy_client(&trust, bytes, sizeof(bytes), &source, &header_size), PROXY_DONE);
    assert_int_equal(header_size, size);
}

// A trusted proxy without a header is not served: not even a good query.
static void test_compulsory(void **state)
{
    (void)state;
    static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";
    struct query_source source = from("192.0.2.1");
    size_t header_size;
    assert_int_equal(proxy_client(&trust, query, sizeof(query) - 1, &source, &header_size),
                     PROXY_BAD);
    assert_true(header_size > 0);
    uint8_t bytes[64];
    size_t size = make(bytes, 0x21, 0x11, inet, sizeof(inet));
    for (size_t at = 0; at < sizeof(signature); at++) {
        bytes[at] ^= 0x20;
        assert_int_equal(proxy_client(&trust, bytes, size, &source, &header_size), PROXY_BAD);
        bytes[at] ^= 0x20;
    }
    put_u16(bytes + 14, PROXY_HEADER_MAX - PROXY_HEADER_MIN + 1);
    assert_int_equal(proxy_client(&trust, bytes, size, &source, &header_size), PROXY_BAD);
    put_u16(bytes + 14, PROXY_HEADER_MAX - PROXY_HEADER_MIN);
    assert_int_equal(proxy_client(&trust, bytes, size, &source, &header_size), PROXY_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_compulsory),
    };
    return cmocka_run_group_tests_name("net/proxy", tests, setup, NULL);
}
