// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct definitions: one copy of each check definition, counted, for all checks that share it; so
// that a check at rest is small and equality of definitions is equality of pointers. One thread.
#pragma once

#include "zone/check.h"

struct definitions;

// An empty set; the caller's.
struct definitions *definitions_new(void);
// Nothing may be kept any more. NULL allowed.
void definitions_free(struct definitions *definitions);
// The one copy that equals `spec`; each call needs one definition_drop.
const struct check_spec *definition_keep(struct definitions *definitions,
                                         const struct check_spec *spec);
// The same without counting; NULL when nobody keeps it.
const struct check_spec *definition_find(const struct definitions *definitions,
                                         const struct check_spec *spec);
void definition_drop(struct definitions *definitions, const struct check_spec *kept);
