// SPDX-License-Identifier: GPL-3.0-or-later
//
// simulate against brute force: which choice each client takes, asked one at a time, and the
// answers that random clients get.
#include "steer/simulate.h"

#include "plans.h"
#include "steer/rule.h"
#include "steer/shares.h"
#include "steer/what_if.h"
#include "world.h"

#include <math.h>

static uint64_t dice;

enum { POOLS = 4, MEMBERS = 4, NETWORKS = 60, DRAWS = 20000 };

static struct member_view views[POOLS * MEMBERS];

static void random_policy(struct world *world, struct arena *arena, struct policy *policy)
{
    static const enum method methods[] = {METHOD_ROTATE, METHOD_WEIGHTED, METHOD_STICKY,
                                          METHOD_ORDERED, METHOD_RANDOM};
    policy->pool_count = POOLS;
    policy->pools = arena_alloc(arena, POOLS * sizeof(*policy->pools));
    for (size_t i = 0; i < POOLS; i++) {
        uint32_t weights[MEMBERS];
        for (size_t k = 0; k < MEMBERS; k++) {
            weights[k] = roll(world, 5) ? 1 + roll(world, 20) : 0;
        }
        policy->pools[i] = pool_make(arena, (uint8_t)i, weights, 1 + roll(world, MEMBERS));
        policy->pools[i].fallback = i + 1 < POOLS && roll(world, 2) ? (int)i + 1 : -1;
        policy->pools[i].min_up = 1 + roll(world, 2);
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            int check = (int)(i * MEMBERS + k);
            policy->pools[i].members[k].check = roll(world, 3) ? check : -1;
            views[check] = (struct member_view){.health = roll(world, 3) ? HEALTH_UP : HEALTH_DOWN};
        }
    }
    random_rules(world, arena, policy);
    policy->method = methods[roll(world, ARRAY_SIZE(methods))];
    policy->answers = roll(world, 4);
    policy->all_down = (enum all_down)roll(world, ALL_DOWN_COUNT);
    for (size_t i = 0; i < policy->rule_count; i++) {
        for (size_t k = 0; k < policy->rules[i].subnet_count; k++) {
            world_mark(world, &policy->rules[i].subnets[k]);
        }
    }
}

static struct member_view view(void *state, const struct member *member)
{
    (void)state;
    return member->check < 0 ? (struct member_view){.health = HEALTH_UNCHECKED}
                             : views[member->check];
}

static const struct health_source health = {view, NULL};

// --- which choice

// Adds a client's weight to the choices of its class, as the shares on their way divide it.
static void oracle_add(const struct plan *plan, const struct address *client, double weight,
                       double *weights)
{
    const struct territory *territory = plan_territory(plan);
    uint32_t class_index = territory ? territory_lookup(territory, client).class_index : 0;
    double left = 1;
    for (int at = (int)plan_class_choice(plan, class_index); at >= 0;) {
        struct plan_choice_view choice = plan_choice(plan, (size_t)at);
        double taken = choice.otherwise < 0 ? left : fmin(choice.share_ppm / 1e6, left);
        weights[at] += weight * taken;
        left -= taken;
        at = choice.otherwise;
    }
}

static void expect_weights(const double *found, const double *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fabs(found[i] - expected[i]) > 1e-6 * (1 + expected[i])) {
            fail_msg("choice %zu: weight %f, not %f", i, found[i], expected[i]);
        }
    }
}

// Every border of the world cuts the space into pieces of one class each.
static void oracle_space(struct world *world, const struct plan *plan,
                         const struct population *population, double *weights)
{
    struct keys keys = {0};
    struct keys *known = &world->keys[population->family == FAMILY_IPV6];
    for (size_t i = 0; i < known->count; i++) {
        keys_add(&keys, known->items[i]);
    }
    for (size_t i = 0; i < population->count; i++) {
        keys_add(&keys, population->runs[i].first);
        keys_add(&keys, population->runs[i].last + 1);
    }
    keys_sort(&keys);
    for (size_t i = 0; i < keys.count; i++) {
        uint64_t first = keys.items[i];
        uint64_t last = i + 1 < keys.count ? keys.items[i + 1] - 1 : UINT64_MAX;
        struct address client = address_from_key(population->family, first);
        for (size_t k = 0; k < population->count; k++) {
            const struct population_run *run = &population->runs[k];
            if (run->first <= first && last <= run->last) {
                double part = ((double)(last - first) + 1) / ((double)(run->last - run->first) + 1);
                oracle_add(plan, &client, run->weight * part, weights);
            }
        }
    }
    free(keys.items);
}

static void check_population(struct world *world, const struct plan *plan,
                             const struct population *population)
{
    struct simulation simulation = simulate(plan, population, NULL, 1);
    double *expected = mem_alloc_array(simulation.choice_count, sizeof(double));
    oracle_space(world, plan, population, expected);
    expect_weights(simulation.weights, expected, simulation.choice_count);
    double weight = population_weight(population);
    assert_true(fabs(simulation.group_weights[0] - weight) < 1e-6 * (1 + weight));
    simulation_free(&simulation);
    free(expected);
}

// --- groups

static void check_groups(struct world *world, const struct plan *plan,
                         const struct population *population)
{
    static const char *const names[] = {"cn", "cn-telecom", "office", "overseas", "us-ca"};
    struct rule rules[ARRAY_SIZE(names)] = {{0}};
    int lines[ARRAY_SIZE(names)];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        lines[i] = lines_find(world->lines, names[i]);
        rules[i].lines = &lines[i];
        rules[i].line_count = 1;
    }
    struct territories *set = territories_new();
    struct policy groups = group_policy(rules, ARRAY_SIZE(names));
    struct territory *territory = territory_acquire(set, &groups, world->lines, world->geo);
    struct simulation simulation = simulate(plan, population, territory, ARRAY_SIZE(names));
    double *expected =
        mem_alloc_array((ARRAY_SIZE(names) + 1) * simulation.choice_count, sizeof(double));
    for (size_t i = 0; i < population->count; i++) { // single clients
        struct address client = address_from_key(population->family, population->runs[i].first);
        bool in_any = false;
        for (size_t g = 0; g <= ARRAY_SIZE(names); g++) {
            bool in = g == ARRAY_SIZE(names)
                          ? !in_any
                          : rule_holds_client(&rules[g], world->lines, world->geo, &client);
            in_any |= in;
            if (in) {
                oracle_add(plan, &client, population->runs[i].weight,
                           expected + g * simulation.choice_count);
            }
        }
    }
    expect_weights(simulation.weights, expected, (ARRAY_SIZE(names) + 1) * simulation.choice_count);
    simulation_free(&simulation);
    free(expected);
    territory_release(set, territory);
    territories_free(set);
}

// --- answers

// What plan_pick gives to random clients of the population.
static void check_answers(struct world *world, const struct plan *plan, enum method method,
                          const struct population *population)
{
    double first[POOLS + 1][MEMBERS] = {{0}}, expected[POOLS + 1][MEMBERS] = {{0}};
    struct simulation simulation = simulate(plan, population, NULL, 1);
    double total = simulation.group_weights[0];
    for (size_t c = 0; c < simulation.choice_count; c++) {
        struct plan_choice_view choice = plan_choice(plan, c);
        struct member_share shares[POOLS * MEMBERS] = {{0}};
        if (choice.kind != PICK_MEMBERS) {
            continue;
        }
        choice_shares(plan, c, shares);
        for (size_t i = 0; i < choice.member_count; i++) {
            struct plan_member_view member = plan_choice_member(plan, c, i);
            expected[member.pool][member.index] += simulation.weights[c] / total * shares[i].first;
        }
    }
    for (unsigned i = 0; i < DRAWS; i++) {
        double at = (double)(random_next(world->dice) >> 11) / 0x1p53 * total;
        size_t run = 0;
        while (run + 1 < population->count && at >= population->runs[run].weight) {
            at -= population->runs[run++].weight;
        }
        const struct population_run *r = &population->runs[run];
        uint64_t span = r->last - r->first;
        uint64_t key = random_next(world->dice);
        key = span == UINT64_MAX ? key : r->first + key % (span + 1);
        struct address client = address_from_key(population->family, key);
        struct pick pick = pick_once(plan, &client, world->dice);
        unsigned pool;
        if (pick.kind == PICK_MEMBERS) {
            unsigned member = record_member(&pick, 0, &pool);
            first[pool][member]++;
        }
    }
    for (size_t p = 0; p < POOLS; p++) {
        for (size_t i = 0; i < MEMBERS; i++) {
            double share = expected[p][i];
            if (fabs(first[p][i] - share * DRAWS) > chance_bound(share, DRAWS)) {
                fail_msg("%s: member %zu of pool %zu got %.0f of %d, expected %.4f",
                         method_names[method], i, p, first[p][i], DRAWS, share);
            }
        }
    }
    simulation_free(&simulation);
}

// --- the whole

static void networks_make(struct world *world, bool single, struct prefix *networks,
                          double *weights)
{
    for (size_t i = 0; i < NETWORKS; i++) {
        networks[i] = random_prefix(world);
        if (single) {
            networks[i].length = networks[i].address.family == FAMILY_IPV4 ? 32 : 64;
        }
        address_mask(&networks[i].address, networks[i].length);
        weights[i] = 1 + roll(world, 100);
    }
}

static void check_family(struct world *world, const struct plan *plan, const struct policy *policy,
                         enum family family, bool with_answers)
{
    struct prefix networks[NETWORKS];
    double weights[NETWORKS];
    struct population all = population_of_addresses(world->geo, family);
    check_population(world, plan, &all);
    population_free(&all);
    networks_make(world, false, networks, weights);
    struct population some = population_of_networks(family, networks, weights, NETWORKS);
    check_population(world, plan, &some);
    if (with_answers && some.count > 0) {
        check_answers(world, plan, policy->method, &some);
    }
    population_free(&some);
    networks_make(world, true, networks, weights);
    struct population single = population_of_networks(family, networks, weights, NETWORKS);
    check_groups(world, plan, &single);
    population_free(&single);
}

static bool has_shares(const struct policy *policy)
{
    for (size_t i = 0; i < policy->rule_count; i++) {
        if (policy->rules[i].share_ppm < 1000000) {
            return true;
        }
    }
    return false;
}

static void test_simulate_equals_brute_force(void **state)
{
    (void)state;
    unsigned answered = 0;
    for (int round = 0; round < 8; round++) {
        struct world world = world_new(&dice, 10 + random_below(&dice, 100));
        size_t counts[] = {world.keys[0].count, world.keys[1].count};
        struct territories *set = territories_new();
        for (int i = 0; i < 8; i++) {
            struct arena *arena = arena_new();
            struct policy policy = {0};
            random_policy(&world, arena, &policy);
            struct territory *territory = territory_acquire(set, &policy, world.lines, world.geo);
            struct plan *plan = plan_compile(&policy, TYPE_A, 60, territory, &health, 5);
            // Shares and sticky members go by the hash of a /24 or /56: over a few networks that is
            // no even deal. test_shares has them over many.
            bool even = !has_shares(&policy) && policy.method != METHOD_STICKY;
            answered += even;
            check_family(&world, plan, &policy, FAMILY_IPV4, even);
            check_family(&world, plan, &policy, FAMILY_IPV6, even);
            plan_free(plan);
            territory_release(set, territory);
            world.keys[0].count = counts[0];
            world.keys[1].count = counts[1];
            arena_free(arena);
        }
        territories_free(set);
        world_free(&world);
    }
    assert_true(answered > 5);
}

// The whole public space of IPv4, without what is none.
static void test_population_of_addresses(void **state)
{
    (void)state;
    struct world world = world_new(&dice, 5);
    struct population ipv4 = population_of_addresses(world.geo, FAMILY_IPV4);
    assert_int_equal((long long)population_weight(&ipv4), 3702390784);
    static const char *const texts[] = {"0.1.2.3",       "10.255.255.255",  "127.0.0.1",
                                        "224.0.0.1",     "192.168.255.255", "100.64.0.0",
                                        "172.31.255.255"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct address address;
        assert_true(address_parse(texts[i], &address));
        uint64_t key = address_key(&address);
        for (size_t k = 0; k < ipv4.count; k++) {
            assert_true(key < ipv4.runs[k].first || key > ipv4.runs[k].last);
        }
    }
    population_free(&ipv4);
    world_free(&world);
}

// --- what if

static void test_what_if(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    const uint32_t weights[] = {1, 2, 3};
    struct pool pools[2] = {pool_make(arena, 0, weights, 3), pool_make(arena, 1, weights, 2)};
    struct site fra = {.name = "fra"}, nyc = {.name = "nyc"};
    static const char *const names[2][3] = {{"10.0.0.0", "10.0.0.1", "10.0.0.2"},
                                            {"10.1.0.0", "10.1.0.1", NULL}};
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < pools[p].member_count; i++) {
            pools[p].members[i].text = names[p][i];
            pools[p].members[i].site = i == 0 ? &fra : &nyc;
        }
    }
    pools[0].name = "near";
    pools[1].name = "far";
    pools[0].fallback = 1;
    struct rule rule = {.share_ppm = 1000000};
    struct policy policy = {.form = FORM_DYNAMIC,
                            .method = METHOD_WEIGHTED,
                            .answers = 1,
                            .pools = pools,
                            .pool_count = 2,
                            .rules = &rule,
                            .rule_count = 1};
    static const struct {
        const char *pattern;
        bool has_weight;
        size_t hits;
        int pool; // that answers afterwards
        size_t members;
        uint32_t first_weight;
    } rows[] = {
        {"10.0.0.1", false, 1, 0, 2, 1}, {"10.0.0.*", false, 3, 1, 2, 1},
        {"near", false, 3, 1, 2, 1},     {"nyc", false, 3, 0, 1, 1},
        {"*", false, 5, 0, 3, 1}, // all down: all answer
        {"nothing", false, 0, 0, 3, 1},  {"10.0.0.0", true, 1, 0, 3, 7},
        {"near", true, 0, 0, 3, 1}, // a pool has no weight of its own
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct what_if_change change = {
            .pattern = rows[i].pattern, .has_weight = rows[i].has_weight, .weight = 7};
        struct what_if *what_if = what_if_new(&policy, &health, &change, 1);
        struct health_source source = what_if_health(what_if);
        struct plan *plan = plan_compile(what_if_policy(what_if), TYPE_A, 60, NULL, &source, 1);
        struct plan_choice_view view_of_all = plan_choice(plan, plan_class_choice(plan, 0));
        assert_int_equal(change.hits, rows[i].hits);
        assert_int_equal(change.blind, rows[i].has_weight ? 0 : rows[i].hits);
        assert_int_equal(view_of_all.pool, rows[i].pool);
        assert_int_equal(view_of_all.member_count, rows[i].members);
        assert_int_equal(plan_choice_member(plan, plan_class_choice(plan, 0), 0).weight,
                         rows[i].first_weight);
        plan_free(plan);
        what_if_free(what_if);
    }
    assert_int_equal(pools[0].members[0].weight, 1); // the original is as it was
    assert_int_equal(pools[0].members[0].check, -1);
    arena_free(arena);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simulate_equals_brute_force),
        cmocka_unit_test(test_population_of_addresses),
        cmocka_unit_test(test_what_if),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
