// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct doubt: whether the checker should believe itself.
//
// When most targets turn bad at once, or the checker's own anchors do, it is more likely that the
// checker lost its network than that all of them died. Then states freeze and answers stay, until
// the world looks sane again or an operator says that it really is so.
//
// Two questions are answered. Is there doubt now: more than `share` per cent of the targets that
// are up give bad results, or so many of the last few did that no other share is likely, or no
// anchor answers. May this target fall already, before all others were probed again: yes, if enough
// of the results that began after its first failure are good, in number and in share.
// Pure; the registry (health/health.h) keeps the counts. One thread.
#pragma once

#include "base/clock.h"

enum doubt_cause { DOUBT_NONE, DOUBT_SHARE, DOUBT_ANCHORS };
extern const char *const doubt_cause_names[3];

struct doubt_options {
    unsigned share;     // per cent; 100 or more: never because of a share
    size_t targets_min; // with fewer targets up, a share says nothing
};

enum { DOUBT_SLOTS = 512, DOUBT_HYSTERESIS = 20 };
enum { DOUBT_SAMPLE_MIN = 60, DOUBT_SAMPLE_MAX = 256, DOUBT_SAMPLE_BAD = 95 };
// Good results that let a target fall before its time; fewer may be those of the few that live.
enum { DOUBT_WITNESSES = 3 };
#define DOUBT_SLOT_NS (250 * NS_PER_MS)

struct doubt {
    struct doubt_options options;
    enum doubt_cause cause; // what it is frozen for; DOUBT_NONE: it is not
    bool trusted;           // the operator overruled it; until all looks sane again
    int64_t since_ns;
    uint64_t raised_count;
    size_t up, failing;            // targets that are up; of these, those whose last result is bad
    size_t anchors, anchors_good;  // anchors that are up or down; of these, those that are up
    int64_t anchor_good_ns;        // start of the last good probe of an anchor
    bool sample[DOUBT_SAMPLE_MAX]; // the last results, bad ones true; a quarter of `up` counts
    size_t sample_next, sample_count;
    struct doubt_slot {
        int64_t number;
        uint32_t good, bad;
    } slots[DOUBT_SLOTS]; // results by the start of their probe: the last 128 s
};

// Nothing was seen yet and nothing is doubted; there is nothing to release.
void doubt_open(struct doubt *doubt, const struct doubt_options *options);
// A result of a target that is up, or is coming up; not those that confirm a failure.
void doubt_note(struct doubt *doubt, int64_t started_ns, bool good);
// Looks at the counts; true when doubt began or ended.
bool doubt_update(struct doubt *doubt, int64_t now_ns);
// Whether a target whose first failure ended at `failed_ns` may fall now. `last_chance`: a later
// look would break the promise of when a dead target is out. May begin doubt.
bool doubt_allows_fall(struct doubt *doubt, int64_t failed_ns, int64_t now_ns, bool last_chance);
// The operator believes the checks. True when there was doubt.
bool doubt_trust(struct doubt *doubt);

static inline bool doubt_frozen(const struct doubt *doubt)
{
    return doubt->cause != DOUBT_NONE;
}
