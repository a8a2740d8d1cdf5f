// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rdata: the form of each type on the wire and as people write it, and a scanner that is kept
// between records. Pure but for memory; a scanner belongs to one thread.
#pragma once

#include "base/base.h"
#include "dns/name.h"
#include "dns/types.h"

enum { RDATA_MAX_SIZE = 65535 };

// Whether the bytes have the form of the type: lengths add up, names are whole and uncompressed.
// Types without a known form pass with any bytes. Safe on any input.
bool rdata_check(uint16_t type, const uint8_t *rdata, size_t rdata_size);
// Equal as records: names in rdata compare without case.
bool rdata_equal(uint16_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);
// Whether a zone may hold records of this type: not OPT, TSIG, AXFR, ANY and the like.
bool rr_type_is_data(uint16_t type);

// One value in presentation form to rdata in wire form, relative names completed with `origin`.
// Returns the rdata size, or 0 with *reason set to a static text.
size_t rdata_parse(uint16_t type, const char *text, const uint8_t *origin, uint8_t *rdata,
                   size_t capacity, const char **reason);
// The inverse, for explain and dumps: RFC 3597 form where no better is known. Returns `text`.
const char *rdata_format(uint16_t type, const uint8_t *rdata, size_t rdata_size, char *text,
                         size_t capacity);

// As rdata_parse, for many records in a row: setting up a scanner costs as much as a
// hundred records. Made at its first use.
struct rdata_scanner;
// The caller's; one thread.
struct rdata_scanner *rdata_scanner_new(void);
void rdata_scanner_free(struct rdata_scanner *scanner); // NULL allowed
size_t rdata_scan(struct rdata_scanner *scanner, uint16_t type, const char *text,
                  const uint8_t *origin, uint8_t *rdata, size_t capacity, const char **reason);

// Presentation form of a name as people write it: letters, digits, "-", "_", "*", "/" and escapes;
// anything else is refused. As name_parse otherwise.
size_t name_text_parse(const char *text, const uint8_t *origin, uint8_t wire[NAME_MAX_SIZE],
                       const char **reason);
