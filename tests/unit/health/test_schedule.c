// SPDX-License-Identifier: GPL-3.0-or-later
//
// The heap of due times against a search through all of them.
#include "health/schedule.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void heap_gives_the_earliest_first(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static struct due dues[COUNT];
    static bool inside[COUNT];
    struct due_heap heap = {0};
    uint64_t seed = random_seed(), random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int step = 0; step < 40000; step++) {
        int i = (int)random_below(&random, COUNT);
        if (inside[i]) {
            due_heap_take(&heap, &dues[i]);
        } else {
            dues[i].time_ns = random_below(&random, 1000);
            due_heap_put(&heap, &dues[i]);
        }
        inside[i] = !inside[i];
        if (step % 100 == 0) { // brute force
            int64_t least = INT64_MAX;
            for (int k = 0; k < COUNT; k++) {
                least = inside[k] ? MIN(least, dues[k].time_ns) : least;
            }
            struct due *first = due_heap_first(&heap);
            assert_true((first ? first->time_ns : INT64_MAX) == least);
        }
    }
    int64_t before = INT64_MIN;
    for (struct due *due; (due = due_heap_first(&heap)) != NULL; before = due->time_ns) {
        assert_true(due->time_ns >= before);
        due_heap_take(&heap, due);
    }
    due_heap_clear(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heap_gives_the_earliest_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
