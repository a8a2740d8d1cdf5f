// SPDX-License-Identifier: GPL-3.0-or-later
//
// Routes of health: manual states, doubt, one check in full. Called by routes.c on the control
// thread, after method, role, parameters and body were checked.
#include "api/call.h"

#include "base/time_text.h"
#include "health/manual.h"

#include <string.h>

const struct api_field_info manual_fields[] = {
    {"pattern", API_TEXT, true,
     "Which members: zone/owner/type/pool/value (globs; parts at the end may be left out), or "
     "site:, pool: or value: with a glob"},
    {"state", API_TEXT, true, "up, down or drain"},
    {"why", API_TEXT, false, "What people will ask at three in the morning"},
    {"who", API_TEXT, false, "Who says so"},
    {"from", API_TEXT, false, "When it begins, RFC 3339; at once by default"},
    {"until", API_TEXT, false, "When it ends, RFC 3339; never by default"},
    {"for", API_INTEGER, false, "Seconds from its beginning to its end, instead of `until`"},
    {"weekly", API_BOOLEAN, false, "Whether it comes again every week"},
    {0},
};

const struct api_field_info release_fields[] = {
    {"pattern", API_TEXT, true, "Which members, as in POST /v1/health/manual"}, {0}};

void handle_manual(struct api_call *call)
{
    json_t *list = call->backend->manual(call->backend->state);
    call_json(call, 200, json_pack("{s:o}", "entries", list));
}

static const char *body_text(const struct api_call *call, const char *name)
{
    const char *text = json_string_value(json_object_get(call->body, name));
    return text == NULL ? "" : text;
}

static void read_time(const struct api_call *call, const char *name, int64_t *wall_ns,
                      struct diags *diags)
{
    const char *text = body_text(call, name);
    if (*text != '\0' && !time_text_parse(text, wall_ns)) {
        diags_error(diags, (struct place){0}, name,
                    "expected a time like 2026-11-25T18:00:00Z (RFC 3339)");
    }
}

static void read_state(const struct api_call *call, enum manual_state *state, struct diags *diags)
{
    const char *text = body_text(call, "state");
    for (int i = MANUAL_UP; i < MANUAL_STATE_COUNT; i++) {
        if (strcmp(text, manual_state_names[i]) == 0) {
            *state = (enum manual_state)i;
            return;
        }
    }
    diags_error(diags, (struct place){0}, "state", "expected up, down or drain");
}

static int64_t read_length(const struct api_call *call, struct diags *diags)
{
    const json_t *json = json_object_get(call->body, "for");
    json_int_t seconds = json_integer_value(json);
    const json_int_t max = (json_int_t)3600 * 24 * 3660;
    if (json != NULL && (seconds < 1 || seconds > max)) {
        diags_error(diags, (struct place){0}, "for", "expected 1 to %lld seconds", (long long)max);
    } else if (json != NULL && json_object_get(call->body, "until") != NULL) {
        diags_error(diags, (struct place){0}, "for", "`until` is given too");
    }
    return (int64_t)seconds * NS_PER_SECOND;
}

void handle_manual_set(struct api_call *call)
{
    struct diags diags = {0};
    struct manual_entry entry = {
        .pattern = body_text(call, "pattern"),
        .who = body_text(call, "who"),
        .why = body_text(call, "why"),
        .weekly = json_is_true(json_object_get(call->body, "weekly")),
    };
    read_state(call, &entry.state, &diags);
    read_time(call, "from", &entry.from_ns, &diags);
    read_time(call, "until", &entry.until_ns, &diags);
    int64_t for_ns = read_length(call, &diags);
    json_t *json = NULL;
    if (diags.error_count == 0) {
        json = call->backend->manual_set(call->backend->state, &entry, for_ns, &diags);
    }
    if (json == NULL) {
        call_problem_diags(call, 422, "nothing was set", &diags);
    } else {
        call_json(call, 201, json);
    }
    diags_clear(&diags);
}

void handle_manual_clear(struct api_call *call)
{
    struct diags diags = {0};
    size_t removed = 0;
    bool saved = call->backend->manual_clear(call->backend->state, call_param(call, "pattern"),
                                             &removed, &diags);
    if (!saved) {
        call_problem_diags(call, 500, "cleared, but not on disk yet: a restart now brings it back",
                           &diags);
    } else if (removed == 0) {
        call_problem(call, 404,
                     "no entry has exactly this pattern; GET /v1/health/manual lists "
                     "all");
    } else {
        call_json(call, 200, json_pack("{s:I}", "cleared", (json_int_t)removed));
    }
    diags_clear(&diags);
}

void handle_health_release(struct api_call *call)
{
    struct diags diags = {0};
    size_t released = 0;
    if (call->backend->health_release(call->backend->state, body_text(call, "pattern"), &released,
                                      &diags)) {
        call_json(call, 200, json_pack("{s:I}", "released", (json_int_t)released));
    } else {
        call_problem_diags(call, 422, "nothing was released", &diags);
    }
    diags_clear(&diags);
}

void handle_health_trust(struct api_call *call)
{
    if (call->backend->health_trust(call->backend->state)) {
        call_json(call, 200, json_pack("{s:b}", "trusted", 1));
    } else {
        call_problem(call, 409, "the checker does not doubt itself");
    }
}

// A client that comes back says in the header what it has seen since it first asked.
void handle_events(struct api_call *call)
{
    const char *header = call->request->last_event_id;
    const char *after = header != NULL ? header : call_param(call, "after");
    char *end = NULL;
    unsigned long long id = after == NULL ? 0 : strtoull(after, &end, 10);
    if (after != NULL && (*end != '\0' || *after < '0' || *after > '9')) {
        call_problem(call, 400,
                     header != NULL ? "Last-Event-ID: expected the id of an event"
                                    : "after: expected the id of an event");
        return;
    }
    struct api_stream *stream = call->backend->events(call->backend->state, id);
    if (stream == NULL) {
        call_problem(call, 503, "too many clients follow the events");
        return;
    }
    struct api_response response = {
        .status = 200, .content_type = "text/event-stream", .stream = stream};
    call->respond(call->context, &response);
}

void handle_health_check(struct api_call *call)
{
    char text[16], *end;
    long index = -1;
    if (call->part_size < sizeof(text)) {
        memcpy(text, call->part, call->part_size);
        text[call->part_size] = '\0';
        index = strtol(text, &end, 10);
        index = *end == '\0' && text[0] >= '0' && text[0] <= '9' ? index : -1;
    }
    json_t *json = index < 0 || index > INT32_MAX
                       ? NULL
                       : call->backend->health_check(call->backend->state, (int)index);
    if (json == NULL) {
        call_problem(call, 404, "there is no check of this number");
    } else {
        call_json(call, 200, json);
    }
}
