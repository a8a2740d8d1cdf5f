// SPDX-License-Identifier: GPL-3.0-or-later
//
// Times as documents, files and the API write them: RFC 3339 in UTC with seconds,
// "2026-11-25T18:00:00Z". Any thread.
#pragma once

#include "base/clock.h"

enum { TIME_TEXT_MAX = 32 };

// Writes into `text` and returns it; ns since 1970, "-" when that is in no year.
const char *time_text_format(int64_t wall_ns, char text[TIME_TEXT_MAX]);
// Also takes fractions, a lower-case t or z, and an offset ("+08:00"). False when it is none, or
// not from 1970 to 2261.
bool time_text_parse(const char *text, int64_t *wall_ns);
