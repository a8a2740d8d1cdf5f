// SPDX-License-Identifier: GPL-3.0-or-later
//
// Continents of countries and codes of regions, out of the built-in tables.

#include "geo/geo_load.h"
#include "geo/tables.h"

#include <string.h>

static int country_compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct country_row *)row)->code);
}

const char *geo_continent_of(const char *country)
{
    const struct country_row *row =
        bsearch(country, country_rows, country_rows_count, sizeof(*country_rows), country_compare);
    return row ? row->continent : "";
}

// `country` and the folded `name` against a row; the rows are sorted by both.
struct region_key {
    const char *country, *name;
};

static int region_compare(const void *key, const void *row)
{
    const struct region_key *x = key;
    const struct region_name_row *y = row;
    int order = strcmp(x->country, y->country);
    return order ? order : strcmp(x->name, y->name);
}

const char *geo_region_code(const char *country, const char *name)
{
    char folded[64];
    size_t i = 0;
    for (; name[i]; i++) {
        if (i == sizeof(folded) - 1) {
            return "";
        }
        folded[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    }
    folded[i] = 0;
    struct region_key key = {country, folded};
    const struct region_name_row *row = bsearch(&key, region_name_rows, region_name_rows_count,
                                                sizeof(*region_name_rows), region_compare);
    return row ? row->code : "";
}

static int region_country_compare(const void *key, const void *row)
{
    return strcmp(key, ((const struct region_name_row *)row)->country);
}

bool region_table_has(const char *country)
{
    return bsearch(country, region_name_rows, region_name_rows_count, sizeof(*region_name_rows),
                   region_country_compare) != NULL;
}

bool region_is_code(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && size <= 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == size;
}

const char *region_normalise(const char *country, const char *text)
{
    return region_table_has(country) || !region_is_code(text) ? geo_region_code(country, text)
                                                              : text;
}

void country_normalise(const char *text, char country[3])
{
    country[0] = 0;
    if (strlen(text) != 2) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        country[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
    }
    country[2] = 0;
    if (!*geo_continent_of(country)) {
        country[0] = 0;
    }
}
