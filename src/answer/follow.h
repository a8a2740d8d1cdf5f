// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a name stands in a generation, and which addresses stand behind it. Internal to answer/.
#pragma once

#include "answer/respond.h"

// A DNAME in an answer counts as two links of CHAIN_MAX: it writes two records, and the name that
// it makes is found like a question's.
enum { DNAME_LINKS = 2 };

// What names that an ALIAS or a hint leads to may take, in look-ups of the index: a name that is
// there counts as FOLLOWED_NAME, and with one that a wildcard or a DNAME stands for counts each
// look-up for what is above it. Both families of sixteen hints whose targets are no aliases, or
// eight links by way of wildcards.
enum { FOLLOWED_NAME = 3, FOLLOWED_MAX = 32 * FOLLOWED_NAME };

// Names whose addresses one answer adds: as many as the root has name servers.
enum { ANSWER_ADDITIONAL_NAMES_MAX = 13 };

// Where a name stands: on a node, or below the deepest node there is.
struct place_found {
    const struct node *node;     // the name itself, or NULL
    const struct node *encloser; // the node, or the closest above; NULL: not in any zone
    unsigned looks;              // look-ups of the index that it took beyond the first
};

// The deepest node at or above the folded and padded name, in the zone that answers for it.
struct place_found response_find(const struct generation *generation, const uint8_t *name,
                                 size_t size, const struct name_labels *labels, uint16_t type);
// Notes what that took; the first name is that of the question, which costs nothing where it is
// there.
static inline void response_looked(struct response *response, const struct place_found *place,
                                   bool first)
{
    response->followed += (uint16_t)(place->looks + (first ? 0U : (unsigned)FOLLOWED_NAME));
}
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

// FOLLOWED_NONE: no such name or type, a delegation, a loop, a chain longer than CHAIN_MAX.
// FOLLOWED_TOO_MUCH: the next step is more than this answer may cost.
enum follow_end { FOLLOWED_FOUND, FOLLOWED_NONE, FOLLOWED_TOO_MUCH };

// The RRset of that type of the name, or of the name that it is an alias of (CNAME, DNAME, ALIAS)
// in any zone that is served here. The scope of the response follows steered links, and what each
// takes is held against what `need` allows. The policy of the RRset that was found has yet to be.
enum follow_end response_follow(struct response *response, const uint8_t *name, uint16_t type,
                                enum need need, struct followed *found);
