// SPDX-License-Identifier: GPL-3.0-or-later
//
// The registry and its schedule, with a clock and a prober that the test turns by hand.
#include "bench.h"

#include "base/hash.h"

#define INTERVAL_NS (10 * NS_PER_SECOND)
#define TIMEOUT_NS  (2 * NS_PER_SECOND)

static int changes, last_changed;
static bool release_on_change;

static void bench_changed(void *context, int check)
{
    assert_ptr_equal(context, &bench);
    changes++;
    last_changed = check;
    if (release_on_change) {
        health_release(bench.health, check);
    }
}

static int setup(void **state)
{
    (void)state;
    changes = last_changed = 0;
    release_on_change = false;
    bench_open(&bench_prober, bench_changed);
    return 0;
}

static const struct check_spec basic = {.kind = CHECK_HTTP,
                                        .port = 80,
                                        .host = "www.example.com",
                                        .path = "/healthz",
                                        .verify = true,
                                        .interval_ns = INTERVAL_NS,
                                        .timeout_ns = TIMEOUT_NS,
                                        .rise = 2,
                                        .fall = 3};

static int acquire(unsigned number, const struct check_spec *spec)
{
    struct address address = target(number);
    return health_acquire(bench.health, &address, spec);
}

// Ends the oldest probe under way.
static void finish(enum probe_reason result, const char *detail)
{
    assert_true(bench.flight_count > 0);
    struct probe *probe = bench.flights[0].probe;
    flight_drop(0);
    struct probe_result end = {.reason = result};
    snprintf(end.detail, sizeof(end.detail), "%s", detail ? detail : "");
    health_probe_done(bench.health, probe, &end);
}

// Goes to the next due time and starts what is due; returns how long that took.
static int64_t next(void)
{
    int64_t before = bench.now;
    int64_t due = health_tick(bench.health);
    if (bench.flight_count == 0) {
        assert_true(due != INT64_MAX);
        bench.now = due;
        health_tick(bench.health);
    }
    return bench.now - before;
}

static void round_of(enum probe_reason result)
{
    next();
    finish(result, NULL);
}

// --- users and sharing ---

static void equal_definitions_share_one_check(void **state)
{
    (void)state;
    char host[] = "www.example.com", path[] = "/healthz";
    struct check_spec copy = basic;
    copy.host = host;
    copy.path = path;
    int check = acquire(1, &copy);
    assert_int_equal(acquire(1, &basic), check);
    memset(host, 'x', sizeof(host) - 1); // the registry has its own strings
    memset(path, 'x', sizeof(path) - 1);
    assert_int_equal(acquire(1, &basic), check);
    assert_string_equal(view(check).spec->host, "www.example.com");
    assert_string_equal(view(check).spec->path, "/healthz");
    assert_null(view(check).spec->ca_path);
    bench.now += INTERVAL_NS - 1;
    health_tick(bench.health);
    assert_int_equal(bench.started, 1); // three users, one probe
}

static void any_difference_makes_another_check(void **state)
{
    (void)state;
    struct check_spec specs[12];
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        specs[i] = basic;
    }
    specs[1].kind = CHECK_HTTPS;
    specs[2].port = 81;
    specs[3].host = "www.example.net";
    specs[4].host = NULL;
    specs[5].path = "/";
    specs[6].ca_path = "/etc/ca.pem";
    specs[7].verify = false;
    specs[8].interval_ns++;
    specs[9].timeout_ns++;
    specs[10].rise++;
    specs[11].fall++;
    for (int i = 0; i < (int)ARRAY_SIZE(specs); i++) {
        assert_int_equal(acquire(1, &specs[i]), i);
    }
    for (int i = 0; i < (int)ARRAY_SIZE(specs); i++) {
        assert_int_equal(acquire(1, &specs[i]), i);
    }
    assert_int_equal(acquire(2, &basic), (int)ARRAY_SIZE(specs));
}

static void the_last_user_ends_the_check(void **state)
{
    (void)state;
    struct check_view unused;
    int check = acquire(1, &basic);
    acquire(1, &basic);
    health_tick(bench.health);
    assert_int_equal(bench.flight_count, 1);
    health_release(bench.health, check);
    assert_int_equal(bench.cancelled, 0);
    health_release(bench.health, check);
    assert_int_equal(bench.cancelled, 1);
    assert_false(health_view(bench.health, check, &unused));
    assert_false(health_view(bench.health, -1, &unused));
    assert_false(health_view(bench.health, 1, &unused));
    assert_true(health_tick(bench.health) == INT64_MAX);
    assert_int_equal(acquire(2, &basic), check); // the index is used again
    assert_int_equal(health_count(bench.health), 1);
    assert_int_equal(view(check).state, CHECK_UNKNOWN);
    assert_int_equal(view(check).probe_count, 0);
}

static void a_callback_may_release_its_check(void **state)
{
    (void)state;
    struct check_view unused;
    int check = acquire(1, &basic);
    release_on_change = true;
    round_of(PROBE_OK);
    assert_int_equal(changes, 1);
    assert_false(health_view(bench.health, check, &unused));
}

// Random acquire, release, tick and finish against a plain table of user counts.
static void random_users_agree_with_a_table(void **state)
{
    (void)state;
    enum { TARGETS = 300, STEPS = 60000 };
    uint64_t seed = random_seed(), random = seed;
    print_message("seed %llu\n", (unsigned long long)seed);
    int users[TARGETS] = {0}, index[TARGETS];
    for (int step = 0; step < STEPS; step++) {
        unsigned number = random_below(&random, TARGETS);
        if (random_below(&random, 2)) {
            int check = acquire(number, &basic);
            assert_true(users[number] == 0 || index[number] == check);
            index[number] = check;
            users[number]++;
        } else if (users[number] > 0) {
            health_release(bench.health, index[number]);
            users[number]--;
        }
        bench.now += random_below(&random, 200) * NS_PER_MS;
        health_tick(bench.health);
        while (bench.flight_count > 0 && random_below(&random, 3)) {
            finish(random_below(&random, 2) ? PROBE_OK : PROBE_L7_STATUS, "?");
        }
    }
    int used = 0;
    bool seen[TARGETS] = {0};
    for (int i = 0; i < TARGETS; i++) {
        struct check_view check;
        if (users[i] > 0) {
            struct address expected = target((unsigned)i);
            assert_true(health_view(bench.health, index[i], &check));
            assert_true(address_equal(&check.target, &expected));
            assert_false(seen[index[i]]);
            seen[index[i]] = true;
            used++;
        }
    }
    for (int i = 0; i < health_count(bench.health); i++) {
        struct check_view check;
        used -= health_view(bench.health, i, &check);
    }
    assert_int_equal(used, 0);
}

// --- results ---

static void rise_and_fall_turn_the_state(void **state)
{
    (void)state;
    int check = acquire(1, &basic);
    assert_false(health_settled(bench.health));
    assert_int_equal(view(check).change_in_s, 10);
    round_of(PROBE_OK);
    assert_true(health_settled(bench.health));
    assert_int_equal(view(check).state, CHECK_UP);
    assert_int_equal(changes, 1);
    round_of(PROBE_OK);
    assert_int_equal(changes, 1);
    round_of(PROBE_L4_REFUSED); // the hint turns non-zero
    assert_int_equal(changes, 2);
    assert_int_equal(view(check).change_in_s, 20);
    assert_int_equal(view(check).run, 1);
    round_of(PROBE_L4_TIMEOUT);
    assert_int_equal(changes, 2);
    assert_int_equal(view(check).change_in_s, 10);
    next();
    int64_t turned = bench.now;
    finish(PROBE_L7_STATUS, "HTTP 503");
    struct check_view down = view(check);
    assert_int_equal(changes, 3);
    assert_int_equal(down.state, CHECK_DOWN);
    assert_int_equal(down.change_in_s, 0);
    assert_int_equal(down.last_reason, PROBE_L7_STATUS);
    assert_string_equal(down.last_detail, "HTTP 503");
    assert_true(down.since_ns == turned);
    assert_int_equal(down.probe_count, 5);
    assert_int_equal(down.failure_count, 3);
    assert_int_equal(down.change_count, 2);
    round_of(PROBE_OK);
    assert_int_equal(view(check).state, CHECK_DOWN);
    assert_int_equal(view(check).change_in_s, 10);
    round_of(PROBE_OK);
    assert_int_equal(view(check).state, CHECK_UP);
    assert_int_equal(changes, 5);
}

static void the_first_failure_makes_an_unknown_check_down(void **state)
{
    (void)state;
    int check = acquire(1, &basic);
    round_of(PROBE_L4_REFUSED);
    assert_int_equal(view(check).state, CHECK_DOWN);
}

static void what_says_nothing_changes_nothing(void **state)
{
    (void)state;
    int check = acquire(1, &basic);
    for (int i = 0; i < 5; i++) {
        round_of(i % 2 ? PROBE_DENIED : PROBE_LOCAL_ERROR);
        assert_true(health_settled(bench.health)); // it had its chance
        assert_int_equal(view(check).state, CHECK_UNKNOWN);
    }
    assert_int_equal(changes, 0);
    assert_int_equal(view(check).last_reason, PROBE_LOCAL_ERROR);
    round_of(PROBE_OK);
    assert_int_equal(view(check).state, CHECK_UP);
}

static void details_are_one_short_line_of_ascii(void **state)
{
    (void)state;
    int check = acquire(1, &basic);
    char longer[500];
    memset(longer, 'a', sizeof(longer));
    memcpy(longer, "x\r\n\x1b[0m\xff", 8);
    longer[sizeof(longer) - 1] = '\0';
    next();
    finish(PROBE_L6_HANDSHAKE, longer);
    const char *detail = view(check).last_detail;
    assert_true(strlen(detail) >= 80 && strlen(detail) < 128);
    assert_memory_equal(detail, "x???[0m?aaa", 11);
}

// --- the schedule ---

static void gaps_are_an_interval_less_up_to_a_tenth(void **state)
{
    (void)state;
    acquire(1, &basic);
    round_of(PROBE_OK);
    assert_true(next() <= INTERVAL_NS); // the first gap spreads the checks
    finish(PROBE_OK, NULL);
    int64_t least = INT64_MAX, most = 0;
    for (int i = 0; i < 2000; i++) {
        int64_t gap = next();
        finish(PROBE_OK, NULL);
        least = MIN(least, gap);
        most = MAX(most, gap);
    }
    assert_true(least >= INTERVAL_NS * 9 / 10 && least < INTERVAL_NS * 91 / 100);
    assert_true(most <= INTERVAL_NS && most > INTERVAL_NS * 99 / 100);
}

static void failures_are_confirmed_in_half_the_time(void **state)
{
    (void)state;
    acquire(1, &basic);
    round_of(PROBE_OK);
    round_of(PROBE_L7_INVALID);
    int64_t gap = next();
    assert_true(gap <= INTERVAL_NS / 2 && gap >= INTERVAL_NS / 2 * 9 / 10);
    finish(PROBE_L7_INVALID, NULL);
    gap = next();
    assert_true(gap <= INTERVAL_NS / 2 && gap >= INTERVAL_NS / 2 * 9 / 10);
    finish(PROBE_L7_INVALID, NULL); // the third: it is down
    assert_true(next() > INTERVAL_NS / 2);
}

static void the_fast_interval_can_be_given(void **state)
{
    (void)state;
    struct check_spec spec = basic;
    spec.fast_interval_ns = NS_PER_SECOND;
    int check = acquire(1, &spec);
    round_of(PROBE_OK);
    round_of(PROBE_L7_INVALID);
    assert_int_equal(view(check).change_in_s, 2);
    for (int i = 0; i < 2; i++) {
        int64_t gap = next();
        assert_true(gap <= NS_PER_SECOND && gap >= NS_PER_SECOND * 9 / 10);
        finish(PROBE_L7_INVALID, NULL);
    }
    assert_int_equal(view(check).state, CHECK_DOWN);
    spec.fast_interval_ns = INTERVAL_NS * 5; // never longer than the interval
    acquire(2, &spec);
    next();
}

static void lateness_does_not_add_up(void **state)
{
    (void)state;
    int check = acquire(1, &basic);
    round_of(PROBE_OK);
    int64_t begin = bench.now;
    for (int i = 0; i < 1000; i++) { // every probe starts two seconds late and takes one
        int64_t due = health_tick(bench.health);
        bench.now = due + 2 * NS_PER_SECOND;
        health_tick(bench.health);
        assert_int_equal(bench.flight_count, 1);
        bench.now += NS_PER_SECOND;
        finish(PROBE_OK, NULL);
    }
    double mean = (double)(bench.now - begin) / 1000;
    assert_true(mean > 0.94 * INTERVAL_NS && mean < 0.96 * INTERVAL_NS);
    assert_int_equal(view(check).last_latency_ns, NS_PER_SECOND);
}

static void a_late_probe_is_not_followed_at_once(void **state)
{
    (void)state;
    acquire(1, &basic);
    round_of(PROBE_OK);
    for (int i = 0; i < 200; i++) {
        bench.now = health_tick(bench.health) + INTERVAL_NS - 1; // not yet an interval left out
        health_tick(bench.health);
        finish(PROBE_OK, NULL);
        int64_t gap = next();
        assert_true(gap >= INTERVAL_NS / 2 * 9 / 10 && gap <= INTERVAL_NS);
        finish(PROBE_OK, NULL);
    }
}

static void a_pause_is_not_made_up_for(void **state)
{
    (void)state;
    enum { CHECKS = 1000 };
    for (unsigned i = 0; i < CHECKS; i++) {
        acquire(i, &basic);
    }
    bench.now += NS_PER_SECOND;
    health_tick(bench.health);
    assert_int_equal(bench.started, CHECKS);
    while (bench.flight_count > 0) {
        finish(PROBE_OK, NULL);
    }
    bench.now += 600 * NS_PER_SECOND;
    bench.started = 0;
    int64_t end = bench.now + INTERVAL_NS;
    int most = 0;
    while (bench.now < end) { // one interval after the pause, in steps of a tenth
        int before = bench.started;
        health_tick(bench.health);
        most = MAX(most, bench.started - before);
        while (bench.flight_count > 0) {
            finish(PROBE_OK, NULL);
        }
        bench.now += INTERVAL_NS / 10;
    }
    assert_true(most < CHECKS / 10 * 2);
    // The last step is a tenth before the end: nine tenths of them, give or take five deviations.
    assert_true(bench.started >= CHECKS * 85 / 100 && bench.started <= CHECKS);
}

static void a_failure_seen_through_a_pause_does_not_count(void **state)
{
    (void)state;
    struct check_spec nervous = basic;
    nervous.fall = 1;
    int check = acquire(1, &nervous);
    round_of(PROBE_OK);
    next();
    bench.now += 600 * NS_PER_SECOND;
    finish(PROBE_L7_TIMEOUT, NULL);
    assert_int_equal(view(check).state, CHECK_UP);
    next(); // but a second one in a row does: the machine is slow, not paused
    bench.now += 600 * NS_PER_SECOND;
    finish(PROBE_L7_TIMEOUT, NULL);
    assert_int_equal(view(check).state, CHECK_DOWN);
}

static void excess_waits_in_order(void **state)
{
    (void)state;
    enum { CHECKS = HEALTH_PROBES_MAX + 1000 };
    for (unsigned i = 0; i < CHECKS; i++) {
        acquire(i, &basic);
    }
    bench.now += NS_PER_SECOND;
    assert_true(health_tick(bench.health) == INT64_MAX);
    assert_int_equal(bench.flight_count, HEALTH_PROBES_MAX);
    health_release(bench.health, 0); // whatever phase each is in
    health_release(bench.health, CHECKS - 1);
    for (int i = 0; i < 500; i++) {
        finish(PROBE_OK, NULL);
    }
    health_tick(bench.health);
    assert_int_equal(bench.flight_count, HEALTH_PROBES_MAX);
    while (bench.flight_count > 0) {
        finish(PROBE_OK, NULL);
        health_tick(bench.health);
    }
    assert_in_range(bench.started, CHECKS - 2, CHECKS); // each once, but for the released
    assert_true(health_settled(bench.health));
}

static void out_of_range_definitions_are_bounded(void **state)
{
    (void)state;
    struct check_spec wild = {.kind = CHECK_TCP, .interval_ns = -5, .timeout_ns = 0};
    int check = acquire(1, &wild);
    assert_true(view(check).spec->interval_ns >= NS_PER_MS);
    assert_true(view(check).spec->timeout_ns > 0);
    assert_int_equal(view(check).spec->rise, 1);
    assert_int_equal(view(check).spec->fall, 1);
    assert_int_equal(acquire(1, &wild), check);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(equal_definitions_share_one_check),
        BENCH_TEST(any_difference_makes_another_check),
        BENCH_TEST(the_last_user_ends_the_check),
        BENCH_TEST(a_callback_may_release_its_check),
        BENCH_TEST(random_users_agree_with_a_table),
        BENCH_TEST(rise_and_fall_turn_the_state),
        BENCH_TEST(the_first_failure_makes_an_unknown_check_down),
        BENCH_TEST(what_says_nothing_changes_nothing),
        BENCH_TEST(details_are_one_short_line_of_ascii),
        BENCH_TEST(gaps_are_an_interval_less_up_to_a_tenth),
        BENCH_TEST(failures_are_confirmed_in_half_the_time),
        BENCH_TEST(the_fast_interval_can_be_given),
        BENCH_TEST(lateness_does_not_add_up),
        BENCH_TEST(a_late_probe_is_not_followed_at_once),
        BENCH_TEST(a_pause_is_not_made_up_for),
        BENCH_TEST(a_failure_seen_through_a_pause_does_not_count),
        BENCH_TEST(excess_waits_in_order),
        BENCH_TEST(out_of_range_definitions_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
