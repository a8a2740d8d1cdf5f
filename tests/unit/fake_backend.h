// SPDX-License-Identifier: GPL-3.0-or-later
//
// A backend for tests of the API: fixed zones and names, and a reload that ends when the test says.
#pragma once

#include "api/api.h"
#include "dns/name.h"

#include <string.h>

enum { FAKE_RELOADS_MAX = 8, FAKE_WORKERS = 2 };

struct fake {
    struct {
        api_reloaded *done;
        void *context;
    } reloads[FAKE_RELOADS_MAX];
    size_t reload_count;
    struct worker_counters counters[FAKE_WORKERS];
};

static json_t *fake_status(void *state)
{
    (void)state;
    return json_pack("{s:s}", "fake", "status");
}

static json_t *fake_health(void *state)
{
    (void)state;
    return json_array();
}

static json_t *fake_doubt(void *state)
{
    (void)state;
    return json_pack("{s:b}", "frozen", 0);
}

static json_t *fake_ramps(void *state)
{
    (void)state;
    return json_array();
}

static bool fake_rtt_report(void *state, const struct address *client, const char *place, double ms,
                            unsigned samples)
{
    (void)state;
    return client->family == FAMILY_IPV4 && strcmp(place, "fra") == 0 && ms == 20 && samples == 5;
}

static bool fake_load_report(void *state, const char *name, bool is_site, double load)
{
    (void)state;
    return is_site && load == 0.5 && strcmp(name, "fra") == 0;
}

static bool fake_ramp_set(void *state, const char *ramp, const char *mode, struct diags *diags)
{
    (void)state;
    (void)mode;
    (void)diags;
    return strcmp(ramp, "www.example.com:new") == 0;
}

static json_t *fake_zones(void *state)
{
    (void)state;
    return json_pack("[{s:s, s:i}, {s:s, s:i}]", "name", "example.com.", "serial", 7, "name",
                     "example.net.", "serial", 8);
}

// Says what it was asked; knows no name below "missing.".
static json_t *fake_explain(void *state, const uint8_t *name, uint16_t type,
                            const struct address *client, const char **error)
{
    (void)state;
    char name_text[NAME_TEXT_MAX], client_text[ADDRESS_TEXT_MAX];
    if (strcmp(name_format(name, name_text), "missing.") == 0) {
        *error = "not served here";
        return NULL;
    }
    return json_pack("{s:s, s:i, s:s}", "name", name_text, "type", (int)type, "client",
                     address_format(client, client_text));
}

// The zone that it was asked for, if any; knows only example.com.
static json_t *fake_lint(void *state, const uint8_t *apex)
{
    (void)state;
    char text[NAME_TEXT_MAX];
    if (apex != NULL && strcmp(name_format(apex, text), "example.com.") != 0) {
        return NULL;
    }
    return json_pack("{s:s}", "zone", apex ? text : "all");
}

// Echoes the name; knows no name "missing".
static json_t *fake_simulate(void *state, const json_t *body, struct diags *faults)
{
    (void)state;
    const char *name = json_string_value(json_object_get(body, "name"));
    if (strcmp(name, "missing") == 0) {
        diags_error(faults, (struct place){0}, "name", "not served here");
        return NULL;
    }
    return json_pack("{s:s}", "name", name);
}

static void fake_reload(void *state, api_reloaded *done, void *context)
{
    struct fake *fake = state;
    SP_ASSERT(fake->reload_count < FAKE_RELOADS_MAX);
    fake->reloads[fake->reload_count].done = done;
    fake->reloads[fake->reload_count++].context = context;
}

static void fake_reloads_end(struct fake *fake, const struct api_reload_result *result)
{
    size_t count = fake->reload_count;
    fake->reload_count = 0;
    for (size_t i = 0; i < count; i++) {
        fake->reloads[i].done(fake->reloads[i].context, result);
    }
}

static void fake_metrics(void *state, struct api_metrics *metrics)
{
    (void)state;
    metrics->generation = 41;
    metrics->checks_down = 3;
}

static size_t fake_certificates(void *state, struct api_certificate *rows, size_t max)
{
    (void)state;
    SP_ASSERT(max >= 2);
    rows[0] = (struct api_certificate){7, -2, "192.0.2.1:443"};
    rows[1] = (struct api_certificate){3, 41, "[2001:db8::1]:443"};
    return 2;
}

static unsigned fake_worker_count(void *state)
{
    (void)state;
    return FAKE_WORKERS;
}

static const struct worker_counters *fake_worker(void *state, unsigned index)
{
    struct fake *fake = state;
    return &fake->counters[index];
}

static struct api_backend fake_backend(struct fake *fake)
{
    return (struct api_backend){
        .status = fake_status,
        .health = fake_health,
        .doubt = fake_doubt,
        .zones = fake_zones,
        .rtt = fake_status,
        .rtt_report = fake_rtt_report,
        .loads = fake_ramps,
        .load_report = fake_load_report,
        .ramps = fake_ramps,
        .ramp_set = fake_ramp_set,
        .explain = fake_explain,
        .lint = fake_lint,
        .simulate = fake_simulate,
        .reload = fake_reload,
        .metrics = fake_metrics,
        .certificates = fake_certificates,
        .worker_count = fake_worker_count,
        .worker = fake_worker,
        .state = fake,
    };
}
