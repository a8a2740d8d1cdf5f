// SPDX-License-Identifier: GPL-3.0-or-later
//
// What stands at a name, read out of the model: for explain and simulate, which say why. The query
// path finds names its own way (answer/resolve.c); tests hold the two against each other. Internal
// to engine/; control thread.
#pragma once

#include "engine/engine_internal.h"

enum name_standing {
    NAME_NO_ZONE,    // no zone here holds it
    NAME_RECORDS,    // an RRset of the type (or any alias, where the type is CNAME)
    NAME_ALIAS,      // a CNAME instead, or the ALIAS that stands for addresses
    NAME_NO_TYPE,    // it exists, without the type
    NAME_EMPTY,      // only names below it exist (RFC 4592, 2.2.2)
    NAME_NONE,       // it does not exist
    NAME_DELEGATED,  // at or below a cut
    NAME_REDIRECTED, // below a DNAME
    NAME_STANDINGS
};
extern const char *const name_standing_texts[NAME_STANDINGS]; // one word each

struct found_name {
    enum name_standing standing;
    const struct zone_state *zone;
    const struct owner *owner; // whose records answer: of the wildcard, the cut, the DNAME
    const struct rrset *rrset; // NULL where there is none
    bool wildcard;
    const uint8_t
        *encloser; // closest name above that exists, in `name`; NULL: the name itself does
};

// `name` must outlive the result.
struct found_name engine_find_name(const struct engine *engine, const uint8_t *name, uint16_t type);
