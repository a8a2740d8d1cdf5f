// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the engine tells about its geo data: the files, and what is known about one address.
// Control thread.
#include "api/call.h"
#include "engine/engine_internal.h"

#include "base/memory.h"

#include <math.h>

static json_t *files_json(const struct engine *engine)
{
    json_t *list = json_array();
    for (size_t i = 0; i < engine_geo_file_count(engine->config); i++) {
        const struct file_stamp *stamp = &engine->geo_stamps[i];
        json_array_append_new(list, json_pack("{s:o, s:b, s:I}", "path",
                                              text_json(engine_geo_file(engine->config, i)),
                                              "there", stamp->inode != 0, "changed",
                                              (json_int_t)(stamp->modified_ns / NS_PER_SECOND)));
    }
    return list;
}

json_t *engine_geo(const struct engine *engine)
{
    if (engine->geo == NULL) {
        return json_null();
    }
    struct geo_summary geo = geo_summary(engine->geo);
    return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "places", geo.has_places,
                     "asns", geo.has_asns, "locations", (json_int_t)geo.location_count,
                     "networks_ipv4", (json_int_t)geo.network_count_ipv4, "networks_ipv6",
                     (json_int_t)geo.network_count_ipv6, "asn_networks",
                     (json_int_t)geo.asn_network_count, "bytes", (json_int_t)geo.memory_size,
                     "oldest_built", (json_int_t)geo.oldest_s, "age_seconds",
                     (json_int_t)engine_geo_age(engine), "files", files_json(engine));
}

uint64_t engine_geo_age(const struct engine *engine)
{
    int64_t oldest_s = engine->geo ? geo_summary(engine->geo).oldest_s : 0;
    int64_t now_s = clock_wall_ns(engine->clock) / NS_PER_SECOND;
    return oldest_s > 0 && now_s > oldest_s ? (uint64_t)(now_s - oldest_s) : 0;
}

// Lines by the networks and ASNs that define them; the others by the location.
static bool line_has(const struct line *line, const struct address *address,
                     const struct geo_match *match)
{
    for (size_t i = 0; i < line->network_count; i++) {
        if (prefix_contains(&line->networks[i], address)) {
            return true;
        }
    }
    for (size_t i = 0; i < line->asn_count; i++) {
        if (line->asns[i] == match->asn) {
            return true;
        }
    }
    return false;
}

static int line_compare(const void *a, const void *b)
{
    const struct line *const *x = a, *const *y = b;
    unsigned left = line_rank(*x, PRECEDENCE_ISP_FIRST);
    unsigned right = line_rank(*y, PRECEDENCE_ISP_FIRST);
    return left != right ? (left < right) - (left > right) : (*x > *y) - (*x < *y);
}

json_t *engine_lines_json(const struct lines *lines, const bool *taken)
{
    size_t count = 0;
    const struct line **sorted = mem_alloc_array(lines_count(lines), sizeof(const struct line *));
    for (size_t i = 0; i < lines_count(lines); i++) {
        if (taken[i]) {
            sorted[count++] = lines_get(lines, i);
        }
    }
    if (count > 0) {
        qsort(sorted, count, sizeof(const struct line *), line_compare);
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_string(sorted[i]->id));
    }
    free(sorted);
    return list;
}

static json_t *lines_json(const struct engine *engine, const struct address *address,
                          const struct geo_match *match)
{
    const struct location *location = geo_location(engine->geo, match->location);
    bool *taken = mem_alloc_array(lines_count(engine->lines), sizeof(*taken));
    for (size_t i = 0; i < lines_count(engine->lines); i++) {
        const struct line *line = lines_get(engine->lines, i);
        taken[i] = location->custom_line == (int)i || line_holds(line, location) ||
                   line_has(line, address, match);
    }
    json_t *list = engine_lines_json(engine->lines, taken);
    free(taken);
    return list;
}

json_t *engine_locate(const struct engine *engine, const struct address *address)
{
    if (engine->geo == NULL) {
        return NULL;
    }
    struct geo_match match = geo_locate(engine->geo, address);
    const struct location *location = geo_location(engine->geo, match.location);
    struct prefix network = {*address, match.length};
    char text[ADDRESS_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
    address_mask(&network.address, match.length);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "address",
                  address_format(address, text), "network", prefix_format(&network, prefix),
                  "continent", location->continent, "country", location->country, "region",
                  location->region, "isp", lines_isp_name(engine->geo_lines, location->isp), "asn",
                  (json_int_t)match.asn, "organisation", text_json(match.organisation));
    if (!isnan(location->latitude)) {
        json_object_set_new(json, "latitude", json_real((double)location->latitude));
        json_object_set_new(json, "longitude", json_real((double)location->longitude));
    }
    json_object_set_new(json, "lines", lines_json(engine, address, &match));
    return json;
}
