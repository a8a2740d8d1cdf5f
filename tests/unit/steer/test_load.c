// SPDX-License-Identifier: GPL-3.0-or-later
//
// Load feedback: the line between target and limit, and that a wobbling load does not wobble it.
#include "steer/load.h"

#include "../seed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>

static uint64_t dice;

static void test_line(void **state)
{
    (void)state;
    assert_int_equal(load_shed_ppm(0, 0, 0.5, 1), 0);
    assert_int_equal(load_shed_ppm(0, 0.5, 0.5, 1), 0);
    assert_int_equal(load_shed_ppm(0, 0.75, 0.5, 1), 500000);
    assert_int_equal(load_shed_ppm(0, 1, 0.5, 1), 1000000);
    assert_int_equal(load_shed_ppm(0, 1e9, 0.5, 1), 1000000);
    for (unsigned i = 0; i <= 1000; i++) { // never farther from the line than one step
        double load = i / 1000.0, line = fmax(0, (load - 0.5) / 0.5);
        double shed = load_shed_ppm(0, load, 0.5, 1) / 1e6;
        assert_true(shed <= line + 1e-9 && shed > line - 1 / 16.0 - 1e-9);
    }
}

static void test_hysteresis(void **state)
{
    (void)state;
    uint32_t shed = load_shed_ppm(0, 0.76, 0.5, 1);
    assert_int_equal(shed, 500000);
    for (int i = 0; i < 1000; i++) { // a tenth of the way below the step changes nothing
        double load = 0.71 + random_below(&dice, 70) / 1000.0;
        assert_int_equal(load_shed_ppm(shed, load, 0.5, 1), shed);
    }
    assert_true(load_shed_ppm(shed, 0.69, 0.5, 1) < shed);
    assert_true(load_shed_ppm(shed, 0.80, 0.5, 1) > shed);
    assert_int_equal(load_shed_ppm(shed, 0.3, 0.5, 1), 0); // and it recovers in full
    assert_true(load_shed_ppm(62500, 0.49, 0.5, 1) > 0);
    assert_int_equal(load_shed_ppm(62500, 0.44, 0.5, 1), 0);
}

// From any state a constant load settles at once and stays.
static void test_settles(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint32_t shed = random_below(&dice, 17) * 62500;
        double target = 1 + random_below(&dice, 100), limit = target + 1 + random_below(&dice, 100);
        double load = random_below(&dice, 250);
        uint32_t first = load_shed_ppm(shed, load, target, limit);
        assert_int_equal(load_shed_ppm(first, load, target, limit), first);
        assert_true(first >= load_shed_ppm(0, load, target, limit));
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_hysteresis),
        cmocka_unit_test(test_settles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
