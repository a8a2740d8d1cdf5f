// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading all documents into a struct load. Runs on a pool thread: of the engine it looks only at
// what engine_apply replaces, and the caller never lets the two overlap.
//
// A zone file whose stamp (times, size, inode) is that of the served version is not read again, nor
// is geo data; a change in shared.yaml reads all zones, since any may use its lines.
#include "engine/engine_internal.h"

#include "base/memory.h"
#include "config/cookie_file.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct file_stamp file_stamp_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return (struct file_stamp){0};
    }
    return (struct file_stamp){
        .modified_ns = status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec,
        .changed_ns = status.st_ctim.tv_sec * NS_PER_SECOND + status.st_ctim.tv_nsec,
        .size = status.st_size,
        .inode = status.st_ino,
    };
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns &&
           a->size == b->size && a->inode == b->inode;
}

// --- shared.yaml and lines

static bool shared_read_if_new(const struct engine *engine, struct load *load)
{
    const struct config *config = engine->config;
    char *path = mem_printf("%s/shared.yaml", config->store_path);
    load->shared_stamp = file_stamp_of(path);
    load->lines_stamp =
        config->geo_lines ? file_stamp_of(config->geo_lines) : (struct file_stamp){0};
    bool is_new = engine->lines == NULL ||
                  !file_stamp_equal(&load->shared_stamp, &engine->shared_stamp) ||
                  !file_stamp_equal(&load->lines_stamp, &engine->lines_stamp);
    if (is_new) {
        load->shared = shared_read(path, &load->diags);
        load->lines = lines_load(config->geo_lines, load->shared->lines, load->shared->line_count,
                                 &load->diags);
    }
    free(path);
    return is_new;
}

// --- zones

static struct zone_reader reader_of(const struct config *config, const struct lines *lines,
                                    const struct shared *shared, struct diags *diags)
{
    return (struct zone_reader){
        .lines = lines,
        .precedence = config->precedence,
        .sites = shared->sites,
        .site_count = shared->site_count,
        .checks = shared->checks,
        .check_count = shared->check_count,
        .defaults = {.nameservers = config->default_nameservers,
                     .nameserver_count = config->default_nameserver_count,
                     .hostmaster = config->default_hostmaster,
                     .ttl = config->default_ttl},
        .diags = diags,
    };
}

struct zone_reader engine_zone_reader(const struct engine *engine, struct diags *diags)
{
    return reader_of(engine->config, engine->lines, engine->shared, diags);
}

static void zone_read(const struct engine *engine, struct load *load, struct zone_state *state,
                      enum zone_format format)
{
    struct zone_reader reader =
        reader_of(engine->config, load->lines ? load->lines : engine->lines,
                  load->shared ? load->shared : engine->shared, &load->diags);
    reader.defaults.serial = (uint32_t)(state->stamp.modified_ns / NS_PER_SECOND);
    if (format == ZONE_FORMAT_MASTER) {
        state->zone = zone_file_read(state->path, state->apex, &reader);
    } else {
        state->zone = zone_yaml_read(state->path, state->apex, &reader);
    }
}

static void zone_read_if_new(const struct engine *engine, struct load *load, const char *path,
                             bool all)
{
    uint8_t apex[NAME_MAX_SIZE];
    enum zone_format format;
    if (!zone_path_apex(path, apex, &format)) {
        diags_error(&load->diags, (struct place){.file = path}, NULL,
                    "the file is not named after a zone, as example.com.yaml is");
        return;
    }
    long twin = zone_table_find(&load->zones, apex);
    if (twin >= 0) {
        diags_error(&load->diags, (struct place){.file = path}, NULL,
                    "the zone is in %s too; keep one of them", load->zones.items[twin]->path);
        return;
    }
    struct zone_state *state = zone_state_new(apex, path);
    state->stamp = file_stamp_of(path);
    zone_table_add(&load->zones, state);
    const struct zone_state *served = engine_zone_find(engine, state->apex);
    bool same = served != NULL && strcmp(served->path, path) == 0 &&
                !zone_has_includes(served->zone) && file_stamp_equal(&served->stamp, &state->stamp);
    if (all || !same) {
        zone_read(engine, load, state, format);
    }
}

static bool is_zone_file(const char *name)
{
    const char *dot = strrchr(name, '.');
    return !zone_path_is_hidden(name) && strcmp(name, "shared.yaml") != 0 && dot != NULL &&
           (strcmp(dot, ".zone") == 0 || strcmp(dot, ".yaml") == 0);
}

static int filter_entry(const struct dirent *entry)
{
    return is_zone_file(entry->d_name);
}

static void zones_read(const struct engine *engine, struct load *load, bool all)
{
    const char *folder = engine->config->store_path;
    struct dirent **entries;
    int count = scandir(folder, &entries, filter_entry, alphasort);
    if (count < 0) {
        diags_error(&load->diags, (struct place){.file = folder}, "store.path",
                    "cannot read the folder of zones: %s", strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        char *path = mem_printf("%s/%s", folder, entries[i]->d_name);
        zone_read_if_new(engine, load, path, all);
        free(path);
        free(entries[i]);
    }
    free(entries);
}

struct load *engine_read(const struct engine *engine, bool with_geo)
{
    struct load *load = mem_alloc(sizeof(*load));
    bool all = shared_read_if_new(engine, load);
    engine_geo_read(engine, load, with_geo, with_geo);
    if (engine->config->cookies != COOKIES_OFF && engine->config->cookie_secrets_path != NULL) {
        cookie_file_read(engine->config->cookie_secrets_path, &load->cookies, &load->diags);
    }
    zones_read(engine, load, all);
    return load;
}

struct diags *load_diags(struct load *load)
{
    return &load->diags;
}

void load_free(struct load *load)
{
    if (load == NULL) {
        return;
    }
    for (size_t i = 0; i < load->zones.count; i++) {
        zone_state_free(load->zones.items[i]);
    }
    zone_table_clear(&load->zones);
    geo_free(load->geo);
    lines_free(load->lines);
    shared_free(load->shared);
    free(load->geo_stamps);
    diags_clear(&load->diags);
    free(load);
}
