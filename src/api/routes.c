// SPDX-License-Identifier: GPL-3.0-or-later
//
// The route table, and the way from a request to its handler.
//
// Called by the transport (server/control_http.c) on the control thread. What the table says of a
// route (method, role, parameters, body) is checked here, before the handler; /v1/routes and the
// reference page print the same table.
#include "api/call.h"

#include <stdio.h>
#include <string.h>

const char *const api_role_names[API_ROLE_COUNT] = {"reader", "operator"};

static const struct api_param_info no_params[] = {{0}};

static const struct api_param_info explain_params[] = {
    {"name", true, "The domain name that is asked for"},
    {"type", false, "The record type; A by default"},
    {"client", true, "Address of the client: IPv4 or IPv6"},
    {0},
};

static const struct api_param_info locate_params[] = {
    {"address", true, "IPv4 or IPv6 address"},
    {0},
};

static const struct api_param_info update_params[] = {
    {"force", false, "true: also data that knows far less than what is in use"},
    {0},
};

static const struct api_param_info lint_params[] = {
    {"zone", false, "The zone to look at; all zones and lines by default"},
    {0},
};

static const struct api_param_info events_params[] = {
    {"after", false,
     "Also what came after the event of this id, as far as it is kept; the header Last-Event-ID "
     "says the same and wins"},
    {0},
};

static const struct api_param_info pattern_params[] = {
    {"pattern", true, "Exactly as it was given"},
    {0},
};

static const struct api_field_info simulate_body[] = {
    {"name", API_TEXT, true, "The domain name"},
    {"type", API_TEXT, false, "The record type; A by default"},
    {"weigh_by", API_TEXT, false,
     "`addresses` (the default) or `queries`: what the server was asked from"},
    {"clients", API_TEXTS, false, "Only these networks, by addresses"},
    {"down", API_TEXTS, false, "What if these were down: patterns of members, sites or pools"},
    {"weights", API_OBJECT, false, "What if these members had these weights: pattern to number"},
    {"document", API_TEXT, false, "What if this were the zone's document (YAML)"},
    {"document_name", API_TEXT, false, "What faults of it are reported under; \"document\""},
    {"by", API_TEXT, false, "Tables for each `line`, `country` or `continent`, too"},
    {"lines", API_TEXTS, false, "For each of these lines instead of those in the rules"},
    {0},
};

static const struct api_param_info ramp_params[] = {
    {"ramp", true, "The ramp as /v1/ramps has it: owner name and pool, www.example.com:new"},
    {0},
};

static const struct api_route routes[] = {
    {"GET", "/v1/status", API_ROLE_READER, handle_status,
     "Generation, counts, geo data and uptime of the server", no_params, NULL},
    {"GET", "/v1/zones", API_ROLE_READER, handle_zones,
     "Every zone with its serial, names and steered RRsets", no_params, NULL},
    {"GET", "/v1/zones/{zone}", API_ROLE_READER, handle_zone, "One zone of that list", no_params,
     NULL},
    {"GET", "/v1/health", API_ROLE_READER, handle_health,
     "Every health check with its target, state and last result", no_params, NULL},
    {"GET", "/v1/health/manual", API_ROLE_READER, handle_manual,
     "What operators have said about members, with the number of members that each entry holds",
     no_params, NULL},
    {"POST", "/v1/health/manual", API_ROLE_OPERATOR, handle_manual_set,
     "Says that members are up, down or drained; on disk when it answers (201)", no_params,
     manual_fields},
    {"DELETE", "/v1/health/manual", API_ROLE_OPERATOR, handle_manual_clear,
     "Takes back the entries of one pattern", pattern_params, NULL},
    {"POST", "/v1/health/release", API_ROLE_OPERATOR, handle_health_release,
     "Lets members come back whose check waits for an operator (`failback_manual`)", no_params,
     release_fields},
    {"POST", "/v1/health/trust", API_ROLE_OPERATOR, handle_health_trust,
     "Ends doubt: states follow the results although most targets fail", no_params, NULL},
    {"POST", "/v1/health/test", API_ROLE_OPERATOR, handle_health_test,
     "Probes the target of a check now, beside its schedule, and says what was seen layer by layer",
     no_params, test_fields},
    {"POST", "/v1/health/beat", API_ROLE_OPERATOR, handle_health_beat,
     "A heartbeat, for checks of kind `heartbeat`", no_params, beat_fields},
    {"GET", "/v1/health/{check}", API_ROLE_READER, handle_health_check,
     "One check by its number, with its last 100 results and a histogram of its latencies",
     no_params, NULL},
    {"GET", "/v1/events", API_ROLE_READER, handle_events,
     "What happens, as server-sent events: check, doubt, manual, prober; ends for a client that "
     "falls a thousand events behind",
     events_params, NULL},
    {"GET", "/v1/explain", API_ROLE_READER, handle_explain,
     "The five steps by which a client gets its answer", explain_params, NULL},
    {"GET", "/v1/geo", API_ROLE_READER, handle_geo,
     "The geo data: its files, when they were built, what is known", no_params, NULL},
    {"GET", "/v1/geo/locate", API_ROLE_READER, handle_geo_locate,
     "What is known about an address, and the lines that it is in", locate_params, NULL},
    {"POST", "/v1/geo/update", API_ROLE_OPERATOR, handle_geo_update,
     "Reads the geo data anew; answers when it is in use or was refused (422)", update_params,
     NULL},
    {"GET", "/v1/lint", API_ROLE_READER, handle_lint,
     "What is allowed and hardly meant, and the worst-case failover time of every checked name",
     lint_params, NULL},
    {"POST", "/v1/simulate", API_ROLE_READER, handle_simulate,
     "Where the traffic of a name goes, and where it would go", no_params, simulate_body},
    {"GET", "/v1/loads", API_ROLE_READER, handle_loads,
     "The loads that members and sites have reported", no_params, NULL},
    {"POST", "/v1/loads", API_ROLE_OPERATOR, handle_loads_report,
     "Reports loads; they count from the next second on", no_params, loads_fields},
    {"GET", "/v1/rtt", API_ROLE_READER, handle_rtt,
     "How many networks have measured round trips, and how often those have changed", no_params,
     NULL},
    {"POST", "/v1/rtt", API_ROLE_OPERATOR, handle_rtt_report,
     "Reports round trips for the method `fastest`; they count within ten seconds", no_params,
     rtt_fields},
    {"GET", "/v1/ramps", API_ROLE_READER, handle_ramps,
     "Every ramp with its mode, its share and the time to its next step", no_params, NULL},
    {"POST", "/v1/ramps/hold", API_ROLE_OPERATOR, handle_ramp_hold,
     "Stops a ramp at the share that it has", ramp_params, NULL},
    {"POST", "/v1/ramps/resume", API_ROLE_OPERATOR, handle_ramp_resume,
     "Lets a ramp go on; after an abort from its first step", ramp_params, NULL},
    {"POST", "/v1/ramps/abort", API_ROLE_OPERATOR, handle_ramp_abort,
     "Takes the share of a ramp to zero until it is resumed", ramp_params, NULL},
    {"POST", "/v1/reload", API_ROLE_OPERATOR, handle_reload,
     "Reads all files anew; answers when the new data is served or was refused (422)", no_params,
     NULL},
    {"GET", "/v1/routes", API_ROLE_READER, handle_routes, "This table", no_params, NULL},
    {"GET", "/metrics", API_ROLE_READER, handle_metrics, "Counters and gauges for Prometheus",
     no_params, NULL},
};

size_t api_route_count(void)
{
    return ARRAY_SIZE(routes);
}

const struct api_route *api_route(size_t index)
{
    SP_ASSERT(index < ARRAY_SIZE(routes));
    return &routes[index];
}

const char *api_pattern_match(const char *pattern, const char *path, size_t *size)
{
    const char *part = "";
    *size = 0;
    while (*pattern != '\0') {
        if (*pattern == '{') {
            part = path;
            *size = strcspn(path, "/");
            path += *size;
            pattern = strchr(pattern, '}') + 1;
            if (*size == 0) {
                return NULL;
            }
        } else if (*pattern++ != *path++) {
            return NULL;
        }
    }
    return *path == '\0' ? part : NULL;
}

// HEAD is GET without the body, which the transport leaves out.
static bool method_matches(const struct api_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

const char *call_param(const struct api_call *call, const char *name)
{
    for (size_t i = 0; i < call->request->param_count; i++) {
        if (strcmp(call->request->params[i].name, name) == 0) {
            return call->request->params[i].value;
        }
    }
    return NULL;
}

static bool param_is_known(const struct api_route *route, const char *name)
{
    const struct api_param_info *info = route->params;
    while (info->name != NULL && strcmp(info->name, name) != 0) {
        info++;
    }
    return info->name != NULL;
}

static void check_params(const struct api_call *call, const struct api_route *route,
                         struct diags *diags)
{
    const struct place nowhere = {0};
    const struct api_request *request = call->request;
    for (size_t i = 0; i < request->param_count; i++) {
        const char *name = request->params[i].name;
        if (!param_is_known(route, name)) {
            diags_error(diags, nowhere, name, "unknown parameter");
        } else if (call_param(call, name) != request->params[i].value) {
            diags_error(diags, nowhere, name, "given twice");
        }
    }
    for (const struct api_param_info *info = route->params; info->name != NULL; info++) {
        if (info->required && call_param(call, info->name) == NULL) {
            diags_error(diags, nowhere, info->name, "is missing: %s", info->help);
        }
    }
}

static void run_route(struct api_call *call, const struct api_route *route)
{
    if (call->request->role < route->role) {
        call_problem(call, 403, "this takes the role of an operator");
        return;
    }
    struct diags diags = {0};
    unsigned refusal = 0;
    check_params(call, route, &diags);
    if (diags.error_count > 0) {
        call_problem_diags(call, 400, "the parameters are not right", &diags);
    } else if ((refusal = body_read(route, call->request, &call->body, &diags)) != 0) {
        call_problem_diags(call, refusal, "the body is not right", &diags);
    } else {
        route->handle(call);
        json_decref(call->body);
    }
    diags_clear(&diags);
}

static bool path_takes(const char *path, const char *method)
{
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        size_t size;
        if (method_matches(&routes[i], method) &&
            api_pattern_match(routes[i].pattern, path, &size) != NULL) {
            return true;
        }
    }
    return false;
}

// Each method once, although several routes may hold the path: /v1/health/manual is one of its own
// and a {check}, too.
static void refuse_method(struct api_call *call)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    struct api_response response;
    char allow[sizeof(response.allow)] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (path_takes(call->request->path, methods[i])) {
            used += (size_t)snprintf(allow + used, sizeof(allow) - used, "%s%s",
                                     used > 0 ? ", " : "", methods[i]);
            SP_ASSERT(used < sizeof(allow));
        }
    }
    if (used == 0) {
        call_problem(call, 404, "there is nothing here; GET /v1/routes lists what is");
        return;
    }
    api_problem(&response, 405, "the path does not take this method");
    snprintf(response.allow, sizeof(response.allow), "%s", allow);
    call->respond(call->context, &response);
}

void api_handle(const struct api_backend *backend, const struct api_request *request,
                api_respond *respond, void *context)
{
    struct api_call call = {
        .backend = backend, .request = request, .respond = respond, .context = context};
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        call.part = api_pattern_match(routes[i].pattern, request->path, &call.part_size);
        if (call.part != NULL && method_matches(&routes[i], request->method)) {
            run_route(&call, &routes[i]);
            return;
        }
    }
    refuse_method(&call);
}
