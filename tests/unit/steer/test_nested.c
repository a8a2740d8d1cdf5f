// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pools with methods of their own, in pools with others: what is answered how often, against every
// way in which the model's draws may fall. Chi-square; a test that fails at p = 0.001 is repeated
// twice with fresh draws.
//
// SIGNPOST_SCALE=50 draws fifty times as often.
#include "../seed.h"
#include "plans.h"
#include "nested_documents.h"
#include "nested_model.h"

#include "steer/plan_tree.h"
#include "steer/shares.h"

#include <stdio.h>

enum { DRAWS = 20000, REPEATS = 3 };
static const double deviation_max = 3.09; // p = 0.001

static uint64_t dice;

static uint32_t draws(void)
{
    return DRAWS * (uint32_t)test_count("SIGNPOST_SCALE", 1);
}

// --- draws

static void draw_many(const struct plan *plan, bool one_client, struct model_outcomes *outcomes)
{
    for (uint32_t i = 0, count = draws(); i < count; i++) {
        const struct address client = client_ipv4(one_client ? 7 : (uint32_t)random_next(&dice));
        const struct pick pick = pick_once(plan, &client, &dice);
        int values[PLAN_ANSWERS_MAX];
        for (size_t k = 0; k < pick.count; k++) {
            unsigned pool;
            values[k] = (int)record_member(&pick, k, &pool);
        }
        const size_t slot = outcome_slot(outcomes, answer_number(values, pick.count));
        outcomes->slots[slot].count++;
    }
}

// Answers as sets, for what does not depend on the order.
static uint64_t without_order(uint64_t answer)
{
    int values[8];
    size_t count = 0;
    for (; answer > 1; answer /= 1000) {
        size_t at = count++;
        for (; at > 0 && values[at - 1] > (int)(answer % 1000); at--) {
            values[at] = values[at - 1];
        }
        values[at] = (int)(answer % 1000);
    }
    return answer_number(values, count);
}

static struct model_outcomes *as_sets(const struct model_outcomes *outcomes)
{
    struct model_outcomes *sets = mem_alloc(sizeof(*sets));
    for (size_t i = 0; i < OUTCOMES_SLOTS; i++) {
        if (outcomes->slots[i].answer != 0 || outcomes->slots[i].count > 0) {
            const uint64_t answer = without_order(outcomes->slots[i].answer);
            const size_t slot = outcome_slot(sets, answer);
            sets->slots[slot].answer = answer;
            sets->slots[slot].probability += outcomes->slots[i].probability;
            sets->slots[slot].count += outcomes->slots[i].count;
        }
    }
    return sets;
}

// Wilson and Hilferty: how many standard deviations chi-square lies above its mean. Rare outcomes
// are one.
static double deviation(const struct model_outcomes *outcomes)
{
    const double drawn = draws();
    double chi = 0, freedom = -1, rare = 0, rare_count = 0;
    for (size_t i = 0; i < OUTCOMES_SLOTS; i++) {
        const double expected = outcomes->slots[i].probability * drawn;
        const double count = outcomes->slots[i].count;
        if (expected < 5) {
            assert_true(count == 0 || expected > 0); // what cannot be is not answered
            rare += expected;
            rare_count += count;
            continue;
        }
        chi += (count - expected) * (count - expected) / expected;
        freedom += 1;
    }
    if (rare >= 5) {
        chi += (rare_count - rare) * (rare_count - rare) / rare;
        freedom += 1;
    }
    if (freedom < 1) {
        return fabs(rare_count - rare) <= chance_bound(rare / drawn, drawn) ? 0 : 100;
    }
    return (cbrt(chi / freedom) - (1 - 2 / (9 * freedom))) / sqrt(2 / (9 * freedom));
}

// How often each value comes first, and at all.
static void values_of(const struct model_outcomes *outcomes, double first[1000], double any[1000])
{
    for (size_t i = 0; i < OUTCOMES_SLOTS; i++) {
        for (uint64_t rest = outcomes->slots[i].answer; rest > 1; rest /= 1000) {
            any[rest % 1000] += outcomes->slots[i].probability;
            first[rest % 1000] += rest < 1000000 ? outcomes->slots[i].probability : 0;
        }
    }
}

// What simulate and explain say is what the model says.
static void check_shares(const struct document *d, const struct plan *plan,
                         const struct model_outcomes *outcomes)
{
    const size_t choice = plan_class_choice(plan, 0);
    const struct plan_choice_view view = plan_choice(plan, choice);
    struct member_share *shares = mem_alloc_array(view.member_count, sizeof(*shares));
    double first[1000] = {0}, any[1000] = {0}, said_first[1000] = {0}, said_any[1000] = {0};
    choice_shares(plan, choice, shares);
    values_of(outcomes, first, any);
    for (size_t i = 0; i < view.member_count; i++) {
        const struct plan_member_view member = plan_choice_member(plan, choice, i);
        const int value = value_of(&d->pools[member.pool].members[member.index]);
        said_first[value] += shares[i].first;
        said_any[value] += shares[i].any;
    }
    const bool counted = view.nested && view.answer_count > 1;
    for (int i = 0; i < 1000; i++) {
        assert_true(fabs(said_first[i] - first[i]) < 1e-6);
        assert_true(fabs(said_any[i] - any[i]) <
                    (counted ? chance_bound(any[i], 4096) / 4096 : 1e-6));
    }
    free(shares);
}

static struct nested_model model;

// False when there are too many ways.
static bool check_document(const struct document *d, const char *what)
{
    struct model_outcomes *outcomes = mem_alloc(sizeof(*outcomes));
    const unsigned answers = d->policy.answers;
    model = (struct nested_model){.m = {.policy = &d->policy, .views = d->views}};
    if (chain_pool(&model.m, 0) < 0 || !model_ways(&model, 0, answers, outcomes)) {
        free(outcomes);
        return false;
    }
    struct plan *plan = document_compile(d);
    const struct address client = client_ipv4(7);
    const bool hashed = pick_once(plan, &client, &dice).scope > 0;
    assert_true(!hashed || model.hashed);
    check_shares(d, plan, outcomes);
    double worst = 0;
    for (int i = 0; i < REPEATS; i++) {
        for (size_t k = 0; k < OUTCOMES_SLOTS; k++) {
            outcomes->slots[k].count = 0;
        }
        draw_many(plan, !hashed, outcomes);
        // What does not hold for a network alone, everybody gets as often, in another order
        // perhaps.
        struct model_outcomes *sets = hashed ? NULL : as_sets(outcomes);
        worst = deviation(sets && model.hashed ? sets : outcomes);
        free(sets);
        if (worst < deviation_max) {
            break;
        }
    }
    if (worst >= deviation_max) {
        fail_msg("%s: chi-square at %+.2f", what, worst);
    }
    plan_free(plan);
    free(outcomes);
    return true;
}

// --- every pair of methods

static void pair_make(struct document *d, enum method outer, enum method inner, unsigned answers)
{
    static const uint32_t weights[] = {1, 5, 2, 3};
    document_begin(d, 4, outer, answers);
    pool_begin(d, 0, 5);
    add_pool(d, 0, 1, 3);
    add_value(d, 0, 1, 2);
    add_pool(d, 0, 2, 5);
    add_pool(d, 0, 3, 1);
    add_pool(d, 0, 1, 2); // once more
    for (size_t pool = 1; pool <= 3; pool++) {
        pool_begin(d, pool, 4);
        set_method(d, pool, inner);
        for (size_t i = 0; i <= pool; i++) {
            // 2 is in two pools.
            add_value(d, pool, i == 0 && pool > 1 ? 2 : (uint16_t)(pool * 10 + i), weights[i]);
        }
    }
}

static void test_every_pair(void **state)
{
    (void)state;
    for (int outer = 0; outer < METHOD_COUNT; outer++) {
        for (int inner = 0; inner < METHOD_COUNT; inner++) {
            for (unsigned answers = 1; answers <= 3; answers++) {
                struct document d;
                char what[80];
                pair_make(&d, (enum method)outer, (enum method)inner, answers);
                snprintf(what, sizeof(what), "%s over %s, %u answers", method_names[outer],
                         method_names[inner], answers);
                assert_true(check_document(&d, what));
                arena_free(d.arena);
            }
        }
    }
}

// --- documents at random

static uint32_t below(uint32_t bound)
{
    return random_below(&dice, bound);
}

static void document_random(struct document *d)
{
    const size_t pools = 2 + below(POOLS - 1);
    document_begin(d, pools, (enum method)below(METHOD_COUNT), 1 + below(3));
    int checks = 0;
    for (size_t i = 0; i < pools; i++) {
        const size_t members = 1 + below(4);
        const bool last = i + 1 == pools;
        pool_begin(d, i, members);
        if (below(10) < 7) {
            set_method(d, i, (enum method)below(METHOD_COUNT));
        }
        if (!last && below(3) == 0) {
            d->pools[i].fallback = (int)(i + 1 + below((uint32_t)(pools - i - 1)));
        }
        for (size_t k = 0; k < members; k++) {
            const uint32_t weight = below(6);
            if (!last && (i == 0 ? k < 3 : below(3) == 0)) {
                add_pool(d, i, i + 1 + below((uint32_t)(pools - i - 1)), weight);
                continue;
            }
            // One value a pool may be in others, too.
            const uint16_t value =
                k == 0 && below(3) == 0 ? (uint16_t)(1 + below(2)) : (uint16_t)((i + 1) * 10 + k);
            struct member *member = add_value(d, i, value, weight);
            member->check = checks;
            d->views[checks++].health = below(5) == 0 ? HEALTH_DOWN : HEALTH_UP;
        }
        d->pools[i].min_up = 1 + below(2);
    }
}

static void test_at_random(void **state)
{
    (void)state;
    int checked = 0;
    for (int i = 0; i < 150; i++) {
        struct document d;
        char what[40];
        const uint64_t before = dice;
        document_random(&d);
        snprintf(what, sizeof(what), "document of %#llx", (unsigned long long)before);
        checked += check_document(&d, what);
        arena_free(d.arena);
    }
    assert_true(checked >= 100);
}

// --- clients that are kept

static unsigned one_value(const struct plan *plan, uint32_t network)
{
    const struct address client = client_ipv4(network);
    const struct pick pick = pick_once(plan, &client, &dice);
    unsigned pool;
    assert_int_equal(pick.count, 1);
    assert_int_equal(pick.scope, CLIENT_HASH_LENGTH_IPV4);
    return record_member(&pick, 0, &pool);
}

// When a member or a whole pool leaves, only its clients move; those of a pool that has a fallback
// move to what that gives.
static void test_only_its_clients_move(void **state)
{
    (void)state;
    struct document d;
    document_begin(&d, 5, METHOD_STICKY, 1);
    pool_begin(&d, 0, 3);
    for (size_t i = 1; i <= 3; i++) {
        add_pool(&d, 0, i, (uint32_t)i);
    }
    for (size_t i = 1; i <= 4; i++) {
        pool_begin(&d, i, 2);
        set_method(&d, i, METHOD_STICKY);
        for (size_t k = 0; k < 2; k++) {
            add_value(&d, i, (uint16_t)(10 * i + k), 1)->check = (int)(2 * i + k);
        }
    }
    d.pools[1].fallback = 4;
    struct plan *before = document_compile(&d);
    d.views[2].health = HEALTH_DOWN; // 10
    struct plan *member = document_compile(&d);
    d.views[3].health = HEALTH_DOWN; // 11: the pool gives way to its fallback
    struct plan *pool = document_compile(&d);
    d.views[2].health = d.views[3].health = HEALTH_UP;
    d.views[4].health = d.views[5].health = HEALTH_DOWN; // the second pool has none
    struct plan *other = document_compile(&d);
    for (uint32_t i = 0; i < 20000; i++) {
        const unsigned was = one_value(before, i);
        assert_int_equal(one_value(member, i), was == 10 ? 11 : was);
        const unsigned then = one_value(pool, i);
        assert_true(was / 10 == 1 ? then / 10 == 4 : then == was);
        const unsigned now = one_value(other, i);
        assert_true(was / 10 == 2 ? now / 10 != 2 : now == was);
    }
    plan_free(before);
    plan_free(member);
    plan_free(pool);
    plan_free(other);
    arena_free(d.arena);
}

// --- health and load on every level

static void check_counts(const struct plan *plan, const double expected[1000])
{
    uint32_t counts[1000] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        const struct address client = client_ipv4((uint32_t)random_next(&dice));
        const struct pick pick = pick_once(plan, &client, &dice);
        unsigned pool;
        counts[record_member(&pick, 0, &pool)]++;
    }
    for (int i = 0; i < 1000; i++) {
        assert_true(fabs(counts[i] - expected[i] * DRAWS) <= chance_bound(expected[i], DRAWS));
    }
}

// Draws over one pool in order and one by weights; each has two members.
static void levels_make(struct document *d, enum method outer)
{
    static const uint16_t values[] = {10, 11, 20, 21};
    document_begin(d, 3, outer, 1);
    pool_begin(d, 0, 2);
    add_pool(d, 0, 1, 1);
    add_pool(d, 0, 2, 1);
    pool_begin(d, 1, 2);
    pool_begin(d, 2, 2);
    set_method(d, 1, METHOD_ORDERED);
    set_method(d, 2, METHOD_WEIGHTED);
    for (int i = 0; i < 4; i++) {
        add_value(d, 1 + (size_t)i / 2, values[i], 1)->check = i;
    }
}

// Who is busy loses weight where weights are looked at, and clients where they are not: always the
// same ones.
static void test_busy_members(void **state)
{
    (void)state;
    struct document d;
    levels_make(&d, METHOD_WEIGHTED);
    d.views[0].shed_ppm = 250000;
    d.views[2].shed_ppm = 500000;
    struct plan *plan = document_compile(&d);
    double expected[1000] = {0};
    expected[10] = 0.5 * 0.75;
    expected[11] = 0.5 * 0.25;
    expected[20] = 0.5 / 3;
    expected[21] = 0.5 * 2 / 3;
    check_counts(plan, expected);
    for (uint32_t i = 0; i < 200; i++) {
        const struct address client = client_ipv4(i);
        unsigned pool, seen = 0;
        for (int k = 0; k < 40; k++) {
            const struct pick pick = pick_once(plan, &client, &dice);
            const unsigned value = record_member(&pick, 0, &pool);
            assert_int_equal(pick.scope, CLIENT_HASH_LENGTH_IPV4);
            seen |= value == 10 ? 1 : value == 11 ? 2 : 0;
        }
        assert_int_not_equal(seen, 3);
    }
    plan_free(plan);
    d.views[0].shed_ppm = d.views[2].shed_ppm = 1000000; // they stand by
    plan = document_compile(&d);
    memset(expected, 0, sizeof(expected));
    expected[11] = expected[21] = 0.5;
    check_counts(plan, expected);
    plan_free(plan);
    arena_free(d.arena);
}

// TTLs go towards what may change below; with all down the tree answers as if all were up; who is
// drained is out while there are others anywhere.
static void test_health_of_levels(void **state)
{
    (void)state;
    struct document d;
    const struct address client = client_ipv4(1);
    levels_make(&d, METHOD_ORDERED);
    d.views[3].change_in_s = 20;
    struct plan *plan = document_compile(&d);
    assert_int_equal(pick_once(plan, &client, &dice).ttl, 20);
    plan_free(plan);

    double expected[1000] = {0};
    d.views[0].drained = d.views[1].drained = d.views[2].drained = true;
    plan = document_compile(&d);
    expected[21] = 1;
    check_counts(plan, expected);
    plan_free(plan);
    d.views[3].health = HEALTH_DOWN; // drained members are better than dead ones
    plan = document_compile(&d);
    expected[21] = 0;
    expected[10] = 1;
    check_counts(plan, expected);
    plan_free(plan);

    d.policy.method = METHOD_WEIGHTED;
    for (int i = 0; i < 4; i++) {
        d.views[i] = (struct member_view){.health = HEALTH_DOWN};
    }
    plan = document_compile(&d);
    expected[10] = 0.5;
    expected[20] = expected[21] = 0.25;
    check_counts(plan, expected);
    const struct pick pick = pick_once(plan, &client, &dice);
    assert_int_equal(pick.failed_open, OPEN_ALL);
    plan_free(plan);
    arena_free(d.arena);
}

// --- what needs no tree

// A fixed order over draws, draws over a fixed order and draws over draws are one draw: the way of
// plans without inner methods.
static void test_one_draw_stays_one(void **state)
{
    (void)state;
    static const enum method pairs[][2] = {
        {METHOD_NEAREST, METHOD_WEIGHTED},  {METHOD_ORDERED, METHOD_ROTATE},
        {METHOD_WEIGHTED, METHOD_WEIGHTED}, {METHOD_RANDOM, METHOD_WEIGHTED},
        {METHOD_WEIGHTED, METHOD_ORDERED},  {METHOD_ROTATE, METHOD_ORDERED},
        {METHOD_ROTATE, METHOD_NEAREST},
    };
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
        struct document d;
        pair_make(&d, pairs[i][0], pairs[i][1], 1);
        struct plan *plan = document_compile(&d);
        for (size_t k = 0; k < plan->choice_count; k++) {
            assert_true(plan->choices[k].is_one);
        }
        plan_free(plan);
        arena_free(d.arena);
    }
}

// --- bounds

// An answer has sixteen records at most, each value once, whatever stands where.
static void test_answers_are_bounded(void **state)
{
    (void)state;
    struct document d;
    document_begin(&d, 3, METHOD_ROTATE, 0);
    pool_begin(&d, 0, 2);
    add_pool(&d, 0, 1, 1);
    add_pool(&d, 0, 2, 1);
    for (size_t i = 1; i <= 2; i++) {
        pool_begin(&d, i, 2000);
        set_method(&d, i, i == 1 ? METHOD_STICKY : METHOD_WEIGHTED);
        for (uint16_t k = 0; k < 2000; k++) {
            add_value(&d, i, (uint16_t)(i * 2000 + k), 1 + k % 7);
        }
    }
    struct plan *plan = document_compile(&d);
    for (uint32_t i = 0; i < 2000; i++) {
        const struct address client = client_ipv4(i);
        const struct pick pick = pick_once(plan, &client, &dice);
        assert_int_equal(pick.count, TREE_ANSWERS_MAX);
        for (size_t k = 0; k < pick.count; k++) {
            for (size_t j = 0; j < k; j++) {
                assert_ptr_not_equal(pick.records[k], pick.records[j]);
            }
        }
    }
    plan_free(plan);
    // As many values in both pools: one record.
    for (uint16_t k = 0; k < 60; k++) {
        d.pools[2].members[k] = d.pools[1].members[k];
    }
    plan = document_compile(&d);
    const struct address client = client_ipv4(1);
    assert_int_equal(pick_once(plan, &client, &dice).count, 1);
    plan_free(plan);
    arena_free(d.arena);
}

// As deep as documents may go, with twins on every level, every way to its end.
static void test_to_the_last_record(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) {
        struct document d;
        document_random(&d);
        d.policy.answers = 0;
        d.policy.method = METHOD_ROTATE;
        set_method(&d, 0, (enum method)below(METHOD_COUNT));
        model = (struct nested_model){.m = {.policy = &d.policy, .views = d.views}};
        const int root = chain_pool(&model.m, 0);
        struct plan *plan = document_compile(&d);
        const struct address client = client_ipv4((uint32_t)random_next(&dice));
        const struct pick pick = pick_once(plan, &client, &dice);
        if (root >= 0) {
            model_node_of(&model, (size_t)root, METHOD_ROTATE);
            const struct model_entry all = {.value = -1, .node = (size_t)root};
            for (size_t k = 0; k < pick.count && k < ARRAY_SIZE(model.answer); k++) {
                unsigned pool;
                assert_true(has_left(&model, &all));
                model.answer[model.answered++] = (int)record_member(&pick, k, &pool);
            }
            assert_true(pick.count >= ARRAY_SIZE(model.answer) || !has_left(&model, &all));
        }
        plan_free(plan);
        arena_free(d.arena);
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busy_members),
        cmocka_unit_test(test_health_of_levels),
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_only_its_clients_move),
        cmocka_unit_test(test_one_draw_stays_one),
        cmocka_unit_test(test_answers_are_bounded),
        cmocka_unit_test(test_to_the_last_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
