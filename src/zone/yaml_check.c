// SPDX-License-Identifier: GPL-3.0-or-later
//
// The probe definition: octoDNS's `octodns.healthcheck` and our `signpost.check`.
//
// octoDNS's mapping comes first with octoDNS's defaults; ours then changes fields of it, or stands
// alone with defaults that fit its kind. Called by yaml_signpost.c.
#include "zone/yaml_zone.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { PORT_MAX = 65535, RISE_MAX = 100 };

// In the order of enum check_kind, without CHECK_NONE.
static const char *const octodns_protocols[] = {"TCP", "HTTP", "HTTPS", "ICMP", "UDP"};
static const char *const kind_names[] = {"tcp", "http", "https", "icmp", "udp"};

static const char *const healthcheck_keys[] = {"protocol", "host", "path", "port"};
static const char *const check_keys[] = {
    "kind",          "protocol",   "port",      "host",      "path",           "interval",
    "timeout",       "rise",       "fall",      "ca",        "verify",         "fast_interval",
    "flap_failures", "flap_clean", "flap_rise", "hold_down", "failback_delay", "failback_manual"};

// Options that are read as their row of check_options says.
static const char *const plain_options[] = {"fast_interval",  "flap_failures", "flap_clean",
                                            "flap_rise",      "hold_down",     "failback_delay",
                                            "failback_manual"};

static const char *host_default(const struct yaml_record *record)
{
    char text[NAME_TEXT_MAX];
    name_format(record->owner, text);
    size_t length = strlen(text);
    text[length - 1] = '\0'; // the final dot
    return arena_strdup(record->yz->arena, text);
}

// Both go into a request line or header: nothing that could end one may be in them.
static bool plain_ascii(const struct yaml *at, const char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text >= 0x7f) {
            yaml_error(at, "expected no blanks, control characters or characters outside ASCII");
            return false;
        }
    }
    return true;
}

static bool host_read(const struct yaml_record *record, const struct yaml *at,
                      struct check_spec *check)
{
    if (at->node->kind == YAML_NULL) { // octoDNS: the probed address itself
        check->host = NULL;
        return true;
    }
    const char *text = yaml_text(at);
    if (text == NULL || !plain_ascii(at, text)) {
        return false;
    }
    if (strpbrk(text, "/?#@\"\\") || strlen(text) > 253) {
        yaml_error(at, "expected a host name, found \"%.60s\"", text);
        return false;
    }
    check->host = arena_strdup(record->yz->arena, text);
    return true;
}

static bool path_read(const struct yaml_record *record, const struct yaml *at,
                      struct check_spec *check)
{
    const char *text = yaml_text(at);
    if (text == NULL || !plain_ascii(at, text)) {
        return false;
    }
    if (text[0] != '/' || strlen(text) > 1024) {
        yaml_error(at, "expected a path that begins with /, found \"%.60s\"", text);
        return false;
    }
    check->path = arena_strdup(record->yz->arena, text);
    return true;
}

static bool port_read(const struct yaml *at, struct check_spec *check)
{
    uint32_t port;
    if (!yaml_number(at, 1, PORT_MAX, &port)) {
        return false;
    }
    check->port = port;
    return true;
}

// Relative to the folder of the document, like every path in it.
static bool ca_read(const struct yaml_record *record, const struct yaml *at,
                    struct check_spec *check)
{
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    const char *slash = strrchr(record->yz->path, '/');
    check->ca_path = text[0] == '/' || slash == NULL
                         ? arena_strdup(record->yz->arena, text)
                         : arena_printf(record->yz->arena, "%.*s/%s",
                                        (int)(slash - record->yz->path), record->yz->path, text);
    return true;
}

static bool target_read(const struct yaml_record *record, const struct yaml *at,
                        struct check_spec *check)
{
    struct yaml child;
    bool good = true;
    if (yaml_get(at, "host", &child)) {
        good &= host_read(record, &child, check);
    }
    if (yaml_get(at, "path", &child) && child.node->kind != YAML_NULL) {
        good &= path_read(record, &child, check);
    }
    if (yaml_get(at, "port", &child)) {
        good &= port_read(&child, check);
    }
    return good;
}

static bool healthcheck_read(const struct yaml_record *record, const struct yaml *at,
                             struct check_spec *check)
{
    struct yaml protocol, port;
    unsigned choice = CHECK_HTTPS - 1;
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, healthcheck_keys, ARRAY_SIZE(healthcheck_keys));
    if (yaml_get(at, "protocol", &protocol) &&
        !yaml_choice(&protocol, octodns_protocols, ARRAY_SIZE(octodns_protocols), &choice)) {
        return false;
    }
    check->kind = (enum check_kind)(choice + 1);
    check->host = host_default(record);
    check->path = "/_dns";
    check->port = 443;
    if (check->kind == CHECK_HTTP && !yaml_get(at, "port", &port)) {
        yaml_warning(at, "the port is 443, octoDNS's default for HTTP too; write it if it is 80");
    }
    return target_read(record, at, check);
}

static bool kind_read(const struct yaml_record *record, const struct yaml *at,
                      struct check_spec *check)
{
    struct yaml kind;
    unsigned choice;
    if (!yaml_get(at, "kind", &kind) && !yaml_get(at, "protocol", &kind)) {
        return true;
    }
    const char *text = yaml_text(&kind);
    bool capitals = text && *text >= 'A' && *text <= 'Z';
    if (!yaml_choice(&kind, capitals ? octodns_protocols : kind_names, ARRAY_SIZE(kind_names),
                     &choice)) {
        return false;
    }
    if (check->kind == CHECK_NONE) { // it stands alone: defaults that fit the kind
        check->host = host_default(record);
        check->path = "/";
    }
    check->kind = (enum check_kind)(choice + 1);
    if (check->port == 0) {
        check->port = check->kind == CHECK_HTTP ? 80 : check->kind == CHECK_HTTPS ? 443 : 0;
    }
    return true;
}

static bool count_read(const struct yaml *at, const char *key, unsigned *count)
{
    struct yaml child;
    uint32_t number;
    if (!yaml_get(at, key, &child)) {
        return true;
    }
    if (!yaml_number(&child, 1, RISE_MAX, &number)) {
        return false;
    }
    *count = number;
    return true;
}

static bool times_read(const struct yaml *at, struct check_spec *check)
{
    struct yaml child;
    bool good = true;
    if (yaml_get(at, "interval", &child)) {
        good &= yaml_duration(&child, 100 * NS_PER_MS, 86400 * NS_PER_SECOND, &check->interval_ns);
    }
    if (yaml_get(at, "timeout", &child)) {
        good &= yaml_duration(&child, 10 * NS_PER_MS, 3600 * NS_PER_SECOND, &check->timeout_ns);
    } else if (check->timeout_ns > check->interval_ns) {
        check->timeout_ns = check->interval_ns; // the default follows a short interval
    }
    if (good && check->timeout_ns > check->interval_ns) {
        yaml_error(&child, "the timeout must not be longer than the interval");
        good = false;
    }
    good &= count_read(at, "rise", &check->rise);
    return count_read(at, "fall", &check->fall) && good;
}

static const struct check_option *option_find(const char *name)
{
    for (size_t i = 0; i < check_option_count; i++) {
        if (strcmp(check_options[i].name, name) == 0) {
            return &check_options[i];
        }
    }
    return NULL;
}

static bool option_read(const struct yaml *at, const struct check_option *option,
                        struct check_spec *check)
{
    void *field = (char *)check + option->offset;
    struct yaml child;
    if (!yaml_get(at, option->name, &child)) {
        return true;
    }
    switch (option->type) {
    case CHECK_OPTION_NUMBER:
        return yaml_number(&child, (uint32_t)option->least, (uint32_t)option->most, field);
    case CHECK_OPTION_BOOL:
        return yaml_bool(&child, field);
    case CHECK_OPTION_DURATION:
        return yaml_duration(&child, option->least, option->most, field);
    case CHECK_OPTION_TEXT:
        break;
    }
    SP_ASSERT(!"a text is no plain option");
    return false;
}

static bool plain_options_read(const struct yaml *at, struct check_spec *check)
{
    bool good = true;
    for (size_t i = 0; i < ARRAY_SIZE(plain_options); i++) {
        good &= option_read(at, option_find(plain_options[i]), check);
    }
    return good;
}

static bool tls_read(const struct yaml_record *record, const struct yaml *at,
                     struct check_spec *check)
{
    struct yaml child;
    bool good = true;
    if (yaml_get(at, "ca", &child)) {
        good &= ca_read(record, &child, check);
    }
    if (yaml_get(at, "verify", &child)) {
        good &= yaml_bool(&child, &check->verify);
    }
    return good;
}

static bool check_read(const struct yaml_record *record, const struct yaml *at,
                       struct check_spec *check)
{
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, check_keys, ARRAY_SIZE(check_keys));
    bool good = kind_read(record, at, check);
    good &= times_read(at, check);
    good &= plain_options_read(at, check);
    good &= tls_read(record, at, check);
    good &= target_read(record, at, check);
    if (good && check->kind == CHECK_NONE) {
        yaml_error(at, "missing \"kind\": say tcp, http or https (or write octodns.healthcheck)");
        good = false;
    }
    if (good && check->port == 0 && check->kind != CHECK_ICMP) {
        yaml_error(at, "missing \"port\"");
        good = false;
    }
    return good;
}

// What the prober cannot run leaves its members up, and says so.
static void check_reduce(const struct yaml_record *record, const struct yaml *at,
                         struct check_spec *check)
{
    bool address = record->type == TYPE_A || record->type == TYPE_AAAA;
    if (check->kind == CHECK_ICMP || check->kind == CHECK_UDP) {
        yaml_warning(at, "checks of kind %s are not run yet: the members count as up",
                     check_kinds[check->kind].name);
        check->kind = CHECK_NONE;
    } else if (check->kind != CHECK_NONE && !address) {
        yaml_warning(at, "checks are run on addresses: the members of a %s record count as up",
                     record->type_name);
        check->kind = CHECK_NONE;
    }
}

bool yaml_check_read(const struct yaml_record *record, struct check_spec *check)
{
    struct yaml octodns, healthcheck, signpost, own;
    *check = (struct check_spec){
        .kind = CHECK_NONE,
        .verify = true,
        .interval_ns = 10 * NS_PER_SECOND,
        .timeout_ns = 2 * NS_PER_SECOND,
        .rise = 2,
        .fall = 3,
        .flap_failures = 10,
        .flap_clean = 10,
        .flap_rise = 20,
    };
    bool has_healthcheck = yaml_get(record->at, "octodns", &octodns) &&
                           yaml_get(&octodns, "healthcheck", &healthcheck);
    bool has_own =
        yaml_get(record->at, "signpost", &signpost) && yaml_get(&signpost, "check", &own);
    if (has_healthcheck && !healthcheck_read(record, &healthcheck, check)) {
        return false;
    }
    if (has_own && !check_read(record, &own, check)) {
        return false;
    }
    if (has_healthcheck || has_own) {
        check_reduce(record, has_own ? &own : &healthcheck, check);
    }
    if (check->kind != CHECK_HTTP && check->kind != CHECK_HTTPS) {
        check->host = check->path = NULL; // equal probes must compare equal
    }
    return true;
}
