// SPDX-License-Identifier: GPL-3.0-or-later
//
// `ipv4hint=auto` and `ipv6hint=auto` in the text of an SVCB or HTTPS record, which the scanner
// does not know: an address stands in for the word, and is taken out of the record data again
// (dns/svcb.h says what is left). And the other way: parameters as text. Internal to zone/.
#pragma once

#include "base/base.h"

struct svcb_param; // dns/svcb.h

struct svcb_text {
    char *text; // with addresses in place of the words; the caller's to free
    bool ipv4, ipv6;
};

// False, with no text, when no hint is the word `auto`.
bool svcb_text_read(const char *text, struct svcb_text *service);
// Empties the hints that were the word; returns the new size.
size_t svcb_text_mark(const struct svcb_text *service, uint8_t *rdata, size_t size);

// Whether the text form can say these well-formed parameters: those of the RFCs that have a plain
// value.
bool svcb_has_text(const uint8_t *params, size_t size);
// " key=value" of a parameter that has a text. `text` has room for SVCB_PARAM_TEXT_MAX.
enum { SVCB_PARAM_TEXT_MAX = 512 };
const char *svcb_param_format(const struct svcb_param *param, char text[SVCB_PARAM_TEXT_MAX]);
