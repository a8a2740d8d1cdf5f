// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct slab: many small blocks of any size, without a header each. A million blocks of 81 bytes
// take 84 apiece, where malloc takes 96.
//
// One thread allocates and frees; anybody may read a block. What becomes empty goes back to the
// system. Sanitizer builds use malloc, so that they see what goes wrong at the edges of a block.
#pragma once

#include "base/base.h"

struct slab;

// An empty one; the caller's, until slab_end.
struct slab *slab_new(void);
// Every block must have been freed.
void slab_end(struct slab *slab);
// `size` bytes, aligned to four, not zeroed.
void *slab_alloc(struct slab *slab, size_t size);
// `size` is that of the allocation.
void slab_free(struct slab *slab, void *block, size_t size);
