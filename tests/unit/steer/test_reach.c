// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reach against brute force: at every key where anything can change, which rules hold the client
// and which may decide for it.
#include "steer/reach.h"

#include "steer/rule.h"
#include "world.h"

static uint64_t dice;

enum { RULES = 16 };

struct oracle {
    bool held[RULES], reached[RULES];
    bool taken_by[RULES][RULES]; // [rule][taker], where the rule is held and not reached
};

static void oracle_add(struct oracle *oracle, const struct world *world,
                       const struct policy *policy, const struct address *client)
{
    uint64_t taken_ppm = 0;
    bool open = true;
    bool takers[RULES] = {0};
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!rule_holds_client(rule, world->lines, world->geo, client)) {
            continue;
        }
        oracle->held[i] = true;
        if (open) {
            oracle->reached[i] = takers[i] = true;
            bool falls_through = policy->pools[rule->pool].members[0].check >= 0;
            taken_ppm += rule->share_ppm;
            open = policy->form == FORM_FLAT ? falls_through : taken_ppm < 1000000;
            continue;
        }
        for (size_t k = 0; k < RULES; k++) {
            oracle->taken_by[i][k] |= takers[k];
        }
    }
}

static void oracle_family(struct oracle *oracle, struct world *world, const struct policy *policy,
                          enum family family)
{
    struct keys keys = {0};
    struct keys *known = &world->keys[family == FAMILY_IPV6];
    for (size_t i = 0; i < known->count; i++) {
        keys_add(&keys, known->items[i]);
    }
    keys_sort(&keys);
    for (size_t i = 0; i < keys.count; i++) {
        struct address client = address_from_key(family, keys.items[i]);
        oracle_add(oracle, world, policy, &client);
    }
    free(keys.items);
}

static void compare(const struct oracle *oracle, const struct policy *policy,
                    const struct rule_reach *reach)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        assert_int_equal(reach[i].held, oracle->held[i]);
        assert_int_equal(reach[i].reached, oracle->reached[i]);
        unsigned takers = 0;
        for (size_t k = 0; k < RULES; k++) {
            takers += !oracle->reached[i] && oracle->taken_by[i][k];
        }
        unsigned told = reach[i].reached ? 0 : reach[i].taken_by_count;
        assert_int_equal(MIN(told, 4U), MIN(takers, 4U));
        for (unsigned k = 0; k < MIN(told, 4U); k++) {
            assert_true(oracle->taken_by[i][reach[i].taken_by[k]]);
        }
    }
}

static void random_policy(struct world *world, struct arena *arena, struct policy *policy)
{
    policy->pool_count = 1 + roll(world, 6);
    policy->pools = arena_alloc(arena, policy->pool_count * sizeof(*policy->pools));
    for (size_t i = 0; i < policy->pool_count; i++) {
        policy->pools[i].members = arena_alloc(arena, sizeof(struct member));
        policy->pools[i].members[0].check = (int)roll(world, 2) - 1;
        policy->pools[i].member_count = 1;
    }
    random_rules(world, arena, policy);
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].share_ppm < 1000000 && roll(world, 2)) {
            policy->rules[i].share_ppm = 500000; // shares that add up to everybody
        }
        for (size_t k = 0; k < policy->rules[i].subnet_count; k++) {
            world_mark(world, &policy->rules[i].subnets[k]);
        }
    }
}

static void test_reach_equals_brute_force(void **state)
{
    (void)state;
    unsigned shadowed = 0, empty = 0, reached = 0;
    for (int round = 0; round < 15; round++) {
        struct world world = world_new(&dice, round % 2 ? 1 : 60);
        size_t counts[] = {world.keys[0].count, world.keys[1].count};
        struct reach *reach = reach_new(world.lines, world.geo);
        for (int i = 0; i < 12; i++) {
            struct arena *arena = arena_new();
            struct policy policy = {0};
            struct oracle oracle = {0};
            random_policy(&world, arena, &policy);
            oracle_family(&oracle, &world, &policy, FAMILY_IPV4);
            oracle_family(&oracle, &world, &policy, FAMILY_IPV6);
            compare(&oracle, &policy, reach_of_policy(reach, &policy));
            for (size_t k = 0; k < policy.rule_count; k++) {
                shadowed += oracle.held[k] && !oracle.reached[k];
                empty += !oracle.held[k];
                reached += oracle.reached[k];
            }
            world.keys[0].count = counts[0];
            world.keys[1].count = counts[1];
            arena_free(arena);
        }
        reach_free(reach);
        world_free(&world);
    }
    print_message("%u rules reached, %u shadowed, %u empty\n", reached, shadowed, empty);
    assert_true(shadowed > 20 && empty > 10 && reached > 200);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reach_equals_brute_force)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
