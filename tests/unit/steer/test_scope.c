// SPDX-License-Identifier: GPL-3.0-or-later
//
// The scope of answers (RFC 7871, 7.2.1): everybody within it gets the same answers, and one bit
// less would take in somebody who does not. By brute force at every key where anything can change,
// over random policies in which pools have equal values.
#include "world.h"
#include "plans.h"

enum { POOLS = 5, MEMBERS = 4, CHECKS = 8, SITES = 5 };

static uint64_t dice;

// --- random policies

static void random_pools(struct world *world, struct arena *arena, struct policy *policy)
{
    static const uint32_t weights[MEMBERS] = {1, 1, 2, 1};
    for (size_t p = 0; p < policy->pool_count; p++) {
        struct pool *pool = &policy->pools[p];
        *pool = pool_make(arena, (uint8_t)p, weights, 1 + roll(world, MEMBERS));
        pool->fallback = p + 1 < policy->pool_count && roll(world, 2) ? (int)p + 1 : -1;
        for (size_t i = 0; i < pool->member_count; i++) {
            struct member *member = &pool->members[i];
            *member =
                member_make(arena, (uint8_t)roll(world, 2), (uint16_t)roll(world, 3), weights[i]);
            member->check = roll(world, 3) ? (int)roll(world, CHECKS) : -1;
            member->site = roll(world, 6) ? &policy->sites[roll(world, SITES)] : NULL;
        }
    }
}

static struct policy random_policy(struct world *world, struct arena *arena, struct site *sites)
{
    static const enum method methods[] = {METHOD_ROTATE, METHOD_RANDOM,  METHOD_WEIGHTED,
                                          METHOD_STICKY, METHOD_NEAREST, METHOD_ORDERED};
    struct policy policy = {.method = methods[roll(world, ARRAY_SIZE(methods))],
                            .answers = roll(world, 3),
                            .all_down = (enum all_down)roll(world, ALL_DOWN_COUNT),
                            .min_ttl = 5,
                            .pool_count = 1 + roll(world, POOLS),
                            .sites = sites,
                            .site_count = SITES};
    for (size_t i = 0; i < SITES; i++) {
        sites[i] = (struct site){.located = true,
                                 .latitude = roll(world, 181) - 90.0,
                                 .longitude = roll(world, 361) - 180.0};
    }
    policy.pools = arena_alloc(arena, policy.pool_count * sizeof(*policy.pools));
    random_pools(world, arena, &policy);
    random_rules(world, arena, &policy);
    return policy;
}

// --- what a client may be answered

// A number that is the same for two choices exactly when their answers are. Where the order is
// drawn the members are summed up, so that their own order does not count.
static uint64_t answer_print(const struct policy *policy, const struct plan *plan, size_t index)
{
    struct plan_choice_view view = plan_choice(plan, index);
    bool fixed = policy->method == METHOD_NEAREST || policy->method == METHOD_ORDERED;
    bool weighted = policy->method == METHOD_WEIGHTED || policy->method == METHOD_STICKY;
    uint64_t sum = 0;
    for (size_t i = 0; i < view.member_count; i++) {
        struct plan_member_view at = plan_choice_member(plan, index, i);
        const struct member *member =
            &(at.pool < 0 ? policy->values : policy->pools[at.pool].members)[at.index];
        uint64_t hash = hash_bytes(fixed ? i : 0, member->rdata, member->rdata_size);
        sum += hash_u64(hash, weighted ? at.weight : 0);
    }
    return hash_u64(sum, (uint64_t)view.kind << 40 | (uint64_t)view.answer_count << 32 | view.ttl);
}

// With the shares that stand before the last choice; one whose others get the same is none.
static uint64_t chain_print(const struct policy *policy, const struct plan *plan, size_t index)
{
    struct plan_choice_view view = plan_choice(plan, index);
    uint64_t own = answer_print(policy, plan, index);
    if (view.otherwise < 0) {
        return own;
    }
    uint64_t rest = chain_print(policy, plan, (size_t)view.otherwise);
    return own == rest ? rest : hash_u64(own ^ rest << 1, view.share_ppm);
}

static uint64_t client_print(const struct policy *policy, const struct plan *plan,
                             const struct address *client)
{
    const struct territory *base = plan_territory(plan);
    uint32_t class_index = base ? territory_lookup(base, client).class_index : 0;
    return chain_print(policy, plan, plan_class_choice(plan, class_index));
}

static bool has_shares(const struct policy *policy)
{
    bool any = false;
    for (size_t i = 0; i < policy->rule_count; i++) {
        any |= policy->rules[i].share_ppm < 1000000;
    }
    return any;
}

// --- the check

struct oracle {
    enum family family;
    const struct keys *keys;
    uint64_t *prints;
};

static bool constant(const struct oracle *oracle, uint64_t key, unsigned length)
{
    uint64_t rest = rest_of_prefix(length), last = key | rest;
    size_t first = keys_run(oracle->keys, key & ~rest);
    for (size_t i = first + 1; i < oracle->keys->count && oracle->keys->items[i] <= last; i++) {
        if (oracle->prints[i] != oracle->prints[first]) {
            return false;
        }
    }
    return true;
}

struct tally {
    unsigned long checked, narrower_before; // than the policy's own territory would say
};

static void check_key(const struct oracle *oracle, const struct policy *policy,
                      const struct plan *plan, uint64_t key, struct tally *tally)
{
    struct address client = address_from_key(oracle->family, key);
    struct pick pick = pick_once(plan, &client, &dice);
    unsigned hashed = oracle->family == FAMILY_IPV4 ? 24 : 56, scope = pick.scope;
    assert_true(constant(oracle, key, scope));
    bool may_hash = policy->method == METHOD_STICKY || has_shares(policy);
    bool by_hash = may_hash && scope == hashed;
    if (scope > 0 && !by_hash && !has_shares(policy)) {
        assert_false(constant(oracle, key, scope - 1));
    }
    tally->checked++;
    tally->narrower_before +=
        plan_territory(plan) && territory_lookup(plan_territory(plan), &client).scope > scope;
}

static void check_family(struct world *world, const struct policy *policy, const struct plan *plan,
                         enum family family, struct tally *tally)
{
    struct keys keys = {0};
    const struct keys *known = &world->keys[family == FAMILY_IPV6];
    for (size_t i = 0; i < known->count; i++) {
        keys_add(&keys, known->items[i]);
    }
    keys_sort(&keys);
    struct oracle oracle = {family, &keys, mem_alloc_array(keys.count, sizeof(uint64_t))};
    for (size_t i = 0; i < keys.count; i++) {
        struct address address = address_from_key(family, keys.items[i]);
        oracle.prints[i] = client_print(policy, plan, &address);
    }
    uint64_t mask = family == FAMILY_IPV4 ? UINT64_MAX << 32 : UINT64_MAX;
    for (int i = 0; i < 300; i++) { // at the borders, and anywhere
        uint64_t key = keys.items[roll(world, (uint32_t)keys.count)];
        key -= roll(world, 2) ? mask & -mask : 0;
        check_key(&oracle, policy, plan, roll(world, 4) ? key : random_next(&dice) & mask, tally);
    }
    free(oracle.prints);
    free(keys.items);
}

// As the engine does it.
static struct territory *project(struct territories *set, struct plan *plan)
{
    const struct territory *base = plan_territory(plan);
    uint32_t *groups = mem_alloc_array(territory_class_count(base), sizeof(*groups));
    size_t count = plan_groups(plan, groups);
    struct territory *projection = NULL;
    if (count > 1) {
        assert_null(territory_project(set, base, groups, count, false));
        projection = territory_project(set, base, groups, count, true);
        assert_ptr_equal(territory_project(set, base, groups, count, false), projection);
        territory_release(set, projection);
    }
    plan_project(plan, projection);
    free(groups);
    return projection;
}

static void check_policy(struct world *world, struct territories *set, struct tally *tally)
{
    struct arena *arena = arena_new();
    struct site sites[SITES];
    struct policy policy = random_policy(world, arena, sites);
    for (size_t i = 0; i < policy.rule_count; i++) {
        for (size_t k = 0; k < policy.rules[i].subnet_count; k++) {
            world_mark(world, &policy.rules[i].subnets[k]);
        }
    }
    struct member_view views[CHECKS] = {0};
    for (size_t i = 0; i < CHECKS; i++) {
        views[i].health = roll(world, 3) ? HEALTH_UP : HEALTH_DOWN;
    }
    struct health_source health = {view_of_array, views};
    struct territory *base = territory_acquire(set, &policy, world->lines, world->geo);
    struct plan *plan = plan_compile(&policy, TYPE_A, 60, base, &health, random_next(&dice));
    struct territory *projection = base ? project(set, plan) : NULL;
    check_family(world, &policy, plan, FAMILY_IPV4, tally);
    check_family(world, &policy, plan, FAMILY_IPV6, tally);
    plan_free(plan);
    territory_release(set, projection);
    territory_release(set, base);
    assert_int_equal(territories_count(set), 0);
    arena_free(arena);
}

static void test_scopes_are_exact(void **state)
{
    (void)state;
    struct tally tally = {0};
    for (int round = 0; round < 30; round++) {
        struct world world = world_new(&dice, 20 + random_below(&dice, 200));
        size_t counts[] = {world.keys[0].count, world.keys[1].count};
        struct territories *set = territories_new();
        for (int i = 0; i < 20; i++) {
            check_policy(&world, set, &tally);
            world.keys[0].count = counts[0];
            world.keys[1].count = counts[1];
        }
        territories_free(set);
        world_free(&world);
    }
    print_message("%lu scopes, %lu of them wider than by rules alone\n", tally.checked,
                  tally.narrower_before);
    assert_true(tally.narrower_before > tally.checked / 20);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scopes_are_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
