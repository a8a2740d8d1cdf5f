// SPDX-License-Identifier: GPL-3.0-or-later
//
// The cycle of a check: due, ready, probing, a result, due again.
//
// Called through health.h by the event loop (health_tick) and the prober (health_probe_done), on
// the control thread only. What the schedule guarantees while that thread is not itself late:
//   - two starts of one check are never more than one interval apart, so a hard failure is seen
//     within fall x interval + timeout. Jitter only ever shortens: by up to a tenth, and the first
//     gap by any part; it keeps checks from running in step. While an up check fails, the gap is
//     its fast interval;
//   - never two probes of a check at once, nor two within nearly half of what is planned: a probe
//     that started late moves the next one only if they would come too close;
//   - a steady check whose names nobody asks for rests: its gap is longer (health_rest). When it is
//     asked for, a probe is at most half an interval away. When one that rested fails, some others
//     that rest are probed too, so that there is evidence of whom to believe;
//   - due times follow from planned times, so lateness does not add up, and what a pause of the
//     process left out is not made up for: the checks are spread over one interval again.
// A failure that was noticed long after its deadline tells of such a pause, not of the target, and
// does not count; but only once in a row, so that a slow machine still sees failures. While the
// registry doubts itself (health/doubt.h) results are shown but move no state.
#include "health/registry.h"

#include "base/hash.h"

#include <string.h>

#define LATE_FAILURE_NS (500 * NS_PER_MS)
#define JITTER_PART     10

enum { WITNESSES_MAX = 64 };

// --- the schedule ---

int64_t health_random_span(struct health *health, int64_t span)
{
    return (int64_t)((unsigned __int128)random_next(&health->random) * (uint64_t)span >> 64);
}

void check_wait_until(struct health *health, struct check *check, int64_t time_ns)
{
    check->phase = PHASE_WAITING;
    check->due.time_ns = time_ns;
    due_heap_put(&health->waiting, &check->due);
}

static void ready_append(struct health *health, struct check *check)
{
    check->phase = PHASE_READY;
    check->ready_before = health->ready_last;
    check->ready_after = NULL;
    *(health->ready_last ? &health->ready_last->ready_after : &health->ready_first) = check;
    health->ready_last = check;
}

static void ready_remove(struct health *health, struct check *check)
{
    struct check *before = check->ready_before, *after = check->ready_after;
    *(before ? &before->ready_after : &health->ready_first) = after;
    *(after ? &after->ready_before : &health->ready_last) = before;
}

static int64_t fast_gap(const struct check_spec *spec)
{
    return spec->fast_interval_ns > 0 ? MIN(spec->fast_interval_ns, spec->interval_ns)
                                      : spec->interval_ns / 2;
}

// Whether nobody asks, and nothing is under way that ought to be seen through.
static bool may_rest(const struct health *health, const struct check *check)
{
    return check->rest_ns > check->spec->interval_ns && check->machine.state != CHECK_UNKNOWN &&
           check_results_needed(&check->machine, check->spec) == 0 && !doubt_frozen(&health->doubt);
}

static int64_t next_gap(const struct health *health, const struct check *check)
{
    if (check->resting) {
        return check->rest_ns;
    }
    bool confirm =
        check->machine.state == CHECK_UP && check->machine.run > 0 && !doubt_frozen(&health->doubt);
    return confirm ? fast_gap(check->spec) : check->spec->interval_ns;
}

// After a result: soon when a failure wants to be confirmed, late when nobody asks, else after an
// interval.
static void schedule_next(struct health *health, struct check *check, int64_t now)
{
    check->resting = false;
    if (check->excused) { // the process was paused, with all other checks
        check_wait_until(health, check, now + health_random_span(health, check->spec->interval_ns));
        return;
    }
    check->resting = may_rest(health, check);
    int64_t gap = next_gap(health, check);
    // The first probes of many checks come close together: the second ones spread them evenly.
    gap -= health_random_span(health, check->probe_count == 1 ? gap / 20 * 19 : gap / JITTER_PART);
    int64_t next = MAX(check->due.time_ns + gap, check->started_ns + gap / 2);
    check_wait_until(health, check, MAX(next, now));
}

// A check that rests is probed within half an interval.
static void wake(struct health *health, struct check *check, int64_t now)
{
    if (!check->resting || check->phase != PHASE_WAITING) {
        return; // its next gap is the usual one anyway
    }
    int64_t due = now + health_random_span(health, check->spec->interval_ns / 2);
    check->resting = false;
    if (due < check->due.time_ns) {
        due_heap_take(&health->waiting, &check->due);
        check_wait_until(health, check, due);
    }
}

void health_rest(struct health *health, int index, int64_t gap_ns)
{
    struct check *check = health->checks[index];
    check->rest_ns = gap_ns;
    if (gap_ns <= check->spec->interval_ns) {
        wake(health, check, clock_monotonic_ns(health->clock));
    }
}

// Who rests says nothing about the checker. Each of those asked that fails asks others in turn, so
// that a checker that is cut off soon hears of it from all.
static void ask_witnesses(struct health *health, int64_t now)
{
    if (health->doubt.options.share >= 100) {
        return;
    }
    size_t tries = MIN(2 * health->doubt.options.targets_min, (size_t)WITNESSES_MAX);
    for (size_t i = 0; i < tries; i++) {
        struct check *check = health->checks[health_random_span(health, health->count)];
        if (check != NULL) {
            wake(health, check, now);
        }
    }
}

const unsigned lateness_bounds_permille[LATENESS_BARS] = {5, 10, 20, 50, 100, 200, 500, 1000};

static void lateness_add(struct health_lateness *lateness, int64_t late_ns, int64_t interval_ns)
{
    unsigned bar = 0;
    while (bar < LATENESS_BARS &&
           late_ns * 1000 > interval_ns * (int64_t)lateness_bounds_permille[bar]) {
        bar++;
    }
    lateness->bars[bar]++;
}

static void probe_start(struct health *health, struct check *check, int64_t now)
{
    check->phase = PHASE_PROBING;
    check->started_ns = now;
    check->spread = false;
    check->probe_count++;
    health->probing_count++;
    lateness_add(&health->lateness, now - check->due.time_ns, check->spec->interval_ns);
    health->prober.start(health->prober.state, &check->probe, &check->target, check->spec);
}

// Whether whole probes were left out before `now`. Checks that were never probed do not wait again.
static bool slept_through(const struct check *check, int64_t now)
{
    return check->probe_count > 0 && !check->spread &&
           now - check->due.time_ns >= check->spec->interval_ns;
}

static bool is_hinted(const struct check *check)
{
    return check_results_needed(&check->machine, check->spec) > 0;
}

// Tells the owner of every check whose outlook the end of doubt has changed.
static void tell_thawed(struct health *health)
{
    health->thawed = false;
    for (int i = 0; i < health->count; i++) {
        struct check *check = health->checks[i];
        if (check != NULL && check->hinted != is_hinted(check)) {
            check->hinted = is_hinted(check);
            health->changed(health->context, i);
        }
    }
}

int64_t health_tick(struct health *health)
{
    if (health->thawed) {
        tell_thawed(health);
    }
    int64_t now = clock_monotonic_ns(health->clock);
    struct due *due;
    while ((due = due_heap_first(&health->waiting)) != NULL && due->time_ns <= now) {
        struct check *check = container_of(due, struct check, due);
        due_heap_take(&health->waiting, due);
        if (slept_through(check, now)) {
            check->spread = true;
            check_wait_until(health, check,
                             now + health_random_span(health, check->spec->interval_ns));
        } else {
            ready_append(health, check);
        }
    }
    struct check *check;
    while (health->probing_count < health->probes_max && (check = health->ready_first) != NULL) {
        ready_remove(health, check);
        probe_start(health, check, now);
    }
    return due ? due->time_ns : INT64_MAX;
}

// --- counts ---

struct check_standing check_standing(const struct check *check)
{
    bool up = check->machine.state == CHECK_UP;
    return (struct check_standing){check->machine.state != CHECK_UNKNOWN, up, up && check->failing};
}

void check_recount(struct health *health, const struct check *check, struct check_standing before)
{
    struct check_standing after = check_standing(check);
    struct doubt *doubt = &health->doubt;
    if (check->is_anchor) {
        doubt->anchors += (size_t)after.known - (size_t)before.known;
        doubt->anchors_good += (size_t)after.up - (size_t)before.up;
    } else {
        doubt->up += (size_t)after.up - (size_t)before.up;
        doubt->failing += (size_t)after.failing - (size_t)before.failing;
    }
}

void check_leave(struct health *health, struct check *check)
{
    switch (check->phase) {
    case PHASE_WAITING:
        due_heap_take(&health->waiting, &check->due);
        break;
    case PHASE_READY:
        ready_remove(health, check);
        break;
    case PHASE_PROBING:
        health->probing_count--;
        health->prober.cancel(health->prober.state, &check->probe);
        break;
    }
    struct check_standing before = check_standing(check);
    check->machine.state = CHECK_UNKNOWN;
    check_recount(health, check, before);
}

// --- results ---

// Details may quote what a target sent: one line of ASCII is all that may pass. Most results have
// none, and most that have one repeat the one before.
static void detail_set(struct health *health, struct check *check, const char *detail)
{
    char clean[DETAIL_MAX];
    size_t size = 0;
    for (; detail[size] && size < DETAIL_MAX - 1; size++) {
        clean[size] = '?';
        if (detail[size] >= 0x20 && detail[size] < 0x7f) {
            clean[size] = detail[size];
        }
    }
    clean[size] = '\0';
    if (strcmp(clean, check->detail ? check->detail : "") != 0) {
        texts_drop(health->details, check->detail);
        check->detail = size > 0 ? texts_keep(health->details, clean) : NULL;
    }
}

static bool failed_late(const struct check *check, enum probe_verdict verdict, int64_t now)
{
    return verdict == VERDICT_BAD && !check->excused &&
           now - check->started_ns > check->spec->timeout_ns + LATE_FAILURE_NS;
}

// What was seen, kept to be shown.
static void record(struct health *health, struct check *check, const struct probe_result *result,
                   int64_t now)
{
    check->latency_ns = now - check->started_ns;
    check->last_reason = result->reason;
    check->warning = result->warning;
    check->has_certificate = result->has_certificate;
    check->certificate_days = result->certificate_days;
    check->has_load = result->has_load;
    check->load = result->load;
    detail_set(health, check, result->detail);
    history_add(&check->history, result->reason, check->latency_ns, now);
}

// Doubt began or ended. Failures seen in doubt must not count afterwards.
static void doubt_turned(struct health *health)
{
    if (!doubt_frozen(&health->doubt)) {
        for (int i = 0; i < health->count; i++) {
            if (health->checks[i] != NULL && !health->checks[i]->is_anchor) {
                check_settle(&health->checks[i]->machine);
            }
        }
        health->thawed = true;
    }
    if (health->doubted != NULL) {
        health->doubted(health->context);
    }
}

// What the result says about the checker itself.
static void weigh(struct health *health, struct check *check, enum probe_verdict verdict,
                  int64_t now)
{
    struct doubt *doubt = &health->doubt;
    struct check_standing before = check_standing(check);
    bool confirms = before.failing && verdict == VERDICT_BAD;
    if (verdict == VERDICT_BAD && !check->failing) {
        check->failing_started_ns = check->started_ns;
        check->failing_ns = now;
    }
    check->failing = verdict == VERDICT_BAD;
    check_recount(health, check, before);
    if (check->is_anchor && verdict == VERDICT_GOOD) {
        doubt->anchor_good_ns = MAX(doubt->anchor_good_ns, check->started_ns);
    } else if (!check->is_anchor && !confirms && (before.up || verdict == VERDICT_GOOD)) {
        doubt_note(doubt, check->started_ns, verdict == VERDICT_GOOD);
    }
    if (doubt_update(doubt, now)) {
        doubt_turned(health);
    }
}

// Whether the check, about to fall, may. Asked again at each further failure until the time at
// which it must be out has come so near that another probe would miss it.
static bool may_fall(struct health *health, const struct check *check, int64_t now)
{
    const struct check_spec *spec = check->spec;
    if (check->is_anchor || !check_about_to_fall(&check->machine, spec)) {
        return true;
    }
    int64_t promised = check->failing_started_ns + (int64_t)(spec->fall - 1) * spec->interval_ns +
                       spec->timeout_ns;
    bool last_chance = now + fast_gap(spec) + spec->timeout_ns > promised;
    bool was_frozen = doubt_frozen(&health->doubt);
    bool may = doubt_allows_fall(&health->doubt, check->failing_ns, now, last_chance);
    if (doubt_frozen(&health->doubt) != was_frozen) {
        doubt_turned(health);
    }
    return may;
}

static bool advance(struct health *health, struct check *check, enum probe_verdict verdict,
                    int64_t now)
{
    if (doubt_frozen(&health->doubt) && !check->is_anchor &&
        check->machine.state != CHECK_UNKNOWN) {
        return false;
    }
    bool may = verdict != VERDICT_BAD || may_fall(health, check, now);
    struct check_standing before = check_standing(check);
    bool turned = check_advance(&check->machine, check->spec, verdict, now, may);
    if (turned) {
        check->since_ns = now;
        check->change_count++;
        check_recount(health, check, before);
        if (check->is_anchor && doubt_update(&health->doubt, now)) {
            doubt_turned(health);
        }
    }
    return turned;
}

void health_probe_done(struct health *health, struct probe *probe,
                       const struct probe_result *result)
{
    struct check *check = container_of(probe, struct check, probe);
    SP_ASSERT(check->phase == PHASE_PROBING);
    SP_ASSERT(result->reason < PROBE_REASON_COUNT);
    int64_t now = clock_monotonic_ns(health->clock);
    enum probe_verdict verdict = probe_reasons[result->reason].verdict;
    health->probing_count--;
    record(health, check, result, now);
    check->excused = failed_late(check, verdict, now);
    if (check->excused) {
        verdict = VERDICT_NONE;
    } else if (!check->had_result) {
        check->had_result = true;
        health->unsettled_count--;
        health->unsettled_ns -= first_cost_ns(check->spec);
    }
    check->failure_count += verdict == VERDICT_BAD;
    if (verdict != VERDICT_NONE) {
        weigh(health, check, verdict, now);
    }
    bool turned = advance(health, check, verdict, now);
    bool hint = is_hinted(check), told = check->hinted, rested = check->resting;
    check->hinted = hint;
    schedule_next(health, check, now);
    if (rested && verdict == VERDICT_BAD) {
        ask_witnesses(health, now);
    }
    if (turned || hint != told) {
        health->changed(health->context, check->index);
    }
}

bool health_trust(struct health *health)
{
    bool frozen = doubt_trust(&health->doubt);
    if (frozen) {
        doubt_turned(health);
    }
    return frozen;
}

bool health_release_down(struct health *health, int index)
{
    struct check *check = health->checks[index];
    check->machine.released = check->machine.state == CHECK_DOWN;
    return check->machine.released;
}
