// SPDX-License-Identifier: GPL-3.0-or-later
//
// The check of a steered RRset: octoDNS's `octodns.healthcheck` and our `signpost.check`.
//
// octoDNS's mapping comes first with octoDNS's defaults; ours then changes fields of it, or stands
// alone with defaults that fit its kind, or names a check of shared.yaml. Called by
// yaml_signpost.c.
#include "format/yaml_check.h"

#include "dns/types.h"
#include "zone/check_value.h"
#include "format/yaml_zone.h"

#include <stdio.h>
#include <string.h>

static const char *const octodns_protocols[] = {"TCP", "HTTP", "HTTPS", "ICMP", "UDP"};
static const char *const healthcheck_keys[] = {"protocol", "host", "path", "port"};

// The owner name as a host. Under a wildcard any name will do, and the certificate must cover it.
static const char *host_of(const struct yaml_record *record)
{
    char text[NAME_TEXT_MAX];
    const char *reason;
    name_format(record->owner, text);
    text[strlen(text) - 1] = '\0'; // the final dot
    const char *host = name_is_wildcard(record->owner)
                           ? arena_printf(record->yz->arena, "signpost-check%s", text + 1)
                           : arena_strdup(record->yz->arena, text);
    return check_host(host, &reason) ? host : NULL;
}

static const struct check_spec *named(const struct check_reader *reader, const struct yaml *at,
                                      const char *name)
{
    const struct zone_reader *zone = reader->context;
    const char *names[64];
    for (size_t i = 0; i < zone->check_count; i++) {
        const struct named_check *check = &zone->checks[i];
        if (strcmp(check->name, name) != 0) {
            continue;
        }
        if (check->spec == NULL) {
            yaml_error(at, "the check \"%.64s\" of shared.yaml has a fault", name);
            return NULL;
        }
        return check_bind(reader->arena, check->spec, reader->owner);
    }
    size_t count = MIN(zone->check_count, ARRAY_SIZE(names));
    for (size_t i = 0; i < count; i++) {
        names[i] = zone->checks[i].name;
    }
    char hint[HINT_MAX];
    yaml_error(at, "there is no check \"%.64s\" in shared.yaml%s", name,
               hint_format(text_nearest(name, names, count), hint));
    return NULL;
}

static bool healthcheck_read(const struct check_reader *reader, const struct yaml *at,
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
    check_reader_begin(reader, (enum check_kind)(choice + 1), check);
    if (check_kinds[check->kind].has_port) {
        check->port = 443;
    }
    if (check->kind == CHECK_HTTP && !yaml_get(at, "port", &port)) {
        yaml_warning(at, "the port is 443, octoDNS's default for HTTP too; write it if it is 80");
    }
    if (check->kind == CHECK_HTTP || check->kind == CHECK_HTTPS) {
        check->path = "/_dns";
    }
    return check_reader_change(reader, at, check);
}

// Whether it, or an operand, is about the member's value.
static bool needs_address(const struct check_spec *check)
{
    bool needs = check_kinds[check->kind].probed && check->target.family == FAMILY_NONE;
    for (size_t i = 0; i < check->operand_count; i++) {
        needs |= needs_address(check->operands[i]);
    }
    return needs;
}

// What cannot be run leaves its members up, and says so.
static void check_reduce(const struct yaml_record *record, const struct yaml *at,
                         struct check_spec *check)
{
    bool address = record->type == TYPE_A || record->type == TYPE_AAAA;
    if (check->kind == CHECK_UDP && check->send == NULL) { // octoDNS has no octets for it
        yaml_warning(at, "a udp check without \"send\" is not run: the members count as up");
        *check = (struct check_spec){.kind = CHECK_NONE};
    } else if (needs_address(check) && !address) {
        yaml_warning(at,
                     "checks are run on addresses: the members of a %s record count as up, unless "
                     "\"target\" says what to probe",
                     record->type_name);
        *check = (struct check_spec){.kind = CHECK_NONE};
    }
}

bool yaml_check_read(const struct yaml_record *record, struct check_spec *check)
{
    const struct check_reader reader = {
        .arena = record->yz->arena,
        .path = record->yz->path,
        .owner = host_of(record),
        .named = named,
        .context = record->yz->reader,
    };
    struct yaml octodns, healthcheck, signpost, own;
    *check = (struct check_spec){.kind = CHECK_NONE};
    bool has_healthcheck = yaml_get(record->at, "octodns", &octodns) &&
                           yaml_get(&octodns, "healthcheck", &healthcheck);
    bool has_own =
        yaml_get(record->at, "signpost", &signpost) && yaml_get(&signpost, "check", &own);
    if (has_healthcheck && !healthcheck_read(&reader, &healthcheck, check)) {
        return false;
    }
    if (has_own && !check_reader_read(&reader, &own, check)) {
        return false;
    }
    if (has_healthcheck || has_own) {
        check_reduce(record, has_own ? &own : &healthcheck, check);
    }
    return true;
}
