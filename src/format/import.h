// SPDX-License-Identifier: GPL-3.0-or-later
//
// Imports: dumps of the rows that DNS consoles keep, CSV or JSON by their content, to a YAML zone
// document in the flat form that gives the same answers.
//
// Columns and keys go by the names that the providers' consoles and APIs use, in any case. The
// precedence of the zone is the provider's. What cannot be kept is a warning with its row: lines
// that are not known here (kept, and nobody is in them), TTLs that differ (the least is used),
// types that are no DNS. Pure; any thread.
#pragma once

#include "geo/lines.h"
#include "zone/zone.h"

#include <stdio.h>

enum dump_provider {
    DUMP_DNSPOD,
    DUMP_ALIDNS,
    DUMP_HUAWEI,
    DUMP_ROWS, // our own rows (zone_rows_write)
    DUMP_PROVIDER_COUNT
};
// As written on the command line, in enum order.
extern const char *const dump_provider_names[DUMP_PROVIDER_COUNT];

struct import {
    enum dump_provider provider;
    const char *path;
    const uint8_t *apex;
    const struct lines *lines;
};

// Writes the document to `out`. False when there was an error: then it must not be used.
bool import_dump(const struct import *import, FILE *out, struct diags *diags);
