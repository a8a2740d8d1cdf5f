// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside of api/: one call of a handler, and the few ways in which it answers.
#pragma once

#include "api/api.h"

struct api_call {
    const struct api_backend *backend;
    const struct api_request *request;
    const char *part; // what the braces of the pattern took; part_size bytes
    size_t part_size;
    json_t *body; // the object that the route's table describes; NULL when it takes none
    api_respond *respond;
    void *context;
};

// The value of a query parameter, or NULL.
const char *call_param(const struct api_call *call, const char *name);

// Reads the request's body as the route's table says. 0 with *body the caller's (NULL when the
// route takes none), or the status of the refusal with the faults in `diags`.
unsigned body_read(const struct api_route *route, const struct api_request *request, json_t **body,
                   struct diags *diags);

// Each answers the call. JSON is consumed.
void call_json(struct api_call *call, unsigned status, json_t *json);
void call_text(struct api_call *call, const char *content_type, char *text, size_t size);
void call_problem(struct api_call *call, unsigned status, const char *detail);
// With the entries of `diags` as the members `errors` and `warnings`.
void call_problem_diags(struct api_call *call, unsigned status, const char *detail,
                        const struct diags *diags);

// For an answer that comes after the handler has returned, when the request is gone: what it needs.
struct later {
    api_respond *respond;
    void *context;
};
struct later *call_later(const struct api_call *call);
// The call to answer, without its request; `later` is released.
struct api_call later_call(struct later *later);

// A JSON string of any bytes: those that are no UTF-8 become question marks.
json_t *text_json(const char *text);
// Consumes the JSON; fills the response.
void response_json(struct api_response *response, unsigned status, const char *content_type,
                   json_t *json);
// The members that every problem has; the caller's.
json_t *problem_json(unsigned status, const char *detail);

// Handlers, api/handlers.c and api/metrics.c.
void handle_status(struct api_call *call);
void handle_zones(struct api_call *call);
void handle_zone(struct api_call *call);
void handle_health(struct api_call *call);
void handle_explain(struct api_call *call);
void handle_simulate(struct api_call *call);
void handle_lint(struct api_call *call);
void handle_reload(struct api_call *call);
void handle_geo(struct api_call *call);
void handle_geo_locate(struct api_call *call);
void handle_geo_update(struct api_call *call);
void handle_routes(struct api_call *call);
void handle_metrics(struct api_call *call);

// Handlers and bodies, api/health.c and api/health_probe.c.
extern const struct api_field_info manual_fields[], release_fields[], test_fields[], beat_fields[];
void handle_health_test(struct api_call *call);
void handle_health_beat(struct api_call *call);
void handle_health_check(struct api_call *call);
void handle_health_trust(struct api_call *call);
void handle_health_release(struct api_call *call);
void handle_events(struct api_call *call);
void handle_manual(struct api_call *call);
void handle_manual_set(struct api_call *call);
void handle_manual_clear(struct api_call *call);

// Handlers of steering, api/steer.c.
void handle_ramps(struct api_call *call);
void handle_ramp_hold(struct api_call *call);
void handle_ramp_resume(struct api_call *call);
void handle_ramp_abort(struct api_call *call);
extern const struct api_field_info loads_fields[];
void handle_loads(struct api_call *call);
void handle_loads_report(struct api_call *call);
extern const struct api_field_info rtt_fields[];
void handle_rtt(struct api_call *call);
void handle_rtt_report(struct api_call *call);
