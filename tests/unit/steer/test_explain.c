// SPDX-License-Identifier: GPL-3.0-or-later
//
// What explain tells against what plan_pick does: random policies, states and clients. The rule,
// the pools, the members that are usable, the candidates and how often each is first.
#include "steer/explain.h"

#include "plans.h"
#include "steer/rule.h"
#include "steer/shares.h"
#include "world.h"

#include <math.h>

static uint64_t dice;

enum { POOLS = 5, MEMBERS = 4, DRAWS = 2000 };

static struct member_view views[POOLS * MEMBERS];

static struct member_view view(void *state, const struct member *member)
{
    (void)state;
    return member->pool == NULL && member->check >= 0
               ? views[member->check]
               : (struct member_view){.health = HEALTH_UNCHECKED};
}

static const struct health_source health = {view, NULL};

static struct member_view random_view(const struct world *world)
{
    return (struct member_view){
        .health = (enum member_health)(HEALTH_UNKNOWN + roll(world, 3)),
        .override = roll(world, 6) ? OVERRIDE_NONE : (enum member_override)(1 + roll(world, 2)),
        .drained = roll(world, 8) == 0,
    };
}

static void random_pool(const struct world *world, struct arena *arena, struct policy *policy,
                        size_t index)
{
    uint32_t weights[MEMBERS];
    for (size_t k = 0; k < MEMBERS; k++) {
        weights[k] = roll(world, 6) ? 1 + roll(world, 9) : 0;
    }
    struct pool *pool = &policy->pools[index];
    *pool = pool_make(arena, (uint8_t)index, weights, 1 + roll(world, MEMBERS));
    pool->fallback = index + 1 < POOLS && roll(world, 2) ? (int)index + 1 : -1;
    pool->min_up = 1 + roll(world, 2);
    pool->min_up_percent = false;
    for (size_t k = 0; k < pool->member_count; k++) {
        struct member *member = &pool->members[k];
        member->check = roll(world, 4) ? (int)(index * MEMBERS + k) : -1;
        member->status = roll(world, 8) ? STATUS_OBEY : (enum member_status)(1 + roll(world, 2));
        member->disabled = roll(world, 12) == 0;
        views[index * MEMBERS + k] = random_view(world);
        if (index + 1 < POOLS && roll(world, 6) == 0) { // pools in pools: only later ones
            member->pool = &policy->pools[index + 1 + roll(world, (uint32_t)(POOLS - index - 1))];
            member->rdata = NULL;
            member->rdata_size = 0;
            member->check = -1;
        }
    }
}

static void random_policy(struct world *world, struct arena *arena, struct policy *policy)
{
    static const enum method methods[] = {METHOD_ROTATE, METHOD_RANDOM, METHOD_WEIGHTED,
                                          METHOD_STICKY, METHOD_ORDERED};
    policy->pool_count = POOLS;
    policy->pools = arena_alloc(arena, POOLS * sizeof(*policy->pools));
    for (size_t i = POOLS; i-- > 0;) {
        random_pool(world, arena, policy, i);
    }
    random_rules(world, arena, policy);
    policy->method = methods[roll(world, ARRAY_SIZE(methods))];
    policy->answers = roll(world, 4);
    policy->all_down = (enum all_down)roll(world, ALL_DOWN_COUNT);
    policy->values = arena_alloc(arena, sizeof(*policy->values));
    policy->values[0] = member_make(arena, 99, 0, 1);
    policy->value_count = 1;
}

// A look at every pool of the chain: usable members counted by hand.
static size_t count_usable(struct explanation *x, const struct pool *pool)
{
    size_t count = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        count += explanation_usable(x, &pool->members[i]);
    }
    return count;
}

static void check_rule(const struct world *world, const struct policy *policy,
                       const struct explanation *x, const struct plan_choice_view *choice,
                       const struct address *client)
{
    int decides = explanation_deciding_rule(x);
    assert_int_equal(decides < 0, choice->rule < 0);
    unsigned deciding = 0;
    for (size_t i = 0; i < policy->rule_count; i++) {
        enum rule_verdict verdict = explanation_rule(x, i);
        bool holds = rule_holds_client(&policy->rules[i], world->lines, world->geo, client);
        assert_int_equal(holds, verdict != RULE_NOT_HELD);
        assert_true(verdict != RULE_NOT_REACHED || (int)i > decides);
        assert_true(verdict != RULE_OUTSIDE_SHARE || policy->rules[i].share_ppm < 1000000);
        assert_true(verdict != RULE_NO_USABLE || policy->form == FORM_FLAT);
        deciding += verdict == RULE_DECIDES;
    }
    assert_int_equal(deciding, decides >= 0);
    if (decides >= 0) { // a choice may name another rule that leads to the same place
        const struct rule *told = &policy->rules[decides], *taken = &policy->rules[choice->rule];
        assert_int_equal(told->pool, taken->pool);
        assert_int_equal(told->share_ppm, taken->share_ppm);
    }
}

static void check_pools(const struct policy *policy, struct explanation *x,
                        const struct plan_choice_view *choice)
{
    struct pool_trace traces[POOLS_MAX];
    size_t count = explanation_pools(x, traces);
    bool answered = false;
    for (size_t i = 0; i < count; i++) {
        const struct pool *pool = &policy->pools[traces[i].pool];
        assert_int_equal(traces[i].usable, count_usable(x, pool));
        assert_int_equal(traces[i].wanted, MAX(pool->min_up, 1U));
        assert_true(i == 0 || policy->pools[traces[i - 1].pool].fallback == (int)traces[i].pool);
        bool answers = traces[i].verdict == POOL_ANSWERS || traces[i].verdict == POOL_BEST_YET;
        if (answers) {
            answered = true;
            assert_true(traces[i].verdict == POOL_BEST_YET || i + 1 == count);
            assert_int_equal(traces[i].pool, choice->pool);
            assert_true(!choice->failed_open && traces[i].usable > 0);
            assert_int_equal(traces[i].verdict == POOL_ANSWERS,
                             traces[i].usable >= traces[i].wanted);
        }
    }
    assert_true(answered || count == 0 || choice->failed_open);
}

// The records of many picks are the candidates, each that can come comes, and only usable ones.
static void check_candidates(const struct policy *policy, const struct plan *plan, size_t choice,
                             struct explanation *x, const struct address *client)
{
    struct plan_choice_view view_of_choice = plan_choice(plan, choice);
    struct member_share shares[POOLS * MEMBERS + 1] = {{0}};
    unsigned seen[POOLS * MEMBERS + 1] = {0}, first[POOLS * MEMBERS + 1] = {0};
    choice_shares(plan, choice, shares);
    for (int i = 0; i < DRAWS; i++) {
        struct pick pick = pick_once(plan, client, &dice);
        assert_int_equal(pick.count, view_of_choice.answer_count);
        assert_int_equal(pick.ttl, view_of_choice.ttl);
        for (size_t k = 0; k < pick.count; k++) {
            unsigned pool, member = record_member(&pick, k, &pool);
            size_t at = 0;
            for (; at < view_of_choice.member_count; at++) {
                struct plan_member_view candidate = plan_choice_member(plan, choice, at);
                unsigned candidate_pool = candidate.pool < 0 ? 99 : (unsigned)candidate.pool;
                if (candidate_pool == pool && candidate.index == member) {
                    break;
                }
            }
            assert_true(at < view_of_choice.member_count);
            seen[at]++;
            first[at] += k == 0;
        }
    }
    double best = INFINITY;
    size_t winner = 0;
    for (size_t i = 0; i < view_of_choice.member_count; i++) {
        struct plan_member_view candidate = plan_choice_member(plan, choice, i);
        if (candidate.pool >= 0 && !view_of_choice.failed_open) {
            assert_true(
                explanation_usable(x, &policy->pools[candidate.pool].members[candidate.index]));
        }
        if (policy->method == METHOD_STICKY) {
            double cost = plan_sticky_cost(plan, choice, i, client);
            winner = cost < best ? i : winner;
            best = fmin(cost, best);
            continue;
        }
        assert_true(shares[i].any < 0.1 || seen[i] > 0);
        assert_true(shares[i].any > 0 || seen[i] == 0);
        assert_true(fabs(first[i] - shares[i].first * DRAWS) <=
                    chance_bound(shares[i].first, DRAWS));
    }
    if (policy->method == METHOD_STICKY) {
        assert_int_equal(first[winner], DRAWS);
    }
}

static void test_explain_tells_what_is_done(void **state)
{
    (void)state;
    unsigned members = 0, failed_open = 0, unruled = 0;
    for (int round = 0; round < 10; round++) {
        struct world world = world_new(&dice, 40);
        struct territories *set = territories_new();
        for (int i = 0; i < 12; i++) {
            struct arena *arena = arena_new();
            struct policy policy = {0};
            random_policy(&world, arena, &policy);
            struct territory *territory = territory_acquire(set, &policy, world.lines, world.geo);
            struct plan *plan =
                plan_compile(&policy, TYPE_A, 60, territory, &health, random_next(&dice));
            for (int k = 0; k < 10; k++) {
                struct address client = random_prefix(&world).address;
                struct explanation *x =
                    explanation_new(&policy, plan, &health, world.lines, world.geo, &client);
                size_t index = plan_choice_of_client(plan, &client);
                struct plan_choice_view choice = plan_choice(plan, index);
                check_rule(&world, &policy, x, &choice, &client);
                check_pools(&policy, x, &choice);
                if (choice.kind == PICK_MEMBERS) {
                    check_candidates(&policy, plan, index, x, &client);
                }
                members += choice.kind == PICK_MEMBERS;
                failed_open += choice.failed_open;
                unruled += choice.rule < 0;
                explanation_free(x);
            }
            plan_free(plan);
            territory_release(set, territory);
            arena_free(arena);
        }
        territories_free(set);
        world_free(&world);
    }
    print_message("%u answers, %u all down, %u without a rule\n", members, failed_open, unruled);
    assert_true(members > 500 && failed_open > 20 && unruled > 5);
}

// Two ramps to one pool are two shares, whatever they are at the moment.
static void test_ramps_to_one_pool(void **state)
{
    (void)state;
    struct world world = world_new(&dice, 5);
    struct arena *arena = arena_new();
    const uint32_t weights[] = {1};
    struct pool pools[] = {pool_make(arena, 0, weights, 1), pool_make(arena, 1, weights, 1)};
    struct prefix networks[2];
    assert_true(prefix_parse("20.0.0.0/8", &networks[0], NULL));
    assert_true(prefix_parse("30.0.0.0/8", &networks[1], NULL));
    struct ramp nobody = {.share_ppm = 0}, everybody = {.share_ppm = 1000000};
    struct rule rules[] = {
        {.pool = 0,
         .share_ppm = RAMP_SHARE_PPM,
         .ramp = &nobody,
         .subnets = &networks[0],
         .subnet_count = 1},
        {.pool = 0,
         .share_ppm = RAMP_SHARE_PPM,
         .ramp = &everybody,
         .subnets = &networks[1],
         .subnet_count = 1},
        {.pool = 1, .share_ppm = 1000000},
    };
    struct policy policy = {
        .form = FORM_DYNAMIC, .pools = pools, .pool_count = 2, .rules = rules, .rule_count = 3};
    struct territories *set = territories_new();
    struct territory *territory = territory_acquire(set, &policy, world.lines, world.geo);
    struct plan *plan = plan_compile(&policy, TYPE_A, 60, territory, NULL, 1);
    for (size_t i = 0; i < 2; i++) {
        const struct address *client = &networks[i].address;
        struct explanation *x =
            explanation_new(&policy, plan, &health, world.lines, world.geo, client);
        assert_int_equal(plan_choice(plan, plan_choice_of_client(plan, client)).pool, i == 0);
        assert_int_equal(explanation_deciding_rule(x), i == 0 ? 2 : 1);
        unsigned pool;
        struct pick pick = pick_once(plan, client, &dice);
        record_member(&pick, 0, &pool);
        assert_int_equal(pool, i == 0);
        explanation_free(x);
    }
    plan_free(plan);
    territory_release(set, territory);
    territories_free(set);
    arena_free(arena);
    world_free(&world);
}

static void test_standing(void **state)
{
    (void)state;
    static const struct {
        struct member member;
        struct member_view view;
        enum member_standing standing;
    } rows[] = {
        {{.disabled = true}, {.override = OVERRIDE_UP}, MEMBER_PAUSED},
        {{.status = STATUS_UP}, {.drained = true}, MEMBER_DRAINED},
        {{.status = STATUS_UP}, {.override = OVERRIDE_DOWN}, MEMBER_OVERRIDDEN},
        {{.status = STATUS_DOWN}, {.health = HEALTH_UP}, MEMBER_SAID_DOWN},
        {{.status = STATUS_DOWN}, {.override = OVERRIDE_UP}, MEMBER_USABLE},
        {{.status = STATUS_UP}, {.health = HEALTH_DOWN}, MEMBER_USABLE},
        {{.status = STATUS_OBEY}, {.health = HEALTH_DOWN}, MEMBER_CHECK_DOWN},
        {{.status = STATUS_OBEY}, {.health = HEALTH_UNKNOWN}, MEMBER_NO_RESULT},
        {{.status = STATUS_OBEY}, {.health = HEALTH_UP}, MEMBER_USABLE},
        {{.status = STATUS_OBEY}, {.health = HEALTH_UNCHECKED}, MEMBER_USABLE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(member_standing(&rows[i].member, &rows[i].view), rows[i].standing);
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explain_tells_what_is_done),
        cmocka_unit_test(test_ramps_to_one_pool),
        cmocka_unit_test(test_standing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
