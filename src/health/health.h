// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct health: the registry of checks, their state machine and their schedule.
//
// Control thread only. It owns no socket and reads no clock of its own: time comes from a struct
// clock, probes go out through a struct prober. Daemon and simulation differ only in these two.
//
// One check per distinct (address, definition), shared by all members that need it and counted.
// The state machine is a table (health/state.h): unknown -> up/down, rise and fall.
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "health/result.h"
#include "zone/check.h"

struct health;

// One execution of a check. `state` is free for the prober between start() and the end; `kept` is
// what it keeps of the check from one probe to the next (NULL at first), until forget().
struct probe {
    void *state;
    void *kept;
};

// How probes leave the process. start() begins one probe of `target`, which must end in exactly one
// health_probe_done(health, probe, ...) later (never from inside start()), within the definition's
// timeout; or in none if cancel() was called for it.
struct prober {
    void (*start)(void *state, struct probe *probe, const struct address *target,
                  const struct check_spec *spec);
    void (*cancel)(void *state, struct probe *probe);
    // The check ends, and no probe of it is under way: release probe->kept. Called only when it is
    // not NULL.
    void (*forget)(void *state, struct probe *probe);
    void *state;
};

enum check_state { CHECK_UNKNOWN, CHECK_UP, CHECK_DOWN };
extern const char *const check_state_names[3];

// Called after a check's state changed, or its change_in_s (below) turned zero or non-zero; always
// as the last act of health_probe_done, so it may call any function here but health_free.
typedef void health_changed(void *context, int check);

// `clock` must outlive the registry; `prober` is copied. The same seed gives the same schedule.
struct health *health_new(const struct clock *clock, const struct prober *prober, uint64_t seed,
                          health_changed *changed, void *context);
// Cancels every probe under way. NULL allowed.
void health_free(struct health *health);

// Adds a user of the check for this target and definition, making it if it is new: the first probe
// is due at once (spread over min(interval, 1 s) when there are many). Strings are copied. Returns
// the index, stable while it has users.
int health_acquire(struct health *health, const struct address *target,
                   const struct check_spec *spec);
// Drops a user; the last one ends the check and cancels its probe.
void health_release(struct health *health, int check);

// Starts every probe that is due, but never more than HEALTH_PROBES_MAX at a time: the others wait
// in order. Returns the monotonic time of the next due one, or INT64_MAX. That time is good only
// until the next health_probe_done, health_acquire or health_release: call again after them (in an
// event loop: each time before it sleeps).
enum { HEALTH_PROBES_MAX = 4096 };
int64_t health_tick(struct health *health);
// The end of a probe. The result is copied.
void health_probe_done(struct health *health, struct probe *probe,
                       const struct probe_result *result);

// Whether every check has had its first result, of whatever kind.
bool health_settled(const struct health *health);

struct check_view {
    enum check_state state;
    struct address target;
    const struct check_spec *spec; // lives while the check has users
    int64_t since_ns;              // monotonic time of the last change of state
    enum probe_reason last_reason;
    const char *last_detail;
    int64_t last_latency_ns;
    unsigned run; // equal results in a row that point away from the state
    // Seconds until this check could change state at the earliest if it went on as it goes now:
    // probes still needed x interval. 0 while it is steady (then TTLs stay long).
    uint32_t change_in_s;
    uint64_t probe_count, failure_count, change_count;
};
// False when the index has no users.
bool health_view(const struct health *health, int check, struct check_view *view);
int health_count(const struct health *health); // indexes are 0..count-1, some without users
