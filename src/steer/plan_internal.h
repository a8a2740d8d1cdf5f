// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a plan, shared by the compiler (writes it once) and plan_pick.c (reads it).
#pragma once

#include "base/hash.h"
#include "base/memory.h"
#include "steer/plan.h"

enum { SHARE_ALL = 1000000 };

// One way to answer: some members, an order, a TTL. The query path reads only this and the records.
// Equal ones are stored once, whatever led to them.
struct choice {
    uint8_t kind;          // choice_kind: enum pick_kind, and in the upper half enum failed_open
    uint8_t method;        // enum method, or METHOD_NESTED
    uint16_t member_count; // where the order is fixed only as many as are answered
    uint16_t answer_count; // records of an answer, 1..PLAN_ANSWERS_MAX
    bool is_one;           // one record for all clients who come here: plan_pick_one
    bool hashed;           // the client's hash decides who is in the answer
    uint32_t ttl;
    uint32_t share_ppm;    // this part of the clients takes this choice
    uint32_t otherwise;    // the others take this one; NO_CHOICE
    uint32_t first_member; // index into the plan's member arrays
    union {
        uint64_t weight_sum; // weighted
        uint64_t reach;      // sticky: the filter lets all pass whose cost a weight is not above
        uint64_t root;       // METHOD_NESTED: the choice that the draws begin at
    };
};

// The members are drawn through a tree of choices, its nodes, which are nobody's answer by
// themselves (steer/plan_tree.h). Those of this choice are its leaves in the order of the tree, for
// explain and simulate.
enum { METHOD_NESTED = METHOD_COUNT };

// One octet, so that the query path leaves all that is unusual by one comparison.
enum { CHOICE_OPEN_SHIFT = 4 };
static inline uint8_t choice_kind(enum pick_kind kind, enum failed_open open)
{
    return (uint8_t)((unsigned)kind | (unsigned)open << CHOICE_OPEN_SHIFT);
}
static inline enum pick_kind choice_pick_kind(const struct choice *choice)
{
    return (enum pick_kind)(choice->kind & ((1 << CHOICE_OPEN_SHIFT) - 1));
}

// Why a choice is taken: for explain and simulate, never read by the query path.
struct choice_detail {
    uint32_t choice; // its answer
    uint32_t taken;  // what the query takes: `choice`, or what its share leaves of it
    uint32_t first_member;
    uint32_t usable_count; // members that were there to choose from
    uint32_t share_ppm;    // of the rule
    uint32_t otherwise;    // the detail for clients outside the share; NO_CHOICE
    uint32_t order;        // of the sites, as the territory numbers them; 0: as written
    uint16_t rule, pool;   // NOT_ONE: no rule, top-level values
    bool failed_open;
    uint8_t method; // enum method, of the pool that answers
    uint8_t zero[2];
};

enum { NOT_ONE = UINT16_MAX };

#define NO_CHOICE UINT32_MAX

// A member within a choice.
struct choice_member {
    size_t record_offset; // into records
    uint32_t record_size;
    uint16_t index, pool; // where it is written; pool NOT_ONE: the values
    uint32_t weight;
    uint32_t inner; // in a node: the choice that stands here, + 1; 0: a record
    union {
        // Weighted, an alias table (Walker, Vose): a draw picks a column, then the column itself
        // when a second draw is below `cut`, else `alias`.
        struct {
            uint32_t cut;
            uint16_t alias;
            uint16_t none;
        };
        uint64_t least; // sticky: who draws less is not among the first (steer/plan_sticky.h)
    };
    union {
        uint64_t identity; // member_identity
        uint64_t before;   // weighted: the weights of those that stand before it
    };
};

// Weighted: who holds the ticket, a number below the weights of all `count` members.
static inline size_t member_of_ticket(const struct choice_member *members, size_t count,
                                      uint64_t ticket)
{
    size_t low = 0;
    for (size_t high = count; high - low > 1;) {
        const size_t middle = (low + high) / 2;
        if (members[middle].before <= ticket) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

struct plan {
    // A cache line of what the query path reads.
    _Alignas(CACHE_LINE) const struct territory *territory; // which has the client's class; NULL: 0
    uint32_t *choice_of_class;                              // of that territory
    struct choice *choices;
    struct choice_member *members;
    uint8_t *records;
    uint64_t sticky_key;
    uint32_t effort_max;        // of a pick, plan_effort_max
    struct plan_tables *tables; // that hold the arrays for several plans; NULL: they are its own
    // Of the arrays above.
    size_t class_count;
    size_t choice_count, choice_capacity;
    size_t member_count, member_capacity;
    size_t record_size, record_capacity;
    // For explain: the policy's own territory, finer than the one above where answers are equal.
    const struct territory *base;
    uint32_t *detail_of_class;
    size_t base_class_count;
    struct choice_detail *details;
    size_t detail_count, detail_capacity;
};

_Static_assert(offsetof(struct plan, class_count) == CACHE_LINE, "plan_prefetch takes one line");
_Static_assert(sizeof(struct choice) == 32 && sizeof(struct choice_detail) == 36 &&
                   sizeof(struct choice_member) == 40,
               "no padding: plan_share compares bytes");

// The hash of the client's network, from which shares are cut and sticky members drawn.
uint64_t plan_client_hash(const struct plan *plan, const struct address *client);
