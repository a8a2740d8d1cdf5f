// SPDX-License-Identifier: GPL-3.0-or-later
//
// Routes of health: one probe now, and heartbeats. Called as those of api/health.c.
#include "api/call.h"

#include <math.h>
#include <string.h>

enum { BEAT_TTL_MAX_S = 86400 };

const struct api_field_info test_fields[] = {
    {"check", API_INTEGER, true, "Number of the check, as GET /v1/health shows it"}, {0}};

const struct api_field_info beat_fields[] = {
    {"name", API_TEXT, true, "As the check says it"},
    {"state", API_TEXT, false, "up (the default) or down"},
    {"ttl", API_INTEGER, false, "Seconds that it is good for, instead of what the check says"},
    {"load", API_NUMBER, false, "The load of the member"},
    {"detail", API_TEXT, false, "One line for people"},
    {0},
};

static void put_ms(json_t *json, const char *name, int64_t ns)
{
    if (ns > 0) {
        json_object_set_new(json, name, json_real((double)ns / 1e6));
    }
}

static void test_done(void *context, const struct probe_result *result)
{
    struct api_call call = later_call(context);
    if (result == NULL) {
        call_problem(&call, 503, "the server is stopping");
        return;
    }
    const struct probe_reason_info *reason = &probe_reasons[result->reason];
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:b}", "result", reason->name, "counts_as",
                             verdict_names[reason->verdict], "meaning", reason->help, "detail",
                             text_json(result->detail), "warning", (int)result->warning);
    put_ms(json, "connect_ms", result->connect_ns);
    put_ms(json, "tls_ms", result->tls_ns);
    put_ms(json, "first_byte_ms", result->first_byte_ns);
    put_ms(json, "total_ms", result->total_ns);
    if (result->has_certificate) {
        json_object_set_new(json, "certificate_days", json_integer(result->certificate_days));
    }
    if (result->has_load) {
        json_object_set_new(json, "load", json_real(result->load));
    }
    call_json(&call, 200, json);
}

void handle_health_test(struct api_call *call)
{
    json_int_t check = json_integer_value(json_object_get(call->body, "check"));
    struct later *later = call_later(call);
    if (check < 0 || check > INT32_MAX ||
        !call->backend->health_test(call->backend->state, (int)check, test_done, later)) {
        struct api_call now = later_call(later);
        call_problem(&now, 404,
                     "there is no check of this number, or none that makes probes (heartbeats and "
                     "expressions do not)");
    }
}

static bool is_printable(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text >= 0x7f) {
            return false;
        }
    }
    return true;
}

static void beat_check(const struct api_call *call, struct beat *beat, struct diags *diags)
{
    const struct place nowhere = {0};
    const char *state = json_string_value(json_object_get(call->body, "state"));
    const json_t *ttl = json_object_get(call->body, "ttl");
    json_int_t seconds = json_integer_value(ttl);
    beat->down = state != NULL && strcmp(state, "down") == 0;
    if (state != NULL && !beat->down && strcmp(state, "up") != 0) {
        diags_error(diags, nowhere, "state", "expected up or down");
    }
    if (ttl != NULL && (seconds < 1 || seconds > BEAT_TTL_MAX_S)) {
        diags_error(diags, nowhere, "ttl", "expected 1 to %d seconds", BEAT_TTL_MAX_S);
    } else {
        beat->ttl_ns = (int64_t)seconds * NS_PER_SECOND;
    }
    if (beat->has_load && !(isfinite(beat->load) && beat->load >= 0)) {
        diags_error(diags, nowhere, "load", "expected a number from 0");
    }
    if (beat->detail != NULL && !is_printable(beat->detail)) {
        diags_error(diags, nowhere, "detail", "expected printable ASCII");
    }
}

void handle_health_beat(struct api_call *call)
{
    struct diags diags = {0};
    const json_t *load = json_object_get(call->body, "load");
    const char *name = json_string_value(json_object_get(call->body, "name"));
    struct beat beat = {
        .has_load = load != NULL,
        .load = json_number_value(load),
        .detail = json_string_value(json_object_get(call->body, "detail")),
    };
    beat_check(call, &beat, &diags);
    if (diags.error_count > 0) {
        call_problem_diags(call, 422, "nothing was taken", &diags);
    } else if (!call->backend->health_beat(call->backend->state, name, &beat)) {
        call_problem(call, 404, "no check waits for a heartbeat of this name");
    } else {
        call_json(call, 200, json_pack("{s:s}", "name", name));
    }
    diags_clear(&diags);
}
