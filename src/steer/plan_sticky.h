// SPDX-License-Identifier: GPL-3.0-or-later
//
// Method `sticky`: weighted rendezvous hashing. Each member draws a number from (client, member);
// the one with the least cost, -log2(number)/weight, comes first. When a member leaves, only its
// clients move. Internal to steer/.
#pragma once

#include "steer/plan_internal.h"

// Makes members ready to be drawn: control thread, once a choice. `answers` of them are wanted.
// Sets the `least` of each, and returns the choice's `reach`.
uint64_t sticky_prepare(struct choice_member *members, size_t count, size_t answers);

// The best `answers` members of the choice for a client, best first: places in the choice. They are
// the same whatever sticky_prepare has set.
void sticky_draw(const struct choice *choice, const struct choice_member *members,
                 uint64_t client_hash, uint16_t best[PLAN_ANSWERS_MAX]);
