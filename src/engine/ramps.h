// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct ramps: how far each ramp of the served policies has come.
//
// Control thread. A ramp is known by the owner name and the pool that it leads to: A and AAAA of a
// name, and every version of its document, are one ramp. It begins at its `start` or when it is
// first seen; from then on only the monotonic clock moves it, so a jump of the wall clock does not.
#pragma once

#include "base/clock.h"
#include "zone/policy.h"

#include <jansson.h>

enum ramp_mode { RAMP_RUNNING, RAMP_HELD, RAMP_ABORTED, RAMP_MODE_COUNT };
extern const char *const ramp_mode_names[RAMP_MODE_COUNT];

struct ramps;

// None yet; the clock outlives it. The caller's.
struct ramps *ramps_new(const struct clock *clock);
void ramps_free(struct ramps *ramps); // NULL allowed

// Finds or begins the ramp and gives its document the share of the moment (ramp->share_ppm).
void ramps_bind(struct ramps *ramps, const char *id, struct ramp *document);
// The share of the moment for a document that is bound; also its next change, as monotonic time.
uint32_t ramps_share(const struct ramps *ramps, const char *id, const struct ramp *document,
                     int64_t *next_ns);
// Drops ramps of which `used` says no.
void ramps_keep(struct ramps *ramps, bool (*used)(void *context, const char *id), void *context);

// What an operator, or a falling pool, says. False when there is no such ramp. Hold stops the
// timetable; resume goes on, after an abort from the first step.
bool ramps_set(struct ramps *ramps, const char *id, enum ramp_mode mode);
enum ramp_mode ramps_mode(const struct ramps *ramps, const char *id);

// All of them, for a file; and back. Ramps that are known already stay as they are.
json_t *ramps_save(const struct ramps *ramps);
void ramps_load(struct ramps *ramps, const json_t *saved);
