// SPDX-License-Identifier: GPL-3.0-or-later
//
// Texts that are kept once: against a plain count of who keeps what.
#include "health/texts.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void equal_texts_are_one(void **state)
{
    (void)state;
    struct texts *texts = texts_new();
    char again[] = "connected";
    const char *first = texts_keep(texts, "connected"), *other = texts_keep(texts, "refused");
    assert_string_equal(first, "connected");
    assert_ptr_equal(texts_keep(texts, again), first);
    assert_ptr_not_equal(first, other);
    texts_drop(texts, first);
    assert_string_equal(first, "connected"); // somebody still keeps it
    texts_drop(texts, first);
    texts_drop(texts, other);
    texts_drop(texts, NULL);
    texts_free(texts); // asserts that nothing is kept
}

static void many_come_and_go(void **state)
{
    (void)state;
    enum { TEXTS = 500, HOLDERS = 2000, STEPS = 20000 };
    static const char *held[HOLDERS];
    struct texts *texts = texts_new();
    uint64_t seed = random_seed(), random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int step = 0; step < STEPS; step++) {
        char text[32];
        const char **holder = &held[random_below(&random, HOLDERS)];
        snprintf(text, sizeof(text), "text %u", random_below(&random, TEXTS));
        texts_drop(texts, *holder);
        *holder = texts_keep(texts, text);
        assert_string_equal(*holder, text);
    }
    for (int i = 0; i < HOLDERS; i++) {
        texts_drop(texts, held[i]);
    }
    texts_free(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_are_one),
        cmocka_unit_test(many_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
