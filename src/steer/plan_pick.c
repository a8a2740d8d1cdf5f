// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is left of the decision for the query: find the client's class, cut the share, then take a
// turn, a draw or a hash. Runs on data workers inside answer(): no lock, no allocation, no system
// call; the cost is bounded by PLAN_ANSWERS_MAX x members of the choice only for draws of several.
#include "steer/plan_pick_one.h"

#include "base/hash.h"
#include "steer/explain.h"

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

enum { MASK_WORDS = PLAN_MEMBERS_MAX / 64, TRIES_MAX = 4 };

struct drawn {
    uint64_t mask[MASK_WORDS];
};

static bool drawn_has(const struct drawn *drawn, size_t index)
{
    return drawn->mask[index / 64] >> (index % 64) & 1;
}

// One draw in proportion among those not yet drawn, by walking them.
static size_t draw_remaining(const struct choice *choice, const struct choice_member *members,
                             const struct drawn *drawn, uint64_t weight_left, uint64_t *random)
{
    uint64_t ticket = (uint64_t)(((unsigned __int128)random_next(random) * weight_left) >> 64);
    size_t last = 0;
    for (size_t i = 0; i < choice->member_count; i++) {
        if (drawn_has(drawn, i)) {
            continue;
        }
        if (ticket < members[i].weight) {
            return i;
        }
        ticket -= members[i].weight;
        last = i;
    }
    return last;
}

// k distinct members, each draw in proportion among those left. A draw that hits a member already
// taken is thrown again (the same distribution); after a few misses the rest is walked instead.
NOT_INLINE static void pick_weighted_some(const struct plan *plan, const struct choice *choice,
                                          uint64_t *random, struct pick *pick)
{
    const struct choice_member *members = plan->members + choice->first_member;
    struct drawn drawn;
    memset(drawn.mask, 0, ((choice->member_count + 63U) / 64) * sizeof(drawn.mask[0]));
    uint64_t weight_left = choice->weight_sum;
    for (size_t i = 0; i < choice->answer_count; i++) {
        size_t index = draw_alias(members, choice->member_count, random);
        for (int tries = 0; tries < TRIES_MAX && drawn_has(&drawn, index); tries++) {
            index = draw_alias(members, choice->member_count, random);
        }
        if (drawn_has(&drawn, index)) {
            index = draw_remaining(choice, members, &drawn, weight_left, random);
        }
        drawn.mask[index / 64] |= UINT64_C(1) << (index % 64);
        weight_left -= members[index].weight;
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

// -log2 of a uniform 64-bit number over 2^64, in units of 2^-32. Integers only, so that every
// machine draws the same member. With u = (2 - t) x 2^(63 - zeros) and t in (0, 1] it is zeros plus
// -log2(1 - t/2); that is t times a polynomial in t, whose relative error is below 0.00006 down to
// the smallest costs, which decide between very different weights.
static uint64_t minus_log2(uint64_t uniform)
{
    static const int64_t coefficients[] = {774570885, 192154280, 75845570, -4288006, 35405216};
    uniform |= 1;
    unsigned zeros = (unsigned)__builtin_clzll(uniform);
    uint64_t fraction = zeros == 63 ? 0 : uniform << (zeros + 1) >> 32;
    int64_t t = (INT64_C(1) << 32) - (int64_t)fraction; // times 2^-32; the rest times 2^-30
    int64_t sum = 0;
    for (size_t i = ARRAY_SIZE(coefficients); i > 0; i--) {
        sum = ((sum * t) >> 32) + coefficients[i - 1];
    }
    return ((uint64_t)zeros << 32) + (uint64_t)((sum * t) >> 30);
}

struct score {
    uint64_t cost; // -log2(u), below 2^39; lower cost per weight wins
    uint32_t weight;
    uint16_t index;
};

static bool score_wins(const struct score *a, const struct score *b)
{
    unsigned __int128 x = (unsigned __int128)a->cost * b->weight;
    unsigned __int128 y = (unsigned __int128)b->cost * a->weight;
    return x < y || (x == y && a->index < b->index);
}

// Weighted rendezvous hashing: every member draws a number from (client, member); the best k win.
// When a member leaves, only its clients move.
NOT_INLINE static void pick_sticky(const struct plan *plan, const struct choice *choice,
                                   const struct address *client, struct pick *pick)
{
    const struct choice_member *members = plan->members + choice->first_member;
    uint64_t client_hash = plan_client_hash(plan, client);
    struct score best[PLAN_ANSWERS_MAX];
    size_t count = 0;
    for (uint16_t i = 0; i < choice->member_count; i++) {
        uint64_t uniform = hash_u64(client_hash, members[i].identity);
        struct score score = {minus_log2(uniform), MAX(members[i].weight, 1U), i};
        size_t at = 0;
        for (size_t end = count; at < end;) { // the first that it wins against
            const size_t middle = (at + end) / 2;
            if (score_wins(&score, &best[middle])) {
                end = middle;
            } else {
                at = middle + 1;
            }
        }
        if (at >= choice->answer_count) {
            continue;
        }
        count = MIN(count + 1, (size_t)choice->answer_count);
        memmove(&best[at + 1], &best[at], (count - at - 1) * sizeof(best[0]));
        best[at] = score;
    }
    for (size_t i = 0; i < count; i++) {
        put(pick, plan, &members[best[i].index]);
    }
}

double plan_sticky_cost(const struct plan *plan, size_t choice, size_t place,
                        const struct address *client)
{
    const struct choice_detail *detail = &plan->details[choice];
    const struct choice_member *member = &plan->members[detail->first_member + place];
    uint64_t cost = minus_log2(hash_u64(plan_client_hash(plan, client), member->identity));
    return (double)cost / 0x1p32 / (double)MAX(member->weight, 1U);
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
    bool hashed = first->share_ppm < SHARE_ALL ||
                  (last->method == METHOD_STICKY && last->member_count > last->answer_count);
    if (!hashed) {
        return scope;
    }
    unsigned length =
        client->family == FAMILY_IPV4 ? CLIENT_HASH_LENGTH_IPV4 : CLIENT_HASH_LENGTH_IPV6;
    return (uint8_t)MAX(scope, length);
}

void plan_pick(const struct plan *plan, const struct address *client, const struct dice *dice,
               struct pick *pick)
{
    struct territory_match match = {0};
    if (plan->territory != NULL) {
        match = territory_find(plan->territory, client);
    }
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
    default:
        pick_in_turn(plan, choice, dice_turn(dice, index) % choice->member_count, pick);
    }
    SP_DEBUG_ASSERT(pick->count == choice->answer_count);
}
