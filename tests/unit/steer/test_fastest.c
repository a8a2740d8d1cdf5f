// SPDX-License-Identifier: GPL-3.0-or-later
//
// Method fastest: the table of round trips, and its networks over the world's distances, held
// against the rule asked one client at a time.
#include "world.h"
#include "plans.h"

#include "steer/rtt.h"

#include <math.h>

enum { SITES = 6 };

static uint64_t dice;

static double seen(const struct rtt *rtt, const struct address *client, const char *place)
{
    size_t count;
    const struct rtt_network **networks = rtt_networks(rtt, client->family, &count);
    uint64_t key = address_key(client);
    double ms = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || networks[i - 1]->last < networks[i]->first);
        if (networks[i]->first <= key && key <= networks[i]->last) {
            ms = rtt_of(networks[i], rtt_place(place));
        }
    }
    free(networks);
    return ms;
}

static void test_table(void **state)
{
    (void)state;
    struct rtt *rtt = rtt_new();
    struct address client = client_ipv4(0x0a0101), neighbour = client, other = client_ipv4(7);
    neighbour.bytes[3] = 200;
    uint64_t version = rtt_version(rtt);
    assert_true(rtt_add(rtt, &client, "fra", 20, RTT_SAMPLES_MIN - 1, 1));
    assert_true(seen(rtt, &client, "fra") == 0); // not enough samples yet
    assert_int_equal(rtt_version(rtt), version);
    assert_true(rtt_add(rtt, &neighbour, "fra", 20, 1, 2)); // the same /24
    assert_true(fabs(seen(rtt, &client, "fra") - 20) < 1e-9);
    assert_true(seen(rtt, &other, "fra") == 0);
    version = rtt_version(rtt);
    for (int i = 0; i < 1000; i++) { // noise moves nothing
        rtt_add(rtt, &client, "fra", 19 + random_below(&dice, 3), 1, 3);
    }
    assert_int_equal(rtt_version(rtt), version);
    for (int i = 0; i < 60; i++) { // a move is followed
        rtt_add(rtt, &client, "fra", 80, 1, 4);
    }
    assert_true(seen(rtt, &client, "fra") > 65 && rtt_version(rtt) > version);
    assert_true(rtt_add(rtt, &other, "nyc", 5, 100, 9));
    version = rtt_version(rtt);
    rtt_age(rtt, 5);
    assert_true(seen(rtt, &client, "fra") == 0 && seen(rtt, &other, "nyc") == 5);
    assert_true(rtt_version(rtt) > version);
    assert_int_equal(rtt_network_count(rtt), 1);
    for (uint32_t i = 0; i < RTT_NETWORKS_MAX + 10; i++) { // bounded
        struct address many = client_ipv4(i + 100);
        assert_int_equal(rtt_add(rtt, &many, "fra", 5, 1, 9), i + 1 < RTT_NETWORKS_MAX);
    }
    rtt_free(rtt);
}

struct scene {
    struct site sites[SITES];
    struct pool pool;
    struct rule rule;
    struct policy policy;
    struct rtt *rtt;
};

// The member that the client should get: measured ones by time, if there are two, else distance.
static unsigned expected(const struct scene *s, const struct territory *nearest,
                         const struct address *client)
{
    double best = INFINITY;
    unsigned at = 0, measured = 0;
    for (unsigned i = 0; i < SITES; i++) {
        double ms = seen(s->rtt, client, s->sites[i].name);
        measured += ms > 0;
        if (ms > 0 && ms < best) {
            best = ms;
            at = i;
        }
    }
    if (measured >= 2) {
        return at;
    }
    struct territory_class class =
        territory_class(nearest, territory_lookup(nearest, client).class_index);
    return class.order ? class.order[0] : 0;
}

static void scene_make(struct scene *s, struct world *world, struct arena *arena)
{
    static const char *const names[SITES] = {"a", "b", "c", "d", "e", "f"};
    static const uint32_t weights[SITES] = {1, 1, 1, 1, 1, 1};
    *s = (struct scene){.pool = pool_make(arena, 0, weights, SITES), .rtt = rtt_new()};
    for (size_t i = 0; i < SITES; i++) {
        s->sites[i] = (struct site){.name = names[i],
                                    .located = true,
                                    .latitude = roll(world, 181) - 90.0,
                                    .longitude = roll(world, 361) - 180.0};
        s->pool.members[i].site = &s->sites[i];
    }
    s->rule.share_ppm = 1000000;
    s->policy = (struct policy){.form = FORM_DYNAMIC,
                                .method = METHOD_FASTEST,
                                .pools = &s->pool,
                                .pool_count = 1,
                                .rules = &s->rule,
                                .rule_count = 1,
                                .sites = s->sites,
                                .site_count = SITES};
}

static void measure(struct scene *s, struct world *world, struct address *clients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        clients[i] = random_prefix(world).address;
        for (size_t k = roll(world, SITES + 1); k > 0; k--) { // distinct, so that none tie
            rtt_add(s->rtt, &clients[i], s->sites[roll(world, SITES)].name,
                    1 + random_below(&dice, 1000000) / 1e3, RTT_SAMPLES_MIN, 1);
        }
    }
}

static void test_over_the_world(void **state)
{
    (void)state;
    unsigned faster = 0;
    for (int round = 0; round < 15; round++) {
        struct world world = world_new(&dice, 100);
        struct arena *arena = arena_new();
        struct scene s;
        struct address clients[60];
        scene_make(&s, &world, arena);
        measure(&s, &world, clients, ARRAY_SIZE(clients));
        struct territories *set = territories_new(), *plain = territories_new();
        territories_measure(set, s.rtt);
        struct territory *territory = territory_acquire(set, &s.policy, world.lines, world.geo);
        struct territory *nearest = territory_acquire(plain, &s.policy, world.lines, world.geo);
        struct plan *plan = plan_compile(&s.policy, TYPE_A, 60, territory, NULL, 1);
        for (int i = 0; i < 1500; i++) {
            struct address client = random_prefix(&world).address;
            client = roll(&world, 2) ? clients[roll(&world, ARRAY_SIZE(clients))] : client;
            struct pick pick = pick_once(plan, &client, &dice);
            unsigned pool, wanted = expected(&s, nearest, &client);
            assert_int_equal(pick.count, 1);
            assert_int_equal(record_member(&pick, 0, &pool), wanted);
            faster += territory_lookup(nearest, &client).class_index !=
                      territory_lookup(territory, &client).class_index;
        }
        struct address client = client_ipv4(round); // a new version is a new territory
        rtt_add(s.rtt, &client, "a", 7, 100, 1);
        struct territory *next = territory_acquire(set, &s.policy, world.lines, world.geo);
        assert_ptr_not_equal(next, territory);
        plan_free(plan);
        territory_release(set, next);
        territory_release(set, territory);
        territory_release(plain, nearest);
        territories_free(set);
        territories_free(plain);
        rtt_free(s.rtt);
        arena_free(arena);
        world_free(&world);
    }
    assert_true(faster > 1000);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_over_the_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
