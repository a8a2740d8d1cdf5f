// SPDX-License-Identifier: GPL-3.0-or-later
//
// What goes to Slack, DingTalk and PagerDuty, held against what their documentation asks for; and
// what their answers lead to.
#include "server/webhook_body.h"
#include "server/webhook_retry.h"
#include "base/clock.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct webhook slack = {.url = "https://h/", .format = WEBHOOK_SLACK};
static const struct webhook dingtalk = {
    .url = "https://h/send?token=T", .secret = "this is secret", .format = WEBHOOK_DINGTALK};
static const struct webhook pagerduty = {
    .url = "https://h/", .secret = "ROUTINGKEY", .format = WEBHOOK_PAGERDUTY};

static struct event check_event(const char *text)
{
    return (struct event){1, EVENT_CHECK, text};
}

#define DOWN(target, key, detail)                                                                  \
    "{\"id\":1,\"type\":\"check\",\"time\":\"2026-11-25T18:00:00Z\",\"check\":3,\"key\":\"" key    \
    "\",\"target\":\"" target                                                                      \
    "\",\"name\":\"www.example.org. A\",\"from\":\"up\",\"to\":\"down\","                          \
    "\"reason\":\"L7STS\",\"detail\":\"" detail "\"}"

static json_t *body_of(const struct webhook *hook, const struct event *events, size_t count,
                       uint64_t dropped)
{
    char *text = webhook_body(hook, events, count, dropped);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

static const char *text_at(const json_t *json, const char *outer, const char *inner)
{
    json = json_object_get(json, outer);
    return json_string_value(inner ? json_object_get(json, inner) : json);
}

// A detail is chosen by whoever is probed.
static void slack_commands_are_escaped(void **state)
{
    (void)state;
    struct event event = check_event(DOWN("192.0.2.1:80", "aa", "<!channel> & <http://e/|x>"));
    json_t *json = body_of(&slack, &event, 1, 2);
    assert_string_equal(text_at(json, "text", NULL),
                        "signpost: 2 events before these were lost\n"
                        "192.0.2.1:80 is down (L7STS: &lt;!channel&gt; &amp; "
                        "&lt;http://e/|x&gt;) for www.example.org. A");
    json_decref(json);
    json = body_of(&dingtalk, &event, 1, 0);
    assert_string_equal(text_at(json, "msgtype", NULL), "text");
    assert_string_equal(text_at(json, "text", "content"),
                        "signpost: 192.0.2.1:80 is down (L7STS: <!channel> & <http://e/|x>) for "
                        "www.example.org. A");
    json_decref(json);
}

static void texts_stay_within_the_receivers_limits(void **state)
{
    (void)state;
    struct event events[WEBHOOK_EVENTS_MAX];
    char *name = mem_alloc(1001), *text;
    memset(name, 'x', 1000);
    text = mem_printf("{\"target\":\"192.0.2.1:80\",\"to\":\"down\",\"reason\":\"L4CON\","
                      "\"name\":\"%s\",\"time\":\"T\",\"key\":\"k\"}",
                      name);
    for (size_t i = 0; i < WEBHOOK_EVENTS_MAX; i++) {
        events[i] = check_event(text);
    }
    char *body = webhook_body(&dingtalk, events, WEBHOOK_EVENTS_MAX, 0);
    assert_in_range(strlen(body), 14000, 20000);
    assert_non_null(strstr(body, "\\nand 8"));
    free(body);
    // A name of multi-octet characters is not cut in the middle of one.
    free(text);
    for (size_t i = 0; i < 1000; i += 2) {
        memcpy(name + i, "\xc3\xa4", 2);
    }
    for (int shift = 0; shift < 2; shift++) {
        text = mem_printf("{\"target\":\"192.0.2.1%s:80\",\"to\":\"down\",\"reason\":\"L4CON\","
                          "\"name\":\"%s\",\"time\":\"T\",\"key\":\"k\"}",
                          shift ? "1" : "", name);
        events[0] = check_event(text);
        json_t *json = body_of(&pagerduty, events, 1, 0);
        assert_in_range(strlen(text_at(json, "payload", "summary")), 1000, 1024);
        json_decref(json);
        free(text);
    }
    free(name);
}

static void assert_incident(const struct event *event, const char *action, const char *key,
                            const char *severity)
{
    json_t *json = body_of(&pagerduty, event, 1, 0);
    assert_string_equal(text_at(json, "routing_key", NULL), "ROUTINGKEY");
    assert_string_equal(text_at(json, "event_action", NULL), action);
    assert_string_equal(text_at(json, "dedup_key", NULL), key);
    assert_string_equal(text_at(json, "payload", "severity"), severity);
    assert_true(*text_at(json, "payload", "summary") && *text_at(json, "payload", "source"));
    assert_string_equal(text_at(json, "payload", "timestamp"), "2026-11-25T18:00:00Z");
    json_decref(json);
}

static void what_goes_wrong_triggers_and_what_is_well_resolves(void **state)
{
    (void)state;
    static const struct {
        enum event_type type;
        const char *text, *action, *key, *severity;
    } rows[] = {
        {EVENT_CHECK, DOWN("192.0.2.1:80", "aa", ""), "trigger", "signpost/192.0.2.1:80/aa",
         "error"},
        {EVENT_CHECK, DOWN("192.0.2.1:80", "bb", ""), "trigger", "signpost/192.0.2.1:80/bb",
         "error"}, // another check of the same target
        {EVENT_CHECK,
         "{\"to\":\"up\",\"time\":\"2026-11-25T18:00:00Z\",\"target\":\"192.0.2.1:80\","
         "\"key\":\"aa\"}",
         "resolve", "signpost/192.0.2.1:80/aa", "error"},
        {EVENT_DOUBT, "{\"frozen\":true,\"cause\":\"c\",\"time\":\"2026-11-25T18:00:00Z\"}",
         "trigger", "signpost/doubt", "warning"},
        {EVENT_DOUBT, "{\"frozen\":false,\"time\":\"2026-11-25T18:00:00Z\"}", "resolve",
         "signpost/doubt", "warning"},
        {EVENT_PROBER, "{\"alive\":false,\"what\":\"w\",\"time\":\"2026-11-25T18:00:00Z\"}",
         "trigger", "signpost/prober", "warning"},
        {EVENT_PROBER, "{\"alive\":true,\"what\":\"w\",\"time\":\"2026-11-25T18:00:00Z\"}",
         "resolve", "signpost/prober", "warning"},
    };
    assert_int_equal(webhook_batch(WEBHOOK_PAGERDUTY), 1);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct event event = {1, rows[i].type, rows[i].text};
        assert_incident(&event, rows[i].action, rows[i].key, rows[i].severity);
    }
}

// HMAC-SHA256 of "1700000000123\nthis is secret", in base64, with percent signs; by openssl(1).
static void dingtalk_urls_are_signed(void **state)
{
    (void)state;
    char *url = webhook_url(&dingtalk, 1700000000123 * NS_PER_MS);
    assert_string_equal(url, "https://h/send?token=T&timestamp=1700000000123&sign="
                             "W2RNhLVXZurCuMiewxzjoEaGqxhR%2FFQAkLiAHZh%2BPWY%3D");
    free(url);
    struct webhook bare = dingtalk;
    bare.secret = NULL;
    url = webhook_url(&bare, 1700000000123 * NS_PER_MS);
    assert_string_equal(url, bare.url);
    free(url);
}

static void answers_are_judged(void **state)
{
    (void)state;
    static const struct {
        enum webhook_format format;
        long status;
        const char *body;
        enum webhook_verdict verdict;
    } rows[] = {
        {WEBHOOK_JSON, 200, "", WEBHOOK_TAKEN},
        {WEBHOOK_PAGERDUTY, 202, "{\"status\":\"success\"}", WEBHOOK_TAKEN},
        {WEBHOOK_JSON, 0, "", WEBHOOK_AGAIN},
        {WEBHOOK_JSON, 500, "", WEBHOOK_AGAIN},
        {WEBHOOK_JSON, 503, "", WEBHOOK_AGAIN},
        {WEBHOOK_SLACK, 408, "", WEBHOOK_AGAIN},
        {WEBHOOK_SLACK, 425, "", WEBHOOK_AGAIN},
        {WEBHOOK_SLACK, 429, "", WEBHOOK_AGAIN},
        {WEBHOOK_SLACK, 302, "", WEBHOOK_REFUSED},
        {WEBHOOK_SLACK, 400, "invalid_payload", WEBHOOK_REFUSED},
        {WEBHOOK_SLACK, 410, "channel_is_archived", WEBHOOK_REFUSED},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":0,\"errmsg\":\"ok\"}", WEBHOOK_TAKEN},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":310000,\"errmsg\":\"sign not match\"}",
         WEBHOOK_REFUSED},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":130101,\"errmsg\":\"send too fast\"}", WEBHOOK_AGAIN},
        {WEBHOOK_DINGTALK, 200, "{\"errcode\":-1,\"errmsg\":\"busy\"}", WEBHOOK_AGAIN},
        {WEBHOOK_DINGTALK, 200, "<html>", WEBHOOK_AGAIN},
        {WEBHOOK_DINGTALK, 200, "", WEBHOOK_AGAIN},
        {WEBHOOK_DINGTALK, 500, "{\"errcode\":0}", WEBHOOK_AGAIN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(webhook_judge(rows[i].format, rows[i].status, rows[i].body),
                         rows[i].verdict);
    }
}

static void pauses_grow_and_end(void **state)
{
    (void)state;
    static const int64_t pauses_s[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    const int64_t hour_ns = 3600 * NS_PER_SECOND;
    for (unsigned i = 0; i < ARRAY_SIZE(pauses_s); i++) {
        int64_t expected = pauses_s[i] * NS_PER_SECOND;
        assert_int_equal(webhook_pause(WEBHOOK_AGAIN, i + 1, hour_ns - 1, 0), expected);
        assert_int_equal(webhook_pause(WEBHOOK_REFUSED, i + 1, 0, 0), i + 1 < 8 ? expected : -1);
        assert_int_equal(webhook_pause(WEBHOOK_AGAIN, i + 1, hour_ns, 0), -1);
    }
    // What the receiver asks for, as far as it is sane.
    assert_int_equal(webhook_pause(WEBHOOK_AGAIN, 1, 0, 30), 30 * NS_PER_SECOND);
    assert_int_equal(webhook_pause(WEBHOOK_AGAIN, 6, 0, 30), 32 * NS_PER_SECOND);
    assert_int_equal(webhook_pause(WEBHOOK_AGAIN, 1, 0, INT64_MAX), 600 * NS_PER_SECOND);
    assert_int_equal(webhook_pause(WEBHOOK_AGAIN, 4000000000U, 0, 0), 60 * NS_PER_SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slack_commands_are_escaped),
        cmocka_unit_test(texts_stay_within_the_receivers_limits),
        cmocka_unit_test(what_goes_wrong_triggers_and_what_is_well_resolves),
        cmocka_unit_test(dingtalk_urls_are_signed),
        cmocka_unit_test(answers_are_judged),
        cmocka_unit_test(pauses_grow_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
