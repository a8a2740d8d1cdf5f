// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading geo data into a struct load: when the files changed, or when somebody asks for it.
//
// Runs on a pool thread, under the rules of engine_read.c. The old data is worth more than new data
// with faults: a database that is broken, cut short or gone never takes the place of one that
// serves. In a reload of everything that is a warning and the rest goes on; in a reading of the geo
// data alone, and where the fault is in networks.csv, it refuses the load.
#include "engine/engine_internal.h"

#include "base/memory.h"

#include <string.h>

// A database that suddenly knows less than this part of what it knew is taken for cut short.
enum { SHRINK_LEAST_NETWORKS = 1000, SHRINK_DIVISOR = 2 };

size_t engine_geo_file_count(const struct config *config)
{
    return config->geo_database_count + (config->geo_networks != NULL);
}

const char *engine_geo_file(const struct config *config, size_t index)
{
    return index < config->geo_database_count ? config->geo_databases[index].path
                                              : config->geo_networks;
}

// Locations refer to an operator's lines by index: the geo data stays good while the names of the
// lines and their order do.
static bool same_line_names(const struct shared *a, const struct shared *b)
{
    if (a->line_count != b->line_count) {
        return false;
    }
    for (size_t i = 0; i < a->line_count; i++) {
        if (strcmp(a->lines[i].name, b->lines[i].name) != 0) {
            return false;
        }
    }
    return true;
}

// Whether the geo data in use goes with the lines of this load.
static bool old_is_good(const struct engine *engine, const struct load *load)
{
    return engine->geo != NULL && file_stamp_equal(&load->lines_stamp, &engine->lines_stamp) &&
           (load->shared == NULL || same_line_names(load->shared, engine->shared));
}

static bool files_are_new(const struct engine *engine, const struct load *load)
{
    for (size_t i = 0; i < engine_geo_file_count(engine->config); i++) {
        if (!file_stamp_equal(&load->geo_stamps[i], &engine->geo_stamps[i])) {
            return true;
        }
    }
    return false;
}

// A database that was never there is only a warning: the server answers with what it has. One that
// is gone is an error.
static size_t databases_present(const struct engine *engine, struct load *load, const char **paths,
                                struct geo_fields *fields, struct diags *diags)
{
    const struct config *config = engine->config;
    size_t count = 0;
    for (size_t i = 0; i < config->geo_database_count; i++) {
        struct place place = {.file = config->geo_databases[i].path};
        if (load->geo_stamps[i].inode != 0) {
            fields[count] = config->geo_databases[i].fields;
            paths[count++] = config->geo_databases[i].path;
        } else if (engine->geo != NULL && engine->geo_stamps[i].inode != 0) {
            diags_error(diags, place, NULL, "the geo database is gone");
        } else {
            diags_warning(diags, place, NULL,
                          "the geo database is missing; lines, countries and ASNs known only from "
                          "it are off");
        }
    }
    return count;
}

static void check_shrink(const struct engine *engine, const struct load *load, struct diags *diags)
{
    struct geo_summary now = geo_summary(load->geo), before = geo_summary(engine->geo);
    const struct {
        const char *what;
        size_t now, before;
    } counts[] = {
        {"IPv4 networks", now.network_count_ipv4, before.network_count_ipv4},
        {"IPv6 networks", now.network_count_ipv6, before.network_count_ipv6},
        {"networks with an ASN", now.asn_network_count, before.asn_network_count},
    };
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        if (counts[i].before >= SHRINK_LEAST_NETWORKS &&
            counts[i].now < counts[i].before / SHRINK_DIVISOR) {
            diags_error(diags, (struct place){0}, "geo.databases",
                        "%zu %s where there were %zu: a file may be cut short; `signpost geo "
                        "update --force` takes it as it is",
                        counts[i].now, counts[i].what, counts[i].before);
        }
    }
}

// Databases come from elsewhere; what the operator wrote is refused as documents are.
static bool is_of_databases(const struct engine *engine, const struct diags *faults)
{
    const char *networks = engine->config->geo_networks;
    for (size_t i = 0; networks != NULL && i < faults->count; i++) {
        const struct diag *fault = &faults->items[i];
        if (fault->severity == SEVERITY_ERROR && fault->file != NULL &&
            strcmp(fault->file, networks) == 0) {
            return false;
        }
    }
    return true;
}

// The new data is dropped, the old stays, and its stamps, so that the next reload tries again.
static void refuse_softly(const struct engine *engine, struct load *load, struct diags *faults)
{
    for (size_t i = 0; i < faults->count; i++) {
        const struct diag *fault = &faults->items[i];
        diags_warning(&load->diags, (struct place){fault->file, fault->line, fault->column},
                      fault->key, "%s%s", fault->message,
                      fault->severity == SEVERITY_ERROR ? "; the old geo data stays" : "");
    }
    diags_clear(faults);
    geo_free(load->geo);
    load->geo = NULL;
    memcpy(load->geo_stamps, engine->geo_stamps,
           engine_geo_file_count(engine->config) * sizeof(*load->geo_stamps));
}

void engine_geo_read(const struct engine *engine, struct load *load, bool anew, bool force)
{
    const struct config *config = engine->config;
    size_t count = engine_geo_file_count(config);
    load->geo_stamps = mem_alloc_array(count, sizeof(*load->geo_stamps));
    for (size_t i = 0; i < count; i++) {
        load->geo_stamps[i] = file_stamp_of(engine_geo_file(config, i));
    }
    bool old = old_is_good(engine, load);
    if (!anew && old && !files_are_new(engine, load)) {
        return;
    }
    struct diags faults = {0};
    const char **paths = mem_alloc_array(config->geo_database_count, sizeof(*paths));
    struct geo_fields *fields = mem_alloc_array(config->geo_database_count, sizeof(*fields));
    struct geo_config geo = {
        .database_paths = paths, .fields = fields, .networks_path = config->geo_networks};
    geo.database_count = databases_present(engine, load, paths, fields, &faults);
    load->geo = geo_load(&geo, load->lines ? load->lines : engine->lines, &faults);
    if (engine->geo != NULL && !force && faults.error_count == 0) {
        check_shrink(engine, load, &faults);
    }
    if (faults.error_count > 0 && old && !anew && is_of_databases(engine, &faults)) {
        refuse_softly(engine, load, &faults);
    } else {
        diags_move(&load->diags, &faults);
    }
    free(fields);
    free(paths);
}

// The served zones, as files that have not changed.
static void keep_zones(const struct engine *engine, struct load *load)
{
    for (size_t i = 0; i < engine->zones.count; i++) {
        const struct zone_state *served = engine->zones.items[i];
        struct zone_state *state = zone_state_new(served->apex, served->path);
        state->stamp = served->stamp;
        zone_table_add(&load->zones, state);
    }
}

struct load *engine_read_geo(const struct engine *engine, bool force)
{
    struct load *load = mem_alloc(sizeof(*load));
    load->shared_stamp = engine->shared_stamp;
    load->lines_stamp = engine->lines_stamp;
    engine_geo_read(engine, load, true, force);
    keep_zones(engine, load);
    return load;
}
