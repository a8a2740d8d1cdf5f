// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the readers of geo/ share while a struct geo is being loaded. Inside geo/ only; the thread
// that loads.
#pragma once

#include "base/address.h"
#include "base/csv.h"
#include "base/diag.h"
#include "base/memory.h"
#include "geo/geo.h"
#include "geo/lpm.h"

// --- runs of keys (geo_runs.c)

// Runs of keys with one value, ascending; what is not covered has value 0.
struct runs {
    struct lpm_segment *items;
    size_t count, capacity;
    uint64_t end; // first key that is not covered yet
    bool full;    // the last key is covered
};

// Appends [first, last]; the part of it that lies before the end is left out: what came first
// stays. Equal neighbours become one.
void runs_add(struct runs *runs, uint64_t first, uint64_t last, uint32_t value);
// Makes the runs cover the whole space. Afterwards items[0].first is 0.
void runs_finish(struct runs *runs);
// `top` keeps its values and takes those of `below` where it has 0. Both are finished.
void runs_fill(struct runs *top, const struct runs *below);
void runs_free(struct runs *runs);
// First and last key of a prefix; bits past /64 do not matter.
void prefix_keys(const struct prefix *prefix, uint64_t *first, uint64_t *last);

enum { FAMILIES = 2 }; // index 0: IPv4, 1: IPv6

static inline size_t family_index(enum family family)
{
    return family == FAMILY_IPV4 ? 0 : 1;
}

// --- what the values are (geo_intern.c)

// A place: country and region. Its coordinates are the mean of its networks, gathered as a vector,
// since degrees have a seam.
struct place_entry {
    char country[3], region[8];
    double x, y, z;
};

struct asn_entry {
    uint32_t asn;
    const char *organisation;
};

// A hash table from 64-bit keys to values above 0.
struct key_map {
    uint64_t *keys;
    uint32_t *values; // 0: a free slot
    size_t count, mask;
};

// The value of the key; 0 when it has none.
uint32_t key_map_find(const struct key_map *map, uint64_t key);
void key_map_set(struct key_map *map, uint64_t key, uint32_t value);
void key_map_free(struct key_map *map); // empty afterwards

// Interned places and ASNs. Entry 0 of both is "unknown".
struct interner {
    struct arena *arena; // of the organisations; belongs to the geo
    struct place_entry *places;
    size_t place_count, place_capacity;
    struct asn_entry *asns;
    size_t asn_count, asn_capacity;
    struct key_map place_ids, asn_ids;
};

// `arena` must outlive the ASN entries.
void interner_init(struct interner *interner, struct arena *arena);
// Releases all but the ASN entries, which the geo keeps.
void interner_free(struct interner *interner);
// Id of a place. An unknown country gives 0; a region is given as code, "" for none.
uint32_t intern_place(struct interner *interner, const char *country, const char *region);
// Counts `networks` networks at these coordinates into the place; NAN is left out.
void intern_coordinates(struct interner *interner, uint32_t place, float latitude, float longitude,
                        double networks);
// Id of an ASN; the first organisation that it comes with stays. 0 for ASN 0.
uint32_t intern_asn(struct interner *interner, uint32_t asn, const char *organisation);
// "13335" or "AS13335"; 0 when it is neither.
uint32_t asn_parse(const char *text);

// --- codes of places (places.c)

// "cn" -> "CN" when that is a country, else "".
void country_normalise(const char *text, char country[3]);
// Whether all regions of the country are in the tables.
bool region_table_has(const char *country);
// Whether it has the form of an ISO 3166-2 code, without the country.
bool region_is_code(const char *text);
// A region as databases write it, to a code: by the tables where they have the country, else a code
// as it stands. "" when it is neither.
const char *region_normalise(const char *country, const char *text);

// --- files (geo_csv.c)

// The whole file, with a NUL after it, or NULL with an error in `diags`. Released with free().
// *changed_s is when it was last changed, in seconds since 1970.
char *file_read(const char *path, size_t *size, int64_t *changed_s, struct diags *diags);
// A copy of the file that nobody else has, as a file descriptor; -1 with an error in `diags`.
int file_copy(const char *path, struct diags *diags);

// --- databases

// What one database says, by family. Either may stay empty.
struct layer {
    struct runs places[FAMILIES], asns[FAMILIES];
};

// CSV of ranges, both families at once.
bool ranges_recognise(const char *text, size_t size);
void ranges_read(const char *path, char *text, size_t size, struct interner *interner,
                 struct layer *layer, struct diags *diags);

// An MMDB, one family at a time.
struct mmdb;
// Reads the whole file; the caller's. NULL with an error in `diags`.
struct mmdb *mmdb_open(const char *path, const struct geo_fields *fields, struct diags *diags);
// Seconds since 1970.
int64_t mmdb_built(const struct mmdb *mmdb);
void mmdb_close(struct mmdb *mmdb); // NULL allowed
bool mmdb_has_ipv6(const struct mmdb *mmdb);
void mmdb_read(struct mmdb *mmdb, enum family family, struct interner *interner,
               struct layer *layer, struct diags *diags);

// All databases of one load (geo_sources.c).
struct source;

struct sources {
    struct source *items;
    size_t count;
    int64_t oldest_s; // as in struct geo_summary
};

// Opens and recognises every file; what cannot be used is an error and says nothing later.
void sources_open(struct sources *sources, const struct geo_config *config,
                  struct interner *interner, struct diags *diags);
// What all of them say of one family, finished; freed by the caller. Once a family, IPv4 first.
void sources_read(struct sources *sources, enum family family, struct interner *interner,
                  struct runs *places, struct runs *asns, struct diags *diags);
void sources_close(struct sources *sources);

// --- networks.csv (geo_networks.c)

// What the operator says of a network: the cells of the widest row over it, overridden by those of
// the narrower rows.
struct override {
    bool has_place, has_isp, has_coordinates;
    char country[3], region[8];
    uint32_t asn; // id of the interner; 0: not said
    uint16_t isp;
    int custom_line; // or -1
    float latitude, longitude;
};

struct overrides {
    struct override *items; // [0]: nothing said
    size_t count;
    struct runs runs[FAMILIES]; // values are indexes of items; finished
};

// Reads the file (NULL: none) and flattens it; every fault is reported, its row left out.
void overrides_read(const char *path, const struct lines *lines, struct interner *interner,
                    struct overrides *overrides, struct diags *diags);
void overrides_free(struct overrides *overrides);
