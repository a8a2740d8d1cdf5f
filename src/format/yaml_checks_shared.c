// SPDX-License-Identifier: GPL-3.0-or-later
//
// The `checks` of shared.yaml: definitions by name, for zones to use and for each other. They may
// name each other in any order; one that comes back to itself is refused.
#include "format/yaml_check.h"

#include <string.h>

enum mark { MARK_NEW, MARK_UNDER_WAY, MARK_DONE };

struct reading {
    const struct yaml *at; // the map of all
    struct shared *shared;
    enum mark *marks;
    struct check_reader reader;
};

static void one_read(struct reading *reading, size_t index, const struct yaml *at);

// Operands come here, while the one that names them is under way.
static const struct check_spec *named(const struct check_reader *reader, const struct yaml *at,
                                      const char *name)
{
    struct reading *reading = (struct reading *)reader->context;
    const char *names[64];
    size_t count = 0;
    struct yaml child = {0};
    for (size_t i = 0; yaml_next(reading->at, &child); i++) {
        if (strcmp(child.node->key, name) != 0) {
            if (count < ARRAY_SIZE(names)) {
                names[count++] = child.node->key;
            }
            continue;
        }
        if (reading->marks[i] == MARK_UNDER_WAY) {
            yaml_error(at, "the check \"%.64s\" comes back to itself", name);
            return NULL;
        }
        one_read(reading, i, &child);
        const struct check_spec *spec = reading->shared->checks[i].spec;
        if (spec == NULL) {
            yaml_error(at, "the check \"%.64s\" has a fault", name);
        }
        return spec;
    }
    char hint[HINT_MAX];
    yaml_error(at, "there is no check \"%.64s\"%s", name,
               hint_format(text_nearest(name, names, count), hint));
    return NULL;
}

static void one_read(struct reading *reading, size_t index, const struct yaml *at)
{
    if (reading->marks[index] != MARK_NEW) {
        return;
    }
    struct arena *arena = reading->shared->arena;
    struct named_check *check = &reading->shared->checks[index];
    struct check_spec *spec = arena_alloc(arena, sizeof(*spec));
    check->name = arena_strdup(arena, at->node->key);
    check->place = yaml_key_place(at);
    reading->marks[index] = MARK_UNDER_WAY;
    if (check_reader_read(&reading->reader, at, spec)) {
        check->spec = spec;
    }
    reading->marks[index] = MARK_DONE;
}

void yaml_checks_read(struct shared *shared, const char *path, const struct yaml *at)
{
    if (at->node->kind == YAML_NULL || !yaml_is_map(at)) {
        return;
    }
    size_t count = at->node->child_count;
    struct reading reading = {
        .at = at,
        .shared = shared,
        .marks = arena_alloc(shared->arena, count * sizeof(*reading.marks)),
        .reader = {.arena = shared->arena,
                   .path = path,
                   .owner = check_host_of_owner,
                   .named = named},
    };
    reading.reader.context = &reading;
    shared->checks = arena_alloc(shared->arena, count * sizeof(*shared->checks));
    shared->check_count = count;
    struct yaml child = {0};
    for (size_t i = 0; yaml_next(at, &child); i++) {
        one_read(&reading, i, &child);
    }
}
