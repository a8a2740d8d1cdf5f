// SPDX-License-Identifier: GPL-3.0-or-later
//
// shared.yaml: objects that many zones use: the operator's own lines, sites, and checks.
//
// Read on a pool thread before the zones, because they name what is here. Faults go to the
// list and reading goes on; the caller decides by the list's error count.
#include "format/readers.h"

#include "geo/geo.h"
#include "format/yaml_check.h"
#include "format/yaml_targets.h"

#include <string.h>

static const char *const shared_keys[] = {"lines", "sites", "checks"};
static const char *const site_keys[] = {"lat", "lon", "bias", "capacity", "remark"};
static const char *const line_keys[] = {"networks", "asns", "countries", "remark"};

static void networks_read(struct arena *arena, const struct yaml *at, struct line_definition *line)
{
    struct prefix *networks = arena_alloc(arena, at->node->child_count * sizeof(*networks));
    struct yaml item = {0};
    while (yaml_next(at, &item)) {
        line->network_count += yaml_prefix_read(&item, 64, &networks[line->network_count]);
    }
    line->networks = networks;
}

static void asns_read(struct arena *arena, const struct yaml *at, struct line_definition *line)
{
    uint32_t *asns = arena_alloc(arena, at->node->child_count * sizeof(*asns));
    struct yaml item = {0};
    while (yaml_next(at, &item)) {
        line->asn_count += yaml_asn_read(&item, &asns[line->asn_count]);
    }
    line->asns = asns;
}

static void countries_read(struct arena *arena, const struct yaml *at, struct line_definition *line)
{
    char(*countries)[3] = arena_alloc(arena, at->node->child_count * sizeof(*countries));
    struct yaml item = {0};
    while (yaml_next(at, &item)) {
        const char *text = yaml_text(&item);
        if (text == NULL) {
            continue;
        }
        if (strlen(text) != 2 || *geo_continent_of(text) == '\0') {
            yaml_error(&item,
                       "expected a country code in capitals (ISO 3166-1) such as CN, "
                       "found \"%.40s\"",
                       text);
            continue;
        }
        memcpy(countries[line->country_count++], text, 3);
    }
    line->countries = (const char(*)[3])countries;
}

static void line_read(struct arena *arena, const struct yaml *at, struct line_definition *line)
{
    static const struct {
        const char *key;
        void (*read)(struct arena *arena, const struct yaml *at, struct line_definition *line);
    } kinds[] = {{"networks", networks_read}, {"asns", asns_read}, {"countries", countries_read}};
    *line = (struct line_definition){
        .name = arena_strdup(arena, at->node->key),
        .place = yaml_key_place(at),
    };
    if (!yaml_is_map(at)) {
        return;
    }
    yaml_known_keys(at, line_keys, ARRAY_SIZE(line_keys));
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct yaml child;
        if (yaml_get(at, kinds[i].key, &child) && yaml_is_list(&child)) {
            kinds[i].read(arena, &child, line);
        }
    }
}

static void lines_read(struct shared *shared, const struct yaml *at)
{
    if (at->node->kind == YAML_NULL || !yaml_is_map(at)) {
        return;
    }
    shared->lines = arena_alloc(shared->arena, at->node->child_count * sizeof(*shared->lines));
    struct yaml line = {0};
    while (yaml_next(at, &line)) {
        line_read(shared->arena, &line, &shared->lines[shared->line_count++]);
    }
}

// Latitude and longitude go together.
static void site_place_read(const struct yaml *at, struct site *site)
{
    struct yaml latitude, longitude;
    bool has_latitude = yaml_get(at, "lat", &latitude);
    bool has_longitude = yaml_get(at, "lon", &longitude);
    if (has_latitude != has_longitude) {
        yaml_error(at, "\"lat\" and \"lon\" go together");
        return;
    }
    site->located = has_latitude && yaml_decimal(&latitude, -90, 90, &site->latitude) &&
                    yaml_decimal(&longitude, -180, 180, &site->longitude);
}

static void site_read(struct arena *arena, const struct yaml *at, struct site *site)
{
    struct yaml child;
    double bias = 0;
    *site = (struct site){.name = arena_strdup(arena, at->node->key), .place = yaml_key_place(at)};
    if (!yaml_is_map(at)) {
        return;
    }
    yaml_known_keys(at, site_keys, ARRAY_SIZE(site_keys));
    site_place_read(at, site);
    if (yaml_get(at, "bias", &child) && yaml_decimal(&child, -99, 99, &bias)) {
        site->bias = (int)bias;
        if (bias != site->bias) {
            yaml_error(&child, "a bias is a whole number");
        }
    }
    if (yaml_get(at, "capacity", &child)) {
        (void)yaml_decimal(&child, 1e-9, 1e9, &site->capacity); // its fault is in the list
    }
}

static void sites_read(struct shared *shared, const struct yaml *at)
{
    if (at->node->kind == YAML_NULL || !yaml_is_map(at)) {
        return;
    }
    shared->sites = arena_alloc(shared->arena, at->node->child_count * sizeof(*shared->sites));
    struct yaml site = {0};
    while (yaml_next(at, &site)) {
        site_read(shared->arena, &site, &shared->sites[shared->site_count++]);
    }
}

static void entry_read(struct shared *shared, const struct yaml *entry)
{
    if (strcmp(entry->node->key, "lines") == 0) {
        lines_read(shared, entry);
    } else if (strcmp(entry->node->key, "sites") == 0) {
        sites_read(shared, entry);
    } else if (strcmp(entry->node->key, "checks") == 0) {
        yaml_checks_read(shared, document_path(entry->document), entry);
    } else {
        const char *nearest = text_nearest(entry->node->key, shared_keys, ARRAY_SIZE(shared_keys));
        char hint[HINT_MAX];
        yaml_warning(entry, "unknown key, left out of account%s",
                     nearest ? hint_format(nearest, hint)
                             : "; known are \"lines\", \"sites\" and \"checks\"");
    }
}

struct shared *shared_read(const char *path, struct diags *diags)
{
    struct arena *arena = arena_new();
    struct shared *shared = arena_alloc(arena, sizeof(*shared));
    shared->arena = arena;
    struct document *document = document_open(arena_strdup(arena, path), true, diags);
    struct yaml entry;
    while (document && document_next(document, &entry)) {
        entry_read(shared, &entry);
    }
    document_close(document);
    return shared;
}

void shared_free(struct shared *shared)
{
    if (shared) {
        arena_free(shared->arena);
    }
}
