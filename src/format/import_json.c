// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON dumps: what the providers' APIs answer, or a bare list. The rows are the first list of
// objects that have a type and a value, wherever it is; a list of values is a row each.
#include "format/import_parts.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

// A scalar as text; NULL when it is none, "" for null.
static const char *scalar_text(struct arena *arena, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return arena_strdup(arena, json_string_value(value));
    case JSON_INTEGER:
        return arena_printf(arena, "%lld", (long long)json_integer_value(value));
    case JSON_REAL:
        return arena_printf(arena, "%g", json_real_value(value));
    case JSON_TRUE:
        return "1";
    case JSON_FALSE:
        return "0";
    case JSON_NULL:
        return "";
    default:
        return NULL;
    }
}

static bool is_row(const json_t *object)
{
    const char *key;
    json_t *value;
    bool type = false, data = false;
    if (!json_is_object(object)) {
        return false;
    }
    json_object_foreach((json_t *)object, key, value)
    {
        enum dump_field field = dump_field_find(key);
        type |= field == DUMP_TYPE;
        data |= field == DUMP_VALUE;
    }
    return type && data;
}

static const json_t *rows_find(const json_t *at, unsigned depth)
{
    const char *key;
    json_t *value;
    if (json_is_array(at) && json_array_size(at) > 0 && is_row(json_array_get(at, 0))) {
        return at;
    }
    if (!json_is_object(at) || depth == DEPTH_MAX) {
        return NULL;
    }
    json_object_foreach((json_t *)at, key, value)
    {
        const json_t *found = rows_find(value, depth + 1);
        if (found) {
            return found;
        }
    }
    return NULL;
}

// Fields of an object; `values` is its list of values, if it has one.
static void object_read(struct dump *dump, const json_t *object, struct dump_row *row,
                        const json_t **values)
{
    const char *key;
    json_t *value;
    *values = NULL;
    json_object_foreach((json_t *)object, key, value)
    {
        enum dump_field field = dump_field_find(key);
        if (field == DUMP_VALUE && json_is_array(value)) {
            *values = value;
        } else if (field < DUMP_FIELD_COUNT && !*row->fields[field]) {
            const char *text = scalar_text(dump->arena, value);
            row->fields[field] = text ? text : "";
        }
    }
}

static void row_read(struct dump *dump, const json_t *object, const char *path, size_t index)
{
    const json_t *values;
    struct dump_row row = {.place = {.file = path}, .set = (unsigned)index};
    snprintf(row.key, sizeof(row.key), "row %zu", index + 1);
    for (size_t i = 0; i < DUMP_FIELD_COUNT; i++) {
        row.fields[i] = "";
    }
    object_read(dump, object, &row, &values);
    if (values == NULL) {
        *dump_row_add(dump) = row;
        return;
    }
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *text = scalar_text(dump->arena, json_array_get(values, i));
        row.fields[DUMP_VALUE] = text ? text : "";
        *dump_row_add(dump) = row;
    }
}

void dump_json_read(struct dump *dump, const char *path, const char *text, size_t size,
                    struct diags *diags)
{
    json_error_t error;
    size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    json_t *document = json_loadb(text + mark, size - mark, JSON_REJECT_DUPLICATES, &error);
    if (document == NULL) {
        diags_error(
            diags,
            (struct place){path, (unsigned)MAX(error.line, 0), (unsigned)MAX(error.column, 0)},
            NULL, "%s", error.text);
        return;
    }
    const json_t *rows = rows_find(document, 0);
    if (rows == NULL) {
        diags_error(diags, (struct place){.file = path}, NULL,
                    "holds no list of records with a type and a value");
    }
    for (size_t i = 0; rows != NULL && i < json_array_size(rows); i++) {
        const json_t *object = json_array_get(rows, i);
        if (json_is_object(object)) {
            row_read(dump, object, path, i);
        } else {
            diags_error(diags, (struct place){.file = path}, NULL, "row %zu is no object", i + 1);
        }
    }
    json_decref(document);
}
