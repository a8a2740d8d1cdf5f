// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a territory, shared by territory.c (interning) and territory_build.c (the sweep).
#pragma once

#include "steer/territory.h"

struct class_range {
    uint32_t offset, count; // into rules
};

struct territory {
    struct lpm *ipv4, *ipv6;
    struct class_range *classes;
    size_t class_count;
    uint16_t *rules;
    // Interning.
    struct territory *next;
    uint64_t hash;
    uint8_t *key;
    size_t key_size;
    unsigned user_count;
};

// A new territory without users and key.
struct territory *territory_build(const struct policy *policy, const struct lines *lines,
                                  const struct geo *geo);
