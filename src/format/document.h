// SPDX-License-Identifier: GPL-3.0-or-later
//
// YAML documents as trees with places, for readers that report every fault.
//
// Over libfyaml's event parser, and a tree of our own: aliases and merge keys ("<<") share what
// they point to, so that a document can never grow beyond its size, and a big file is read one
// top-level entry at a time. All keys and scalars are text; YAML 1.2, so "on" and "no" are just
// words. A document belongs to one thread.
#pragma once

#include "base/diag.h"

enum { DOCUMENT_DEPTH_MAX = 32, DOCUMENT_SIZE_MAX_MIB = 64 };

enum yaml_kind { YAML_NULL, YAML_SCALAR, YAML_LIST, YAML_MAP };

// One node. A child of a map carries its key; a child of a list its index.
struct yaml_node {
    enum yaml_kind kind;
    bool plain;       // a scalar without quotes
    const char *text; // scalar, NUL-terminated; never holds a NUL inside
    unsigned line, column;
    const char *key; // in a map, else NULL
    bool key_bad;    // the key was no word; said already
    unsigned key_line, key_column;
    unsigned index;
    size_t child_count;
    uint64_t weight; // nodes of the subtree, those behind aliases counted each time
    struct yaml_node *first, *next;
};

struct document;

// A node on the way by which it was reached: what messages name. Lives on the reader's stack;
// `parent` must outlive it.
struct yaml {
    const struct yaml_node *node;
    const struct yaml *parent; // NULL: a top-level entry
    struct document *document;
};

// Opens a file whose top level is a map (or nothing). `path` must outlive the document. Every fault
// goes to `diags`; NULL when the file cannot be read. A missing file is an error unless
// `missing_ok`, then it is an empty document.
struct document *document_open(const char *path, bool missing_ok, struct diags *diags);
// The same for a text in memory, which is copied; `path` is what messages call it.
struct document *document_open_text(const char *path, const char *text, struct diags *diags);
// The next top-level entry, valid until the next call. False at the end, or after a syntax error,
// which ends a document. The key of the entry is node->key.
bool document_next(struct document *document, struct yaml *entry);
void document_close(struct document *document); // NULL allowed
const char *document_path(const struct document *document);
struct diags *document_diags(const struct document *document);

// Where a scalar is; of a mapping or a list, where its key is. And where the key of any node is
// (the node itself, when it has none).
struct place yaml_place(const struct yaml *at);
struct place yaml_key_place(const struct yaml *at);
// A fault of the node: "www.dynamic.pools.a.values[0].weight" is the key.
void yaml_error(const struct yaml *at, const char *format, ...) PRINTF_LIKE(2, 3);
void yaml_warning(const struct yaml *at, const char *format, ...) PRINTF_LIKE(2, 3);

// The child of a map under a key; false if there is none. A key with a null value is there.
bool yaml_get(const struct yaml *map, const char *key, struct yaml *child);
bool yaml_has(const struct yaml *map, const char *key);
// All children in turn: begin with child->node == NULL. False past the last.
bool yaml_next(const struct yaml *parent, struct yaml *child);

// These report what was expected and return false or NULL when the node is something else.
bool yaml_is_map(const struct yaml *at);
bool yaml_is_list(const struct yaml *at);
const char *yaml_text(const struct yaml *at); // a scalar, not null, not empty
bool yaml_number(const struct yaml *at, uint32_t least, uint32_t most, uint32_t *number);
bool yaml_bool(const struct yaml *at, bool *value);
// A decimal number, with sign and fraction ("-33.87"), of at most nine digits before the point.
bool yaml_decimal(const struct yaml *at, double least, double most, double *number);
// "500ms", "10s", "1m", "2h", or seconds with or without a fraction; from `least_ns` to `most_ns`.
bool yaml_duration(const struct yaml *at, int64_t least_ns, int64_t most_ns, int64_t *duration_ns);
// One of the names; the index goes to *choice.
bool yaml_choice(const struct yaml *at, const char *const *names, size_t count, unsigned *choice);
// Warns of every key that is not in the list, with the nearest one that is.
void yaml_known_keys(const struct yaml *map, const char *const *keys, size_t count);

// A decimal number without sign ("0.05", "12") in billionths, at most 10^9; *rest is what follows
// it.
bool decimal_parse(const char *text, int64_t *billionths, const char **rest);

// How far two texts are apart, in characters to change, without case; past `most` just more than
// it.
unsigned text_distance(const char *a, const char *b, unsigned most);
// The text of the list that is nearest to `text`, if it is near enough to be a slip, else NULL.
const char *text_nearest(const char *text, const char *const *list, size_t count);
// What follows a message about a name that is not there: "; did you mean "NAME"?", or "" where
// nothing is near. Returns `hint`.
enum { HINT_MAX = 128 };
const char *hint_format(const char *nearest, char hint[HINT_MAX]);
