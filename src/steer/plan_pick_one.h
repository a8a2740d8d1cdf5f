// SPDX-License-Identifier: GPL-3.0-or-later
//
// plan_pick for answers of one record, as most policies give, inline: answer/fast.h has it once a
// steered query, where a call would cost a tenth of what it does.
//
// Same guarantees as plan_pick: no lock, no allocation, no system call.
#pragma once

#include "steer/plan_internal.h"
#include "steer/territory_internal.h"

struct picked {
    const uint8_t *record; // NULL: none
    uint32_t size;         // UINT32_MAX with it: nothing has room for that
    uint8_t scope;
};

// One draw in proportion to the weights, in constant time.
static inline size_t draw_alias(const struct choice_member *members, size_t count, uint64_t *random)
{
    uint64_t bits = random_next_quick(random);
    size_t column = (size_t)(((bits >> 32) * count) >> 32);
    return (uint32_t)bits < members[column].cut ? column : members[column].alias;
}

// Begins to look for the client on the plan's map (geo/lpm.h); class 0 when the plan looks at no
// client.
static inline void plan_seek(struct lpm_seek *seek, const struct plan *plan,
                             const struct address *client)
{
    static const uint32_t anywhere = LPM_LEAF_FLAG;
    if (LIKELY(plan->territory != NULL)) {
        lpm_seek_begin(seek, territory_map(plan->territory, client->family), address_key(client));
    } else {
        seek->leaf = &anywhere;
    }
}

// Where one client is.
static inline struct territory_match plan_locate(const struct plan *plan,
                                                 const struct address *client)
{
    return plan->territory != NULL ? territory_find(plan->territory, client)
                                   : (struct territory_match){0};
}

// For a client that plan_seek or plan_locate has found. None when an answer may have more records,
// or when it takes more to find out: then nothing has been thrown or counted, and plan_pick
// decides.
static inline struct picked plan_pick_one(const struct plan *plan, struct territory_match match,
                                          const struct dice *dice)
{
    static const struct picked none = {.size = UINT32_MAX};
    const uint32_t index = plan->choice_of_class[match.class_index];
    const struct choice *choice = &plan->choices[index];
    if (!choice->is_one) {
        return none;
    }
    const struct choice_member *members = plan->members + choice->first_member, *member = members;
    switch (choice->method) {
    case METHOD_WEIGHTED:
        member += draw_alias(members, choice->member_count, dice->random);
        break;
    case METHOD_RANDOM:
        member += random_below(dice->random, choice->member_count);
        break;
    case METHOD_ROTATE:
        member += dice_turn(dice, index) % choice->member_count;
        break;
    default: // the first
        break;
    }
    return (struct picked){plan->records + member->record_offset, member->record_size, match.scope};
}

// The second step of plan_prefetch: the first lines of each table, all of it in a plan of a few
// pools.
static inline void plan_prefetch_tables(const struct plan *plan)
{
    __builtin_prefetch(plan->choice_of_class);
    __builtin_prefetch(plan->choices);
    __builtin_prefetch((const char *)plan->choices + 64);
    __builtin_prefetch(plan->members);
    __builtin_prefetch((const char *)plan->members + 64);
    __builtin_prefetch((const char *)plan->members + 128);
    __builtin_prefetch(plan->records);
    __builtin_prefetch(plan->records + 64);
}
