// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of the policy compiler, shared by plan_compile.c (which rule, which choice),
// plan_members.c (which members), plan_weights.c (with which weights), plan_groups.c (pools with a
// method of their own) and plan_choices.c (the bytes). One compilation, one thread.
#pragma once

#include "steer/plan_internal.h"

// A member that a choice may hold: a value, wherever in the tree of pools it is written; or a
// group.
struct leaf {
    const struct member *member; // NULL: a group
    struct group *group;
    uint16_t pool, index; // where it is written; pool NOT_ONE: the values
    uint64_t weight;      // in proportion to the other leaves
    uint32_t rank;        // lower first, where the method orders
    bool is_pool;         // comes from a pool with a method of its own, or is one
    uint64_t identity;    // what clients are kept to; 0: the member's own
};

struct leaves {
    struct leaf *items;
    size_t count, capacity;
};

// What a pool with a method of its own gives to the pool that it stands in: one entry, within which
// its own method chooses.
struct group {
    const struct pool *pool; // the one that answers, perhaps a fallback
    enum method method;
    struct leaves leaves;
};

// Which members are good enough, from strict to lenient.
enum accept {
    ACCEPT_USABLE,    // up, as far as anybody knows
    ACCEPT_DRAINED,   // up, but an operator has drained it
    ACCEPT_LAST_GOOD, // possible, and went down last
    ACCEPT_POSSIBLE,  // down, but by a check that may be wrong
    ACCEPT_ANY,       // out by an operator's word at run time: better than an empty answer
};

// What the members of a pool come to; worked out once a compilation.
struct pool_state {
    bool known;
    int resolved;         // the pool that answers for it (itself or a fallback), -1: none
    size_t usable;        // entries that are usable
    uint32_t change_in_s; // when a check below it could first change something; 0: never
};

// An open table of numbers by hash; what equal means is the caller's.
struct slots {
    uint32_t *items; // number + 1; 0: free
    size_t size, count;
};
struct choice_tables {
    struct slots records, choices, details;
};

struct compiler {
    const struct policy *policy;
    const struct health_source *health;
    uint16_t type;
    uint32_t ttl;
    struct plan *plan;
    struct pool_state *states;    // of each pool
    struct territory_class class; // that is being compiled
    uint16_t *place_of;           // each site's place in the order of the class; NULL: no order
    enum method method;           // by which `leaves` are chosen from
    unsigned wanted;              // records of an answer, as far as there are members
    struct leaves leaves;         // members of the choice being made
    struct arena *groups;         // among them; NULL: none
    uint32_t shed_level;          // of the clients that it is for, members_sheds
    int64_t last_good_ns;         // when the members that `all_down: last_good` wants went down
    struct choice_tables tables;
};

// --- plan_members.c: step 3

// First pool of the chain with enough usable members; failing that, the first with any; else -1.
int members_resolve(struct compiler *c, int first);
// When a check could first change what the chain gives, in seconds; 0: never.
uint32_t members_change_in_s(struct compiler *c, int first);
// The sooner of two such moments.
static inline uint32_t sooner(uint32_t a, uint32_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}
// Load feedback for methods without weights: a member sheds a share of its clients, by the places
// that shares of rules go by. Clients at a level from 0 to 999,999 get the members that shed no
// more than it. Fills the levels at which members of the pool come in, ascending, and returns their
// number. Members at their limit are in for nobody while there are others.
enum { SHED_LEVELS_MAX = 16 };
size_t members_sheds(struct compiler *c, int pool, uint32_t levels[SHED_LEVELS_MAX]);

// Takes what the pool gives into `leaves`, with weights, no value twice. Their number.
size_t members_take(struct compiler *c, int pool, enum accept accept);
size_t members_take_values(struct compiler *c, enum accept accept);
// When nothing of the chain is usable: takes what `all_down` wants and returns the pool that it is
// from, or -1 for the values. Nothing is taken only when no member may ever be used.
int members_take_all_down(struct compiler *c, int first);

// How many of the pool must be usable for it to answer.
size_t members_min_up(const struct pool *pool);
// What is known about a member beside its document.
struct member_view members_view(const struct compiler *c, const struct member *member);

// --- plan_weights.c

// Weights of leaves from `begin` on that stand for fractions of one common denominator.
struct weights {
    struct leaf *leaves;
    size_t begin, end;
    uint64_t denominator;
};
// The leaves from weights->end to `end` get numerator/denominator of one between them, in the
// proportion that they have now. Exact while the common denominator fits into 32 bits, else to
// within 2^-32 of the whole.
void weights_join(struct weights *weights, size_t end, uint64_t numerator, uint64_t denominator);
// The values of leaves once each, with the sum of their weights, scaled to fit into 32 bits. Those
// that have come from pools with a method stay apart, unless it is `all` leaves that melt.
void leaves_settle(struct leaves *leaves, bool all);

// --- plan_groups.c: pools with a method of their own

// The class whose members are taken from now on.
void compiler_class(struct compiler *c, struct territory_class class);
// How far the member's site is down the order of the class.
uint32_t place_rank(const struct compiler *c, const struct member *member);
// The leaves as their method has them: equal ones melted, nearest first. `pool` is the one whose
// own method it is, or NULL.
void leaves_arrange(struct compiler *c, enum method method, const struct pool *pool,
                    struct leaves *leaves);
// The leaves from `begin` on, which the pool has given, become one. `from`: the pool as written.
void group_close(struct compiler *c, size_t begin, const struct pool *pool,
                 const struct pool *from);
// Ends the groups of the choice before.
void groups_free(struct compiler *c);
// Values among leaves and in their groups, each way counted.
size_t leaves_values(const struct leaves *leaves);
// Whether one of the values is `which`.
bool leaves_any(const struct compiler *c, const struct leaves *leaves,
                bool (*which)(const struct compiler *c, const struct member *member));
// Leaves of c->leaves what an answer may need, with groups only where a method must be asked when
// the query comes: a fixed order is followed, one draw within another is one draw. May change
// c->method.
void groups_simplify(struct compiler *c);
// Whether it takes a tree to answer: groups are left, or values that stand there twice.
bool groups_need_tree(const struct compiler *c);
// c->leaves as nodes among the plan's choices. The root, and what its answers may come to.
struct tree {
    uint32_t root;
    bool hashed;     // the client's hash decides who is in an answer
    uint32_t effort; // in members that `sticky` weighs
    size_t answers;
};
struct tree tree_add(struct compiler *c, uint32_t ttl);

// --- plan_choices.c: step 4 and the bytes

// Appends a leaf, a group by its node. Where the record is there, it is shared.
void choice_member_add(struct compiler *c, const struct leaf *leaf, uint32_t inner, uint32_t ttl);
// What it costs to draw its answer, in members that `sticky` weighs.
uint32_t choice_effort(const struct choice *choice);
// Puts the choice, whose members were added last, among the others and returns its index; that of
// an equal one when there is one.
uint32_t choice_intern(struct compiler *c, const struct choice *choice);

// Ends the tables of a compilation.
void choice_tables_free(struct choice_tables *tables);

// Adds a way to answer, from the leaves if it is one of members, and returns its index among the
// details. Where an equal answer is there, it is shared.
uint32_t choice_add(struct compiler *c, struct choice_detail detail, struct choice choice);
// The detail that was made for the same reasons, or NO_CHOICE.
uint32_t choice_find(const struct compiler *c, const struct choice_detail *detail);
