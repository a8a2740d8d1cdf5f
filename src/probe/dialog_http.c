// SPDX-License-Identifier: GPL-3.0-or-later
//
// http and https: one request, one response, and what it must be. The response is read by
// http_response.c; here is what is asked and how the answer is judged.
#include "probe/dialog.h"

#include "base/memory.h"
#include "probe/http_response.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { REQUEST_MAX = 8192 };

static bool headers_name(const char *headers, const char *name)
{
    size_t size = strlen(name);
    while (headers && *headers) {
        if (strncasecmp(headers, name, size) == 0 && headers[size] == ':') {
            return true;
        }
        headers = strchr(headers, '\n') + 1; // each line has its end: check_headers
    }
    return false;
}

static void put(struct dialog *dialog, const char *text)
{
    octets_put(&dialog->out, text, strlen(text));
}

static void headers_put(struct dialog *dialog, const char *headers)
{
    while (headers && *headers) {
        size_t size = strcspn(headers, "\n");
        octets_put(&dialog->out, headers, size);
        put(dialog, "\r\n");
        headers += size + 1;
    }
}

static void http_begin(struct dialog *dialog)
{
    const struct check_spec *spec = dialog->recipe->spec;
    const char *method = spec->method ? spec->method : "GET";
    struct http_response *response = mem_alloc(sizeof(*response));
    response->no_body = strcmp(method, "HEAD") == 0;
    response->keep_body = recipe_expects(dialog->recipe) || spec->load_json;
    response->limit = spec->limit ? spec->limit : CHECK_LIMIT_DEFAULT;
    response->wanted = dialog->recipe->wanted_header;
    dialog->state = response;
    dialog->out.limit = REQUEST_MAX;
    put(dialog, method);
    put(dialog, " ");
    put(dialog, dialog->path);
    put(dialog, " HTTP/1.1\r\nHost: ");
    put(dialog, dialog->authority);
    put(dialog, "\r\n");
    if (!headers_name(spec->headers, "user-agent")) {
        put(dialog, "User-Agent: signpost/" SIGNPOST_VERSION "\r\n");
    }
    if (!headers_name(spec->headers, "accept")) {
        put(dialog, "Accept: */*\r\n");
    }
    if (strcmp(method, "POST") == 0) {
        put(dialog, "Content-Length: 0\r\n");
    }
    headers_put(dialog, spec->headers);
    put(dialog, "Connection: close\r\n\r\n");
}

// --- load ---

// One step of the way: a key of an object or an index of a list. `step` is not terminated.
static const json_t *json_step(const json_t *at, const char *step, size_t size)
{
    if (json_is_array(at)) {
        size_t index = 0;
        for (size_t i = 0; i < size; i++) {
            if (step[i] < '0' || step[i] > '9' || index > 1000000) {
                return NULL;
            }
            index = index * 10 + (size_t)(step[i] - '0');
        }
        return size > 0 ? json_array_get(at, index) : NULL;
    }
    char key[257];
    if (!json_is_object(at) || size >= sizeof(key)) {
        return NULL;
    }
    memcpy(key, step, size);
    key[size] = '\0';
    return json_object_get(at, key);
}

static bool load_take(struct probe_result *result, double load)
{
    result->has_load = isfinite(load) && load >= 0;
    result->load = result->has_load ? load : 0;
    return result->has_load;
}

static bool load_of_text(struct probe_result *result, const char *text)
{
    char *end;
    size_t plain = strspn(text, "0123456789.eE+-"); // no hexadecimal, no "inf"
    double load = strtod(text, &end);
    return plain > 0 && text[plain] == '\0' && *end == '\0' && load_take(result, load);
}

static bool load_of_json(struct probe_result *result, const struct octets *body, const char *way)
{
    json_t *root = json_loadb((const char *)body->at, body->count, JSON_DECODE_ANY, NULL);
    const json_t *at = root;
    while (at && *way) {
        size_t size = strcspn(way, ".");
        at = json_step(at, way, size);
        way += size + (way[size] == '.');
    }
    bool good = (json_is_number(at) && load_take(result, json_number_value(at))) ||
                (json_is_string(at) && load_of_text(result, json_string_value(at)));
    json_decref(root);
    return good;
}

static bool load_good(const struct dialog *dialog, const struct http_response *response)
{
    const struct check_spec *spec = dialog->recipe->spec;
    if (spec->load_header) {
        return response->has_value && load_of_text(dialog->result, response->value);
    }
    return spec->load_json == NULL ||
           (response->body.at && load_of_json(dialog->result, &response->body, spec->load_json));
}

// --- the verdict ---

static void judge(struct dialog *dialog, struct http_response *response)
{
    const struct recipe *recipe = dialog->recipe;
    bool redirect = response->status >= 300 && response->status < 400 && response->has_location;
    if (redirect && recipe->spec->redirects > 0) {
        dialog->location = response->location;
    }
    if (!check_statuses_hold(&recipe->statuses, response->status)) {
        dialog_end(dialog, PROBE_L7_STATUS, "HTTP %u", response->status);
    } else if (!recipe_matches(recipe, (const char *)response->body.at, response->body.count)) {
        dialog_end(dialog, PROBE_L7_CONTENT,
                   "HTTP %u, the first %zu octets of the body do not hold what is expected",
                   response->status, response->body.count);
    } else if (!load_good(dialog, response)) {
        dialog_end(dialog, PROBE_L7_CONTENT, "HTTP %u without a load that is a number",
                   response->status);
    } else {
        dialog_end(dialog, PROBE_OK, "HTTP %u", response->status);
    }
}

static void http_progressed(struct dialog *dialog, enum http_progress progress, bool closed)
{
    struct http_response *response = dialog->state;
    switch (progress) {
    case HTTP_COMPLETE:
    case HTTP_ENOUGH:
        judge(dialog, response);
        break;
    case HTTP_INVALID:
        dialog_end(dialog, PROBE_L7_INVALID, "%s", response->fault);
        break;
    case HTTP_MORE:
        if (closed) {
            dialog_end(dialog, PROBE_L7_CLOSED, "closed %s",
                       response->status ? "before the response was complete"
                                        : "before a response came");
        }
        break;
    }
}

static void http_feed(struct dialog *dialog, const uint8_t *octets, size_t count)
{
    http_progressed(dialog, http_response_feed(dialog->state, octets, count), false);
}

static void http_closed(struct dialog *dialog)
{
    http_progressed(dialog, http_response_closed(dialog->state), true);
}

static void http_forget(struct dialog *dialog)
{
    if (dialog->state) {
        http_response_free(dialog->state);
    }
    free(dialog->state);
}

const struct dialog_kind dialog_http = {
    .missing = "complete answer",
    .begin = http_begin,
    .feed = http_feed,
    .closed = http_closed,
    .forget = http_forget,
};
