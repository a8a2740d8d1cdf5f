// SPDX-License-Identifier: GPL-3.0-or-later
//
// Randomised tests print their seed; SIGNPOST_SEED brings the same run back.
#pragma once

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// How often something is tried: the environment may ask for more than continuous integration does.
static inline unsigned long test_count(const char *variable, unsigned long usual)
{
    const char *given = getenv(variable);
    return given ? strtoul(given, NULL, 0) : usual;
}

static inline uint64_t test_seed(void)
{
    const char *given = getenv("SIGNPOST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : random_seed();
    printf("SIGNPOST_SEED=0x%016" PRIx64 "\n", seed);
    return seed;
}
