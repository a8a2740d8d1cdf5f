// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/documents.h"

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

bool documents_open(struct documents *documents, const char *config_path)
{
    *documents = (struct documents){0};
    const char *lines_path = NULL;
    char *shared_path = NULL;
    if (config_path != NULL) {
        documents->config = config_read(config_path, &documents->diags);
        if (documents->config == NULL) {
            return false;
        }
        lines_path = documents->config->geo_lines;
        shared_path = mem_printf("%s/shared.yaml", documents->config->store_path);
    }
    documents->shared = shared_read(shared_path ? shared_path : "", &documents->diags);
    documents->lines = lines_load(lines_path, documents->shared->lines,
                                  documents->shared->line_count, &documents->diags);
    free(shared_path);
    return documents->diags.error_count == 0;
}

void documents_close(struct documents *documents)
{
    lines_free(documents->lines);
    shared_free(documents->shared);
    config_free(documents->config);
    diags_clear(&documents->diags);
}

struct zone *documents_read(struct documents *documents, const char *path, const uint8_t *apex,
                            enum zone_format format)
{
    // Without a configuration something has to stand for what it would say; it is never written.
    static const char *const nameservers[] = {"ns.invalid."};
    const struct config *config = documents->config;
    bool configured = config != NULL && config->default_nameserver_count > 0;
    const struct zone_reader reader = {
        .lines = documents->lines,
        .precedence = config ? config->precedence : PRECEDENCE_ISP_FIRST,
        .sites = documents->shared->sites,
        .site_count = documents->shared->site_count,
        .checks = documents->shared->checks,
        .check_count = documents->shared->check_count,
        .defaults = {.nameservers = configured ? config->default_nameservers : nameservers,
                     .nameserver_count = configured ? config->default_nameserver_count : 1,
                     .hostmaster = config && config->default_hostmaster ? config->default_hostmaster
                                                                        : "hostmaster.invalid.",
                     .serial = 1,
                     .ttl = config ? config->default_ttl : 3600},
        .diags = &documents->diags,
    };
    return format == ZONE_FORMAT_MASTER ? zone_file_read(path, apex, &reader)
                                        : zone_yaml_read(path, apex, &reader);
}

char *documents_find(struct documents *documents, const uint8_t *apex, enum zone_format *format)
{
    const char *folder = documents->config->store_path;
    DIR *entries = opendir(folder);
    if (entries == NULL) {
        diags_error(&documents->diags, (struct place){.file = folder}, NULL, "%s", strerror(errno));
        return NULL;
    }
    const struct dirent *entry;
    char *path = NULL;
    while (path == NULL && (entry = readdir(entries)) != NULL) {
        uint8_t found[NAME_MAX_SIZE];
        if (!zone_path_is_hidden(entry->d_name) && strcmp(entry->d_name, "shared.yaml") != 0 &&
            zone_path_apex(entry->d_name, found, format) && name_equal(found, apex)) {
            path = mem_printf("%s/%s", folder, entry->d_name);
        }
    }
    closedir(entries);
    if (path == NULL) {
        char name[NAME_TEXT_MAX];
        diags_error(&documents->diags, (struct place){.file = folder}, NULL,
                    "there is no file of the zone %s here", name_format(apex, name));
    }
    return path;
}

void documents_print(const struct documents *documents, const char *name)
{
    struct diags shown = documents->diags; // the entries are still the documents'
    shown.items = mem_alloc_array(shown.count, sizeof(*shown.items));
    for (size_t i = 0; i < shown.count; i++) {
        shown.items[i] = documents->diags.items[i];
        if (shown.items[i].file != NULL && strncmp(shown.items[i].file, "/proc/", 6) == 0) {
            shown.items[i].file = (char *)name;
        }
    }
    diags_print(stderr, &shown);
    free(shown.items);
}
