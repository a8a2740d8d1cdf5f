// SPDX-License-Identifier: GPL-3.0-or-later
//
// The databases of one load: opened and recognised, then read one family at a time and laid over
// each other in the order in which they are listed: an earlier one wins where it knows.

#include "geo/geo_load.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct source {
    struct mmdb *mmdb; // NULL: none, or read already
    struct layer layer;
};

// The metadata of an MMDB begins in its last 128 KiB. Only those are looked at: the rest may be
// large. A file that cannot be read is left to file_read, which says why.
static bool mmdb_recognise(const char *path)
{
    static const char marker[] = "\xab\xcd\xefMaxMind.com";
    enum { TAIL_SIZE = 128 * 1024 };
    struct stat status;
    bool found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        char *tail = mem_alloc(TAIL_SIZE);
        off_t start = status.st_size > TAIL_SIZE ? status.st_size - TAIL_SIZE : 0;
        ssize_t size = pread(fd, tail, TAIL_SIZE, start);
        found = size > 0 && memmem(tail, (size_t)size, marker, sizeof(marker) - 1) != NULL;
        free(tail);
    }
    if (fd >= 0) {
        close(fd);
    }
    return found;
}

static void report_unknown(const char *path, const char *text, size_t size, struct diags *diags)
{
    struct place place = {.file = path};
    if (size == 0) {
        diags_error(diags, place, NULL, "is empty");
    } else if (size > 2 && memcmp(text, "\x1f\x8b", 2) == 0) {
        diags_error(diags, place, NULL, "is compressed: unpack it first");
    } else if (memchr(text, 0, MIN(size, (size_t)4096))) {
        diags_error(diags, place, NULL,
                    "has no MMDB metadata: it is cut short, or no database of a known kind");
    } else {
        diags_error(diags, (struct place){path, 1, 1}, NULL,
                    "is neither an MMDB nor a CSV of ranges; expected rows of "
                    "start,end,asn,organisation or start,end,country, "
                    "or the same with a network (CIDR) for start and end");
    }
}

static void built_at(struct sources *sources, int64_t built_s)
{
    if (sources->oldest_s == 0 || built_s < sources->oldest_s) {
        sources->oldest_s = built_s;
    }
}

static void source_open(struct sources *sources, struct source *source, const char *path,
                        const struct geo_fields *fields, struct interner *interner,
                        struct diags *diags)
{
    if (mmdb_recognise(path)) {
        source->mmdb = mmdb_open(path, fields, diags);
        if (source->mmdb) {
            built_at(sources, mmdb_built(source->mmdb));
        }
        return;
    }
    size_t size;
    int64_t changed_s;
    char *text = file_read(path, &size, &changed_s, diags);
    if (text && ranges_recognise(text, size)) {
        ranges_read(path, text, size, interner, &source->layer, diags);
        built_at(sources, changed_s);
    } else if (text) {
        report_unknown(path, text, size, diags);
    }
    free(text);
}

void sources_open(struct sources *sources, const struct geo_config *config,
                  struct interner *interner, struct diags *diags)
{
    static const struct geo_fields usual;
    sources->oldest_s = 0;
    sources->count = config->database_count;
    sources->items = mem_alloc_array(sources->count, sizeof(*sources->items));
    for (size_t i = 0; i < sources->count; i++) {
        source_open(sources, &sources->items[i], config->database_paths[i],
                    config->fields ? &config->fields[i] : &usual, interner, diags);
    }
}

void sources_read(struct sources *sources, enum family family, struct interner *interner,
                  struct runs *places, struct runs *asns, struct diags *diags)
{
    size_t f = family_index(family);
    *places = *asns = (struct runs){0};
    runs_finish(places);
    runs_finish(asns);
    for (size_t i = 0; i < sources->count; i++) {
        struct source *source = &sources->items[i];
        struct runs *source_places = &source->layer.places[f];
        struct runs *source_asns = &source->layer.asns[f];
        if (source->mmdb) {
            mmdb_read(source->mmdb, family, interner, &source->layer, diags);
            if (family == FAMILY_IPV6 || !mmdb_has_ipv6(source->mmdb)) {
                mmdb_close(source->mmdb); // its memory is wanted for the next
                source->mmdb = NULL;
            }
        }
        runs_finish(source_places);
        runs_finish(source_asns);
        runs_fill(places, source_places);
        runs_fill(asns, source_asns);
        runs_free(source_places);
        runs_free(source_asns);
    }
}

void sources_close(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        mmdb_close(sources->items[i].mmdb);
        for (size_t f = 0; f < FAMILIES; f++) {
            runs_free(&sources->items[i].layer.places[f]);
            runs_free(&sources->items[i].layer.asns[f]);
        }
    }
    free(sources->items);
}
