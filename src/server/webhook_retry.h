// SPDX-License-Identifier: GPL-3.0-or-later
//
// What an answer of a webhook's receiver means, and when it is asked again. Pure.
#pragma once

#include "config/config.h"

enum webhook_verdict {
    WEBHOOK_TAKEN,
    WEBHOOK_AGAIN,  // not now: no answer, too many requests, a fault of theirs
    WEBHOOK_REFUSED // they read it and do not want it
};

// `status` 0: no answer came. `body` is its beginning, a text. DingTalk says 200 to everything and
// means what stands in the body.
enum webhook_verdict webhook_judge(enum webhook_format format, long status, const char *body);

// The pause until the next attempt after `attempts`, the first of which began `trying_ns` ago; -1:
// give up. `asked_s`: what the receiver asked for (Retry-After), 0 if nothing.
int64_t webhook_pause(enum webhook_verdict verdict, unsigned attempts, int64_t trying_ns,
                      int64_t asked_s);
