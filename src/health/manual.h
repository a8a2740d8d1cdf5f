// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct manual: what operators have said about members, over whatever their checks say.
//
// An entry has a pattern, a state, who and why, and a time: from, until, once or every week (a
// maintenance window). Of the entries that hold a member and are in force, the one that was made
// last wins. Times of day are turned into monotonic ones when an entry is made or loaded: a jump of
// the clock moves no window. Control thread; no files and no clock here.
#pragma once

#include "base/clock.h"
#include "base/diag.h"

enum manual_state { MANUAL_NONE, MANUAL_UP, MANUAL_DOWN, MANUAL_DRAIN, MANUAL_STATE_COUNT };
extern const char *const manual_state_names[MANUAL_STATE_COUNT];

enum { MANUAL_ENTRIES_MAX = 1000, MANUAL_TEXT_MAX = 255 };

// Who a member is. All texts; names without the final dot; `site` "" for none.
struct manual_identity {
    const char *zone, *owner, *type, *pool, *value, *site;
};

struct manual_entry {
    uint64_t id; // counts up; 0 when it is not yet in the list
    enum manual_state state;
    bool weekly;
    const char *pattern, *who, *why; // the entry's own once it is in the list
    int64_t set_ns;                  // wall clock, ns since 1970
    int64_t from_ns, until_ns;       // wall clock; until 0: for ever
};

struct manual;

// An empty list; the clock outlives it. The caller's.
struct manual *manual_new(const struct clock *clock);
void manual_free(struct manual *manual); // NULL allowed

// Patterns: zone/owner/type/pool/value, each part a glob of its own and those at the end left out
// meaning "any"; or site:GLOB, pool:GLOB, value:GLOB. False with the fault in `diags`.
bool manual_entry_check(const struct manual_entry *entry, int64_t wall_ns, struct diags *diags);
// A pattern alone.
bool manual_pattern_check(const char *pattern, struct diags *diags);
bool manual_pattern_matches(const char *pattern, const struct manual_identity *identity);

// The entry must have passed the check; texts are copied. NULL when the list is full.
const struct manual_entry *manual_add(struct manual *manual, const struct manual_entry *entry);
// Takes the entry that was added last back.
void manual_drop_last(struct manual *manual);
// Removes the entries of exactly this pattern; their number.
size_t manual_remove(struct manual *manual, const char *pattern);
size_t manual_count(const struct manual *manual);
const struct manual_entry *manual_entry(const struct manual *manual, size_t index);
// Whether it holds at this moment.
bool manual_in_force(const struct manual *manual, size_t index);

// The entry that decides about a member now; NULL: none.
const struct manual_entry *manual_find(const struct manual *manual,
                                       const struct manual_identity *identity);
// Drops what is over and moves weekly windows on: the number of entries that went. *next_ns is the
// monotonic time of the next beginning or end, INT64_MAX when there is none.
size_t manual_tick(struct manual *manual, int64_t *next_ns);
