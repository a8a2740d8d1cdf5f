// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/hash.h"

#include <sys/random.h>

uint64_t random_seed(void)
{
    uint64_t seed = 0;
    ssize_t got = getrandom(&seed, sizeof(seed), 0);
    SP_ASSERT(got == (ssize_t)sizeof(seed));
    return seed;
}
