// SPDX-License-Identifier: GPL-3.0-or-later
//
// The paged persistent hash index. See index.h for the picture.
//
//   directory (2^bits pointers)      pages (4 KB)
//   hash 000... ──────────────────►  [ tag|node  tag|node  ...  0  ... ]
//   hash 001... ──────┐
//   hash 010... ──┐   └──────────►   [ ... ]
//   hash 011... ──┴──────────────►   [ ... ]   depth 2: shared by two directory entries
//
// A slot is a node's address with 16 bits of its hash in the unused top bits, so that probing
// touches a node only when it is (65,535 times in 65,536) the right one. Removal shifts the run
// back, so that there are no tombstones and misses stay short.
#include "answer/index.h"

#include "base/hash.h"
#include "base/memory.h"

#include <string.h>

enum { PAGE_SLOTS = 510, PAGE_FILL_MAX = 330, BITS_MAX = 28 };

struct page {
    uint64_t edit; // number of the edit that made it
    uint16_t used;
    uint8_t depth; // bits of the hash that all its names share
    uint64_t slots[PAGE_SLOTS];
};

_Static_assert(sizeof(struct page) <= 4096, "a page of the index is a page of memory");

struct index {
    unsigned bits;
    size_t count, page_count;
    struct page *pages[];
};

struct index_edit {
    uint64_t number;
    uint64_t hash_key;
    struct index *index;
    const struct index *old;
    struct page **retired;
    size_t retired_count, retired_capacity;
};

#define ADDRESS_MASK ((UINT64_C(1) << 48) - 1)

static inline size_t directory_at(const struct index *index, uint64_t hash)
{
    return index->bits == 0 ? 0 : (size_t)(hash >> (64 - index->bits));
}

static inline unsigned slot_start(uint64_t hash)
{
    return (unsigned)(((hash & 0xffffffff) * PAGE_SLOTS) >> 32);
}

static inline uint64_t tag_of(uint64_t hash)
{
    return (hash << 16) & ~ADDRESS_MASK; // bits that neither the directory nor the slot uses
}

static inline const struct node *node_of(uint64_t slot)
{
    return (const struct node *)(uintptr_t)(slot & ADDRESS_MASK);
}

static inline unsigned next_slot(unsigned at)
{
    return at + 1 == PAGE_SLOTS ? 0 : at + 1;
}

static inline bool is_named(const struct node *node, const uint8_t *name, size_t size)
{
    return node->name_size == size && memcmp(node_name(node), name, size) == 0;
}

void index_prefetch(const struct index *index, uint64_t hash)
{
    __builtin_prefetch(&index->pages[directory_at(index, hash)]->slots[slot_start(hash)]);
}

void index_prefetch_node(const struct index *index, uint64_t hash)
{
    const struct page *page = index->pages[directory_at(index, hash)];
    uint64_t tag = tag_of(hash);
    for (unsigned at = slot_start(hash); page->slots[at] != 0; at = next_slot(at)) {
        if ((page->slots[at] & ~ADDRESS_MASK) == tag) {
            const char *node = (const char *)node_of(page->slots[at]);
            __builtin_prefetch(node);
            __builtin_prefetch(node + 64); // a name and an address or two end here
            return;
        }
    }
}

const struct node *index_find(const struct index *index, uint64_t hash, const uint8_t *name,
                              size_t size, unsigned without)
{
    const struct page *page = index->pages[directory_at(index, hash)];
    const struct node *best = NULL;
    uint64_t tag = tag_of(hash);
    for (unsigned at = slot_start(hash); page->slots[at] != 0; at = next_slot(at)) {
        if ((page->slots[at] & ~ADDRESS_MASK) != tag) {
            continue;
        }
        const struct node *node = node_of(page->slots[at]);
        if (is_named(node, name, size) && !(node->flags & without) &&
            (best == NULL || node->apex_label_count > best->apex_label_count)) {
            best = node;
        }
    }
    return best;
}

const struct node *index_find_in_zone(const struct index *index, uint64_t hash, const uint8_t *name,
                                      size_t size, uint32_t zone)
{
    const struct page *page = index->pages[directory_at(index, hash)];
    uint64_t tag = tag_of(hash);
    for (unsigned at = slot_start(hash); page->slots[at] != 0; at = next_slot(at)) {
        const struct node *node = node_of(page->slots[at]);
        if ((page->slots[at] & ~ADDRESS_MASK) == tag && node->zone == zone &&
            is_named(node, name, size)) {
            return node;
        }
    }
    return NULL;
}

struct index *index_new(void)
{
    struct index *index = mem_alloc(sizeof(*index) + sizeof(index->pages[0]));
    index->pages[0] = mem_alloc(sizeof(struct page));
    index->page_count = 1;
    return index;
}

void index_free_all(struct index *index)
{
    struct page *last = NULL;
    for (size_t i = 0; i < (size_t)1 << index->bits; i++) {
        if (index->pages[i] != last) { // entries of one page are neighbours
            last = index->pages[i];
            free(last);
        }
    }
    free(index);
}

size_t index_count(const struct index *index)
{
    return index->count;
}

size_t index_size(const struct index *index)
{
    return ((size_t)sizeof(void *) << index->bits) + index->page_count * sizeof(struct page);
}

// --- editing

static struct index *directory_copy(const struct index *old, unsigned bits)
{
    SP_ASSERT(bits <= BITS_MAX);
    size_t count = (size_t)1 << bits;
    struct index *index = mem_alloc(sizeof(*index) + count * sizeof(index->pages[0]));
    index->bits = bits;
    index->count = old->count;
    index->page_count = old->page_count;
    for (size_t i = 0; i < count; i++) {
        index->pages[i] = old->pages[i >> (bits - old->bits)];
    }
    return index;
}

struct index_edit *index_edit_begin(const struct index *old, uint64_t hash_key)
{
    static uint64_t last_number; // one control thread
    struct index_edit *edit = mem_alloc(sizeof(*edit));
    edit->number = ++last_number;
    edit->hash_key = hash_key;
    edit->old = old;
    edit->index = directory_copy(old, old->bits);
    return edit;
}

static void retire(struct index_edit *edit, struct page *page)
{
    if (page->edit == edit->number) {
        free(page); // born in this edit: nobody else has seen it
        return;
    }
    MEM_GROW(edit->retired, edit->retired_count, edit->retired_capacity);
    edit->retired[edit->retired_count++] = page;
}

// Points all directory entries of a page (a run of 2^(bits - depth)) to another.
static void directory_set(struct index *index, uint64_t hash, struct page *page)
{
    unsigned shared = index->bits - page->depth;
    size_t first = directory_at(index, hash) >> shared << shared;
    for (size_t i = 0; i < (size_t)1 << shared; i++) {
        index->pages[first + i] = page;
    }
}

// The page of a hash, copied once an edit.
static struct page *own_page(struct index_edit *edit, uint64_t hash)
{
    struct page *page = edit->index->pages[directory_at(edit->index, hash)];
    if (page->edit == edit->number) {
        return page;
    }
    struct page *copy = mem_copy(page, sizeof(*page));
    copy->edit = edit->number;
    directory_set(edit->index, hash, copy);
    retire(edit, page);
    return copy;
}

static uint64_t hash_of(const struct index_edit *edit, const struct node *node)
{
    return hash_bytes(edit->hash_key, node_name(node), node->name_size);
}

static void page_insert(struct page *page, uint64_t hash, const struct node *node)
{
    SP_ASSERT(((uintptr_t)node & ~ADDRESS_MASK) == 0);
    unsigned at = slot_start(hash);
    while (page->slots[at] != 0) {
        at = next_slot(at);
    }
    page->slots[at] = (uint64_t)(uintptr_t)node | tag_of(hash);
    page->used++;
}

// Halves a full page by the next bit of the hash; doubles the directory when it is too coarse.
static void page_split(struct index_edit *edit, uint64_t hash)
{
    struct page *page = own_page(edit, hash);
    if (page->depth == edit->index->bits) {
        struct index *finer = directory_copy(edit->index, edit->index->bits + 1);
        free(edit->index);
        edit->index = finer;
    }
    struct page *halves[2];
    for (int i = 0; i < 2; i++) {
        halves[i] = mem_alloc(sizeof(*page));
        halves[i]->edit = edit->number;
        halves[i]->depth = (uint8_t)(page->depth + 1);
    }
    unsigned bit = 63U - page->depth;
    for (unsigned at = 0; at < PAGE_SLOTS; at++) {
        if (page->slots[at] != 0) {
            uint64_t member_hash = hash_of(edit, node_of(page->slots[at]));
            page_insert(halves[member_hash >> bit & 1], member_hash, node_of(page->slots[at]));
        }
    }
    directory_set(edit->index, hash & ~(UINT64_C(1) << bit), halves[0]);
    directory_set(edit->index, hash | UINT64_C(1) << bit, halves[1]);
    edit->index->page_count++;
    retire(edit, page);
}

// Where the node of this name and zone stands in the page, or PAGE_SLOTS.
static unsigned slot_find(const struct page *page, uint64_t hash, const struct node *wanted)
{
    for (unsigned at = slot_start(hash); page->slots[at] != 0; at = next_slot(at)) {
        const struct node *node = node_of(page->slots[at]);
        if (node->zone == wanted->zone && is_named(node, node_name(wanted), wanted->name_size)) {
            return at;
        }
    }
    return PAGE_SLOTS;
}

const struct node *index_edit_put(struct index_edit *edit, const struct node *node)
{
    uint64_t hash = hash_of(edit, node);
    struct page *page = own_page(edit, hash);
    unsigned at = slot_find(page, hash, node);
    if (at != PAGE_SLOTS) {
        const struct node *before = node_of(page->slots[at]);
        page->slots[at] = (uint64_t)(uintptr_t)node | tag_of(hash);
        return before;
    }
    while (page->used >= PAGE_FILL_MAX) {
        page_split(edit, hash);
        page = own_page(edit, hash);
    }
    page_insert(page, hash, node);
    edit->index->count++;
    return NULL;
}

// Backward shift: closes the hole so that every remaining node is still reached from its start.
static void page_remove(struct index_edit *edit, struct page *page, unsigned hole)
{
    unsigned at = hole;
    for (;;) {
        at = next_slot(at);
        if (page->slots[at] == 0) {
            break;
        }
        unsigned start = slot_start(hash_of(edit, node_of(page->slots[at])));
        unsigned from_start = (at + PAGE_SLOTS - start) % PAGE_SLOTS;
        unsigned from_hole = (at + PAGE_SLOTS - hole) % PAGE_SLOTS;
        if (from_start >= from_hole) {
            page->slots[hole] = page->slots[at];
            hole = at;
        }
    }
    page->slots[hole] = 0;
    page->used--;
}

void index_edit_remove(struct index_edit *edit, const struct node *node)
{
    uint64_t hash = hash_of(edit, node);
    struct page *page = own_page(edit, hash);
    unsigned at = slot_find(page, hash, node);
    SP_ASSERT(at != PAGE_SLOTS);
    page_remove(edit, page, at);
    edit->index->count--;
}

const struct index *index_edit_view(const struct index_edit *edit)
{
    return edit->index;
}

struct index *index_edit_commit(struct index_edit *edit)
{
    struct index *index = edit->index;
    edit->index = NULL;
    return index;
}

void index_edit_free(struct index_edit *edit)
{
    SP_ASSERT(edit->index == NULL);
    for (size_t i = 0; i < edit->retired_count; i++) {
        free(edit->retired[i]);
    }
    free((void *)(uintptr_t)edit->old);
    free(edit->retired);
    free(edit);
}

void index_edit_drop(struct index_edit *edit)
{
    struct page *last = NULL;
    for (size_t i = 0; i < (size_t)1 << edit->index->bits; i++) {
        struct page *page = edit->index->pages[i];
        if (page != last && page->edit == edit->number) {
            free(page);
        }
        last = page;
    }
    free(edit->index);
    free(edit->retired);
    free(edit);
}
