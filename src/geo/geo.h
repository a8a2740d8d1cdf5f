// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct geo: what is known about the network that a client is in.
//
// Databases (MMDB flat or nested, CSV of ranges), the operator's networks.csv and the built-in
// fallbacks are flattened at load into two poptries a family: prefix -> location (a small integer
// for an interned country, region, ISP), and prefix -> ASN. Immutable after loading; any thread
// may read; loading is slow (seconds for a city database) and belongs on a pool thread.
//
// Order of trust, strongest first: networks.csv, ASN sets, organisation-name patterns of the
// catalogue (with the country), built-in networks where no ASN is known. networks.csv overrides
// only the cells it fills; of its networks the narrowest that fills a cell decides it. Of several
// databases an earlier one wins where it knows. A country that no database knows is that of the
// ISP.
#pragma once

#include "base/address.h"
#include "base/diag.h"
#include "geo/lines.h"
#include "geo/lpm.h"

struct location {
    char continent[3];         // "AS"; "" unknown
    char country[3];           // ISO 3166-1 alpha-2; "" unknown
    char region[8];            // ISO 3166-2 second part ("GD", "CA"), or "" unknown
    uint16_t isp;              // lines_isp_name
    float latitude, longitude; // mean of its networks; NAN unknown
    int custom_line;           // line index named by networks.csv that is not an ISP's, or -1
};

enum { LOCATION_UNKNOWN = 0 }; // id 0: nothing known

// Where the fields of an MMDB's records are: keys and indexes of lists, joined with dots
// ("country.iso_code", "subdivisions.0.iso_code"). NULL: as usual databases have them.
struct geo_fields {
    const char *country, *region, *latitude, *longitude, *asn, *organisation;
};

enum { GEO_FIELD_COUNT = sizeof(struct geo_fields) / sizeof(char *), GEO_FIELD_STEPS_MAX = 8 };

struct geo_config {
    const char *const *database_paths; // MMDB or CSV, recognised by content
    const struct geo_fields *fields;   // one a database, or NULL
    size_t database_count;
    const char *networks_path; // NULL: none
};

struct geo;

// Loads everything. A file that cannot be read or understood is an error in `diags`; the rest is
// loaded all the same and the result is never NULL: the caller decides whether to use it. Files are
// read into memory, never mapped, and one that changes while it is being read is an error: whoever
// writes a database in place can spoil a load, but neither the result nor the process.
// networks.csv faults are reported by line. `lines` must outlive the geo.
struct geo *geo_load(const struct geo_config *config, const struct lines *lines,
                     struct diags *diags);
void geo_free(struct geo *geo); // NULL allowed

struct geo_match {
    uint32_t location;        // id
    uint8_t length;           // widest prefix with this location
    uint32_t asn;             // 0 unknown
    const char *organisation; // of the ASN; "" unknown; lives as long as the geo
};

// Look-ups cost two walks of a poptrie: for explain and status, not for the query path.
struct geo_match geo_locate(const struct geo *geo, const struct address *address);
size_t geo_location_count(const struct geo *geo);
const struct location *geo_location(const struct geo *geo, uint32_t id);

// Runs of keys (base/address.h) of one location id, or of one ASN, ascending over the whole space.
void geo_walk_locations(const struct geo *geo, enum family family, lpm_visit *visit, void *context);
void geo_walk_asns(const struct geo *geo, enum family family, lpm_visit *visit, void *context);

// What was loaded, for status pages and the log.
struct geo_summary {
    // networks: runs of one location, of one ASN; memory_size in bytes
    size_t location_count, network_count_ipv4, network_count_ipv6, asn_network_count, memory_size;
    bool has_places, has_asns; // a city/country database, an ASN database
    // When the oldest database was built (MMDB) or last changed (CSV): seconds since 1970; 0: none.
    int64_t oldest_s;
};
struct geo_summary geo_summary(const struct geo *geo);

// Continent of a country, "" when unknown ("CN" -> "AS").
const char *geo_continent_of(const char *country);
// ISO 3166-2 code of a subdivision from its English name or code in one country ("Guangdong" or
// "GD" -> "GD" for CN; US and CA states likewise). "" when unknown.
const char *geo_region_code(const char *country, const char *name);
