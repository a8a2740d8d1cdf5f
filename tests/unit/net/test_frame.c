// SPDX-License-Identifier: GPL-3.0-or-later
//
// Frames: read by offsets, turned round, and their checksums against a slow sum by the book
// (RFC 1071), over all payload sizes.
#include "dns/wire.h"
#include "net/frame.h"
#include "../seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 2048, CLIENT_PORT = 40000, SERVER_PORT = 53 };

struct built {
    uint8_t bytes[ROOM];
    size_t size;
    size_t ip_size; // of the IP header
};

// The sum of 16-bit words in network order, folded after each.
static uint16_t sum_by_the_book(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += 2) {
        sum += (unsigned)bytes[i] << 8 | (i + 1 < size ? bytes[i + 1] : 0);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

// With its checksum field in place a good header or datagram sums up to all ones.
static void assert_checksums(const struct built *built)
{
    const uint8_t *ip = built->bytes + FRAME_ETHERNET_SIZE;
    const uint8_t *udp = ip + built->ip_size;
    size_t size = built->size - FRAME_ETHERNET_SIZE - built->ip_size;
    bool old = built->ip_size == FRAME_IPV4_SIZE;
    if (old) {
        assert_int_equal(sum_by_the_book(0, ip, FRAME_IPV4_SIZE), 0xffff);
    }
    uint32_t sum = sum_by_the_book(17 + (uint32_t)size, ip + (old ? 12 : 8), old ? 8 : 32);
    assert_int_equal(sum_by_the_book(sum, udp, size), 0xffff);
    assert_int_not_equal(get_u16(udp + 6), 0);
}

// Headers up to the payload: two stations, IPv4 with DF and a traffic class set, 192.0.2.7 to
// 198.51.100.1.
static const char head_ipv4[] = "\2\0\0\0\0\1"
                                "\2\0\0\0\0\2"
                                "\x08\x00"
                                "\x45\xbb\0\0\x12\x34\x40\0\x3d\x11\0\0"
                                "\xc0\x00\x02\x07"
                                "\xc6\x33\x64\x01";
// IPv6 with a traffic class and a flow label, 2001:db8::7 to 2001:db8:0:1::1.
static const char head_ipv6[] = "\2\0\0\0\0\1"
                                "\2\0\0\0\0\2"
                                "\x86\xdd"
                                "\x6b\xb1\x23\x45\0\0\x11\x3d"
                                "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
                                "\x20\x01\x0d\xb8\0\0\0\1\0\0\0\0\0\0\0\1";

static void put_udp(uint8_t *udp, size_t payload_size)
{
    put_u16(udp, CLIENT_PORT);
    put_u16(udp + 2, SERVER_PORT);
    put_u16(udp + 4, (unsigned)(FRAME_UDP_SIZE + payload_size));
    put_u16(udp + 6, 0xabcd);
}

static struct built build_ipv4(size_t payload_size)
{
    struct built built = {.size = 42 + payload_size, .ip_size = FRAME_IPV4_SIZE};
    memcpy(built.bytes, head_ipv4, sizeof(head_ipv4) - 1);
    put_u16(built.bytes + 16, (unsigned)(28 + payload_size));
    put_udp(built.bytes + 34, payload_size);
    return built;
}

static struct built build_ipv6(size_t payload_size)
{
    struct built built = {.size = 62 + payload_size, .ip_size = FRAME_IPV6_SIZE};
    memcpy(built.bytes, head_ipv6, sizeof(head_ipv6) - 1);
    put_u16(built.bytes + 18, (unsigned)(8 + payload_size));
    put_udp(built.bytes + 54, payload_size);
    return built;
}

typedef struct built builder(size_t payload_size);
static builder *const builders[] = {build_ipv4, build_ipv6};

static void test_turned_at_every_size(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (size_t family = 0; family < ARRAY_SIZE(builders); family++) {
        for (size_t size = 0; size <= 1232; size++) {
            struct built query = builders[family](12), answer = query;
            struct frame frame, back;
            assert_true(frame_read(query.bytes, query.size, &frame));
            assert_int_equal(frame.payload_size, 12);
            assert_int_equal(frame.port, CLIENT_PORT);
            for (size_t i = 0; i < size; i++) {
                random = random * 6364136223846793005ULL + 1442695040888963407ULL;
                answer.bytes[frame.payload_at + i] = (uint8_t)(random >> 56);
            }
            answer.size = frame_turn(answer.bytes, &frame, size, (uint16_t)size);
            assert_int_equal(answer.size, frame.payload_at + size);
            assert_checksums(&answer);
            bool old = answer.ip_size == FRAME_IPV4_SIZE;
            assert_int_equal(get_u16(answer.bytes + 14), old ? 0x4500 : 0x6000);
            assert_true(old || get_u16(answer.bytes + 16) == 0);
            assert_int_equal(answer.bytes[old ? 22 : 21], 64); // hops, whatever the query had left
            assert_true(frame_read(answer.bytes, answer.size, &back));
            assert_true(address_equal(&back.source, &frame.destination));
            assert_true(address_equal(&back.destination, &frame.source));
            assert_int_equal(back.port, SERVER_PORT);
            assert_int_equal(back.payload_size, size);
            assert_memory_equal(answer.bytes, query.bytes + 6, 6);
            assert_memory_equal(answer.bytes + 6, query.bytes, 6);
        }
    }
}

// A sum of zero is sent as its other form: zero would say that there is no checksum (RFC 768).
static void test_checksum_is_never_zero(void **state)
{
    (void)state;
    for (size_t family = 0; family < ARRAY_SIZE(builders); family++) {
        struct built built = builders[family](2);
        struct frame frame;
        assert_true(frame_read(built.bytes, built.size, &frame));
        struct built first = built;
        put_u16(first.bytes + frame.payload_at, 0);
        frame_turn(first.bytes, &frame, 2, 0);
        // The payload that makes up for all the rest.
        put_u16(built.bytes + frame.payload_at,
                get_u16(first.bytes + frame.payload_at - FRAME_UDP_SIZE + 6));
        built.size = frame_turn(built.bytes, &frame, 2, 0);
        assert_int_equal(get_u16(built.bytes + frame.payload_at - 2), 0xffff);
        assert_checksums(&built);
    }
}

static void test_padding_is_no_payload(void **state)
{
    (void)state;
    struct built built = build_ipv4(5);
    struct frame frame;
    assert_true(frame_read(built.bytes, 60, &frame)); // the shortest Ethernet frame
    assert_int_equal(frame.payload_size, 5);
}

static void test_cut_at_every_octet(void **state)
{
    (void)state;
    for (size_t family = 0; family < ARRAY_SIZE(builders); family++) {
        struct built built = builders[family](40);
        struct frame frame;
        for (size_t size = 0; size < built.size; size++) {
            uint8_t *cut = malloc(size + 1); // its end is watched by sanitizers
            memcpy(cut, built.bytes, size);
            assert_false(frame_read(cut, size, &frame));
            free(cut);
        }
        assert_true(frame_read(built.bytes, built.size, &frame));
    }
}

// One octet or number changed, and nobody can be answered.
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        size_t family, at;
        uint16_t value; // of the two octets there
    } cases[] = {
        {"another EtherType", 0, 12, 0x0806},
        {"a VLAN tag", 0, 12, 0x8100},
        {"IPv4 options", 0, 14, 0x4600},
        {"another version", 0, 14, 0x6500},
        {"total length below its headers", 0, 16, 27},
        {"total length past the frame", 0, 16, 1000},
        {"more fragments", 0, 20, 0x2000},
        {"a later fragment", 0, 20, 0x0001},
        {"TCP", 0, 22, 61 << 8 | 6},
        {"from 0.0.0.0/8", 0, 26, 0x0001},
        {"from loopback", 0, 26, 0x7f00},
        {"from multicast", 0, 26, 0xe000},
        {"from broadcast", 0, 26, 0xffff},
        {"port 0", 0, 34, 0},
        {"UDP length below its header", 0, 38, 7},
        {"UDP length past the packet", 0, 38, 100},
        {"another EtherType", 1, 12, 0x0800},
        {"another version", 1, 14, 0x4500},
        {"payload length past the frame", 1, 18, 1000},
        {"payload length of nothing", 1, 18, 0},
        {"hop-by-hop options", 1, 20, 0x0040},
        {"a fragment header", 1, 20, 0x2c40},
        {"from multicast", 1, 22, 0xff02},
        {"port 0", 1, 54, 0},
        {"no checksum", 1, 60, 0},
        {"UDP length below its header", 1, 58, 7},
        {"UDP length past the packet", 1, 58, 100},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct built built = builders[cases[i].family](12);
        struct frame frame;
        put_u16(built.bytes + cases[i].at, cases[i].value);
        if (frame_read(built.bytes, built.size, &frame)) {
            fail_msg("taken: IPv%c, %s", cases[i].family == 0 ? '4' : '6', cases[i].what);
        }
    }
    // ::/64: unspecified, loopback, IPv4-mapped.
    struct built built = build_ipv6(12);
    struct frame frame;
    memset(built.bytes + 22, 0, 8);
    assert_false(frame_read(built.bytes, built.size, &frame));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turned_at_every_size),
        cmocka_unit_test(test_checksum_is_never_zero),
        cmocka_unit_test(test_padding_is_no_payload),
        cmocka_unit_test(test_cut_at_every_octet),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
