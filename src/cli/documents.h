// SPDX-License-Identifier: GPL-3.0-or-later
//
// The documents that commands without a server read: the configuration, shared.yaml, one zone.
#pragma once

#include "config/config.h"
#include "format/readers.h"

struct documents {
    struct config *config; // NULL: none was asked for
    struct shared *shared;
    struct lines *lines;
    struct diags diags;
};

// With `config_path` NULL: the built-in lines alone. False when something has errors (in `diags`).
// Closed in both cases.
bool documents_open(struct documents *documents, const char *config_path);
void documents_close(struct documents *documents);
// Reads a zone file of either format, as the server would. NULL when it has errors.
struct zone *documents_read(struct documents *documents, const char *path, const uint8_t *apex,
                            enum zone_format format);
// The zone's file in the folder of zones, released with free(). NULL when there is none, or the
// folder cannot be read: a fault in `diags`.
char *documents_find(struct documents *documents, const uint8_t *apex, enum zone_format *format);
// Prints what was found to standard error, with `name` for files under /proc (texts in memory).
void documents_print(const struct documents *documents, const char *name);
