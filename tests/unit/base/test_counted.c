// SPDX-License-Identifier: GPL-3.0-or-later
//
// Things that are kept once: against a plain count of who keeps what, with hashes that collide.
#include "base/counted.h"

#include "base/hash.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct thing {
    struct counted_entry counted;
    unsigned number;
};

static bool is_number(const struct counted_entry *entry, const void *wanted)
{
    return container_of(entry, struct thing, counted)->number == *(const unsigned *)wanted;
}

static struct counted_entry *find(const struct counted *table, unsigned number, unsigned hashes)
{
    return counted_find(table, number % hashes, is_number, &number);
}

static void keep(struct counted *table, unsigned number, unsigned hashes)
{
    struct counted_entry *entry = find(table, number, hashes);
    if (entry == NULL) {
        struct thing *thing = mem_alloc(sizeof(*thing));
        thing->number = number;
        entry = &thing->counted;
        counted_add(table, entry, number % hashes);
    }
    assert_ptr_equal(counted_keep(entry), entry);
}

static bool drop(struct counted *table, unsigned number, unsigned hashes)
{
    struct counted_entry *entry = find(table, number, hashes);
    assert_non_null(entry);
    bool last = counted_drop(table, entry);
    if (last) {
        free(container_of(entry, struct thing, counted));
    }
    return last;
}

static void an_empty_table_has_no_memory(void **state)
{
    (void)state;
    struct counted table = {0};
    assert_null(find(&table, 1, 10));
    assert_null(table.buckets);
    counted_clear(&table);
}

static void the_last_user_takes_it_out(void **state)
{
    (void)state;
    struct counted table = {0};
    keep(&table, 7, 100);
    keep(&table, 7, 100);
    assert_int_equal(table.count, 1);
    assert_false(drop(&table, 7, 100));
    assert_non_null(find(&table, 7, 100));
    assert_true(drop(&table, 7, 100));
    assert_null(find(&table, 7, 100));
    counted_clear(&table);
}

static void counts_agree_with_a_plain_list(void **state)
{
    (void)state;
    enum { THINGS = 400, STEPS = 40000 };
    uint64_t seed = random_seed(), random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (unsigned hashes = 1; hashes <= 1000; hashes *= 10) { // 1: all have the same
        struct counted table = {0};
        unsigned users[THINGS] = {0};
        size_t kept = 0;
        for (unsigned step = 0; step < STEPS / (hashes == 1 ? 10 : 1); step++) {
            unsigned number = random_below(&random, THINGS);
            if (random_below(&random, 2) == 0) {
                keep(&table, number, hashes);
                kept += users[number]++ == 0;
            } else if (users[number] > 0) {
                users[number]--;
                kept -= users[number] == 0;
                assert_int_equal(drop(&table, number, hashes), users[number] == 0);
            }
            assert_int_equal(table.count, kept);
        }
        for (unsigned number = 0; number < THINGS; number++) {
            assert_int_equal(find(&table, number, hashes) != NULL, users[number] > 0);
            while (users[number] > 0) {
                drop(&table, number, hashes);
                users[number]--;
            }
        }
        counted_clear(&table); // asserts that nothing is left
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_no_memory),
        cmocka_unit_test(the_last_user_takes_it_out),
        cmocka_unit_test(counts_agree_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
