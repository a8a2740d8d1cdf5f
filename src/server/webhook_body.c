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

static void print_check(FILE *out, const json_t *json)
{
    const char *detail = text_of(json, "detail"), *name = text_of(json, "name");
    fprintf(out, "%s is %s (%s%s%s)", text_of(json, "target"), text_of(json, "to"),
            text_of(json, "reason"), *detail ? ": " : "", detail);
    if (*name) {
        fprintf(out, " for %s", name);
    }
}

static void print_manual(FILE *out, const json_t *json)
{
    const char *who = text_of(json, "who"), *why = text_of(json, "why");
    fprintf(out, "Manual state: %s %s", text_of(json, "what"), text_of(json, "pattern"));
    if (*who || *why) {
        fprintf(out, " (%s%s%s)", who, *who && *why ? ": " : "", why);
    }
}

static void print_sentence(FILE *out, const struct event *event, const json_t *json)
{
    switch (event->type) {
    case EVENT_CHECK:
        print_check(out, json);
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
        print_manual(out, json);
        break;
    default:
        fprintf(out, "The process that probes %s: %s",
                json_is_true(json_object_get(json, "alive")) ? "works" : "is gone",
                text_of(json, "what"));
        break;
    }
}

static json_t *event_json(const struct event *event)
{
    json_t *json = json_loads(event->text, 0, NULL);
    SP_ASSERT(json != NULL); // we wrote it
    return json;
}

static char *sentence(const struct event *event)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    SP_ASSERT(out != NULL); // only memory could be missing
    json_t *json = event_json(event);
    print_sentence(out, event, json);
    json_decref(json);
    fclose(out);
    return text;
}

// Slack reads three characters as its own: a detail, which a probed server may have chosen, must
// neither call the channel together nor show a link.
static void put_escaped(FILE *out, const char *text, bool slack)
{
    for (; *text; text++) {
        switch (slack ? *text : 0) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

// A line for each event, and what went before. DingTalk takes 20,000 octets, Slack 40,000.
static char *sentences(const struct event *events, size_t count, uint64_t dropped, bool slack)
{
    enum { ENOUGH = 14000 }; // and one more line
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    SP_ASSERT(out != NULL); // only memory could be missing
    fprintf(out, "signpost: ");
    if (dropped > 0) {
        fprintf(out, "%llu events before these were lost\n", (unsigned long long)dropped);
    }
    for (size_t i = 0; i < count; i++) {
        fflush(out);
        if (size > ENOUGH) {
            fprintf(out, "\nand %zu more", count - i);
            break;
        }
        char *line = sentence(&events[i]);
        fprintf(out, "%s", i > 0 ? "\n" : "");
        put_escaped(out, line, slack);
        free(line);
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

// Whether something is wrong since this event.
static bool is_bad(const struct event *event, const json_t *json)
{
    switch (event->type) {
    case EVENT_CHECK:
        return strcmp(text_of(json, "to"), "down") == 0;
    case EVENT_DOUBT:
        return json_is_true(json_object_get(json, "frozen"));
    case EVENT_PROBER:
        return !json_is_true(json_object_get(json, "alive"));
    default:
        return false;
    }
}

// A check's own: several look at one target, and each has an incident of its own.
static char *incident_key(const struct event *event, const json_t *json)
{
    return event->type == EVENT_CHECK
               ? mem_printf("signpost/%s/%s", text_of(json, "target"), text_of(json, "key"))
               : mem_printf("signpost/%s", event_type_names[event->type]);
}

// Not longer than their limit, and not in the middle of a character.
static void cut(char *text)
{
    enum { SUMMARY_MAX = 1024 };
    size_t size = strlen(text);
    if (size > SUMMARY_MAX) {
        size = SUMMARY_MAX;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) {
            size--;
        }
        text[size] = '\0';
    }
}

// Events API v2: what goes wrong triggers an incident under its own key, and what is well again
// resolves it.
static json_t *pagerduty_body(const struct webhook *hook, const struct event *event)
{
    json_t *json = event_json(event);
    char *summary = sentence(event), *key = incident_key(event, json);
    const char *target = text_of(json, "target");
    cut(summary);
    json_t *body = json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:O}}", "routing_key", hook->secret,
        "event_action", is_bad(event, json) ? "trigger" : "resolve", "dedup_key", key, "client",
        "signpost", "payload", "summary", summary, "source", *target ? target : "signpost",
        "severity", event->type == EVENT_CHECK ? "error" : "warning", "timestamp",
        text_of(json, "time"), "class", event_type_names[event->type], "custom_details", json);
    json_decref(json);
    free(summary);
    free(key);
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
    char *text = sentences(events, count, dropped, hook->format == WEBHOOK_SLACK);
    json_t *json = NULL;
    switch (hook->format) {
    case WEBHOOK_SLACK:
        json = json_pack("{s:s}", "text", text);
        break;
    case WEBHOOK_DINGTALK:
        json = json_pack("{s:s, s:{s:s}}", "msgtype", "text", "text", "content", text);
        break;
    case WEBHOOK_PAGERDUTY:
        json = pagerduty_body(hook, events);
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
