// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of a plan, shared by plan_compile.c (writes it once) and plan_pick.c (reads it).
#pragma once

#include "steer/plan.h"

enum { SHARE_ALL = 1000000 };

// One way to answer: some members, an order, a TTL. The query path reads only this and the records.
struct choice {
    uint8_t kind;   // enum pick_kind
    uint8_t method; // enum method
    bool failed_open;
    uint16_t member_count;
    uint16_t answer_count; // records of an answer, 1..PLAN_ANSWERS_MAX
    uint16_t rule, pool;   // NOT_ONE: no rule, top-level values
    uint32_t ttl;
    uint32_t share_ppm;    // this part of the clients takes this choice
    uint32_t otherwise;    // the others take this one; NO_CHOICE
    uint32_t first_member; // index into the plan's member arrays
    uint64_t weight_sum;
};

enum { NOT_ONE = UINT16_MAX };

#define NO_CHOICE UINT32_MAX

// A member within a choice. Alias table (Walker, Vose): a draw picks a column, then the column
// itself when a second draw is below `cut`, else `alias`.
struct choice_member {
    size_t record_offset; // into records
    uint32_t record_size;
    uint16_t index, pool; // where it is written; pool NOT_ONE: the values
    uint32_t weight;
    uint32_t cut;
    uint16_t alias;
    uint64_t identity; // hash of the rdata: sticky choices survive reordering
};

struct plan {
    const struct territory *territory;
    uint64_t sticky_key;
    uint32_t *choice_of_class;
    size_t class_count;
    struct choice *choices;
    size_t choice_count, choice_capacity;
    struct choice_member *members;
    size_t member_count, member_capacity;
    uint8_t *records;
    size_t record_size, record_capacity;
};

// The hash of the client's network, from which shares are cut and sticky members drawn.
uint64_t plan_client_hash(const struct plan *plan, const struct address *client);
