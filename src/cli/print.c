// SPDX-License-Identifier: GPL-3.0-or-later
//
// Prints any JSON that the API gives as text for people: it follows the shape, so that a field that
// the server gains is shown without a change here. Used by the commands; main thread.
#include "cli/print.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS_MAX = 24 };

// Bytes of UTF-8 that begin a character: what a terminal counts.
static int text_width(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

// Octets of what would be no character but an order to the terminal (C0, DEL, and C1 in UTF-8); 0:
// an ordinary character begins or goes on here.
static size_t control_size(const char *at)
{
    unsigned char c = (unsigned char)at[0], next = (unsigned char)at[1];
    return c < 0x20 || c == 0x7f ? 1 : c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

// Ends the text in "...", on a character that is whole.
static void text_cut(char text[TEXT_PLAIN_MAX])
{
    static const char dots[] = "...";
    size_t at = TEXT_PLAIN_MAX - sizeof(dots);
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) {
        at--;
    }
    memcpy(text + at, dots, sizeof(dots));
}

const char *text_plain(const char *from, char text[TEXT_PLAIN_MAX])
{
    size_t used = 0;
    while (*from != '\0' && used + 1 < TEXT_PLAIN_MAX) {
        size_t control = control_size(from);
        text[used++] = control > 0 ? ' ' : *from;
        from += MAX(control, (size_t)1);
    }
    text[used] = '\0';
    if (*from != '\0') {
        text_cut(text);
    }
    return text;
}

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static bool is_plain(const json_t *json)
{
    size_t i;
    json_t *item;
    if (!json_is_array(json)) {
        return !json_is_object(json);
    }
    json_array_foreach(json, i, item)
    {
        if (json_is_object(item) || json_is_array(item)) {
            return false;
        }
    }
    return true;
}

static void format_cell(const json_t *json, char text[TEXT_PLAIN_MAX]);

static void format_list(const json_t *list, char text[TEXT_PLAIN_MAX])
{
    size_t used = 0, i;
    json_t *item;
    snprintf(text, TEXT_PLAIN_MAX, "-");
    json_array_foreach(list, i, item)
    {
        char one[TEXT_PLAIN_MAX];
        format_cell(item, one);
        int wrote = snprintf(text + used, TEXT_PLAIN_MAX - used, "%s%s", i > 0 ? ", " : "", one);
        used += (size_t)wrote;
        if (used >= TEXT_PLAIN_MAX) {
            text_cut(text);
            return;
        }
    }
}

static void format_cell(const json_t *json, char text[TEXT_PLAIN_MAX])
{
    switch (json_typeof(json)) {
    case JSON_STRING:
        text_plain(json_string_value(json), text);
        break;
    case JSON_INTEGER:
        snprintf(text, TEXT_PLAIN_MAX, "%lld", (long long)json_integer_value(json));
        break;
    case JSON_REAL:
        snprintf(text, TEXT_PLAIN_MAX, "%.4g", json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(text, TEXT_PLAIN_MAX, "%s", json_is_true(json) ? "yes" : "no");
        break;
    case JSON_ARRAY:
        format_list(json, text);
        break;
    case JSON_OBJECT: {
        char *compact = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15));
        text_plain(compact == NULL ? "" : compact, text);
        free(compact);
        break;
    }
    default:
        snprintf(text, TEXT_PLAIN_MAX, "-");
    }
    if (*text == '\0') {
        snprintf(text, TEXT_PLAIN_MAX, "-");
    }
}

static void print_padded(const char *text, int width)
{
    printf("%s%*s", text, MAX(width - text_width(text), 0), "");
}

static void print_indent(unsigned indent)
{
    printf("%*s", (int)indent, "");
}

struct columns {
    const char *keys[COLUMNS_MAX];
    int widths[COLUMNS_MAX];
    size_t count;
};

static void columns_add(struct columns *columns, const char *key, const json_t *value)
{
    size_t i = 0;
    while (i < columns->count && strcmp(columns->keys[i], key) != 0) {
        i++;
    }
    if (i == COLUMNS_MAX) {
        return;
    }
    if (i == columns->count) {
        columns->keys[columns->count++] = key;
        columns->widths[i] = text_width(key);
    }
    char cell[TEXT_PLAIN_MAX];
    format_cell(value, cell);
    columns->widths[i] = MAX(columns->widths[i], text_width(cell));
}

static void print_heading(const struct columns *columns, unsigned indent)
{
    print_indent(indent);
    for (size_t i = 0; i < columns->count; i++) {
        char cell[TEXT_PLAIN_MAX];
        text_plain(columns->keys[i], cell);
        for (char *at = cell; *at != '\0'; at++) {
            *at = *at == '_' ? ' ' : (*at >= 'a' && *at <= 'z') ? (char)(*at - 32) : *at;
        }
        print_padded(cell, i + 1 == columns->count ? 0 : columns->widths[i] + 2);
    }
    putchar('\n');
}

static void print_table(const json_t *rows, unsigned indent)
{
    struct columns columns = {.count = 0};
    size_t i;
    json_t *row, *value;
    const char *key;
    json_array_foreach(rows, i, row)
    {
        json_object_foreach(row, key, value)
        {
            columns_add(&columns, key, value);
        }
    }
    print_heading(&columns, indent);
    json_array_foreach(rows, i, row)
    {
        print_indent(indent);
        for (size_t column = 0; column < columns.count; column++) {
            char cell[TEXT_PLAIN_MAX] = "-";
            value = json_object_get(row, columns.keys[column]);
            if (value != NULL) {
                format_cell(value, cell);
            }
            print_padded(cell, column + 1 == columns.count ? 0 : columns.widths[column] + 2);
        }
        putchar('\n');
    }
}

static void print_object(const json_t *object, unsigned indent)
{
    int width = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        width = is_plain(value) ? MAX(width, text_width(key)) : width;
    }
    json_object_foreach((json_t *)object, key, value)
    {
        if (is_plain(value)) {
            char cell[TEXT_PLAIN_MAX], name[TEXT_PLAIN_MAX];
            format_cell(value, cell);
            print_indent(indent);
            print_padded(text_plain(key, name), width + 2);
            printf("%s\n", cell);
        }
    }
    json_object_foreach((json_t *)object, key, value)
    {
        if (!is_plain(value)) {
            char name[TEXT_PLAIN_MAX];
            print_indent(indent);
            printf("%s:\n", text_plain(key, name));
            print_json(value, indent + 2);
        }
    }
}

// Rows with lists or objects inside do not fit a table: each becomes a block of its own.
static bool is_table(const json_t *rows)
{
    size_t i;
    json_t *row, *value;
    const char *key;
    json_array_foreach(rows, i, row)
    {
        json_object_foreach(row, key, value)
        {
            if (!is_plain(value)) {
                return false;
            }
        }
    }
    return true;
}

static void print_blocks(const json_t *rows, unsigned indent)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        print_json(row, indent);
    }
}

void print_json(const json_t *json, unsigned indent)
{
    if (json_is_object(json)) {
        print_object(json, indent);
    } else if (!is_plain(json) && is_table(json)) {
        print_table(json, indent);
    } else if (!is_plain(json)) {
        print_blocks(json, indent);
    } else {
        char cell[TEXT_PLAIN_MAX];
        format_cell(json, cell);
        print_indent(indent);
        printf("%s\n", cell);
    }
}

void print_json_list(const json_t *list, const char *empty)
{
    if (json_array_size(list) == 0) {
        puts(empty);
    } else {
        print_json(list, 0);
    }
}

void print_raw(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15) | JSON_ENCODE_ANY);
    putchar('\n');
}
