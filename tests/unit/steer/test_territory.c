// SPDX-License-Identifier: GPL-3.0-or-later
//
// Territories against brute force: rule_holds_client asked at every key where anything can change.
#include "steer/territory.h"

#include "steer/rule.h"
#include "world.h"

static uint64_t dice;

// What decides for a client: the pools and shares of its rules in order, as far as they matter.
struct list {
    size_t count;
    struct {
        size_t pool;
        uint32_t share_ppm;
    } items[16];
};

static void list_add(struct list *list, const struct rule *rule)
{
    assert_true(list->count < ARRAY_SIZE(list->items));
    list->items[list->count].pool = rule->pool;
    list->items[list->count++].share_ppm = rule->share_ppm;
}

static bool list_equal(const struct list *a, const struct list *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++) {
        equal =
            a->items[i].pool == b->items[i].pool && a->items[i].share_ppm == b->items[i].share_ppm;
    }
    return equal;
}

static struct list brute_list(const struct world *world, const struct policy *policy,
                              const struct address *client)
{
    struct list list = {0};
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        if (!rule_holds_client(rule, world->lines, world->geo, client)) {
            continue;
        }
        list_add(&list, rule);
        if (rule->share_ppm == 1000000 && policy->form != FORM_FLAT) {
            break;
        }
    }
    return list;
}

// The answer of brute force over the whole space of a family, run by run.
struct oracle {
    enum family family;
    const struct keys *keys;
    struct list *lists;
};

static struct oracle oracle_new(const struct world *world, const struct policy *policy,
                                enum family family, const struct keys *keys)
{
    struct oracle oracle = {family, keys, mem_alloc_array(keys->count, sizeof(struct list))};
    for (size_t i = 0; i < keys->count; i++) {
        struct address address = address_from_key(family, keys->items[i]);
        oracle.lists[i] = brute_list(world, policy, &address);
    }
    return oracle;
}

static bool oracle_constant(const struct oracle *oracle, uint64_t key, unsigned length)
{
    uint64_t rest = rest_of_prefix(length), last = key | rest;
    size_t first = keys_run(oracle->keys, key & ~rest);
    for (size_t i = first + 1; i < oracle->keys->count && oracle->keys->items[i] <= last; i++) {
        if (!list_equal(&oracle->lists[i], &oracle->lists[first])) {
            return false;
        }
    }
    return true;
}

static void check_key(const struct oracle *oracle, const struct policy *policy,
                      const struct territory *territory, uint64_t key)
{
    struct address client = address_from_key(oracle->family, key);
    struct territory_match match = territory_lookup(territory, &client);
    struct territory_class class = territory_class(territory, match.class_index);
    struct list list = {0};
    for (size_t i = 0; i < class.rule_count; i++) {
        list_add(&list, &policy->rules[class.rules[i]]);
    }
    const struct list *expected = &oracle->lists[keys_run(oracle->keys, key)];
    char text[ADDRESS_TEXT_MAX];
    if (!list_equal(&list, expected)) {
        fail_msg("%s: class %u differs from brute force", address_format(&client, text),
                 match.class_index);
    }
    assert_true(match.scope <= (oracle->family == FAMILY_IPV4 ? 32 : 64));
    if (!oracle_constant(oracle, key, match.scope)) {
        fail_msg("%s: not constant over its scope /%u", address_format(&client, text), match.scope);
    }
    if (match.scope > 0 && oracle_constant(oracle, key, match.scope - 1U)) {
        fail_msg("%s: scope /%u is narrower than need be", address_format(&client, text),
                 match.scope);
    }
}

static void check_family(struct world *world, const struct policy *policy,
                         const struct territory *territory, enum family family)
{
    struct keys keys = {0};
    struct keys *known = &world->keys[family == FAMILY_IPV6];
    for (size_t i = 0; i < known->count; i++) {
        keys_add(&keys, known->items[i]);
    }
    keys_sort(&keys);
    struct oracle oracle = oracle_new(world, policy, family, &keys);
    uint64_t mask = family == FAMILY_IPV4 ? UINT64_MAX << 32 : UINT64_MAX;
    for (int i = 0; i < 600; i++) { // at the borders, and anywhere
        uint64_t key = keys.items[roll(world, (uint32_t)keys.count)];
        key -= roll(world, 2) ? mask & -mask : 0;
        key = roll(world, 4) ? key : random_next(&dice) & mask;
        check_key(&oracle, policy, territory, key);
    }
    free(oracle.lists);
    free(keys.items);
}

// The rules' own networks are borders too.
static void mark_subnets(struct world *world, const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        for (size_t k = 0; k < policy->rules[i].subnet_count; k++) {
            world_mark(world, &policy->rules[i].subnets[k]);
        }
    }
}

// Pools of one member each, checked or not.
static struct pool *random_pools(struct world *world, struct arena *arena, size_t count)
{
    struct pool *pools = arena_alloc(arena, count * sizeof(*pools));
    for (size_t i = 0; i < count; i++) {
        pools[i].members = arena_alloc(arena, sizeof(*pools[i].members));
        pools[i].members[0].check = (int)roll(world, 2) - 1;
        pools[i].member_count = 1;
    }
    return pools;
}

static void test_territories_equal_brute_force(void **state)
{
    (void)state;
    unsigned built = 0, classes = 0;
    for (int round = 0; round < 40; round++) {
        struct world world = world_new(&dice, 20 + random_below(&dice, 300));
        size_t counts[] = {world.keys[0].count, world.keys[1].count};
        struct territories *set = territories_new();
        for (int i = 0; i < 12; i++) {
            struct arena *arena = arena_new();
            struct policy policy = {.pool_count = 1 + roll(&world, 6)};
            policy.pools = random_pools(&world, arena, policy.pool_count);
            random_rules(&world, arena, &policy);
            mark_subnets(&world, &policy);
            struct territory *territory = territory_acquire(set, &policy, world.lines, world.geo);
            if (territory != NULL) {
                check_family(&world, &policy, territory, FAMILY_IPV4);
                check_family(&world, &policy, territory, FAMILY_IPV6);
                built++;
                classes += (unsigned)territory_class_count(territory);
                assert_true(territory_size(territory) > 0);
            }
            territory_release(set, territory);
            assert_int_equal(territories_count(set), 0);
            world.keys[0].count = counts[0];
            world.keys[1].count = counts[1];
            arena_free(arena);
        }
        territories_free(set);
        world_free(&world);
    }
    print_message("%u territories, %u classes\n", built, classes);
    assert_true(built > 100 && classes > 3 * built);
}

// No rule that looks at the client: no territory.
static void test_none_for_everybody(void **state)
{
    (void)state;
    struct world world = world_new(&dice, 5);
    struct territories *set = territories_new();
    int everybody = lines_find(world.lines, "default");
    struct rule rules[] = {{.share_ppm = 50000}, {.lines = &everybody, .line_count = 1}, {0}};
    struct pool pool = {.name = "p"};
    struct policy policy = {
        .form = FORM_DYNAMIC, .pools = &pool, .pool_count = 1, .rules = rules, .rule_count = 3};
    assert_null(territory_acquire(set, &policy, world.lines, world.geo));
    policy.rule_count = 0;
    assert_null(territory_acquire(set, &policy, world.lines, world.geo));
    territory_release(set, NULL);
    territories_free(set);
    world_free(&world);
}

// A rule for a network that nobody is in: one class, without rules.
static void test_no_rule_for_anybody(void **state)
{
    (void)state;
    struct world world = world_new(&dice, 5);
    struct territories *set = territories_new();
    uint32_t nobody = UINT32_MAX - 1;
    struct rule rule = {.asns = &nobody, .asn_count = 1};
    struct pool pool = {.name = "p"};
    struct policy policy = {
        .form = FORM_DYNAMIC, .pools = &pool, .pool_count = 1, .rules = &rule, .rule_count = 1};
    struct territory *territory = territory_acquire(set, &policy, world.lines, world.geo);
    assert_non_null(territory);
    for (size_t i = 0; i < territory_class_count(territory); i++) {
        assert_int_equal(territory_class(territory, (uint32_t)i).rule_count, 0);
    }
    territory_release(set, territory);
    territories_free(set);
    world_free(&world);
}

// Equal targets share one; a change of targets, shares, form, pool order or data does not.
static void test_interning(void **state)
{
    (void)state;
    struct world world = world_new(&dice, 5);
    struct territories *set = territories_new();
    struct prefix subnet = random_prefix(&world), other = subnet;
    other.length = (uint8_t)(subnet.length - 1);
    address_mask(&other.address, other.length);
    const char *geos[] = {"AS"};
    struct rule rules[] = {
        {.pool = 0, .share_ppm = 1000000, .subnets = &subnet, .subnet_count = 1},
        {.pool = 1, .share_ppm = 1000000, .geos = geos, .geo_count = 1},
        {.pool = 2, .share_ppm = 1000000},
    };
    struct member checked = {.check = 0};
    struct pool pools[3];
    for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
        pools[i] = (struct pool){.members = &checked, .member_count = 1};
    }
    struct policy policy = {.form = FORM_DYNAMIC,
                            .pools = pools,
                            .pool_count = ARRAY_SIZE(pools),
                            .rules = rules,
                            .rule_count = ARRAY_SIZE(rules)};
    struct territory *first = territory_acquire(set, &policy, world.lines, world.geo);
    assert_ptr_equal(territory_acquire(set, &policy, world.lines, world.geo), first);
    rules[0].pool = 2; // another numbering of the pools, the same pattern: 2 1 0
    rules[2].pool = 0;
    assert_ptr_equal(territory_acquire(set, &policy, world.lines, world.geo), first);
    assert_int_equal(territories_count(set), 1);

    struct territory *others[6];
    rules[2].pool = 2; // now the first and the last lead to one pool
    others[0] = territory_acquire(set, &policy, world.lines, world.geo);
    rules[2].pool = 0;
    rules[0].share_ppm = 5;
    others[1] = territory_acquire(set, &policy, world.lines, world.geo);
    rules[0].share_ppm = 1000000;
    rules[0].subnets = &other;
    others[2] = territory_acquire(set, &policy, world.lines, world.geo);
    rules[0].subnets = &subnet;
    policy.form = FORM_FLAT;
    others[3] = territory_acquire(set, &policy, world.lines, world.geo);
    policy.form = FORM_DYNAMIC;
    geos[0] = "EU";
    others[4] = territory_acquire(set, &policy, world.lines, world.geo);
    geos[0] = "AS";
    territories_forget(set);
    others[5] = territory_acquire(set, &policy, world.lines, world.geo);
    assert_int_equal(territories_count(set), 1 + ARRAY_SIZE(others));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        assert_ptr_not_equal(others[i], first);
        territory_release(set, others[i]);
    }
    territory_release(set, first);
    territory_release(set, first);
    assert_int_equal(territories_count(set), 1);
    territory_release(set, first);
    assert_int_equal(territories_count(set), 0);
    territories_free(set);
    world_free(&world);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_territories_equal_brute_force),
        cmocka_unit_test(test_none_for_everybody),
        cmocka_unit_test(test_no_rule_for_anybody),
        cmocka_unit_test(test_interning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
