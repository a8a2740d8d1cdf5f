// SPDX-License-Identifier: GPL-3.0-or-later
//
// The four forms of a webhook's body, and its signature.
//
// Called by webhook.c with events that we wrote ourselves, on the control thread. Bodies are built
// as JSON values, never pasted: names and details may hold anything.
#include "server/webhook_body.h"

#include "base/memory.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

const char *const webhook_format_names[] = {"json", "slack", "dingtalk", "pagerduty", NULL};

// --- a sentence for people

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text == NULL ? "" : text;
}

static void print_sentence(FILE *out, const struct event *event, const json_t *json)
{
    switch (event->type) {
    case EVENT_CHECK:
        fprintf(out, "%s is %s (%s%s%s)", text_of(json, "target"), text_of(json, "to"),
                text_of(json, "reason"), *text_of(json, "detail") ? ": " : "",
                text_of(json, "detail"));
        if (*text_of(json, "name")) {
            fprintf(out, " for %s", text_of(json, "name"));
        }
        break;
    case EVENT_DOUBT:
        if (json_is_true(json_object_get(json, "frozen"))) {
            fprintf(out, "The checker doubts itself (%s): states are frozen",
                    text_of(json, "cause"));
        } else {
            fprintf(out, "The checker trusts itself again");
        }
        break;
    case EVENT_MANUAL:
        fprintf(out, "Manual state: %s %s", text_of(json, "what"), text_of(json, "pattern"));
        break;
    default:
        fprintf(out, "%s: %s", text_of(json, "type"), text_of(json, "what"));
        break;
    }
}

static json_t *event_json(const struct event *event)
{
    json_t *json = json_loads(event->text, 0, NULL);
    SP_ASSERT(json != NULL); // we wrote it
    return json;
}

static char *sentences(const struct event *events, size_t count, uint64_t dropped)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    SP_ASSERT(out != NULL); // only memory could be missing
    if (dropped > 0) {
        fprintf(out, "%llu events before these were lost\n", (unsigned long long)dropped);
    }
    for (size_t i = 0; i < count; i++) {
        json_t *json = event_json(&events[i]);
        fprintf(out, "%s", i > 0 ? "\n" : "");
        print_sentence(out, &events[i], json);
        json_decref(json);
    }
    fclose(out);
    return text;
}

// --- bodies

static json_t *plain_body(const struct event *events, size_t count, uint64_t dropped)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, event_json(&events[i]));
    }
    return json_pack("{s:o, s:I}", "events", list, "dropped", (json_int_t)dropped);
}

// Events API v2: a check that is down triggers an incident under its own key, and resolves it.
static json_t *pagerduty_body(const struct webhook *hook, const struct event *event,
                              const char *sentence)
{
    json_t *json = event_json(event);
    bool doubt = event->type == EVENT_DOUBT;
    bool bad = doubt ? json_is_true(json_object_get(json, "frozen"))
                     : strcmp(text_of(json, "to"), "down") == 0;
    const char *key = doubt ? "doubt" : text_of(json, "target");
    json_t *body = json_pack(
        "{s:s, s:s, s:o, s:{s:s, s:s, s:s, s:s, s:O}}", "routing_key", hook->secret, "event_action",
        bad ? "trigger" : "resolve", "dedup_key", json_sprintf("signpost/%s", key), "payload",
        "summary", sentence, "source", *key ? key : "signpost", "severity",
        doubt ? "warning" : "error", "timestamp", text_of(json, "time"), "custom_details", json);
    json_decref(json);
    return body;
}

size_t webhook_batch(enum webhook_format format)
{
    return format == WEBHOOK_PAGERDUTY ? 1 : WEBHOOK_EVENTS_MAX;
}

char *webhook_body(const struct webhook *hook, const struct event *events, size_t count,
                   uint64_t dropped)
{
    SP_ASSERT(count > 0 && count <= webhook_batch(hook->format));
    char *text = sentences(events, count, dropped);
    json_t *json = NULL;
    switch (hook->format) {
    case WEBHOOK_SLACK:
        json = json_pack("{s:s}", "text", text);
        break;
    case WEBHOOK_DINGTALK:
        json = json_pack("{s:s, s:{s:s}}", "msgtype", "text", "text", "content", text);
        break;
    case WEBHOOK_PAGERDUTY:
        json = pagerduty_body(hook, events, text);
        break;
    default:
        json = plain_body(events, count, dropped);
        break;
    }
    char *body = json_dumps(json, JSON_COMPACT);
    SP_ASSERT(body != NULL); // events hold UTF-8 only
    json_decref(json);
    free(text);
    return body;
}

// --- signatures

static void hmac(const char *secret, const char *text, uint8_t digest[EVP_MAX_MD_SIZE],
                 unsigned *size)
{
    const uint8_t *done = HMAC(EVP_sha256(), secret, (int)strlen(secret), (const uint8_t *)text,
                               strlen(text), digest, size);
    SP_ASSERT(done != NULL);
}

void webhook_signature(const char *secret, const char *time, const char *body,
                       char text[WEBHOOK_SIGNATURE_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned size;
    char *signed_text = mem_printf("%s.%s", time, body);
    hmac(secret, signed_text, digest, &size);
    free(signed_text);
    SP_ASSERT(size == 32);
    for (unsigned i = 0; i < size; i++) {
        snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
    }
}

char *webhook_url(const struct webhook *hook, int64_t wall_ns)
{
    if (hook->format != WEBHOOK_DINGTALK || hook->secret == NULL) {
        return mem_strdup(hook->url);
    }
    long long ms = (long long)(wall_ns / NS_PER_MS);
    char *text = mem_printf("%lld\n%s", ms, hook->secret);
    uint8_t digest[EVP_MAX_MD_SIZE], base64[EVP_MAX_MD_SIZE * 2];
    unsigned size;
    hmac(hook->secret, text, digest, &size);
    EVP_EncodeBlock(base64, digest, (int)size);
    char *escaped = curl_easy_escape(NULL, (const char *)base64, 0);
    SP_ASSERT(escaped != NULL);
    char *url = mem_printf("%s%ctimestamp=%lld&sign=%s", hook->url,
                           strchr(hook->url, '?') ? '&' : '?', ms, escaped);
    curl_free(escaped);
    free(text);
    return url;
}
