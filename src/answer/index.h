// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct index: owner name -> node, a persistent hash table in pages.
//
// A directory of page pointers is indexed by the top bits of the name's hash (extendible hashing);
// a page is 512 tagged node pointers, probed linearly. An edit copies the directory and the
// pages it touches; every other page is shared with the version before. Readers of the old version
// see nothing of it. A look-up costs the directory load, one or two cache lines of a page, and the
// node. Editing: control thread. Finding: any thread. Internal to answer/.
#pragma once

#include "answer/node.h"
#include "base/hash.h"

struct index;

// Names are hashed under a secret, because a hostile customer can choose them. Two words that an
// attacker cannot relate to each other are made of one.
struct index_key {
    uint64_t first, second;
};

static inline struct index_key index_key(uint64_t secret)
{
    return (struct index_key){secret, (secret << 32 | secret >> 32) * 0x9e3779b97f4a7c15ULL};
}

// The hash of a folded and padded name (dns/name.h), or of its end from any label on: sixteen
// octets a multiplication. The length need not count: no name continues another.
static inline uint64_t index_hash_padded(const struct index_key *key, const uint8_t *name,
                                         size_t size)
{
    const uint8_t *const end = name + size;
    uint64_t hash = key->first;
    do {
        hash = hash_mix(hash_word(name) ^ key->second, hash_word(name + 8) ^ hash);
        name += BLOCK_SIZE;
    } while (name < end);
    return hash;
}

// The same for a folded name that ends where it ends.
static inline uint64_t index_hash(const struct index_key *key, const uint8_t *name, size_t size)
{
    uint8_t padded[NAME_PADDED_SIZE];
    memcpy(padded, name, size);
    memset(padded + size, 0, BLOCK_SIZE);
    return index_hash_padded(key, padded, size);
}

// An empty version; the caller's.
struct index *index_new(void);
// Frees this version's directory and all its pages: only when no other version lives.
void index_free_all(struct index *index);

// Frees the nodes of this version; it must be freed next.
void index_free_nodes(struct index *index);

// The best node of that name: of several zones that hold the name (nested zones) the deepest. Nodes
// with any of `without` (NODE_OCCLUDED, NODE_APEX) are passed over. `name` is folded.
const struct node *index_find(const struct index *index, uint64_t hash, const uint8_t *name,
                              size_t size, unsigned without);
// The node of that name in that zone, whatever its flags.
const struct node *index_find_in_zone(const struct index *index, uint64_t hash, const uint8_t *name,
                                      size_t size, uint32_t zone);
// A new version to edit; `old` stays as it is. Ends in a commit or a drop.
struct index_edit;
struct index_edit *index_edit_begin(const struct index *old, struct index_key key);
// Puts a node under its name and zone; returns the node that was there before, or NULL.
const struct node *index_edit_put(struct index_edit *edit, const struct node *node);
// Puts nodes that have no predecessor of their name and zone, each under the hash of its name. The
// entries are sorted into the order of the pages, so that many cost little.
struct index_entry {
    uint64_t hash;
    const struct node *node;
};
void index_edit_put_new(struct index_edit *edit, struct index_entry *entries, size_t count);
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

// Every node of a zone, in no order: a walk over the whole index. `count` is how many there are;
// the array is the caller's.
struct node **index_collect(const struct index *index, uint32_t zone, size_t count);

// Nodes of all zones.
size_t index_count(const struct index *index);
size_t index_size(const struct index *index); // bytes of directory and pages
