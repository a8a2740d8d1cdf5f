// SPDX-License-Identifier: GPL-3.0-or-later
//
// The paged persistent hash index: look-ups of the slow path, and editing. index.h says what it is,
// index_probe.h how it lies in memory and how the query path reads it.
//
// Called by the control thread (edits) and by any thread (look-ups, lock-free). An edit copies each
// page that it touches once; removal shifts the run back, so that there are no tombstones and
// misses stay short.
#include "answer/index_probe.h"

#include "base/memory.h"

#include <string.h>

enum { PAGE_FILL_MAX = 332, BITS_MAX = 28 };

struct index_edit {
    uint64_t number;
    struct index_key key;
    struct index *index;
    const struct index *old;
    struct page **retired;
    size_t retired_count, retired_capacity;
};

static unsigned index_bits(const struct index *index)
{
    return 64 - index->shift;
}

const struct node *index_find(const struct index *index, uint64_t hash, const uint8_t *name,
                              size_t size, unsigned without)
{
    const struct page *page = index->pages[directory_at(index, hash)];
    const struct node *best = NULL;
    for (unsigned at = slot_start(hash); page->slots[at] != 0; at = next_slot(at)) {
        uint64_t slot = page->slots[at];
        const struct node *node = slot_node(slot);
        if (!slot_has_tag(slot, hash) || !is_named(node, name, size)) {
            continue;
        }
        if (!(node->flags & without) &&
            (best == NULL || node->apex_label_count > best->apex_label_count)) {
            best = node;
        }
        if (!(slot & SLOT_SHARED)) {
            break;
        }
    }
    return best;
}

const struct node *index_find_in_zone(const struct index *index, uint64_t hash, const uint8_t *name,
                                      size_t size, uint32_t zone)
{
    const struct page *page = index->pages[directory_at(index, hash)];
    for (unsigned at = slot_start(hash); page->slots[at] != 0; at = next_slot(at)) {
        const struct node *node = slot_node(page->slots[at]);
        if (slot_has_tag(page->slots[at], hash) && node->zone == zone &&
            is_named(node, name, size)) {
            return node;
        }
    }
    return NULL;
}

struct index *index_new(void)
{
    struct index *index = mem_alloc(sizeof(*index) + 2 * sizeof(index->pages[0]));
    index->shift = 63;
    index->pages[0] = index->pages[1] = mem_alloc(sizeof(struct page));
    index->page_count = 1;
    return index;
}

void index_free_all(struct index *index)
{
    struct page *last = NULL;
    for (size_t i = 0; i < (size_t)1 << index_bits(index); i++) {
        if (index->pages[i] != last) { // entries of one page are neighbours
            last = index->pages[i];
            free(last);
        }
    }
    free(index);
}

void index_free_nodes(struct index *index)
{
    const struct page *last = NULL;
    for (size_t i = 0; i < (size_t)1 << index_bits(index); i++) {
        const struct page *page = index->pages[i];
        for (unsigned at = 0; page != last && at < PAGE_SLOTS; at++) {
            if (page->slots[at] != 0) {
                node_free((struct node *)(uintptr_t)slot_node(page->slots[at]));
            }
        }
        last = page;
    }
}

static size_t page_collect(const struct page *page, uint32_t zone, struct node **nodes)
{
    size_t count = 0;
    for (unsigned at = 0; at < PAGE_SLOTS; at++) {
        const struct node *node = slot_node(page->slots[at]);
        if (node != NULL && node->zone == zone) {
            nodes[count++] = (struct node *)(uintptr_t)node;
        }
    }
    return count;
}

struct node **index_collect(const struct index *index, uint32_t zone, size_t count)
{
    struct node **nodes = mem_alloc_array(count, sizeof(struct node *));
    const struct page *last = NULL;
    size_t found = 0;
    for (size_t i = 0; i < (size_t)1 << index_bits(index); i++) {
        if (index->pages[i] != last) { // entries of one page are neighbours
            last = index->pages[i];
            found += page_collect(last, zone, nodes + found);
        }
    }
    SP_ASSERT(found == count);
    return nodes;
}

size_t index_count(const struct index *index)
{
    return index->count;
}

size_t index_size(const struct index *index)
{
    return ((size_t)sizeof(void *) << index_bits(index)) + index->page_count * sizeof(struct page);
}

// --- editing

static struct index *directory_copy(const struct index *old, unsigned bits)
{
    SP_ASSERT(bits <= BITS_MAX);
    size_t count = (size_t)1 << bits;
    struct index *index = mem_alloc(sizeof(*index) + count * sizeof(index->pages[0]));
    index->shift = 64 - bits;
    index->count = old->count;
    index->page_count = old->page_count;
    for (size_t i = 0; i < count; i++) {
        index->pages[i] = old->pages[i >> (bits - index_bits(old))];
    }
    return index;
}

struct index_edit *index_edit_begin(const struct index *old, struct index_key key)
{
    static uint64_t last_number; // one control thread
    struct index_edit *edit = mem_alloc(sizeof(*edit));
    edit->number = ++last_number;
    edit->key = key;
    edit->old = old;
    edit->index = directory_copy(old, index_bits(old));
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
    unsigned shared = index_bits(index) - page->depth;
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
    return index_hash(&edit->key, node_name(node), node->name_size);
}

// Nodes of one name (in several zones) lie in one run; each is marked, so that a look-up that meets
// an unmarked one is at its end. The mark stays when the others go: then it only costs a few steps.
static void page_insert(struct page *page, uint64_t hash, const struct node *node)
{
    uint64_t slot = slot_make(hash, node);
    unsigned at = slot_start(hash);
    for (; page->slots[at] != 0; at = next_slot(at)) {
        if (slot_has_tag(page->slots[at], hash) &&
            is_named(slot_node(page->slots[at]), node_name(node), node->name_size)) {
            page->slots[at] |= SLOT_SHARED;
            slot |= SLOT_SHARED;
        }
    }
    page->slots[at] = slot;
    page->used++;
}

// Halves a full page by the next bit of the hash; doubles the directory when it is too coarse.
static void page_split(struct index_edit *edit, uint64_t hash)
{
    struct page *page = own_page(edit, hash);
    if (page->depth == index_bits(edit->index)) {
        struct index *finer = directory_copy(edit->index, index_bits(edit->index) + 1);
        free(edit->index);
        edit->index = finer;
    }
    struct page *halves[2];
    for (int i = 0; i < 2; i++) {
        halves[i] = mem_alloc(sizeof(*page));
        halves[i]->edit = edit->number;
        halves[i]->depth = (uint8_t)(page->depth + 1);
    }
    unsigned bit = 63U - TAG_BITS - page->depth;
    for (unsigned at = 0; at < PAGE_SLOTS; at++) {
        if (page->slots[at] != 0) {
            uint64_t member_hash = hash_of(edit, slot_node(page->slots[at]));
            page_insert(halves[member_hash >> bit & 1], member_hash, slot_node(page->slots[at]));
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
        const struct node *node = slot_node(page->slots[at]);
        if (slot_has_tag(page->slots[at], hash) && node->zone == wanted->zone &&
            is_named(node, node_name(wanted), wanted->name_size)) {
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
        const struct node *before = slot_node(page->slots[at]);
        page->slots[at] = slot_make(hash, node) | (page->slots[at] & SLOT_SHARED);
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

enum { SORT_MIN = 64, DIGIT_BITS = 8, DIGITS = 1 << DIGIT_BITS, SORTED_BITS = 24 };

// Sorts by the bits of the hash that choose the page: as many as a directory of sixteen million
// entries looks at. Radix sort, from the lowest digit on.
static void entries_sort(struct index_entry *entries, size_t count)
{
    if (count < SORT_MIN) {
        return;
    }
    struct index_entry *from = entries, *to = mem_scratch(count * sizeof(*to)), *const other = to;
    for (unsigned bit = 64 - TAG_BITS - SORTED_BITS; bit < 64 - TAG_BITS; bit += DIGIT_BITS) {
        size_t begins[DIGITS + 1] = {0};
        for (size_t i = 0; i < count; i++) {
            begins[(from[i].hash >> bit & (DIGITS - 1)) + 1]++;
        }
        for (unsigned i = 1; i < DIGITS; i++) {
            begins[i] += begins[i - 1];
        }
        for (size_t i = 0; i < count; i++) {
            to[begins[from[i].hash >> bit & (DIGITS - 1)]++] = from[i];
        }
        struct index_entry *last = from;
        from = to;
        to = last;
    }
    if (from != entries) {
        memcpy(entries, from, count * sizeof(*entries));
    }
    free(other);
}

// How many of the entries in a row go to the page that the first one goes to; it may stop at
// `most`.
static size_t run_length(const struct page *page, const struct index_entry *entries, size_t most)
{
    size_t length = 1;
    while (length < most &&
           (entries[length].hash ^ entries[0].hash) << TAG_BITS >> 1 >> (63 - page->depth) == 0) {
        length++;
    }
    return length;
}

void index_edit_put_new(struct index_edit *edit, struct index_entry *entries, size_t count)
{
    entries_sort(entries, count);
    for (size_t at = 0; at < count;) {
        struct page *page = own_page(edit, entries[at].hash);
        const size_t run = run_length(page, entries + at, MIN(count - at, PAGE_FILL_MAX + 1UL));
        if (page->used + run > PAGE_FILL_MAX) {
            page_split(edit, entries[at].hash);
            continue;
        }
        for (const size_t end = at + run; at < end; at++) {
            page_insert(page, entries[at].hash, entries[at].node);
        }
        edit->index->count += run;
    }
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
        unsigned start = slot_start(hash_of(edit, slot_node(page->slots[at])));
        unsigned from_start = (at - start) & (PAGE_SLOTS - 1);
        unsigned from_hole = (at - hole) & (PAGE_SLOTS - 1);
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
    for (size_t i = 0; i < (size_t)1 << index_bits(edit->index); i++) {
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
