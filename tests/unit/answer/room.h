// SPDX-License-Identifier: GPL-3.0-or-later
//
// The fixture of tests that ask one publisher through one worker.
#pragma once

#include "ask.h"

static struct publisher *publisher;
static struct worker *worker;

static inline const struct generation *current(void)
{
    return publisher_current(publisher);
}

static inline int room_begin(void **state)
{
    (void)state;
    publisher = publisher_simple();
    worker = worker_new(1);
    return 0;
}

static inline int room_end(void **state)
{
    (void)state;
    publisher_free(publisher);
    worker_free(worker);
    return 0;
}
