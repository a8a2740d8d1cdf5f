// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writers: struct zone to documents, the other way of readers.h.
//
// What a document of the wanted form cannot say is left out or written as near as may be, and each
// such loss is a warning with the place in the zone's own document. Pure; any thread.
#pragma once

#include "geo/lines.h"
#include "zone/zone.h"

#include <stdio.h>

enum zone_dialect {
    DIALECT_SIGNPOST, // everything that zone_yaml_read reads
    DIALECT_OCTODNS,  // what octoDNS reads too; what it does not know stays, and is a warning
};

struct zone_writer {
    const struct lines *lines; // that the zone was read with
    FILE *out;
    struct diags *diags;
};

// The YAML zone document: keys in octoDNS's natural order, one form a record as it was read.
// Reading it again gives equal policies. SOA and NS that came from the configuration are not
// written.
void zone_yaml_write(const struct zone *zone, enum zone_dialect dialect,
                     const struct zone_writer *writer);
// RFC 1035, absolute names. Steered RRsets become their last resort, with a warning.
void zone_file_write(const struct zone *zone, const struct zone_writer *writer);
// Flat rows: name, type, line, value, ttl, weight, status. Rules of the dynamic form become their
// last resort, with a warning.
enum rows_format { ROWS_CSV, ROWS_JSON };
void zone_rows_write(const struct zone *zone, enum rows_format format,
                     const struct zone_writer *writer);
