// SPDX-License-Identifier: GPL-3.0-or-later
//
// One decision, told. Rules are walked in order as the compiler's classes have them, pools through
// the compiler itself, so that what is told is what was done; a property test holds both against
// the choices of the plan and against a walk of its own.
#include "steer/explain.h"

#include "base/memory.h"
#include "steer/compiler.h"
#include "steer/rule.h"

const char *const rule_verdict_texts[RULE_VERDICTS] = {
    [RULE_DECIDES] = "decides",
    [RULE_NOT_HELD] = "does not hold the client",
    [RULE_OUTSIDE_SHARE] = "holds the client, outside its share",
    [RULE_NO_USABLE] = "holds the client, no usable member",
    [RULE_NOT_REACHED] = "not reached",
};

const char *const pool_verdict_texts[POOL_VERDICTS] = {
    [POOL_ANSWERS] = "answers",
    [POOL_TOO_FEW] = "too few are usable: its fallback is taken",
    [POOL_EMPTY] = "none is usable",
    [POOL_BEST_YET] = "too few are usable, but nothing behind it is better: answers",
};

struct explanation {
    const struct policy *policy;
    const struct lines *lines;
    const struct geo *geo;
    struct address client;
    struct compiler compiler; // step 3 of it
    enum rule_verdict *verdicts;
    uint32_t *places;
    int decides;
};

static bool rule_has_usable(struct explanation *x, const struct rule *rule)
{
    return members_resolve(&x->compiler, (int)rule->pool) >= 0;
}

// Flat form: the first rule that holds the client and has somebody; else the first that holds it.
static int decide_flat(struct explanation *x)
{
    int first = -1, decides = -1;
    for (size_t i = 0; i < x->policy->rule_count; i++) {
        const struct rule *rule = &x->policy->rules[i];
        bool holds = rule_holds_client(rule, x->lines, x->geo, &x->client);
        x->verdicts[i] = !holds ? RULE_NOT_HELD : decides >= 0 ? RULE_NOT_REACHED : RULE_NO_USABLE;
        first = holds && first < 0 ? (int)i : first;
        if (holds && decides < 0 && rule_has_usable(x, rule)) {
            decides = (int)i;
        }
    }
    return decides >= 0 ? decides : first;
}

// Elsewhere the first that holds the client and whose share takes it; shares lie side by side.
static int decide_in_order(struct explanation *x, uint32_t place)
{
    int decides = -1;
    for (size_t i = 0; i < x->policy->rule_count; i++) {
        const struct rule *rule = &x->policy->rules[i];
        bool holds = rule_holds_client(rule, x->lines, x->geo, &x->client);
        x->places[i] = place;
        x->verdicts[i] = holds ? RULE_NOT_REACHED : RULE_NOT_HELD;
        if (!holds || decides >= 0) {
            continue;
        }
        if (rule_share_ppm(rule) > place) {
            decides = (int)i;
        } else {
            x->verdicts[i] = RULE_OUTSIDE_SHARE;
            place -= rule_share_ppm(rule);
        }
    }
    return decides;
}

struct explanation *explanation_new(const struct policy *policy, const struct plan *plan,
                                    const struct health_source *health, const struct lines *lines,
                                    const struct geo *geo, const struct address *client)
{
    struct explanation *x = mem_alloc(sizeof(*x));
    x->policy = policy;
    x->lines = lines;
    x->geo = geo;
    x->client = *client;
    x->compiler = (struct compiler){.policy = policy, .health = health};
    x->compiler.states = mem_alloc_array(policy->pool_count, sizeof(*x->compiler.states));
    x->verdicts = mem_alloc_array(policy->rule_count, sizeof(*x->verdicts));
    x->places = mem_alloc_array(policy->rule_count, sizeof(*x->places));
    x->decides = policy->form == FORM_FLAT ? decide_flat(x)
                                           : decide_in_order(x, plan_share_of_client(plan, client));
    if (x->decides >= 0) {
        x->verdicts[x->decides] = RULE_DECIDES;
    }
    return x;
}

void explanation_free(struct explanation *x)
{
    free(x->compiler.states);
    free(x->verdicts);
    free(x->places);
    free(x);
}

enum rule_verdict explanation_rule(const struct explanation *x, size_t rule)
{
    SP_ASSERT(rule < x->policy->rule_count);
    return x->verdicts[rule];
}

int explanation_deciding_rule(const struct explanation *x)
{
    return x->decides;
}

uint32_t explanation_place(const struct explanation *x, size_t rule)
{
    SP_ASSERT(rule < x->policy->rule_count);
    return x->places[rule];
}

size_t explanation_pools(struct explanation *x, struct pool_trace traces[POOLS_MAX])
{
    if (x->decides < 0) {
        return 0;
    }
    int at = (int)x->policy->rules[x->decides].pool;
    int answers = members_resolve(&x->compiler, at);
    size_t count = 0;
    for (; at >= 0 && count < x->policy->pool_count; at = x->policy->pools[at].fallback) {
        members_resolve(&x->compiler, at);
        struct pool_trace *trace = &traces[count++];
        *trace = (struct pool_trace){.pool = (size_t)at,
                                     .usable = x->compiler.states[at].usable,
                                     .wanted = members_min_up(&x->policy->pools[at])};
        bool enough = trace->usable >= trace->wanted;
        trace->verdict = at == answers        ? enough ? POOL_ANSWERS : POOL_BEST_YET
                         : trace->usable == 0 ? POOL_EMPTY
                                              : POOL_TOO_FEW;
        if (trace->verdict == POOL_ANSWERS) {
            break;
        }
    }
    return count;
}

int explanation_answers_for(struct explanation *x, size_t pool)
{
    return members_resolve(&x->compiler, (int)pool);
}

bool explanation_usable(struct explanation *x, const struct member *member)
{
    if (member->pool != NULL) {
        bool there = !member->disabled && member->status != STATUS_DOWN;
        return there && members_resolve(&x->compiler, (int)(member->pool - x->policy->pools)) >= 0;
    }
    struct member_view view = members_view(&x->compiler, member);
    return member_standing(member, &view) == MEMBER_USABLE;
}
