// SPDX-License-Identifier: GPL-3.0-or-later
//
// The report of a simulation: tallies of shares by pool, site and member, before and after, as
// JSON. Internal to engine/; control thread.
#pragma once

#include "steer/plan.h"
#include "steer/simulate.h"

#include <jansson.h>

// One side of a comparison: a policy and its plan.
struct simulated {
    const struct policy *policy;
    const struct plan *plan;
};

struct report;

// `after` may be equal to `before`: then there are no differences to tell.
struct report *report_new(const struct simulated *before, const struct simulated *after);
void report_free(struct report *report);

// The two sides over one population without groups: {clients, pools, sites, members}.
json_t *report_all(struct report *report, const struct simulation *before,
                   const struct simulation *after);
// The same for each group with clients: a list of {group, clients, pools, sites, members}. `names`
// has one entry a group.
json_t *report_groups(struct report *report, const char *const *names,
                      const struct simulation *before, const struct simulation *after);
