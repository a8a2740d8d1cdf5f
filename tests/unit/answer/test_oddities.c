// SPDX-License-Identifier: GPL-3.0-or-later
//
// answer() is total: every type in every class, every opcode, flag and count, every length of
// zeros and ones. What is well-formed gets an answer that is well-formed, what is a response gets
// none. Exhaustive, in every build.
#include "room.h"

static int start(void **state)
{
    room_begin(state);
    struct zone *zone = zone_of("example.com.", "www.example.com. 60 A 192.0.2.1\n"
                                                "www.example.com. 60 HTTPS 1 . ipv4hint=auto\n"
                                                "*.wild.example.com. 60 TXT \"t\"\n"
                                                "alias.example.com. 60 ALIAS www.example.com.\n"
                                                "cname.example.com. 60 CNAME www.example.com.\n"
                                                "dname.example.com. 60 DNAME wild.example.com.\n"
                                                "steered.example.com. 60 A 192.0.2.1\n"
                                                "steered.example.com. 60 A 192.0.2.2\n"
                                                "cut.example.com. 60 NS ns.cut.example.com.\n"
                                                "ns.cut.example.com. 60 A 192.0.2.3\n");
    steer(zone, "steered.example.com.", TYPE_A, METHOD_ROTATE, 1);
    put_zone(publisher, zone);
    return 0;
}

static size_t skip_name(const uint8_t *message, size_t size, size_t at)
{
    for (unsigned length; at < size; at += length + 1) {
        length = message[at];
        if (length == 0) {
            return at + 1;
        }
        if (length >= 0xc0) {
            return at + 2;
        }
    }
    return size + 1;
}

// Header, question and records fill the message, neither more nor less.
static void expect_whole(const uint8_t *message, size_t size)
{
    size_t at = HEADER_SIZE;
    unsigned records = 0;
    assert_true(size >= HEADER_SIZE);
    for (unsigned i = get_u16(message + AT_QDCOUNT); i > 0; i--) {
        at = skip_name(message, size, at) + QUESTION_FIXED_SIZE;
    }
    for (unsigned section = 0; section < SECTIONS; section++) {
        records += get_u16(message + AT_ANCOUNT + 2 * section);
    }
    for (; records > 0; records--) {
        at = skip_name(message, size, at);
        assert_true(at + RR_FIXED_SIZE <= size);
        at += RR_FIXED_SIZE + get_u16(message + at + 8);
    }
    assert_int_equal(at, size);
}

// Asks from a buffer of just that size; returns the size of what came back.
static size_t ask_bytes(const uint8_t *query, size_t size, uint8_t out[ANSWER_UDP_MAX])
{
    struct query_source source = {.port = 53000, .transport = TRANSPORT_UDP};
    source.address = (struct address){.family = FAMILY_IPV4, .bytes = {203, 0, 113, 1}};
    uint8_t *copy = mem_copy(query, size);
    size_t written = answer(publisher_current(publisher), worker, copy, size, &source, out);
    free(copy);
    assert_true(written <= ANSWER_UDP_MAX);
    if (written > 0) {
        expect_whole(out, written);
        assert_memory_equal(out, query, 2);
        assert_true(out[2] & 0x80);
    }
    return written;
}

static void test_every_type_in_every_class(void **state)
{
    (void)state;
    static const char *const names[] = {
        "www.example.com.",
        "nothing.example.com.",
        "x.wild.example.com.",
        "alias.example.com.",
        "cname.example.com.",
        "x.dname.example.com.",
        "steered.example.com.",
        "x.cut.example.com.",
        "example.com.",
        "example.org.",
        ".",
    };
    static const uint16_t classes[] = {0, 1, 3, 254, 255};
    uint8_t out[ANSWER_UDP_MAX];
    size_t asked = 0;
    for (size_t name = 0; name < ARRAY_SIZE(names); name++) {
        struct question question = {.name = names[name], .type = 1, .edns = name % 2};
        uint8_t query[512];
        size_t size = query_make(&question, 7, query), at = HEADER_SIZE;
        at = skip_name(query, size, at);
        for (unsigned type = 0; type < 65536; type++) {
            for (size_t class = 0; class < ARRAY_SIZE(classes); class ++) {
                // Every type with some name, and every name with types that mean something.
                if (type > 300 && (type + name) % ARRAY_SIZE(names) != 0 && type != TYPE_ALIAS) {
                    continue;
                }
                put_u16(query + at, type);
                put_u16(query + at + 2, classes[class]);
                assert_true(ask_bytes(query, size, out) > 0);
                unsigned rcode = out[3] & 15;
                bool known =
                    rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_REFUSED;
                assert_true(known);
                assert_true(classes[class] == CLASS_IN || rcode == RCODE_REFUSED);
                asked++;
            }
        }
    }
    print_message("%zu questions\n", asked);
}

// 16 opcodes, the 7 flags behind QR and one bit of the rcode, and 0 to 3 of everything, with
// records to match.
static void test_every_header(void **state)
{
    (void)state;
    static const uint8_t question[] = "\3www\7example\3com\0\0\1\0\1";
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    uint8_t query[512] = {0}, out[ANSWER_UDP_MAX];
    size_t answered = 0, silent = 0;
    for (unsigned counts = 0; counts < 256; counts++) {
        size_t size = HEADER_SIZE;
        for (unsigned section = 0; section < 4; section++) {
            unsigned count = counts >> (2 * section) & 3;
            put_u16(query + AT_QDCOUNT + 2 * section, count);
            for (; count > 0; count--) {
                const uint8_t *bytes = section == 0 ? question : record;
                size_t length = section == 0 ? sizeof(question) - 1 : sizeof(record);
                memcpy(query + size, bytes, length);
                size += length;
            }
        }
        for (unsigned opcode = 0; opcode < 16; opcode++) {
            for (unsigned flags = 0; flags < 256; flags++) {
                // QR AA TC RD; RA Z AD CD
                put_u16(query + AT_FLAGS, (flags & 0x80) << 8 | opcode << 11 | (flags & 0x70) << 4 |
                                              (flags & 15) << 4);
                size_t written = ask_bytes(query, size, out);
                assert_int_equal(written > 0, !(flags & 0x80));
                bool good = opcode == 0 && (counts & 3) == 1 && (counts & 0x3c) == 0;
                unsigned expected = good          ? RCODE_NOERROR
                                    : opcode != 0 ? RCODE_NOTIMP
                                                  : RCODE_FORMERR;
                assert_true(written == 0 || (out[3] & 15) == expected);
                answered += written > 0;
                silent += written == 0;
            }
        }
    }
    print_message("%zu answered, %zu not\n", answered, silent);
}

static void test_every_length(void **state)
{
    (void)state;
    static const uint8_t fill[] = {0, 0xff};
    for (size_t i = 0; i < ARRAY_SIZE(fill); i++) {
        for (size_t size = 0; size <= 512; size++) {
            uint8_t query[513], out[ANSWER_UDP_MAX];
            memset(query, fill[i], sizeof(query));
            // Zeros are a QUERY without a question; ones are a response.
            assert_int_equal(ask_bytes(query, size, out) > 0, fill[i] == 0 && size >= HEADER_SIZE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_type_in_every_class, start, room_end),
        cmocka_unit_test_setup_teardown(test_every_header, start, room_end),
        cmocka_unit_test_setup_teardown(test_every_length, start, room_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
