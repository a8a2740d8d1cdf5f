// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of checks for people.
#pragma once

#include <jansson.h>

// Prints the answer of GET /v1/health: doubt first, then what is down, unknown, up. `rows_max`: as
// many as a screen holds; 0: all.
void health_table_print(const json_t *answer, size_t rows_max);
