// SPDX-License-Identifier: GPL-3.0-or-later
#include "format/import_parts.h"

#include "base/csv.h"

#include <stdio.h>
#include <string.h>

// A column that nobody looks at may be the one that says which rows are paused.
static void columns_unknown(const struct csv *csv, const char *path, struct diags *diags)
{
    char names[256];
    size_t used = 0;
    for (size_t i = 0; i < csv->count; i++) {
        bool unknown = dump_field_find(csv->fields[i]) == DUMP_FIELD_COUNT;
        if (unknown && *csv->fields[i] && used < sizeof(names)) {
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s\"%.40s\"",
                                     used > 0 ? ", " : "", csv->fields[i]);
        }
    }
    if (used > 0) {
        diags_warning(diags, (struct place){path, csv->line, 1}, NULL,
                      "columns that are not known here are left out: %s", names);
    }
}

static bool header_read(const struct csv *csv, const char *path,
                        enum dump_field columns[CSV_FIELDS_MAX], struct diags *diags)
{
    bool seen[DUMP_FIELD_COUNT + 1] = {0};
    for (size_t i = 0; i < csv->count; i++) {
        columns[i] = dump_field_find(csv->fields[i]);
        if (columns[i] < DUMP_FIELD_COUNT && seen[columns[i]]) {
            columns[i] = DUMP_FIELD_COUNT; // the first of two names for one thing
        }
        seen[columns[i]] = true;
    }
    columns_unknown(csv, path, diags);
    if (!seen[DUMP_NAME] || !seen[DUMP_TYPE] || !seen[DUMP_VALUE]) {
        diags_error(diags, (struct place){path, csv->line, 1}, NULL,
                    "the first row must name the columns; name, type and value are compulsory");
        return false;
    }
    return true;
}

// A field without a column: a value that holds a comma and no quotes would lose its end.
static bool row_fits(const struct csv *csv, size_t column_count, const char *path,
                     struct diags *diags)
{
    for (size_t i = column_count; i < csv->count; i++) {
        if (*csv->fields[i] != '\0') {
            diags_error(diags, (struct place){path, csv->line, csv->columns[i]}, NULL,
                        "more fields than the first row has names (%zu): quote a value that holds "
                        "a comma",
                        column_count);
            return false;
        }
    }
    return true;
}

static void row_read(const struct csv *csv, const enum dump_field *columns, size_t column_count,
                     const char *path, struct dump *dump)
{
    struct dump_row *row = dump_row_add(dump);
    row->place = (struct place){path, csv->line, 1};
    row->set = csv->line;
    for (size_t i = 0; i < MIN(csv->count, column_count); i++) {
        if (columns[i] < DUMP_FIELD_COUNT) {
            row->fields[columns[i]] = arena_strdup(dump->arena, csv->fields[i]);
        }
    }
}

void dump_csv_read(struct dump *dump, const char *path, char *text, size_t size,
                   struct diags *diags)
{
    enum dump_field columns[CSV_FIELDS_MAX];
    size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    struct csv csv = {.at = text + mark, .end = text + size};
    if (!csv_next(&csv)) {
        diags_error(diags, (struct place){.file = path}, NULL, "is empty");
        return;
    }
    if (!header_read(&csv, path, columns, diags)) {
        return;
    }
    size_t column_count = csv.count;
    while (csv_next(&csv)) {
        if (csv.fault) {
            diags_error(diags, (struct place){path, csv.line, 1}, NULL, "%s", csv.fault);
        } else if (row_fits(&csv, column_count, path, diags)) {
            row_read(&csv, columns, column_count, path, dump);
        }
    }
}
