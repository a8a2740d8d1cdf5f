// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of limits: everything that bounds what somebody outside can make the server do, with
// its reason. A row is a constant of the code, by its value, or an option. The page
// docs/reference/limits.md is made from it. Immutable; any thread.
#pragma once

#include "base/base.h"

enum limit_group { LIMIT_QUERY, LIMIT_ANSWER, LIMIT_STREAM, LIMIT_DATA, LIMIT_GROUP_COUNT };

struct limit {
    enum limit_group group;
    const char *subject; // "links of a chain of aliases"
    int64_t value;       // of a constant
    const char *unit;    // of a constant; "" when the subject says it
    const char *option;  // the name of an option; NULL: a constant
    const char *then;    // what happens beyond it
    const char *reason;
};

// The rows of the table, in its order: by group. Static; any thread.
size_t limit_count(void);
const struct limit *limit_at(size_t index);
// "Queries".
const char *limit_group_title(enum limit_group group);
