// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reads signpost.yaml: bytes -> libfyaml document -> struct config, through the option table.
//
// Called once by the control thread (and by the commands that look for the control socket). It goes
// on after a fault to find the next; the caller gets a config only when there was none. libfyaml's
// own complaints are collected into the same list.
#include "config/config_options.h"

#include "base/clock.h"
#include "base/text_file.h"
#include "format/document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct place node_place(const struct config_reader *reader, struct fy_node *node,
                        struct place otherwise)
{
    // A mapping or a list begins where its first scalar does.
    void *cursor = NULL;
    while (node != NULL && !fy_node_is_scalar(node)) {
        cursor = NULL;
        if (fy_node_is_sequence(node)) {
            node = fy_node_sequence_iterate(node, &cursor);
        } else {
            struct fy_node_pair *pair = fy_node_mapping_iterate(node, &cursor);
            node = pair == NULL ? NULL : fy_node_pair_key(pair);
        }
    }
    struct fy_token *token = node == NULL ? NULL : fy_node_get_scalar_token(node);
    const struct fy_mark *mark = token == NULL ? NULL : fy_token_start_mark(token);
    if (mark == NULL) {
        return otherwise;
    }
    // The mark of a quoted scalar is behind its quote, that of an alias behind its asterisk.
    enum fy_node_style style = fy_node_get_style(node);
    bool behind = style == FYNS_SINGLE_QUOTED || style == FYNS_DOUBLE_QUOTED || style == FYNS_ALIAS;
    unsigned column = (unsigned)mark->column + (behind ? 0 : 1);
    return (struct place){reader->file, (unsigned)mark->line + 1, column};
}

const char *node_text(const struct config_reader *reader, struct fy_node *node)
{
    size_t size = 0;
    bool scalar = node != NULL && fy_node_is_scalar(node) && !fy_node_is_alias(node);
    const char *text = scalar ? fy_node_get_scalar(node, &size) : NULL;
    if (text == NULL || memchr(text, '\0', size) != NULL) {
        return NULL;
    }
    return arena_printf(reader->config->arena, "%.*s", (int)size, text);
}

static unsigned key_distance(const char *a, const char *b)
{
    enum { FAR = 64 };
    return text_distance(a, b, FAR);
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot == NULL ? name : dot + 1;
}

// The option most like an unknown key: by the whole name, or by its last part when that is found
// under another group. NULL when nothing is near.
static const char *option_like(const char *name)
{
    const char *best = NULL;
    unsigned limit = (unsigned)strlen(last_part(name)) / 3 + 1;
    for (size_t i = 0; i < config_option_count(); i++) {
        const char *candidate = config_option(i)->name;
        unsigned whole = key_distance(name, candidate);
        unsigned part = key_distance(last_part(name), last_part(candidate)) + 1;
        unsigned distance = MIN(whole, part);
        if (distance <= limit) {
            best = candidate;
            limit = distance - 1; // never 0 before: an equal name is no unknown key
        }
        if (best != NULL && limit == 0) {
            break;
        }
    }
    return best;
}

static const struct option *option_find(const char *name)
{
    for (size_t i = 0; i < config_option_count(); i++) {
        if (strcmp(option_at(i)->info.name, name) == 0) {
            return option_at(i);
        }
    }
    return NULL;
}

static bool is_group(const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < config_option_count(); i++) {
        const char *option = config_option(i)->name;
        if (strncmp(option, name, size) == 0 && option[size] == '.') {
            return true;
        }
    }
    return false;
}

// The most like of the groups, for "stores:".
static const char *group_like(const struct config_reader *reader, const char *name)
{
    for (size_t i = 0; i < config_option_count(); i++) {
        const char *option = config_option(i)->name;
        const char *dot = strchr(option, '.');
        if (dot != NULL) {
            const char *group =
                arena_printf(reader->config->arena, "%.*s", (int)(dot - option), option);
            if (key_distance(name, group) <= strlen(name) / 3 + 1) {
                return group;
            }
        }
    }
    return NULL;
}

static void report_unknown(const struct config_reader *reader, const char *name, struct place place)
{
    // Nobody will read what a full list no longer takes.
    bool full = reader->diags->count >= DIAGS_MAX;
    const char *like = !full && strchr(name, '.') == NULL ? group_like(reader, name) : NULL;
    if (!full && like == NULL) {
        like = option_like(name);
    }
    if (like != NULL) {
        diags_error(reader->diags, place, name, "unknown key: did you mean %s?", like);
    } else {
        diags_error(reader->diags, place, name, "unknown key");
    }
}

// What was met so far, one flag an option.
struct walk {
    const struct config_reader *reader;
    bool *seen;
};

static void walk_mapping(const struct walk *walk, const char *group, struct fy_node *mapping,
                         struct place place);

static void walk_pair(const struct walk *walk, const char *name, struct fy_node *value,
                      struct place place)
{
    const struct config_reader *reader = walk->reader;
    const struct option *option = option_find(name);
    if (option != NULL) {
        walk->seen[option - option_at(0)] = true;
        option_set(reader, option, value, place);
    } else if (!is_group(name)) {
        report_unknown(reader, name, place);
    } else if (fy_node_is_mapping(value)) {
        walk_mapping(walk, name, value, place);
    } else if (!fy_node_is_null(value)) {
        diags_error(reader->diags, node_place(reader, value, place), name,
                    "expected a mapping of options");
    }
}

// A key of a mapping; `text` NULL: it is no word.
struct key {
    const char *text;
    struct fy_node_pair *pair;
    size_t index;
    bool repeated; // an earlier pair has it
};

static int key_compare(const void *a, const void *b)
{
    const struct key *x = *(const struct key *const *)a, *y = *(const struct key *const *)b;
    int order = strcmp(x->text ? x->text : "", y->text ? y->text : "");
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

// The keys in their order, as many as there are pairs; in the arena. Repeated ones are found by
// sorting: what was put there by mistake may have very many.
static struct key *keys_read(const struct config_reader *reader, struct fy_node *mapping,
                             size_t *count)
{
    struct arena *arena = reader->config->arena;
    size_t capacity = (size_t)MAX(fy_node_mapping_item_count(mapping), 0);
    struct key *keys = arena_alloc(arena, capacity * sizeof(*keys));
    struct key **sorted = arena_alloc(arena, capacity * sizeof(struct key *));
    struct fy_node_pair *pair;
    void *cursor = NULL;
    *count = 0;
    while (*count < capacity && (pair = fy_node_mapping_iterate(mapping, &cursor)) != NULL) {
        struct key *key = &keys[*count];
        *key = (struct key){node_text(reader, fy_node_pair_key(pair)), pair, *count, false};
        sorted[(*count)++] = key;
    }
    if (*count > 0) {
        qsort(sorted, *count, sizeof(struct key *), key_compare);
    }
    for (size_t i = 1; i < *count; i++) {
        sorted[i]->repeated = sorted[i]->text != NULL && sorted[i - 1]->text != NULL &&
                              strcmp(sorted[i]->text, sorted[i - 1]->text) == 0;
    }
    return keys;
}

static void walk_mapping(const struct walk *walk, const char *group, struct fy_node *mapping,
                         struct place place)
{
    const struct config_reader *reader = walk->reader;
    size_t count;
    const struct key *keys = keys_read(reader, mapping, &count);
    for (size_t i = 0; i < count; i++) {
        struct place at = node_place(reader, fy_node_pair_key(keys[i].pair), place);
        const char *key = keys[i].text;
        if (key == NULL || *key == '\0' || strchr(key, '.') != NULL) {
            diags_error(reader->diags, at, group, "expected the name of an option as key");
            continue;
        }
        const char *name =
            *group == '\0' ? key : arena_printf(reader->config->arena, "%s.%s", group, key);
        if (keys[i].repeated) {
            diags_error(reader->diags, at, name, "the key is given twice");
        } else {
            walk_pair(walk, name, fy_node_pair_value(keys[i].pair), at);
        }
    }
}

static struct fy_diag *collector_new(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.colorize = false;
    struct fy_diag *collector = fy_diag_create(&config);
    if (collector != NULL) {
        fy_diag_set_collect_errors(collector, true);
    }
    return collector;
}

static void collector_report(struct fy_diag *collector, const char *file, struct diags *diags)
{
    struct fy_diag_error *error;
    void *cursor = NULL;
    while ((error = fy_diag_errors_iterate(collector, &cursor)) != NULL) {
        struct place place = {file, (unsigned)MAX(error->line, 0), (unsigned)MAX(error->column, 0)};
        diags_error(diags, place, NULL, "%s", error->msg);
    }
}

static void defaults_set(const struct walk *walk)
{
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET};
    for (size_t i = 0; i < config_option_count(); i++) {
        const struct option *option = option_at(i);
        if (walk->seen[i] || option->info.fallback == NULL) {
            continue;
        }
        struct fy_document *document =
            fy_document_build_from_string(&config, option->info.fallback, (size_t)-1);
        SP_ASSERT(document != NULL);
        option_set(walk->reader, option, fy_document_root(document), (struct place){0});
        fy_document_destroy(document);
    }
}

static void walk_document(const struct walk *walk, struct fy_node *root)
{
    struct place start = {walk->reader->file, 1, 1};
    if (root != NULL && fy_node_is_mapping(root)) {
        walk_mapping(walk, "", root, start);
    } else if (root != NULL && !fy_node_is_null(root)) {
        diags_error(walk->reader->diags, node_place(walk->reader, root, start), NULL,
                    "expected a mapping of options");
    }
}

static void parse(const struct walk *walk, const char *text, size_t size)
{
    const struct config_reader *reader = walk->reader;
    struct fy_diag *collector = collector_new();
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_ALLOW_DUPLICATE_KEYS |
                 FYPCF_DEFAULT_VERSION_1_2,
        .diag = collector,
    };
    struct fy_parser *parser = collector == NULL ? NULL : fy_parser_create(&config);
    SP_ASSERT(parser != NULL); // only memory could be missing
    struct fy_document *first = NULL, *second = NULL;
    if (fy_parser_set_string(parser, text, size) == 0) {
        first = fy_parse_load_document(parser);
        second = first == NULL ? NULL : fy_parse_load_document(parser);
    }
    collector_report(collector, reader->file, reader->diags);
    if (second != NULL) {
        struct place end = {reader->file, 0, 0};
        diags_error(reader->diags, node_place(reader, fy_document_root(second), end), NULL,
                    "a second document: expected one only");
    }
    if (first != NULL) {
        walk_document(walk, fy_document_root(first));
    }
    fy_parse_document_destroy(parser, second);
    fy_parse_document_destroy(parser, first);
    fy_parser_destroy(parser);
    fy_diag_destroy(collector);
}

// When the file was changed last; 0 when there is none.
static int64_t file_changed_ns(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return 0;
    }
    return status.st_ctim.tv_sec * NS_PER_SECOND + status.st_ctim.tv_nsec;
}

void config_compare(const struct config *config, struct diags *diags)
{
    if (file_changed_ns(config->path) != config->changed_ns) {
        diags_warning(diags, (struct place){.file = config->path}, NULL,
                      "the configuration has changed; the server uses it after a restart only");
    }
}

// What no option can tell by itself.
static void check_whole(const struct config_reader *reader)
{
    const struct config *config = reader->config;
    const struct place file = {.file = reader->file};
    if (config->listen_tls_count > 0 && config->tls_certificate == NULL) {
        diags_error(reader->diags, file, "tls.certificate", "is missing: listen_tls needs it");
    }
    if (config->listen_tls_count > 0 && config->tls_key == NULL) {
        diags_error(reader->diags, file, "tls.key", "is missing: listen_tls needs it");
    }
}

struct config *config_read(const char *path, struct diags *diags)
{
    size_t size;
    int64_t changed_ns = file_changed_ns(path);
    char *text = text_file_read(path, CONFIG_SIZE_MAX_MIB, false, diags, &size);
    if (text == NULL) {
        return NULL;
    }
    struct arena *arena = arena_new();
    struct config *config = arena_alloc(arena, sizeof(*config));
    config->arena = arena;
    config->path = arena_strdup(arena, path);
    config->changed_ns = changed_ns;
    const char *slash = strrchr(path, '/');
    struct config_reader reader = {
        .config = config,
        .folder = arena_printf(arena, "%.*s", slash == NULL ? 0 : (int)(slash + 1 - path), path),
        .file = config->path,
        .diags = diags,
    };
    struct walk walk = {&reader, arena_alloc(arena, config_option_count() * sizeof(bool))};
    size_t errors_before = diags->error_count;
    parse(&walk, text, size);
    defaults_set(&walk);
    check_whole(&reader);
    free(text);
    if (diags->error_count > errors_before) {
        config_free(config);
        return NULL;
    }
    return config;
}

void config_free(struct config *config)
{
    if (config != NULL) {
        arena_free(config->arena);
    }
}
