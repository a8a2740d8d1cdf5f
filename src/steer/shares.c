// SPDX-License-Identifier: GPL-3.0-or-later
//
// Exact shares of draws without replacement.
//
// k draws, each in proportion to the weights left, give the same order as n clocks that ring after
// exponential times with those rates (weighted rendezvous hashing is nothing else). So member i is
// among the first k when fewer than k others have rung before it: the integral over its own time of
// P(fewer than k of the others rang). Before the first moment at which k can have rung, and after
// the last at which fewer than k can, nothing is left to integrate; between them the integrand is a
// smooth step over e^s of a width like 1/sqrt(k), and Gauss's rule on panels of that size is good
// for nine digits and more (tests hold it against the enumeration of every order).
#include "steer/shares.h"

#include "base/hash.h"
#include "base/memory.h"
#include "steer/plan_tree.h"

#include <math.h>
#include <string.h>

// Numbers of clocks that have rung: entry m is P(m of them), for m below k.
typedef double counts[PLAN_ANSWERS_MAX];

struct draws {
    const double *rates; // weights over their mean
    size_t n, k;
    double *rung;  // by the time at hand
    double factor; // of the time at hand
    double time;
    double *any;
};

// One more clock, which has rung with probability p.
static void counts_add(const struct draws *draws, counts from, counts to, double p)
{
    for (size_t m = draws->k; m-- > 0;) {
        to[m] = from[m] * (1 - p) + (m > 0 ? from[m - 1] * p : 0);
    }
}

// Leaves each of the members from `begin` to `end` out in turn: `others` holds all that are not
// among them. Halves the members, so that each is added to log2(n) products only.
static void leave_one_out(struct draws *draws, size_t begin, size_t end, counts others)
{
    if (end - begin == 1) {
        double fewer = 0;
        for (size_t m = 0; m < draws->k; m++) {
            fewer += others[m];
        }
        double rate = draws->rates[begin];
        draws->any[begin] += draws->factor * rate * exp(-rate * draws->time) * fewer;
        return;
    }
    size_t middle = (begin + end) / 2;
    counts half;
    memcpy(half, others, sizeof(half));
    for (size_t i = middle; i < end; i++) {
        counts_add(draws, half, half, draws->rung[i]);
    }
    leave_one_out(draws, begin, middle, half);
    memcpy(half, others, sizeof(half));
    for (size_t i = begin; i < middle; i++) {
        counts_add(draws, half, half, draws->rung[i]);
    }
    leave_one_out(draws, middle, end, half);
}

// Nodes and weights of Gauss and Legendre's rule of 16 points on [-1, 1]; the other half is
// mirrored.
static const struct {
    double node, weight;
} gauss[] = {
    {0.98940093499164994, 0.027152459411754096}, {0.9445750230732326, 0.062253523938647894},
    {0.86563120238783176, 0.095158511682492786}, {0.755404408355003, 0.12462897125553388},
    {0.61787624440264377, 0.14959598881657674},  {0.45801677765722737, 0.16915651939500254},
    {0.28160355077925892, 0.18260341504492358},  {0.095012509837637441, 0.1894506104550685},
};

// Clocks that have rung by e^s, on average.
static double rung_by(const struct draws *draws, double s)
{
    double sum = 0;
    for (size_t i = 0; i < draws->n; i++) {
        sum -= expm1(-draws->rates[i] * exp(s));
    }
    return sum;
}

// Where the average passes `wanted`, between two bounds.
static double time_of(const struct draws *draws, double wanted, double low, double high)
{
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (rung_by(draws, middle) < wanted) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static void draws_at(struct draws *draws, double s, double weight)
{
    counts nobody = {1};
    draws->time = exp(s);
    draws->factor = weight * draws->time;
    for (size_t i = 0; i < draws->n; i++) {
        draws->rung[i] = -expm1(-draws->rates[i] * draws->time);
    }
    leave_one_out(draws, 0, draws->n, nobody);
}

static void draws_integrate(struct draws *draws, double slowest, double fastest)
{
    double k = (double)draws->k;
    // P(k or more) <= (e x / k)^k where x have rung on average; P(fewer than k) is past help where
    // ten deviations more have.
    double begin =
        time_of(draws, k / M_E * pow(1e-13, 1 / k), log(1e-20 / fastest), log(40 / slowest));
    double end = time_of(draws, k + 12 * sqrt(k) + 30, begin, log(40 / slowest));
    for (size_t i = 0; i < draws->n; i++) {
        draws->any[i] = -expm1(-draws->rates[i] * exp(begin)); // it rang, and nobody hindered it
    }
    size_t panels = (size_t)ceil((end - begin) / fmin(1, 3 / sqrt(k)));
    double half = (end - begin) / (double)panels / 2;
    for (size_t p = 0; p < panels; p++) {
        double middle = begin + half * (double)(2 * p + 1);
        for (size_t i = 0; i < ARRAY_SIZE(gauss); i++) {
            draws_at(draws, middle - half * gauss[i].node, half * gauss[i].weight);
            draws_at(draws, middle + half * gauss[i].node, half * gauss[i].weight);
        }
    }
}

void shares_of_draws(const double *weights, size_t n, size_t k, double *any)
{
    double sum = 0, least = INFINITY, most = 0;
    for (size_t i = 0; i < n; i++) {
        sum += weights[i];
        least = fmin(least, weights[i]);
        most = fmax(most, weights[i]);
        any[i] = k >= n ? 1 : 0;
    }
    if (k >= n) {
        return;
    }
    if (k == 1 || least == most) {
        for (size_t i = 0; i < n; i++) {
            any[i] = k == 1 ? weights[i] / sum : (double)k / (double)n;
        }
        return;
    }
    double *rates = mem_alloc_array(n, sizeof(*rates)), *rung = mem_alloc_array(n, sizeof(*rung));
    for (size_t i = 0; i < n; i++) {
        rates[i] = weights[i] * (double)n / sum;
    }
    SP_ASSERT(k <= PLAN_ANSWERS_MAX);
    struct draws draws = {.rates = rates, .n = n, .k = k, .rung = rung, .any = any};
    draws_integrate(&draws, least * (double)n / sum, most * (double)n / sum);
    free(rates);
    free(rung);
}

static void shares_in_order(size_t n, size_t k, struct member_share *shares)
{
    for (size_t i = 0; i < n; i++) {
        shares[i] = (struct member_share){i == 0, i < k};
    }
}

static void shares_in_turn(size_t n, size_t k, struct member_share *shares)
{
    for (size_t i = 0; i < n; i++) {
        shares[i] = (struct member_share){1 / (double)n, (double)k / (double)n};
    }
}

static void shares_by_weight(const struct plan *plan, size_t choice, size_t n, size_t k,
                             struct member_share *shares)
{
    double *weights = mem_alloc_array(n, sizeof(*weights)), *any = mem_alloc_array(n, sizeof(*any));
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        weights[i] = MAX(plan_choice_member(plan, choice, i).weight, 1U);
        sum += weights[i];
    }
    shares_of_draws(weights, n, k, any);
    for (size_t i = 0; i < n; i++) {
        shares[i] = (struct member_share){weights[i] / sum, any[i]};
    }
    free(weights);
    free(any);
}

// --- through pools with methods of their own

// The parts of the first records, down from a node that has `part` of them; the leaves lie in the
// order of the tree.
static size_t shares_of_node(const struct plan *plan, uint32_t index, double part,
                             struct member_share *shares)
{
    const struct choice *node = &plan->choices[index];
    const struct choice_member *members = plan->members + node->first_member;
    const bool weighs = node->method == METHOD_WEIGHTED || node->method == METHOD_STICKY;
    double sum = 0;
    for (size_t i = 0; i < node->member_count; i++) {
        sum += MAX(members[i].weight, 1U);
    }
    size_t count = 0;
    for (size_t i = 0; i < node->member_count; i++) {
        double own = weighs                                       ? MAX(members[i].weight, 1U) / sum
                     : method_is_fixed((enum method)node->method) ? i == 0
                                                                  : 1.0 / node->member_count;
        if (members[i].inner > 0) {
            count += shares_of_node(plan, members[i].inner - 1, part * own, shares + count);
        } else {
            shares[count++] = (struct member_share){part * own, part * own};
        }
    }
    return count;
}

enum { TREE_DRAWS = 4096 };

// In how many answers each record is: those of a plan lie side by side.
static void shares_count(const struct plan *plan, size_t detail, struct member_share *shares)
{
    const struct choice_detail *about = &plan->details[detail];
    const struct choice *choice = &plan->choices[about->choice];
    const struct choice_member *members = plan->members + choice->first_member;
    uint32_t *answers = mem_alloc_array(plan->record_size, sizeof(*answers));
    uint32_t *turns = mem_alloc_array(TURNS_COUNT, sizeof(*turns));
    uint64_t random = 1;
    const struct dice dice = {&random, turns, 0};
    for (size_t i = 0; i < TREE_DRAWS; i++) {
        struct pick pick = {0};
        plan_pick_nested(plan, about->choice, random_next(&random), &dice, &pick);
        for (size_t k = 0; k < pick.count; k++) {
            answers[pick.records[k] - plan->records]++;
        }
    }
    for (size_t i = 0; i < choice->member_count; i++) {
        uint32_t *count = &answers[members[i].record_offset];
        shares[i].any = *count / (double)TREE_DRAWS;
        *count = 0; // the value's other places have none
    }
    free(answers);
    free(turns);
}

static void shares_nested(const struct plan *plan, size_t detail, struct member_share *shares)
{
    const struct choice *choice = &plan->choices[plan->details[detail].choice];
    const size_t count = shares_of_node(plan, (uint32_t)choice->root, 1, shares);
    SP_ASSERT(count == choice->member_count);
    if (choice->answer_count > 1) {
        shares_count(plan, detail, shares);
    }
}

void choice_shares(const struct plan *plan, size_t choice, struct member_share *shares)
{
    struct plan_choice_view view = plan_choice(plan, choice);
    size_t n = view.member_count, k = view.answer_count;
    switch (plan->choices[plan->details[choice].choice].method) {
    case METHOD_NESTED:
        shares_nested(plan, choice, shares);
        break;
    case METHOD_ORDERED:
    case METHOD_NEAREST:
    case METHOD_FASTEST:
        shares_in_order(n, k, shares);
        break;
    case METHOD_WEIGHTED:
    case METHOD_STICKY:
        shares_by_weight(plan, choice, n, k, shares);
        break;
    default:
        shares_in_turn(n, k, shares);
    }
}
