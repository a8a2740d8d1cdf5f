// SPDX-License-Identifier: GPL-3.0-or-later
//
// Weighted rendezvous hashing at six instructions a member: a policy may have 4,096 of them, and
// the draw looks at all.
//
// What a member draws is compared with a number of its own first. sticky_prepare (control thread)
// sets it such that some more members than are wanted are expected to pass, heavy ones more easily
// than light ones; only for those is the cost worked out. The filter decides nothing: where fewer
// than are wanted are within its reach, which happens to one client in 10^11, all members are
// weighed. sticky_draw runs on data workers: no lock, no allocation, no system call.
#include "steer/plan_sticky.h"

#include "steer/explain.h"

#include <math.h>

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

static uint32_t weight_of(const struct choice_member *member)
{
    return MAX(member->weight, 1U);
}

// The cost a weight, whose double is ordered as its bits are, and in the last of them the place:
// the lowest wins. Two costs that agree in 40 binary digits are decided by their places.
typedef uint64_t score;

enum { PLACE_MASK = PLAN_MEMBERS_MAX - 1 };
_Static_assert((PLAN_MEMBERS_MAX & PLACE_MASK) == 0, "a place has bits of its own");

static double cost_of(const struct choice_member *member, uint64_t drawn)
{
    return (double)(int64_t)minus_log2(drawn) / (double)weight_of(member); // at most 2^38
}

static score score_of_cost(double cost)
{
    score bits;
    memcpy(&bits, &cost, sizeof(bits));
    return bits;
}

// --- the filter

// How many are to pass on average, that fewer than `wanted` do for one client in 10^11 at most (a
// sum of independent draws falls short no more often than a Poisson variable of its mean): nobody
// finds such a client by asking.
static double passing(size_t wanted)
{
    return (double)wanted + 6.7 * sqrt((double)wanted) + 21;
}

// The cost a weight below which `expected` of the members are on average: Newton's steps on a
// concave function come near it from below.
static double rate_of(const struct choice_member *members, size_t count, double expected)
{
    double rate = 0;
    for (int step = 0; step < 64; step++) {
        double within = 0, slope = 0;
        for (size_t i = 0; i < count; i++) {
            double left = exp2(-rate * weight_of(&members[i]));
            within += 1 - left;
            slope += left * M_LN2 * weight_of(&members[i]);
        }
        if (within > 0.99 * expected || slope <= 0) {
            break;
        }
        rate += (expected - within) / slope;
    }
    return rate;
}

uint64_t sticky_prepare(struct choice_member *members, size_t count, size_t answers)
{
    double expected = passing(answers);
    for (size_t i = 0; i < count; i++) {
        members[i].least = 0;
    }
    if ((double)count < 1.5 * expected) {
        return UINT64_MAX; // nearly all would pass
    }
    double rate = rate_of(members, count, expected);
    for (size_t i = 0; i < count; i++) {
        // Rounded down by more than the cost's unit: who has no cost at all always passes.
        double least = 0x1p64 * exp2(-rate * weight_of(&members[i])) - 0x1p34;
        members[i].least = least > 0 ? (uint64_t)least : 0;
    }
    // Who did not pass has more than this, by more than minus_log2 may be off.
    return score_of_cost(rate * (1 - 0x1p-10) * 0x1p32);
}

// --- the draw

static score score_of(const struct choice_member *member, size_t place, uint64_t drawn)
{
    return (score_of_cost(cost_of(member, drawn)) & ~(score)PLACE_MASK) | place;
}

enum { PASSING_MAX = 256, STRIDE = 16 };

// Notes the member's place if it passes its filter, as long as there is room.
static inline size_t note_passing(const struct choice_member *members, size_t place,
                                  struct hash_key key, uint16_t *places, size_t count)
{
    if (UNLIKELY(hash_keyed(key, members[place].identity) >= members[place].least)) {
        places[MIN(count, (size_t)PASSING_MAX)] = (uint16_t)place;
        count++;
    }
    return count;
}

// How many members pass: more than PASSING_MAX are not all noted.
static size_t find_passing(const struct choice_member *members, size_t member_count,
                           struct hash_key key, uint16_t places[PASSING_MAX + 1])
{
    size_t count = 0, at = 0;
    for (; at + STRIDE <= member_count; at += STRIDE) {
        for (size_t i = 0; i < STRIDE; i++) {
            count = note_passing(members, at + i, key, places, count);
        }
    }
    for (; at < member_count; at++) {
        count = note_passing(members, at, key, places, count);
    }
    return count;
}

// Scores in drawers, eight an octave of the cost: however the weights are spread, a few are in
// each. Only those that are wanted are put in order, from the lowest drawer on.
enum { DRAWERS = 256, DRAWER_SHIFT = 52 - 3, NO_SCORE = UINT16_MAX };

struct drawers {
    uint64_t filled[DRAWERS / 64];
    uint16_t first[DRAWERS], next[PASSING_MAX]; // lists of scores
};

// Those below the 32 octaves that there are drawers for lie in the lowest.
static inline void drawers_add(struct drawers *drawers, const score *scores, size_t i,
                               score highest)
{
    const size_t below = (size_t)((highest >> DRAWER_SHIFT) - (scores[i] >> DRAWER_SHIFT));
    const size_t drawer = DRAWERS - 1 - MIN(below, (size_t)DRAWERS - 1);
    const uint64_t bit = UINT64_C(1) << (drawer % 64);
    uint64_t *filled = &drawers->filled[drawer / 64];
    drawers->next[i] = *filled & bit ? drawers->first[drawer] : NO_SCORE;
    drawers->first[drawer] = (uint16_t)i;
    *filled |= bit;
}

// Puts a score where it belongs among the sorted ones from `begin` on, of which there are `count`.
static inline void insert(score *sorted, size_t begin, size_t count, score fresh)
{
    size_t at = count;
    for (; at > begin && sorted[at - 1] > fresh; at--) {
        sorted[at] = sorted[at - 1];
    }
    sorted[at] = fresh;
}

// The `wanted` lowest scores, and maybe some more, in order.
static void sort_by_drawers(const score *scores, size_t count, score highest, size_t wanted,
                            score *sorted)
{
    struct drawers drawers;
    memset(drawers.filled, 0, sizeof(drawers.filled));
    for (size_t i = 0; i < count; i++) {
        drawers_add(&drawers, scores, i, highest);
    }
    size_t taken = 0;
    for (size_t word = 0; word < ARRAY_SIZE(drawers.filled) && taken < wanted; word++) {
        for (uint64_t left = drawers.filled[word]; left != 0 && taken < wanted; left &= left - 1) {
            const size_t drawer = 64 * word + (unsigned)__builtin_ctzll(left), begin = taken;
            for (size_t i = drawers.first[drawer]; i != NO_SCORE; i = drawers.next[i]) {
                insert(sorted, begin, taken++, scores[i]);
            }
        }
    }
}

// The places of the `wanted` lowest of the scores, none of which is above `highest`.
static void scores_take(const score *scores, size_t count, score highest, size_t wanted,
                        uint16_t *best)
{
    enum { FEW = 12 };
    score sorted[PASSING_MAX];
    if (wanted == 1) {
        sorted[0] = scores[0];
        for (size_t i = 1; i < count; i++) {
            sorted[0] = MIN(sorted[0], scores[i]);
        }
    } else if (count <= FEW) {
        for (size_t i = 0; i < count; i++) {
            insert(sorted, 0, i, scores[i]);
        }
    } else {
        sort_by_drawers(scores, count, highest, wanted, sorted);
    }
    for (size_t i = 0; i < wanted; i++) {
        best[i] = sorted[i] & PLACE_MASK;
    }
}

// False when it takes all members to tell.
static bool draw_passing(const struct choice *choice, const struct choice_member *members,
                         uint64_t client_hash, uint16_t *best)
{
    uint16_t places[PASSING_MAX + 1];
    score scores[PASSING_MAX];
    const struct hash_key key = hash_key(client_hash);
    const size_t count = find_passing(members, choice->member_count, key, places);
    size_t within = 0;
    if (count > PASSING_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const struct choice_member *member = &members[places[i]];
        scores[within] = score_of(member, places[i], hash_keyed(key, member->identity));
        within += scores[within] <= choice->reach;
    }
    if (within < choice->answer_count) {
        return false;
    }
    scores_take(scores, within, choice->reach, choice->answer_count, best);
    return true;
}

// The best of a few members.
static void draw_few(const struct choice *choice, const struct choice_member *members,
                     uint64_t client_hash, uint16_t *best)
{
    score scores[PASSING_MAX], highest = 0;
    for (size_t i = 0; i < choice->member_count; i++) {
        scores[i] = score_of(&members[i], i, hash_u64(client_hash, members[i].identity));
        highest = MAX(highest, scores[i]);
    }
    scores_take(scores, choice->member_count, highest, choice->answer_count, best);
}

// The best of all members, whatever passes.
static void draw_all(const struct choice *choice, const struct choice_member *members,
                     uint64_t client_hash, uint16_t *best)
{
    score scores[PLAN_ANSWERS_MAX];
    const size_t wanted = choice->answer_count;
    size_t count = 0;
    for (size_t i = 0; i < choice->member_count; i++) {
        const score fresh = score_of(&members[i], i, hash_u64(client_hash, members[i].identity));
        if (count == wanted && fresh > scores[count - 1]) {
            continue;
        }
        size_t at = 0;
        for (size_t end = count; at < end;) { // the first that it wins against
            const size_t middle = (at + end) / 2;
            if (fresh < scores[middle]) {
                end = middle;
            } else {
                at = middle + 1;
            }
        }
        count = MIN(count + 1, wanted);
        memmove(&scores[at + 1], &scores[at], (count - at - 1) * sizeof(scores[0]));
        scores[at] = fresh;
    }
    for (size_t i = 0; i < count; i++) {
        best[i] = scores[i] & PLACE_MASK;
    }
}

void sticky_draw(const struct choice *choice, const struct choice_member *members,
                 uint64_t client_hash, uint16_t best[PLAN_ANSWERS_MAX])
{
    if (choice->reach == UINT64_MAX && choice->member_count <= PASSING_MAX) {
        draw_few(choice, members, client_hash, best);
    } else if (choice->reach == UINT64_MAX || !draw_passing(choice, members, client_hash, best)) {
        draw_all(choice, members, client_hash, best);
    }
}

double plan_sticky_cost(const struct plan *plan, size_t choice, size_t place,
                        const struct address *client)
{
    const struct choice_detail *detail = &plan->details[choice];
    const struct choice_member *member = &plan->members[detail->first_member + place];
    uint64_t drawn = hash_u64(plan_client_hash(plan, client), member->identity);
    return cost_of(member, drawn) / 0x1p32;
}
