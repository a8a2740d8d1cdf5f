// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads and writes the text of check_states.h. The file is ours, but it may have been cut or
// changed: everything is checked, and a fault anywhere refuses the whole.
#include "engine/check_states.h"

#include "base/hash.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1, CHECKS_MAX = 1 << 24 };
#define CHECKSUM_KEY 0x7369676e706f7374ULL
// A clock that was set back a little must not cost the states.
#define CLOCK_SLACK_NS (3600 * NS_PER_SECOND)

struct known {
    uint64_t key;
    struct check_memory memory;
};

struct check_states {
    struct known *items; // sorted by key
    size_t count, capacity;
};

char *check_states_format(const struct health *health, const struct clock *clock, size_t *size)
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

// One blank-separated word of a line that ends with a NUL, as a number; *at moves behind it.
static bool number(const char **at, int base, uint64_t max, uint64_t *value)
{
    char *end;
    size_t size = strcspn(*at, " ");
    if (size == 0 || size > 20 || strspn(*at, "0123456789abcdefABCDEF") != size) {
        return false;
    }
    errno = 0;
    *value = strtoull(*at, &end, base);
    bool good = errno == 0 && end == *at + size && *value <= max;
    *at = *end == ' ' ? end + 1 : end;
    return good;
}

static bool time_of(const char **at, int64_t *ns)
{
    uint64_t value;
    bool good = number(at, 10, INT64_MAX, &value);
    *ns = good ? (int64_t)value : 0;
    return good;
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
    if (!number(&line, 16, UINT64_MAX, &known->key) || !state_of(&line, &memory->state) ||
        !number(&line, 10, 255, &level) || !number(&line, 10, 1, &flapping) ||
        !number(&line, 10, 1, &has_risen) || !time_of(&line, &memory->since_ns) ||
        !time_of(&line, &memory->risen_ns) || *line != '\0') {
        return false;
    }
    memory->level = (unsigned)level;
    memory->flapping = flapping != 0;
    memory->has_risen = has_risen != 0;
    memory->since_ns -= ahead_ns;
    memory->risen_ns -= ahead_ns;
    return true;
}

// Everything between the first line and the last.
static bool read_body(struct check_states *states, char *body, const char *end, int64_t ahead_ns)
{
    while (body < end) {
        char *line_end = memchr(body, '\n', (size_t)(end - body));
        if (line_end == NULL || states->count == CHECKS_MAX) {
            return false;
        }
        *line_end = '\0';
        MEM_GROW(states->items, states->count, states->capacity);
        if (!read_line(body, ahead_ns, &states->items[states->count++])) {
            return false;
        }
        body = line_end + 1;
    }
    return true;
}

static bool age_is_good(int64_t age_ns, int64_t age_max_ns)
{
    return age_ns <= age_max_ns && age_ns >= -CLOCK_SLACK_NS;
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
    return number(&first, 10, UINT32_MAX, &file->version) && time_of(&first, &file->saved_ns) &&
           *first == '\0' && number(&last, 10, CHECKS_MAX, &file->count) &&
           number(&last, 16, UINT64_MAX, &file->checksum) && *last == '\0' &&
           checksum == file->checksum;
}

struct check_states *check_states_parse(const char *text, size_t size, const struct clock *clock,
                                        int64_t age_max_ns, const char **reason)
{
    struct check_states *states = mem_alloc(sizeof(*states));
    struct file file = {.copy = mem_printf("%.*s", (int)MIN(size, (size_t)INT32_MAX), text)};
    *reason = "it is damaged";
    if (read_frame(&file, size)) {
        int64_t wall = clock_wall_ns(clock);
        if (file.version != VERSION) {
            *reason = "it is of another version";
        } else if (!age_is_good(wall - file.saved_ns, age_max_ns)) {
            *reason = "it is too old";
        } else if (read_body(states, file.body, file.end, wall - clock_monotonic_ns(clock)) &&
                   states->count == file.count) {
            *reason = NULL;
        }
    }
    free(file.copy);
    if (*reason != NULL) {
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
