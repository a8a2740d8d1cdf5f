// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between registry and prober. Called by the registry (start, cancel, forget), by the real prober
// (checker_report) and by server/ (beats, tests), all on the thread of the loop. Guarantees:
// exactly one report for each start that was not cancelled, never from inside start.
#include "health/checker.h"

#include "base/memory.h"
#include "health/expression.h"

#include <stdio.h>
#include <string.h>

#define HOLD_NS       (10 * NS_PER_SECOND) // below the timeout of check_spec_begin
#define UNDECIDED_NS  (3 * NS_PER_SECOND)  // until operands without a state count as no answer
#define LOOK_AGAIN_MS 200
#define PAUSE_NS      (2 * NS_PER_SECOND) // a look so late tells of a process that was stopped

enum { TESTS_MAX = 16 };

// A probe that is held here. probe->state points to it.
struct held {
    struct held *before, *next;
    struct checker *checker;
    struct probe *probe;
    struct address target;
    const struct check_spec *spec;
    int64_t begun_ns;
};

// A probe beside the registry.
struct test {
    struct probe probe;
    struct test *next;
    struct check_spec *spec; // a copy: the check may end before the probe
    checker_tested *done;
    void *context;
};

struct checker {
    struct prober prober, inner;
    struct health *health;
    uv_timer_t timer;
    bool timed;
    struct held *held;
    struct held *spent; // reported, not yet freed
    struct beats *beats;
    struct test *tests;
    unsigned test_count;
    int64_t look_ns;  // when the next look is due
    int64_t begun_ns; // since when heartbeats can have been heard
};

static int64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

// --- what heartbeats and expressions are now ---

// One that ran out while this process could not hear the next is none.
static const struct last_beat *beat_find(const struct checker *checker,
                                         const struct check_spec *spec)
{
    const struct last_beat *beat = beats_find(checker->beats, spec->beat);
    int64_t ttl_ns = beat && beat->ttl_ns ? beat->ttl_ns : spec->ttl_ns;
    return beat && beat->at_ns + ttl_ns < checker->begun_ns ? NULL : beat;
}

// False while nothing can be said: no beat has come yet, and one may still be in time.
static bool beat_look(const struct held *held, int64_t now, struct probe_result *result)
{
    const struct last_beat *beat = beat_find(held->checker, held->spec);
    int64_t ttl_ns = beat && beat->ttl_ns ? beat->ttl_ns : held->spec->ttl_ns;
    int64_t age_ns = now - (beat ? beat->at_ns : held->checker->begun_ns);
    if (age_ns > ttl_ns) {
        probe_result_set(result, PROBE_BEAT_LATE, "%s for %lld s",
                         beat ? "no heartbeat" : "no heartbeat since the start,",
                         (long long)(ttl_ns / NS_PER_SECOND));
        return true;
    }
    if (beat == NULL) {
        return false;
    }
    probe_result_set(result, beat->down ? PROBE_BEAT_BAD : PROBE_OK, "%s",
                     beat->detail[0] ? beat->detail
                     : beat->down    ? "the heartbeat says down"
                                     : "heartbeat");
    result->has_load = beat->has_load;
    result->load = beat->load;
    return true;
}

static bool expression_look(const struct held *held, int64_t now, struct probe_result *result)
{
    unsigned up, known;
    enum check_state state =
        expression_state(held->checker->health, &held->target, held->spec, &up, &known);
    if (state == CHECK_UNKNOWN && now - held->begun_ns < UNDECIDED_NS) {
        return false;
    }
    probe_result_set(result,
                     state == CHECK_UP     ? PROBE_OK
                     : state == CHECK_DOWN ? PROBE_EXPRESSION
                                           : PROBE_LOCAL_ERROR,
                     "%u of %zu up%s", up, held->spec->operand_count,
                     known < held->spec->operand_count ? ", not all known" : "");
    return true;
}

// Whether the outcome is news to the registry, or has been held for long enough.
static bool is_news(const struct held *held, int64_t now, const struct probe_result *result)
{
    struct check_view view;
    int check = health_find(held->checker->health, &held->target, held->spec);
    return !health_view(held->checker->health, check, &view) || view.probe_count <= 1 ||
           view.last_reason != result->reason || strcmp(view.last_detail, result->detail) != 0 ||
           view.has_load != result->has_load ||
           (result->has_load && (view.load < result->load || view.load > result->load)) ||
           now - held->begun_ns >= HOLD_NS;
}

// --- holding ---

// Takes it out of the list; its memory is the caller's.
static void held_drop(struct held *held)
{
    *(held->before ? &held->before->next : &held->checker->held) = held->next;
    if (held->next) {
        held->next->before = held->before;
    }
    held->probe->state = NULL;
}

static void spent_free(struct checker *checker)
{
    while (checker->spent) {
        struct held *next = checker->spent->next;
        free(checker->spent);
        checker->spent = next;
    }
}

// Reports one that has something to report; false when there is none. A report may start, cancel or
// end any other, so the list is looked through from its beginning after each.
static bool report_one(struct checker *checker)
{
    int64_t now = now_ns();
    for (struct held *held = checker->held; held; held = held->next) {
        struct probe_result result = {0};
        bool known = held->spec->kind == CHECK_HEARTBEAT ? beat_look(held, now, &result)
                                                         : expression_look(held, now, &result);
        if (known && is_news(held, now, &result)) {
            struct probe *probe = held->probe;
            result.total_ns = MAX(now - held->begun_ns, 1);
            held_drop(held);
            held->next = checker->spent;
            checker->spent = held;
            health_probe_done(checker->health, probe, &result);
            return true;
        }
    }
    return false;
}

static void look(uv_timer_t *timer);

static void look_in(struct checker *checker, uint64_t delay_ms)
{
    uv_timer_start(&checker->timer, look, delay_ms, 0);
    checker->look_ns = now_ns() + (int64_t)delay_ms * NS_PER_MS;
    checker->timed = true;
}

static void look(uv_timer_t *timer)
{
    struct checker *checker = timer->data;
    checker->timed = false;
    int64_t now = now_ns();
    if (now - checker->look_ns > PAUSE_NS) { // whoever beat meanwhile was not heard
        checker->begun_ns = now;
    }
    while (report_one(checker)) {
    }
    spent_free(checker);
    if (checker->held && !checker->timed) {
        look_in(checker, LOOK_AGAIN_MS);
    }
}

void checker_changed(struct checker *checker)
{
    if (checker->held) {
        look_in(checker, 0);
    }
}

// --- the seam ---

static void start(void *state, struct probe *probe, const struct address *target,
                  const struct check_spec *spec)
{
    struct checker *checker = state;
    if (check_kinds[spec->kind].probed) {
        checker->inner.start(checker->inner.state, probe, target, spec);
        return;
    }
    struct held *held = mem_alloc(sizeof(*held));
    *held = (struct held){.next = checker->held,
                          .checker = checker,
                          .probe = probe,
                          .target = *target,
                          .spec = spec,
                          .begun_ns = now_ns()};
    if (held->next) {
        held->next->before = held;
    }
    checker->held = held;
    probe->state = held;
    look_in(checker, 0);
}

// Of a probe that is held here, or of one that is under way in the real prober.
static void cancel(void *state, struct probe *probe)
{
    struct checker *checker = state;
    for (struct held *held = checker->held; held; held = held->next) {
        if (held->probe == probe) {
            held_drop(held);
            free(held);
            return;
        }
    }
    checker->inner.cancel(checker->inner.state, probe);
}

static void forget(void *state, struct probe *probe)
{
    struct checker *checker = state; // what is held here keeps nothing
    checker->inner.forget(checker->inner.state, probe);
}

struct checker *checker_new(uv_loop_t *loop, const struct prober *inner)
{
    struct checker *checker = mem_alloc(sizeof(*checker));
    checker->prober = (struct prober){start, cancel, forget, checker};
    checker->inner = *inner;
    checker->begun_ns = now_ns();
    uv_timer_init(loop, &checker->timer);
    checker->timer.data = checker;
    return checker;
}

void checker_attach(struct checker *checker, struct health *health, struct beats *beats)
{
    checker->beats = beats;
    checker->health = health;
}

const struct prober *checker_prober(const struct checker *checker)
{
    return &checker->prober;
}

static void checker_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void checker_end_tests(struct checker *checker)
{
    while (checker->tests) {
        struct test *test = checker->tests;
        checker->tests = test->next;
        checker->inner.cancel(checker->inner.state, &test->probe);
        if (test->probe.kept) {
            checker->inner.forget(checker->inner.state, &test->probe);
        }
        test->done(test->context, NULL);
        free(test->spec);
        free(test);
    }
}

void checker_free(struct checker *checker)
{
    if (checker == NULL) {
        return;
    }
    SP_ASSERT(checker->held == NULL);
    checker_end_tests(checker);
    uv_close((uv_handle_t *)&checker->timer, checker_closed);
}

// --- heartbeats ---

static bool beat_is_awaited(const struct checker *checker, const char *name)
{
    for (int i = 0; i < health_count(checker->health); i++) {
        struct check_view view;
        if (health_view(checker->health, i, &view) && view.spec->kind == CHECK_HEARTBEAT &&
            strcmp(view.spec->beat, name) == 0) {
            return true;
        }
    }
    return false;
}

bool checker_beat(struct checker *checker, const char *name, const struct beat *beat)
{
    if (!beat_is_awaited(checker, name)) { // nobody can fill the memory with names
        return false;
    }
    beats_put(checker->beats, name, beat, now_ns());
    checker_changed(checker);
    return true;
}

// --- one probe now ---

bool checker_test(struct checker *checker, const struct address *target,
                  const struct check_spec *spec, checker_tested *done, void *context)
{
    if (!check_kinds[spec->kind].probed || checker->test_count >= TESTS_MAX) {
        return false;
    }
    struct test *test = mem_alloc(sizeof(*test));
    test->spec = check_spec_clone(spec);
    test->done = done;
    test->context = context;
    test->next = checker->tests;
    checker->tests = test;
    checker->test_count++;
    checker->inner.start(checker->inner.state, &test->probe, target, test->spec);
    return true;
}

void checker_report(void *context, struct probe *probe, const struct probe_result *result)
{
    struct checker *checker = context;
    for (struct test **link = &checker->tests; *link; link = &(*link)->next) {
        struct test *test = *link;
        if (&test->probe != probe) {
            continue;
        }
        *link = test->next;
        checker->test_count--;
        if (probe->kept) {
            checker->inner.forget(checker->inner.state, probe);
        }
        test->done(test->context, result);
        free(test->spec);
        free(test);
        return;
    }
    health_probe_done(checker->health, probe, result);
}
