// SPDX-License-Identifier: GPL-3.0-or-later
//
// MMDB databases, flattened. libmaxminddb maps the file and reads nodes and values; the walk is
// ours, because a walk visits each network once where look-ups would visit its path each time.
//
// A record may be flat (country_code, state1, latitude) or nested as MaxMind has it
// (country.iso_code, subdivisions[0].iso_code, location.latitude), and may have ASN fields instead
// or besides: found out by looking, record by record. Networks share records: each distinct one is
// decoded once and its networks are counted, for the mean coordinates of its place.
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
#include <string.h>

enum { KEY_BITS = 64, IPV4_DEPTH = 96, TEXT_MAX = 128 };

// What one record of the data section says.
struct record {
    uint32_t place, asn; // ids of the interner
    float latitude, longitude;
    uint32_t networks; // that share it
};

struct mmdb {
    MMDB_s file;
    const char *path;
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

typedef const char *const path_steps[4]; // ended by NULL

struct schema {
    path_steps country, region, latitude, longitude;
};

static const struct schema schemas[] = {
    {{"country_code"}, {"state1"}, {"latitude"}, {"longitude"}},
    {{"country", "iso_code"},
     {"subdivisions", "0", "iso_code"},
     {"location", "latitude"},
     {"location", "longitude"}},
};
static path_steps asn_path = {"autonomous_system_number"};
static path_steps organisation_path = {"autonomous_system_organization"};

static bool value_get(const MMDB_entry_s *entry, path_steps path, MMDB_entry_data_s *data)
{
    MMDB_entry_s start = *entry;
    return MMDB_aget_value(&start, data, path) == MMDB_SUCCESS && data->has_data;
}

// False when there is no such text. What does not fit is cut.
static bool text_get(const MMDB_entry_s *entry, path_steps path, char text[TEXT_MAX])
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

static float degrees_get(const MMDB_entry_s *entry, path_steps path, float limit)
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

static uint32_t number_get(const MMDB_entry_s *entry, path_steps path)
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

// The region as a code: by the tables where they have the country, else a code as it stands.
static const char *region_of(const char *country, const char *text)
{
    return region_table_has(country) || !region_is_code(text) ? geo_region_code(country, text)
                                                              : text;
}

static void record_decode(struct walk *walk, const MMDB_entry_s *entry, struct record *record)
{
    char country[TEXT_MAX], region[TEXT_MAX], organisation[TEXT_MAX], code[3];
    struct mmdb *mmdb = walk->mmdb;
    for (size_t i = 0; i < ARRAY_SIZE(schemas); i++) {
        size_t schema = (mmdb->schema + i) % ARRAY_SIZE(schemas);
        if (text_get(entry, schemas[schema].country, country)) {
            mmdb->schema = schema;
            mmdb->useful = true;
            country_normalise(country, code);
            text_get(entry, schemas[schema].region, region);
            record->place = intern_place(walk->interner, code, region_of(code, region));
            record->latitude = degrees_get(entry, schemas[schema].latitude, 90);
            record->longitude = degrees_get(entry, schemas[schema].longitude, 180);
            break;
        }
    }
    uint32_t asn = number_get(entry, asn_path);
    if (asn) {
        mmdb->useful = true;
        text_get(entry, organisation_path, organisation);
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
                    "country.iso_code or autonomous_system_number");
    }
}

struct mmdb *mmdb_open(const char *path, struct diags *diags)
{
    struct mmdb *mmdb = mem_alloc(sizeof(*mmdb));
    int error = MMDB_open(path, MMDB_MODE_MMAP, &mmdb->file);
    if (error != MMDB_SUCCESS) {
        diags_error(diags, (struct place){.file = path}, NULL, "is not a usable MMDB: %s",
                    MMDB_strerror(error));
        free(mmdb);
        return NULL;
    }
    mmdb->path = path;
    return mmdb;
}

void mmdb_close(struct mmdb *mmdb)
{
    if (mmdb) {
        MMDB_close(&mmdb->file);
        free(mmdb->records);
        key_map_free(&mmdb->by_offset);
        free(mmdb);
    }
}
