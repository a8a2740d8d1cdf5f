// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading check definitions from YAML: shared by zone documents (yaml_check.c) and shared.yaml
// (yaml_checks_shared.c). Pool threads; one thread a reader.
#pragma once

#include "zone/check.h"
#include "format/document.h"
#include "format/readers.h"

#include "base/memory.h"

// Expressions in expressions, at most.
enum { CHECK_DEPTH_MAX = 8 };

struct check_reader {
    struct arena *arena; // of what is read
    const char *path;    // of the document: relative paths begin at its folder
    const char *owner;   // the owner name as host, NULL in shared.yaml or when it is none
    unsigned depth;
    // The check of this name, or NULL after reporting at `at` why there is none.
    const struct check_spec *(*named)(const struct check_reader *reader, const struct yaml *at,
                                      const char *name);
    const void *context; // of `named`
};

// Reads a name or a mapping into *check, which holds what the mapping changes: a kind CHECK_NONE
// when it stands alone. False after a fault.
bool check_reader_read(const struct check_reader *reader, const struct yaml *at,
                       struct check_spec *check);
// What a kind begins with: the presets of its options, the host of the owner.
void check_reader_begin(const struct check_reader *reader, enum check_kind kind,
                        struct check_spec *check);
// Reads only the options of the mapping into a check whose kind is settled.
bool check_reader_change(const struct check_reader *reader, const struct yaml *at,
                         struct check_spec *check);
// A fault of a finished definition, reported at `at`.
bool check_reader_finish(const struct yaml *at, const struct check_spec *check);

// In shared.yaml a host that is not given is the owner name of whoever uses the check.
extern const char check_host_of_owner[];
// A copy for an owner (NULL: one without), in the arena.
const struct check_spec *check_bind(struct arena *arena, const struct check_spec *spec,
                                    const char *owner);

// yaml_checks_shared.c: the `checks` of shared.yaml.
void yaml_checks_read(struct shared *shared, const char *path, const struct yaml *at);
