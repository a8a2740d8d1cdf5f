// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct checker: what the registry sees as its prober. Kinds that leave the process go on to the
// real one; heartbeats and expressions are answered here; and single probes of an operator pass
// beside the registry.
//
// What is answered here is no question of time but of change: such a "probe" is held open until its
// outcome differs from the last one (or some seconds have passed), so a change counts within a
// moment, and a history of ten results is not a second long. Thread of the loop.
#pragma once

#include "health/beats.h"
#include "health/health.h"

#include <uv.h>

struct checker;

// `inner` is copied; its results go to checker_report.
struct checker *checker_new(uv_loop_t *loop, const struct prober *inner);
// `beats` may hold those of before a restart; neither is looked at after health_free.
void checker_attach(struct checker *checker, struct health *health, struct beats *beats);
// After health_free; the loop must turn once more to close its timer. NULL allowed.
void checker_free(struct checker *checker);
// For health_new; the checker must outlive the registry.
const struct prober *checker_prober(const struct checker *checker);
// Of type probe_ended, `context` is the checker.
void checker_report(void *context, struct probe *probe, const struct probe_result *result);
// A check of the registry changed: expressions are looked at on the loop's next turn.
void checker_changed(struct checker *checker);

// --- heartbeats ---

// Names and details are copied and bounded. False when there is no check of this name.
bool checker_beat(struct checker *checker, const char *name, const struct beat *beat);

// --- one probe now ---

typedef void checker_tested(void *context, const struct probe_result *result);
// Probes a check's target by its definition, beside its schedule, and calls `done` once, later. The
// registry hears nothing of it. False for kinds that are not probed, or when too many run.
bool checker_test(struct checker *checker, const struct address *target,
                  const struct check_spec *spec, checker_tested *done, void *context);
// Ends all that are under way: their `done` is called with NULL.
void checker_end_tests(struct checker *checker);
