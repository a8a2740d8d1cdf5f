// SPDX-License-Identifier: GPL-3.0-or-later
#include "zone/policy.h"

#include "base/hash.h"

#include <string.h>

const char *const method_names[METHOD_COUNT] = {
    [METHOD_ROTATE] = "rotate",   [METHOD_RANDOM] = "random",   [METHOD_WEIGHTED] = "weighted",
    [METHOD_STICKY] = "sticky",   [METHOD_NEAREST] = "nearest", [METHOD_FASTEST] = "fastest",
    [METHOD_ORDERED] = "ordered",
};

const char *const all_down_names[ALL_DOWN_COUNT] = {
    [ALL_DOWN_ALL] = "all",   [ALL_DOWN_LAST_GOOD] = "last_good", [ALL_DOWN_VALUES] = "values",
    [ALL_DOWN_NONE] = "none", [ALL_DOWN_SERVFAIL] = "servfail",
};

static const uint64_t identity_key = 0x7369676e706f7374ULL; // the same on every server

uint64_t member_identity(const struct member *member)
{
    if (member->identity != 0) {
        return member->identity;
    }
    return member->name ? hash_bytes(identity_key + 1, member->name, strlen(member->name))
                        : hash_bytes(identity_key, member->rdata, member->rdata_size);
}

uint64_t pool_identity(const struct pool *pool)
{
    return hash_bytes(identity_key + 2, pool->name, strlen(pool->name)) | 1; // 0 is no identity
}

bool policy_uses(const struct policy *policy, enum method method)
{
    bool uses = policy->method == method;
    for (size_t i = 0; i < policy->pool_count && !uses; i++) {
        uses = policy->pools[i].has_method && policy->pools[i].method == method;
    }
    return uses;
}
