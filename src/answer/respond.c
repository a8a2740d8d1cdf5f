// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the fast path and the full algorithm both ask of a response in the making. See respond.h.
#include "answer/respond.h"

#include "answer/options.h"
#include "steer/plan_pick_one.h"

void response_failed_open(struct response *response, enum failed_open open)
{
    if (open != OPEN_NOT) {
        response_error(response, open == OPEN_LAST_GOOD ? EDE_STALE_ANSWER : EDE_OTHER,
                       "no member is usable");
    }
}

static const struct plan *plan_of(const struct response *response, const struct node_rrset *rrset)
{
    return vector_get(response->generation->plans, rrset->plan - 1);
}

bool response_may_pick(const struct response *response, const struct node_rrset *rrset,
                       enum need need)
{
    size_t effort = rrset->plan == 0 ? 0 : plan_effort_max(plan_of(response, rrset));
    if (effort == 0) {
        return true;
    }
    effort += response->effort;
    return need == NEED_ANSWER
               ? effort + (size_t)response->followed * FOLLOWED_EFFORT <= ANSWER_EFFORT_MAX
               : effort <= RESPONSE_EFFORT_MAX;
}

void response_pick(struct response *response, const struct node_rrset *rrset, struct pick *pick)
{
    const struct plan *plan = plan_of(response, rrset);
    struct dice dice = {&response->worker->random, response->worker->turns, rrset->turn};
    if (plan->territory != response->territory) {
        response->territory = plan->territory;
        response->match = plan_locate(plan, &response->client);
    }
    plan_pick_located(plan, &response->client, response->match, &dice, pick);
    asked_note(&response->worker->asked, rrset->plan);
    response->effort += (uint32_t)plan_effort_max(plan);
    response_failed_open(response, pick->failed_open);
    response->scope = MAX(response->scope, pick->scope);
    counter_add(&response->worker->counters.steered);
}

size_t response_rotation(struct response *response, const struct node_rrset *rrset)
{
    SP_DEBUG_ASSERT(rrset->record_size != 0); // only addresses are rotated
    struct dice dice = {&response->worker->random, response->worker->turns, rrset->turn};
    return (size_t)(dice_turn(&dice, 0) % rrset->count) * rrset->record_size;
}

static struct decided *decided_of(struct response *response, const struct node_rrset *rrset)
{
    SP_DEBUG_ASSERT(rrset->type == TYPE_A || rrset->type == TYPE_AAAA);
    return &response->worker->decided[rrset->type == TYPE_AAAA];
}

const struct pick *response_pick_once(struct response *response, const struct node_rrset *rrset)
{
    struct decided *decided = decided_of(response, rrset);
    if (decided->picked != rrset) {
        response_pick(response, rrset, &decided->pick);
        decided->picked = rrset;
    }
    return &decided->pick;
}

size_t response_rotation_once(struct response *response, const struct node_rrset *rrset)
{
    struct decided *decided = decided_of(response, rrset);
    if (decided->rotated != rrset) {
        decided->offset = response_rotation(response, rrset);
        decided->rotated = rrset;
    }
    return decided->offset;
}
