// SPDX-License-Identifier: GPL-3.0-or-later
//
// Expressions over checks: all, any, at least n of, not. Their operands are checks of the registry
// like any other, acquired with the expression and released with it; an operand without a target of
// its own is about the same value as the expression. Thread of the registry.
#pragma once

#include "health/health.h"

// As health_acquire, for a check about `value` (an address, or FAMILY_NONE where there is none)
// with everything that it is made of.
int expression_acquire(struct health *health, const struct address *value,
                       const struct check_spec *spec);
// The same value and definition as it was acquired with.
void expression_release(struct health *health, const struct address *value,
                        const struct check_spec *spec);

// What it is now: CHECK_UNKNOWN when the operands that are known do not decide it. *up and *known
// count operands.
enum check_state expression_state(const struct health *health, const struct address *value,
                                  const struct check_spec *spec, unsigned *up, unsigned *known);
