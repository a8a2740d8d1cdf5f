// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a plan for explain and simulate: the same tables that answer, read out.
#include "steer/plan_internal.h"

#include "base/memory.h"

const struct territory *plan_territory(const struct plan *plan)
{
    return plan->base;
}

size_t plan_effort_max(const struct plan *plan)
{
    return plan->effort_max;
}

// --- groups

size_t plan_groups(const struct plan *plan, uint32_t *group_of_class)
{
    uint32_t *group_of_choice = mem_alloc_array(plan->choice_count, sizeof(*group_of_choice));
    size_t count = 0;
    for (size_t i = 0; i < plan->base_class_count; i++) {
        uint32_t *group = &group_of_choice[plan->details[plan->detail_of_class[i]].taken];
        if (*group == 0) {
            *group = (uint32_t)++count;
        }
        group_of_class[i] = *group - 1;
    }
    free(group_of_choice);
    return count;
}

void plan_project(struct plan *plan, const struct territory *projection)
{
    uint32_t *group_of_class = mem_alloc_array(plan->base_class_count, sizeof(*group_of_class));
    size_t count = plan_groups(plan, group_of_class);
    SP_ASSERT(projection ? territory_class_count(projection) == count : count == 1);
    plan->territory = projection;
    plan->class_count = count;
    plan->choice_of_class = mem_resize(plan->choice_of_class, count, sizeof(uint32_t));
    for (size_t i = 0; i < plan->base_class_count; i++) {
        plan->choice_of_class[group_of_class[i]] = plan->details[plan->detail_of_class[i]].taken;
    }
    free(group_of_class);
}

// --- choices

size_t plan_choice_count(const struct plan *plan)
{
    return plan->detail_count;
}

size_t plan_class_choice(const struct plan *plan, uint32_t class_index)
{
    SP_ASSERT(class_index < plan->base_class_count);
    return plan->detail_of_class[class_index];
}

static int index_or_none(uint16_t index)
{
    return index == NOT_ONE ? -1 : index;
}

struct plan_choice_view plan_choice(const struct plan *plan, size_t index)
{
    SP_ASSERT(index < plan->detail_count);
    const struct choice_detail *detail = &plan->details[index];
    const struct choice *choice = &plan->choices[detail->choice];
    return (struct plan_choice_view){
        .kind = choice_pick_kind(choice),
        .rule = index_or_none(detail->rule),
        .pool = index_or_none(detail->pool),
        .failed_open = detail->failed_open,
        .ttl = choice->ttl,
        .answer_count = choice->answer_count,
        .usable_count = detail->usable_count,
        .member_count = choice->member_count,
        .share_ppm = detail->share_ppm,
        .otherwise = detail->otherwise == NO_CHOICE ? -1 : (int)detail->otherwise,
        .method = (enum method)detail->method,
        .sticky = choice->method == METHOD_STICKY,
        .nested = choice->method == METHOD_NESTED,
    };
}

size_t plan_choice_of_client(const struct plan *plan, const struct address *client)
{
    uint32_t class_index = plan->base ? territory_lookup(plan->base, client).class_index : 0;
    uint32_t at = plan->detail_of_class[class_index];
    uint32_t place = plan_share_of_client(plan, client);
    while (plan->details[at].share_ppm <= place && plan->details[at].otherwise != NO_CHOICE) {
        place -= plan->details[at].share_ppm;
        at = plan->details[at].otherwise;
    }
    return at;
}

struct plan_member_view plan_choice_member(const struct plan *plan, size_t choice, size_t place)
{
    SP_ASSERT(choice < plan->detail_count);
    const struct choice_detail *detail = &plan->details[choice];
    SP_ASSERT(place < plan->choices[detail->choice].member_count);
    const struct choice_member *member = &plan->members[detail->first_member + place];
    return (struct plan_member_view){
        .pool = index_or_none(member->pool), .index = member->index, .weight = member->weight};
}
