// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct webhooks: events (api/events.h) on their way to other people's servers.
//
// Each hook of the configuration has a cursor of its own. What happened since its last request
// goes out as one request, not more often than its gap allows; a request that fails is repeated
// with growing pauses (webhook_retry.h), then given up. Bodies are signed with HMAC-SHA256. Only
// the configuration file names targets, and redirects are not followed. Control thread, on its
// loop.
#pragma once

#include "config/config.h"
#include "api/events.h"

#include <uv.h>

struct webhooks;

// `config` and `events` must outlive it.
struct webhooks *webhooks_new(uv_loop_t *loop, const struct config *config, struct events *events);
// Requests under way are dropped; the memory goes when the loop has closed the handles. NULL
// allowed.
void webhooks_free(struct webhooks *webhooks);

struct webhook_counts {
    uint64_t sent, failed, dropped; // requests taken, attempts that failed, events given up
};
// Of all hooks since the start.
struct webhook_counts webhooks_counts(const struct webhooks *webhooks);
