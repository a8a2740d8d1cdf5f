// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/base.h"

#include <stdio.h>

_Noreturn void assert_fail(const char *expression, const char *file, int line, const char *function)
{
    fprintf(stderr, "signpost: invariant broken: %s (%s:%d, %s)\n", expression, file, line,
            function);
    abort();
}
