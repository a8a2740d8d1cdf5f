// SPDX-License-Identifier: GPL-3.0-or-later
//
// MMDB databases, flattened. libmaxminddb maps a file and reads nodes and values; the walk is
// ours, because a walk visits each network once where look-ups would visit its path each time. What
// is mapped is a copy in memory: a file that is cut short while it is mapped kills the process.
//
// A record may be flat (country_code, state1, latitude) or nested as MaxMind has it
// (country.iso_code, subdivisions[0].iso_code, location.latitude), and may have ASN fields instead
// or besides: found out by looking, record by record; an operator may name the fields. Networks
// share records: each distinct one is decoded once and its networks are counted, for the mean
// coordinates of its place.
//
// The file is not trusted. The walk is bounded by the size of the tree, since records could point
// back up; strings are cut to what is expected of them. Networks narrower than a /64 count as
// their /64, the first of them with data winning. In an IPv6 tree the IPv4 networks hang below
// ::/96 and, as copies, below 2002::/16 and others: the copies are left out.
//
// Runs on the thread that loads; one struct mmdb belongs to it alone.

#include "geo/geo_load.h"

#include <maxminddb.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_BITS = 64, IPV4_DEPTH = 96, TEXT_MAX = 128 };

// What one record of the data section says.
struct record {
    uint32_t place, asn; // ids of the interner
    float latitude, longitude;
    uint32_t networks; // that share it
};

typedef const char *path_steps[GEO_FIELD_STEPS_MAX + 1]; // ended by NULL

struct schema {
    path_steps country, region, latitude, longitude;
};

static const struct schema usual_schemas[] = {
    {{"country_code"}, {"state1"}, {"latitude"}, {"longitude"}},
    {{"country", "iso_code"},
     {"subdivisions", "0", "iso_code"},
     {"location", "latitude"},
     {"location", "longitude"}},
};
static const path_steps usual_asn = {"autonomous_system_number"};
static const path_steps usual_organisation = {"autonomous_system_organization"};

struct mmdb {
    MMDB_s file;
    const char *path;
    struct arena *arena;          // of an operator's field paths
    const struct schema *schemas; // of which one fits a record
    size_t schema_count;
    const char *const *asn, *const *organisation;
    struct record *records;
    size_t record_count, record_capacity;
    struct key_map by_offset; // data offset -> index in records + 1
    size_t schema;            // the one that fitted last
    bool useful;              // some record had a field that is known here
};

struct walk {
    struct mmdb *mmdb;
    enum family family;
    struct interner *interner;
    struct layer *layer;
    size_t visits_left;
    bool corrupt;
};

// --- fields

static bool value_get(const MMDB_entry_s *entry, const char *const *path, MMDB_entry_data_s *data)
{
    MMDB_entry_s start = *entry;
    return path[0] && MMDB_aget_value(&start, data, path) == MMDB_SUCCESS && data->has_data;
}

// False when there is no such text. What does not fit is cut.
static bool text_get(const MMDB_entry_s *entry, const char *const *path, char text[TEXT_MAX])
{
    MMDB_entry_data_s data;
    text[0] = 0;
    if (!value_get(entry, path, &data) || data.type != MMDB_DATA_TYPE_UTF8_STRING) {
        return false;
    }
    size_t size = MIN(data.data_size, (uint32_t)TEXT_MAX - 1);
    memcpy(text, data.utf8_string, size);
    text[size] = 0;
    return true;
}

static float degrees_get(const MMDB_entry_s *entry, const char *const *path, float limit)
{
    MMDB_entry_data_s data;
    double value = NAN;
    if (value_get(entry, path, &data)) {
        if (data.type == MMDB_DATA_TYPE_DOUBLE) {
            value = data.double_value;
        } else if (data.type == MMDB_DATA_TYPE_FLOAT) {
            value = data.float_value;
        }
    }
    return value >= -limit && value <= limit ? (float)value : NAN;
}

static uint32_t number_get(const MMDB_entry_s *entry, const char *const *path)
{
    MMDB_entry_data_s data;
    if (!value_get(entry, path, &data)) {
        return 0;
    }
    switch (data.type) {
    case MMDB_DATA_TYPE_UINT16:
        return data.uint16;
    case MMDB_DATA_TYPE_UINT32:
        return data.uint32;
    case MMDB_DATA_TYPE_UINT64:
        return data.uint64 <= UINT32_MAX ? (uint32_t)data.uint64 : 0;
    case MMDB_DATA_TYPE_INT32:
        return data.int32 > 0 ? (uint32_t)data.int32 : 0;
    default:
        return 0;
    }
}

// What the record says of the place, if the schema fits it.
static bool place_decode(struct walk *walk, const MMDB_entry_s *entry, const struct schema *schema,
                         struct record *record)
{
    char country[TEXT_MAX], region[TEXT_MAX], code[3];
    if (!text_get(entry, schema->country, country)) {
        return false;
    }
    country_normalise(country, code);
    text_get(entry, schema->region, region);
    record->place = intern_place(walk->interner, code, region_normalise(code, region));
    record->latitude = degrees_get(entry, schema->latitude, 90);
    record->longitude = degrees_get(entry, schema->longitude, 180);
    walk->mmdb->useful = true;
    return true;
}

static void record_decode(struct walk *walk, const MMDB_entry_s *entry, struct record *record)
{
    char organisation[TEXT_MAX];
    struct mmdb *mmdb = walk->mmdb;
    for (size_t i = 0; i < mmdb->schema_count; i++) {
        size_t schema = (mmdb->schema + i) % mmdb->schema_count;
        if (place_decode(walk, entry, &mmdb->schemas[schema], record)) {
            mmdb->schema = schema;
            break;
        }
    }
    uint32_t asn = number_get(entry, mmdb->asn);
    if (asn) {
        mmdb->useful = true;
        text_get(entry, mmdb->organisation, organisation);
        record->asn = intern_asn(walk->interner, asn, organisation);
    }
}

static const struct record *record_of(struct walk *walk, const MMDB_entry_s *entry)
{
    struct mmdb *mmdb = walk->mmdb;
    uint32_t known = key_map_find(&mmdb->by_offset, entry->offset);
    if (!known) {
        MEM_GROW(mmdb->records, mmdb->record_count, mmdb->record_capacity);
        struct record *record = &mmdb->records[mmdb->record_count++];
        *record = (struct record){.latitude = NAN, .longitude = NAN};
        record_decode(walk, entry, record);
        known = (uint32_t)mmdb->record_count;
        key_map_set(&mmdb->by_offset, entry->offset, known);
    }
    struct record *record = &mmdb->records[known - 1];
    record->networks++;
    return record;
}

// --- the tree

// One side of a node.
struct branch {
    uint64_t record;
    uint8_t type; // MMDB_RECORD_TYPE_*
    MMDB_entry_s entry;
};

static bool node_read(struct walk *walk, uint64_t node, struct branch sides[2])
{
    MMDB_search_node_s read;
    if (walk->visits_left == 0 ||
        MMDB_read_node(&walk->mmdb->file, (uint32_t)node, &read) != MMDB_SUCCESS ||
        read.left_record_type == MMDB_RECORD_TYPE_INVALID ||
        read.right_record_type == MMDB_RECORD_TYPE_INVALID) {
        walk->corrupt = true;
        return false;
    }
    walk->visits_left--;
    sides[0] = (struct branch){read.left_record, read.left_record_type, read.left_record_entry};
    sides[1] = (struct branch){read.right_record, read.right_record_type, read.right_record_entry};
    return true;
}

static void leaf_add(struct walk *walk, const struct branch *branch, uint64_t key, unsigned depth)
{
    const struct record *record = record_of(walk, &branch->entry);
    size_t family = family_index(walk->family);
    uint64_t last = key | (depth < KEY_BITS ? UINT64_MAX >> depth : 0);
    runs_add(&walk->layer->places[family], key, last, record->place);
    runs_add(&walk->layer->asns[family], key, last, record->asn);
}

static bool is_ipv4_copy(const struct walk *walk, const struct branch *branch)
{
    const MMDB_s *file = &walk->mmdb->file;
    return walk->family == FAMILY_IPV6 && branch->type == MMDB_RECORD_TYPE_SEARCH_NODE &&
           branch->record != 0 && branch->record == file->ipv4_start_node.node_value;
}

// The first data below a /64, for all of it.
static void narrow_add(struct walk *walk, struct branch branch, uint64_t key)
{
    struct branch sides[2];
    for (unsigned depth = KEY_BITS; depth <= 128 && !is_ipv4_copy(walk, &branch); depth++) {
        if (branch.type == MMDB_RECORD_TYPE_DATA) {
            leaf_add(walk, &branch, key, KEY_BITS);
            return;
        }
        if (branch.type != MMDB_RECORD_TYPE_SEARCH_NODE || !node_read(walk, branch.record, sides)) {
            return;
        }
        bool left = sides[0].type != MMDB_RECORD_TYPE_EMPTY && !is_ipv4_copy(walk, &sides[0]);
        branch = sides[left ? 0 : 1];
    }
}

// Depth is at most 64.
static void branch_walk(struct walk *walk, const struct branch *branch, uint64_t key,
                        unsigned depth)
{
    struct branch sides[2];
    if (branch->type == MMDB_RECORD_TYPE_DATA) {
        leaf_add(walk, branch, key, depth);
    } else if (branch->type != MMDB_RECORD_TYPE_SEARCH_NODE || is_ipv4_copy(walk, branch)) {
        return;
    } else if (depth == KEY_BITS) {
        narrow_add(walk, *branch, key);
    } else if (walk->family == FAMILY_IPV4 && depth == 32) {
        walk->corrupt = true; // deeper than an IPv4 address has bits
    } else if (node_read(walk, branch->record, sides)) {
        branch_walk(walk, &sides[0], key, depth + 1);
        branch_walk(walk, &sides[1], key | UINT64_C(1) << (63 - depth), depth + 1);
    }
}

bool mmdb_has_ipv6(const struct mmdb *mmdb)
{
    return mmdb->file.metadata.ip_version == 6;
}

// The branch at which the IPv4 addresses begin: the root, or ::/96 of an IPv6 tree.
static struct branch ipv4_root(struct walk *walk)
{
    struct branch branch = {0, MMDB_RECORD_TYPE_SEARCH_NODE, {NULL, 0}}, sides[2];
    if (mmdb_has_ipv6(walk->mmdb)) {
        for (unsigned depth = 0; depth < IPV4_DEPTH; depth++) {
            if (branch.type != MMDB_RECORD_TYPE_SEARCH_NODE ||
                !node_read(walk, branch.record, sides)) {
                break;
            }
            branch = sides[0];
        }
    }
    return branch;
}

// Adds the coordinates that this walk counted and starts the counts afresh.
static void coordinates_add(struct walk *walk)
{
    struct mmdb *mmdb = walk->mmdb;
    for (size_t i = 0; i < mmdb->record_count; i++) {
        struct record *record = &mmdb->records[i];
        intern_coordinates(walk->interner, record->place, record->latitude, record->longitude,
                           record->networks);
        record->networks = 0;
    }
}

void mmdb_read(struct mmdb *mmdb, enum family family, struct interner *interner,
               struct layer *layer, struct diags *diags)
{
    const MMDB_metadata_s *metadata = &mmdb->file.metadata;
    struct walk walk = {
        .mmdb = mmdb,
        .family = family,
        .interner = interner,
        .layer = layer,
        // A tree visits each node once; some writers let equal subtrees share nodes.
        .visits_left = (size_t)metadata->node_count * 4 + 1024,
    };
    struct branch root = {0, MMDB_RECORD_TYPE_SEARCH_NODE, {NULL, 0}};
    if (family == FAMILY_IPV4) {
        root = ipv4_root(&walk);
    } else if (!mmdb_has_ipv6(mmdb)) {
        return;
    }
    if (metadata->node_count > 0) {
        branch_walk(&walk, &root, 0, 0);
    }
    coordinates_add(&walk);
    struct place place = {.file = mmdb->path};
    if (walk.corrupt) {
        diags_error(diags, place, NULL, "the search tree is damaged: IPv%d data is incomplete",
                    (int)family);
    }
    bool last = family == FAMILY_IPV6 || !mmdb_has_ipv6(mmdb);
    if (last && mmdb->record_count > 0 && !mmdb->useful && !walk.corrupt) {
        diags_error(diags, place, NULL,
                    "no record has a field that is known here: expected country_code, "
                    "country.iso_code or autonomous_system_number, or the paths under \"fields\"");
    }
}

// --- opening

static void steps_split(struct arena *arena, const char *path, path_steps steps)
{
    size_t count = 0;
    for (char *at = path ? arena_strdup(arena, path) : NULL; at && count < GEO_FIELD_STEPS_MAX;) {
        char *dot = strchr(at, '.');
        if (dot) {
            *dot++ = 0;
        }
        steps[count++] = at;
        at = dot;
    }
    steps[count] = NULL;
}

// An operator's paths stand for the usual ones of their half, places or ASNs.
static void fields_set(struct mmdb *mmdb, const struct geo_fields *fields)
{
    mmdb->schemas = usual_schemas;
    mmdb->schema_count = ARRAY_SIZE(usual_schemas);
    mmdb->asn = usual_asn;
    mmdb->organisation = usual_organisation;
    if (fields->country) {
        struct schema *own = arena_alloc(mmdb->arena, sizeof(*own));
        steps_split(mmdb->arena, fields->country, own->country);
        steps_split(mmdb->arena, fields->region, own->region);
        steps_split(mmdb->arena, fields->latitude, own->latitude);
        steps_split(mmdb->arena, fields->longitude, own->longitude);
        mmdb->schemas = own;
        mmdb->schema_count = 1;
    }
    if (fields->asn) {
        path_steps *own = arena_alloc(mmdb->arena, 2 * sizeof(*own));
        steps_split(mmdb->arena, fields->asn, own[0]);
        steps_split(mmdb->arena, fields->organisation, own[1]);
        mmdb->asn = own[0];
        mmdb->organisation = own[1];
    }
}

struct mmdb *mmdb_open(const char *path, const struct geo_fields *fields, struct diags *diags)
{
    char copy[32];
    int fd = file_copy(path, diags);
    if (fd < 0) {
        return NULL;
    }
    snprintf(copy, sizeof(copy), "/proc/self/fd/%d", fd);
    struct mmdb *mmdb = mem_alloc(sizeof(*mmdb));
    int error = MMDB_open(copy, MMDB_MODE_MMAP, &mmdb->file);
    close(fd);
    if (error != MMDB_SUCCESS) {
        diags_error(diags, (struct place){.file = path}, NULL, "is not a usable MMDB: %s",
                    MMDB_strerror(error));
        free(mmdb);
        return NULL;
    }
    mmdb->path = path;
    mmdb->arena = arena_new();
    fields_set(mmdb, fields);
    return mmdb;
}

int64_t mmdb_built(const struct mmdb *mmdb)
{
    return (int64_t)mmdb->file.metadata.build_epoch;
}

void mmdb_close(struct mmdb *mmdb)
{
    if (mmdb) {
        MMDB_close(&mmdb->file);
        arena_free(mmdb->arena);
        free(mmdb->records);
        key_map_free(&mmdb->by_offset);
        free(mmdb);
    }
}
