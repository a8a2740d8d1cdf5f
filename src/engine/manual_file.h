// SPDX-License-Identifier: GPL-3.0-or-later
//
// Manual states (health/manual.h) as JSON: the file that keeps them, and the API's objects. Times
// are RFC 3339 in UTC. Control thread.
#pragma once

#include "health/manual.h"

#include <jansson.h>

// {id, state, pattern, who, why, set, from, until, weekly}; `until` null: for ever. A new
// reference.
json_t *manual_entry_json(const struct manual_entry *entry);

// Every entry, on disk when it returns true.
bool manual_file_write(const char *path, const struct manual *manual, struct diags *diags);
// Adds the entries of the file, if there is one. A fault anywhere refuses the whole file.
bool manual_file_read(const char *path, struct manual *manual, struct diags *diags);
