// SPDX-License-Identifier: GPL-3.0-or-later
//
// What most routes do (those of health, steering and /metrics have files of their own): each
// handler answers its call once. Called by routes.c on the control thread, after method, role,
// parameters and body were checked.
#include "api/call.h"

#include "base/memory.h"
#include "dns/name.h"
#include "dns/types.h"

#include <string.h>

void handle_status(struct api_call *call)
{
    call_json(call, 200, call->backend->status(call->backend->state));
}

void handle_zones(struct api_call *call)
{
    json_t *zones = call->backend->zones(call->backend->state);
    call_json(call, 200, json_pack("{s:o}", "zones", zones));
}

// The zone's own entry of the list. Names are compared as names: case and final dot do not count.
static json_t *zone_find_json(json_t *zones, const uint8_t *apex)
{
    size_t index;
    json_t *zone;
    json_array_foreach(zones, index, zone)
    {
        uint8_t name[NAME_MAX_SIZE];
        const char *text = json_string_value(json_object_get(zone, "name"));
        if (text != NULL && name_parse(text, NULL, name, NULL) > 0 && name_equal(name, apex)) {
            return zone;
        }
    }
    return NULL;
}

void handle_zone(struct api_call *call)
{
    uint8_t apex[NAME_MAX_SIZE];
    char *text = mem_copy(call->part, call->part_size + 1);
    text[call->part_size] = '\0';
    bool valid = name_parse(text, NULL, apex, NULL) > 0;
    free(text);
    json_t *all = call->backend->zones(call->backend->state);
    json_t *zone = valid ? zone_find_json(all, apex) : NULL;
    if (zone == NULL) {
        call_problem(call, 404, "no zone of this name is served");
    } else {
        call_json(call, 200, json_incref(zone));
    }
    json_decref(all);
}

void handle_health(struct api_call *call)
{
    json_t *checks = call->backend->health(call->backend->state);
    json_t *doubt = call->backend->doubt(call->backend->state);
    call_json(call, 200, json_pack("{s:o, s:o}", "doubt", doubt, "checks", checks));
}

void handle_explain(struct api_call *call)
{
    const struct place nowhere = {0};
    const char *reason = NULL, *error = NULL;
    const char *type_text = call_param(call, "type");
    uint8_t name[NAME_MAX_SIZE];
    uint16_t type = TYPE_A;
    struct address client;
    struct diags diags = {0};
    if (name_parse(call_param(call, "name"), NULL, name, &reason) == 0) {
        diags_error(&diags, nowhere, "name", "is no domain name: %s", reason);
    }
    if (type_text != NULL && !rr_type_parse(type_text, &type)) {
        diags_error(&diags, nowhere, "type", "is no record type: expected one like A or TYPE65280");
    }
    if (!address_parse(call_param(call, "client"), &client)) {
        diags_error(&diags, nowhere, "client", "\"%.60s\" is no address: expected IPv4 or IPv6",
                    call_param(call, "client"));
    }
    if (diags.error_count > 0) {
        call_problem_diags(call, 400, "the parameters are not right", &diags);
        diags_clear(&diags);
        return;
    }
    json_t *json = call->backend->explain(call->backend->state, name, type, &client, &error);
    if (json == NULL) {
        call_problem(call, 404, error);
    } else {
        call_json(call, 200, json);
    }
}

void handle_lint(struct api_call *call)
{
    uint8_t apex[NAME_MAX_SIZE];
    const char *zone = call_param(call, "zone");
    bool valid = zone == NULL || name_parse(zone, NULL, apex, NULL) > 0;
    json_t *json = valid ? call->backend->lint(call->backend->state, zone ? apex : NULL) : NULL;
    if (json == NULL) {
        call_problem(call, 404, "no zone of this name is served");
    } else {
        call_json(call, 200, json);
    }
}

void handle_simulate(struct api_call *call)
{
    struct diags faults = {0};
    json_t *json = call->backend->simulate(call->backend->state, call->body, &faults);
    if (json == NULL) {
        call_problem_diags(call, 422, "there is nothing to simulate", &faults);
    } else {
        call_json(call, 200, json);
    }
    diags_clear(&faults);
}

static void reload_done(void *context, const struct api_reload_result *result)
{
    struct api_call call = later_call(context);
    if (result->stopping) {
        call_problem(&call, 503, "the server is stopping");
    } else if (!result->taken) {
        call_problem_diags(&call, 422, "the files have errors; the old data keeps serving",
                           result->diags);
    } else {
        json_t *json = json_object();
        json_object_set_new(json, "generation", json_integer((json_int_t)result->generation));
        json_object_set_new(json, "warnings", diags_json(result->diags, SEVERITY_WARNING));
        call_json(&call, 200, json);
    }
}

void handle_reload(struct api_call *call)
{
    call->backend->reload(call->backend->state, reload_done, call_later(call));
}

void handle_geo_update(struct api_call *call)
{
    const char *text = call_param(call, "force");
    bool force = text != NULL && strcmp(text, "true") == 0;
    if (text != NULL && !force && strcmp(text, "false") != 0) {
        call_problem(call, 400, "force is true or false");
        return;
    }
    call->backend->geo_update(call->backend->state, force, reload_done, call_later(call));
}

void handle_geo(struct api_call *call)
{
    call_json(call, 200, call->backend->geo(call->backend->state));
}

void handle_geo_locate(struct api_call *call)
{
    struct address address;
    if (!address_parse(call_param(call, "address"), &address)) {
        call_problem(call, 400, "the address is neither IPv4 nor IPv6");
        return;
    }
    json_t *json = call->backend->locate(call->backend->state, &address);
    if (json == NULL) {
        call_problem(call, 503, "nothing is loaded yet");
    } else {
        call_json(call, 200, json);
    }
}

static json_t *fields_json(const struct api_field_info *fields)
{
    json_t *list = json_array();
    for (; fields != NULL && fields->name != NULL; fields++) {
        json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s}", "name", fields->name, "type",
                                              api_field_type_names[fields->type], "required",
                                              (int)fields->required, "help", fields->help));
    }
    return list;
}

static json_t *params_json(const struct api_param_info *params)
{
    json_t *list = json_array();
    for (; params->name != NULL; params++) {
        json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", params->name, "required",
                                              (int)params->required, "help", params->help));
    }
    return list;
}

void handle_routes(struct api_call *call)
{
    json_t *list = json_array();
    for (size_t i = 0; i < api_route_count(); i++) {
        const struct api_route *route = api_route(i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "method",
                                              route->method, "path", route->pattern, "role",
                                              api_role_names[route->role], "summary",
                                              route->summary, "params", params_json(route->params),
                                              "body", fields_json(route->body)));
    }
    call_json(call, 200, json_pack("{s:o}", "routes", list));
}
