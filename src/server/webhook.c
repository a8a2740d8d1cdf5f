// SPDX-License-Identifier: GPL-3.0-or-later
//
// The hooks, their cursors, and one request at a time for each, through one libcurl multi handle.
//
// Made by serve.c, control thread. A timer turns the transfers while there are any, and wakes the
// hooks whose gap or pause is over; nothing runs while nothing happens. Of what a receiver answers
// the beginning is kept until it was judged (webhook_retry.h).
#include "server/webhook.h"

#include "base/memory.h"
#include "server/webhook_body.h"
#include "server/webhook_retry.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

enum {
    TURN_MS = 20,
    CONNECT_TIMEOUT_MS = 5000,
    TIMEOUT_MS = 10000,
    ANSWER_MAX = 1024,
};

struct hook {
    const struct webhook *definition;
    uint64_t next;    // the first event that was not yet taken into a request
    uint64_t dropped; // events lost since the last request
    int64_t wait_until_ns;
    // The request under way or to be repeated; body NULL: none.
    char *body;
    unsigned events;
    unsigned attempts;
    int64_t trying_ns; // since the first attempt
    char answer[ANSWER_MAX];
    size_t answer_size;
    CURL *easy;
    struct curl_slist *headers;
};

struct webhooks {
    uv_timer_t timer;
    const struct clock *clock;
    struct events *events;
    CURLM *multi;
    struct hook *hooks;
    size_t count, running;
    struct webhook_counts counts;
};

static void run(struct webhooks *webhooks);

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static size_t on_answer(char *bytes, size_t one, size_t size, void *context)
{
    (void)one;
    struct hook *hook = context;
    size_t kept = MIN(size, sizeof(hook->answer) - 1 - hook->answer_size);
    memcpy(hook->answer + hook->answer_size, bytes, kept);
    hook->answer_size += kept;
    return size;
}

// --- one request

static void header_add(struct hook *hook, const char *format, const char *value)
{
    char *line = mem_printf(format, value);
    hook->headers = curl_slist_append(hook->headers, line);
    free(line);
}

static void request_headers(struct hook *hook, int64_t wall_ns)
{
    char time[24], signature[WEBHOOK_SIGNATURE_SIZE];
    snprintf(time, sizeof(time), "%lld", (long long)(wall_ns / NS_PER_SECOND));
    header_add(hook, "Content-Type: %s", "application/json");
    header_add(hook, "User-Agent: signpost/%s", SIGNPOST_VERSION);
    header_add(hook, "X-Signpost-Time: %s", time);
    if (hook->definition->secret != NULL && hook->definition->format == WEBHOOK_JSON) {
        webhook_signature(hook->definition->secret, time, hook->body, signature);
        header_add(hook, "X-Signpost-Signature: sha256=%s", signature);
    }
}

static void request_begin(struct webhooks *webhooks, struct hook *hook)
{
    int64_t wall_ns = clock_wall_ns(webhooks->clock);
    char *url = webhook_url(hook->definition, wall_ns);
    hook->easy = curl_easy_init();
    SP_ASSERT(hook->easy != NULL); // only memory could be missing
    hook->trying_ns = hook->attempts > 0 ? hook->trying_ns : clock_monotonic_ns(webhooks->clock);
    hook->attempts++;
    hook->answer_size = 0;
    request_headers(hook, wall_ns);
    curl_easy_setopt(hook->easy, CURLOPT_URL, url);
    curl_easy_setopt(hook->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(hook->easy, CURLOPT_HTTPHEADER, hook->headers);
    curl_easy_setopt(hook->easy, CURLOPT_POSTFIELDS, hook->body);
    curl_easy_setopt(hook->easy, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(hook->easy, CURLOPT_WRITEDATA, hook);
    curl_easy_setopt(hook->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(hook->easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(hook->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(hook->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(hook->easy, CURLOPT_PRIVATE, hook);
    curl_multi_add_handle(webhooks->multi, hook->easy);
    webhooks->running++;
    free(url); // the library has a copy
}

static void request_forget(struct webhooks *webhooks, struct hook *hook)
{
    if (hook->easy != NULL) {
        curl_multi_remove_handle(webhooks->multi, hook->easy);
        curl_easy_cleanup(hook->easy);
        curl_slist_free_all(hook->headers);
        hook->easy = NULL;
        hook->headers = NULL;
        webhooks->running--;
    }
}

static void body_forget(struct hook *hook)
{
    free(hook->body);
    hook->body = NULL;
    hook->attempts = 0;
}

// Not taken: asked again after a pause, or given up.
static void request_failed(struct webhooks *webhooks, struct hook *hook,
                           enum webhook_verdict verdict, int64_t asked_s, long status,
                           const char *error)
{
    char answer[300];
    int64_t now = clock_monotonic_ns(webhooks->clock);
    int64_t pause_ns = webhook_pause(verdict, hook->attempts, now - hook->trying_ns, asked_s);
    bool last = pause_ns < 0;
    webhooks->counts.failed++;
    log_event(last ? LOG_EVENT_WEBHOOK_DROPPED : LOG_EVENT_WEBHOOK_FAILED,
              "hook=%td attempt=%u status=%ld error=\"%s\" answer=%s events=%u",
              hook - webhooks->hooks, hook->attempts, status, error,
              log_quote(hook->answer, answer, sizeof(answer)), hook->events);
    hook->wait_until_ns = now + MAX(pause_ns, hook->definition->gap_ns);
    if (last) {
        webhooks->counts.dropped += hook->events;
        hook->dropped += hook->events;
        body_forget(hook);
    }
}

static void request_end(struct webhooks *webhooks, struct hook *hook, CURLcode code)
{
    long status = 0;
    curl_off_t asked_s = 0;
    curl_easy_getinfo(hook->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(hook->easy, CURLINFO_RETRY_AFTER, &asked_s);
    request_forget(webhooks, hook);
    hook->answer[hook->answer_size] = '\0';
    enum webhook_verdict verdict =
        webhook_judge(hook->definition->format, code == CURLE_OK ? status : 0, hook->answer);
    if (verdict == WEBHOOK_TAKEN) {
        webhooks->counts.sent++;
        body_forget(hook);
        hook->wait_until_ns = clock_monotonic_ns(webhooks->clock) + hook->definition->gap_ns;
    } else {
        request_failed(webhooks, hook, verdict, asked_s, status,
                       code == CURLE_OK ? "" : curl_easy_strerror(code));
    }
}

// --- what to send

// Takes what is behind the cursor into a body; false when there is nothing for this hook.
static bool collect(struct webhooks *webhooks, struct hook *hook)
{
    struct event events[WEBHOOK_EVENTS_MAX];
    size_t count = 0, batch = webhook_batch(hook->definition->format);
    while (hook->next < events_next(webhooks->events) && count < batch) {
        if (!events_get(webhooks->events, hook->next, &events[count])) {
            hook->dropped++; // the ring went on without us
            webhooks->counts.dropped++;
        } else {
            count += hook->definition->types >> events[count].type & 1;
        }
        hook->next++;
    }
    if (count == 0) {
        return false;
    }
    hook->body = webhook_body(hook->definition, events, count, hook->dropped);
    hook->events = (unsigned)count;
    hook->dropped = 0;
    return true;
}

static void ends_take(struct webhooks *webhooks)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(webhooks->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            char *hook;
            CURLcode code = message->data.result;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &hook);
            request_end(webhooks, (struct hook *)(void *)hook, code);
        }
    }
}

// Begins what may begin. The time at which the next hook wants to be looked at again.
static int64_t hooks_wake(struct webhooks *webhooks)
{
    int64_t now = clock_monotonic_ns(webhooks->clock), next = INT64_MAX;
    for (size_t i = 0; i < webhooks->count; i++) {
        struct hook *hook = &webhooks->hooks[i];
        bool waits = hook->body != NULL || hook->next < events_next(webhooks->events);
        if (hook->easy != NULL || !waits) {
            continue;
        }
        if (hook->wait_until_ns > now) {
            next = MIN(next, hook->wait_until_ns);
        } else if (hook->body != NULL || collect(webhooks, hook)) {
            request_begin(webhooks, hook);
        }
    }
    return next;
}

static void run(struct webhooks *webhooks)
{
    int running;
    curl_multi_perform(webhooks->multi, &running);
    ends_take(webhooks);
    int64_t next = hooks_wake(webhooks);
    if (webhooks->running > 0) {
        uv_timer_start(&webhooks->timer, on_timer, TURN_MS, 0);
    } else if (next != INT64_MAX) {
        int64_t wait_ns = MAX(next - clock_monotonic_ns(webhooks->clock), 0);
        uv_timer_start(&webhooks->timer, on_timer, (uint64_t)(wait_ns / NS_PER_MS) + 1, 0);
    }
}

// From inside events_add: the requests begin with the loop's next turn.
static void on_event(void *context)
{
    struct webhooks *webhooks = context;
    if (webhooks->count > 0 && webhooks->running == 0) {
        uv_timer_start(&webhooks->timer, on_timer, 0, 0);
    }
}

struct webhooks *webhooks_new(uv_loop_t *loop, const struct config *config, struct events *events)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct webhooks *webhooks = mem_alloc(sizeof(*webhooks));
    webhooks->clock = clock_system();
    webhooks->events = events;
    webhooks->multi = curl_multi_init();
    webhooks->count = config->webhook_count;
    webhooks->hooks = mem_alloc_array(MAX(webhooks->count, (size_t)1), sizeof(struct hook));
    for (size_t i = 0; i < webhooks->count; i++) {
        webhooks->hooks[i].definition = &config->webhooks[i];
        webhooks->hooks[i].next = events_next(events);
    }
    uv_timer_init(loop, &webhooks->timer);
    webhooks->timer.data = webhooks;
    events_listener(events, on_event, webhooks);
    return webhooks;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void webhooks_free(struct webhooks *webhooks)
{
    if (webhooks == NULL) {
        return;
    }
    for (size_t i = 0; i < webhooks->count; i++) {
        request_forget(webhooks, &webhooks->hooks[i]);
        body_forget(&webhooks->hooks[i]);
    }
    curl_multi_cleanup(webhooks->multi);
    free(webhooks->hooks);
    uv_close((uv_handle_t *)&webhooks->timer, on_closed);
    curl_global_cleanup();
}

struct webhook_counts webhooks_counts(const struct webhooks *webhooks)
{
    return webhooks->counts;
}
