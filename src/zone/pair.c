// SPDX-License-Identifier: GPL-3.0-or-later
#include "zone/pair.h"

#include "dns/types.h"

#include <string.h>

static const struct member *partner_by_name(const struct pool *pool, const char *name)
{
    for (size_t i = 0; i < pool->member_count; i++) {
        if (pool->members[i].name != NULL && strcmp(pool->members[i].name, name) == 0) {
            return &pool->members[i];
        }
    }
    return NULL;
}

// The only member at a site; NULL when there is none or more than one.
static const struct member *alone_at(const struct pool *pool, const char *site)
{
    const struct member *found = NULL;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct site *own = pool->members[i].site;
        if (own != NULL && strcmp(own->name, site) == 0) {
            if (found != NULL) {
                return NULL;
            }
            found = &pool->members[i];
        }
    }
    return found;
}

static const struct member *partner_of(const struct pool *theirs, const struct pool *ours, size_t i)
{
    const struct member *member = &ours->members[i];
    if (member->name != NULL) {
        return partner_by_name(theirs, member->name);
    }
    if (member->site != NULL && alone_at(ours, member->site->name) != NULL) {
        const struct member *partner = alone_at(theirs, member->site->name);
        if (partner != NULL) {
            return partner;
        }
    }
    return theirs->member_count == ours->member_count ? &theirs->members[i] : NULL;
}

static void pair_pools(const struct pool *theirs, struct pool *ours)
{
    for (size_t i = 0; i < ours->member_count; i++) {
        const struct member *partner = partner_of(theirs, ours, i);
        if (partner != NULL && partner->pool == NULL && ours->members[i].pool == NULL) {
            ours->members[i].identity = member_identity(partner);
        }
    }
}

static void pair_policies(const struct policy *theirs, struct policy *ours)
{
    for (size_t i = 0; i < ours->pool_count; i++) {
        for (size_t k = 0; k < theirs->pool_count; k++) {
            if (strcmp(ours->pools[i].name, theirs->pools[k].name) == 0) {
                pair_pools(&theirs->pools[k], &ours->pools[i]);
            }
        }
    }
    const struct pool their_values = {.members = theirs->values,
                                      .member_count = theirs->value_count};
    struct pool our_values = {.members = ours->values, .member_count = ours->value_count};
    pair_pools(&their_values, &our_values);
}

void zone_pair_members(const struct zone *zone)
{
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        const struct owner *owner = zone_owner(zone, i);
        const struct rrset *ipv4 = owner_rrset(owner, TYPE_A);
        const struct rrset *ipv6 = owner_rrset(owner, TYPE_AAAA);
        if (ipv4 && ipv6 && ipv4->policy && ipv6->policy) {
            pair_policies(ipv4->policy, ipv6->policy);
        }
    }
}
