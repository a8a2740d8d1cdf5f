// SPDX-License-Identifier: GPL-3.0-or-later
//
// The states of checks over a restart: a text file, one line a check, with a version, the time of
// writing and a checksum. Pure text in, pure text out; any thread, but the registry's is its own.
//
//   signpost-health 1 SAVED
//   KEY STATE LEVEL FLAPPING HAS-RISEN SINCE RISEN
//   end COUNT CHECKSUM
//
// Times are ns since 1970, keys and the checksum hexadecimal.
#pragma once

#include "base/clock.h"
#include "base/diag.h"
#include "health/health.h"

// Every check that is up or down, as text of *size octets, released with free().
char *check_states_format(const struct health *health, const struct clock *clock, size_t *size);

struct check_states;

// NULL when the text is damaged, of another version, or older than `age_max_ns` (the reason is in
// `reason`, a static text). Times become monotonic ones of `clock`.
struct check_states *check_states_parse(const char *text, size_t size, const struct clock *clock,
                                        int64_t age_max_ns, const char **reason);
void check_states_free(struct check_states *states); // NULL allowed
size_t check_states_count(const struct check_states *states);
// Lets a check that has had no result yet go on where it was; true when it is known.
bool check_states_recall(const struct check_states *states, struct health *health, int check);
