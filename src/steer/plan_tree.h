// SPDX-License-Identifier: GPL-3.0-or-later
//
// Answers through a tree: pools with a method of their own in pools with another.
//
// A draw begins at the root and goes on, by the method of each node, to one of its entries until it
// comes to a record. Each further record is drawn in the same way, as if the values that the answer
// has already, and the entries that hold nothing else, were not there. So an order is followed to
// its end before the next entry is looked at, a turn goes on with the next entry, and weights stay
// what they are while their entry has something left. Internal to steer/.
#pragma once

#include "steer/plan_internal.h"

// The greatest depth; what a step of a draw costs (plan_effort_max), and what all those of an
// answer may: as much as the dearest method does. An answer that would cost more has fewer records.
enum { TREE_LEVELS_MAX = METHOD_LEVELS_MAX + 1, STEP_EFFORT = 14, TREE_EFFORT_MAX = 5000 };

// For the choice at `index`, whose method is METHOD_NESTED: its records into the pick. No lock, no
// allocation, no system call.
void plan_pick_nested(const struct plan *plan, uint32_t index, uint64_t client_hash,
                      const struct dice *dice, struct pick *pick);
