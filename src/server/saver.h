// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct saver: keeps the file of check states fresh. Every few seconds, when something changed,
// the states are taken on the control thread and written on a pool thread; once more at the end.
#pragma once

#include "engine/engine.h"

#include <uv.h>

struct saver;

// `engine` must outlive it.
struct saver *saver_new(uv_loop_t *loop, struct engine *engine);
// No more saves begin. NULL allowed, as in the others.
void saver_stop(struct saver *saver);
bool saver_is_running(const struct saver *saver);
// Saves for the last time, at once. No save may be under way. The memory goes when the loop has
// closed the handle.
void saver_free(struct saver *saver);
