// SPDX-License-Identifier: GPL-3.0-or-later
//
// Method nearest against distances worked out another way, over a random world.
#include "world.h"
#include "plans.h"

#include "steer/site_order.h"

#include <math.h>

enum { SITES = 9 };

static uint64_t dice;

// By the angle between two vectors; the code under test goes by haversines.
static double vector_km(double latitude_a, double longitude_a, double latitude_b,
                        double longitude_b)
{
    const double degree = 3.14159265358979323846 / 180;
    double a[3] = {cos(latitude_a * degree) * cos(longitude_a * degree),
                   cos(latitude_a * degree) * sin(longitude_a * degree), sin(latitude_a * degree)};
    double b[3] = {cos(latitude_b * degree) * cos(longitude_b * degree),
                   cos(latitude_b * degree) * sin(longitude_b * degree), sin(latitude_b * degree)};
    double cross[3] = {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2],
                       a[0] * b[1] - a[1] * b[0]};
    double sine = sqrt(cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]);
    return 6371 * atan2(sine, a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
}

static void test_distances(void **state)
{
    (void)state;
    assert_true(fabs(distance_km(50.11, 8.68, 40.71, -74.01) - 6200) < 20); // Frankfurt, New York
    assert_true(fabs(distance_km(0, 179, 0, -179) - 222.39) < 0.01);        // over the date line
    assert_true(fabs(distance_km(90, 0, -90, 77) - 20015.09) < 0.01);       // pole to pole
    assert_true(distance_km(12, 34, 12, 34) == 0);
    for (int i = 0; i < 100000; i++) {
        double place[4];
        for (int k = 0; k < 4; k++) {
            place[k] = ((double)random_below(&dice, 1000001) / 1e6 - 0.5) * (k % 2 ? 360 : 180);
        }
        double expected = vector_km(place[0], place[1], place[2], place[3]);
        assert_true(fabs(distance_km(place[0], place[1], place[2], place[3]) - expected) < 1e-3);
    }
}

// As Route 53 has it: 50 halves a distance, -100/... stretches it; ties and the unlocated.
static void test_order_of_sites(void **state)
{
    (void)state;
    struct site sites[] = {{.located = true, .latitude = 0, .longitude = 30},
                           {.located = false},
                           {.located = true, .latitude = 0, .longitude = -20},
                           {.located = true, .latitude = 0, .longitude = 20}};
    uint16_t order[4];
    site_order(sites, 4, 0, 0, order);
    const uint16_t plain[] = {2, 3, 0, 1}, wide[] = {0, 2, 3, 1}, narrow[] = {3, 0, 2, 1};
    assert_memory_equal(order, plain, sizeof(order));
    sites[0].bias = 34; // 30 degrees count as 19.8
    site_order(sites, 4, 0, 0, order);
    assert_memory_equal(order, wide, sizeof(order));
    sites[0].bias = 0;
    sites[2].bias = -34; // 20 degrees count as 30.3
    site_order(sites, 4, 0, 0, order);
    assert_memory_equal(order, narrow, sizeof(order));
}

static double biased(const struct site *site, const struct location *location)
{
    if (site == NULL || !site->located) {
        return INFINITY;
    }
    double km = vector_km((double)location->latitude, (double)location->longitude, site->latitude,
                          site->longitude);
    return site->bias >= 0 ? km * (100 - site->bias) / 100 : km * 100 / (100 + site->bias);
}

// The nearest usable members come first; from nowhere the order is as written.
static void check_client(const struct world *world, const struct policy *policy,
                         const struct plan *plan, const struct member_view *views,
                         const struct address *client, unsigned *told)
{
    const struct location *location =
        geo_location(world->geo, geo_locate(world->geo, client).location);
    const struct pool *pool = &policy->pools[0];
    bool taken[SITES * 2] = {0};
    struct pick pick = pick_once(plan, client, &dice);
    unsigned last = 0, number;
    for (size_t i = 0; i < pick.count; i++) {
        unsigned index = record_member(&pick, i, &number);
        assert_int_equal(views[index].health, HEALTH_UP);
        taken[index] = true;
        bool nowhere = isnan(location->latitude);
        assert_true(!nowhere || i == 0 || index > last);
        double own = biased(pool->members[index].site, location);
        for (size_t k = 0; k < pool->member_count && !nowhere; k++) {
            bool candidate = views[k].health == HEALTH_UP && !taken[k];
            assert_true(!candidate || biased(pool->members[k].site, location) >= own - 0.002);
        }
        last = index;
        *told += !nowhere;
    }
}

static void test_nearest(void **state)
{
    (void)state;
    struct territories *set = territories_new();
    unsigned told = 0;
    for (int round = 0; round < 30; round++) {
        struct world world = world_new(&dice, 150);
        struct arena *arena = arena_new();
        struct site sites[SITES];
        for (size_t i = 0; i < SITES; i++) {
            sites[i] = (struct site){.located = roll(&world, 8) > 0,
                                     .latitude = roll(&world, 181) - 90.0,
                                     .longitude = roll(&world, 361) - 180.0,
                                     .bias = roll(&world, 2) ? 0 : (int)roll(&world, 199) - 99};
        }
        static const uint32_t weights[SITES * 2] = {1, 1, 1, 1, 1, 1, 1, 1, 1,
                                                    1, 1, 1, 1, 1, 1, 1, 1, 1};
        struct pool pool = pool_make(arena, 0, weights, 2 + roll(&world, SITES * 2 - 1));
        struct member_view views[SITES * 2] = {0};
        for (size_t i = 0; i < pool.member_count; i++) {
            pool.members[i].check = (int)i;
            pool.members[i].site = roll(&world, 8) ? &sites[roll(&world, SITES)] : NULL;
            views[i].health = i > 0 && roll(&world, 3) == 0 ? HEALTH_DOWN : HEALTH_UP;
        }
        struct rule rule = {.share_ppm = 1000000};
        struct policy policy = {.form = FORM_DYNAMIC,
                                .method = METHOD_NEAREST,
                                .pools = &pool,
                                .pool_count = 1,
                                .rules = &rule,
                                .rule_count = 1,
                                .sites = sites,
                                .site_count = SITES,
                                .answers = roll(&world, 4)};
        struct territory *territory = territory_acquire(set, &policy, world.lines, world.geo);
        assert_non_null(territory);
        assert_ptr_equal(territory_acquire(set, &policy, world.lines, world.geo), territory);
        struct health_source health = {view_of_array, views};
        struct plan *plan = plan_compile(&policy, TYPE_A, 60, territory, &health, 1);
        for (int i = 0; i < 2000; i++) {
            struct prefix prefix = random_prefix(&world);
            check_client(&world, &policy, plan, views, &prefix.address, &told);
        }
        sites[0].latitude += 1; // sites elsewhere make another territory
        struct territory *other = territory_acquire(set, &policy, world.lines, world.geo);
        assert_ptr_not_equal(other, territory);
        plan_free(plan);
        territory_release(set, other);
        territory_release(set, territory);
        territory_release(set, territory);
        arena_free(arena);
        world_free(&world);
    }
    territories_free(set);
    print_message("%u answers to clients with a place\n", told);
    assert_true(told > 5000);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distances),
        cmocka_unit_test(test_order_of_sites),
        cmocka_unit_test(test_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
