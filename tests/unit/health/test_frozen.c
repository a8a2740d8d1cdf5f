// SPDX-License-Identifier: GPL-3.0-or-later
//
// The registry before, in and after doubt, what it takes over from an earlier process and what it
// has the prober give back: with a clock and targets that the test turns by hand.
#include "bench.h"

#include "health/state.h"

enum { CHECKS_MAX = 4 };

static struct {
    struct probe *probe; // under way
    bool dead;
    unsigned results, told, forgotten;
} targets[CHECKS_MAX]; // by the last octet of the address

static const struct check_spec usual = {.kind = CHECK_TCP,
                                        .port = 80,
                                        .interval_ns = 10 * NS_PER_SECOND,
                                        .timeout_ns = NS_PER_SECOND,
                                        .rise = 2,
                                        .fall = 3,
                                        .flap_failures = 10,
                                        .flap_clean = 10,
                                        .flap_rise = 20};
static const struct check_spec quick = {.kind = CHECK_TCP,
                                        .port = 443,
                                        .interval_ns = NS_PER_SECOND,
                                        .timeout_ns = NS_PER_SECOND,
                                        .rise = 1,
                                        .fall = 1};

static void target_start(void *state, struct probe *probe, const struct address *target,
                         const struct check_spec *spec)
{
    (void)state;
    (void)spec;
    targets[target->bytes[3]].probe = probe;
    probe->kept = &targets[target->bytes[3]].forgotten;
}

static void target_forget(void *state, struct probe *probe)
{
    (void)state;
    unsigned *forgotten = probe->kept;
    *forgotten += 1;
    probe->kept = NULL;
}

static void target_cancel(void *state, struct probe *probe)
{
    (void)state;
    (void)probe;
}

static void bench_changed(void *context, int check)
{
    (void)context;
    targets[check].told++;
}

static void bench_doubted(void *context)
{
    (void)context;
}

static int setup(void **state)
{
    (void)state;
    static const struct prober prober = {target_start, target_cancel, target_forget, NULL};
    static const struct doubt_options doubt = {.share = 100, .targets_min = 10};
    memset(targets, 0, sizeof(targets));
    bench_open(&prober, bench_changed);
    health_doubt_open(bench.health, &doubt, bench_doubted);
    return 0;
}

// Probes of this target end at once, the others wait, until it had one more result.
static void one_result(int of)
{
    unsigned before = targets[of].results;
    while (targets[of].results == before) {
        int64_t due = health_tick(bench.health);
        if (targets[of].probe == NULL) {
            assert_true(due != INT64_MAX);
            bench.now = MAX(bench.now, due);
            continue;
        }
        struct probe *probe = targets[of].probe;
        targets[of].probe = NULL;
        targets[of].results++;
        const struct probe_result result = {.reason =
                                                targets[of].dead ? PROBE_L4_REFUSED : PROBE_OK};
        health_probe_done(bench.health, probe, &result);
    }
}

// A target about to fall, and an anchor that fails: then it works again.
static void doubt_begins_and_ends(void)
{
    struct address member = target(0), anchor = target(1);
    assert_int_equal(health_acquire(bench.health, &member, &usual), 0);
    assert_int_equal(health_anchor(bench.health, &anchor, &quick), 1);
    one_result(1);
    one_result(0);
    targets[0].dead = true;
    one_result(0);
    one_result(0);
    assert_int_equal(view(0).run, 2);
    assert_true(view(0).change_in_s > 0);
    targets[1].dead = true;
    one_result(1); // its probe lay there for long: does not count
    one_result(1);
    assert_true(doubt_frozen(health_doubt(bench.health)));
    one_result(0); // is shown, and moves nothing
    assert_int_equal(view(0).last_reason, PROBE_L4_REFUSED);
    assert_int_equal(view(0).state, CHECK_UP);
    targets[1].dead = false;
    one_result(1);
    assert_false(doubt_frozen(health_doubt(bench.health)));
}

static void failures_before_doubt_do_not_count_after_it(void **state)
{
    (void)state;
    doubt_begins_and_ends();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(view(0).state, CHECK_UP);
        one_result(1); // a witness
        one_result(0);
    }
    one_result(1);
    assert_int_equal(view(0).state, CHECK_DOWN);
}

static void the_end_of_doubt_is_told_to_whom_it_calms(void **state)
{
    (void)state;
    doubt_begins_and_ends();
    unsigned told = targets[0].told, results = targets[0].results;
    assert_int_equal(view(0).change_in_s, 0);
    health_tick(bench.health);
    assert_int_equal(targets[0].told, told + 1);
    assert_int_equal(targets[0].results, results);
    health_tick(bench.health); // once
    assert_int_equal(targets[0].told, told + 1);
}

static void what_an_earlier_process_knew_is_taken_over(void **state)
{
    (void)state;
    static const struct {
        struct check_memory memory;
        unsigned rise_needed;
    } rows[] = {
        {{.state = CHECK_DOWN}, 2},
        {{.state = CHECK_DOWN, .flapping = true}, 20},
        {{.state = CHECK_DOWN, .has_risen = true, .level = 2}, 80},
        {{.state = CHECK_DOWN, .has_risen = true, .level = 200}, 320},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        struct address member = target(i);
        struct check_memory memory = rows[i].memory;
        memory.since_ns = bench.now - 77 * NS_PER_SECOND;
        memory.risen_ns = memory.since_ns - 1000 * NS_PER_SECOND;
        int check = health_acquire(bench.health, &member, &usual);
        health_remember(bench.health, check, &memory);
        assert_int_equal(view(check).state, CHECK_DOWN);
        assert_int_equal(view(check).rise_needed, rows[i].rise_needed);
        assert_true(view(check).since_ns == memory.since_ns);
        struct check_memory again = health_memory(bench.health, check);
        memory.level = MIN(memory.level, (unsigned)FLAP_LEVEL_MAX);
        assert_true(again.state == memory.state && again.level == memory.level);
        assert_true(again.flapping == memory.flapping && again.has_risen == memory.has_risen);
        assert_true(again.since_ns == memory.since_ns && again.risen_ns == memory.risen_ns);
    }
}

static void the_prober_forgets_each_check_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct address member = target(i);
        assert_int_equal(health_acquire(bench.health, &member, &usual), (int)i);
    }
    one_result(0);
    one_result(1);
    health_release(bench.health, 0);
    assert_int_equal(targets[0].forgotten, 1);
    assert_int_equal(targets[1].forgotten, 0);
    unsigned *forgotten = &targets[1].forgotten;
    health_free(bench.health);
    bench.health = NULL;
    assert_int_equal(*forgotten, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failures_before_doubt_do_not_count_after_it, setup,
                                        bench_close),
        cmocka_unit_test_setup_teardown(the_end_of_doubt_is_told_to_whom_it_calms, setup,
                                        bench_close),
        cmocka_unit_test_setup_teardown(what_an_earlier_process_knew_is_taken_over, setup,
                                        bench_close),
        cmocka_unit_test_setup_teardown(the_prober_forgets_each_check_once, setup, bench_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
