// SPDX-License-Identifier: GPL-3.0-or-later
//
// How often what is drawn: chi-square against exact probabilities, 10^6 draws each. A test that
// fails at p = 0.001 is repeated twice with fresh draws, so that chance fails one in 10^9.
#include "../seed.h"
#include "plans.h"

#include <math.h>

enum { DRAWS = 1000000, CELLS_MAX = 1024 };

static uint64_t dice;

// --- chi-square

struct histogram {
    size_t cells;
    double expected[CELLS_MAX]; // probabilities
    uint32_t counts[CELLS_MAX];
    uint32_t total;
};

// Wilson and Hilferty: how many standard deviations the statistic lies above its mean.
static double deviation(const struct histogram *histogram)
{
    double chi = 0, freedom = -1;
    for (size_t i = 0; i < histogram->cells; i++) {
        double expected = histogram->expected[i] * histogram->total;
        if (histogram->expected[i] <= 0) {
            assert_int_equal(histogram->counts[i], 0);
            continue;
        }
        chi += (histogram->counts[i] - expected) * (histogram->counts[i] - expected) / expected;
        freedom += 1;
    }
    return (cbrt(chi / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom));
}

enum { REPEATS = 3 };
static const double deviation_max = 3.09; // p = 0.001

// --- how plans are made

struct setup {
    struct arena *arena;
    struct pool pools[3];
    struct rule rules[3];
    struct policy policy;
};

static void setup_simple(struct setup *s, enum method method, unsigned answers,
                         const uint32_t *weights, size_t count)
{
    *s = (struct setup){.arena = arena_new()};
    s->pools[0] = pool_make(s->arena, 0, weights, count);
    s->rules[0] = (struct rule){.share_ppm = 1000000};
    s->policy = (struct policy){.form = FORM_PLAIN,
                                .method = method,
                                .answers = answers,
                                .pools = s->pools,
                                .pool_count = 1,
                                .rules = s->rules,
                                .rule_count = 1};
}

// --- independent draws

// All ordered choices of `answers` out of `count` members, as digits of base `count`.
static void exact_probabilities(struct histogram *histogram, const uint32_t *weights, size_t count,
                                unsigned answers, size_t cell, uint64_t taken, double probability)
{
    if (answers == 0) {
        histogram->expected[cell] = probability;
        return;
    }
    double left = 0;
    for (size_t i = 0; i < count; i++) {
        left += taken >> i & 1 ? 0 : weights[i];
    }
    for (size_t i = 0; i < count; i++) {
        if (!(taken >> i & 1)) {
            exact_probabilities(histogram, weights, count, answers - 1, cell * count + i,
                                taken | UINT64_C(1) << i, probability * weights[i] / left);
        }
    }
}

static void draw_many(const struct plan *plan, size_t count, struct histogram *histogram)
{
    struct address client = client_ipv4(0x0a0000);
    for (histogram->total = 0; histogram->total < DRAWS; histogram->total++) {
        struct pick pick = pick_once(plan, &client, &dice);
        size_t cell = 0;
        for (size_t i = 0; i < pick.count; i++) {
            unsigned pool;
            cell = cell * count + record_member(&pick, i, &pool);
        }
        histogram->counts[cell]++;
    }
}

static void check_draws(enum method method, unsigned answers, const uint32_t *weights, size_t count)
{
    struct setup s;
    setup_simple(&s, method, answers, weights, count);
    struct plan *plan = compile_simple(&s.policy, 1);
    double worst = 0;
    for (int i = 0; i < REPEATS; i++) {
        struct histogram histogram = {.cells = (size_t)pow((double)count, answers)};
        assert_true(histogram.cells <= CELLS_MAX);
        uint32_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
        exact_probabilities(&histogram, method == METHOD_RANDOM ? ones : weights, count, answers, 0,
                            0, 1);
        draw_many(plan, count, &histogram);
        worst = deviation(&histogram);
        if (worst < deviation_max) {
            break;
        }
    }
    print_message("method %d, %u of %zu: chi-square at %+.2f\n", method, answers, count, worst);
    assert_true(worst < deviation_max);
    plan_free(plan);
    arena_free(s.arena);
}

static void test_random_is_uniform(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 9, 1, 500, 1, 77};
    for (unsigned answers = 1; answers <= 3; answers++) {
        check_draws(METHOD_RANDOM, answers, weights, 6);
    }
    check_draws(METHOD_RANDOM, 4, weights, 4);
}

static void test_weighted_is_in_proportion(void **state)
{
    (void)state;
    static const uint32_t small[] = {1, 2, 3, 4}, uneven[] = {1000, 1, 30, 1, 600, 50},
                          equal[] = {7, 7, 7}, huge[] = {1000000, 999999, 30, 500000, 1000000};
    check_draws(METHOD_WEIGHTED, 1, small, ARRAY_SIZE(small));
    check_draws(METHOD_WEIGHTED, 1, uneven, ARRAY_SIZE(uneven));
    check_draws(METHOD_WEIGHTED, 1, equal, ARRAY_SIZE(equal));
    check_draws(METHOD_WEIGHTED, 1, huge, ARRAY_SIZE(huge));
}

// Each further draw in proportion among those left; weights that are far apart go the long way.
static void test_weighted_without_replacement(void **state)
{
    (void)state;
    static const uint32_t small[] = {1, 2, 3, 4, 5}, heavy[] = {100000, 2, 1, 3, 2};
    for (unsigned answers = 2; answers <= 4; answers++) {
        check_draws(METHOD_WEIGHTED, answers, small, ARRAY_SIZE(small));
    }
    for (unsigned answers = 3; answers <= 4; answers++) {
        check_draws(METHOD_WEIGHTED, answers, small, 4);
    }
    // Only those cells whose expectation is large enough for chi-square: the heavy one comes first
    // in all but 1 of 12,500 draws; fold it away by looking at the order of the rest.
    struct setup s;
    setup_simple(&s, METHOD_WEIGHTED, 4, heavy, ARRAY_SIZE(heavy));
    struct plan *plan = compile_simple(&s.policy, 1);
    double worst = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
        struct histogram histogram = {.cells = 64};
        exact_probabilities(&histogram, heavy + 1, 4, 3, 0, 0, 1);
        struct address client = client_ipv4(1);
        while (histogram.total < DRAWS) {
            struct pick pick = pick_once(plan, &client, &dice);
            unsigned pool;
            if (record_member(&pick, 0, &pool) != 0) {
                continue;
            }
            size_t cell = 0;
            for (size_t i = 1; i < 4; i++) {
                cell = cell * 4 + record_member(&pick, i, &pool) - 1;
            }
            histogram.counts[cell]++;
            histogram.total++;
        }
        worst = deviation(&histogram);
        if (worst < deviation_max) {
            break;
        }
    }
    print_message("heavy one set aside: chi-square at %+.2f\n", worst);
    assert_true(worst < deviation_max);
    plan_free(plan);
    arena_free(s.arena);
}

// A tree of pools: each value is drawn with the product of its parts on the way, exactly. The
// denominators are 7, 11 and 13, and one branch stands in two places.
static void test_weighted_in_a_tree(void **state)
{
    (void)state;
    static const uint32_t top[] = {5, 1, 3}, sevens[] = {3, 4}, elevens[] = {5, 6},
                          thirteens[] = {6, 7};
    struct setup s;
    setup_simple(&s, METHOD_WEIGHTED, 1, top, 3);
    struct pool pools[] = {s.pools[0], pool_make(s.arena, 1, sevens, 2),
                           pool_make(s.arena, 2, elevens, 2), pool_make(s.arena, 3, thirteens, 2)};
    pools[0].members[0].pool = &pools[1];
    pools[0].members[2].pool = &pools[2];
    pools[1].members[1].pool = &pools[2];
    pools[2].members[0].pool = &pools[3];
    s.policy.pools = pools;
    s.policy.pool_count = ARRAY_SIZE(pools);
    struct plan *plan = compile_simple(&s.policy, 1);
    double second = 5 / 9.0 * 4 / 7 + 3 / 9.0; // the part of pools[2]
    struct histogram histogram = {.cells = 8};
    histogram.expected[1] = 1 / 9.0;
    histogram.expected[2] = 5 / 9.0 * 3 / 7;
    histogram.expected[5] = second * 6 / 11;
    histogram.expected[6] = second * 5 / 11 * 6 / 13;
    histogram.expected[7] = second * 5 / 11 * 7 / 13;
    double worst = 0;
    for (int repeat = 0; repeat < REPEATS && (repeat == 0 || worst >= deviation_max); repeat++) {
        memset(histogram.counts, 0, sizeof(histogram.counts));
        struct address client = client_ipv4(1);
        for (histogram.total = 0; histogram.total < DRAWS; histogram.total++) {
            struct pick pick = pick_once(plan, &client, &dice);
            unsigned pool, member = record_member(&pick, 0, &pool);
            histogram.counts[pool * 2 + member]++;
        }
        worst = deviation(&histogram);
    }
    print_message("tree of pools: chi-square at %+.2f\n", worst);
    assert_true(worst < deviation_max);
    // The weights are the fractions themselves, over 9 x 7 x 11 x 13.
    uint64_t sum = 0;
    for (size_t i = 0; i < 5; i++) {
        sum += plan_choice_member(plan, 0, i).weight;
    }
    for (size_t i = 0; i < 5; i++) {
        struct plan_member_view view = plan_choice_member(plan, 0, i);
        double expected = histogram.expected[(size_t)view.pool * 2 + view.index];
        assert_true(fabs(view.weight - expected * (double)sum) < 1e-6);
    }
    plan_free(plan);
    arena_free(s.arena);
}

// All weights zero is all equal; a zero beside others stands by.
static void test_zero_weights(void **state)
{
    (void)state;
    static const uint32_t zeros[] = {0, 0, 0}, ones[] = {1, 1, 1}, mixed[] = {0, 5, 0, 3};
    struct setup s;
    setup_simple(&s, METHOD_WEIGHTED, 1, zeros, 3);
    struct plan *plan = compile_simple(&s.policy, 1);
    struct histogram histogram = {.cells = 3};
    exact_probabilities(&histogram, ones, 3, 1, 0, 0, 1);
    draw_many(plan, 3, &histogram);
    assert_true(deviation(&histogram) < 6.5);
    plan_free(plan);
    arena_free(s.arena);
    setup_simple(&s, METHOD_WEIGHTED, 4, mixed, 4);
    plan = compile_simple(&s.policy, 1);
    struct address client = client_ipv4(1);
    for (int i = 0; i < 1000; i++) {
        struct pick pick = pick_once(plan, &client, &dice);
        assert_int_equal(pick.count, 2);
        for (size_t k = 0; k < 2; k++) {
            unsigned pool, member = record_member(&pick, k, &pool);
            assert_true(member == 1 || member == 3);
        }
    }
    plan_free(plan);
    arena_free(s.arena);
}

// The largest set that there may be: the bounds of the draw's own memory.
static void test_many_members(void **state)
{
    (void)state;
    uint32_t *weights = mem_alloc_array(PLAN_MEMBERS_MAX, sizeof(*weights));
    for (size_t i = 0; i < PLAN_MEMBERS_MAX; i++) {
        weights[i] = i % 2 ? 1000000 : 1;
    }
    static const enum method methods[] = {METHOD_ROTATE, METHOD_RANDOM, METHOD_WEIGHTED,
                                          METHOD_STICKY, METHOD_ORDERED};
    for (size_t m = 0; m < ARRAY_SIZE(methods); m++) {
        struct setup s;
        setup_simple(&s, methods[m], 1000, weights, PLAN_MEMBERS_MAX);
        struct plan *plan = compile_simple(&s.policy, 1);
        for (uint32_t i = 0; i < 50; i++) {
            struct address client = client_ipv6(i);
            struct pick pick = pick_once(plan, &client, &dice);
            assert_int_equal(pick.count, methods[m] == METHOD_STICKY ? (int)STICKY_MANY_ANSWERS
                                                                     : (int)PLAN_ANSWERS_MAX);
            uint8_t seen[PLAN_MEMBERS_MAX] = {0};
            for (size_t k = 0; k < pick.count; k++) {
                unsigned pool, member = record_member(&pick, k, &pool);
                assert_int_equal(seen[member]++, 0);
            }
        }
        plan_free(plan);
        arena_free(s.arena);
    }
    free(weights);
}

// --- rotation

// Every member is first equally often, exactly, and the others follow in their order.
static void test_rotate_is_exact(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 7; count++) {
        for (unsigned answers = 0; answers <= count; answers++) {
            static const uint32_t weights[7] = {1, 1, 1, 1, 1, 1, 1};
            struct setup s;
            setup_simple(&s, METHOD_ROTATE, answers, weights, count);
            struct plan *plan = compile_simple(&s.policy, 1);
            uint32_t firsts[7] = {0};
            unsigned last = 0, pool;
            for (unsigned i = 0; i < count * 1000; i++) {
                struct address client = client_ipv4(i);
                struct pick pick = pick_once(plan, &client, &dice);
                unsigned first = record_member(&pick, 0, &pool);
                assert_true(i == 0 || first == (last + 1) % count);
                assert_int_equal(pick.count, answers ? answers : count);
                for (size_t k = 1; k < pick.count; k++) {
                    assert_int_equal(record_member(&pick, k, &pool), (first + k) % count);
                }
                firsts[first]++;
                last = first;
            }
            for (unsigned i = 0; i < count; i++) {
                assert_int_equal(firsts[i], 1000);
            }
            plan_free(plan);
            arena_free(s.arena);
        }
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_is_uniform),
        cmocka_unit_test(test_weighted_is_in_proportion),
        cmocka_unit_test(test_weighted_without_replacement),
        cmocka_unit_test(test_weighted_in_a_tree),
        cmocka_unit_test(test_zero_weights),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_rotate_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
