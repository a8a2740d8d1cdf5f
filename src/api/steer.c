// SPDX-License-Identifier: GPL-3.0-or-later
//
// Steering over the API: ramps, loads and round trips.
//
// Called by routes.c on the control thread, after the route's table was held against the request.
// Lists are taken whole or not at all: each entry is looked at before the first one counts.
#include "api/call.h"
#include "zone/policy.h"

#include <stdio.h>
#include <string.h>

void handle_ramps(struct api_call *call)
{
    json_t *ramps = call->backend->ramps(call->backend->state);
    call_json(call, 200, json_pack("{s:o}", "ramps", ramps));
}

static void ramp_set(struct api_call *call, const char *mode)
{
    const char *ramp = call_param(call, "ramp");
    struct diags diags = {0};
    if (!call->backend->ramp_set(call->backend->state, ramp, mode, &diags)) {
        call_problem(call, 404, "there is no ramp of this name; GET /v1/ramps lists them");
    } else if (diags.error_count > 0) {
        call_problem_diags(call, 500, "done, but not on disk yet: a restart now undoes it", &diags);
    } else {
        handle_ramps(call);
    }
    diags_clear(&diags);
}

void handle_ramp_hold(struct api_call *call)
{
    ramp_set(call, "held");
}

void handle_ramp_resume(struct api_call *call)
{
    ramp_set(call, "running");
}

void handle_ramp_abort(struct api_call *call)
{
    ramp_set(call, "aborted");
}

// --- loads

const struct api_field_info loads_fields[] = {
    {"loads", API_LIST, true,
     "Objects of `load`, a number from 0, and either `value` (of a member, as it is written) or "
     "`site`"},
    {0},
};

void handle_loads(struct api_call *call)
{
    call_json(call, 200, json_pack("{s:o}", "loads", call->backend->loads(call->backend->state)));
}

// The name that a report is for; NULL after a fault.
static const char *report_name(const json_t *report, size_t index, bool *is_site, double *load,
                               struct diags *diags)
{
    char key[32];
    snprintf(key, sizeof(key), "loads[%zu]", index);
    const char *value = json_string_value(json_object_get(report, "value"));
    const char *site = json_string_value(json_object_get(report, "site"));
    const json_t *number = json_object_get(report, "load");
    if ((value == NULL) == (site == NULL)) {
        diags_error(diags, (struct place){0}, key, "expected either a value or a site");
        return NULL;
    }
    if (strlen(value ? value : site) > LOAD_NAME_MAX_CHARS) {
        diags_error(diags, (struct place){0}, key, "expected a name of at most %d octets",
                    LOAD_NAME_MAX_CHARS);
        return NULL;
    }
    *load = json_number_value(number);
    if (!json_is_number(number) || *load < 0) {
        diags_error(diags, (struct place){0}, key, "expected a load from 0");
        return NULL;
    }
    *is_site = site != NULL;
    return site ? site : value;
}

void handle_loads_report(struct api_call *call)
{
    const json_t *list = json_object_get(call->body, "loads"), *report;
    struct diags diags = {0};
    size_t index, taken = 0;
    bool is_site = false;
    double load = 0;
    json_array_foreach(list, index, report)
    {
        report_name(report, index, &is_site, &load, &diags);
    }
    if (diags.error_count > 0) {
        call_problem_diags(call, 422, "nothing was taken", &diags);
        diags_clear(&diags);
        return;
    }
    json_array_foreach(list, index, report)
    {
        const char *name = report_name(report, index, &is_site, &load, &diags);
        taken +=
            name != NULL && call->backend->load_report(call->backend->state, name, is_site, load);
    }
    call_json(call, 200, json_pack("{s:I}", "taken", (json_int_t)taken));
}

// --- round trips

const struct api_field_info rtt_fields[] = {
    {"samples", API_LIST, true,
     "Objects of `client`, an address; `site` or `value` (of a member without a site); `ms`; and "
     "how many `count` stands for, 1 by default"},
    {0},
};

void handle_rtt(struct api_call *call)
{
    call_json(call, 200, call->backend->rtt(call->backend->state));
}

struct rtt_sample {
    struct address client;
    const char *place;
    double ms;
    json_int_t count;
};

// NULL, or what is wrong with the sample.
static const char *sample_read(const json_t *json, struct rtt_sample *sample)
{
    const char *client = json_string_value(json_object_get(json, "client"));
    const char *site = json_string_value(json_object_get(json, "site"));
    const char *value = json_string_value(json_object_get(json, "value"));
    const json_t *count = json_object_get(json, "count");
    sample->place = site ? site : value;
    sample->ms = json_number_value(json_object_get(json, "ms"));
    sample->count = count ? json_integer_value(count) : 1;
    if (client == NULL || !address_parse(client, &sample->client)) {
        return "client: expected an address";
    }
    if ((site == NULL) == (value == NULL)) {
        return "expected either a site or a value";
    }
    if (!(sample->ms > 0 && sample->ms < 60000)) {
        return "ms: expected a number above 0 and below 60000";
    }
    return sample->count < 1 || sample->count > 1000000 ? "count: expected 1 to 1000000" : NULL;
}

void handle_rtt_report(struct api_call *call)
{
    const json_t *list = json_object_get(call->body, "samples"), *json;
    struct diags diags = {0};
    struct rtt_sample sample;
    size_t index, taken = 0;
    json_array_foreach(list, index, json)
    {
        char key[32];
        const char *fault = sample_read(json, &sample);
        snprintf(key, sizeof(key), "samples[%zu]", index);
        if (fault != NULL) {
            diags_error(&diags, (struct place){0}, key, "%s", fault);
        }
    }
    if (diags.error_count > 0) {
        call_problem_diags(call, 422, "nothing was taken", &diags);
        diags_clear(&diags);
        return;
    }
    json_array_foreach(list, index, json)
    {
        sample_read(json, &sample); // sound, as was seen above
        taken += call->backend->rtt_report(call->backend->state, &sample.client, sample.place,
                                           sample.ms, (unsigned)sample.count);
    }
    call_json(call, 200, json_pack("{s:I}", "taken", (json_int_t)taken));
}
