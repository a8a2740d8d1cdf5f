// SPDX-License-Identifier: GPL-3.0-or-later
//
// An open table by hash of the name, never more than half full; an item without a name is free.
#include "engine/loads.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct loads {
    struct load_report *items;
    size_t size, count;
    int64_t oldest_ns; // when the table was last looked through; nothing in it is older
};

struct loads *loads_new(void)
{
    return mem_alloc(sizeof(struct loads));
}

void loads_free(struct loads *loads)
{
    for (size_t i = 0; i < loads->size; i++) {
        free(loads->items[i].name);
    }
    free(loads->items);
    free(loads);
}

static struct load_report *slot_of(const struct loads *loads, const char *name, bool is_site)
{
    size_t at = (size_t)hash_bytes(is_site, name, strlen(name));
    for (;; at++) {
        struct load_report *report = &loads->items[at & (loads->size - 1)];
        if (report->name == NULL ||
            (report->is_site == is_site && strcmp(report->name, name) == 0)) {
            return report;
        }
    }
}

// A table of `size` with what was reported at `since_ns` or later.
static void rebuild(struct loads *loads, size_t size, int64_t since_ns)
{
    struct loads old = *loads;
    *loads = (struct loads){.items = mem_alloc_array(size, sizeof(*loads->items)),
                            .size = size,
                            .oldest_ns = INT64_MAX};
    for (size_t i = 0; i < old.size; i++) {
        struct load_report *report = &old.items[i];
        if (report->name == NULL) {
            continue;
        }
        if (report->since_ns < since_ns) {
            free(report->name);
            continue;
        }
        *slot_of(loads, report->name, report->is_site) = *report;
        loads->oldest_ns = MIN(loads->oldest_ns, report->since_ns);
        loads->count++;
    }
    free(old.items);
}

// Room for one more name. A full table is looked through only when something in it may be too old.
static bool make_room(struct loads *loads, int64_t now_ns)
{
    if (loads->count >= LOADS_MAX && now_ns - loads->oldest_ns > LOADS_AGE_MAX_NS) {
        rebuild(loads, loads->size, now_ns - LOADS_AGE_MAX_NS);
    }
    if (loads->count >= LOADS_MAX) {
        return false;
    }
    if (loads->count * 2 >= loads->size) {
        rebuild(loads, MAX(loads->size * 2, (size_t)64), INT64_MIN);
    }
    return true;
}

bool loads_put(struct loads *loads, const char *name, bool is_site, double load, int64_t since_ns)
{
    struct load_report *report = (struct load_report *)loads_find(loads, name, is_site);
    if (report == NULL) {
        if (strlen(name) > LOAD_NAME_MAX_CHARS || !make_room(loads, since_ns)) {
            return false;
        }
        report = slot_of(loads, name, is_site);
        report->name = mem_strdup(name);
        report->is_site = is_site;
        loads->count++;
        loads->oldest_ns = MIN(loads->oldest_ns, since_ns);
    }
    report->load = load;
    report->since_ns = since_ns;
    return true;
}

const struct load_report *loads_find(const struct loads *loads, const char *name, bool is_site)
{
    const struct load_report *report = loads->size ? slot_of(loads, name, is_site) : NULL;
    return report != NULL && report->name != NULL ? report : NULL;
}

void loads_walk(const struct loads *loads,
                void (*visit)(void *context, const struct load_report *report), void *context)
{
    for (size_t i = 0; i < loads->size; i++) {
        if (loads->items[i].name != NULL) {
            visit(context, &loads->items[i]);
        }
    }
}
