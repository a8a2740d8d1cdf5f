// SPDX-License-Identifier: GPL-3.0-or-later
//
// The elements of `webhooks`: a mapping each.
//
// Called by config_values.c on its thread. Every fault is reported at its place; secrets, written
// or in files, stay out of messages.
#include "config/config_options.h"

#include "base/clock.h"
#include "base/text_file.h"
#include "api/events.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SECRET_MAX_MIB = 1 };
// DingTalk takes 20 requests a minute, Slack one a second, PagerDuty 120 events a minute, each of
// which is a request.
#define GAP_USUAL_NS    (5 * NS_PER_SECOND)
#define GAP_INCIDENT_NS (NS_PER_SECOND / 2)

struct reading {
    const struct config_reader *reader;
    const char *option;
    struct webhook *hook;
    struct place place;
    const char *key;
    struct fy_node *node;
};

static bool refuse(const struct reading *at, const char *message)
{
    diags_error(at->reader->diags, at->place, at->option, "%s: %s", at->key, message);
    return false;
}

// Plain HTTP to anywhere would show alarms and names to the whole way; to this machine it may be.
// What stands before an @ is no host, whatever it looks like.
static bool url_is_safe(const char *text)
{
    static const char https[] = "https://", http[] = "http://";
    static const char *const own[] = {"127.0.0.1", "[::1]", "localhost"};
    if (strpbrk(text, " \"\r\n") != NULL) {
        return false;
    }
    if (strncmp(text, https, sizeof(https) - 1) == 0) {
        return true;
    }
    if (strncmp(text, http, sizeof(http) - 1) != 0) {
        return false;
    }
    const char *host = text + sizeof(http) - 1;
    size_t size = strcspn(host, "/?#");
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        size_t own_size = strlen(own[i]);
        if (strncmp(host, own[i], own_size) == 0 &&
            (own_size == size ||
             (host[own_size] == ':' &&
              own_size + 1 + strspn(host + own_size + 1, "0123456789") == size))) {
            return true;
        }
    }
    return false;
}

static bool read_url(const struct reading *at)
{
    const char *text = node_text(at->reader, at->node);
    if (text == NULL || !url_is_safe(text)) {
        return refuse(at, "expected https://... (http:// only to this machine)");
    }
    at->hook->url = text;
    return true;
}

static bool read_secret(const struct reading *at)
{
    if (at->hook->secret != NULL) {
        return refuse(at, "secret and secret_file exclude each other");
    }
    at->hook->secret = node_text(at->reader, at->node);
    return at->hook->secret != NULL && at->hook->secret[0] != '\0' ? true
                                                                   : refuse(at, "expected a text");
}

static bool read_secret_file(const struct reading *at)
{
    const char *text = node_text(at->reader, at->node);
    size_t size;
    if (at->hook->secret != NULL) {
        return refuse(at, "secret and secret_file exclude each other");
    }
    if (text == NULL || text[0] == '\0') {
        return refuse(at, "expected a path");
    }
    const char *path =
        text[0] == '/' ? text
                       : arena_printf(at->reader->config->arena, "%s%s", at->reader->folder, text);
    char *secret = text_file_read(path, SECRET_MAX_MIB, false, at->reader->diags, &size);
    if (secret == NULL) {
        return false;
    }
    secret[strcspn(secret, "\r\n")] = '\0';
    at->hook->secret = arena_strdup(at->reader->config->arena, secret);
    explicit_bzero(secret, size);
    free(secret);
    return at->hook->secret[0] != '\0' ? true : refuse(at, "the file's first line is empty");
}

static bool read_format(const struct reading *at)
{
    const char *text = node_text(at->reader, at->node);
    for (int i = 0; text != NULL && webhook_format_names[i] != NULL; i++) {
        if (strcmp(text, webhook_format_names[i]) == 0) {
            at->hook->format = (enum webhook_format)i;
            return true;
        }
    }
    return refuse(at, "expected json, slack, dingtalk or pagerduty");
}

static bool read_gap(const struct reading *at)
{
    const char *text = node_text(at->reader, at->node);
    char *end = NULL;
    double seconds = text == NULL ? NAN : strtod(text, &end);
    if (text == NULL || *text == '\0' || *end != '\0' || !(seconds >= 0 && seconds <= 3600)) {
        return refuse(at, "expected 0 to 3600 seconds");
    }
    at->hook->gap_ns = (int64_t)(seconds * 1e9);
    return true;
}

static bool read_event(const struct reading *at, struct fy_node *node, unsigned *types)
{
    const char *text = node_text(at->reader, node);
    for (int i = 0; text != NULL && i < EVENT_TYPE_COUNT; i++) {
        if (strcmp(text, event_type_names[i]) == 0) {
            *types |= 1U << i;
            return true;
        }
    }
    return refuse(at, "expected check, doubt, manual or prober, or a list of them");
}

static bool read_events(const struct reading *at)
{
    unsigned types = 0;
    void *cursor = NULL;
    struct fy_node *item;
    bool good = true;
    if (!fy_node_is_sequence(at->node)) {
        good = read_event(at, at->node, &types);
    }
    while (fy_node_is_sequence(at->node) &&
           (item = fy_node_sequence_iterate(at->node, &cursor)) != NULL) {
        good &= read_event(at, item, &types);
    }
    at->hook->types = types;
    if (good && types == 0) {
        return refuse(at, "expected at least one; leave the key out for the usual ones");
    }
    return good;
}

static const struct {
    const char *name;
    bool (*read)(const struct reading *at);
} keys[] = {
    {"url", read_url},       {"secret", read_secret}, {"secret_file", read_secret_file},
    {"format", read_format}, {"gap", read_gap},       {"events", read_events},
};

static bool read_pair(struct reading *at, struct fy_node_pair *pair, unsigned *seen)
{
    const char *key = node_text(at->reader, fy_node_pair_key(pair));
    at->place = node_place(at->reader, fy_node_pair_key(pair), at->place);
    at->node = fy_node_pair_value(pair);
    at->key = key == NULL ? "" : key;
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        if (strcmp(at->key, keys[i].name) == 0) {
            bool again = *seen >> i & 1;
            *seen |= 1U << i;
            return again ? refuse(at, "it is given twice") : keys[i].read(at);
        }
    }
    return refuse(at, "unknown key: expected url, secret, secret_file, format, gap or events");
}

bool webhook_set(const struct config_reader *reader, const char *option, struct fy_node *node,
                 struct place place, struct webhook *hook)
{
    struct reading at = {
        .reader = reader, .option = option, .hook = hook, .place = place, .key = "url"};
    void *cursor = NULL;
    struct fy_node_pair *pair;
    unsigned seen = 0;
    bool good = true;
    *hook = (struct webhook){
        .gap_ns = -1,
        .types = 1U << EVENT_CHECK | 1U << EVENT_DOUBT | 1U << EVENT_PROBER,
    };
    while ((pair = fy_node_mapping_iterate(node, &cursor)) != NULL) {
        good &= read_pair(&at, pair, &seen);
    }
    at.place = place;
    if (good && hook->url == NULL) {
        at.key = "url";
        good = refuse(&at, "it is missing");
    }
    if (good && hook->format == WEBHOOK_PAGERDUTY && hook->secret == NULL) {
        at.key = "secret";
        good = refuse(&at, "pagerduty needs it: the routing key");
    }
    if (good && hook->format == WEBHOOK_PAGERDUTY && (hook->types >> EVENT_MANUAL & 1)) {
        at.key = "events";
        good = refuse(&at, "manual states are no incidents of pagerduty");
    }
    if (hook->gap_ns < 0) {
        hook->gap_ns = hook->format == WEBHOOK_PAGERDUTY ? GAP_INCIDENT_NS : GAP_USUAL_NS;
    }
    return good;
}
