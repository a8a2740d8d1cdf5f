// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct history: the last results of one check and how long its probes took, in 0.5 KB.
//
// Times are kept coarsely: a latency as its logarithm (a quarter of an octave, 9 % at most beside
// the truth), the gap between two results in tenths of a second. Pure; one thread.
#pragma once

#include "base/clock.h"
#include "probe/result.h"

enum { HISTORY_RESULTS_MAX = 100, HISTORY_BOUNDS = 12 };

// Upper bounds of the histogram's first HISTORY_BOUNDS bars; the last bar has none.
extern const int64_t history_bounds_ns[HISTORY_BOUNDS];

struct history {
    uint32_t bars[HISTORY_BOUNDS + 1]; // probes that succeeded, by latency
    int64_t newest_ns;                 // end of the newest result
    uint8_t next, count;
    struct history_entry {
        uint8_t reason;  // enum probe_reason
        uint8_t latency; // code
        uint16_t gap;    // since the result before, in tenths of a second; saturates
    } entries[HISTORY_RESULTS_MAX];
};

// The end of a probe: after the one before.
void history_add(struct history *history, enum probe_reason reason, int64_t latency_ns,
                 int64_t now_ns);

struct history_result {
    enum probe_reason reason;
    int64_t latency_ns, at_ns; // monotonic; both about
};
// `age` 0 is the newest, below history->count.
struct history_result history_result(const struct history *history, unsigned age);
