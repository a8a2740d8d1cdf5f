// SPDX-License-Identifier: GPL-3.0-or-later
//
// Readers: documents to struct zone. All faults are reported with file, line, column and key; a
// reader goes on after a fault to find the next. Pool threads; no shared state.
#pragma once

#include "geo/lines.h"
#include "zone/zone.h"

// A check of shared.yaml. `spec` is NULL when it has a fault.
struct named_check {
    const char *name;
    const struct check_spec *spec;
    struct place place;
};

struct zone_reader {
    const struct lines *lines; // for `line` and `lines` keys
    enum line_precedence precedence;
    const struct site *sites; // for `site` keys
    size_t site_count;
    const struct named_check *checks; // for `check` keys that name one of shared.yaml
    size_t check_count;
    struct zone_defaults defaults; // serial is filled in by the caller
    struct diags *diags;
};

// RFC 1035 master file (zone_file.c, over libzscanner): $ORIGIN, $TTL, $INCLUDE, RFC 3597 types. A
// name with several A or AAAA records is rotated. The result is finished (zone_finish) or NULL on
// any error.
struct zone *zone_file_read(const char *path, const uint8_t *apex,
                            const struct zone_reader *reader);
// The YAML zone document (zone_yaml.c): octoDNS records incl. dynamic, flat `records`, `signpost:`.
struct zone *zone_yaml_read(const char *path, const uint8_t *apex,
                            const struct zone_reader *reader);
// The same document as a text; `path` is what messages call it.
struct zone *zone_yaml_read_text(const char *path, const char *text, const uint8_t *apex,
                                 const struct zone_reader *reader);

// The zone a file of the zones folder is for: "example.com.zone", "example.com.yaml",
// "example.com..yaml" (octoDNS's final dot). False when the name says none.
enum zone_format { ZONE_FORMAT_MASTER, ZONE_FORMAT_YAML };
bool zone_path_apex(const char *path, uint8_t apex[NAME_MAX_SIZE], enum zone_format *format);
// Whether a folder's entry is hidden, as what editors leave behind is. "..zone" and "..yaml" are
// not: they are the root's.
bool zone_path_is_hidden(const char *name);

// shared.yaml: objects used by many zones.
struct shared {
    struct arena *arena;
    struct line_definition *lines;
    size_t line_count;
    struct site *sites;
    size_t site_count;
    struct named_check *checks;
    size_t check_count;
};
// A missing file is an empty document. The caller releases with shared_free.
struct shared *shared_read(const char *path, struct diags *diags);
void shared_free(struct shared *shared); // NULL allowed
