// SPDX-License-Identifier: GPL-3.0-or-later
//
// Opening a YAML file and composing its top-level entries into trees.
//
// Owns the libfyaml parser, the file's bytes and the arenas of the nodes. Called by the YAML
// readers on a pool thread. Guarantees: bounded depth, bounded work behind aliases, no output of
// the library on standard error, duplicate keys reported, every node with its place.
#include "format/document.h"

#include "base/memory.h"
#include "base/text_file.h"

#include <libfyaml.h>
#include <stdio.h>
#include <string.h>

// An entry's arena is used again until it holds this much; one with anchors is kept to the end.
enum { ARENA_REUSE_SIZE = 1 << 20, ANCHORS_MAX = 1000 };
// Nodes that aliases and merge keys may stand for in one document.
enum { EXPANSION_MAX = 16 << 20 };

struct anchor {
    char *name;
    const struct yaml_node *node;
};

struct document {
    const char *path;
    struct diags *diags;
    char *bytes;
    size_t size;
    struct fy_diag *library_diag;
    struct fy_parser *parser;
    bool ended; // nothing more to read, after the end or a fault that cannot be got over
    struct arena *arena;
    struct arena **kept; // arenas with anchored nodes
    size_t kept_count, kept_capacity;
    struct anchor *anchors;
    size_t anchor_count, anchor_capacity;
    bool arena_has_anchors;
    uint64_t expansion;
};

static void fault(struct document *document, unsigned line, unsigned column, const char *text)
{
    struct place place = {document->path, line, column};
    diags_error(document->diags, place, NULL, "%s", text);
}

static void stop(struct document *document, unsigned line, unsigned column, const char *text)
{
    fault(document, line, column, text);
    document->ended = true;
}

static void discard(struct fy_diag *diag, void *user, const char *text, size_t size)
{
    (void)diag, (void)user, (void)text, (void)size;
}

static void parser_start(struct document *document)
{
    struct fy_diag_cfg diag_config;
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL;
    diag_config.output_fn = discard;
    diag_config.colorize = false;
    document->library_diag = fy_diag_create(&diag_config);
    fy_diag_set_collect_errors(document->library_diag, true);
    struct fy_parse_cfg config = {
        .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
        .diag = document->library_diag,
    };
    document->parser = fy_parser_create(&config);
    if (document->parser == NULL ||
        fy_parser_set_string(document->parser, document->bytes, document->size) != 0) {
        stop(document, 0, 0, "the YAML parser cannot start");
    }
}

// What the library found, in our list. It stops at its first fault.
static void library_faults(struct document *document)
{
    void *state = NULL;
    bool told = false;
    struct fy_diag_error *error;
    while ((error = fy_diag_errors_iterate(document->library_diag, &state)) != NULL) {
        if (error->type != FYET_ERROR) {
            continue;
        }
        char text[300];
        snprintf(text, sizeof(text), "not valid YAML: %s", error->msg);
        fault(document, (unsigned)MAX(error->line, 0), (unsigned)MAX(error->column, 0), text);
        told = true;
    }
    if (!told) {
        fault(document, 0, 0, "not valid YAML, or cut short");
    }
    document->ended = true;
}

static struct fy_event *event_next(struct document *document)
{
    if (document->ended) {
        return NULL;
    }
    struct fy_event *event = fy_parser_parse(document->parser);
    if (event == NULL) {
        library_faults(document);
        return NULL;
    }
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (event->type == FYET_STREAM_END && (!mark || mark->input_pos < document->size)) {
        stop(document, mark ? (unsigned)mark->line + 1 : 0, 0, "the YAML parser stopped here");
    }
    return event;
}

static void event_place(struct fy_event *event, unsigned *line, unsigned *column)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark) { // an empty scalar has none: the place of its key stays
        *line = (unsigned)mark->line + 1;
        *column = (unsigned)mark->column + 1;
    }
}

static const char *token_copy(struct document *document, struct fy_token *token)
{
    size_t size = 0;
    const char *text = token ? fy_token_get_text(token, &size) : NULL;
    char *copy = arena_alloc(document->arena, size + 1);
    if (text && size > 0) {
        memcpy(copy, text, size);
    }
    if (strlen(copy) != size) {
        return NULL;
    }
    return copy;
}

static void anchor_add(struct document *document, struct fy_token *token,
                       const struct yaml_node *node)
{
    if (token == NULL) {
        return;
    }
    if (document->anchor_count >= ANCHORS_MAX) {
        stop(document, node->line, node->column, "more than 1000 anchors");
        return;
    }
    const char *name = token_copy(document, token);
    MEM_GROW(document->anchors, document->anchor_count, document->anchor_capacity);
    document->anchors[document->anchor_count++] =
        (struct anchor){mem_strdup(name ? name : ""), node};
    document->arena_has_anchors = true;
}

static bool expand(struct document *document, const struct yaml_node *node)
{
    document->expansion += node->weight;
    if (document->expansion > EXPANSION_MAX) {
        stop(document, node->line, node->column, "aliases stand for too many values");
        return false;
    }
    return true;
}

// A copy of the anchored node that shares its children. An anchor is known from its end on, so a
// node can never hold itself.
static struct yaml_node *alias_node(struct document *document, struct fy_token *token,
                                    unsigned line, unsigned column)
{
    const char *name = token_copy(document, token);
    for (size_t i = document->anchor_count; name && i-- > 0;) {
        const struct anchor *anchor = &document->anchors[i];
        if (strcmp(anchor->name, name) == 0) {
            return expand(document, anchor->node)
                       ? arena_copy(document->arena, anchor->node, sizeof(*anchor->node))
                       : NULL;
        }
    }
    stop(document, line, column, "an alias without an anchor before it");
    return NULL;
}

static bool text_is_null(const char *text)
{
    return strcmp(text, "") == 0 || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 ||
           strcmp(text, "Null") == 0 || strcmp(text, "NULL") == 0;
}

// Standard tags are taken as what they tag; "!include" and the like are not.
static void tag_check(struct document *document, struct fy_token *tag, struct yaml_node *node)
{
    static const char standard[] = "tag:yaml.org,2002:";
    const char *text = tag ? token_copy(document, tag) : standard;
    if (text == NULL || strncmp(text, standard, strlen(standard)) != 0) {
        char message[160];
        snprintf(message, sizeof(message), "the tag \"%.100s\" is not understood here",
                 text ? text : "");
        fault(document, node->line, node->column, message);
    }
    node->plain = node->plain && tag == NULL;
}

static void scalar_fill(struct document *document, struct fy_event *event, struct yaml_node *node)
{
    node->plain = fy_token_scalar_style(event->scalar.value) == FYSS_PLAIN;
    node->text = token_copy(document, event->scalar.value);
    if (node->text == NULL) {
        fault(document, node->line, node->column, "a NUL character");
        node->text = "";
    }
    tag_check(document, event->scalar.tag, node);
    node->kind = node->plain && text_is_null(node->text) ? YAML_NULL : YAML_SCALAR;
}

static struct yaml_node *compose(struct document *document, struct fy_event *event, unsigned depth,
                                 unsigned line, unsigned column);

static void child_append(struct yaml_node *parent, struct yaml_node ***link,
                         struct yaml_node *child)
{
    child->next = NULL;
    child->index = (unsigned)parent->child_count++;
    parent->weight += child->weight;
    **link = child;
    *link = &child->next;
}

static void list_fill(struct document *document, struct yaml_node *list, unsigned depth)
{
    struct yaml_node **link = &list->first;
    struct fy_event *event;
    while ((event = event_next(document)) != NULL) {
        if (event->type == FYET_SEQUENCE_END) {
            fy_parser_event_free(document->parser, event);
            return;
        }
        struct yaml_node *item = compose(document, event, depth, list->line, list->column);
        if (item == NULL) {
            return;
        }
        item->key = NULL;
        child_append(list, &link, item);
    }
}

// The key and the value of a pair. NULL after a fault that ended the document.
static struct yaml_node *pair_compose(struct document *document, struct fy_event *event,
                                      unsigned depth, bool *merge)
{
    unsigned line = 0, column = 0;
    event_place(event, &line, &column);
    struct yaml_node *key = compose(document, event, depth, line, column);
    struct fy_event *value_event = key ? event_next(document) : NULL;
    if (value_event == NULL) {
        return NULL;
    }
    line = line ? line : key->line;
    column = column ? column : key->column;
    struct yaml_node *value = compose(document, value_event, depth, line, column);
    if (value == NULL) {
        return NULL;
    }
    *merge = key->kind == YAML_SCALAR && key->plain && strcmp(key->text, "<<") == 0;
    value->key_line = line;
    value->key_column = column;
    value->key = key->text;
    if (key->kind != YAML_SCALAR) {
        fault(document, line, column,
              key->kind == YAML_NULL ? "an empty key; quote it ('') if it is meant"
                                     : "a key must be a word, not a list or a mapping");
        value->key = "?";
    }
    value->key_bad = key->kind != YAML_SCALAR;
    return value;
}

// "<<": the keys of one map, or of a list of maps, behind those that are there.
static void merge_into(struct document *document, struct yaml_node *map, struct yaml_node ***link,
                       const struct yaml_node *from)
{
    if (from->kind == YAML_LIST) {
        for (const struct yaml_node *item = from->first; item; item = item->next) {
            merge_into(document, map, link, item);
        }
        return;
    }
    if (from->kind != YAML_MAP) {
        fault(document, from->line, from->column, "\"<<\" needs a mapping, or a list of them");
        return;
    }
    for (const struct yaml_node *child = from->first; child && expand(document, child);
         child = child->next) {
        child_append(map, link, arena_copy(document->arena, child, sizeof(*child)));
    }
}

static int key_compare(const void *a, const void *b)
{
    const struct yaml_node *left = *(struct yaml_node *const *)a;
    const struct yaml_node *right = *(struct yaml_node *const *)b;
    int order = strcmp(left->key, right->key);
    return order ? order : (left->index > right->index) - (left->index < right->index);
}

// The children by key, equal ones in their order; released with free().
static struct yaml_node **children_sorted(const struct yaml_node *map)
{
    struct yaml_node **sorted = mem_alloc_array(map->child_count, sizeof(struct yaml_node *));
    size_t count = 0;
    for (struct yaml_node *child = map->first; child; child = child->next) {
        sorted[count++] = child;
    }
    qsort(sorted, count, sizeof(struct yaml_node *), key_compare);
    return sorted;
}

static void check_duplicates(struct document *document, const struct yaml_node *map)
{
    if (map->child_count < 2) {
        return;
    }
    struct yaml_node **sorted = children_sorted(map);
    for (size_t i = 1; i < map->child_count; i++) {
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0 && !sorted[i]->key_bad) {
            char text[160];
            snprintf(text, sizeof(text), "the key \"%.80s\" is here twice; first in line %u",
                     sorted[i]->key, sorted[i - 1]->key_line);
            fault(document, sorted[i]->key_line, sorted[i]->key_column, text);
        }
    }
    free(sorted);
}

// Of equal keys the first stays: the map's own come before those of merges. By sorting, because a
// merge may bring a million keys.
static void merged_drop(struct yaml_node *map)
{
    struct yaml_node **sorted = children_sorted(map), **link = &map->first, *child = map->first;
    size_t count = map->child_count;
    bool *dropped = mem_alloc_array(count, sizeof(*dropped));
    for (size_t i = 1; i < count; i++) {
        dropped[sorted[i]->index] = strcmp(sorted[i - 1]->key, sorted[i]->key) == 0;
    }
    map->child_count = 0;
    map->weight = 1;
    for (struct yaml_node *next; child != NULL; child = next) {
        next = child->next;
        if (!dropped[child->index]) {
            child_append(map, &link, child);
        }
    }
    *link = NULL;
    free(dropped);
    free(sorted);
}

static void map_fill(struct document *document, struct yaml_node *map, unsigned depth)
{
    struct yaml_node **link = &map->first, *merged = NULL, **merged_link = &merged;
    struct fy_event *event;
    while ((event = event_next(document)) != NULL) {
        if (event->type == FYET_MAPPING_END) {
            fy_parser_event_free(document->parser, event);
            break;
        }
        bool merge = false;
        struct yaml_node *value = pair_compose(document, event, depth, &merge);
        if (value == NULL) {
            return;
        }
        if (merge) {
            value->next = NULL;
            *merged_link = value;
            merged_link = &value->next;
        } else {
            child_append(map, &link, value);
        }
    }
    check_duplicates(document, map);
    for (const struct yaml_node *from = merged; from && !document->ended; from = from->next) {
        merge_into(document, map, &link, from);
    }
    if (merged != NULL && map->child_count > 1) {
        merged_drop(map);
    }
}

// The tree that begins with the event, which is freed. `line` and `column` are for an empty scalar.
static struct yaml_node *compose(struct document *document, struct fy_event *event, unsigned depth,
                                 unsigned line, unsigned column)
{
    struct yaml_node *node = arena_alloc(document->arena, sizeof(*node));
    event_place(event, &line, &column);
    node->line = line;
    node->column = column;
    node->weight = 1;
    struct fy_token *anchor = NULL;
    if (depth >= DOCUMENT_DEPTH_MAX) {
        stop(document, line, column, "nested deeper than 32 levels");
    } else if (event->type == FYET_ALIAS) {
        node = alias_node(document, event->alias.anchor, line, column);
    } else if (event->type == FYET_SCALAR) {
        scalar_fill(document, event, node);
        anchor = event->scalar.anchor;
    } else if (event->type == FYET_SEQUENCE_START) {
        node->kind = YAML_LIST;
        tag_check(document, event->sequence_start.tag, node);
        list_fill(document, node, depth + 1);
        anchor = event->sequence_start.anchor;
    } else if (event->type != FYET_MAPPING_START) {
        stop(document, line, column, "not valid YAML: it ends in the middle");
    } else {
        node->kind = YAML_MAP;
        tag_check(document, event->mapping_start.tag, node);
        map_fill(document, node, depth + 1);
        anchor = event->mapping_start.anchor;
    }
    if (!document->ended) {
        anchor_add(document, anchor, node);
    }
    fy_parser_event_free(document->parser, event);
    return document->ended ? NULL : node;
}

// Up to the first key of the top-level map.
static void document_begin(struct document *document)
{
    struct fy_event *event;
    while ((event = event_next(document)) != NULL) {
        enum fy_event_type type = event->type;
        bool empty = type == FYET_SCALAR && fy_token_get_text_length(event->scalar.value) == 0;
        unsigned line = 1, column = 1;
        event_place(event, &line, &column);
        fy_parser_event_free(document->parser, event);
        if (type == FYET_MAPPING_START) {
            return;
        }
        if (type == FYET_STREAM_START || type == FYET_DOCUMENT_START) {
            continue;
        }
        if (!empty && type != FYET_STREAM_END) {
            fault(document, line, column, "expected a mapping of names at the top level");
        }
        document->ended = true;
    }
}

static struct document *document_new(const char *path, struct diags *diags)
{
    struct document *document = mem_alloc(sizeof(*document));
    document->path = path;
    document->diags = diags;
    document->arena = arena_new();
    return document;
}

static struct document *document_start(struct document *document)
{
    if (document->size > 0) {
        parser_start(document);
        document_begin(document);
    } else {
        document->ended = true;
    }
    return document;
}

struct document *document_open(const char *path, bool missing_ok, struct diags *diags)
{
    struct document *document = document_new(path, diags);
    document->bytes =
        text_file_read(path, DOCUMENT_SIZE_MAX_MIB, missing_ok, diags, &document->size);
    if (document->bytes == NULL) {
        document_close(document);
        return NULL;
    }
    return document_start(document);
}

struct document *document_open_text(const char *path, const char *text, struct diags *diags)
{
    struct document *document = document_new(path, diags);
    document->bytes = mem_strdup(text);
    document->size = strlen(text);
    return document_start(document);
}

void document_close(struct document *document)
{
    if (document == NULL) {
        return;
    }
    if (document->parser) {
        fy_parser_destroy(document->parser);
    }
    if (document->library_diag) {
        fy_diag_destroy(document->library_diag);
    }
    for (size_t i = 0; i < document->anchor_count; i++) {
        free(document->anchors[i].name);
    }
    for (size_t i = 0; i < document->kept_count; i++) {
        arena_free(document->kept[i]);
    }
    free(document->kept);
    free(document->anchors);
    arena_free(document->arena);
    free(document->bytes);
    free(document);
}

const char *document_path(const struct document *document)
{
    return document->path;
}

struct diags *document_diags(const struct document *document)
{
    return document->diags;
}

static void arena_renew(struct document *document)
{
    if (arena_size(document->arena) < ARENA_REUSE_SIZE) {
        return;
    }
    if (document->arena_has_anchors) {
        MEM_GROW(document->kept, document->kept_count, document->kept_capacity);
        document->kept[document->kept_count++] = document->arena;
    } else {
        arena_free(document->arena);
    }
    document->arena = arena_new();
    document->arena_has_anchors = false;
}

// After the top-level map: nothing else may follow in the file.
static void document_end(struct document *document)
{
    struct fy_event *event;
    while ((event = event_next(document)) != NULL) {
        enum fy_event_type type = event->type;
        unsigned line = 0, column = 0;
        event_place(event, &line, &column);
        fy_parser_event_free(document->parser, event);
        if (type == FYET_DOCUMENT_START) {
            fault(document, line, column, "a second document; a file holds one");
        }
        document->ended = type != FYET_DOCUMENT_END;
    }
}

bool document_next(struct document *document, struct yaml *entry)
{
    arena_renew(document);
    for (;;) {
        struct fy_event *event = event_next(document);
        if (event == NULL) {
            return false;
        }
        if (event->type == FYET_MAPPING_END) {
            fy_parser_event_free(document->parser, event);
            document_end(document);
            return false;
        }
        bool merge = false;
        struct yaml_node *node = pair_compose(document, event, 1, &merge);
        if (node == NULL) {
            return false;
        }
        if (merge) {
            fault(document, node->key_line, node->key_column,
                  "\"<<\" is not understood at the top level");
            continue;
        }
        if (node->key_bad) {
            continue;
        }
        *entry = (struct yaml){.node = node, .document = document};
        return true;
    }
}
