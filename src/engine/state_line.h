// SPDX-License-Identifier: GPL-3.0-or-later
//
// Words of the lines of a states file (engine/check_states.h): blank-separated, the last one of a
// line that ends with a NUL. Readers move *at behind the word, and are false where it is not one.
#pragma once

#include "base/base.h"

#include <stdio.h>

// In base 10 or 16, without sign, at most `max`.
bool state_number(const char **at, int base, uint64_t max, uint64_t *value);
// 0 to INT64_MAX.
bool state_time(const char **at, int64_t *ns);
// The bits of a number from 0 to `max`, in hexadecimal.
bool state_double(const char **at, double max, double *value);
// A text without control characters, of fewer than `size` octets: behind "=" printable ASCII as it
// is and the rest as %20, or behind ":" all octets in hexadecimal.
bool state_text(const char **at, char *text, size_t size);

// With a blank before it; at most twice as many octets as the text has.
void state_put_double(FILE *out, double value);
void state_put_text(FILE *out, const char *text);
