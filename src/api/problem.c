// SPDX-License-Identifier: GPL-3.0-or-later
//
// Responses: JSON bodies, and errors as RFC 9457 problems, at once or later. Used by the handlers
// and by transports; control thread.
#include "api/call.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static const char *status_title(unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Internal Server Error";
}

json_t *text_json(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL) {
        return string;
    }
    char *ascii = mem_strdup(text);
    for (char *at = ascii; *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
    string = json_string(ascii);
    free(ascii);
    return string;
}

static json_t *diag_json(const struct diag *diag)
{
    json_t *json = json_object();
    if (diag->file != NULL) {
        json_object_set_new(json, "file", text_json(diag->file));
    }
    if (diag->line > 0) {
        json_object_set_new(json, "line", json_integer(diag->line));
    }
    if (diag->column > 0) {
        json_object_set_new(json, "column", json_integer(diag->column));
    }
    if (diag->key != NULL) {
        json_object_set_new(json, "key", text_json(diag->key));
    }
    json_object_set_new(json, "message", text_json(diag->message));
    return json;
}

json_t *diags_json(const struct diags *diags, enum severity severity)
{
    json_t *list = json_array();
    for (size_t i = 0; i < diags->count; i++) {
        if (diags->items[i].severity == severity) {
            json_array_append_new(list, diag_json(&diags->items[i]));
        }
    }
    return list;
}

json_t *findings_json(const struct diags *findings)
{
    json_t *list = json_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct diag *finding = &findings->items[i];
        json_t *json = diag_json(finding);
        json_object_set_new(json, "severity", json_string(severity_names[finding->severity]));
        json_object_set_new(json, "id", json_string(finding->id));
        json_object_set_new(json, "fix", json_string(finding->fix));
        json_array_append_new(list, json);
    }
    return list;
}

json_t *problem_json(unsigned status, const char *detail)
{
    json_t *json = json_object();
    json_object_set_new(json, "type", json_string("about:blank"));
    json_object_set_new(json, "title", json_string(status_title(status)));
    json_object_set_new(json, "status", json_integer(status));
    json_object_set_new(json, "detail", text_json(detail));
    return json;
}

void response_json(struct api_response *response, unsigned status, const char *content_type,
                   json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    SP_ASSERT(text != NULL); // only memory could be missing
    json_decref(json);
    size_t size = strlen(text);
    text[size] = '\n'; // in place of the NUL: the size says where it ends
    *response = (struct api_response){
        .status = status, .content_type = content_type, .body = text, .body_size = size + 1};
}

void api_problem(struct api_response *response, unsigned status, const char *detail)
{
    response_json(response, status, "application/problem+json", problem_json(status, detail));
}

void call_json(struct api_call *call, unsigned status, json_t *json)
{
    struct api_response response;
    response_json(&response, status, "application/json", json);
    call->respond(call->context, &response);
}

void call_text(struct api_call *call, const char *content_type, char *text, size_t size)
{
    struct api_response response = {
        .status = 200, .content_type = content_type, .body = text, .body_size = size};
    call->respond(call->context, &response);
}

void call_problem(struct api_call *call, unsigned status, const char *detail)
{
    struct api_response response;
    api_problem(&response, status, detail);
    call->respond(call->context, &response);
}

struct later *call_later(const struct api_call *call)
{
    const struct later later = {call->respond, call->context};
    return mem_copy(&later, sizeof(later));
}

struct api_call later_call(struct later *later)
{
    const struct api_call call = {.respond = later->respond, .context = later->context};
    free(later);
    return call;
}

void call_problem_diags(struct api_call *call, unsigned status, const char *detail,
                        const struct diags *diags)
{
    json_t *json = problem_json(status, detail);
    json_object_set_new(json, "errors", diags_json(diags, SEVERITY_ERROR));
    if (diags->warning_count > 0) {
        json_object_set_new(json, "warnings", diags_json(diags, SEVERITY_WARNING));
    }
    struct api_response response;
    response_json(&response, status, "application/problem+json", json);
    call->respond(call->context, &response);
}
