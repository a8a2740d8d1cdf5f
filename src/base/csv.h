// SPDX-License-Identifier: GPL-3.0-or-later
//
// CSV (RFC 4180; LF or CRLF), one row at a time, in place. A quoted field ends on its line. Pure;
// any thread.
#pragma once

#include "base/base.h"

enum { CSV_FIELDS_MAX = 32 };

// Steps through text in memory, with a NUL behind it, and cuts it up.
struct csv {
    char *at, *end;
    unsigned line; // of the row that was read last
    char *fields[CSV_FIELDS_MAX];
    unsigned columns[CSV_FIELDS_MAX]; // where each field begins
    size_t count;
    const char *fault; // why the row cannot be used, or NULL
};

// Reads the next row that is not empty; false at the end. Fields past the last are left out.
bool csv_next(struct csv *csv);
