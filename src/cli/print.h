// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON for people: fields in columns, lists of objects as tables. To standard output.
#pragma once

#include <jansson.h>

// Text that may come from a zone's owner or from a host that was probed, for a terminal: control
// characters are blanks. What does not fit ends in "...". Returns `text`.
enum { TEXT_PLAIN_MAX = 256 };
const char *text_plain(const char *from, char text[TEXT_PLAIN_MAX]);
// The text of a member, as it came; "" when there is none. Borrowed from the object.
const char *text_of(const json_t *object, const char *key);

// An object's plain fields first, then its lists and objects under their names.
void print_json(const json_t *json, unsigned indent);
// A list, or what is said when nothing is in it.
void print_json_list(const json_t *list, const char *empty);
// For --json: the document itself.
void print_raw(const json_t *json);
