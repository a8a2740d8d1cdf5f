// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the engine tells about its checks: the list, one in full, and whether it doubts itself.
// Control thread.
#include "engine/engine_internal.h"

#include "base/time_text.h"
#include "dns/types.h"

#include <stdio.h>

enum { NAMES_MAX = 100 };

static double ms(int64_t ns)
{
    return (double)ns / (double)NS_PER_MS;
}

// "www.example.com A", of the first RRset that uses the check; "" when it is the engine's own.
static void check_name(const struct engine *engine, int check, size_t user, char *text, size_t size)
{
    text[0] = '\0';
    if ((size_t)check >= engine->by_check_size || user >= engine->by_check[check].count) {
        return;
    }
    uint32_t slot = engine->check_slots[engine->by_check[check].first + user];
    const struct steered *steered = engine->steered[slot];
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    if (steered != NULL) {
        snprintf(text, size, "%s %s", name_format(steered->owner->name, name),
                 rr_type_format(steered->rrset->type, type));
    }
}

static size_t check_users(const struct engine *engine, int check)
{
    return (size_t)check < engine->by_check_size ? engine->by_check[check].count : 0;
}

static json_t *check_status(const struct engine *engine, int index, const struct check_view *view)
{
    char target[SOCKADDR_TEXT_MAX], name[NAME_TEXT_MAX + RR_TYPE_TEXT_MAX], since[TIME_TEXT_MAX];
    int64_t since_ns = clock_monotonic_ns(engine->clock) - view->since_ns;
    check_name(engine, index, 0, name, sizeof(name));
    json_t *json = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:f, s:s, s:s, s:f, s:I, s:I, s:I, s:s, s:I, s:b, s:b, s:b, "
        "s:s}",
        "check", index, "kind", check_kinds[view->spec->kind].name, "target",
        check_view_target(view, target), "state", check_state_names[view->state], "since",
        time_text_format(clock_wall_ns(engine->clock) - since_ns, since), "since_seconds",
        (double)since_ns / (double)NS_PER_SECOND, "last_result",
        probe_reasons[view->last_reason].name, "detail", view->last_detail, "latency_ms",
        ms(view->last_latency_ns), "probes", (json_int_t)view->probe_count, "failures",
        (json_int_t)view->failure_count, "changes", (json_int_t)view->change_count, "name", name,
        "users", (json_int_t)check_users(engine, index), "anchor", (int)view->is_anchor, "warning",
        (int)view->warning, "idle", (int)view->resting, "waits_for",
        view->state == CHECK_DOWN && view->run > 0 ? check_wait_names[view->waits_for] : "");
    SP_ASSERT(json != NULL); // all texts are ASCII
    if (view->has_certificate) {
        json_object_set_new(json, "certificate_days", json_integer(view->certificate_days));
    }
    if (view->has_load) {
        json_object_set_new(json, "load", json_real(view->load));
    }
    return json;
}

json_t *engine_health_status(struct engine *engine)
{
    json_t *list = json_array();
    for (int i = 0; i < health_count(engine->health); i++) {
        struct check_view view;
        if (health_view(engine->health, i, &view)) {
            json_array_append_new(list, check_status(engine, i, &view));
        }
    }
    return list;
}

static json_t *results_json(const struct engine *engine, const struct history *history)
{
    json_t *list = json_array();
    int64_t ahead_ns = clock_wall_ns(engine->clock) - clock_monotonic_ns(engine->clock);
    for (unsigned age = 0; age < history->count; age++) {
        struct history_result result = history_result(history, age);
        char at[TIME_TEXT_MAX];
        json_array_append_new(list, json_pack("{s:s, s:s, s:f}", "at",
                                              time_text_format(result.at_ns + ahead_ns, at),
                                              "result", probe_reasons[result.reason].name,
                                              "latency_ms", ms(result.latency_ns)));
    }
    return list;
}

static json_t *histogram_json(const struct history *history)
{
    json_t *list = json_array();
    for (unsigned bar = 0; bar <= HISTORY_BOUNDS; bar++) {
        json_t *up_to = bar < HISTORY_BOUNDS ? json_real(ms(history_bounds_ns[bar])) : json_null();
        json_array_append_new(list, json_pack("{s:o, s:I}", "up_to_ms", up_to, "count",
                                              (json_int_t)history->bars[bar]));
    }
    return list;
}

json_t *engine_health_check(struct engine *engine, int check)
{
    struct check_view view;
    if (!health_view(engine->health, check, &view)) {
        return NULL;
    }
    json_t *json = check_status(engine, check, &view), *names = json_array();
    for (size_t i = 0; i < MIN(check_users(engine, check), (size_t)NAMES_MAX); i++) {
        char name[NAME_TEXT_MAX + RR_TYPE_TEXT_MAX];
        check_name(engine, check, i, name, sizeof(name));
        json_array_append_new(names, json_string(name));
    }
    json_t *more = json_pack(
        "{s:o, s:f, s:f, s:I, s:I, s:I, s:I, s:o, s:o}", "names", names, "interval",
        (double)view.spec->interval_ns / 1e9, "timeout", (double)view.spec->timeout_ns / 1e9,
        "rise", (json_int_t)view.spec->rise, "fall", (json_int_t)view.spec->fall, "run",
        (json_int_t)view.run, "rise_needed", (json_int_t)view.rise_needed, "histogram",
        histogram_json(view.history), "results", results_json(engine, view.history));
    json_object_update(json, more);
    json_decref(more);
    return json;
}

json_t *engine_doubt(struct engine *engine)
{
    const struct doubt *doubt = health_doubt(engine->health);
    json_t *json = json_pack("{s:b, s:b, s:I, s:I, s:I, s:I}", "frozen", (int)doubt_frozen(doubt),
                             "trusted", (int)doubt->trusted, "up", (json_int_t)doubt->up, "failing",
                             (json_int_t)doubt->failing, "anchors", (json_int_t)doubt->anchors,
                             "anchors_up", (json_int_t)doubt->anchors_good);
    if (doubt_frozen(doubt)) {
        int64_t for_ns = clock_monotonic_ns(engine->clock) - doubt->since_ns;
        char since[TIME_TEXT_MAX];
        json_object_set_new(json, "cause", json_string(doubt_cause_names[doubt->cause]));
        json_object_set_new(
            json, "since",
            json_string(time_text_format(clock_wall_ns(engine->clock) - for_ns, since)));
    }
    return json;
}

void engine_tell_check(struct engine *engine, int check, const struct check_view *view,
                       enum check_state before)
{
    char target[SOCKADDR_TEXT_MAX], name[NAME_TEXT_MAX + RR_TYPE_TEXT_MAX], key[17];
    check_name(engine, check, 0, name, sizeof(name));
    snprintf(key, sizeof(key), "%016llx", (unsigned long long)health_key(engine->health, check));
    events_add(engine->events, EVENT_CHECK,
               json_pack("{s:i, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:f}", "check", check,
                         "key", key, "kind", check_kinds[view->spec->kind].name, "target",
                         check_view_target(view, target), "name", name, "users",
                         (json_int_t)check_users(engine, check), "from", check_state_names[before],
                         "to", check_state_names[view->state], "reason",
                         probe_reasons[view->last_reason].name, "detail", view->last_detail,
                         "latency_ms", ms(view->last_latency_ns)));
}

void engine_tell_doubt(struct engine *engine)
{
    events_add(engine->events, EVENT_DOUBT, engine_doubt(engine));
}

void engine_tell_manual(struct engine *engine, const char *what, const char *pattern,
                        const struct manual_entry *entry)
{
    json_t *json = json_pack("{s:s, s:s}", "what", what, "pattern", pattern);
    if (entry != NULL) {
        char until[TIME_TEXT_MAX];
        json_object_set_new(json, "who", json_string(entry->who));
        json_object_set_new(json, "why", json_string(entry->why));
        json_object_set_new(json, "until",
                            entry->until_ns == 0
                                ? json_null()
                                : json_string(time_text_format(entry->until_ns, until)));
    }
    events_add(engine->events, EVENT_MANUAL, json);
}
