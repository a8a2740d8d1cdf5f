// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON for people: fields in columns, lists of objects as tables. To standard output.
#pragma once

#include <jansson.h>

// An object's plain fields first, then its lists and objects under their names.
void print_json(const json_t *json, unsigned indent);
// A list, or what is said when nothing is in it.
void print_json_list(const json_t *list, const char *empty);
// For --json: the document itself.
void print_raw(const json_t *json);
