// SPDX-License-Identifier: GPL-3.0-or-later
#include "health/beats.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

struct beats {
    struct last_beat *first;
    uint64_t count;
};

struct beats *beats_new(void)
{
    return mem_alloc(sizeof(struct beats));
}

void beats_free(struct beats *beats)
{
    while (beats != NULL && beats->first != NULL) {
        struct last_beat *next = beats->first->next;
        free(beats->first);
        beats->first = next;
    }
    free(beats);
}

static struct last_beat *find(const struct beats *beats, const char *name)
{
    struct last_beat *beat = beats->first;
    while (beat != NULL && strcmp(beat->name, name) != 0) {
        beat = beat->next;
    }
    return beat;
}

const struct last_beat *beats_find(const struct beats *beats, const char *name)
{
    return find(beats, name);
}

const struct last_beat *beats_first(const struct beats *beats)
{
    return beats->first;
}

uint64_t beats_count(const struct beats *beats)
{
    return beats->count;
}

void beats_put(struct beats *beats, const char *name, const struct beat *beat, int64_t at_ns)
{
    struct last_beat *last = find(beats, name);
    if (last == NULL) {
        last = mem_alloc(sizeof(*last));
        snprintf(last->name, sizeof(last->name), "%s", name);
        last->next = beats->first;
        beats->first = last;
    }
    last->at_ns = at_ns;
    last->ttl_ns = beat->ttl_ns;
    last->down = beat->down;
    last->has_load = beat->has_load;
    last->load = beat->load;
    snprintf(last->detail, sizeof(last->detail), "%s", beat->detail ? beat->detail : "");
    beats->count++;
}
