// SPDX-License-Identifier: GPL-3.0-or-later
//
// Server cookies: SipHash against its authors' vector, the examples of RFC 9018, the windows of
// time at every turn of the clock, other addresses and secrets, and forgeries.
#include "dns/cookie.h"

#include "../seed.h"
#include "dns/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static uint64_t dice;

static void from_hex(const char *text, uint8_t *bytes)
{
    for (size_t i = 0; i < strlen(text) / 2; i++) {
        unsigned value;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
}

static struct edns_request request_of(const char *hex)
{
    struct edns_request request = {.asked = EDNS_ASKED_COOKIE};
    request.cookie_size = (uint8_t)(strlen(hex) / 2);
    from_hex(hex, request.cookie);
    return request;
}

static struct address address_of(const char *text)
{
    struct address address;
    assert_true(address_parse(text, &address));
    return address;
}

// Appendix A of the paper: key 00..0f, message 00..0e.
static void test_siphash(void **state)
{
    (void)state;
    uint8_t key[16], message[15];
    for (unsigned i = 0; i < 16; i++) {
        key[i] = (uint8_t)i;
    }
    memcpy(message, key, sizeof(message));
    assert_true(siphash_2_4(key, message, sizeof(message)) == 0xa129ca6149be45e5ULL);
    assert_true(siphash_2_4(key, message, 0) == 0x726fdb47dd0e0e31ULL);
}

// RFC 9018, appendix A: request, secrets, address, time, expected verdict and new cookie.
static void test_examples(void **state)
{
    (void)state;
    static const struct {
        const char *request, *secrets[2], *address;
        uint32_t now_s;
        enum cookie_verdict verdict;
        const char *made;
    } table[] = {
        {"2464c4abcf10c957",
         {"e5e973e5a6b2a43f48e7dc849e37bfcf"},
         "198.51.100.100",
         1559731985,
         COOKIE_WRONG,
         "010000005cf79f111f8130c3eee29480"},
        {"2464c4abcf10c957010000005cf79f111f8130c3eee29480",
         {"e5e973e5a6b2a43f48e7dc849e37bfcf"},
         "198.51.100.100",
         1559734385,
         COOKIE_STALE,
         "010000005cf7a871d4a564a1442aca77"},
        {"fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
         {"e5e973e5a6b2a43f48e7dc849e37bfcf"},
         "203.0.113.203",
         1559734700,
         COOKIE_WRONG, // the example's clock is not that of its cookie: 6,715 s apart
         "010000005cf7a9acf73a7810aca2381e"},
        {"22681ab97d52c298010000005cf7c57926556bd0934c72f8",
         {"445536bcd2513298075a5d379663c962", "dd3bdf9344b678b185a6f5cb60fca715"},
         "2001:db8:220:1:59de:d0f4:8769:82b8",
         1559741961,
         COOKIE_STALE,
         "010000005cf7c609a6bb79d16625507a"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct cookie_secrets secrets = {0};
        for (size_t k = 0; k < 2 && table[i].secrets[k] != NULL; k++) {
            from_hex(table[i].secrets[k], secrets.secrets[secrets.count++]);
        }
        struct address address = address_of(table[i].address);
        struct edns_request request = request_of(table[i].request);
        uint8_t made[COOKIE_SERVER_SIZE], expected[COOKIE_SERVER_SIZE];
        assert_int_equal(cookie_check(&secrets, &request, &address, table[i].now_s),
                         table[i].verdict);
        cookie_make(secrets.secrets[0], request.cookie, &address, table[i].now_s, made);
        from_hex(table[i].made, expected);
        assert_memory_equal(made, expected, sizeof(made));
    }
    // The reserved octets of the third are part of what is signed, and not looked at otherwise.
    struct cookie_secrets secrets = {.count = 1};
    from_hex(table[2].secrets[0], secrets.secrets[0]);
    struct address address = address_of(table[2].address);
    struct edns_request request = request_of(table[2].request);
    assert_int_equal(cookie_check(&secrets, &request, &address, 0x5cf78f71 + 10), COOKIE_VALID);
}

static struct edns_request made_at(const struct cookie_secrets *secrets,
                                   const struct address *address, uint32_t now_s)
{
    struct edns_request request = request_of("0011223344556677");
    cookie_make(secrets->secrets[0], request.cookie, address, now_s,
                request.cookie + COOKIE_CLIENT_SIZE);
    request.cookie_size = COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE;
    return request;
}

static void test_time(void **state)
{
    (void)state;
    static const uint32_t times[] = {
        0,          1,          1700000000, // the start of the count, today
        2145916799, 2147483647, 2147483648, // the end of 2037, and of 31 bits
        2177452800, 4294967295, 4294965000, // 2039, and 2106
    };
    static const struct {
        int64_t age_s;
        enum cookie_verdict verdict;
    } ages[] = {
        {0, COOKIE_VALID},     {1, COOKIE_VALID},         {1800, COOKIE_VALID},
        {1801, COOKIE_STALE},  {3600, COOKIE_STALE},      {3601, COOKIE_WRONG},
        {-1, COOKIE_STALE},    {-300, COOKIE_STALE},      {-301, COOKIE_WRONG},
        {86400, COOKIE_WRONG}, {-86400, COOKIE_WRONG},    {INT32_MAX, COOKIE_WRONG},
        {65536, COOKIE_WRONG}, {1LL << 31, COOKIE_WRONG},
    };
    struct cookie_secrets secrets = {.count = 1, .secrets = {{9}}};
    struct address address = address_of("2001:db8::1");
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        struct edns_request request = made_at(&secrets, &address, times[i]);
        for (size_t k = 0; k < ARRAY_SIZE(ages); k++) {
            uint32_t now_s = times[i] + (uint32_t)ages[k].age_s;
            assert_int_equal(cookie_check(&secrets, &request, &address, now_s), ages[k].verdict);
        }
    }
}

// Old secret behind the new one: nobody is turned away in a change of secrets, in whatever order
// the servers take the file, and an old secret that is gone opens nothing.
static void test_rotation(void **state)
{
    (void)state;
    struct cookie_secrets old = {1, {{1}}}, staged = {2, {{1}, {2}}}, turned = {2, {{2}, {1}}},
                          new = {1, {{2}}};
    struct address address = address_of("192.0.2.1");
    struct edns_request by_old = made_at(&old, &address, 1000);
    struct edns_request by_new = made_at(&new, &address, 1000);
    assert_int_equal(cookie_check(&staged, &by_old, &address, 1000), COOKIE_VALID);
    assert_int_equal(cookie_check(&staged, &by_new, &address, 1000), COOKIE_STALE);
    assert_int_equal(cookie_check(&turned, &by_old, &address, 1000), COOKIE_STALE);
    assert_int_equal(cookie_check(&turned, &by_new, &address, 1000), COOKIE_VALID);
    assert_int_equal(cookie_check(&new, &by_old, &address, 1000), COOKIE_WRONG);
    assert_int_equal(cookie_check(&old, &by_new, &address, 1000), COOKIE_WRONG);
}

// One bit of anything changed, another address of either family, another size: wrong.
static void test_forgeries(void **state)
{
    (void)state;
    struct cookie_secrets secrets = {.count = 2, .secrets = {{3}, {4}}};
    struct address address = address_of("192.0.2.1"), other = address_of("192.0.2.2");
    struct address wide = address_of("2001:db8::1");
    struct edns_request good = made_at(&secrets, &address, 5000);
    assert_int_equal(cookie_check(&secrets, &good, &address, 5000), COOKIE_VALID);
    assert_int_equal(cookie_check(&secrets, &good, &other, 5000), COOKIE_WRONG);
    assert_int_equal(cookie_check(&secrets, &good, &wide, 5000), COOKIE_WRONG);
    for (unsigned bit = 0; bit < 8U * good.cookie_size; bit++) {
        struct edns_request forged = good;
        forged.cookie[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(cookie_check(&secrets, &forged, &address, 5000), COOKIE_WRONG);
    }
    for (unsigned size = 8; size <= COOKIE_OPTION_MAX; size++) {
        struct edns_request forged = good;
        forged.cookie_size = (uint8_t)size;
        assert_int_equal(cookie_check(&secrets, &forged, &address, 5000),
                         size == 24 ? COOKIE_VALID : COOKIE_WRONG);
    }
    const char *rounds_text = getenv("SIGNPOST_COOKIE_ROUNDS"); // 10,000,000 for the whole proof
    unsigned long rounds = rounds_text ? strtoul(rounds_text, NULL, 10) : 500000;
    for (unsigned long i = 0; i < rounds; i++) {
        struct edns_request forged = good;
        uint64_t hash = random_next(&dice);
        memcpy(forged.cookie + 16, &hash, sizeof(hash));
        put_u32(forged.cookie + 12, 5000 - random_below(&dice, 3600));
        assert_int_equal(cookie_check(&secrets, &forged, &address, 5000), COOKIE_WRONG);
    }
}

// A cookie of a version to come is not ours, though another server with our secret has signed it.
static void test_version(void **state)
{
    (void)state;
    struct cookie_secrets secrets = {.count = 1, .secrets = {{3}}};
    struct address address = address_of("192.0.2.1");
    struct edns_request request = made_at(&secrets, &address, 5000);
    uint8_t *server_cookie = request.cookie + COOKIE_CLIENT_SIZE;
    for (unsigned version = 0; version <= UINT8_MAX; version++) {
        uint8_t input[COOKIE_CLIENT_SIZE + 8 + 4];
        server_cookie[0] = (uint8_t)version;
        memcpy(input, request.cookie, COOKIE_CLIENT_SIZE + 8);
        memcpy(input + COOKIE_CLIENT_SIZE + 8, address.bytes, 4);
        uint64_t hash = siphash_2_4(secrets.secrets[0], input, sizeof(input));
        for (unsigned i = 0; i < 8; i++) {
            server_cookie[8 + i] = (uint8_t)(hash >> (8 * i));
        }
        assert_int_equal(cookie_check(&secrets, &request, &address, 5000),
                         version == 1 ? COOKIE_VALID : COOKIE_WRONG);
    }
}

static void test_options_read(void **state)
{
    (void)state;
    uint8_t data[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (size_t size = 0; size <= sizeof(data); size++) {
        struct edns_request request = {0};
        bool good = size == 8 || (size >= 16 && size <= 40);
        assert_int_equal(edns_option_read(EDNS_COOKIE, data, size, &request), good);
        assert_int_equal(request.asked, good ? EDNS_ASKED_COOKIE : 0);
        assert_int_equal(request.cookie_size, good ? size : 0);
        request = (struct edns_request){0};
        assert_true(edns_option_read(EDNS_KEEPALIVE, data, size, &request));
        assert_true(edns_option_read(EDNS_NSID, data, size, &request));
        assert_true(edns_option_read(EDNS_PADDING, data, size, &request));
        for (unsigned code = 0; code < 65536; code++) {
            if (code == 3 || (code >= 10 && code <= 12)) {
                continue;
            }
            struct edns_request before = request;
            assert_true(edns_option_read(code, data, size, &request));
            assert_memory_equal(&before, &request, sizeof(request));
            code += size > 0 ? 97 : 0;
        }
    }
    // The first cookie counts.
    struct edns_request request = {0};
    assert_true(edns_option_read(EDNS_COOKIE, data, 8, &request));
    assert_true(edns_option_read(EDNS_COOKIE, data + 1, 16, &request));
    assert_int_equal(request.cookie_size, 8);
    assert_memory_equal(request.cookie, data, 8);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash),      cmocka_unit_test(test_examples),
        cmocka_unit_test(test_time),         cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_forgeries),    cmocka_unit_test(test_version),
        cmocka_unit_test(test_options_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
