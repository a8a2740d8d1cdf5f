// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct engine: the control side. Owns every mutation: documents in, generations out.
//
// Control thread only, but for engine_read, which is slow, touches nothing of the engine and may
// run on a pool thread. Loading is two steps, so that a bad document changes nothing:
//   load = engine_read(...)         any thread: read and check all files;
//   engine_apply(engine, load)      control thread: compile, self-query, publish.
#pragma once

#include "answer/answer.h"
#include "health/health.h"
#include "health/manual.h"
#include "config/config.h"
#include "api/events.h"
#include "engine/ramps.h"

#include <jansson.h>

struct engine;
struct load;

// `config` and `clock` must outlive the engine; the prober is used through health/.
struct engine *engine_new(const struct config *config, const struct clock *clock,
                          const struct prober *prober);
void engine_free(struct engine *engine); // NULL allowed

// Reads shared.yaml, every zone file, and the geo data when it is not yet loaded or has changed on
// disk (`with_geo` forces it). Faults are in load_diags. Never NULL. Geo data with errors is a
// warning as long as there is older data that goes on serving.
struct load *engine_read(const struct engine *engine, bool with_geo);
// Reads the geo data alone, whether it changed or not. A database that knows far less than the one
// in use is taken for cut short, and that is an error, unless `force`.
struct load *engine_read_geo(const struct engine *engine, bool force);
// The load's own, to be added to until it is applied.
struct diags *load_diags(struct load *load);
void load_free(struct load *load); // NULL allowed

// Publishes the load when it has no errors; true when it did. Takes what it needs out of the load.
// On false the old data keeps serving and load_diags says why.
bool engine_apply(struct engine *engine, struct load *load);

// Calls `changed` whenever a check's state changed; it may only note it.
void engine_watch(struct engine *engine, void (*changed)(void *context), void *context);

// Gives back the memory of zones without policies that only repeats what answers. The daemon calls
// it after a load.
void engine_release_models(struct engine *engine);

// What the engine owns, for the daemon's other parts; they live as long as it does.
struct publisher *engine_publisher(struct engine *engine);
struct health *engine_health(struct engine *engine);
struct beats *engine_beats(struct engine *engine);
struct events *engine_events(struct engine *engine);

// Runs due probes and publishes what their results changed, at most one generation a call. Returns
// the monotonic time at which it wants to be called next (INT64_MAX: when something happens).
int64_t engine_tick(struct engine *engine);

// The five steps for one client as JSON (docs/reference/explain.md); NULL with *error set when the
// name is not served here or is not steered. `client` counts as an accepted client subnet.
json_t *engine_explain(struct engine *engine, const uint8_t *name, uint16_t type,
                       const struct address *client, const char **error);
// Where the traffic of a name goes, as POST /v1/simulate gives it (docs/reference/simulate.md),
// from a body whose members have the types of the route's table. NULL with faults added when the
// request is not right, or there is nothing to simulate.
json_t *engine_simulate(struct engine *engine, const json_t *body, struct diags *faults);
// Takes samples of the data workers in (answer/samples.h).
void engine_add_samples(struct engine *engine, const uint64_t *samples, size_t count);
// Where the data workers note which plans are asked for; the array is copied, what it points to
// outlives the engine. Without any, no name is ever idle.
struct asked;
void engine_listen(struct engine *engine, struct asked *const *asked, size_t count);
// What lint finds in the zone of this apex, or with NULL in all zones and lines. A name's health
// and certificates count as they stand.
void engine_lint(const struct engine *engine, const uint8_t *apex, struct diags *findings);
// The worst-case failover time of every checked RRset: a list of objects.
json_t *engine_failovers(const struct engine *engine, const uint8_t *apex);
// Both, as GET /v1/lint gives them; NULL when there is no such zone.
json_t *engine_lint_json(const struct engine *engine, const uint8_t *apex);
// The geo data: files, when they were built, counts.
json_t *engine_geo(const struct engine *engine);
// What is known about an address, and the lines that it is in. NULL before the first load.
json_t *engine_locate(const struct engine *engine, const struct address *address);
// Seconds since the oldest database in use was built; 0 without one.
uint64_t engine_geo_age(const struct engine *engine);
// Counts, generation, zones, geo data, uptime.
json_t *engine_status(struct engine *engine);
// Every check: target, kind, state, since, last result.
json_t *engine_health_status(struct engine *engine);
// How often checks went down, and came up after they were down. Checks that are gone count too.
struct engine_turns {
    uint64_t falls, rises;
};
const struct engine_turns *engine_turns(const struct engine *engine);
// One check with its results, histogram and members; NULL when there is none of that number.
json_t *engine_health_check(struct engine *engine, int check);
// Whether the checker doubts itself, since when and why.
json_t *engine_doubt(struct engine *engine);
// Manual states (health/manual.h). Set: the new entry with the number of `members` that it holds,
// or NULL with faults; `for_ns` above 0 says `until` as a length. It is on disk when it returns.
json_t *engine_manual_list(struct engine *engine);
size_t engine_manual_count(const struct engine *engine);
json_t *engine_manual_set(struct engine *engine, const struct manual_entry *entry, int64_t for_ns,
                          struct diags *diags);
// Removes the entries of exactly this pattern. False when the file cannot be written; that is tried
// again until it can.
bool engine_manual_clear(struct engine *engine, const char *pattern, size_t *removed,
                         struct diags *diags);
// Lets checks of matching members that are down and wait for the operator come back.
bool engine_health_release(struct engine *engine, const char *pattern, size_t *released,
                           struct diags *diags);
// The operator believes what the checks say: ends doubt. False when there was none.
bool engine_health_trust(struct engine *engine);
// What to save, as text of *size octets, released with free(); NULL when nothing changed since the
// last call, or states are not saved. Heartbeats alone are written down now and then only, unless
// it is for the `last` time.
char *engine_states_save(struct engine *engine, bool last, size_t *size);
// What it gave did not come to disk: the next call gives the states as they are then.
void engine_states_lost(struct engine *engine);
// Where to; NULL: not saved.
const char *engine_states_path(const struct engine *engine);

// Zones with serial, names, steered RRsets.
json_t *engine_zones(struct engine *engine);

// Ramps: [{ramp, type, mode, share, next_step_in_seconds}]. Set: false when there is none of this
// name; what follows is published before it returns. A fault in `diags`: it is so, but not on disk
// yet; that is tried again until it is.
json_t *engine_ramps_list(struct engine *engine);
bool engine_ramps_set(struct engine *engine, const char *id, enum ramp_mode mode,
                      struct diags *diags);

// Loads that were reported: [{value or site, load, age_seconds}]. Report: false when there are too
// many; it is looked at within a second.
json_t *engine_loads_list(struct engine *engine);
bool engine_loads_report(struct engine *engine, const char *name, bool is_site, double load);

// Round trips for method `fastest`. Report: false when the table is full.
bool engine_rtt_report(struct engine *engine, const struct address *client, const char *place,
                       double ms, unsigned samples);
json_t *engine_rtt_summary(const struct engine *engine);
