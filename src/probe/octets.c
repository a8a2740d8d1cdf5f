// SPDX-License-Identifier: GPL-3.0-or-later
#include "probe/octets.h"

#include "base/memory.h"

#include <string.h>

size_t octets_put(struct octets *octets, const void *more, size_t count)
{
    count = MIN(count, octets->limit - MIN(octets->count, octets->limit));
    if (octets->count + count > octets->capacity) {
        octets->capacity = MAX(octets->count + count, MAX(octets->capacity * 2, 256U));
        octets->at = mem_resize(octets->at, octets->capacity + 1, 1);
    }
    if (count > 0) {
        memcpy(octets->at + octets->count, more, count);
    }
    octets->count += count;
    if (octets->at) {
        octets->at[octets->count] = '\0';
    }
    return count;
}

void octets_free(struct octets *octets)
{
    free(octets->at);
    *octets = (struct octets){0};
}
