// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads and writes the text of check_states.h. The file is ours, but it may have been cut or
// changed: everything is checked, and a fault anywhere refuses the whole.
#include "engine/check_states.h"

#include "base/hash.h"
#include "base/memory.h"
#include "engine/state_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 4, VERSION_FIRST = 1, CHECKS_MAX = 1 << 24 };
#define CHECKSUM_KEY 0x7369676e706f7374ULL
// A clock that was set back a little must not cost the states.
#define CLOCK_SLACK_NS  (3600 * NS_PER_SECOND)
#define BEAT_TTL_MAX_NS (86400 * NS_PER_SECOND)

struct known {
    uint64_t key;
    struct check_memory memory;
};

struct check_states {
    struct known *items; // sorted by key
    size_t count, capacity;
};

const char *const check_states_fault_texts[] = {
    [CHECK_STATES_GOOD] = "nothing",
    [CHECK_STATES_DAMAGED] = "it is damaged",
    [CHECK_STATES_OTHER_VERSION] = "it is of another version",
    [CHECK_STATES_TOO_OLD] = "it is too old",
    [CHECK_STATES_EARLY] = "it was saved later than the clock shows",
};

static void put_beats(FILE *out, const struct beats *beats, int64_t ahead_ns)
{
    for (const struct last_beat *beat = beats_first(beats); beat; beat = beat->next) {
        fprintf(out, "beat %" PRId64 " %" PRId64 " %d %d", beat->at_ns + ahead_ns, beat->ttl_ns,
                beat->down, beat->has_load);
        state_put_double(out, beat->load);
        state_put_text(out, beat->name);
        state_put_text(out, beat->detail);
        fputc('\n', out);
    }
}

char *check_states_format(const struct health *health, const struct beats *beats, const char *other,
                          const struct clock *clock, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    SP_ASSERT(out != NULL); // only memory could be missing
    int64_t wall = clock_wall_ns(clock), ahead = wall - clock_monotonic_ns(clock);
    size_t count = 0;
    fprintf(out, "signpost-health %d %" PRId64 "\n", VERSION, wall);
    for (int i = 0; i < health_count(health); i++) {
        struct check_view view;
        if (!health_view(health, i, &view) || view.state == CHECK_UNKNOWN) {
            continue;
        }
        struct check_memory memory = health_memory(health, i);
        fprintf(out, "%016" PRIx64 " %s %u %d %d %" PRId64 " %" PRId64 "\n", health_key(health, i),
                check_state_names[memory.state], memory.level, memory.flapping, memory.has_risen,
                memory.since_ns + ahead, memory.has_risen ? memory.risen_ns + ahead : 0);
        count++;
    }
    put_beats(out, beats, ahead);
    fputs(other, out);
    fflush(out);
    uint64_t checksum = hash_bytes(CHECKSUM_KEY, text, *size);
    fprintf(out, "end %zu %016" PRIx64 "\n", count, checksum);
    int failed = fclose(out);
    SP_ASSERT(failed == 0);
    return text;
}

// --- reading

static int by_key(const void *a, const void *b)
{
    uint64_t x = ((const struct known *)a)->key, y = ((const struct known *)b)->key;
    return x < y ? -1 : x > y;
}

static bool state_of(const char **at, enum check_state *state)
{
    static const enum check_state states[] = {CHECK_UP, CHECK_DOWN};
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        size_t size = strlen(check_state_names[states[i]]);
        if (strncmp(*at, check_state_names[states[i]], size) == 0 && (*at)[size] == ' ') {
            *state = states[i];
            *at += size + 1;
            return true;
        }
    }
    return false;
}

static bool read_line(const char *line, int64_t ahead_ns, struct known *known)
{
    uint64_t level, flapping, has_risen;
    struct check_memory *memory = &known->memory;
    if (!state_number(&line, 16, UINT64_MAX, &known->key) || !state_of(&line, &memory->state) ||
        !state_number(&line, 10, 255, &level) || !state_number(&line, 10, 1, &flapping) ||
        !state_number(&line, 10, 1, &has_risen) || !state_time(&line, &memory->since_ns) ||
        !state_time(&line, &memory->risen_ns) || *line != '\0') {
        return false;
    }
    memory->level = (unsigned)level;
    memory->flapping = flapping != 0;
    memory->has_risen = has_risen != 0;
    memory->since_ns -= ahead_ns;
    memory->risen_ns -= ahead_ns;
    return true;
}

// A clock that was set back does not make a heartbeat good for longer than if it had just come.
static bool read_beat(const char *line, int64_t ahead_ns, int64_t now_ns, struct beats *beats)
{
    uint64_t down, has_load, load;
    int64_t at_ns;
    char name[BEAT_NAME_MAX], detail[PROBE_DETAIL_MAX];
    struct beat beat = {.detail = detail};
    if (!state_time(&line, &at_ns) || !state_time(&line, &beat.ttl_ns) ||
        !state_number(&line, 10, 1, &down) || !state_number(&line, 10, 1, &has_load) ||
        !state_number(&line, 16, UINT64_MAX, &load) || !state_text(&line, name, sizeof(name)) ||
        !state_text(&line, detail, sizeof(detail)) || *line != '\0' ||
        beat.ttl_ns > BEAT_TTL_MAX_NS) {
        return false;
    }
    beat.down = down != 0;
    beat.has_load = has_load != 0;
    memcpy(&beat.load, &load, sizeof(load));
    at_ns = MIN(at_ns - ahead_ns, now_ns);
    if (now_ns - at_ns <= BEAT_TTL_MAX_NS) { // older ones are good for nobody
        beats_put(beats, name, &beat, at_ns);
    }
    return true;
}

// What is read from a file, and into what.
struct reading {
    struct check_states *states;
    struct beats *beats; // NULL: passed over
    const struct state_lines *others;
    int64_t ahead_ns, now_ns;
};

static bool read_any_line(const struct reading *reading, const char *line)
{
    struct check_states *states = reading->states;
    if (strncmp(line, "beat ", 5) == 0) {
        return reading->beats == NULL ||
               read_beat(line + 5, reading->ahead_ns, reading->now_ns, reading->beats);
    }
    if (strncmp(line, "load ", 5) == 0 || strncmp(line, "rtt ", 4) == 0) {
        return reading->others->read(reading->others->state, line, reading->ahead_ns,
                                     reading->now_ns);
    }
    MEM_GROW(states->items, states->count, states->capacity);
    return read_line(line, reading->ahead_ns, &states->items[states->count++]);
}

// Everything between the first line and the last.
static bool read_body(const struct reading *reading, char *body, const char *end)
{
    while (body < end) {
        char *line_end = memchr(body, '\n', (size_t)(end - body));
        if (line_end == NULL || reading->states->count == CHECKS_MAX) {
            return false;
        }
        *line_end = '\0';
        if (!read_any_line(reading, body)) {
            return false;
        }
        body = line_end + 1;
    }
    return true;
}

struct file {
    uint64_t version, count, checksum;
    int64_t saved_ns;
    char *body, *end; // of `copy`, which holds all of it
    char *copy;
};

// The first line and the last, and whether the checksum is right.
static bool read_frame(struct file *file, size_t size)
{
    static const char head[] = "signpost-health ";
    char *line_end = strchr(file->copy, '\n');
    for (char *at = file->copy; (at = strstr(at, "\nend ")) != NULL; at++) {
        file->end = at + 1;
    }
    if (size == 0 || strlen(file->copy) != size || file->copy[size - 1] != '\n' ||
        file->end == NULL || strncmp(file->copy, head, sizeof(head) - 1) != 0) {
        return false;
    }
    uint64_t checksum = hash_bytes(CHECKSUM_KEY, file->copy, (size_t)(file->end - file->copy));
    *line_end = '\0';
    file->copy[size - 1] = '\0';
    const char *first = file->copy + sizeof(head) - 1, *last = file->end + strlen("end ");
    file->body = line_end + 1;
    return state_number(&first, 10, UINT32_MAX, &file->version) &&
           state_time(&first, &file->saved_ns) && *first == '\0' &&
           state_number(&last, 10, CHECKS_MAX, &file->count) &&
           state_number(&last, 16, UINT64_MAX, &file->checksum) && *last == '\0' &&
           checksum == file->checksum;
}

static enum check_states_fault judge(const struct file *file, int64_t age_ns, int64_t age_max_ns)
{
    if (file->version < VERSION_FIRST || file->version > VERSION) {
        return CHECK_STATES_OTHER_VERSION;
    }
    return age_ns > age_max_ns        ? CHECK_STATES_TOO_OLD
           : age_ns < -CLOCK_SLACK_NS ? CHECK_STATES_EARLY
                                      : CHECK_STATES_GOOD;
}

struct check_states *check_states_parse(const char *text, size_t size, const struct clock *clock,
                                        int64_t age_max_ns, struct beats *beats,
                                        const struct state_lines *others,
                                        enum check_states_fault *fault, int64_t *age_ns)
{
    struct check_states *states = mem_alloc(sizeof(*states));
    struct file file = {.copy = mem_printf("%.*s", (int)MIN(size, (size_t)INT32_MAX), text)};
    *fault = CHECK_STATES_DAMAGED;
    *age_ns = 0;
    if (read_frame(&file, size)) {
        *age_ns = clock_wall_ns(clock) - file.saved_ns;
        *fault = judge(&file, *age_ns, age_max_ns);
    }
    if (*fault == CHECK_STATES_GOOD || *fault == CHECK_STATES_TOO_OLD) {
        const int64_t now_ns = clock_monotonic_ns(clock);
        struct reading reading = {states, *fault == CHECK_STATES_GOOD ? beats : NULL, others,
                                  clock_wall_ns(clock) - now_ns, now_ns};
        if (!read_body(&reading, file.body, file.end) || states->count != file.count) {
            *fault = CHECK_STATES_DAMAGED;
        }
    }
    free(file.copy);
    if (*fault != CHECK_STATES_GOOD) {
        check_states_free(states);
        return NULL;
    }
    if (states->count > 0) {
        qsort(states->items, states->count, sizeof(*states->items), by_key);
    }
    return states;
}

void check_states_free(struct check_states *states)
{
    if (states != NULL) {
        free(states->items);
        free(states);
    }
}

size_t check_states_count(const struct check_states *states)
{
    return states->count;
}

bool check_states_recall(const struct check_states *states, struct health *health, int check)
{
    struct check_view view;
    struct known key = {.key = health_key(health, check)};
    if (states->count == 0 || !health_view(health, check, &view) || view.probe_count > 0 ||
        view.state != CHECK_UNKNOWN) {
        return false;
    }
    const struct known *known = bsearch(&key, states->items, states->count, sizeof(key), by_key);
    if (known != NULL) {
        health_remember(health, check, &known->memory);
    }
    return known != NULL;
}
