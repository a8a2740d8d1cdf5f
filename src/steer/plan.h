// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct plan: the compiled policy of one steered RRset: class of clients -> choice of members,
// with the wire bytes of every member's record.
//
// plan_compile runs steps 2 to 5 of the decision (docs/architecture.md) for every class at once, on
// the control thread, whenever the policy, the geo data or a check changes. plan_pick is what is
// left for the query: a look-up and a turn, a draw or a hash. Immutable; any thread may pick.
#pragma once

#include "base/address.h"
#include "dns/types.h"
#include "steer/territory.h"
#include "zone/policy.h"

enum { PLAN_ANSWERS_MAX = 64, PLAN_MEMBERS_MAX = 4096 };

// Method `sticky` weighs all members and ranks those who have drawn best. With more members than
// this an answer has at most so many of them, so that it costs no more than other answers may.
enum { STICKY_MANY = 2400, STICKY_MANY_ANSWERS = 24 };

// Answers through pools with methods of their own: at most so many records, so that they cost no
// more than others may; one where values stand there more than once oftener than that.
enum { TREE_ANSWERS_MAX = 16, TREE_TWINS_MAX = PLAN_ANSWERS_MAX - TREE_ANSWERS_MAX };

// Client networks are hashed at these lengths for `sticky` and `share`; their scope never goes
// wider.
enum { CLIENT_HASH_LENGTH_IPV4 = 24, CLIENT_HASH_LENGTH_IPV6 = 56 };

enum member_health { HEALTH_UNCHECKED, HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

// What an operator has said about a member, over whatever its check says.
enum member_override { OVERRIDE_NONE, OVERRIDE_UP, OVERRIDE_DOWN };

// What is known about a member beside its document. All zero: nothing, and it is used as written.
struct member_view {
    enum member_health health;
    uint32_t change_in_s; // health/health.h, check_view
    int64_t since_ns;     // when the health last changed, for `all_down: last_good`
    enum member_override override;
    bool drained;          // gets no new clients while there are others that are up
    bool has_load;         // it has reported `load`
    double load;           // in the unit of the targets that it is held against
    int64_t load_since_ns; // when it was reported
    uint32_t shed_ppm;     // the part of its weight, in millionths, that load has taken away
};

// How the compiler learns a member's state, checked or not; pure with respect to one compilation.
struct health_source {
    struct member_view (*view)(void *state, const struct member *member);
    void *state;
};

struct plan;

// Compiles. `territory` is the policy's (or NULL); the plan borrows it: it must outlive the plan.
// `health` may be NULL: nothing is known about any member.
// `sticky_key` keys the client hash (the same on every server of a deployment).
struct plan *plan_compile(const struct policy *policy, uint16_t type, uint32_t ttl,
                          const struct territory *territory, const struct health_source *health,
                          uint64_t sticky_key);
void plan_free(struct plan *plan); // NULL allowed
// The territory that the plan was compiled for.
const struct territory *plan_territory(const struct plan *plan);

// Classes with equal answers are one group: numbers groups from 0 in `group_of_class` (an entry
// each class of plan_territory) and returns how many there are.
size_t plan_groups(const struct plan *plan, uint32_t *group_of_class);
// Before the plan is published: lets queries look up their group instead of their class, so that
// scopes are as wide as equal answers allow. `projection` is territory_project of plan_territory by
// these groups, and must outlive the plan; NULL: there is one group.
void plan_project(struct plan *plan, const struct territory *projection);
// Bytes held; of tables that plans share its part.
size_t plan_size(const struct plan *plan);

// Plans of equal content keep their tables once. Control thread, as is plan_free of a plan that
// shares; the set must outlive its plans.
struct plan_shares;
// An empty set; the caller's.
struct plan_shares *plan_shares_new(void);
void plan_shares_free(struct plan_shares *set);          // no plan may share any more
size_t plan_shares_count(const struct plan_shares *set); // distinct tables
// Before the plan is published, after plan_project.
void plan_share(struct plan_shares *set, struct plan *plan);

// What decides within a choice, besides the client: a worker's generator and its turn counters.
// Each choice of each RRset counts its own turns (as far as TURNS_COUNT allows), so that clients of
// different lines who ask by turns do not disturb each other's rotation.
enum { TURNS_COUNT = 1 << 16 };

struct dice {
    uint64_t *random;
    uint32_t *turns;    // TURNS_COUNT counters
    uint32_t turn_base; // the RRset's first counter
};

static inline uint32_t dice_turn(const struct dice *dice, uint32_t choice)
{
    return dice->turns[(dice->turn_base + choice * 40503U) & (TURNS_COUNT - 1)]++;
}

enum pick_kind { PICK_MEMBERS, PICK_NODATA, PICK_SERVFAIL };

// Whether members answer though none is usable, as `all_down` says.
enum failed_open { OPEN_NOT, OPEN_ALL, OPEN_LAST_GOOD };

struct pick {
    enum pick_kind kind;
    enum failed_open failed_open;
    uint8_t scope; // ECS scope: 0..32 or 0..64
    uint32_t ttl;
    size_t count;                             // records in answer order
    const uint8_t *records[PLAN_ANSWERS_MAX]; // each: owner pointer 0xC00C, type, class, TTL,
    uint32_t sizes[PLAN_ANSWERS_MAX];         //       RDLENGTH, rdata; `sizes` bytes long
};

// The decision for one query. No lock, no allocation, no system call.
void plan_pick(const struct plan *plan, const struct address *client, const struct dice *dice,
               struct pick *pick);
// The same for a client that plan_locate or plan_seek (steer/plan_pick_one.h) has found.
void plan_pick_located(const struct plan *plan, const struct address *client,
                       struct territory_match match, const struct dice *dice, struct pick *pick);

// What a pick may cost beyond a turn or one draw, in members that `sticky` weighs against each
// other (some seven instructions each). An answer of several decisions bounds their sum by it.
size_t plan_effort_max(const struct plan *plan);

// Brings the plan nearer to the processor; plan_prefetch_tables (steer/plan_pick_one.h) goes on
// from there.
static inline void plan_prefetch(const struct plan *plan)
{
    __builtin_prefetch(plan);
}

// The inside of a choice, for explain and simulate. Choices are numbered by the reasons that led to
// them: two of them may be one answer (plan_groups).
struct plan_choice_view {
    enum pick_kind kind;
    int rule;         // index of the rule that led here, -1: none matched
    int pool;         // the pool that answers, after fallbacks; -1: top-level values
    bool failed_open; // all were down and `all_down` decided
    uint32_t ttl;
    size_t answer_count; // records of an answer
    size_t usable_count; // members that were there to choose from
    size_t member_count; // members that may be answered: fewer than usable where the order is fixed
    uint32_t share_ppm;  // 1,000,000 unless the rule takes a share
    int otherwise;       // choice for clients outside the share, or -1
    enum method method;  // of the pool that answers
    bool sticky;         // the members are compared by their costs, plan_sticky_cost
    bool nested;         // drawn through pools with methods of their own
};
size_t plan_choice_count(const struct plan *plan);
struct plan_choice_view plan_choice(const struct plan *plan, size_t index);
// The choice that plan_pick takes for the client.
size_t plan_choice_of_client(const struct plan *plan, const struct address *client);
// The member at `place` (below member_count) of a choice. Of a nested one members may stand in it
// more than once, and have the weight that they have in the innermost pool.
struct plan_member_view {
    int pool;        // the pool that it is written in (a nested one may be); -1: top-level values
    size_t index;    // in that pool, or in the values
    uint32_t weight; // effective: after nesting and load
};
struct plan_member_view plan_choice_member(const struct plan *plan, size_t choice, size_t place);
// First choice of a class of plan_territory (class 0 when there is no territory).
size_t plan_class_choice(const struct plan *plan, uint32_t class_index);
// The client's place in 0..999,999 that shares are cut from: the first share of a chain of rules
// takes the places below it, the next one those that follow.
uint32_t plan_share_of_client(const struct plan *plan, const struct address *client);
