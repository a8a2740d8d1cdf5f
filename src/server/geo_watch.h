// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct geo_watch: looks at the files of geo data and asks for an update when one has changed and
// then stayed as it is for as long as it is looked at: whoever writes a file in place is not read
// half way. Control thread.
#pragma once

#include "config/config.h"
#include "server/reload.h"

struct geo_watch;

// NULL when nothing is to be watched.
struct geo_watch *geo_watch_new(uv_loop_t *loop, const struct config *config,
                                struct reload *reload);
// NULL allowed. The loop ends the rest.
void geo_watch_free(struct geo_watch *watch);
