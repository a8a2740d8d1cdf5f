// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a name stands in a generation, and which addresses stand behind it. Internal to answer/.
#pragma once

#include "answer/respond.h"

// A DNAME in an answer counts as two links of CHAIN_MAX: it writes two records, and the name that
// it makes is found like a question's.
enum { DNAME_LINKS = 2 };

// Names that are looked up for the hints of one answer: both families of sixteen records whose
// targets are no aliases.
enum { FOLLOWED_MAX = 32 };

// Names whose addresses one answer adds: as many as the root has name servers.
enum { ANSWER_ADDITIONAL_NAMES_MAX = 13 };

// Where a name stands: on a node, or below the deepest node there is.
struct place_found {
    const struct node *node;     // the name itself, or NULL
    const struct node *encloser; // the node, or the closest above; NULL: not in any zone
};

// The deepest node at or above the folded and padded name, in the zone that answers for it.
struct place_found response_find(const struct generation *generation, const uint8_t *name,
                                 size_t size, const struct name_labels *labels, uint16_t type);
// The wildcard right below the encloser that stands for names that do not exist; NULL: there is
// none.
const struct node *response_wildcard(const struct generation *generation,
                                     const struct node *encloser);

// What stands behind a name for one type.
struct followed {
    const struct node *node;
    const struct node_rrset *rrset;
    uint32_t ttl_max; // the least TTL on the way
};

// The RRset of that type of the name, or of the name that it is an alias of (CNAME, DNAME, ALIAS)
// in any zone that is served here. False when there is none: no such name or type, a delegation, a
// loop, a chain longer than CHAIN_MAX, or FOLLOWED_MAX names have been looked up. The scope of the
// response follows steered links.
bool response_follow(struct response *response, const uint8_t *name, uint16_t type,
                     struct followed *found);
