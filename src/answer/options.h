// SPDX-License-Identifier: GPL-3.0-or-later
//
// EDNS options of a response beyond the client subnet: name server id, cookie, keepalive, extended
// error, padding. Nothing here runs for a query that carries no such option and is answered without
// an error. Internal to answer/.
#pragma once

#include "answer/respond.h"

// Judges the query's cookie and takes the room that the asked options need off the response's
// limit, before anything is written: a full answer never pushes them out. True when the query must
// be told BADCOOKIE and not be answered.
bool response_options_begin(struct response *response, const struct query_source *source,
                            enum query_verdict verdict);

// The response carries an extended error, if there is room when all else is written. The text is
// static, or NULL.
void response_error(struct response *response, enum ede code, const char *text);

// Whether the response has anything to put behind its OPT.
static inline bool response_has_options(const struct response *response)
{
    return response->query->options.asked != 0 || response->ede != 0;
}

// Appends the options to the message, whose last record is the OPT that begins at `opt`; returns
// the new size.
size_t response_options_put(struct response *response, size_t opt, size_t size);
