// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/memory.h"

#include "../seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t dice;

static void test_zero_sizes(void **state)
{
    (void)state;
    void *blocks[] = {mem_alloc(0), mem_alloc_array(0, 8), mem_alloc_array(8, 0),
                      mem_resize(NULL, 0, 8), mem_copy("", 0)};
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        assert_non_null(blocks[i]);
        free(blocks[i]);
    }
    char *text = mem_strdup("text");
    assert_string_equal(text, "text");
    free(text);
}

static void test_grow(void **state)
{
    (void)state;
    uint32_t *items = NULL;
    size_t count = 0, capacity = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        MEM_GROW(items, count, capacity);
        items[count++] = i;
        assert_true(capacity >= count && capacity <= 2 * count + 8);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(items[i], i);
    }
    free(items);
}

struct block {
    uint8_t *bytes;
    size_t size;
    uint8_t fill;
};

// Random sizes, some of them larger than any chunk: zeroed and aligned or copies of octets, never
// overlapping.
static void test_arena_blocks(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    static const uint8_t zeros[1 << 15];
    struct block blocks[3000];
    size_t total = 0;
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        unsigned order = random_below(&dice, 16);
        size_t size = order == 0 ? 0 : random_below(&dice, 1U << order);
        size = i % 1000 == 999 ? 5 << 20 : size;
        bool octets = size < sizeof(zeros) && random_below(&dice, 2) == 0;
        struct block block = {octets ? arena_bytes(arena, zeros, size) : arena_alloc(arena, size),
                              size, (uint8_t)i};
        assert_non_null(block.bytes);
        assert_true(octets || (uintptr_t)block.bytes % 16 == 0);
        for (size_t k = 0; k < size; k++) {
            assert_int_equal(block.bytes[k], 0);
        }
        memset(block.bytes, block.fill, size);
        blocks[i] = block;
        total += size;
    }
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        for (size_t k = 0; k < blocks[i].size; k++) {
            assert_int_equal(blocks[i].bytes[k], blocks[i].fill);
        }
    }
    assert_true(arena_size(arena) >= total);
    arena_free(arena);
    arena_free(NULL);
}

static void test_arena_waste_is_bounded(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_int_equal(arena_size(arena), 0); // an empty zone costs nothing
    size_t asked = 0;
    for (int i = 0; i < 1000000; i++) {
        arena_alloc(arena, 48);
        asked += 48;
        assert_true(arena_size(arena) < asked / 4 * 7 + 1200); // the newest chunk may be free
    }
    assert_true(arena_size(arena) < asked + (8 << 20));
    arena_free(arena);
}

// Short octets lie side by side.
static void test_arena_octets_are_dense(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (size_t i = 0; i < 100000; i++) {
        arena_bytes(arena, "abcde", 5);
    }
    assert_true(arena_size(arena) < 500000 / 4 * 7);
    arena_free(arena);
}

static void test_arena_texts(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_string_equal(arena_strdup(arena, ""), "");
    assert_string_equal(arena_printf(arena, "%s-%d", "a", 7), "a-7");
    char *wide = arena_printf(arena, "%10000d", 1);
    assert_int_equal(strlen(wide), 10000);
    assert_non_null(arena_copy(arena, NULL, 0));
    arena_free(arena);
}

static void refuse_block(void)
{
    mem_alloc(SIZE_MAX - 100);
}

static void refuse_array(void)
{
    mem_alloc_array(SIZE_MAX / 2, 4); // the product does not fit into a size_t
}

static void refuse_resize(void)
{
    mem_resize(NULL, SIZE_MAX / 2, 4);
}

static void refuse_large_array(void)
{
    mem_alloc_array((size_t)1 << 60, 2);
}

static void refuse_arena(void)
{
    arena_alloc(arena_new(), SIZE_MAX - 3);
}

static void refuse_arena_header(void)
{
    arena_alloc(arena_new(), SIZE_MAX - 31); // with its chunk's header it would wrap around
}

// Sizes that cannot be had end the process with a line; they never come back small. (A sanitizer
// speaks before we do.)
static void test_refusals_end_the_process(void **state)
{
    (void)state;
    static const struct {
        void (*refused)(void);
        const char *size; // as it is said
    } rows[] = {
        {refuse_block, "18446744073709551515"},
        {refuse_array, "18446744073709551615"},
        {refuse_resize, "18446744073709551615"},
        {refuse_large_array, "2305843009213693952"},
        {refuse_arena, "invariant"},
        {refuse_arena_header, "invariant"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            dup2(ends[1], STDERR_FILENO);
            signal(SIGABRT, SIG_DFL);
            rows[i].refused();
            _exit(0);
        }
        close(ends[1]);
        char said[4096] = "";
        size_t used = 0;
        for (ssize_t got; used < sizeof(said) - 1; used += (size_t)got) {
            got = read(ends[0], said + used, sizeof(said) - 1 - used);
            if (got <= 0) {
                break;
            }
        }
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        bool ours = strncmp(said, "signpost: ", 10) == 0 && strstr(said, rows[i].size);
        assert_true(ours || strstr(said, "Sanitizer: "));
        assert_null(strstr(said, "overflow on address"));
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_sizes),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_arena_blocks),
        cmocka_unit_test(test_arena_waste_is_bounded),
        cmocka_unit_test(test_arena_octets_are_dense),
        cmocka_unit_test(test_arena_texts),
        cmocka_unit_test(test_refusals_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
