// SPDX-License-Identifier: GPL-3.0-or-later
//
// Members, health and picks for the tests of plans.
#pragma once

#include "base/memory.h"
#include "dns/wire.h"
#include "steer/plan_pick_one.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

// A health source over an array: member.check is the index.
static inline struct member_view view_of_array(void *state, const struct member *member)
{
    static const struct member_view unchecked;
    return member->check < 0 ? unchecked : ((const struct member_view *)state)[member->check];
}

// An A record's rdata that says which member it is.
static inline struct member member_make(struct arena *arena, uint8_t pool, uint16_t index,
                                        uint32_t weight)
{
    const uint8_t rdata[] = {10, pool, (uint8_t)(index >> 8), (uint8_t)index};
    return (struct member){.rdata = arena_copy(arena, rdata, sizeof(rdata)),
                           .rdata_size = sizeof(rdata),
                           .weight = weight,
                           .check = -1};
}

static inline struct pool pool_make(struct arena *arena, uint8_t number, const uint32_t *weights,
                                    size_t count)
{
    struct pool pool = {.name = "pool", .fallback = -1, .member_count = count};
    pool.members = arena_alloc(arena, count * sizeof(*pool.members));
    for (size_t i = 0; i < count; i++) {
        pool.members[i] = member_make(arena, number, (uint16_t)i, weights[i]);
    }
    return pool;
}

// Which member a picked record is, its form checked on the way.
static inline unsigned record_member(const struct pick *pick, size_t place, unsigned *pool)
{
    const uint8_t *record = pick->records[place];
    assert_int_equal(pick->sizes[place], 16);
    assert_int_equal(get_u16(record), 0xc00c);
    assert_int_equal(get_u16(record + 2), TYPE_A);
    assert_int_equal(get_u16(record + 4), CLASS_IN);
    assert_int_equal(get_u32(record + 6), pick->ttl);
    assert_int_equal(get_u16(record + 10), 4);
    assert_int_equal(record[12], 10);
    *pool = record[13];
    return get_u16(record + 14);
}

static inline struct plan *compile_simple(const struct policy *policy, uint64_t sticky_key)
{
    return plan_compile(policy, TYPE_A, 60, NULL, NULL, sticky_key);
}

// Client networks that follow each other, as the hash gets them.
static inline struct address client_ipv4(uint32_t network)
{
    return address_from_key(FAMILY_IPV4, (uint64_t)network << 40);
}

static inline struct address client_ipv6(uint32_t network)
{
    return address_from_key(FAMILY_IPV6, UINT64_C(0x20010db800000000) + ((uint64_t)network << 8));
}

static uint32_t plan_turns[TURNS_COUNT];

// The short way to one record agrees with the long one wherever it is open. Turns are not drawn:
// there it gives the next record, of the same size.
static inline void check_pick_one(const struct plan *plan, const struct address *client,
                                  const struct pick *pick, uint64_t before, uint64_t after)
{
    static uint32_t turns[TURNS_COUNT];
    uint64_t random = before;
    struct dice dice = {&random, turns, 7};
    struct lpm_seek seek;
    plan_seek(&seek, plan, client);
    lpm_seek_end(&seek, 1);
    struct picked one = plan_pick_one(plan, territory_match_of(*seek.leaf), &dice);
    if (one.record == NULL) {
        assert_true(random == before);
        return;
    }
    assert_int_equal(pick->kind, PICK_MEMBERS);
    assert_int_equal(pick->count, 1);
    assert_int_equal(one.scope, pick->scope);
    assert_int_equal(one.size, pick->sizes[0]);
    assert_true(random == after);
    if (random != before) {
        assert_ptr_equal(one.record, pick->records[0]);
    }
}

// How far a count of independent draws may lie from its expectation: farther is chance in less than
// one case of 10^13, whatever the share (Bernstein's inequality).
static inline double chance_bound(double share, double draws)
{
    const double exponent = 30;
    return sqrt(2 * exponent * share * fmax(1 - share, 0) * draws) + 2 * exponent / 3;
}

static inline struct pick pick_once(const struct plan *plan, const struct address *client,
                                    uint64_t *random)
{
    struct dice dice = {random, plan_turns, 7};
    struct pick pick;
    memset(&pick, 0xee, sizeof(pick));
    const uint64_t before = *random;
    plan_pick(plan, client, &dice, &pick);
    check_pick_one(plan, client, &pick, before, *random);
    return pick;
}
