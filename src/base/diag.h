// SPDX-License-Identifier: GPL-3.0-or-later
//
// Diagnostics: what is wrong with an operator's input, where, and what was expected.
//
// Readers do not stop at the first fault: each appends to one list, and the caller decides (a list
// with an error refuses the whole input; the old data keeps serving). Bounded: after DIAGS_MAX
// entries only the counters go on. One thread at a time; the list owns its strings.
#pragma once

#include "base/base.h"

enum { DIAGS_MAX = 1000 };

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

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
};

struct diags {
    struct diag *items;
    size_t count, capacity;
    size_t error_count, warning_count; // also counts what no longer fitted
};

// Zero-initialise a struct diags to begin; diags_clear releases what it holds and makes it empty.
void diags_clear(struct diags *diags);
void diags_error(struct diags *diags, struct place place, const char *key, const char *format, ...)
    PRINTF_LIKE(4, 5);
void diags_warning(struct diags *diags, struct place place, const char *key, const char *format,
                   ...) PRINTF_LIKE(4, 5);
// Appends all entries of `from` to `into` and leaves `from` empty.
void diags_move(struct diags *into, struct diags *from);
// "file:line:column: error: key: message", the form that editors and people know. Writes at most
// `size` bytes with the terminating NUL; returns `text`.
const char *diag_format(const struct diag *diag, char *text, size_t size);
