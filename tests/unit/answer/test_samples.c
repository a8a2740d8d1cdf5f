// SPDX-License-Identifier: GPL-3.0-or-later
//
// The ring of samples: nothing twice, nothing made up, the newest when there were too many.
#include "answer/samples.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct address ipv4(uint32_t number)
{
    return (struct address){.family = FAMILY_IPV4,
                            .bytes = {10, (uint8_t)(number >> 8), (uint8_t)number, 77}};
}

static void test_networks_and_families(void **state)
{
    (void)state;
    static const struct {
        const char *client, *network;
    } rows[] = {{"192.0.2.77", "192.0.2.0"}, {"2001:db8:1:2:3::4", "2001:db8:1::"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct address client, network;
        assert_true(address_parse(rows[i].client, &client));
        assert_true(address_parse(rows[i].network, &network));
        uint64_t sample = sample_make(&client);
        assert_int_equal(sample_family(sample), client.family);
        assert_int_equal(sample & ~(uint64_t)SAMPLE_FAMILY, address_key(&network));
        assert_int_not_equal(sample, 0);
    }
}

static void test_ring(void **state)
{
    (void)state;
    struct sampler *sampler = mem_alloc(sizeof(*sampler));
    uint64_t samples[SAMPLE_RING];
    uint32_t seen = 0, made = 0;
    static const uint32_t steps[] = {
        0, 1, 5, SAMPLE_RING - 1, SAMPLE_RING, SAMPLE_RING + 1, 3 * SAMPLE_RING + 7, 0, 2};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        for (uint32_t k = 0; k < steps[i]; k++) {
            struct address client = ipv4(made++);
            sampler_note(sampler, &client);
        }
        size_t count = sampler_collect(sampler, &seen, samples);
        assert_int_equal(count, MIN(steps[i], (uint32_t)SAMPLE_RING));
        for (size_t k = 0; k < count; k++) {
            struct address expected = ipv4(made - (uint32_t)count + (uint32_t)k);
            assert_int_equal(samples[k], sample_make(&expected));
        }
    }
    free(sampler);
}

// On average one in SAMPLE_EVERY, and not in step.
static void test_distance(void **state)
{
    (void)state;
    enum { ROUNDS = 20000 };
    struct sampler *sampler = mem_alloc(sizeof(*sampler));
    struct address client = ipv4(1);
    uint64_t sum = 0;
    unsigned same = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t before = sampler->left;
        sampler_note(sampler, &client);
        assert_in_range(sampler->left, 1, 2 * SAMPLE_EVERY - 1);
        sum += sampler->left;
        same += before == sampler->left;
    }
    assert_in_range(sum / ROUNDS, SAMPLE_EVERY - 2, SAMPLE_EVERY + 2);
    assert_true(same < ROUNDS / 20);
    free(sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks_and_families),
        cmocka_unit_test(test_ring),
        cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
