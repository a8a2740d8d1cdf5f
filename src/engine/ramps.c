// SPDX-License-Identifier: GPL-3.0-or-later
//
// The timetable of ramps: modes, and how far each has come. See ramps.h.
//
// Used by engine_ramps.c on the control thread. Monotonic times only, but for where a timetable
// begins and for the file that outlives a restart. A few ramps at a time: plain lists.
#include "engine/ramps.h"

#include "base/memory.h"

#include <string.h>

const char *const ramp_mode_names[RAMP_MODE_COUNT] = {
    [RAMP_RUNNING] = "running", [RAMP_HELD] = "held", [RAMP_ABORTED] = "aborted"};

struct ramp_state {
    char *id;
    enum ramp_mode mode;
    int64_t begun_ns; // monotonic: when the first step began, held time left out
    int64_t stood_ns; // held or aborted: how far it had come
};

struct ramps {
    const struct clock *clock;
    struct ramp_state *items;
    size_t count, capacity;
};

struct ramps *ramps_new(const struct clock *clock)
{
    struct ramps *ramps = mem_alloc(sizeof(*ramps));
    ramps->clock = clock;
    return ramps;
}

void ramps_free(struct ramps *ramps)
{
    for (size_t i = 0; ramps != NULL && i < ramps->count; i++) {
        free(ramps->items[i].id);
    }
    if (ramps != NULL) {
        free(ramps->items);
        free(ramps);
    }
}

static struct ramp_state *find(const struct ramps *ramps, const char *id)
{
    for (size_t i = 0; i < ramps->count; i++) {
        if (strcmp(ramps->items[i].id, id) == 0) {
            return &ramps->items[i];
        }
    }
    return NULL;
}

static struct ramp_state *add(struct ramps *ramps, const char *id)
{
    MEM_GROW(ramps->items, ramps->count, ramps->capacity);
    struct ramp_state *state = &ramps->items[ramps->count++];
    *state = (struct ramp_state){.id = mem_strdup(id)};
    return state;
}

static int64_t progress_ns(const struct ramps *ramps, const struct ramp_state *state)
{
    return state->mode == RAMP_RUNNING ? clock_monotonic_ns(ramps->clock) - state->begun_ns
                                       : state->stood_ns;
}

uint32_t ramps_share(const struct ramps *ramps, const char *id, const struct ramp *document,
                     int64_t *next_ns)
{
    const struct ramp_state *state = find(ramps, id);
    *next_ns = INT64_MAX;
    if (state == NULL || state->mode == RAMP_ABORTED) {
        return 0;
    }
    int64_t progress = progress_ns(ramps, state), ends = 0;
    size_t step = 0;
    if (progress >= 0) {
        ends = document->steps[0].for_ns;
        while (step + 1 < document->step_count && progress >= ends) {
            ends += document->steps[++step].for_ns;
        }
    }
    bool last = progress >= 0 && step + 1 == document->step_count;
    if (state->mode == RAMP_RUNNING && !last) {
        *next_ns = state->begun_ns + ends;
    }
    return progress < 0 ? 0 : document->steps[step].share_ppm;
}

void ramps_bind(struct ramps *ramps, const char *id, struct ramp *document)
{
    struct ramp_state *state = find(ramps, id);
    if (state == NULL) {
        int64_t past_ns = document->start_ns ? clock_wall_ns(ramps->clock) - document->start_ns : 0;
        state = add(ramps, id);
        state->begun_ns = clock_monotonic_ns(ramps->clock) - past_ns;
    }
    int64_t next_ns;
    document->share_ppm = ramps_share(ramps, id, document, &next_ns);
}

void ramps_keep(struct ramps *ramps, bool (*used)(void *context, const char *id), void *context)
{
    size_t kept = 0;
    for (size_t i = 0; i < ramps->count; i++) {
        if (used(context, ramps->items[i].id)) {
            ramps->items[kept++] = ramps->items[i];
        } else {
            free(ramps->items[i].id);
        }
    }
    ramps->count = kept;
}

bool ramps_set(struct ramps *ramps, const char *id, enum ramp_mode mode)
{
    struct ramp_state *state = find(ramps, id);
    if (state == NULL) {
        return false;
    }
    int64_t progress = progress_ns(ramps, state);
    if (mode == RAMP_RUNNING && state->mode != RAMP_RUNNING) {
        // After an abort nobody is in any more: it begins again.
        int64_t from_ns = state->mode == RAMP_ABORTED ? 0 : progress;
        state->begun_ns = clock_monotonic_ns(ramps->clock) - from_ns;
    } else if (mode == RAMP_HELD && state->mode == RAMP_ABORTED) {
        return true; // aborted is more than held
    } else {
        state->stood_ns = progress;
    }
    state->mode = mode;
    return true;
}

enum ramp_mode ramps_mode(const struct ramps *ramps, const char *id)
{
    const struct ramp_state *state = find(ramps, id);
    return state ? state->mode : RAMP_RUNNING;
}

json_t *ramps_save(const struct ramps *ramps)
{
    json_t *list = json_array();
    int64_t wall_ns = clock_wall_ns(ramps->clock);
    for (size_t i = 0; i < ramps->count; i++) {
        const struct ramp_state *state = &ramps->items[i];
        int64_t progress = progress_ns(ramps, state);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:I, s:I, s:b}", "ramp", state->id, "mode",
                            ramp_mode_names[state->mode], "begun", (json_int_t)(wall_ns - progress),
                            "stood", (json_int_t)state->stood_ns, "waits", (int)(progress < 0)));
    }
    return list;
}

// One that had begun has begun, even if the clock was set back to before that.
static void load_one(struct ramps *ramps, const json_t *entry)
{
    const char *id = json_string_value(json_object_get(entry, "ramp"));
    const char *mode = json_string_value(json_object_get(entry, "mode"));
    int64_t begun = json_integer_value(json_object_get(entry, "begun"));
    if (id == NULL || mode == NULL || begun <= 0 || find(ramps, id) != NULL) {
        return;
    }
    int64_t past_ns = clock_wall_ns(ramps->clock) - begun;
    bool waits = json_is_true(json_object_get(entry, "waits"));
    struct ramp_state *state = add(ramps, id);
    state->begun_ns =
        clock_monotonic_ns(ramps->clock) - (waits ? past_ns : MAX(past_ns, (int64_t)0));
    state->stood_ns = json_integer_value(json_object_get(entry, "stood"));
    for (size_t i = 0; i < RAMP_MODE_COUNT; i++) {
        state->mode = strcmp(ramp_mode_names[i], mode) == 0 ? (enum ramp_mode)i : state->mode;
    }
}

void ramps_load(struct ramps *ramps, const json_t *saved)
{
    size_t index;
    const json_t *entry;
    json_array_foreach(saved, index, entry)
    {
        load_one(ramps, entry);
    }
}
