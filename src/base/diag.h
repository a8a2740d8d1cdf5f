// SPDX-License-Identifier: GPL-3.0-or-later
//
// Diagnostics: what is wrong with an operator's input, where, and what was expected.
//
// Readers do not stop at the first fault: each appends to one list, and the caller decides (a list
// with an error refuses the whole input; the old data keeps serving). Bounded: after DIAGS_MAX
// entries only the counters go on, but an error still takes the place of the last entry that is
// none: what refuses an input is told. One thread at a time; the list owns its strings.
#pragma once

#include "base/base.h"

#include <stdio.h>

enum { DIAGS_MAX = 1000 };

// A note is worth knowing and may well be meant.
enum severity { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE };
extern const char *const severity_names[3];

// Where a fault is. line and column start at 1; 0 means unknown or not applicable.
struct place {
    const char *file;
    unsigned line;
    unsigned column;
};

struct diag {
    enum severity severity;
    char *file;
    unsigned line, column;
    char *key;     // the field or owner name concerned, "www.dynamic.pools.a", or NULL
    char *message; // what is wrong and what was expected, without a full stop
    // Findings of lint: which rule found it, and what to do. Static texts; NULL elsewhere.
    const char *id, *fix;
};

struct diags {
    struct diag *items;
    size_t count, capacity;
    size_t error_count, warning_count, note_count; // also count what no longer fitted
    size_t listed_errors;                          // of `items`
};

// Zero-initialise a struct diags to begin; diags_clear releases what it holds and makes it empty.
void diags_clear(struct diags *diags);
void diags_error(struct diags *diags, struct place place, const char *key, const char *format, ...)
    PRINTF_LIKE(4, 5);
void diags_warning(struct diags *diags, struct place place, const char *key, const char *format,
                   ...) PRINTF_LIKE(4, 5);
// A finding under the id of its rule, with what to do about it (both static texts).
void diags_finding(struct diags *diags, enum severity severity, const char *id, const char *fix,
                   struct place place, const char *key, const char *format, ...) PRINTF_LIKE(7, 8);
// Appends all entries of `from` to `into` and leaves `from` empty.
void diags_move(struct diags *into, struct diags *from);
// "file:line:column: error: key: message", the form that editors and people know; a finding is
// "file:line:column: warning: [id] key: message; what to do". One line: control characters of a
// path or of what was found, which a terminal might obey, are question marks. Writes at most `size`
// bytes with the terminating NUL; returns `text`.
const char *diag_format(const struct diag *diag, char *text, size_t size);
// The same, of any length, as a line to `out`.
void diag_print(FILE *out, const struct diag *diag);
// All entries, a line each, and how many more there were.
void diags_print(FILE *out, const struct diags *diags);
