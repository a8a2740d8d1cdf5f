// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/address.h"

#include "../seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>

static uint64_t dice;

static struct address random_address(enum family family)
{
    struct address address = {.family = (uint8_t)family};
    for (unsigned i = 0; i < family_bits(family) / 8; i++) {
        address.bytes[i] = (uint8_t)random_next(&dice);
    }
    return address;
}

static enum family random_family(void)
{
    return random_next(&dice) & 1 ? FAMILY_IPV4 : FAMILY_IPV6;
}

static bool bit_of(const struct address *address, unsigned bit)
{
    return address->bytes[bit / 8] >> (7 - bit % 8) & 1;
}

static const struct {
    const char *text;
    enum family family; // FAMILY_NONE: refused
    const char *canonical;
} address_table[] = {
    {"192.0.2.1", FAMILY_IPV4, "192.0.2.1"},
    {"0.0.0.0", FAMILY_IPV4, "0.0.0.0"},
    {"255.255.255.255", FAMILY_IPV4, "255.255.255.255"},
    {"2001:db8::1", FAMILY_IPV6, "2001:db8::1"},
    {"2001:DB8:0:0:0:0:0:1", FAMILY_IPV6, "2001:db8::1"},
    {"::", FAMILY_IPV6, "::"},
    {"::ffff:192.0.2.1", FAMILY_IPV6, "::ffff:192.0.2.1"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", FAMILY_IPV6,
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"", FAMILY_NONE, NULL},
    {"192.0.2", FAMILY_NONE, NULL},
    {"192.0.2.256", FAMILY_NONE, NULL},
    {"192.0.2.1 ", FAMILY_NONE, NULL},
    {" 192.0.2.1", FAMILY_NONE, NULL},
    {"192.0.2.01", FAMILY_NONE, NULL},
    {"0x7f.1", FAMILY_NONE, NULL},
    {"192.0.2.1/32", FAMILY_NONE, NULL},
    {"[::1]", FAMILY_NONE, NULL},
    {"fe80::1%lo", FAMILY_NONE, NULL},
    {"2001:db8:::1", FAMILY_NONE, NULL},
    {"localhost", FAMILY_NONE, NULL},
};

static void test_address_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(address_table); i++) {
        struct address address;
        memset(&address, 0xee, sizeof(address));
        struct address before = address;
        bool good = address_parse(address_table[i].text, &address);
        print_message("%s\n", address_table[i].text);
        assert_int_equal(good, address_table[i].family != FAMILY_NONE);
        if (!good) {
            assert_memory_equal(&address, &before, sizeof(address));
            continue;
        }
        char text[ADDRESS_TEXT_MAX];
        assert_int_equal(address.family, address_table[i].family);
        assert_string_equal(address_format(&address, text), address_table[i].canonical);
    }
    struct address none = {0};
    char text[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(&none, text), "none");
}

static const struct {
    const char *text, *canonical; // NULL: refused
    bool host_bits;
} prefix_table[] = {
    {"192.0.2.0/24", "192.0.2.0/24", false},
    {"192.0.2.1", "192.0.2.1/32", false},
    {"0.0.0.0/0", "0.0.0.0/0", false},
    {"::/0", "::/0", false},
    {"2001:db8::/32", "2001:db8::/32", false},
    {"2001:db8::1", "2001:db8::1/128", false},
    {"192.0.2.128/25", "192.0.2.128/25", false},
    {"255.255.255.254/31", "255.255.255.254/31", false},
    {"192.0.2.1/24", NULL, true},
    {"128.0.0.0/0", NULL, true},
    {"2001:db8::1/127", NULL, true},
    {"192.0.2.0/33", NULL, false},
    {"2001:db8::/129", NULL, false},
    {"192.0.2.0/", NULL, false},
    {"192.0.2.0/-1", NULL, false},
    {"192.0.2.0/+24", NULL, false},
    {"192.0.2.0/ 24", NULL, false},
    {"192.0.2.0/24/24", NULL, false},
    {"192.0.2.0/4294967320", NULL, false},
    {"/24", NULL, false},
    {"", NULL, false},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", false},
    {"0000000000000000000000000000000000000000000000000000000000000000/1", NULL, false},
};

static void test_prefix_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(prefix_table); i++) {
        struct prefix prefix;
        bool host_bits = !prefix_table[i].host_bits;
        print_message("%s\n", prefix_table[i].text);
        bool good = prefix_parse(prefix_table[i].text, &prefix, &host_bits);
        assert_int_equal(good, prefix_table[i].canonical != NULL);
        assert_int_equal(host_bits, prefix_table[i].host_bits);
        assert_int_equal(prefix_parse(prefix_table[i].text, &prefix, NULL), good);
        char text[PREFIX_TEXT_MAX];
        if (good) {
            assert_string_equal(prefix_format(&prefix, text), prefix_table[i].canonical);
        }
    }
}

static void test_mask_and_contains_bit_by_bit(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        enum family family = random_family();
        struct address address = random_address(family), masked = address;
        unsigned bits = family_bits(family);
        unsigned length = random_below(&dice, bits + 1);
        address_mask(&masked, length);
        assert_int_equal(masked.family, address.family);
        for (unsigned bit = 0; bit < 128; bit++) {
            assert_int_equal(bit_of(&masked, bit), bit < length && bit_of(&address, bit));
        }
        // A neighbour that differs in one bit is inside exactly when the bit is past the length.
        struct prefix prefix = {masked, (uint8_t)length};
        struct address neighbour = address;
        unsigned bit = random_below(&dice, bits);
        neighbour.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        assert_true(prefix_contains(&prefix, &address));
        assert_int_equal(prefix_contains(&prefix, &neighbour), bit >= length);
        struct address other = random_address(family == FAMILY_IPV4 ? FAMILY_IPV6 : FAMILY_IPV4);
        assert_false(prefix_contains(&prefix, &other));
    }
}

static void test_text_round_trip(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct prefix prefix = {random_address(random_family()), 0};
        prefix.length = (uint8_t)random_below(&dice, family_bits(prefix.address.family) + 1);
        address_mask(&prefix.address, prefix.length);
        char text[PREFIX_TEXT_MAX];
        struct prefix again;
        assert_true(prefix_parse(prefix_format(&prefix, text), &again, NULL));
        assert_true(address_equal(&again.address, &prefix.address));
        assert_int_equal(again.length, prefix.length);
    }
}

static void test_key(void **state)
{
    (void)state;
    struct address address;
    assert_true(address_parse("192.0.2.1", &address));
    assert_true(address_key(&address) == UINT64_C(0xc000020100000000));
    assert_true(address_parse("2001:db8:1:2:3:4:5:6", &address));
    assert_true(address_key(&address) == UINT64_C(0x20010db800010002));
    for (int round = 0; round < 10000; round++) {
        struct address a = random_address(FAMILY_IPV4), b = random_address(FAMILY_IPV6);
        struct address again = address_from_key(FAMILY_IPV4, address_key(&a));
        assert_true(address_equal(&again, &a));
        again = address_from_key(FAMILY_IPV6, address_key(&b));
        address_mask(&b, 64);
        assert_true(address_equal(&again, &b));
        // Keys order addresses of a family as bytes do.
        struct address c = random_address(FAMILY_IPV4);
        int by_bytes = memcmp(a.bytes, c.bytes, 4);
        assert_int_equal(address_key(&a) < address_key(&c), by_bytes < 0);
    }
}

static void test_sockaddr(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct address address = random_address(random_family()), again;
        uint16_t port = (uint16_t)random_next(&dice), port_again;
        struct sockaddr_storage storage;
        socklen_t size = address_to_sockaddr(&address, port, &storage);
        assert_true(size == sizeof(struct sockaddr_in) || size == sizeof(struct sockaddr_in6));
        assert_true(address_from_sockaddr((struct sockaddr *)&storage, &again, &port_again));
        assert_true(address_equal(&address, &again));
        assert_int_equal(port, port_again);
    }
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
    struct address address;
    uint16_t port;
    char text[SOCKADDR_TEXT_MAX];
    assert_true(address_from_sockaddr((struct sockaddr *)&mapped, &address, &port));
    assert_string_equal(endpoint_format(&address, port, text), "192.0.2.7:53");
    struct sockaddr unix_address = {.sa_family = AF_UNIX};
    assert_false(address_from_sockaddr(&unix_address, &address, &port));
}

static const struct {
    const char *text;
    bool good, good_with_zero;
} endpoint_table[] = {
    {"127.0.0.1:5300", true, true},
    {"[::1]:5300", true, true},
    {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", true, true},
    {"0.0.0.0:1", true, true},
    {"127.0.0.1:0", false, true},
    {"[::]:0", false, true},
    {"127.0.0.1:65536", false, false},
    {"127.0.0.1", false, false},
    {"127.0.0.1:", false, false},
    {"127.0.0.1:+53", false, false},
    {":53", false, false},
    {"[]:53", false, false},
    {"[", false, false},
    {"[:53", false, false},
    {"]:53", false, false},
    {"::1:53", false, false},
    {"[127.0.0.1]:53", false, false},
    {"[::1]53", false, false},
    {"[::1:53", false, false},
    {"localhost:53", false, false},
    {"", false, false},
    {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:53", false, false},
};

static void test_endpoint_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(endpoint_table); i++) {
        struct address address;
        uint16_t port;
        const char *text = endpoint_table[i].text;
        print_message("%s\n", text);
        assert_int_equal(endpoint_parse(text, false, &address, &port), endpoint_table[i].good);
        bool good = endpoint_parse(text, true, &address, &port);
        assert_int_equal(good, endpoint_table[i].good_with_zero);
        char again[SOCKADDR_TEXT_MAX];
        if (good) {
            assert_string_equal(endpoint_format(&address, port, again), text);
        }
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_table),
        cmocka_unit_test(test_prefix_table),
        cmocka_unit_test(test_mask_and_contains_bit_by_bit),
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_sockaddr),
        cmocka_unit_test(test_endpoint_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
