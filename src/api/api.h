// SPDX-License-Identifier: GPL-3.0-or-later
//
// The HTTP API without HTTP: a request in, a response out, whatever carries them.
//
// Control thread only. What the handlers know of the server comes through struct api_backend, which
// server/ fills (and a test can fake): this folder includes neither server/ nor any HTTP library.
#pragma once

#include "answer/answer.h"
#include "base/address.h"
#include "base/diag.h"
#include "health/checker.h"
#include "health/manual.h"

#include <jansson.h>
#include <sys/types.h>

// What a caller may do. Whoever can open the control socket is an operator.
enum api_role { API_ROLE_READER, API_ROLE_OPERATOR, API_ROLE_COUNT };
extern const char *const api_role_names[API_ROLE_COUNT];

struct api_param {
    const char *name, *value;
};

// Borrowed by api_handle; nothing of it is kept when api_handle has returned.
struct api_request {
    const char *method, *path;      // the path decoded, without the query
    const struct api_param *params; // of the query, decoded
    size_t param_count;
    enum api_role role;
    const char *content_type;  // NULL: none
    const char *last_event_id; // of a client that follows the events again; NULL: none
    const char *body;          // body_size bytes as they came; parsed by api_handle (route.body)
    size_t body_size;
};

// A body that comes over time. It lives in one place from its making to its close, which whoever
// carries it calls once.
enum { API_STREAM_END = -1 };
struct api_stream {
    // Octets written, 0 when there is nothing now, API_STREAM_END when nothing will come.
    ssize_t (*read)(void *state, char *bytes, size_t max);
    void (*close)(void *state);
    void *state;
    void (*wake)(void *context); // set by the carrier: there is something to read
    void *wake_context;
};

struct api_response {
    unsigned status;
    const char *content_type;
    char *body; // body_size bytes, from malloc; whoever receives the response frees it
    size_t body_size;
    char allow[64];            // the Allow header of a 405, or ""
    struct api_stream *stream; // instead of the body, from malloc; NULL: none
};

// Receives the response, once, from inside api_handle or later.
typedef void api_respond(void *context, struct api_response *response);

// Numbers of the process as a whole, one row a metric: name, Prometheus type, help.
#define API_METRICS(X)                                                                             \
    X(generation, "gauge", "Number of the generation that answers")                                \
    X(zones, "gauge", "Zones served")                                                              \
    X(names, "gauge", "Owner names served")                                                        \
    X(plans, "gauge", "Steered RRsets")                                                            \
    X(generation_bytes, "gauge", "Memory of the generation that answers")                          \
    X(checks_up, "gauge", "Health checks that are up")                                             \
    X(checks_down, "gauge", "Health checks that are down")                                         \
    X(checks_unknown, "gauge", "Health checks without a result yet")                               \
    X(checks_held, "gauge", "Health checks that are down although their results are good")         \
    X(checks_suspect, "gauge", "1 while the checker doubts itself and states are frozen")          \
    X(doubts, "counter", "Times that the checker began to doubt itself")                           \
    X(check_falls, "counter", "Times that a check went down")                                      \
    X(check_rises, "counter", "Times that a check came up after it was down")                      \
    X(manual_entries, "gauge", "Manual states and maintenance windows")                            \
    X(webhooks_sent, "counter", "Requests of webhooks that were taken")                            \
    X(webhooks_failed, "counter", "Attempts of webhooks that failed")                              \
    X(webhook_events_dropped, "counter", "Events that a webhook did not get")                      \
    X(certificate_days_min, "gauge",                                                               \
      "Days until the first certificate of a check ends; 0 also when it has ended or none is "     \
      "known")                                                                                     \
    X(probes_late, "gauge", "Probes that began later than 5 % of their interval")                  \
    X(prober_alive, "gauge",                                                                       \
      "1 while probes can be made; 0 while the process that makes them is gone")                   \
    X(prober_starts, "counter", "Starts of the process that probes")                               \
    X(probes, "gauge", "Probes that ended, of the checks in use")                                  \
    X(probe_failures, "gauge", "Probes that failed, of the checks in use")                         \
    X(reloads, "counter", "Reloads that were taken")                                               \
    X(reloads_refused, "counter", "Reloads that had errors; the old data went on serving")         \
    X(xdp_received, "counter", "Frames that came by XDP sockets")                                  \
    X(xdp_sent, "counter", "Frames that left by XDP sockets")                                      \
    X(xdp_refused, "counter", "Frames by XDP sockets that held no datagram to be answered")        \
    X(xdp_lost, "counter", "Answers for which an interface's ring had no room")                    \
    X(geo_age_seconds, "gauge", "Seconds since the oldest geo database in use was built; 0: none") \
    X(geo_updates, "counter", "Times that geo data was read anew and taken, reloads left out")     \
    X(geo_updates_refused, "counter", "Times that new geo data had errors; the old went on")       \
    X(uptime_seconds, "gauge", "Seconds since the process began")

struct api_metrics {
#define X(name, type, help) uint64_t name;
    API_METRICS(X)
#undef X
};

// A certificate that a check has seen. GET /metrics has a row for each of those that end first.
enum { API_CERTIFICATES_MAX = 1000 };
struct api_certificate {
    int check;
    int32_t days; // until it ends; negative: since
    char target[SOCKADDR_TEXT_MAX];
};

// The end of a reload: whether it was taken, all that was found, and the generation that answers.
struct api_reload_result {
    bool taken;
    bool stopping; // not tried: the process ends
    bool geo_only; // nothing but the geo data was read
    const struct diags *diags;
    uint64_t generation;
};
typedef void api_reloaded(void *context, const struct api_reload_result *result);

struct api_backend {
    // Each returns a new reference: an object, a list of checks, a list of zones with their "name".
    json_t *(*status)(void *state);
    json_t *(*health)(void *state);
    json_t *(*zones)(void *state);
    // NULL with *error set to a static text when there is nothing to explain.
    json_t *(*explain)(void *state, const uint8_t *name, uint16_t type,
                       const struct address *client, const char **error);
    // Findings of lint in one zone, or with NULL in all; NULL when there is no such zone.
    json_t *(*lint)(void *state, const uint8_t *apex);
    // Where the traffic of a name goes; NULL with faults added when there is nothing to simulate.
    json_t *(*simulate)(void *state, const json_t *body, struct diags *faults);
    // Calls `done` once, later. A reload that runs already may have read the old files: the next
    // run is waited for.
    void (*reload)(void *state, api_reloaded *done, void *context);
    // The same for the geo data alone; `force` takes databases that know far less than before.
    void (*geo_update)(void *state, bool force, api_reloaded *done, void *context);
    json_t *(*geo)(void *state);
    json_t *(*locate)(void *state, const struct address *address); // NULL: nothing is loaded yet
    json_t *(*rtt)(void *state);
    bool (*rtt_report)(void *state, const struct address *client, const char *place, double ms,
                       unsigned samples);
    json_t *(*loads)(void *state);
    bool (*load_report)(void *state, const char *name, bool is_site, double load);
    json_t *(*ramps)(void *state);
    // False when there is none of this name. Modes: running, held, aborted. A fault in `diags`: it
    // is so, but not on disk yet.
    bool (*ramp_set)(void *state, const char *ramp, const char *mode, struct diags *diags);
    void (*metrics)(void *state, struct api_metrics *metrics);
    // Fills in the `max` certificates that end first, in that order; the number of them.
    size_t (*certificates)(void *state, struct api_certificate *rows, size_t max);
    unsigned (*worker_count)(void *state);
    const struct worker_counters *(*worker)(void *state, unsigned index);
    // Health. A check in full, or NULL when there is none of that number; manual states, doubt.
    json_t *(*health_check)(void *state, int check);
    json_t *(*doubt)(void *state);
    bool (*health_trust)(void *state); // false: there was no doubt
    json_t *(*manual)(void *state);
    json_t *(*manual_set)(void *state, const struct manual_entry *entry, int64_t for_ns,
                          struct diags *diags);
    bool (*manual_clear)(void *state, const char *pattern, size_t *removed, struct diags *diags);
    // Answers once, later, with a result or NULL when the server ends. False: it cannot be probed.
    bool (*health_test)(void *state, int check, checker_tested *done, void *context);
    bool (*health_beat)(void *state, const char *name, const struct beat *beat);
    bool (*health_release)(void *state, const char *pattern, size_t *released, struct diags *diags);
    // From the event after `after` on (0: from the next one); NULL: there are too many streams.
    struct api_stream *(*events)(void *state, uint64_t after);
    void *state;
};

// Finds the route, checks method, role and parameters, and runs its handler.
void api_handle(const struct api_backend *backend, const struct api_request *request,
                api_respond *respond, void *context);

// An RFC 9457 problem, for transports that refuse a request before it gets here. The response is
// the caller's.
void api_problem(struct api_response *response, unsigned status, const char *detail);

// The entries of one severity, as problems carry them: [{file, line, column, key, message}].
json_t *diags_json(const struct diags *diags, enum severity severity);

// Findings of lint: the same with severity, id and fix.
json_t *findings_json(const struct diags *findings);

struct api_param_info {
    const char *name;
    bool required;
    const char *help;
};

// A member of the JSON object that a route takes as its body. The name "*" stands for all members
// that have no row before it.
enum { API_BODY_DEPTH_MAX = 32 };
enum api_field_type {
    API_TEXT,
    API_INTEGER,
    API_NUMBER,
    API_BOOLEAN,
    API_TEXTS,
    API_LIST,
    API_OBJECT,
    API_ANY,
    API_FIELD_TYPE_COUNT
};
extern const char *const api_field_type_names[API_FIELD_TYPE_COUNT]; // "a text", ...

struct api_field_info {
    const char *name;
    enum api_field_type type;
    bool required;
    const char *help;
};

// A row of the one route table.
struct api_call;
struct api_route {
    const char *method;
    const char *pattern; // "/v1/zones/{zone}": a part in braces takes any one part of a path
    enum api_role role;
    void (*handle)(struct api_call *call);
    const char *summary;
    const struct api_param_info *params; // of the query; ends with a NULL name
    const struct api_field_info *body;   // ends with a NULL name; NULL: takes no body
};
size_t api_route_count(void);
const struct api_route *api_route(size_t index);

// The value of the first part in braces, or NULL when the path does not match. "" when it matches
// and there is no such part.
const char *api_pattern_match(const char *pattern, const char *path, size_t *size);
