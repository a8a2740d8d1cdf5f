// SPDX-License-Identifier: GPL-3.0-or-later
#include "server/webhook_retry.h"

#include "base/clock.h"

#include <jansson.h>

enum { REFUSALS_MAX = 8, PAUSE_FIRST_S = 1, PAUSE_MAX_S = 60, ASKED_MAX_S = 600 };
#define TRYING_MAX_NS (3600 * NS_PER_SECOND)

static enum webhook_verdict judge_dingtalk(const char *body)
{
    enum { ERROR_BUSY = -1, ERROR_TOO_FAST = 130101, ERROR_TOO_FAST_CHAT = 130102 };
    json_t *json = json_loads(body, 0, NULL);
    const json_t *member = json_object_get(json, "errcode");
    json_int_t code = json_is_integer(member) ? json_integer_value(member) : ERROR_BUSY;
    json_decref(json);
    if (code == ERROR_BUSY || code == ERROR_TOO_FAST || code == ERROR_TOO_FAST_CHAT) {
        return WEBHOOK_AGAIN;
    }
    return code == 0 ? WEBHOOK_TAKEN : WEBHOOK_REFUSED;
}

enum webhook_verdict webhook_judge(enum webhook_format format, long status, const char *body)
{
    enum { REQUEST_TIMEOUT = 408, TOO_EARLY = 425, TOO_MANY_REQUESTS = 429 };
    if (status >= 200 && status < 300) {
        return format == WEBHOOK_DINGTALK ? judge_dingtalk(body) : WEBHOOK_TAKEN;
    }
    bool refused = status >= 300 && status < 500 && status != REQUEST_TIMEOUT &&
                   status != TOO_EARLY && status != TOO_MANY_REQUESTS;
    return refused ? WEBHOOK_REFUSED : WEBHOOK_AGAIN;
}

int64_t webhook_pause(enum webhook_verdict verdict, unsigned attempts, int64_t trying_ns,
                      int64_t asked_s)
{
    SP_ASSERT(verdict != WEBHOOK_TAKEN && attempts > 0);
    if (trying_ns >= TRYING_MAX_NS || (verdict == WEBHOOK_REFUSED && attempts >= REFUSALS_MAX)) {
        return -1;
    }
    int64_t pause_s = MIN((int64_t)PAUSE_FIRST_S << MIN(attempts - 1, 10U), (int64_t)PAUSE_MAX_S);
    return MAX(pause_s, MIN(asked_s, (int64_t)ASKED_MAX_S)) * NS_PER_SECOND;
}
