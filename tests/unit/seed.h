// SPDX-License-Identifier: GPL-3.0-or-later
//
// Randomised tests print their seed; SIGNPOST_SEED brings the same run back.
#pragma once

#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t test_seed(void)
{
    const char *given = getenv("SIGNPOST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : random_seed();
    printf("SIGNPOST_SEED=0x%016" PRIx64 "\n", seed);
    return seed;
}
