// SPDX-License-Identifier: GPL-3.0-or-later
//
// The list of manual states, their patterns and their times.
//
// Owned by the engine, which asks it for each member when something changed and persists it; used
// on the control thread only. Patterns come from outside: their length and their stars are bounded,
// because matching may take time exponential in the stars.
#include "health/manual.h"

#include "base/memory.h"

#include <fnmatch.h>
#include <string.h>

#define WEEK_NS (7 * 24 * 3600 * NS_PER_SECOND)

enum { PARTS = 5, STARS_MAX = 8 };

const char *const manual_state_names[MANUAL_STATE_COUNT] = {
    [MANUAL_NONE] = "none", [MANUAL_UP] = "up", [MANUAL_DOWN] = "down", [MANUAL_DRAIN] = "drain"};

struct item {
    struct manual_entry entry;
    int64_t begin_ns, end_ns; // monotonic; end INT64_MAX: never
};

struct manual {
    const struct clock *clock;
    struct item *items; // in the order of their making
    size_t count, capacity;
    uint64_t last_id;
};

struct manual *manual_new(const struct clock *clock)
{
    struct manual *manual = mem_alloc(sizeof(*manual));
    manual->clock = clock;
    return manual;
}

static void item_clear(struct item *item)
{
    free((char *)item->entry.pattern);
    free((char *)item->entry.who);
    free((char *)item->entry.why);
}

void manual_free(struct manual *manual)
{
    if (manual == NULL) {
        return;
    }
    for (size_t i = 0; i < manual->count; i++) {
        item_clear(&manual->items[i]);
    }
    free(manual->items);
    free(manual);
}

// --- patterns

static const char *const prefixes[] = {"site:", "pool:", "value:"};

static const char *prefixed_field(const struct manual_identity *identity, size_t prefix)
{
    const char *const fields[] = {identity->site, identity->pool, identity->value};
    return fields[prefix];
}

// The index of the prefix that the pattern begins with, or -1.
static int prefix_of(const char *pattern)
{
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
        if (strncmp(pattern, prefixes[i], strlen(prefixes[i])) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool manual_pattern_check(const char *pattern, struct diags *diags)
{
    const struct place nowhere = {0};
    size_t slashes = 0, stars = 0, size = strlen(pattern);
    int prefix = prefix_of(pattern);
    for (const char *at = pattern; *at != '\0'; at++) {
        slashes += *at == '/';
        stars += *at == '*';
    }
    if (size == 0 || size > MANUAL_TEXT_MAX) {
        diags_error(diags, nowhere, "pattern", "expected 1 to %d octets", MANUAL_TEXT_MAX);
    } else if (stars > STARS_MAX) {
        diags_error(diags, nowhere, "pattern", "expected at most %d stars", STARS_MAX);
    } else if (prefix < 0 && (slashes == 0 || slashes >= PARTS)) {
        diags_error(diags, nowhere, "pattern",
                    "expected zone/owner/type/pool/value (parts at the end may be left out, but "
                    "not the first slash), or site:, pool: or value: with a glob");
    } else if (prefix >= 0 && pattern[strlen(prefixes[prefix])] == '\0') {
        diags_error(diags, nowhere, "pattern", "expected a glob after %s", prefixes[prefix]);
    }
    return diags->error_count == 0;
}

static bool glob_matches(const char *glob, size_t size, const char *text)
{
    char copy[MANUAL_TEXT_MAX + 1];
    SP_ASSERT(size < sizeof(copy));
    memcpy(copy, glob, size);
    copy[size] = '\0';
    return fnmatch(copy, text, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

bool manual_pattern_matches(const char *pattern, const struct manual_identity *identity)
{
    int prefix = prefix_of(pattern);
    if (prefix >= 0) {
        const char *glob = pattern + strlen(prefixes[prefix]);
        return glob_matches(glob, strlen(glob), prefixed_field(identity, (size_t)prefix));
    }
    const char *const parts[PARTS] = {identity->zone, identity->owner, identity->type,
                                      identity->pool, identity->value};
    for (size_t i = 0; i < PARTS && *pattern != '\0'; i++) {
        size_t size = strcspn(pattern, "/");
        size_t glob_size = size;
        if (i < 2 && glob_size > 1 && pattern[glob_size - 1] == '.') { // names may end in their dot
            glob_size--;
        }
        if (!glob_matches(pattern, glob_size, parts[i])) {
            return false;
        }
        pattern += size + (pattern[size] == '/');
    }
    return true;
}

// --- entries

static void check_text(const char *key, const char *text, struct diags *diags)
{
    if (strlen(text) > MANUAL_TEXT_MAX) {
        diags_error(diags, (struct place){0}, key, "expected at most %d octets", MANUAL_TEXT_MAX);
    }
}

bool manual_entry_check(const struct manual_entry *entry, int64_t wall_ns, struct diags *diags)
{
    const struct place nowhere = {0};
    manual_pattern_check(entry->pattern, diags);
    check_text("who", entry->who, diags);
    check_text("why", entry->why, diags);
    if (entry->until_ns != 0 &&
        entry->until_ns <= MAX(entry->from_ns, entry->weekly ? 0 : wall_ns)) {
        diags_error(diags, nowhere, "until", "it is over before it begins, or already");
    }
    if (entry->weekly && (entry->until_ns == 0 || entry->until_ns - entry->from_ns >= WEEK_NS)) {
        diags_error(diags, nowhere, "weekly", "expected `until` within a week after `from`");
    }
    return diags->error_count == 0;
}

// A window of a past week stands for the present or the next one.
static void week_move(struct item *item, int64_t now_ns)
{
    if (item->entry.weekly && item->end_ns <= now_ns) {
        int64_t weeks = (now_ns - item->end_ns) / WEEK_NS + 1;
        item->begin_ns += weeks * WEEK_NS;
        item->end_ns += weeks * WEEK_NS;
        item->entry.from_ns += weeks * WEEK_NS;
        item->entry.until_ns += weeks * WEEK_NS;
    }
}

const struct manual_entry *manual_add(struct manual *manual, const struct manual_entry *entry)
{
    if (manual->count == MANUAL_ENTRIES_MAX) {
        return NULL;
    }
    int64_t now = clock_monotonic_ns(manual->clock);
    int64_t ahead = now - clock_wall_ns(manual->clock); // of the monotonic clock
    MEM_GROW(manual->items, manual->count, manual->capacity);
    struct item *item = &manual->items[manual->count++];
    *item = (struct item){
        .entry = *entry,
        .begin_ns = entry->from_ns + ahead,
        .end_ns = entry->until_ns == 0 ? INT64_MAX : entry->until_ns + ahead,
    };
    item->entry.id = MAX(entry->id, manual->last_id + 1);
    manual->last_id = item->entry.id;
    item->entry.pattern = mem_strdup(entry->pattern);
    item->entry.who = mem_strdup(entry->who);
    item->entry.why = mem_strdup(entry->why);
    week_move(item, now);
    return &item->entry;
}

static void item_remove(struct manual *manual, size_t index)
{
    item_clear(&manual->items[index]);
    manual->count--;
    memmove(&manual->items[index], &manual->items[index + 1],
            (manual->count - index) * sizeof(struct item));
}

void manual_drop_last(struct manual *manual)
{
    SP_ASSERT(manual->count > 0);
    item_remove(manual, manual->count - 1);
}

size_t manual_remove(struct manual *manual, const char *pattern)
{
    size_t before = manual->count;
    for (size_t i = manual->count; i-- > 0;) {
        if (strcmp(manual->items[i].entry.pattern, pattern) == 0) {
            item_remove(manual, i);
        }
    }
    return before - manual->count;
}

size_t manual_count(const struct manual *manual)
{
    return manual->count;
}

const struct manual_entry *manual_entry(const struct manual *manual, size_t index)
{
    SP_ASSERT(index < manual->count);
    return &manual->items[index].entry;
}

static bool in_force(const struct item *item, int64_t now_ns)
{
    return item->begin_ns <= now_ns && now_ns < item->end_ns;
}

bool manual_in_force(const struct manual *manual, size_t index)
{
    SP_ASSERT(index < manual->count);
    return in_force(&manual->items[index], clock_monotonic_ns(manual->clock));
}

const struct manual_entry *manual_find(const struct manual *manual,
                                       const struct manual_identity *identity)
{
    int64_t now = clock_monotonic_ns(manual->clock);
    for (size_t i = manual->count; i-- > 0;) {
        const struct item *item = &manual->items[i];
        if (in_force(item, now) && manual_pattern_matches(item->entry.pattern, identity)) {
            return &item->entry;
        }
    }
    return NULL;
}

size_t manual_tick(struct manual *manual, int64_t *next_ns)
{
    int64_t now = clock_monotonic_ns(manual->clock);
    size_t before = manual->count;
    *next_ns = INT64_MAX;
    for (size_t i = manual->count; i-- > 0;) {
        struct item *item = &manual->items[i];
        week_move(item, now);
        if (item->end_ns <= now) {
            item_remove(manual, i);
            continue;
        }
        *next_ns = MIN(*next_ns, item->begin_ns > now ? item->begin_ns : item->end_ns);
    }
    return before - manual->count;
}
