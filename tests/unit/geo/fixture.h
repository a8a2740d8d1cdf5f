// SPDX-License-Identifier: GPL-3.0-or-later
//
// A folder of files for one test program, and a writer of MMDB databases (the format is described
// at https://maxmind.github.io/MaxMind-DB/), so that the tests bring their own databases.
#pragma once

#include "base/memory.h"
#include "geo/geo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char fixture_folder[] = "/tmp/signpost-geo-XXXXXX";
static char fixture_paths[64][96];
static size_t fixture_path_count;

// The built-in catalogue: it takes its time to be made.
static struct lines *lines;

static inline int fixture_set_up(void **state)
{
    struct diags diags = {0};
    (void)state;
    lines = lines_new(NULL, 0, &diags);
    return mkdtemp(fixture_folder) ? 0 : -1;
}

static inline int fixture_tear_down(void **state)
{
    (void)state;
    lines_free(lines);
    for (size_t i = 0; i < fixture_path_count; i++) {
        unlink(fixture_paths[i]);
    }
    return rmdir(fixture_folder);
}

// The path of a file in the folder; removed at the end. Valid until then.
static inline const char *fixture_path(const char *name)
{
    char path[sizeof(fixture_paths[0])];
    snprintf(path, sizeof(path), "%s/%s", fixture_folder, name);
    for (size_t i = 0; i < fixture_path_count; i++) {
        if (strcmp(fixture_paths[i], path) == 0) {
            return fixture_paths[i];
        }
    }
    assert_true(fixture_path_count < ARRAY_SIZE(fixture_paths));
    memcpy(fixture_paths[fixture_path_count], path, sizeof(path));
    return fixture_paths[fixture_path_count++];
}

static inline const char *fixture_bytes(const char *name, const void *bytes, size_t size)
{
    const char *path = fixture_path(name);
    unlink(path); // a file that is cut and written anew would be flushed to disk, each time
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return path;
}

static inline const char *fixture_text(const char *name, const char *text)
{
    return fixture_bytes(name, text, strlen(text));
}

static inline struct geo *fixture_load(const char *const *databases, size_t count,
                                       const char *networks, struct diags *diags)
{
    struct geo_config config = {
        .database_paths = databases, .database_count = count, .networks_path = networks};
    return geo_load(&config, lines, diags);
}

static inline struct geo_match fixture_locate(const struct geo *geo, const char *text)
{
    struct address address;
    if (!address_parse(text, &address)) {
        fail_msg("%s is no address", text);
    }
    return geo_locate(geo, &address);
}

// "CN GD 64500 cn-telecom 24", with "-" for unknown.
static inline const char *fixture_describe(const struct geo *geo, const char *text)
{
    static char description[128];
    struct geo_match match = fixture_locate(geo, text);
    const struct location *location = geo_location(geo, match.location);
    const char *isp = lines_isp_name(lines, location->isp);
    snprintf(description, sizeof(description), "%s %s %u %s %u",
             *location->country ? location->country : "-",
             *location->region ? location->region : "-", match.asn, *isp ? isp : "-", match.length);
    return description;
}

// --- MMDB

enum { MMDB_NOTHING = -1 }; // a side of a node; below it data, above it nodes

struct mmdb_node {
    int64_t sides[2];
};

struct mmdb_writer {
    unsigned ip_version, record_size;
    struct mmdb_node *nodes;
    size_t node_count, node_capacity;
    uint8_t *data;
    size_t data_size, data_capacity;
};

static inline void mmdb_byte(struct mmdb_writer *w, unsigned byte)
{
    MEM_GROW(w->data, w->data_size, w->data_capacity);
    w->data[w->data_size++] = (uint8_t)byte;
}

static inline void mmdb_control(struct mmdb_writer *w, unsigned type, size_t size)
{
    unsigned size_bits = size < 29 ? (unsigned)size : 29;
    mmdb_byte(w, (type <= 7 ? type << 5 : 0) | size_bits);
    if (type > 7) {
        mmdb_byte(w, type - 7);
    }
    if (size >= 29) {
        assert_true(size < 29 + 256);
        mmdb_byte(w, (unsigned)size - 29);
    }
}

static inline void mmdb_map(struct mmdb_writer *w, size_t pairs)
{
    mmdb_control(w, 7, pairs);
}

static inline void mmdb_array(struct mmdb_writer *w, size_t items)
{
    mmdb_control(w, 11, items);
}

static inline void mmdb_string(struct mmdb_writer *w, const char *text)
{
    mmdb_control(w, 2, strlen(text));
    for (; *text; text++) {
        mmdb_byte(w, (uint8_t)*text);
    }
}

static inline void mmdb_number(struct mmdb_writer *w, unsigned type, unsigned bytes,
                               uint64_t number)
{
    mmdb_control(w, type, bytes);
    while (bytes-- > 0) {
        mmdb_byte(w, (unsigned)(number >> (8 * bytes)) & 0xff);
    }
}

static inline void mmdb_double(struct mmdb_writer *w, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    mmdb_number(w, 3, 8, bits);
}

static inline void mmdb_float(struct mmdb_writer *w, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof(bits));
    mmdb_number(w, 15, 4, bits);
}

// Begins a record: what is written next. Returns its offset, for mmdb_insert.
static inline int64_t mmdb_record(const struct mmdb_writer *w)
{
    return (int64_t)w->data_size;
}

static inline size_t mmdb_node_add(struct mmdb_writer *w, int64_t side)
{
    MEM_GROW(w->nodes, w->node_count, w->node_capacity);
    w->nodes[w->node_count] = (struct mmdb_node){{side, side}};
    return w->node_count++;
}

static inline struct mmdb_writer mmdb_begin(unsigned ip_version, unsigned record_size)
{
    struct mmdb_writer w = {.ip_version = ip_version, .record_size = record_size};
    mmdb_node_add(&w, MMDB_NOTHING);
    return w;
}

// The side of a node that the prefix leads to; nodes are made on the way. An IPv4 prefix in an IPv6
// tree lies below ::/96.
static inline int64_t *mmdb_side(struct mmdb_writer *w, const char *prefix_text)
{
    struct prefix prefix;
    assert_true(prefix_parse(prefix_text, &prefix, NULL));
    uint8_t bits[16] = {0};
    unsigned length = prefix.length;
    if (prefix.address.family == FAMILY_IPV4 && w->ip_version == 6) {
        memcpy(bits + 12, prefix.address.bytes, 4);
        length += 96;
    } else {
        memcpy(bits, prefix.address.bytes, 16);
    }
    assert_true(length > 0);
    size_t node = 0;
    for (unsigned depth = 0;; depth++) {
        unsigned bit = bits[depth / 8] >> (7 - depth % 8) & 1;
        int64_t side = w->nodes[node].sides[bit];
        if (depth + 1 == length) {
            return &w->nodes[node].sides[bit];
        }
        if (side < 0) {
            side = (int64_t)mmdb_node_add(w, side);
            w->nodes[node].sides[bit] = side;
        }
        node = (size_t)side;
    }
}

static inline void mmdb_insert(struct mmdb_writer *w, const char *prefix, int64_t record)
{
    *mmdb_side(w, prefix) = MMDB_NOTHING - 1 - record;
}

static inline uint32_t mmdb_side_value(const struct mmdb_writer *w, int64_t side)
{
    if (side >= 0) {
        return (uint32_t)side;
    }
    uint32_t record = side == MMDB_NOTHING ? 0 : 16 + (uint32_t)(MMDB_NOTHING - 1 - side);
    return (uint32_t)w->node_count + record;
}

static inline size_t mmdb_node_bytes(const struct mmdb_writer *w, size_t node, uint8_t *to)
{
    uint32_t left = mmdb_side_value(w, w->nodes[node].sides[0]);
    uint32_t right = mmdb_side_value(w, w->nodes[node].sides[1]);
    size_t at = 0;
    for (int shift = w->record_size == 32 ? 24 : 16; shift >= 0; shift -= 8) {
        to[at++] = (uint8_t)(left >> shift);
    }
    if (w->record_size == 28) {
        to[at++] = (uint8_t)((left >> 24 & 0xf) << 4 | (right >> 24 & 0xf));
    }
    for (int shift = w->record_size == 32 ? 24 : 16; shift >= 0; shift -= 8) {
        to[at++] = (uint8_t)(right >> shift);
    }
    return at;
}

static inline void mmdb_metadata(struct mmdb_writer *w)
{
    mmdb_map(w, 9);
    mmdb_string(w, "binary_format_major_version");
    mmdb_number(w, 5, 2, 2);
    mmdb_string(w, "binary_format_minor_version");
    mmdb_number(w, 5, 2, 0);
    mmdb_string(w, "build_epoch");
    mmdb_number(w, 9, 8, 1700000000);
    mmdb_string(w, "database_type");
    mmdb_string(w, "Test");
    mmdb_string(w, "description");
    mmdb_map(w, 1);
    mmdb_string(w, "en");
    mmdb_string(w, "test");
    mmdb_string(w, "ip_version");
    mmdb_number(w, 5, 2, w->ip_version);
    mmdb_string(w, "languages");
    mmdb_array(w, 0);
    mmdb_string(w, "node_count");
    mmdb_number(w, 6, 4, w->node_count);
    mmdb_string(w, "record_size");
    mmdb_number(w, 5, 2, w->record_size);
}

// The bytes of the database; ends the writer. Released with free().
static inline uint8_t *mmdb_bytes(struct mmdb_writer *w, size_t *size)
{
    uint8_t *bytes = mem_alloc(w->node_count * 8 + 16 + w->data_size + 1024);
    size_t at = 0;
    for (size_t i = 0; i < w->node_count; i++) {
        at += mmdb_node_bytes(w, i, bytes + at);
    }
    at += 16; // zeros between the tree and the data
    if (w->data_size > 0) {
        memcpy(bytes + at, w->data, w->data_size);
    }
    at += w->data_size;
    w->data_size = 0;
    mmdb_metadata(w);
    memcpy(bytes + at, "\xab\xcd\xefMaxMind.com", 14);
    memcpy(bytes + at + 14, w->data, w->data_size);
    *size = at + 14 + w->data_size;
    free(w->nodes);
    free(w->data);
    return bytes;
}

static inline const char *mmdb_save(struct mmdb_writer *w, const char *name)
{
    size_t size;
    uint8_t *bytes = mmdb_bytes(w, &size);
    const char *path = fixture_bytes(name, bytes, size);
    free(bytes);
    return path;
}

// {country_code, state1, latitude, longitude}, as flat databases have it.
static inline int64_t mmdb_flat(struct mmdb_writer *w, const char *country, const char *region,
                                float latitude, float longitude)
{
    int64_t record = mmdb_record(w);
    mmdb_map(w, 5);
    mmdb_string(w, "city");
    mmdb_string(w, "");
    mmdb_string(w, "country_code");
    mmdb_string(w, country);
    mmdb_string(w, "latitude");
    mmdb_float(w, latitude);
    mmdb_string(w, "longitude");
    mmdb_float(w, longitude);
    mmdb_string(w, "state1");
    mmdb_string(w, region);
    return record;
}

// {country: {iso_code}, subdivisions: [{iso_code}, ...], location: {...}}, as MaxMind has it.
static inline int64_t mmdb_nested(struct mmdb_writer *w, const char *country, const char *region,
                                  double latitude, double longitude)
{
    int64_t record = mmdb_record(w);
    mmdb_map(w, *region ? 3 : 2);
    mmdb_string(w, "country");
    mmdb_map(w, 2);
    mmdb_string(w, "geoname_id");
    mmdb_number(w, 6, 4, 1814991);
    mmdb_string(w, "iso_code");
    mmdb_string(w, country);
    mmdb_string(w, "location");
    mmdb_map(w, 2);
    mmdb_string(w, "latitude");
    mmdb_double(w, latitude);
    mmdb_string(w, "longitude");
    mmdb_double(w, longitude);
    if (*region) {
        mmdb_string(w, "subdivisions");
        mmdb_array(w, 2);
        mmdb_map(w, 1);
        mmdb_string(w, "iso_code");
        mmdb_string(w, region);
        mmdb_map(w, 1);
        mmdb_string(w, "iso_code");
        mmdb_string(w, "ZZ");
    }
    return record;
}

static inline int64_t mmdb_asn(struct mmdb_writer *w, uint32_t asn, const char *organisation)
{
    int64_t record = mmdb_record(w);
    mmdb_map(w, 2);
    mmdb_string(w, "autonomous_system_number");
    mmdb_number(w, 6, 4, asn);
    mmdb_string(w, "autonomous_system_organization");
    mmdb_string(w, organisation);
    return record;
}
