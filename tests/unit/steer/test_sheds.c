// SPDX-License-Identifier: GPL-3.0-or-later
//
// Load feedback for methods without weights: how many of its clients a member sheds, that nobody
// goes back and forth, over which networks the answers hold, and that simulate counts the same.
#include "../seed.h"
#include "plans.h"
#include "steer/simulate.h"

#include <math.h>

enum { CLIENTS = 1 << 16, MEMBERS = 3, ANSWERS = 1 };

static uint64_t dice;
static const enum method methods[] = {METHOD_ROTATE, METHOD_RANDOM, METHOD_ORDERED, METHOD_NEAREST,
                                      METHOD_FASTEST};

struct scene {
    struct arena *arena;
    struct pool pools[2];
    struct rule rules[2];
    struct policy policy;
    struct member_view views[MEMBERS];
    struct health_source health;
};

// All clients, or a share of them with the rest in a pool of its own.
static void scene_make(struct scene *s, enum method method, uint32_t share_ppm)
{
    static const uint32_t weights[MEMBERS] = {1, 1, 1};
    *s = (struct scene){.arena = arena_new()};
    for (uint8_t i = 0; i < 2; i++) {
        s->pools[i] = pool_make(s->arena, i, weights, i == 0 ? MEMBERS : 1);
        s->rules[i] = (struct rule){.pool = i, .share_ppm = i == 0 ? share_ppm : 1000000};
    }
    for (int i = 0; i < MEMBERS; i++) {
        s->pools[0].members[i].check = i;
        s->views[i].health = HEALTH_UP;
    }
    s->policy = (struct policy){.form = FORM_DYNAMIC,
                                .method = method,
                                .answers = ANSWERS,
                                .pools = s->pools,
                                .pool_count = 2,
                                .rules = s->rules,
                                .rule_count = 2};
    s->health = (struct health_source){view_of_array, s->views};
}

static struct plan *scene_compile(struct scene *s, uint64_t key)
{
    return plan_compile(&s->policy, TYPE_A, 60, NULL, &s->health, key);
}

// Whether the client's choice holds the pool's member at all.
static bool may_get(const struct plan *plan, const struct address *client, size_t index)
{
    const size_t choice = plan_choice_of_client(plan, client);
    for (size_t i = 0; i < plan_choice(plan, choice).member_count; i++) {
        struct plan_member_view view = plan_choice_member(plan, choice, i);
        if (view.pool == 0 && view.index == index) {
            return true;
        }
    }
    return false;
}

static double simulated(const struct plan *plan, size_t index)
{
    struct population population = population_of_addresses(NULL, FAMILY_IPV4);
    struct simulation simulation = simulate(plan, &population, NULL, 1);
    double found = 0;
    for (size_t choice = 0; choice < simulation.choice_count; choice++) {
        for (size_t i = 0; i < plan_choice(plan, choice).member_count; i++) {
            struct plan_member_view view = plan_choice_member(plan, choice, i);
            found += view.pool == 0 && view.index == index ? simulation.weights[choice] : 0;
        }
    }
    found /= population_weight(&population);
    simulation_free(&simulation);
    population_free(&population);
    return found;
}

static void check_step(struct scene *s, uint64_t key, uint32_t shed_ppm, bool had[CLIENTS])
{
    s->views[0].shed_ppm = shed_ppm;
    struct plan *plan = scene_compile(s, key);
    const double whole = s->rules[0].share_ppm / 1e6, wanted = whole * (1 - shed_ppm / 1e6);
    const bool hashed = whole < 1 || (shed_ppm > 0 && shed_ppm < 1000000);
    unsigned count = 0;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct address client = client_ipv4(i);
        const bool has = may_get(plan, &client, 0);
        assert_true(had[i] || !has); // who was shed stays so while the load rises
        had[i] = has;
        count += has;
        struct pick pick = pick_once(plan, &client, &dice);
        unsigned pool, member = record_member(&pick, 0, &pool);
        assert_true(has || pool != 0 || member != 0);
        assert_int_equal(pick.scope, hashed ? 24 : 0);
    }
    double deviation = sqrt(CLIENTS * wanted * (1 - wanted) + 1);
    if (fabs(count - CLIENTS * wanted) > 6 * deviation) {
        fail_msg("%u of %d clients at %u, expected %.0f", count, CLIENTS, shed_ppm,
                 CLIENTS * wanted);
    }
    assert_true(fabs(simulated(plan, 0) - wanted) < 2e-6);
    plan_free(plan);
}

static void test_part_of_the_clients(void **state)
{
    (void)state;
    static const uint32_t steps[] = {0, 62500, 250000, 500000, 562500, 937500, 1000000};
    static const uint32_t shares[] = {1000000, 300000};
    static bool had[CLIENTS];
    for (size_t m = 0; m < ARRAY_SIZE(methods); m++) {
        for (size_t k = 0; k < ARRAY_SIZE(shares); k++) {
            struct scene s;
            scene_make(&s, methods[m], shares[k]);
            const uint64_t key = random_next(&dice);
            memset(had, true, sizeof(had));
            for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
                check_step(&s, key, steps[i], had);
            }
            arena_free(s.arena);
        }
    }
}

// Several at different levels; all at their limit: then all answer again.
static void test_several(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, METHOD_ROTATE, 1000000);
    const uint32_t sheds[MEMBERS] = {250000, 500000, 250000};
    for (int i = 0; i < MEMBERS; i++) {
        s.views[i].shed_ppm = sheds[i];
    }
    const uint64_t key = random_next(&dice);
    struct plan *plan = scene_compile(&s, key);
    double in[MEMBERS] = {0};
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct address client = client_ipv6(i);
        unsigned count = 0;
        for (size_t k = 0; k < MEMBERS; k++) {
            bool has = may_get(plan, &client, k);
            in[k] += has;
            count += has;
        }
        assert_true(count > 0); // the quarter whom all shed gets them all
        assert_true(may_get(plan, &client, 0) == may_get(plan, &client, 2));
    }
    assert_true(fabs(in[0] / CLIENTS - 1) < 1e-9);
    assert_true(fabs(in[1] / CLIENTS - 0.75) < 0.015);
    plan_free(plan);
    for (int i = 0; i < MEMBERS; i++) {
        s.views[i].shed_ppm = 1000000;
    }
    plan = scene_compile(&s, key);
    struct address client = client_ipv4(1);
    assert_int_equal(plan_choice(plan, plan_choice_of_client(plan, &client)).member_count, MEMBERS);
    assert_int_equal(pick_once(plan, &client, &dice).scope, 0);
    plan_free(plan);
    arena_free(s.arena);
}

// Where the answer is the same with the member and without, nobody is cut.
static void test_who_does_not_matter(void **state)
{
    (void)state;
    struct scene s;
    scene_make(&s, METHOD_ORDERED, 1000000);
    s.views[2].shed_ppm = 500000; // behind the first, and one is answered
    struct plan *plan = scene_compile(&s, 1);
    struct address client = client_ipv4(1);
    assert_int_equal(pick_once(plan, &client, &dice).scope, 0);
    assert_int_equal(plan->choice_count, 1);
    plan_free(plan);
    arena_free(s.arena);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part_of_the_clients),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_who_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
