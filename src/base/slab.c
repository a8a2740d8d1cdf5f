// SPDX-License-Identifier: GPL-3.0-or-later
//
// Pages of 64 KB, each for blocks of one size (a multiple of four). A page lies at a multiple of
// its size, so a block's address tells its page. A page hands out blocks that were given back, then
// those that never were used; so fresh memory is touched only when it is needed. Pages with room
// are listed by size; one that is full is in no list; one that is empty gives its memory back and
// waits for any size. Larger blocks come from malloc.
#include "base/slab.h"

#include "base/memory.h"

#include <string.h>
#include <sys/mman.h>

enum {
    PAGE_BYTES = 1 << 16,
    REGION_PAGES = 16, // asked of the system at once
    GRAIN = 4,
    SMALL_MAX = 1024,
    SYSTEM_PAGE = 4096,
};

// A block that was given back begins with the address of another one. It may lie at a multiple of
// four only.
static void *link_get(const void *block)
{
    void *next;
    memcpy(&next, block, sizeof(next));
    return next;
}

static void link_set(void *block, void *next)
{
    memcpy(block, &next, sizeof(next));
}

struct slab_page {
    struct slab_page *next, *previous; // in the list of its size, or of the empty ones
    void *free;                        // given back
    uint32_t used;                     // blocks that are out
    uint32_t fresh;                    // where the bytes begin that were never out
    uint32_t block_size;
};

struct slab {
    struct slab_page *open[SMALL_MAX / GRAIN + 1]; // with room, by size
    struct slab_page *empty;
    size_t used; // blocks in all, large ones too
};

struct slab *slab_new(void)
{
    return mem_alloc(sizeof(struct slab));
}

void slab_end(struct slab *slab)
{
    SP_ASSERT(slab->used == 0);
    for (struct slab_page *page = slab->empty, *next; page != NULL; page = next) {
        next = page->next;
        munmap(page, PAGE_BYTES);
    }
    free(slab);
}

static void list_add(struct slab_page **head, struct slab_page *page)
{
    page->previous = NULL;
    page->next = *head;
    if (*head != NULL) {
        (*head)->previous = page;
    }
    *head = page;
}

static void list_remove(struct slab_page **head, struct slab_page *page)
{
    if (page->previous != NULL) {
        page->previous->next = page->next;
    } else {
        *head = page->next;
    }
    if (page->next != NULL) {
        page->next->previous = page->previous;
    }
}

// Maps a region and lists its pages as empty.
static void region_add(struct slab *slab)
{
    const size_t size = (size_t)REGION_PAGES * PAGE_BYTES, mapped = size + PAGE_BYTES;
    uint8_t *begin = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (begin == MAP_FAILED) {
        mem_exhausted(mapped);
    }
    const size_t before = -(uintptr_t)begin & (PAGE_BYTES - 1);
    if (before > 0) {
        munmap(begin, before);
    }
    munmap(begin + before + size, mapped - size - before);
    for (size_t i = REGION_PAGES; i > 0; i--) {
        list_add(&slab->empty, (void *)(begin + before + (i - 1) * PAGE_BYTES));
    }
}

static bool has_room(const struct slab_page *page)
{
    return page->free != NULL || page->fresh + page->block_size <= PAGE_BYTES;
}

static struct slab_page *page_open(struct slab *slab, size_t block_size)
{
    if (slab->empty == NULL) {
        region_add(slab);
    }
    struct slab_page *page = slab->empty;
    list_remove(&slab->empty, page);
    *page = (struct slab_page){.fresh = sizeof(*page), .block_size = (uint32_t)block_size};
    list_add(&slab->open[block_size / GRAIN], page);
    return page;
}

static size_t block_size_of(size_t size)
{
    size = MAX(size, sizeof(void *));
    return (size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
}

static bool is_small(size_t block_size)
{
#ifdef SP_DEBUG
    (void)block_size;
    return false;
#else
    return block_size <= SMALL_MAX;
#endif
}

void *slab_alloc(struct slab *slab, size_t size)
{
    const size_t block_size = block_size_of(size);
    slab->used++;
    if (!is_small(block_size)) {
        return mem_alloc(size);
    }
    struct slab_page *page = slab->open[block_size / GRAIN];
    page = page ? page : page_open(slab, block_size);
    void *block = page->free;
    if (block != NULL) {
        page->free = link_get(block);
    } else {
        block = (uint8_t *)page + page->fresh;
        page->fresh += page->block_size;
    }
    page->used++;
    if (!has_room(page)) {
        list_remove(&slab->open[block_size / GRAIN], page);
    }
    return block;
}

void slab_free(struct slab *slab, void *block, size_t size)
{
    const size_t block_size = block_size_of(size);
    slab->used--;
    if (!is_small(block_size)) {
        free(block);
        return;
    }
    struct slab_page *page = (void *)((uintptr_t)block & ~(uintptr_t)(PAGE_BYTES - 1));
    SP_ASSERT(page->block_size == block_size && page->used > 0);
    struct slab_page **open = &slab->open[block_size / GRAIN];
    if (!has_room(page)) {
        list_add(open, page);
    }
    link_set(block, page->free);
    page->free = block;
    if (--page->used == 0) {
        list_remove(open, page);
        madvise((uint8_t *)page + SYSTEM_PAGE, PAGE_BYTES - SYSTEM_PAGE, MADV_DONTNEED);
        list_add(&slab->empty, page);
    }
}
