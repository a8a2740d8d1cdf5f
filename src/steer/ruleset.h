// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sets of rules, interned: equal sets have equal numbers, and the union of two is a table look-up
// once it has been asked for. Used while a territory is built; set 0 is the empty set.
// One thread; internal to steer/.
#pragma once

#include "base/base.h"

struct rulesets;

// The empty set alone, for rules 0 to rule_count - 1; the caller's.
struct rulesets *rulesets_new(size_t rule_count);
void rulesets_free(struct rulesets *sets);
// The set with one more rule.
uint32_t rulesets_with(struct rulesets *sets, uint32_t set, uint16_t rule);
uint32_t rulesets_union(struct rulesets *sets, uint32_t a, uint32_t b);
// Ascending rule indexes of a set, valid until the next rulesets_with or rulesets_union.
const uint16_t *rulesets_rules(const struct rulesets *sets, uint32_t set, size_t *count);
