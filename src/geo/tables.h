// SPDX-License-Identifier: GPL-3.0-or-later
//
// The catalogue's data in C. scripts/geo_tables.py makes it at build time: countries.tsv and
// regions.tsv as tables that it has checked; lines.tsv and isps.tsv as text, because lines_read.c
// reads them as it reads an operator's file; providers.tsv as a table. Inside geo/ only.
#pragma once

#include "base/base.h"

// Lists of stems and aliases are separated by one space; "" is none.

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

// A provider's code, and its names of the line with "|" between.
struct provider_row {
    const char *provider, *code, *line, *names;
};

extern const struct country_row country_rows[];
extern const size_t country_rows_count;
extern const struct region_row region_rows[];
extern const size_t region_rows_count;
extern const struct region_name_row region_name_rows[];
extern const size_t region_name_rows_count;
extern const struct provider_row provider_rows[];
extern const size_t provider_rows_count;
// Ends with NULL.
extern const char *const provider_names[];

// Rows of lines.tsv, then of isps.tsv, without comments.
extern const char *const catalogue_texts[];
extern const size_t catalogue_texts_count;
