// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is left of the decision for the query: find the client's class, cut the share, then take a
// turn, a draw or a hash. Runs on data workers inside answer(): no lock, no allocation, no system
// call; what is drawn among all members (sticky, random) costs a few instructions each.
#include "steer/plan_pick_one.h"

#include "base/hash.h"
#include "steer/plan_sticky.h"
#include "steer/plan_tree.h"

uint64_t plan_client_hash(const struct plan *plan, const struct address *client)
{
    uint64_t key = address_key(client);
    unsigned length = client->family == FAMILY_IPV4 ? (unsigned)CLIENT_HASH_LENGTH_IPV4
                                                    : (unsigned)CLIENT_HASH_LENGTH_IPV6;
    key &= ~(UINT64_MAX >> length);
    return hash_u64(plan->sticky_key + client->family, key);
}

uint32_t plan_share_of_client(const struct plan *plan, const struct address *client)
{
    uint64_t hash = hash_u64(plan_client_hash(plan, client), 0x73686172655f5f5fULL);
    return (uint32_t)(((hash >> 32) * SHARE_ALL) >> 32);
}

static void put(struct pick *pick, const struct plan *plan, const struct choice_member *member)
{
    pick->records[pick->count] = plan->records + member->record_offset;
    pick->sizes[pick->count] = member->record_size;
    pick->count++;
}

static void pick_in_turn(const struct plan *plan, const struct choice *choice, uint32_t start,
                         struct pick *pick)
{
    const struct choice_member *members = plan->members + choice->first_member;
    uint32_t at = start;
    for (size_t i = 0; i < choice->answer_count; i++) {
        put(pick, plan, &members[at]);
        at = at + 1 == choice->member_count ? 0 : at + 1;
    }
}

enum { MASK_WORDS = PLAN_MEMBERS_MAX / 64, TRIES_MAX = 2 };

// Members drawn already, with the part of the sum of weights that is theirs, ascending.
struct drawn {
    uint64_t mask[MASK_WORDS];
    uint64_t begins[PLAN_ANSWERS_MAX], weights[PLAN_ANSWERS_MAX];
    size_t count;
    uint64_t weight_left;
};

static bool drawn_has(const struct drawn *drawn, size_t index)
{
    return drawn->mask[index / 64] >> (index % 64) & 1;
}

static void drawn_add(struct drawn *drawn, const struct choice_member *members, size_t index)
{
    const struct choice_member *member = &members[index];
    size_t at = drawn->count++;
    for (; at > 0 && drawn->begins[at - 1] > member->before; at--) {
        drawn->begins[at] = drawn->begins[at - 1];
        drawn->weights[at] = drawn->weights[at - 1];
    }
    drawn->begins[at] = member->before;
    drawn->weights[at] = member->weight;
    drawn->weight_left -= member->weight;
    drawn->mask[index / 64] |= UINT64_C(1) << (index % 64);
}

// One draw in proportion among those not yet drawn: a ticket of what is left, moved past the parts
// that are gone.
static size_t draw_remaining(const struct choice *choice, const struct choice_member *members,
                             const struct drawn *drawn, uint64_t *random)
{
    uint64_t ticket =
        (uint64_t)(((unsigned __int128)random_next(random) * drawn->weight_left) >> 64);
    for (size_t i = 0; i < drawn->count && ticket >= drawn->begins[i]; i++) {
        ticket += drawn->weights[i];
    }
    return member_of_ticket(members, choice->member_count, ticket);
}

// k distinct members, each draw in proportion among those left. A draw that hits a member already
// taken is thrown again (the same distribution); after a miss more it is drawn from the rest.
NOT_INLINE static void pick_weighted_some(const struct plan *plan, const struct choice *choice,
                                          uint64_t *random, struct pick *pick)
{
    const struct choice_member *members = plan->members + choice->first_member;
    struct drawn drawn;
    memset(drawn.mask, 0, ((choice->member_count + 63U) / 64) * sizeof(drawn.mask[0]));
    drawn.count = 0;
    drawn.weight_left = choice->weight_sum;
    for (size_t i = 0; i < choice->answer_count; i++) {
        size_t index = draw_alias(members, choice->member_count, random);
        for (int tries = 1; tries < TRIES_MAX && drawn_has(&drawn, index); tries++) {
            index = draw_alias(members, choice->member_count, random);
        }
        if (drawn_has(&drawn, index)) {
            index = draw_remaining(choice, members, &drawn, random);
        }
        drawn_add(&drawn, members, index);
        put(pick, plan, &members[index]);
    }
}

static inline void pick_weighted(const struct plan *plan, const struct choice *choice,
                                 uint64_t *random, struct pick *pick)
{
    if (choice->answer_count == 1) {
        const struct choice_member *members = plan->members + choice->first_member;
        put(pick, plan, &members[draw_alias(members, choice->member_count, random)]);
    } else {
        pick_weighted_some(plan, choice, random, pick);
    }
}

// Uniform order of all or some: a random start would keep neighbours together, so each place is
// drawn among those left (weights play no part).
NOT_INLINE static void pick_random(const struct plan *plan, const struct choice *choice,
                                   uint64_t *random, struct pick *pick)
{
    const struct choice_member *members = plan->members + choice->first_member;
    uint16_t order[PLAN_MEMBERS_MAX];
    uint32_t count = choice->member_count;
    for (uint32_t i = 0; i < count; i++) {
        order[i] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < choice->answer_count; i++) {
        uint32_t swap = i + random_below(random, count - i);
        uint16_t taken = order[swap];
        order[swap] = order[i];
        put(pick, plan, &members[taken]);
    }
}

NOT_INLINE static void pick_sticky(const struct plan *plan, const struct choice *choice,
                                   const struct address *client, struct pick *pick)
{
    const struct choice_member *members = plan->members + choice->first_member;
    uint16_t best[PLAN_ANSWERS_MAX];
    sticky_draw(choice, members, plan_client_hash(plan, client), best);
    for (size_t i = 0; i < choice->answer_count; i++) {
        put(pick, plan, &members[best[i]]);
    }
}

// Follows shares to the choice of this client. The shares of a chain lie side by side: a second
// rule of 5 % takes another 5 % of the clients, not those that the first has taken.
static inline uint32_t settle_share(const struct plan *plan, uint32_t index,
                                    const struct address *client)
{
    const struct choice *choice = &plan->choices[index];
    if (choice->share_ppm >= SHARE_ALL) {
        return index;
    }
    uint32_t place = plan_share_of_client(plan, client);
    while (choice->share_ppm <= place && choice->otherwise != NO_CHOICE) {
        place -= choice->share_ppm;
        index = choice->otherwise;
        choice = &plan->choices[index];
    }
    return index;
}

// Where the client's hash decided something, the answer is constant over the hashed network only.
static uint8_t scope_of(const struct choice *first, const struct choice *last,
                        const struct address *client, uint8_t scope)
{
    if (first->share_ppm >= SHARE_ALL && !last->hashed) {
        return scope;
    }
    unsigned length =
        client->family == FAMILY_IPV4 ? CLIENT_HASH_LENGTH_IPV4 : CLIENT_HASH_LENGTH_IPV6;
    return (uint8_t)MAX(scope, length);
}

void plan_pick(const struct plan *plan, const struct address *client, const struct dice *dice,
               struct pick *pick)
{
    plan_pick_located(plan, client, plan_locate(plan, client), dice, pick);
}

void plan_pick_located(const struct plan *plan, const struct address *client,
                       struct territory_match match, const struct dice *dice, struct pick *pick)
{
    SP_DEBUG_ASSERT(match.class_index < plan->class_count);
    uint32_t first = plan->choice_of_class[match.class_index];
    uint32_t index = settle_share(plan, first, client);
    const struct choice *choice = &plan->choices[index];
    pick->kind = choice_pick_kind(choice);
    pick->failed_open = (enum failed_open)(choice->kind >> CHOICE_OPEN_SHIFT);
    pick->scope = scope_of(&plan->choices[first], choice, client, match.scope);
    pick->ttl = choice->ttl;
    pick->count = 0;
    if (pick->kind != PICK_MEMBERS) {
        return;
    }
    switch (choice->method) {
    case METHOD_RANDOM:
        pick_random(plan, choice, dice->random, pick);
        break;
    case METHOD_WEIGHTED:
        pick_weighted(plan, choice, dice->random, pick);
        break;
    case METHOD_STICKY:
        pick_sticky(plan, choice, client, pick);
        break;
    case METHOD_ORDERED:
    case METHOD_NEAREST:
    case METHOD_FASTEST:
        pick_in_turn(plan, choice, 0, pick);
        break;
    case METHOD_NESTED:
        plan_pick_nested(plan, index, plan_client_hash(plan, client), dice, pick);
        break;
    default:
        pick_in_turn(plan, choice, dice_turn(dice, index) % choice->member_count, pick);
    }
    SP_DEBUG_ASSERT(pick->count == choice->answer_count);
}
