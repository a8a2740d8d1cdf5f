// SPDX-License-Identifier: GPL-3.0-or-later
//
// The catalogue's data as C tables. scripts/geo_tables.py makes them out of countries.tsv,
// regions.tsv, lines.tsv and isps.tsv at build time and has checked them. Inside geo/ only.
#pragma once

#include "base/address.h"
#include "geo/lines.h"

// Lists of stems and aliases are separated by one space; "" is none.

struct line_row {
    enum line_kind kind;
    const char *id;
    const char *continent, *country; // country "-": outside mainland China
    const char *within;              // id of the broader line, above this row
    const char *stems, *short_name, *aliases;
};

// Ascending by code.
struct country_row {
    char code[3], continent[3];
    const char *aliases;
};

// Ascending by country, then code.
struct region_row {
    char country[3], code[4];
    const char *stems, *aliases;
};

// Names and codes of regions in lower case; ascending by country, then name as bytes.
struct region_name_row {
    char country[3], code[4];
    const char *name;
};

// `isp` counts the rows of kind LINE_ISP from 1.

// Ascending by number.
struct isp_asn_row {
    uint32_t asn;
    uint16_t isp;
};

// In the order of trust.
struct isp_pattern_row {
    uint16_t isp;
    const char *pattern;
};

// Disjoint; ascending by family, then address.
struct isp_network_row {
    struct prefix network;
    uint16_t isp;
};

extern const struct line_row line_rows[];
extern const size_t line_rows_count;
extern const struct country_row country_rows[];
extern const size_t country_rows_count;
extern const struct region_row region_rows[];
extern const size_t region_rows_count;
extern const struct region_name_row region_name_rows[];
extern const size_t region_name_rows_count;
extern const struct isp_asn_row isp_asn_rows[];
extern const size_t isp_asn_rows_count;
extern const struct isp_pattern_row isp_pattern_rows[];
extern const size_t isp_pattern_rows_count;
extern const struct isp_network_row isp_network_rows[];
extern const size_t isp_network_rows_count;
