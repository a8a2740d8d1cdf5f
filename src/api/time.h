// SPDX-License-Identifier: GPL-3.0-or-later
//
// Times as the API writes them: RFC 3339 in UTC with seconds, "2026-11-25T18:00:00Z". Pure.
#pragma once

#include "base/clock.h"

enum { API_TIME_MAX = 32 };

// Writes into `text` and returns it; ns since 1970.
const char *api_time_format(int64_t wall_ns, char text[API_TIME_MAX]);
// Also takes fractions, a lower-case t or z, and an offset ("+08:00"). False when it is none.
bool api_time_parse(const char *text, int64_t *wall_ns);
