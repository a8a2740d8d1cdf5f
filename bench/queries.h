// SPDX-License-Identifier: GPL-3.0-or-later
//
// Query packets made before the clock starts, grouped by size.
#pragma once

#include "base/base.h"

enum { QUERY_SIZE_MAX = 512 };

struct query_options {
    bool edns;       // an OPT record with a payload of 1232
    bool ecs_random; // a random IPv4 /24 as client subnet in each query that names none
    size_t pool;     // packets to make; at least one a line
    uint64_t seed;
};

// Packets of one size, one after the other.
struct query_group {
    size_t size;
    size_t count, capacity;
    uint8_t *bytes;
    size_t next; // where the sender goes on
};

struct query_set {
    struct query_group *groups;
    size_t group_count, group_capacity;
    size_t count;
};

// Lines "name type [ecs-address]", an address with or without a prefix length (/24 and /56 else);
// '#' begins a comment. False when the file cannot be used; the reason went to standard error.
bool queries_read(struct query_set *set, const char *path, const struct query_options *options);
void queries_free(struct query_set *set);
