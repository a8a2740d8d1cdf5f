// SPDX-License-Identifier: GPL-3.0-or-later
//
// The timetable of ramps, on a clock of its own; and that clients never flip back and forth.
#include "engine/ramps.h"

#include "../seed.h"
#include "base/memory.h"
#include "steer/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static uint64_t dice;

struct time {
    int64_t monotonic, wall;
};

static int64_t read_monotonic(void *state)
{
    return ((const struct time *)state)->monotonic;
}

static int64_t read_wall(void *state)
{
    return ((const struct time *)state)->wall;
}

enum { HOUR = 3600 };
#define WALL_BEGIN (INT64_C(1764064800) * NS_PER_SECOND)

static struct ramp_step steps[] = {{.share_ppm = 50000, .for_ns = HOUR * NS_PER_SECOND},
                                   {.share_ppm = 250000, .for_ns = 2 * HOUR * NS_PER_SECOND},
                                   {.share_ppm = 1000000}};

static uint32_t share(struct ramps *ramps, const struct ramp *document)
{
    int64_t next_ns;
    return ramps_share(ramps, "w:new", document, &next_ns);
}

static void pass(struct time *time, double hours)
{
    time->monotonic += (int64_t)(hours * HOUR * (double)NS_PER_SECOND);
    time->wall += (int64_t)(hours * HOUR * (double)NS_PER_SECOND);
}

static void test_timetable(void **state)
{
    (void)state;
    struct time time = {.monotonic = 7, .wall = WALL_BEGIN};
    const struct clock clock = {read_monotonic, read_wall, &time};
    struct ramps *ramps = ramps_new(&clock);
    struct ramp document = {.steps = steps, .step_count = 3};
    ramps_bind(ramps, "w:new", &document);
    assert_int_equal(document.share_ppm, 50000);
    int64_t next_ns;
    ramps_share(ramps, "w:new", &document, &next_ns);
    assert_int_equal(next_ns, 7 + HOUR * NS_PER_SECOND);
    pass(&time, 0.999);
    assert_int_equal(share(ramps, &document), 50000);
    time.wall += 100 * HOUR * NS_PER_SECOND; // a jump of the wall clock moves nothing
    assert_int_equal(share(ramps, &document), 50000);
    pass(&time, 0.002);
    assert_int_equal(share(ramps, &document), 250000);
    // The next version of the document is the same ramp.
    struct ramp again = {.steps = steps, .step_count = 3};
    ramps_bind(ramps, "w:new", &again);
    assert_int_equal(again.share_ppm, 250000);
    pass(&time, 2);
    ramps_share(ramps, "w:new", &document, &next_ns);
    assert_int_equal(share(ramps, &document), 1000000);
    assert_int_equal(next_ns, INT64_MAX);
    ramps_free(ramps);
}

static void test_start(void **state)
{
    (void)state;
    struct time time = {.monotonic = 7, .wall = WALL_BEGIN};
    const struct clock clock = {read_monotonic, read_wall, &time};
    struct ramps *ramps = ramps_new(&clock);
    struct ramp later = {
        .steps = steps, .step_count = 3, .start_ns = WALL_BEGIN + HOUR * NS_PER_SECOND};
    ramps_bind(ramps, "w:new", &later);
    assert_int_equal(later.share_ppm, 0);
    int64_t next_ns;
    ramps_share(ramps, "w:new", &later, &next_ns);
    assert_int_equal(next_ns, 7 + HOUR * NS_PER_SECOND);
    pass(&time, 1);
    assert_int_equal(share(ramps, &later), 50000);
    struct ramp earlier = {
        .steps = steps, .step_count = 3, .start_ns = WALL_BEGIN - HOUR * NS_PER_SECOND};
    ramps_bind(ramps, "v:new", &earlier);
    assert_int_equal(earlier.share_ppm, 250000);
    ramps_free(ramps);
}

// What waits for its start goes on waiting; what runs never waits, whatever the clock says.
static void test_start_after_restart(void **state)
{
    (void)state;
    struct time time = {.monotonic = 7, .wall = WALL_BEGIN};
    const struct clock clock = {read_monotonic, read_wall, &time};
    struct ramps *ramps = ramps_new(&clock);
    struct ramp later = {
        .steps = steps, .step_count = 3, .start_ns = WALL_BEGIN + 2 * HOUR * NS_PER_SECOND};
    struct ramp running = {.steps = steps, .step_count = 3};
    ramps_bind(ramps, "w:new", &later);
    ramps_bind(ramps, "v:new", &running);
    pass(&time, 1);
    json_t *saved = ramps_save(ramps);
    ramps_free(ramps);
    time.monotonic = 5;
    ramps = ramps_new(&clock);
    ramps_load(ramps, saved);
    ramps_bind(ramps, "w:new", &later);
    assert_int_equal(later.share_ppm, 0);
    int64_t next_ns;
    ramps_share(ramps, "w:new", &later, &next_ns);
    assert_int_equal(next_ns, 5 + HOUR * NS_PER_SECOND);
    pass(&time, 1.5);
    assert_int_equal(share(ramps, &later), 50000);
    ramps_free(ramps);
    time.wall = WALL_BEGIN - 100 * HOUR * NS_PER_SECOND;
    ramps = ramps_new(&clock);
    ramps_load(ramps, saved);
    assert_int_equal(ramps_share(ramps, "v:new", &running, &next_ns), 50000);
    json_decref(saved);
    ramps_free(ramps);
}

static void test_hold_abort_resume(void **state)
{
    (void)state;
    struct time time = {.monotonic = 7, .wall = WALL_BEGIN};
    const struct clock clock = {read_monotonic, read_wall, &time};
    struct ramps *ramps = ramps_new(&clock);
    struct ramp document = {.steps = steps, .step_count = 3};
    assert_false(ramps_set(ramps, "w:new", RAMP_HELD));
    ramps_bind(ramps, "w:new", &document);
    pass(&time, 1.5);
    assert_true(ramps_set(ramps, "w:new", RAMP_HELD));
    pass(&time, 10);
    assert_int_equal(share(ramps, &document), 250000);
    json_t *saved = ramps_save(ramps); // a restart keeps it held
    struct ramps *other = ramps_new(&clock);
    ramps_load(other, saved);
    json_decref(saved);
    assert_int_equal(ramps_mode(other, "w:new"), RAMP_HELD);
    assert_int_equal(share(other, &document), 250000);
    ramps_free(other);
    assert_true(ramps_set(ramps, "w:new", RAMP_RUNNING)); // 1.5 hours more to go
    pass(&time, 1.4);
    assert_int_equal(share(ramps, &document), 250000);
    pass(&time, 0.2);
    assert_int_equal(share(ramps, &document), 1000000);
    assert_true(ramps_set(ramps, "w:new", RAMP_ABORTED));
    assert_true(ramps_set(ramps, "w:new", RAMP_HELD)); // stays aborted
    pass(&time, 100);
    assert_int_equal(share(ramps, &document), 0);
    ramps_bind(ramps, "w:new", &document); // over a reload, too
    assert_int_equal(document.share_ppm, 0);
    assert_true(ramps_set(ramps, "w:new", RAMP_RUNNING)); // from the first step
    assert_int_equal(share(ramps, &document), 50000);
    ramps_free(ramps);
}

// Two ramps before a rest: as they grow, a client only ever moves to an earlier rule.
static void test_no_client_flips(void **state)
{
    (void)state;
    static const uint8_t values[3][4] = {{10, 0, 0, 1}, {10, 0, 0, 2}, {10, 0, 0, 3}};
    struct member members[3];
    struct pool pools[3];
    struct ramp ramps[2] = {0};
    struct rule rules[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        members[i] = (struct member){.rdata = values[i], .rdata_size = 4, .weight = 1, .check = -1};
        pools[i] = (struct pool){.fallback = -1, .members = &members[i], .member_count = 1};
        rules[i] = (struct rule){.pool = i,
                                 .share_ppm = i < 2 ? RAMP_SHARE_PPM : 1000000,
                                 .ramp = i < 2 ? &ramps[i] : NULL};
    }
    const struct policy policy = {
        .form = FORM_DYNAMIC, .pools = pools, .pool_count = 3, .rules = rules, .rule_count = 3};
    static const uint32_t first[] = {0, 10000, 50000, 250000, 250000, 1000000},
                          second[] = {50000, 50000, 100000, 100000, 750000, 1000000};
    static uint8_t last[100000];
    memset(last, 3, sizeof(last));
    uint64_t key = random_next(&dice), throws = 1;
    static uint32_t turns[TURNS_COUNT];
    struct dice throw = {&throws, turns, 0};
    for (size_t step = 0; step < ARRAY_SIZE(first); step++) {
        ramps[0].share_ppm = first[step];
        ramps[1].share_ppm = second[step];
        struct plan *plan = plan_compile(&policy, TYPE_A, 60, NULL, NULL, key);
        size_t counts[4] = {0};
        for (uint32_t i = 0; i < sizeof(last); i++) {
            struct address client = address_from_key(FAMILY_IPV4, (uint64_t)i << 40);
            struct pick pick;
            plan_pick(plan, &client, &throw, &pick);
            uint8_t pool = pick.records[0][15];
            assert_true(pool <= last[i]);
            last[i] = pool;
            counts[pool]++;
        }
        double expected = first[step] / 1e6 * sizeof(last);
        assert_true(counts[1] >= expected - 1500 && counts[1] <= expected + 1500);
        plan_free(plan);
    }
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timetable),           cmocka_unit_test(test_start),
        cmocka_unit_test(test_start_after_restart), cmocka_unit_test(test_hold_abort_resume),
        cmocka_unit_test(test_no_client_flips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
