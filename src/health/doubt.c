// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/doubt.h"

const char *const doubt_cause_names[3] = {
    [DOUBT_NONE] = "none",
    [DOUBT_SHARE] = "most targets fail",
    [DOUBT_ANCHORS] = "no anchor answers",
};

void doubt_open(struct doubt *doubt, const struct doubt_options *options)
{
    *doubt = (struct doubt){.options = *options, .anchor_good_ns = INT64_MIN};
    for (size_t i = 0; i < DOUBT_SLOTS; i++) {
        doubt->slots[i].number = -1;
    }
}

static int64_t slot_number(int64_t time_ns)
{
    return time_ns / DOUBT_SLOT_NS;
}

void doubt_note(struct doubt *doubt, int64_t started_ns, bool good)
{
    int64_t number = slot_number(started_ns);
    struct doubt_slot *slot = &doubt->slots[(uint64_t)number % DOUBT_SLOTS];
    if (slot->number != number) {
        *slot = (struct doubt_slot){.number = number};
    }
    *(good ? &slot->good : &slot->bad) += 1;
    doubt->sample[doubt->sample_next] = !good;
    doubt->sample_next = (doubt->sample_next + 1) % DOUBT_SAMPLE_MAX;
    doubt->sample_count = MIN(doubt->sample_count + 1, (size_t)DOUBT_SAMPLE_MAX);
}

// Of the results whose probes began surely after `since_ns`.
static void evidence(const struct doubt *doubt, int64_t since_ns, uint64_t *good, uint64_t *bad)
{
    *good = *bad = 0;
    for (size_t i = 0; i < DOUBT_SLOTS; i++) {
        const struct doubt_slot *slot = &doubt->slots[i];
        if (slot->number > slot_number(since_ns)) {
            *good += slot->good;
            *bad += slot->bad;
        }
    }
}

static bool share_counts(const struct doubt *doubt)
{
    return doubt->options.share < 100 && doubt->up >= doubt->options.targets_min;
}

// Whether at least `share` per cent of the last results were bad. They are so many that no share
// below that of the options brings this about by chance; among fewer targets the share itself is
// seen as soon.
static bool sample_is_bad(const struct doubt *doubt, unsigned share)
{
    size_t size = MAX(MAX(doubt->up / 4, doubt->options.targets_min), (size_t)DOUBT_SAMPLE_MIN);
    size = MIN(size, (size_t)DOUBT_SAMPLE_MAX);
    size_t bad = 0, at = doubt->sample_next;
    for (size_t i = 0; i < size; i++) {
        at = (at + DOUBT_SAMPLE_MAX - 1) % DOUBT_SAMPLE_MAX;
        bad += doubt->sample[at];
    }
    return doubt->sample_count >= size && bad * 100 >= size * share;
}

// Raising takes more than ending, so that it does not flicker.
static enum doubt_cause cause_now(const struct doubt *doubt)
{
    if (doubt->anchors > 0 && doubt->anchors_good == 0) {
        return DOUBT_ANCHORS;
    }
    bool raised = doubt_frozen(doubt) || doubt->trusted;
    unsigned share = doubt->options.share, end = share - MIN(share, (unsigned)DOUBT_HYSTERESIS);
    bool bad = doubt->failing * 100 > doubt->up * (raised ? end : share) ||
               sample_is_bad(doubt, raised ? end : DOUBT_SAMPLE_BAD);
    return share_counts(doubt) && bad ? DOUBT_SHARE : DOUBT_NONE;
}

static void raise_doubt(struct doubt *doubt, enum doubt_cause cause, int64_t now_ns)
{
    doubt->cause = cause;
    doubt->since_ns = now_ns;
    doubt->raised_count++;
}

bool doubt_update(struct doubt *doubt, int64_t now_ns)
{
    enum doubt_cause cause = cause_now(doubt);
    if (doubt->trusted) {
        doubt->trusted = cause != DOUBT_NONE;
        return false;
    }
    if (doubt_frozen(doubt) == (cause != DOUBT_NONE)) {
        return false;
    }
    if (cause == DOUBT_NONE) {
        doubt->cause = cause;
        doubt->since_ns = now_ns;
    } else {
        raise_doubt(doubt, cause, now_ns);
    }
    return true;
}

bool doubt_allows_fall(struct doubt *doubt, int64_t failed_ns, int64_t now_ns, bool last_chance)
{
    if (doubt_frozen(doubt) || doubt->trusted) {
        return !doubt_frozen(doubt);
    }
    if (doubt->anchors > 0) {
        return last_chance || doubt->anchor_good_ns > failed_ns;
    }
    if (!share_counts(doubt)) {
        return true;
    }
    uint64_t good, bad;
    evidence(doubt, failed_ns, &good, &bad);
    bool sane = good >= MIN((size_t)DOUBT_WITNESSES, doubt->options.targets_min) && good > 0 &&
                good * 100 >= (good + bad) * (100 - doubt->options.share);
    // So few results differ from the share by chance: only if next to none is good is that doubt.
    bool hopeless =
        bad >= doubt->options.targets_min && good * 100 < (good + bad) * (100 - DOUBT_SAMPLE_BAD);
    if (!sane && last_chance && hopeless) {
        raise_doubt(doubt, DOUBT_SHARE, now_ns);
        return false;
    }
    return sane || last_chance;
}

bool doubt_trust(struct doubt *doubt)
{
    bool frozen = doubt_frozen(doubt);
    doubt->trusted = doubt->trusted || frozen;
    doubt->cause = DOUBT_NONE;
    return frozen;
}
