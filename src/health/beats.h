// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct beats: the last heartbeat of each name, and what of it outlives a restart.
//
// Times are monotonic. A heartbeat of before a restart goes on ageing by the wall clock; one that
// would come from the future, because that clock was set back, counts as new. Control thread.
#pragma once

#include "base/clock.h"
#include "probe/result.h"

struct beat {
    bool down;      // it says so itself
    int64_t ttl_ns; // how long it is good for; 0: as long as the check says
    bool has_load;
    double load;
    const char *detail; // printable; NULL: none
};

enum { BEAT_NAME_MAX = 65 }; // with the end

struct last_beat {
    struct last_beat *next;
    int64_t at_ns; // before the start of the process when it was recalled
    int64_t ttl_ns;
    bool down, has_load;
    double load;
    char name[BEAT_NAME_MAX], detail[PROBE_DETAIL_MAX];
};

struct beats;
// None yet; the caller's.
struct beats *beats_new(void);
void beats_free(struct beats *beats); // NULL allowed
// Takes the place of the one before of this name; texts are copied and cut.
void beats_put(struct beats *beats, const char *name, const struct beat *beat, int64_t at_ns);
const struct last_beat *beats_find(const struct beats *beats, const char *name); // NULL: none yet
const struct last_beat *beats_first(const struct beats *beats);                  // then ->next
uint64_t beats_count(const struct beats *beats);                                 // of beats_put
