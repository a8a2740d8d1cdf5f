// SPDX-License-Identifier: GPL-3.0-or-later
//
// Blocks of all sizes come and go at random, each filled with a pattern of its own: none is touched
// by another, and all are aligned.
#include "base/slab.h"

#include "../seed.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

enum { BLOCKS = 20000, ROUNDS = 200000, SIZE_MAX_SMALL = 1200 };

static uint64_t dice;

struct held {
    uint8_t *block;
    size_t size;
    uint8_t pattern;
};

static void check(const struct held *held)
{
    for (size_t i = 0; i < held->size; i++) {
        assert_int_equal(held->block[i], (uint8_t)(held->pattern + i));
    }
}

static void fill(struct held *held, struct slab *slab)
{
    held->size =
        random_below(&dice, 4) ? 80 + random_below(&dice, 16) : random_below(&dice, SIZE_MAX_SMALL);
    held->block = slab_alloc(slab, held->size);
    assert_int_equal((uintptr_t)held->block % 4, 0);
    held->pattern = (uint8_t)random_next(&dice);
    for (size_t i = 0; i < held->size; i++) {
        held->block[i] = (uint8_t)(held->pattern + i);
    }
}

static void give_back(struct held *held, struct slab *slab)
{
    check(held);
    slab_free(slab, held->block, held->size);
    held->block = NULL;
}

static void test_random(void **state)
{
    (void)state;
    struct slab *slab = slab_new();
    struct held *held = mem_alloc_array(BLOCKS, sizeof(*held));
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct held *one = &held[random_below(&dice, BLOCKS)];
        if (one->block == NULL) {
            fill(one, slab);
        } else {
            give_back(one, slab);
        }
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (held[i].block != NULL) {
            give_back(&held[i], slab);
        }
    }
    free(held);
    slab_end(slab);
}

// What was freed is used again, and never before all of it is out.
static void test_reuse(void **state)
{
    (void)state;
    struct slab *slab = slab_new();
    enum { COUNT = 3000, SIZE = 84 };
    void *first[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        first[i] = slab_alloc(slab, SIZE);
        memset(first[i], 1, SIZE);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i += 2) {
            slab_free(slab, first[i], SIZE);
        }
        for (unsigned i = 0; i < COUNT; i += 2) {
            first[i] = slab_alloc(slab, SIZE);
            memset(first[i], 1, SIZE);
        }
    }
    for (unsigned i = 0; i < COUNT; i++) {
        slab_free(slab, first[i], SIZE);
    }
    slab_end(slab);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_reuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
