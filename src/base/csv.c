// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/csv.h"

// Reads one field and ends it with a NUL; returns what followed it: ',' or '\n', 0 at the end.
static char field_read(struct csv *csv)
{
    char *to = csv->at, *at = csv->at;
    if (csv->count < CSV_FIELDS_MAX) {
        csv->fields[csv->count++] = to;
    }
    if (at < csv->end && *at == '"') {
        for (at++; at < csv->end && (*at != '"' || (at + 1 < csv->end && at[1] == '"')); at++) {
            at += *at == '"';
            if (*at == '\n') {
                break;
            }
            *to++ = *at;
        }
        if (at == csv->end || *at != '"') {
            csv->fault = "a quote is not closed on its line";
        } else if (++at < csv->end && *at != ',' && *at != '\n' && *at != '\r') {
            csv->fault = "text after the closing quote";
        }
    }
    while (at < csv->end && *at != ',' && *at != '\n') {
        *to++ = *at++;
    }
    char after = at < csv->end ? *at : 0;
    if (after != ',' && to > csv->at && to[-1] == '\r') {
        to--;
    }
    csv->at = at < csv->end ? at + 1 : at;
    *to = 0; // over a byte that was read: what followed the field, or the NUL after the text
    return after;
}

bool csv_next(struct csv *csv)
{
    while (csv->at < csv->end) {
        const char *start = csv->at;
        char after;
        csv->line++;
        csv->count = 0;
        csv->fault = NULL;
        do {
            if (csv->count < CSV_FIELDS_MAX) {
                csv->columns[csv->count] = (unsigned)(csv->at - start) + 1;
            }
            after = field_read(csv);
        } while (after == ',');
        if (csv->count > 1 || *csv->fields[0] || csv->fault) {
            return true;
        }
    }
    return false;
}
