// SPDX-License-Identifier: GPL-3.0-or-later
//
// Request bodies: from bytes to a JSON object whose members are those of the route's table.
//
// Called by routes.c before the handler, on the control thread. Bytes from outside: every fault is
// a value with the member's name, or the line and column, and all faults of the members are
// reported.
#include "api/call.h"

#include <string.h>
#include <strings.h>

const char *const api_field_type_names[API_FIELD_TYPE_COUNT] = {
    [API_TEXT] = "a text",           [API_INTEGER] = "an integer",    [API_NUMBER] = "a number",
    [API_BOOLEAN] = "true or false", [API_TEXTS] = "a list of texts", [API_LIST] = "a list",
    [API_OBJECT] = "an object",      [API_ANY] = "any value",
};

// application/json, with any parameters.
static bool is_json_type(const char *type)
{
    static const char json[] = "application/json";
    if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0) {
        return false;
    }
    const char *rest = type + sizeof(json) - 1;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

// The parser would recurse a thousand times before it minds, and other code walks the tree as well.
static bool is_too_deep(const char *bytes, size_t size)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = bytes[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            if (++depth > API_BODY_DEPTH_MAX) {
                return true;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static bool has_type(const json_t *value, enum api_field_type type)
{
    switch (type) {
    case API_TEXT:
        return json_is_string(value);
    case API_INTEGER:
        return json_is_integer(value);
    case API_NUMBER:
        return json_is_number(value);
    case API_BOOLEAN:
        return json_is_boolean(value);
    case API_OBJECT:
        return json_is_object(value);
    case API_TEXTS:
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (!json_is_string(json_array_get(value, i))) {
                return false;
            }
        }
        return json_is_array(value);
    case API_LIST:
        return json_is_array(value);
    default:
        return true;
    }
}

static const struct api_field_info *field_find(const struct api_field_info *fields,
                                               const char *name)
{
    for (; fields->name != NULL; fields++) {
        if (strcmp(fields->name, name) == 0 || strcmp(fields->name, "*") == 0) {
            return fields;
        }
    }
    return NULL;
}

static void check_fields(const struct api_field_info *fields, json_t *body, struct diags *diags)
{
    const struct place nowhere = {0};
    const char *name;
    json_t *value;
    json_object_foreach(body, name, value)
    {
        const struct api_field_info *field = field_find(fields, name);
        if (field == NULL) {
            diags_error(diags, nowhere, name, "unknown member");
        } else if (!has_type(value, field->type)) {
            diags_error(diags, nowhere, name, "expected %s: %s", api_field_type_names[field->type],
                        field->help);
        }
    }
    for (const struct api_field_info *field = fields; field->name != NULL; field++) {
        if (field->required && json_object_get(body, field->name) == NULL) {
            diags_error(diags, nowhere, field->name, "is missing: %s", field->help);
        }
    }
}

static json_t *parse(const struct api_request *request, struct diags *diags)
{
    json_error_t error;
    if (is_too_deep(request->body, request->body_size)) {
        diags_error(diags, (struct place){0}, NULL, "nested deeper than %d levels",
                    API_BODY_DEPTH_MAX);
        return NULL;
    }
    json_t *body = json_loadb(request->body, request->body_size, JSON_REJECT_DUPLICATES, &error);
    if (body == NULL) {
        struct place place = {NULL, (unsigned)MAX(error.line, 0), (unsigned)MAX(error.column, 0)};
        diags_error(diags, place, NULL, "no JSON: %s", error.text);
    } else if (!json_is_object(body)) {
        diags_error(diags, (struct place){0}, NULL, "expected a JSON object");
        json_decref(body);
        body = NULL;
    }
    return body;
}

unsigned body_read(const struct api_route *route, const struct api_request *request, json_t **body,
                   struct diags *diags)
{
    const struct place nowhere = {0};
    *body = NULL;
    if (route->body == NULL) {
        if (request->body_size > 0) {
            diags_error(diags, nowhere, NULL, "this route takes no body");
        }
        return diags->error_count > 0 ? 400 : 0;
    }
    if (request->body_size == 0) {
        *body = json_object();
    } else if (!is_json_type(request->content_type)) {
        diags_error(diags, nowhere, "Content-Type", "expected application/json");
        return 415;
    } else {
        *body = parse(request, diags);
    }
    if (*body != NULL) {
        check_fields(route->body, *body, diags);
    }
    if (diags->error_count == 0) {
        return 0;
    }
    json_decref(*body);
    *body = NULL;
    return 400;
}
