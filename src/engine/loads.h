// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct loads: the newest load that each member and each site has reported, by name. Bounded: what
// no policy may look at any more makes room for new names. Control thread.
#pragma once

#include "base/clock.h"
#include "zone/policy.h"

#define LOADS_AGE_MAX_NS (LOAD_AGE_MAX_S * NS_PER_SECOND)

enum { LOADS_MAX = 65536 };

struct load_report {
    char *name; // a value or a site
    bool is_site;
    double load;
    int64_t since_ns; // monotonic
};

// Owned by whoever made it. Names are copied.
struct loads;
// An empty table.
struct loads *loads_new(void);
void loads_free(struct loads *loads);

// False when the name is longer than LOAD_NAME_MAX_CHARS, or when there are LOADS_MAX others of the
// day before `since_ns`.
bool loads_put(struct loads *loads, const char *name, bool is_site, double load, int64_t since_ns);
// NULL when there is none. It lives until the next put.
const struct load_report *loads_find(const struct loads *loads, const char *name, bool is_site);
void loads_walk(const struct loads *loads,
                void (*visit)(void *context, const struct load_report *report), void *context);
