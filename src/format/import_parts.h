// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the import share. Internal to format/; one thread.
#pragma once

#include "base/memory.h"
#include "format/import.h"
#include "zone/rdata.h"

enum dump_field {
    DUMP_NAME,
    DUMP_TYPE,
    DUMP_VALUE,
    DUMP_LINE,
    DUMP_LINE_ID,
    DUMP_TTL,
    DUMP_WEIGHT,
    DUMP_STATUS,
    DUMP_MX,
    DUMP_REMARK,
    DUMP_FIELD_COUNT
};

// A row as the dump has it; "" where it says nothing.
struct dump_row {
    const char *fields[DUMP_FIELD_COUNT];
    unsigned set; // rows of one record set (Huawei) have one number
    struct place place;
    char key[32]; // "row 4" in JSON, "" in CSV
};

struct dump {
    struct arena *arena;
    struct dump_row *rows;
    size_t count, capacity;
};

// The field that a column or key of this name is; DUMP_FIELD_COUNT when it is none of ours.
enum dump_field dump_field_find(const char *name);
// A row that says nothing yet; valid until the next is added.
struct dump_row *dump_row_add(struct dump *dump);
// Reads all rows out of the text, which is changed.
void dump_csv_read(struct dump *dump, const char *path, char *text, size_t size,
                   struct diags *diags);
void dump_json_read(struct dump *dump, const char *path, const char *text, size_t size,
                    struct diags *diags);

// A row that is understood.
struct import_row {
    const uint8_t *owner;
    uint16_t type;
    const uint8_t *rdata;
    uint16_t rdata_size;
    const char *line; // an id, or PROVIDER:CODE when it is not known here
    bool opaque;
    bool has_ttl, has_weight, paused;
    uint32_t ttl, weight;
    unsigned set;
    // Found when the rows are grouped: whether it begins its set on its line, how many rows that
    // are in use the set has there, whether one of the line's is drawn by weight.
    bool first_of_set, weighted;
    size_t set_size;
    const char *state; // "up", "down", or NULL
    const char *remark;
    const struct dump_row *from;
};

struct import_rows {
    const struct import *import;
    struct dump *dump;
    struct import_row *items;
    size_t count, capacity;
    struct diags *diags;
};

// The document of all rows; sorts them. Faults of the rows together are errors in `diags`.
void import_rows_write(struct import_rows *rows, FILE *out);
