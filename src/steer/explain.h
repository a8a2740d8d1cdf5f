// SPDX-License-Identifier: GPL-3.0-or-later
//
// Why a client gets its answer: what each rule, pool and member came to, and why. Step by step the
// same code and tables that compile and answer. Pure; control thread.
#pragma once

#include "geo/geo.h"
#include "geo/lines.h"
#include "steer/plan.h"

// What decides whether a member is in, in this order. member_standing is what the compiler asks.
enum member_standing {
    MEMBER_USABLE,
    MEMBER_PAUSED,     // its document says so
    MEMBER_DRAINED,    // an operator says so
    MEMBER_OVERRIDDEN, // an operator says that it is down
    MEMBER_SAID_DOWN,  // its document says that it is down
    MEMBER_CHECK_DOWN,
    MEMBER_NO_RESULT, // its check has none yet
    MEMBER_STANDINGS
};
enum member_standing member_standing(const struct member *member, const struct member_view *view);

enum rule_verdict {
    RULE_DECIDES,
    RULE_NOT_HELD,      // none of its targets holds the client
    RULE_OUTSIDE_SHARE, // holds it, but its share does not take the client's network
    RULE_NO_USABLE,     // flat form: holds it and has no usable member
    RULE_NOT_REACHED,   // an earlier rule decides
    RULE_VERDICTS
};
extern const char *const rule_verdict_texts[RULE_VERDICTS];

enum pool_verdict {
    POOL_ANSWERS,
    POOL_TOO_FEW,  // gives way to its fallback
    POOL_EMPTY,    // nothing in it is usable
    POOL_BEST_YET, // too few, but nothing behind it is better: it answers all the same
    POOL_VERDICTS
};
extern const char *const pool_verdict_texts[POOL_VERDICTS];

struct pool_trace {
    size_t pool;
    size_t usable, wanted; // members
    enum pool_verdict verdict;
};

struct explanation;

// Works out one decision. All arguments must outlive it; `health` is what the plan was compiled
// with.
struct explanation *explanation_new(const struct policy *policy, const struct plan *plan,
                                    const struct health_source *health, const struct lines *lines,
                                    const struct geo *geo, const struct address *client);
void explanation_free(struct explanation *explanation);

// 2. One verdict a rule; the rule that decides, -1 for none (the top-level values answer).
enum rule_verdict explanation_rule(const struct explanation *explanation, size_t rule);
int explanation_deciding_rule(const struct explanation *explanation);
// The client's place among 0..999,999 within what the shares before this rule left over.
uint32_t explanation_place(const struct explanation *explanation, size_t rule);
// 3. The chain from the deciding rule's pool to the one that answers, or to its end when none has
// enough; at most POOLS_MAX, the number is returned.
size_t explanation_pools(struct explanation *explanation, struct pool_trace traces[POOLS_MAX]);
// Whether an entry of a pool counts as usable; for a pool in a pool: whether that gives anything.
bool explanation_usable(struct explanation *explanation, const struct member *member);

// The pool that answers where this one stands: itself or one of its fallbacks, -1 for none.
int explanation_answers_for(struct explanation *explanation, size_t pool);

// 4. What `sticky` compares: the member of a choice with the lowest cost for the client comes
// first.
double plan_sticky_cost(const struct plan *plan, size_t choice, size_t place,
                        const struct address *client);
