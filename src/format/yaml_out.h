// SPDX-License-Identifier: GPL-3.0-or-later
//
// YAML text, for the writers: scalars in quotes where any reader, old or new, might take them for
// something else. Internal to format/.
#pragma once

#include "base/base.h"

#include <stdio.h>

// A scalar or key: plain where it is safe, else in double quotes.
void yaml_out_text(FILE *out, const char *text);
// Numbers within names count as numbers: a2 before a10 (octoDNS's order of keys).
int yaml_out_order(const char *a, const char *b);
// "10s", "1.5s".
void yaml_out_duration(FILE *out, int64_t duration_ns);
