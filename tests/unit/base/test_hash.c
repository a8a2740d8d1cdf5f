// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/hash.h"

#include "../seed.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static uint64_t dice;

static uint8_t *random_bytes(size_t length)
{
    uint8_t *bytes = mem_alloc(length); // exactly: a sanitizer sees a read past the end
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)random_next(&dice);
    }
    return bytes;
}

// The definition, spelled out byte by byte: the same on every machine.
static uint64_t slow_hash(uint64_t key, const uint8_t *bytes, size_t length)
{
    uint64_t hash = key ^ (length * 0xa0761d6478bd642fULL);
    while (length >= 8) {
        uint64_t word = 0;
        for (int i = 0; i < 8; i++) {
            word |= (uint64_t)bytes[i] << (8 * i);
        }
        hash = hash_mix(hash ^ word, 0xe7037ed1a0b428dbULL);
        bytes += 8;
        length -= 8;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < length; i++) {
        tail |= (uint64_t)bytes[i] << (8 * i);
    }
    return hash_mix(hash ^ tail, 0x8ebc6af09c88c6e3ULL);
}

static void test_every_length(void **state)
{
    (void)state;
    for (size_t length = 0; length <= 300; length++) {
        uint8_t *bytes = random_bytes(length);
        uint64_t key = random_next(&dice);
        uint64_t hash = hash_bytes(key, bytes, length);
        assert_true(hash == slow_hash(key, bytes, length));
        // Every bit of the input counts.
        for (size_t bit = 0; bit < length * 8; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_true(hash_bytes(key, bytes, length) != hash);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_true(hash_bytes(key ^ 1, bytes, length) != hash);
        free(bytes);
    }
}

// Zero bytes at the end are told apart by the length.
static void test_length_counts(void **state)
{
    (void)state;
    static const uint8_t zeros[300];
    for (size_t a = 0; a < 300; a++) {
        for (size_t b = a + 1; b < 300; b++) {
            assert_true(hash_bytes(7, zeros, a) != hash_bytes(7, zeros, b));
        }
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// Names that count up, as customers make them: no two alike, and all 16-bit windows that the index
// uses of a hash are evenly filled.
static void test_counted_names_spread(void **state)
{
    (void)state;
    enum { COUNT = 1 << 20, BUCKETS = 1 << 12 };
    uint64_t *hashes = mem_alloc_array(COUNT, sizeof(*hashes)), key = random_next(&dice);
    for (unsigned i = 0; i < COUNT; i++) {
        char name[32];
        int length = snprintf(name, sizeof(name), "%chost%u%cexample%ccom", 4, i, 7, 3);
        hashes[i] = hash_bytes(key, name, (size_t)length + 1);
    }
    for (unsigned shift = 0; shift <= 64 - 12; shift += 4) {
        unsigned buckets[BUCKETS] = {0};
        double chi = 0, expected = (double)COUNT / BUCKETS;
        for (unsigned i = 0; i < COUNT; i++) {
            buckets[hashes[i] >> shift & (BUCKETS - 1)]++;
        }
        for (unsigned i = 0; i < BUCKETS; i++) {
            chi += (buckets[i] - expected) * (buckets[i] - expected) / expected;
        }
        // 4095 degrees of freedom: mean 4095, standard deviation 90.5; six of them.
        print_message("bits from %2u: chi-square %.0f\n", shift, chi);
        assert_true(chi < 4095 + 6 * 90.5);
    }
    qsort(hashes, COUNT, sizeof(*hashes), compare_u64);
    for (unsigned i = 1; i < COUNT; i++) {
        assert_true(hashes[i] != hashes[i - 1]);
    }
    free(hashes);
}

static void test_random_below(void **state)
{
    (void)state;
    for (uint32_t bound = 1; bound <= 40; bound++) {
        unsigned counts[40] = {0};
        for (unsigned i = 0; i < bound * 1000; i++) {
            uint32_t drawn = random_below(&dice, bound);
            assert_true(drawn < bound);
            counts[drawn]++;
        }
        for (uint32_t i = 0; i < bound; i++) {
            assert_in_range(counts[i], 1000 - 220, 1000 + 220); // seven standard deviations
        }
    }
    assert_true(random_below(&dice, UINT32_MAX) < UINT32_MAX);
}

static void test_seeds_differ(void **state)
{
    (void)state;
    assert_true(random_seed() != random_seed());
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_length),         cmocka_unit_test(test_length_counts),
        cmocka_unit_test(test_counted_names_spread), cmocka_unit_test(test_random_below),
        cmocka_unit_test(test_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
