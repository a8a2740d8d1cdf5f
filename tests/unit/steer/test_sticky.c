// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the client's hash decides: sticky members and shares.
#include "../seed.h"
#include "plans.h"
#include "steer/explain.h"

#include <math.h>
#include <stdlib.h>

// Four standard deviations are left by chance now and then; by a bias again and again.
enum { CLIENTS = 1 << 20, REPEATS = 3 };

static uint64_t dice;

typedef struct address client_maker(uint32_t network);

static struct plan *sticky_plan(struct arena *arena, const uint32_t *weights, size_t count,
                                unsigned answers, uint64_t key, struct pool *pool)
{
    *pool = pool_make(arena, 0, weights, count);
    struct rule rule = {.share_ppm = 1000000};
    struct policy policy = {.method = METHOD_STICKY,
                            .answers = answers,
                            .pools = pool,
                            .pool_count = 1,
                            .rules = &rule,
                            .rule_count = 1};
    return compile_simple(&policy, key);
}

// Whom each client network gets; the caller frees.
static uint8_t *choices(const struct plan *plan, client_maker *client_of)
{
    uint8_t *chosen = mem_alloc(CLIENTS);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct address client = client_of(i);
        struct pick pick = pick_once(plan, &client, &dice);
        unsigned pool;
        chosen[i] = (uint8_t)record_member(&pick, 0, &pool);
    }
    return chosen;
}

// Standard deviations between counts and their expectation in proportion to the weights.
static double worst_deviation(const uint32_t *counts, const uint32_t *weights, size_t count,
                              const char *what)
{
    double sum = 0, total = 0, worst = 0, worst_share = 0;
    for (size_t i = 0; i < count; i++) {
        sum += weights[i];
        total += counts[i];
    }
    for (size_t i = 0; i < count; i++) {
        double p = weights[i] / sum;
        if (weights[i] == 0) {
            assert_int_equal(counts[i], 0);
            continue;
        }
        double off = counts[i] - p * total;
        worst = MAX(worst, fabs(off) / sqrt(p * (1 - p) * total + 1));
        worst_share = MAX(worst_share, fabs(off) / (p * total));
    }
    print_message("%s: worst share %+.3f %% off, %.2f standard deviations\n", what,
                  100 * worst_share, worst);
    return worst;
}

static const struct {
    const char *what;
    uint32_t weights[8];
    size_t count;
} weightings[] = {
    {"sticky, equal", {1, 1, 1, 1, 1}, 5},
    {"sticky, 1 to 2", {1, 2}, 2},
    {"sticky, 1 to 9", {1, 9}, 2},
    {"sticky, 1 to 99", {1, 99}, 2},
    {"sticky, 1 to 10000", {1, 10000}, 2},
    {"sticky, mixed", {1, 1, 2, 4, 8, 16, 100}, 7},
    {"sticky, large numbers", {1000000, 999999, 10000, 500000}, 4},
};

// Shares follow the weights as well as independent draws would, also between weights far apart.
static void test_sticky_shares(void **state)
{
    (void)state;
    client_maker *const makers[] = {client_ipv4, client_ipv6};
    for (size_t w = 0; w < ARRAY_SIZE(weightings); w++) {
        for (size_t f = 0; f < ARRAY_SIZE(makers); f++) {
            double worst = 0;
            for (int repeat = 0; repeat < REPEATS; repeat++) {
                struct arena *arena = arena_new();
                struct pool pool;
                struct plan *plan = sticky_plan(arena, weightings[w].weights, weightings[w].count,
                                                1, random_next(&dice), &pool);
                uint8_t *chosen = choices(plan, makers[f]);
                uint32_t counts[8] = {0};
                for (uint32_t i = 0; i < CLIENTS; i++) {
                    counts[chosen[i]]++;
                }
                free(chosen);
                worst = worst_deviation(counts, weightings[w].weights, weightings[w].count,
                                        weightings[w].what);
                plan_free(plan);
                arena_free(arena);
                if (worst < 4) {
                    break;
                }
            }
            assert_true(worst < 4);
        }
    }
}

// When one leaves, only its clients move, and they go to the others in proportion.
static void test_sticky_moves_only_who_must(void **state)
{
    (void)state;
    static const uint32_t weights[] = {3, 1, 4, 1, 5, 9};
    enum { COUNT = ARRAY_SIZE(weights) };
    for (unsigned gone = 0; gone < COUNT; gone++) {
        struct arena *arena = arena_new();
        struct pool pool;
        uint64_t key = random_next(&dice);
        struct plan *before = sticky_plan(arena, weights, COUNT, 1, key, &pool);
        uint32_t without[COUNT], counts[COUNT] = {0}, moved = 0;
        memcpy(without, weights, sizeof(without));
        without[gone] = 0; // stands by: out of the choice as if it were down
        struct plan *after = sticky_plan(arena, without, COUNT, 1, key, &pool);
        uint8_t *a = choices(before, client_ipv4), *b = choices(after, client_ipv4);
        for (uint32_t i = 0; i < CLIENTS; i++) {
            assert_int_not_equal(b[i], gone);
            if (a[i] != gone) {
                assert_int_equal(a[i], b[i]);
            } else {
                counts[b[i]]++;
                moved++;
            }
        }
        assert_in_range(moved, CLIENTS / 40, CLIENTS / 2);
        assert_true(worst_deviation(counts, without, COUNT, "those who move") < 7);
        free(a);
        free(b);
        plan_free(before);
        plan_free(after);
        arena_free(arena);
    }
}

// A heavier weight only draws clients in; the order of the members plays no part.
static void test_sticky_weight_and_order(void **state)
{
    (void)state;
    static const uint32_t weights[] = {3, 1, 4, 1, 5}, heavier[] = {3, 1, 6, 1, 5};
    struct arena *arena = arena_new();
    struct pool pool;
    uint64_t key = random_next(&dice);
    struct plan *before = sticky_plan(arena, weights, 5, 1, key, &pool);
    struct plan *after = sticky_plan(arena, heavier, 5, 1, key, &pool);
    pool = pool_make(arena, 0, weights, 5);
    struct member first = pool.members[0];
    pool.members[0] = pool.members[3];
    pool.members[3] = first;
    struct rule rule = {.share_ppm = 1000000};
    struct policy policy = {
        .method = METHOD_STICKY, .pools = &pool, .pool_count = 1, .rules = &rule, .rule_count = 1};
    struct plan *shuffled = compile_simple(&policy, key);
    uint8_t *a = choices(before, client_ipv4), *b = choices(after, client_ipv4),
            *c = choices(shuffled, client_ipv4);
    uint32_t moved = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_true(a[i] == b[i] || b[i] == 2);
        assert_int_equal(a[i], c[i]);
        moved += a[i] != b[i];
    }
    // From 4/14 to 6/16 of the clients.
    assert_in_range(moved, CLIENTS * 0.085, CLIENTS * 0.094);
    free(a);
    free(b);
    free(c);
    plan_free(before);
    plan_free(after);
    plan_free(shuffled);
    arena_free(arena);
}

// k of n: the first is the one of k = 1, and when one leaves the rest keep their order.
static void test_sticky_several(void **state)
{
    (void)state;
    static const uint32_t weights[] = {3, 1, 4, 1, 5, 9}, without[] = {3, 1, 0, 1, 5, 9};
    struct arena *arena = arena_new();
    struct pool pool;
    struct plan *one = sticky_plan(arena, weights, 6, 1, 5, &pool);
    struct plan *three = sticky_plan(arena, weights, 6, 3, 5, &pool);
    struct plan *all = sticky_plan(arena, weights, 6, 6, 5, &pool);
    struct plan *less = sticky_plan(arena, without, 6, 3, 5, &pool);
    for (uint32_t i = 0; i < 100000; i++) {
        struct address client = client_ipv6(i);
        struct pick first = pick_once(one, &client, &dice), top = pick_once(three, &client, &dice),
                    order = pick_once(all, &client, &dice), rest = pick_once(less, &client, &dice);
        unsigned p, expected = 0;
        assert_int_equal(record_member(&first, 0, &p), record_member(&order, 0, &p));
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(record_member(&top, k, &p), record_member(&order, k, &p));
            expected += record_member(&order, expected, &p) == 2; // skip who left
            assert_int_equal(record_member(&rest, k, &p), record_member(&order, expected, &p));
            expected++;
        }
    }
    struct plan *plans[] = {one, three, all, less};
    for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
        plan_free(plans[i]);
    }
    arena_free(arena);
}

// --- the filter decides nothing

static int cost_compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// Who is drawn has the lowest costs of all members, in this order.
static void check_against_all(const struct plan *plan, const struct address *client,
                              size_t member_count, double *costs)
{
    struct pick pick = pick_once(plan, client, &dice);
    unsigned pool;
    for (size_t i = 0; i < member_count; i++) {
        costs[i] = plan_sticky_cost(plan, 0, i, client);
    }
    double drawn[PLAN_ANSWERS_MAX];
    for (size_t k = 0; k < pick.count; k++) {
        drawn[k] = costs[record_member(&pick, k, &pool)];
    }
    qsort(costs, member_count, sizeof(*costs), cost_compare);
    for (size_t k = 0; k < pick.count; k++) { // those that agree in 40 bits have no order
        assert_true(fabs(drawn[k] - costs[k]) <= costs[k] * 0x1p-38);
    }
}

static uint32_t weight_of_kind(unsigned kind, size_t i)
{
    switch (kind) {
    case 0:
        return 1;
    case 1:
        return 1 + random_below(&dice, 1000);
    case 2:
        return i % 100 == 0 ? WEIGHT_MAX : 1;
    default:
        return 1U << random_below(&dice, 20);
    }
}

static void test_the_filter_decides_nothing(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 39, 44, 100, 206, 500, PLAN_MEMBERS_MAX};
    static const unsigned answers[] = {1, 3, 20, PLAN_ANSWERS_MAX};
    uint32_t *weights = mem_alloc_array(PLAN_MEMBERS_MAX, sizeof(*weights));
    double *costs = mem_alloc_array(PLAN_MEMBERS_MAX, sizeof(*costs));
    for (unsigned round = 0; round < ARRAY_SIZE(counts) * ARRAY_SIZE(answers) * 4; round++) {
        size_t count = counts[round % 8];
        for (size_t i = 0; i < count; i++) {
            weights[i] = weight_of_kind(round / 32, i);
        }
        struct arena *arena = arena_new();
        struct pool pool;
        struct plan *plan =
            sticky_plan(arena, weights, count, answers[round / 8 % 4], random_next(&dice), &pool);
        for (uint32_t i = 0; i < 10000 / (count + 100) + 2; i++) {
            struct address client = client_ipv4(i);
            check_against_all(plan, &client, count, costs);
        }
        if (plan->choices[0].reach != UINT64_MAX) {
            // A filter that nobody passes, and one that all do: then all are weighed.
            struct address client = client_ipv6(round);
            for (size_t i = 0; i < count; i++) {
                plan->members[i].least = UINT64_MAX;
            }
            check_against_all(plan, &client, count, costs);
            for (size_t i = 0; i < count; i++) {
                plan->members[i].least = 0;
            }
            check_against_all(plan, &client, count, costs);
        }
        plan_free(plan);
        arena_free(arena);
    }
    free(weights);
    free(costs);
}

// How likely it is that fewer than `wanted` members pass: no likelier than for a Poisson variable
// of the same mean, since draws are independent.
static double chance_of_fewer(double mean, unsigned wanted)
{
    double chance = exp(-mean), sum = 0;
    for (unsigned i = 0; i < wanted; i++) {
        sum += chance;
        chance *= mean / (i + 1);
    }
    return sum;
}

// How many pass it: enough for all but one client in 10^11, and few, which bounds what a draw
// costs.
static void test_few_pass_the_filter(void **state)
{
    (void)state;
    uint32_t *weights = mem_alloc_array(STICKY_MANY, sizeof(*weights));
    for (unsigned round = 0; round < 4 * PLAN_ANSWERS_MAX; round += 3) {
        const unsigned kind = round % 4, answers = 1 + round / 4;
        for (size_t i = 0; i < STICKY_MANY; i++) {
            weights[i] = weight_of_kind(kind, i);
        }
        struct arena *arena = arena_new();
        struct pool pool;
        struct plan *plan =
            sticky_plan(arena, weights, STICKY_MANY, answers, random_next(&dice), &pool);
        double mean = 0, seen = 0;
        for (size_t k = 0; k < STICKY_MANY; k++) {
            mean += 1 - (double)plan->members[k].least * 0x1p-64;
        }
        if (chance_of_fewer(mean, answers) > 1e-11 || mean > answers + 8 * sqrt(answers) + 24) {
            fail_msg("%u answers, weights %u: %.1f pass on average", answers, kind, mean);
        }
        enum { SAMPLES = 100 };
        for (uint32_t i = 0; i < SAMPLES; i++) {
            struct address client = client_ipv4(i);
            uint64_t hash = plan_client_hash(plan, &client);
            for (size_t k = 0; k < STICKY_MANY; k++) {
                seen += hash_u64(hash, plan->members[k].identity) >= plan->members[k].least;
            }
        }
        assert_true(fabs(seen - SAMPLES * mean) < 8 * sqrt(SAMPLES * mean));
        plan_free(plan);
        arena_free(arena);
    }
    free(weights);
}

// The same to every address of a network, and the scope says so.
static void test_constant_over_the_scope(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 1, 1, 1};
    struct arena *arena = arena_new();
    struct pool pool;
    struct plan *plan = sticky_plan(arena, weights, 4, 1, random_next(&dice), &pool);
    struct plan *all = sticky_plan(arena, weights, 4, 4, 1, &pool);
    for (uint32_t i = 0; i < 100000; i++) {
        struct address a = random_next(&dice) & 1 ? client_ipv4(i) : client_ipv6(i), b = a;
        bool ipv4 = a.family == FAMILY_IPV4;
        for (unsigned at = ipv4 ? 3 : 7; at < (ipv4 ? 4U : 16U); at++) {
            b.bytes[at] = (uint8_t)random_next(&dice);
        }
        struct pick x = pick_once(plan, &a, &dice), y = pick_once(plan, &b, &dice);
        unsigned p;
        assert_int_equal(record_member(&x, 0, &p), record_member(&y, 0, &p));
        assert_int_equal(plan_share_of_client(plan, &a), plan_share_of_client(plan, &b));
        assert_int_equal(x.scope, ipv4 ? 24 : 56);
        x = pick_once(all, &a, &dice); // the set is the same for everybody
        assert_int_equal(x.scope, 0);
    }
    plan_free(plan);
    plan_free(all);
    arena_free(arena);
}

// --- shares

struct share_case {
    struct arena *arena;
    struct pool pools[3];
    struct rule rules[3];
    struct policy policy;
};

static void share_setup(struct share_case *c, uint32_t first_ppm, uint32_t second_ppm)
{
    static const uint32_t one[] = {1};
    *c = (struct share_case){.arena = arena_new()};
    for (uint8_t i = 0; i < 3; i++) {
        c->pools[i] = pool_make(c->arena, i, one, 1);
        c->rules[i] = (struct rule){.pool = i, .share_ppm = 1000000};
    }
    c->rules[0].share_ppm = first_ppm;
    c->rules[1].share_ppm = second_ppm;
    c->policy = (struct policy){.form = FORM_DYNAMIC,
                                .pools = c->pools,
                                .pool_count = 3,
                                .rules = c->rules,
                                .rule_count = 3};
}

static unsigned pool_of_client(const struct plan *plan, const struct address *client)
{
    struct pick pick = pick_once(plan, client, &dice);
    unsigned pool;
    record_member(&pick, 0, &pool);
    assert_int_equal(pick.scope, client->family == FAMILY_IPV4 ? 24 : 56);
    return pool;
}

static const struct {
    uint32_t first, second;
} share_table[] = {{1, 1},           {1000, 1000}, {50000, 50000},   {50000, 100000},
                   {500000, 499999}, {999999, 1},  {300000, 900000}, {10, 999999}};

// Each rule of a chain takes its part of all clients, as far as any are left.
static void test_share_of_clients(void **state)
{
    (void)state;
    client_maker *const makers[] = {client_ipv4, client_ipv6};
    for (size_t t = 0; t < ARRAY_SIZE(share_table); t++) {
        uint32_t second = MIN(share_table[t].second, 1000000 - share_table[t].first);
        const uint32_t parts[] = {share_table[t].first, second,
                                  1000000 - share_table[t].first - second};
        double worst = 0;
        for (int repeat = 0; repeat < REPEATS && (repeat == 0 || worst >= 4); repeat++) {
            struct share_case c;
            share_setup(&c, share_table[t].first, share_table[t].second);
            struct plan *plan = compile_simple(&c.policy, random_next(&dice));
            uint32_t counts[3] = {0};
            for (uint32_t i = 0; i < CLIENTS; i++) {
                struct address client = makers[i & 1](i);
                counts[pool_of_client(plan, &client)]++;
            }
            worst = worst_deviation(counts, parts, 3, "share");
            plan_free(plan);
            arena_free(c.arena);
        }
        assert_true(worst < 4);
    }
}

// A larger share holds the clients of the smaller one; another name (key) draws others.
static void test_shares_grow_and_keys_differ(void **state)
{
    (void)state;
    struct share_case small, large;
    share_setup(&small, 50000, 1);
    share_setup(&large, 200000, 1);
    uint64_t key = random_next(&dice);
    struct plan *a = compile_simple(&small.policy, key), *b = compile_simple(&large.policy, key);
    struct plan *other = compile_simple(&small.policy, key + 1);
    // The same name's AAAA: another plan with the same key.
    struct plan *dual = plan_compile(&small.policy, TYPE_AAAA, 60, NULL, NULL, key);
    uint32_t both = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct address client = i & 1 ? client_ipv4(i) : client_ipv6(i);
        bool inside = pool_of_client(a, &client) == 0;
        assert_true(!inside || pool_of_client(b, &client) == 0);
        both += inside && pool_of_client(other, &client) == 0;
        size_t choice = plan_choice_of_client(dual, &client);
        assert_int_equal(plan_choice(dual, choice).rule == 0, inside);
    }
    double expected = CLIENTS * 0.0025;
    print_message("in the 5 %% of two names: %u, expected %.0f\n", both, expected);
    assert_true(fabs(both - expected) < 7 * sqrt(expected));
    struct plan *plans[] = {a, b, other, dual};
    for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
        plan_free(plans[i]);
    }
    arena_free(small.arena);
    arena_free(large.arena);
}

// Shares and sticky members of one plan are drawn independently.
static void test_share_and_sticky_are_independent(void **state)
{
    (void)state;
    static const uint32_t weights[] = {1, 2, 3};
    struct share_case c;
    share_setup(&c, 100000, 1);
    c.policy.method = METHOD_STICKY;
    for (uint8_t i = 0; i < 3; i++) {
        c.pools[i] = pool_make(c.arena, i, weights, 3);
    }
    double worst = 0;
    for (int repeat = 0; repeat < REPEATS && (repeat == 0 || worst >= 4); repeat++) {
        struct plan *plan = compile_simple(&c.policy, random_next(&dice));
        uint32_t counts[3] = {0};
        for (uint32_t i = 0; i < CLIENTS; i++) {
            struct address client = client_ipv4(i);
            struct pick pick = pick_once(plan, &client, &dice);
            unsigned pool, member = record_member(&pick, 0, &pool);
            if (pool == 0) {
                counts[member]++;
            }
        }
        worst = worst_deviation(counts, weights, 3, "sticky within a share");
        plan_free(plan);
    }
    assert_true(worst < 4);
    arena_free(c.arena);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sticky_shares),
        cmocka_unit_test(test_sticky_moves_only_who_must),
        cmocka_unit_test(test_sticky_weight_and_order),
        cmocka_unit_test(test_sticky_several),
        cmocka_unit_test(test_the_filter_decides_nothing),
        cmocka_unit_test(test_few_pass_the_filter),
        cmocka_unit_test(test_constant_over_the_scope),
        cmocka_unit_test(test_share_of_clients),
        cmocka_unit_test(test_shares_grow_and_keys_differ),
        cmocka_unit_test(test_share_and_sticky_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
