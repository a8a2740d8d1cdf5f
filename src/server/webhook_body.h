// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a webhook sends: the body in the form that its receiver reads, and the signature. Pure.
#pragma once

#include "config/config.h"
#include "api/events.h"

enum { WEBHOOK_EVENTS_MAX = 100, WEBHOOK_SIGNATURE_SIZE = 65 };

// The body for some events in order, `dropped` of which before them were lost; released with
// free(). For WEBHOOK_PAGERDUTY there is exactly one event.
char *webhook_body(const struct webhook *hook, const struct event *events, size_t count,
                   uint64_t dropped);
// How many events one request of this format holds.
size_t webhook_batch(enum webhook_format format);
// HMAC-SHA256 of "TIME.BODY" in hexadecimal.
void webhook_signature(const char *secret, const char *time, const char *body,
                       char text[WEBHOOK_SIGNATURE_SIZE]);
// The URL of a request: DingTalk wants its own signature in it. Released with free().
char *webhook_url(const struct webhook *hook, int64_t wall_ns);
