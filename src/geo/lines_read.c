// SPDX-License-Identifier: GPL-3.0-or-later
//
// The rows of the catalogue: those built in, and those of an operator's file, by one reader.
//
//   isp  cn-example    CN      example  示例  examplenet
//   asn  cn-example  64500
//   network  search-baidu  192.0.2.0/24
//
// Columns are separated by tabs. A row is a line or a fact about one that stands above it or is
// built in; lines.tsv and isps.tsv say what the columns are. Faults of a file are reported by line
// and column and leave the row out; the built-in rows are checked by the unit test that makes a
// catalogue: a fault in them ends the process. Any thread; called while a struct lines is made.
#include "base/text_file.h"
#include "geo/lines_internal.h"
#include "geo/tables.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LINES_FILE_SIZE_MAX_MIB = 64 };

void row_fault(const struct lines *lines, const struct line_row *row, size_t field,
               struct diags *diags, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    SP_ASSERT(lines->file != NULL);
    diags_error(diags, (struct place){lines->file, row->number, row->columns[field]}, NULL, "%s",
                text);
}

static char *trim(char *text)
{
    text += strspn(text, " ");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\r')) {
        text[--size] = 0;
    }
    return text;
}

// Cuts the text up in place. False when there are more fields than any row has.
static bool row_split(char *text, struct line_row *row)
{
    size_t count = 0;
    char *at = text;
    for (; at != NULL && count < ROW_FIELDS_MAX; count++) {
        char *end = strchr(at, '\t');
        if (end != NULL) {
            *end++ = 0;
        }
        row->columns[count] = (unsigned)(at - text) + 1;
        row->fields[count] = trim(at);
        at = end;
    }
    bool rest = at != NULL && strspn(at, "\t \r") != strlen(at);
    for (size_t i = count; i < ROW_FIELDS_MAX; i++) {
        row->fields[i] = "";
        row->columns[i] = 1;
    }
    return !rest;
}

static void row_read(struct lines *lines, char *text, unsigned number, struct diags *diags)
{
    struct line_row row = {.number = number};
    text[strcspn(text, "\r\n")] = 0;
    if (text[0] == '#' || text[strspn(text, " \t")] == 0) {
        return;
    }
    if (!row_split(text, &row)) {
        row_fault(lines, &row, 0, diags, "more than %d columns", ROW_FIELDS_MAX);
    } else if (!lines_add_row(lines, &row, diags) && !lines_add_fact(lines, &row, diags)) {
        row_fault(lines, &row, 0, diags,
                  "\"%.40s\" begins no row; expected group, area, isp, cloud, search, custom, asn, "
                  "name, network or alias, then a tab",
                  row.fields[0]);
    }
}

void lines_read_builtin(struct lines *lines)
{
    for (size_t i = 0; i < catalogue_texts_count; i++) {
        char *text = arena_strdup(lines->arena, catalogue_texts[i]);
        row_read(lines, text, 0, NULL);
    }
}

void lines_read_file(struct lines *lines, const char *path, struct diags *diags)
{
    size_t size;
    char *text = text_file_read(path, LINES_FILE_SIZE_MAX_MIB, false, diags, &size);
    if (text == NULL) {
        return;
    }
    lines->file = arena_strdup(lines->arena, path);
    unsigned number = 0;
    for (char *at = text, *stop = text + size; at < stop;) {
        // Not strchr: with its arguments checked it would look at all that follows, row after row.
        char *end = memchr(at, '\n', (size_t)(stop - at));
        end = end != NULL ? end : stop;
        *end = 0;
        row_read(lines, at, ++number, diags);
        at = end + 1;
    }
    lines->file = NULL;
    free(text);
}
