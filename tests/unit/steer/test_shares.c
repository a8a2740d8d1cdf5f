// SPDX-License-Identifier: GPL-3.0-or-later
//
// Shares of draws against the enumeration of every order, and against the draws themselves.
#include "steer/shares.h"

#include "../seed.h"
#include "plans.h"

#include <math.h>
#include <stdio.h>

static uint64_t dice;

enum { SMALL = 6 };

// Adds the probability of every way to go on to the members among the first k.
static void enumerate(const double *weights, size_t n, size_t k, unsigned taken, double probability,
                      double *any)
{
    if (k == 0) {
        for (size_t i = 0; i < n; i++) {
            any[i] += taken >> i & 1 ? probability : 0;
        }
        return;
    }
    double left = 0;
    for (size_t i = 0; i < n; i++) {
        left += taken >> i & 1 ? 0 : weights[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (!(taken >> i & 1)) {
            enumerate(weights, n, k - 1, taken | 1U << i, probability * weights[i] / left, any);
        }
    }
}

static void test_every_order(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        double weights[SMALL], expected[SMALL] = {0}, any[SMALL], sum = 0;
        size_t n = 1 + random_below(&dice, SMALL), k = 1 + random_below(&dice, (uint32_t)n);
        uint32_t most = random_below(&dice, 2) ? 10 : 1000000;
        for (size_t i = 0; i < n; i++) {
            weights[i] = 1 + random_below(&dice, most);
        }
        weights[0] = round % 7 == 0 ? 1 : weights[0];
        enumerate(weights, n, k, 0, 1, expected);
        shares_of_draws(weights, n, k, any);
        for (size_t i = 0; i < n; i++) {
            if (fabs(any[i] - expected[i]) > 1e-9) {
                fail_msg("n=%zu k=%zu i=%zu: %.12f, not %.12f", n, k, i, any[i], expected[i]);
            }
            sum += any[i];
        }
        assert_true(fabs(sum - (double)k) < 1e-9);
    }
}

// The most that a policy may have: they add up to k, and heavier is more.
static void test_many(void **state)
{
    (void)state;
    enum { N = PLAN_MEMBERS_MAX };
    double *weights = mem_alloc_array(N, sizeof(double)), *any = mem_alloc_array(N, sizeof(double));
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        weights[i] = i == 0 ? 1 : i == 1 ? WEIGHT_MAX : 1 + random_below(&dice, 1000);
    }
    shares_of_draws(weights, N, PLAN_ANSWERS_MAX, any);
    for (size_t i = 0; i < N; i++) {
        sum += any[i];
        assert_true(any[i] > 0 && any[i] <= 1);
        for (size_t k = 0; k < 3; k++) {
            size_t other = random_below(&dice, N);
            assert_true(weights[i] <= weights[other] || any[i] > any[other]);
        }
    }
    assert_true(fabs(sum - PLAN_ANSWERS_MAX) < 1e-6);
    free(weights);
    free(any);
}

// --- against plan_pick

enum { DRAWS = 40000, MEMBERS = 7 };

static void count_picks(const struct plan *plan, unsigned first[MEMBERS], unsigned any[MEMBERS])
{
    for (uint32_t i = 0; i < DRAWS; i++) {
        struct address client = client_ipv4(i * 2654435761U >> 8);
        struct pick pick = pick_once(plan, &client, &dice);
        unsigned pool;
        first[record_member(&pick, 0, &pool)]++;
        for (size_t k = 0; k < pick.count; k++) {
            any[record_member(&pick, k, &pool)]++;
        }
    }
}

static void expect_near(unsigned found, double share, const char *what, size_t member)
{
    if (fabs(found - share * DRAWS) > chance_bound(share, DRAWS)) {
        fail_msg("%s: member %zu has %u of %d, expected %.4f", what, member, found, DRAWS, share);
    }
}

static void test_against_picks(void **state)
{
    (void)state;
    static const enum method methods[] = {METHOD_ROTATE, METHOD_RANDOM, METHOD_WEIGHTED,
                                          METHOD_STICKY, METHOD_ORDERED};
    struct arena *arena = arena_new();
    for (size_t m = 0; m < 2 * ARRAY_SIZE(methods); m++) {
        enum method method = methods[m / 2];
        uint32_t weights[MEMBERS];
        for (size_t i = 0; i < MEMBERS; i++) {
            weights[i] = 1 + random_below(&dice, m % 2 ? 9 : 400);
        }
        struct pool pool = pool_make(arena, 1, weights, MEMBERS);
        struct rule rule = {.share_ppm = 1000000};
        struct policy policy = {.form = FORM_DYNAMIC,
                                .method = method,
                                .pools = &pool,
                                .pool_count = 1,
                                .rules = &rule,
                                .rule_count = 1,
                                .answers = 1 + random_below(&dice, 4)};
        struct plan *plan = compile_simple(&policy, random_next(&dice));
        struct member_share shares[MEMBERS] = {{0}};
        choice_shares(plan, plan_class_choice(plan, 0), shares);
        double by_member[MEMBERS][2] = {{0}};
        size_t count = plan_choice(plan, plan_class_choice(plan, 0)).member_count;
        for (size_t i = 0; i < count; i++) {
            size_t index = plan_choice_member(plan, plan_class_choice(plan, 0), i).index;
            by_member[index][0] = shares[i].first;
            by_member[index][1] = shares[i].any;
        }
        unsigned first[MEMBERS] = {0}, any[MEMBERS] = {0};
        count_picks(plan, first, any);
        for (size_t i = 0; i < MEMBERS; i++) {
            expect_near(first[i], by_member[i][0], method_names[method], i);
            expect_near(any[i], by_member[i][1], method_names[method], i);
        }
        plan_free(plan);
    }
    arena_free(arena);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_against_picks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
