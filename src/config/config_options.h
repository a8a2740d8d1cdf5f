// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between config.c (walks the document), config_options.c (the table), config_values.c (one setter
// a type) and config_webhooks.c. Nobody else includes this.
#pragma once

#include "config/config.h"

#include <libfyaml.h>

// A row: what the operator is told, and where the value goes.
struct option {
    struct option_info info;
    size_t offset;       // of the field in struct config
    size_t count_offset; // lists: of the size_t that counts them
};

// A row of the table; `index` is below config_option_count().
const struct option *option_at(size_t index);

// One reading of one file.
struct config_reader {
    struct config *config;
    const char *folder; // prefix of relative paths, "" or ending in '/'
    const char *file;   // as given by the operator
    struct diags *diags;
};

// Stores the value, or reports every fault in it. `place` is that of the key.
void option_set(const struct config_reader *reader, const struct option *option,
                struct fy_node *value, struct place place);

// Where a node begins; `otherwise` when the library does not know.
struct place node_place(const struct config_reader *reader, struct fy_node *node,
                        struct place otherwise);
// One element of `webhooks` (config_webhooks.c); false when it has a fault, which is told.
bool webhook_set(const struct config_reader *reader, const char *option, struct fy_node *node,
                 struct place place, struct webhook *hook);
// The text of a scalar in the reader's arena; NULL for any other node, or when it holds a NUL.
const char *node_text(const struct config_reader *reader, struct fy_node *node);
