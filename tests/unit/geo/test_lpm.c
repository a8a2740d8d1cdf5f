// SPDX-License-Identifier: GPL-3.0-or-later
//
// The poptrie against brute force over the segments it was built from.
#include "../seed.h"
#include "base/memory.h"
#include "geo/lpm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static uint64_t random_state;

struct oracle {
    struct lpm_segment segments[4096];
    size_t count;
};

static size_t oracle_segment(const struct oracle *oracle, uint64_t key)
{
    size_t low = 0, high = oracle->count; // the segment is in [low, high)
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (oracle->segments[middle].first <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint32_t oracle_value(const struct oracle *oracle, uint64_t key)
{
    return oracle->segments[oracle_segment(oracle, key)].value;
}

// Whether all keys of the prefix have one value: by looking at every segment that it touches.
static bool oracle_uniform(const struct oracle *oracle, uint64_t key, unsigned length)
{
    uint64_t rest = length < 64 ? UINT64_MAX >> length : 0;
    uint64_t first = key & ~rest, last = key | rest;
    uint32_t value = oracle_value(oracle, key);
    for (size_t i = oracle_segment(oracle, first); i < oracle->count; i++) {
        if (oracle->segments[i].first > last) {
            break;
        }
        if (oracle->segments[i].value != value) {
            return false;
        }
    }
    return true;
}

static unsigned oracle_length(const struct oracle *oracle, uint64_t key)
{
    unsigned length = 64;
    while (length > 0 && oracle_uniform(oracle, key, length - 1)) {
        length--;
    }
    return length;
}

static void check_key(const struct oracle *oracle, const struct lpm *map, uint64_t key)
{
    struct lpm_match match = lpm_lookup(map, key);
    assert_int_equal(match.value, oracle_value(oracle, key));
    assert_int_equal(match.length, oracle_length(oracle, key));
}

struct walk_check {
    const struct oracle *oracle;
    size_t at; // segment expected next
    uint64_t next;
    bool done;
    uint32_t previous;
};

static void visit_check(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    struct walk_check *check = context;
    const struct oracle *oracle = check->oracle;
    assert_false(check->done);
    assert_true(first == check->next);
    assert_true(last >= first);
    assert_true(first == 0 || value != check->previous);
    size_t i = check->at;
    assert_true(oracle->segments[i].first == first);
    while (i < oracle->count && oracle->segments[i].value == value) {
        i++; // equal neighbours come as one run
    }
    assert_true(last == (i < oracle->count ? oracle->segments[i].first - 1 : UINT64_MAX));
    check->at = i;
    check->next = last + 1;
    check->previous = value;
    check->done = last == UINT64_MAX;
}

// As many look-ups at once as may be, in two maps by turns, against one at a time.
static void check_seeks(const struct oracle *oracle, const struct lpm *map)
{
    static const struct lpm_segment halves[] = {{0, 1}, {UINT64_C(1) << 63, 2}};
    struct lpm *other = lpm_build(halves, ARRAY_SIZE(halves));
    struct lpm_seek seeks[LPM_SEEK_MAX];
    const size_t count = random_below(&random_state, LPM_SEEK_MAX + 1);
    for (size_t i = 0; i < count; i++) {
        const size_t near = random_below(&random_state, (uint32_t)oracle->count);
        const uint64_t key = i & 2 ? random_next(&random_state) : oracle->segments[near].first - 1;
        lpm_seek_begin(&seeks[i], i % 5 ? map : other, key);
    }
    lpm_seek_end(seeks, count);
    for (size_t i = 0; i < count; i++) {
        const struct lpm_match match = lpm_match(*seeks[i].leaf);
        const struct lpm_match alone = lpm_lookup(seeks[i].map, seeks[i].key);
        assert_int_equal(match.value, alone.value);
        assert_int_equal(match.length, alone.length);
        if (seeks[i].map == map) {
            assert_int_equal(match.value, oracle_value(oracle, seeks[i].key));
        }
    }
    lpm_free(other);
}

static void check_map(const struct oracle *oracle)
{
    struct lpm *map = lpm_build(oracle->segments, oracle->count);
    for (size_t i = 0; i < oracle->count; i++) {
        uint64_t first = oracle->segments[i].first;
        check_key(oracle, map, first - 1); // of segment 0: the last key of all
        check_key(oracle, map, first);
        check_key(oracle, map, first + 1);
    }
    for (int i = 0; i < 200; i++) {
        check_key(oracle, map, random_next(&random_state));
    }
    check_seeks(oracle, map);
    struct walk_check check = {.oracle = oracle};
    lpm_walk(map, visit_check, &check);
    assert_true(check.done);
    assert_int_equal(check.at, oracle->count);
    assert_true(lpm_size(map) > 0);
    lpm_free(map);
}

static int compare_firsts(const void *a, const void *b)
{
    const struct lpm_segment *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

// `density` is the width of the space that the boundaries fall into, in bits from the bottom, moved
// up by `shift`: dense maps put many boundaries into few nodes, sparse ones make deep paths.
static void random_segments(struct oracle *oracle, size_t count, unsigned density, unsigned shift,
                            uint32_t values)
{
    uint64_t base = random_next(&random_state);
    oracle->segments[0] = (struct lpm_segment){0, random_below(&random_state, values)};
    for (size_t i = 1; i < count; i++) {
        uint64_t offset = random_next(&random_state) >> (64 - density);
        uint64_t first = density == 64 ? offset : (base ^ offset << shift);
        uint32_t value = random_below(&random_state, values);
        oracle->segments[i] = (struct lpm_segment){first, value};
    }
    qsort(oracle->segments + 1, count - 1, sizeof(oracle->segments[0]), compare_firsts);
    oracle->count = 1;
    for (size_t i = 1; i < count; i++) {
        if (oracle->segments[i].first != oracle->segments[oracle->count - 1].first) {
            oracle->segments[oracle->count++] = oracle->segments[i];
        }
    }
}

static void test_random_maps(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        unsigned density, shift;
        uint32_t values;
    } shapes[] = {
        {2, 64, 0, 2},    {3, 64, 0, 3},   {17, 64, 0, 4},   {300, 64, 0, 1000}, {40, 6, 0, 3},
        {200, 8, 0, 2},   {600, 10, 0, 5}, {600, 10, 32, 2}, {64, 7, 1, 4},      {700, 12, 40, 300},
        {900, 16, 16, 2}, {60, 6, 58, 2},  {1500, 11, 3, 3}, {100, 20, 44, 6},
    };
    static struct oracle oracle;
    for (int round = 0; round < 8; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
            random_segments(&oracle, shapes[i].count, shapes[i].density, shapes[i].shift,
                            shapes[i].values);
            check_map(&oracle);
        }
    }
}

// As databases have them: prefixes on /8 to /24 boundaries laid over each other.
static void test_prefix_maps(void **state)
{
    (void)state;
    static struct oracle oracle;
    for (int round = 0; round < 30; round++) {
        size_t count = 1;
        oracle.segments[0] = (struct lpm_segment){0, 0};
        for (int i = 0; i < 400; i++) {
            unsigned length = 8 + random_below(&random_state, 17);
            uint64_t rest = UINT64_MAX >> length;
            uint64_t first = random_next(&random_state) & ~rest & ~(UINT64_C(0x3f) << 58);
            uint32_t value = random_below(&random_state, 4);
            oracle.segments[count++] = (struct lpm_segment){first, value};
            if ((first | rest) != UINT64_MAX) {
                oracle.segments[count++] = (struct lpm_segment){(first | rest) + 1, 3 - value};
            }
        }
        qsort(oracle.segments, count, sizeof(oracle.segments[0]), compare_firsts);
        oracle.count = 0;
        for (size_t i = 0; i < count; i++) {
            if (i == 0 || oracle.segments[i].first != oracle.segments[i - 1].first) {
                oracle.segments[oracle.count++] = oracle.segments[i];
            }
        }
        check_map(&oracle);
    }
}

static void test_one_value(void **state)
{
    (void)state;
    struct lpm_segment segments[] = {{0, 7}, {5, 7}, {UINT64_MAX, 7}};
    struct lpm *map = lpm_build(segments, 3);
    struct lpm_match match = lpm_lookup(map, UINT64_C(0x20010db800000000));
    assert_int_equal(match.value, 7);
    assert_int_equal(match.length, 0);
    lpm_free(map);
    lpm_free(NULL);
}

static void test_extremes(void **state)
{
    (void)state;
    static struct oracle oracle = {{{0, LPM_VALUE_MAX}, {1, 0}, {UINT64_MAX, LPM_VALUE_MAX}}, 3};
    check_map(&oracle);
    struct lpm *map = lpm_build(oracle.segments, oracle.count);
    assert_int_equal(lpm_lookup(map, 0).length, 64);
    assert_int_equal(lpm_lookup(map, 1).length, 64);
    assert_int_equal(lpm_lookup(map, 2).length, 63);
    assert_int_equal(lpm_lookup(map, UINT64_C(1) << 63).length, 2);
    assert_int_equal(lpm_lookup(map, UINT64_MAX).value, LPM_VALUE_MAX);
    lpm_free(map);
}

// The scope never covers a neighbour of another value and is never longer than it must be.
static void test_scope_by_example(void **state)
{
    (void)state;
    // 192.0.2.0/24 has value 1; its upper half value 2, but for the last address.
    struct lpm_segment segments[] = {
        {0, 0},
        {UINT64_C(0xc000020000000000), 1},
        {UINT64_C(0xc000028000000000), 2},
        {UINT64_C(0xc00002ff00000000), 3},
        {UINT64_C(0xc000030000000000), 0},
    };
    struct lpm *map = lpm_build(segments, 5);
    assert_int_equal(lpm_lookup(map, UINT64_C(0xc000020100000000)).length, 25);
    assert_int_equal(lpm_lookup(map, UINT64_C(0xc000028100000000)).length, 26);
    assert_int_equal(lpm_lookup(map, UINT64_C(0xc00002c000000000)).length, 27);
    assert_int_equal(lpm_lookup(map, UINT64_C(0xc00002fe00000000)).length, 32);
    assert_int_equal(lpm_lookup(map, UINT64_C(0xc00002ff00000000)).length, 32);
    assert_int_equal(lpm_lookup(map, UINT64_C(0xc000030000000000)).length, 24);
    assert_int_equal(lpm_lookup(map, 0).length, 1);
    lpm_free(map);
}

static void test_small_maps_are_small(void **state)
{
    (void)state;
    struct lpm_segment segments[10];
    for (uint32_t i = 0; i < 10; i++) {
        segments[i] = (struct lpm_segment){(uint64_t)i * 0x0a34569b << 32, i};
    }
    struct lpm *map = lpm_build(segments, 10);
    assert_in_range(lpm_size(map), 1, 2048);
    lpm_free(map);
    for (uint32_t i = 0; i < 10; i++) { // down to /48, as sites announce IPv6
        segments[i].first = i ? (UINT64_C(0x20010db8) << 32) + ((uint64_t)i * 7919 << 16) : 0;
    }
    map = lpm_build(segments, 10);
    assert_in_range(lpm_size(map), 1, 2048);
    lpm_free(map);
}

// Where all networks begin at /16, the table goes down to there and little is left for nodes.
static void test_table_reaches_the_networks(void **state)
{
    (void)state;
    enum { COUNT = 8192 };
    struct lpm_segment *segments = mem_alloc_array(COUNT, sizeof(*segments));
    for (uint32_t i = 0; i < COUNT; i++) {
        const uint64_t network = i == 0 ? 0 : (uint64_t)i * 8 + random_below(&random_state, 8);
        segments[i] = (struct lpm_segment){network << 48, i % 3};
    }
    struct lpm *map = lpm_build(segments, COUNT);
    assert_in_range(lpm_size(map), 1, (sizeof(uint32_t) << 16) + 1024);
    lpm_free(map);
    free(segments);
}

int main(void)
{
    random_state = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_maps),
        cmocka_unit_test(test_prefix_maps),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_scope_by_example),
        cmocka_unit_test(test_small_maps_are_small),
        cmocka_unit_test(test_table_reaches_the_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
