// SPDX-License-Identifier: GPL-3.0-or-later
//
// The query parser: a table of verdicts, every truncation, client subnets exhaustively, and noise.

#include "../seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "query_table.h"

static uint64_t dice;

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        print_message("%s\n", table[i].what);
        struct packet packet = table[i].make();
        struct query query;
        assert_int_equal(parse(packet.bytes, packet.size, &query), table[i].verdict);
        if (table[i].verdict == QUERY_SILENCE) {
            continue;
        }
        assert_int_equal(query.name != NULL, table[i].named);
        assert_int_equal(query.edns, table[i].edns);
        assert_int_equal(query.dnssec_ok, table[i].dnssec_ok);
        if (table[i].payload != 0) {
            assert_int_equal(query.udp_payload, table[i].payload);
        }
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct packet packet = with_opt(1400, 0x8000, "\0\10\0\7\0\1\30\0\300\0\2", 11);
    struct query query;
    assert_int_equal(parse(packet.bytes, packet.size, &query), QUERY_GOOD);
    assert_ptr_equal(query.name, packet.bytes + HEADER_SIZE);
    assert_int_equal(query.name_size, sizeof(WWW));
    assert_memory_equal(query.name, WWW, sizeof(WWW)); // case kept
    assert_memory_equal(query.folded, "\3www\7example\3com", sizeof(WWW));
    assert_int_equal(query.type, TYPE_A);
    assert_int_equal(query.class, CLASS_IN);
    assert_int_equal(query.flags, FLAG_RD);
    assert_int_equal(query.udp_payload, 1400);
    assert_true(query.subnet.present);
    assert_int_equal(query.subnet.source_length, 24);
    char text[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(&query.subnet.address, text), "192.0.2.0");
}

// A good query cut anywhere is never good, and never read past its end.
static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct packet packet = table[i].make();
        for (size_t size = 0; size < packet.size; size++) {
            struct query query;
            enum query_verdict verdict = parse(packet.bytes, size, &query);
            if (size < HEADER_SIZE || table[i].verdict == QUERY_SILENCE) {
                assert_int_equal(verdict, QUERY_SILENCE);
            } else if (table[i].verdict == QUERY_GOOD) {
                assert_int_equal(verdict, QUERY_FORMERR);
            } else {
                assert_true(verdict != QUERY_SILENCE);
            }
        }
    }
}

static void test_counts(void **state)
{
    (void)state;
    for (unsigned section = AT_QDCOUNT; section <= AT_ARCOUNT; section += 2) {
        for (unsigned count = 0; count <= UINT16_MAX; count++) {
            struct packet packet = question(0);
            put_u16(packet.bytes + section, count);
            struct query query;
            bool good = section == AT_QDCOUNT ? count == 1 : count == 0;
            assert_int_equal(query_parse(packet.bytes, packet.size, &query),
                             good ? QUERY_GOOD : QUERY_FORMERR);
        }
    }
}

// --- client subnets

// RFC 7871, sections 6 and 7.1.2, in its own words: FAMILY 1 or 2; SCOPE PREFIX-LENGTH 0 in
// queries; ADDRESS of exactly the octets that SOURCE PREFIX-LENGTH needs; the bits behind it 0.
static bool subnet_is_good(unsigned family, unsigned source, unsigned scope, const uint8_t *address,
                           size_t size)
{
    if (family != 1 && family != 2) {
        return false;
    }
    if (scope != 0 || source > (family == 1 ? 32 : 128)) {
        return false;
    }
    size_t octets = source / 8;
    if (source % 8 != 0) {
        octets++;
    }
    if (size != octets) {
        return false;
    }
    for (unsigned bit = source; bit < size * 8; bit++) {
        if (address[bit / 8] & (0x80 >> bit % 8)) {
            return false;
        }
    }
    return true;
}

static enum query_verdict parse_subnet(unsigned family, unsigned source, unsigned scope,
                                       const uint8_t *address, size_t size, struct query *query)
{
    uint8_t option[64] = {0, 8};
    put_u16(option + 2, (unsigned)size + 4);
    put_u16(option + 4, family);
    option[6] = (uint8_t)source;
    option[7] = (uint8_t)scope;
    memcpy(option + 8, address, size);
    struct packet packet = with_opt(1232, 0, option, size + 8);
    enum query_verdict verdict = query_parse(packet.bytes, packet.size, query);
    unsigned before = common_count;
    check_common(packet.bytes, packet.size, verdict, query);
    bool is_common = verdict == QUERY_GOOD && source > 0 && source <= 64;
    assert_int_equal(common_count - before, is_common); // and nothing usual is left to the long way
    return verdict;
}

static void check_subnet(unsigned family, unsigned source, unsigned scope, const uint8_t *address,
                         size_t size)
{
    struct query query;
    bool good = subnet_is_good(family, source, scope, address, size);
    enum query_verdict verdict = parse_subnet(family, source, scope, address, size, &query);
    if ((verdict == QUERY_GOOD) != good) {
        fail_msg("family %u, source %u, scope %u, %zu octets: verdict %d", family, source, scope,
                 size, verdict);
    }
    if (good) {
        assert_true(query.subnet.present);
        assert_int_equal(query.subnet.source_length, source);
        assert_int_equal(query.subnet.address.family, family == 1 ? FAMILY_IPV4 : FAMILY_IPV6);
        uint8_t padded[16] = {0};
        memcpy(padded, address, size);
        assert_memory_equal(query.subnet.address.bytes, padded, 16);
    }
}

static void test_subnets_exhaustively(void **state)
{
    (void)state;
    for (unsigned family = 0; family <= 4; family++) {
        for (unsigned source = 0; source <= 255; source++) {
            for (size_t size = 0; size <= 20; size++) {
                uint8_t address[20] = {0};
                for (unsigned scope = 0; scope <= 255; scope++) {
                    check_subnet(family, source, scope, address, size);
                }
                for (unsigned bit = 0; bit < size * 8; bit++) { // each bit by itself
                    address[bit / 8] = (uint8_t)(0x80 >> bit % 8);
                    check_subnet(family, source, 0, address, size);
                    address[bit / 8] = 0;
                }
                memset(address, 0xff, sizeof(address));
                check_subnet(family, source, 0, address, size);
            }
        }
    }
    struct query query;
    uint8_t none[1] = {0};
    assert_int_equal(parse_subnet(0x0101, 0, 0, none, 0, &query), QUERY_FORMERR);
    assert_int_equal(parse_subnet(0x0100, 8, 0, none, 1, &query), QUERY_FORMERR);
}

static void test_short_subnets(void **state)
{
    (void)state;
    for (unsigned size = 0; size < 4; size++) { // not even the fixed part
        uint8_t option[8] = {0, 8, 0, (uint8_t)size, 0, 1, 0};
        struct packet packet = with_opt(1232, 0, option, 4 + size);
        struct query query;
        assert_int_equal(query_parse(packet.bytes, packet.size, &query), QUERY_FORMERR);
    }
}

// --- the folded name

static void test_folded_and_padded(void **state)
{
    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct packet packet = header(0, 1, 0, 0, 0);
        size_t used = 0, wanted = random_below(&dice, 254);
        while (used < wanted) {
            uint8_t label[64] = {(uint8_t)(1 + random_below(&dice, MIN(63U, wanted - used)))};
            for (unsigned i = 1; i <= label[0]; i++) {
                label[i] = (uint8_t)random_next(&dice);
            }
            put(&packet, label, label[0] + 1U);
            used += label[0] + 1U;
        }
        put(&packet, "\0\0\1\0\1", 5);
        struct query query;
        if (used + 1 > NAME_MAX_SIZE) {
            continue;
        }
        memset(query.folded, 0xee, sizeof(query.folded));
        assert_int_equal(query_parse(packet.bytes, packet.size, &query), QUERY_GOOD);
        uint8_t expected[NAME_PADDED_SIZE] = {0};
        name_fold(packet.bytes + HEADER_SIZE, used + 1, expected);
        assert_memory_equal(query.folded, expected, (used + 1 + 15) / 16 * 16 + 16);
        put_u16(packet.bytes + AT_ARCOUNT, 1);
        put_opt(&packet, 1232, 0, "", 0);
        unsigned before = common_count;
        assert_int_equal(parse(packet.bytes, packet.size, &query), QUERY_GOOD);
        assert_int_equal(common_count - before, 1);
    }
}

// --- noise

// Good queries with a few bytes changed, and plain noise: some verdict, fields in their ranges.
static void test_noise(void **state)
{
    (void)state;
    unsigned verdicts[QUERY_COOKIE + 1] = {0};
    for (int round = 0; round < 300000; round++) {
        struct packet packet = table[random_below(&dice, ARRAY_SIZE(table))].make();
        for (unsigned changes = random_below(&dice, 5); changes > 0; changes--) {
            packet.bytes[random_below(&dice, (uint32_t)packet.size)] =
                (uint8_t)(random_next(&dice) & (random_next(&dice) & 1 ? 0xff : 3));
        }
        size_t size = packet.size - (random_below(&dice, 8) == 0);
        struct query query;
        enum query_verdict verdict = parse(packet.bytes, size, &query);
        verdicts[verdict]++;
        if (verdict == QUERY_SILENCE) {
            assert_true(size < HEADER_SIZE || packet.bytes[2] & 0x80);
            continue;
        }
        assert_true(verdict != QUERY_GOOD || query.name != NULL);
        if (query.name != NULL) {
            uint8_t folded[NAME_PADDED_SIZE] = {0};
            name_fold(query.name, query.name_size, folded);
            assert_memory_equal(query.folded, folded, (query.name_size + 15) / 16 * 16 + 16);
            assert_int_equal(name_check(query.name, size - HEADER_SIZE), query.name_size);
            assert_true(HEADER_SIZE + query.name_size + QUESTION_FIXED_SIZE <= (int)size);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
        assert_true(verdicts[i] > 100);
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_subnets_exhaustively),
        cmocka_unit_test(test_short_subnets),
        cmocka_unit_test(test_folded_and_padded),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
