// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a plan for explain and simulate: the same tables that answer, read out.
#include "steer/plan_internal.h"

#include "base/memory.h"

const struct territory *plan_territory(const struct plan *plan)
{
    return plan->territory;
}

size_t plan_size(const struct plan *plan)
{
    return sizeof(*plan) + plan->class_count * sizeof(*plan->choice_of_class) +
           plan->choice_capacity * sizeof(*plan->choices) +
           plan->member_capacity * sizeof(*plan->members) + plan->record_capacity;
}

size_t plan_choice_count(const struct plan *plan)
{
    return plan->choice_count;
}

size_t plan_class_choice(const struct plan *plan, uint32_t class_index)
{
    SP_ASSERT(class_index < plan->class_count);
    return plan->choice_of_class[class_index];
}

static int index_or_none(uint16_t index)
{
    return index == NOT_ONE ? -1 : index;
}

struct plan_choice_view plan_choice(const struct plan *plan, size_t index)
{
    SP_ASSERT(index < plan->choice_count);
    const struct choice *choice = &plan->choices[index];
    return (struct plan_choice_view){
        .kind = (enum pick_kind)choice->kind,
        .rule = index_or_none(choice->rule),
        .pool = index_or_none(choice->pool),
        .failed_open = choice->failed_open,
        .ttl = choice->ttl,
        .answer_count = choice->answer_count,
        .member_count = choice->member_count,
        .share_ppm = choice->share_ppm,
        .otherwise = choice->otherwise == NO_CHOICE ? -1 : (int)choice->otherwise,
    };
}

struct plan_member_view plan_choice_member(const struct plan *plan, size_t choice, size_t place)
{
    SP_ASSERT(choice < plan->choice_count && place < plan->choices[choice].member_count);
    const struct choice_member *member = &plan->members[plan->choices[choice].first_member + place];
    return (struct plan_member_view){
        .pool = index_or_none(member->pool), .index = member->index, .weight = member->weight};
}
