// SPDX-License-Identifier: GPL-3.0-or-later
//
// What part of the answers each member of a choice gets: exact, from the probabilities of the
// draws, not by drawing. (Only answers of several records through pools with methods of their own
// are counted, over 4,096 draws.) Behind simulate and explain. Pure; control thread.
#pragma once

#include "steer/plan.h"

struct member_share {
    double first; // part of the answers in which it has the first place
    double any;   // part of the answers that it is in
};

// Fills one entry a member of the choice. For `sticky` they are the parts of the clients, as an
// even hash deals them out. A value that stands in a nested choice twice has its part of the first
// places in each, and of several records `any` in the first of them.
void choice_shares(const struct plan *plan, size_t choice, struct member_share *shares);

// Parts of k draws without replacement, each in proportion to the weights that are left: the
// probability of each of n members to be among the first k.
void shares_of_draws(const double *weights, size_t n, size_t k, double *any);
