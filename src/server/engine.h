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
#include "server/config.h"

#include <jansson.h>

struct engine;
struct load;

// `config` and `clock` must outlive the engine; the prober is used through health/.
struct engine *engine_new(const struct config *config, const struct clock *clock,
                          const struct prober *prober);
void engine_free(struct engine *engine);

// Reads shared.yaml, every zone file, and the geo data when it is not yet loaded or has changed on
// disk (`with_geo` forces it). Faults are in load_diags. Never NULL.
struct load *engine_read(const struct engine *engine, bool with_geo);
struct diags *load_diags(struct load *load);
void load_free(struct load *load);

// Publishes the load when it has no errors; true when it did. Takes what it needs out of the load.
// On false the old data keeps serving and load_diags says why.
bool engine_apply(struct engine *engine, struct load *load);

// What the engine owns, for the daemon's other parts; they live as long as it does.
struct publisher *engine_publisher(struct engine *engine);
struct health *engine_health(struct engine *engine);

// Runs due probes and publishes what their results changed, at most one generation a call. Returns
// the monotonic time at which it wants to be called next (INT64_MAX: when something happens).
int64_t engine_tick(struct engine *engine);

// The five steps for one client as JSON (docs/reference/explain.md); NULL with *error set when the
// name is not served here or is not steered. `client` counts as an accepted client subnet.
json_t *engine_explain(struct engine *engine, const uint8_t *name, uint16_t type,
                       const struct address *client, const char **error);
// What lint finds in the zone of this apex, or with NULL in all zones and lines. A name's health
// and certificates count as they stand.
void engine_lint(const struct engine *engine, const uint8_t *apex, struct diags *findings);
// The worst-case failover time of every checked RRset: a list of objects.
json_t *engine_failovers(const struct engine *engine, const uint8_t *apex);
// Both, as GET /v1/lint gives them; NULL when there is no such zone.
json_t *engine_lint_json(const struct engine *engine, const uint8_t *apex);
// Counts, generation, zones, geo data, uptime.
json_t *engine_status(struct engine *engine);
// Every check: target, kind, state, since, last result.
json_t *engine_health_status(struct engine *engine);
// Zones with serial, names, steered RRsets.
json_t *engine_zones(struct engine *engine);
