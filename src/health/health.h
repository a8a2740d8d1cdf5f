// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct health: the registry of checks, their state machine and their schedule.
//
// Control thread only. It owns no socket and reads no clock of its own: time comes from a struct
// clock, probes go out through a struct prober (probe/prober.h). Daemon and simulation differ only
// in these two.
//
// One check per distinct (address, definition), shared by all members that need it and counted.
// The state machine is a table (health/state.h): unknown -> up/down, rise and fall. When most
// targets fail at once the registry doubts itself and moves no state (health/doubt.h).
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "health/doubt.h"
#include "health/history.h"
#include "probe/prober.h"
#include "zone/check.h"

struct health;

enum check_state { CHECK_UNKNOWN, CHECK_UP, CHECK_DOWN };
extern const char *const check_state_names[3];

// What keeps a check down that gives good results.
enum check_wait {
    WAIT_NOTHING,
    WAIT_RESULTS,   // more good results
    WAIT_HOLD_DOWN, // the least time down
    WAIT_FAILBACK,  // the least time good
    WAIT_OPERATOR,  // health_release_down
    CHECK_WAIT_COUNT
};
extern const char *const check_wait_names[CHECK_WAIT_COUNT];

// Called after a check's state changed, or its change_in_s (below) turned zero or non-zero; always
// as the last act of health_probe_done, so it may call any function here but health_free.
typedef void health_changed(void *context, int check);
// Called when doubt began or ended; it may only look.
typedef void health_doubted(void *context);

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
// The check for this target and definition, or -1 when it has no users.
int health_find(const struct health *health, const struct address *target,
                const struct check_spec *spec);
// Drops a user; the last one ends the check and cancels its probe.
void health_release(struct health *health, int check);

// Before the first check is acquired; without it there is never doubt.
void health_doubt_open(struct health *health, const struct doubt_options *options,
                       health_doubted *doubted);
// A user of a check that tells of the checker's own network: it is judged even while there is
// doubt, and when none of the anchors is up, there is.
int health_anchor(struct health *health, const struct address *target,
                  const struct check_spec *spec);
const struct doubt *health_doubt(const struct health *health);
// The operator says that what is seen is true: doubt ends and states follow the results. True when
// there was doubt.
bool health_trust(struct health *health);
// While nobody asks for the names of a target it may be probed each `gap_ns` instead of each
// interval, as long as its results are steady and believed; 0 ends that: then a probe is made
// within half an interval. Gaps that are no longer than the interval say nothing.
void health_rest(struct health *health, int check, int64_t gap_ns);
// Lets a check that waits for the operator (failback_manual) come back. True when it is down.
bool health_release_down(struct health *health, int check);

// Starts every probe that is due, but never more than the limit (HEALTH_PROBES_MAX unless
// health_limit says another) at a time: the others wait in order. Returns the monotonic time of the
// next due one, or INT64_MAX. That time is good only until the next health_probe_done,
// health_acquire or health_release: call again after them (in an event loop: each time before it
// sleeps).
enum { HEALTH_PROBES_MAX = 4096 };
void health_limit(struct health *health, unsigned probes_max);
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
    enum check_wait waits_for;
    unsigned rise_needed; // good results in a row that bring it back when it is down
    bool is_anchor;
    bool resting;        // the next probe waits for longer than an interval (health_rest)
    unsigned users;      // health_acquire without health_release
    int64_t acquired_ns; // monotonic time of the first of them
    bool warning, has_certificate, has_load; // of the last result, probe/result.h
    int32_t certificate_days;
    double load;
    const struct history *history; // lives while the check has users
    // Seconds until this check could change state at the earliest if it went on as it goes now:
    // probes still needed x interval. 0 while it is steady (then TTLs stay long).
    uint32_t change_in_s;
    uint64_t probe_count, failure_count, change_count;
};
// The target as people write it: without a port when the kind knows none. Returns `text`.
const char *check_view_target(const struct check_view *view, char text[SOCKADDR_TEXT_MAX]);
// False when the index has no users.
bool health_view(const struct health *health, int check, struct check_view *view);
int health_count(const struct health *health); // indexes are 0..count-1, some without users

// How late probes start, compared with their interval.
enum { LATENESS_BARS = 8 };
// Upper bounds of the bars; the last one has none.
extern const unsigned lateness_bounds_permille[LATENESS_BARS];
struct health_lateness {
    uint64_t bars[LATENESS_BARS + 1];
};
struct health_lateness health_lateness(const struct health *health);

// What outlives a restart.
struct check_memory {
    enum check_state state;
    unsigned level;
    bool flapping, has_risen;
    int64_t since_ns, risen_ns; // monotonic; before the start of the machine they are negative
};
// Tells a check from all others, the same in every process.
uint64_t health_key(const struct health *health, int check);
struct check_memory health_memory(const struct health *health, int check);
// The check, which is unknown, goes on where it was.
void health_remember(struct health *health, int check, const struct check_memory *memory);
