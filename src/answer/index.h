// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct index: owner name -> node, a persistent hash table in pages.
//
// A directory of page pointers is indexed by the top bits of the name's hash (extendible hashing);
// a page is 4 KB of tagged node pointers, probed linearly. An edit copies the directory and the
// pages it touches; every other page is shared with the version before. Readers of the old version
// see nothing of it. A look-up costs the directory load, one or two cache lines of a page, and the
// node. Editing: control thread. Finding: any thread. Internal to answer/.
#pragma once

#include "answer/node.h"

struct index;

struct index *index_new(void);
// Frees this version's directory and all its pages: only when no other version lives.
void index_free_all(struct index *index);

// The best node of that name: of several zones that hold the name (nested zones) the deepest. Nodes
// with any of `without` (NODE_OCCLUDED, NODE_APEX) are passed over. `name` is folded.
const struct node *index_find(const struct index *index, uint64_t hash, const uint8_t *name,
                              size_t size, unsigned without);
// The node of that name in that zone, whatever its flags.
const struct node *index_find_in_zone(const struct index *index, uint64_t hash, const uint8_t *name,
                                      size_t size, uint32_t zone);
// Bring what a look-up will touch nearer to the processor: first the place in the page, then (when
// that has come) the node that stands there.
void index_prefetch(const struct index *index, uint64_t hash);
void index_prefetch_node(const struct index *index, uint64_t hash);

// A new version to edit; `old` stays as it is.
struct index_edit;
struct index_edit *index_edit_begin(const struct index *old, uint64_t hash_key);
// Puts a node under its name and zone; returns the node that was there before, or NULL.
const struct node *index_edit_put(struct index_edit *edit, const struct node *node);
// Takes the node out; it must be in.
void index_edit_remove(struct index_edit *edit, const struct node *node);
// The version being edited, to find in.
const struct index *index_edit_view(const struct index_edit *edit);
// Ends the edit with a finished version. What only the old version used is freed by
// index_edit_free, which must come after the grace period.
struct index *index_edit_commit(struct index_edit *edit);
void index_edit_free(struct index_edit *edit);
// Ends the edit without a trace.
void index_edit_drop(struct index_edit *edit);

size_t index_count(const struct index *index);
size_t index_size(const struct index *index); // bytes of directory and pages
