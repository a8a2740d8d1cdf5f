// SPDX-License-Identifier: GPL-3.0-or-later
//
// networks.csv: what the operator knows of networks better than any database.
//
//   cidr,country,region,asn,line,lat,lon
//   10.0.0.0/8,CN,GD,,office,,
//   10.9.0.0/16,,,64500,cn-telecom,23.1,113.3
//
// The first line names the columns, in any order; only cidr is compulsory. An empty cell says
// nothing. Each cell of a network counts for all of it but the narrower networks that fill the same
// cell. A country that differs from what is below it takes the region and the coordinates of the
// other country away. `line` is a line by any of its names: an ISP's, one of the operator's, a
// country's or region's (short for those cells), or `default` for "no ISP".
//
// Every fault is reported with line, column and field. Runs on the thread that loads.

#include "geo/geo_load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum column { CIDR, COUNTRY, REGION, ASN, LINE, LAT, LON, COLUMNS };

static const char *const column_names[COLUMNS] = {"cidr", "country", "region", "asn",
                                                  "line", "lat",     "lon"};

struct network {
    uint64_t first, last;
    struct override says; // its own cells; later with those of the networks around it
    struct prefix prefix;
    bool names_isp; // in a cell of its own
    unsigned line;  // FROM_CATALOGUE: of the operator's lines
};

static const unsigned FROM_CATALOGUE = UINT32_MAX;

struct reader {
    const char *path;
    struct csv csv;
    int fields[COLUMNS]; // where each column is in a row; -1: nowhere
    size_t column_count;
    const struct lines *lines;
    struct interner *interner;
    struct diags *diags;
    struct network *networks[FAMILIES];
    size_t counts[FAMILIES], capacities[FAMILIES];
    bool failed; // the row that is being read has a fault
};

static void fault(struct reader *r, enum column column, const char *format, ...) PRINTF_LIKE(3, 4);

static void fault(struct reader *r, enum column column, const char *format, ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct place place = {r->path, r->csv.line, 1};
    if (r->fields[column] >= 0 && (size_t)r->fields[column] < r->csv.count) {
        place.column = r->csv.columns[r->fields[column]];
    }
    diags_error(r->diags, place, column_names[column], "%s", text);
    r->failed = true;
}

static char *text_trim(char *text)
{
    text += strspn(text, " \t");
    size_t size = strlen(text);
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        text[--size] = 0;
    }
    return text;
}

// --- the header

static bool header_field(struct reader *r, size_t field)
{
    struct place place = {r->path, r->csv.line, r->csv.columns[field]};
    const char *name = text_trim(r->csv.fields[field]);
    for (size_t i = 0; i < COLUMNS; i++) {
        if (strcmp(name, column_names[i]) == 0) {
            if (r->fields[i] >= 0) {
                diags_error(r->diags, place, name, "this column is there twice");
                return false;
            }
            r->fields[i] = (int)field;
            return true;
        }
    }
    diags_error(r->diags, place, *name ? name : NULL,
                "unknown column; expected cidr, country, region, asn, line, lat or lon");
    return false;
}

static bool header_read(struct reader *r)
{
    bool good = true;
    for (size_t i = 0; i < COLUMNS; i++) {
        r->fields[i] = -1;
    }
    if (!csv_next(&r->csv)) {
        diags_error(r->diags, (struct place){r->path, 1, 1}, NULL,
                    "is empty; expected a line that names the columns: cidr,country,...");
        return false;
    }
    if (r->csv.fault) {
        diags_error(r->diags, (struct place){r->path, r->csv.line, 1}, NULL, "%s", r->csv.fault);
        return false;
    }
    for (size_t i = 0; i < r->csv.count; i++) {
        good = header_field(r, i) && good;
    }
    if (good && r->fields[CIDR] < 0) {
        diags_error(r->diags, (struct place){r->path, r->csv.line, 1}, "cidr",
                    "there is no column of this name");
        good = false;
    }
    r->column_count = r->csv.count;
    return good;
}

// --- cells

// The cell without blanks around it; "" when the row has no such cell.
static char *cell(struct reader *r, enum column column)
{
    static char empty[1];
    if (r->fields[column] < 0 || (size_t)r->fields[column] >= r->csv.count) {
        return empty;
    }
    return text_trim(r->csv.fields[r->fields[column]]);
}

static void read_cidr(struct reader *r, struct prefix *prefix)
{
    const char *text = cell(r, CIDR);
    bool host_bits = false;
    if (!prefix_parse(text, prefix, &host_bits)) {
        if (host_bits) {
            fault(r, CIDR, "\"%.60s\" has bits set past its length", text);
        } else {
            fault(r, CIDR, "\"%.60s\" is no network; expected the form 192.0.2.0/24", text);
        }
    } else if (prefix->length > 64) {
        fault(r, CIDR, "IPv6 networks are told apart up to /64, this one is a /%u", prefix->length);
    }
}

static void region_set(struct override *says, const char *country, const char *region)
{
    says->has_place = true;
    memcpy(says->country, country, 3);
    memset(says->region, 0, sizeof(says->region));
    memcpy(says->region, region, strlen(region));
}

static void read_place(struct reader *r, struct override *says)
{
    const char *text = cell(r, COUNTRY), *region = cell(r, REGION), *code = region;
    char country[3];
    country_normalise(text, country);
    if (*text && !*country) {
        fault(r, COUNTRY, "\"%.60s\" is no country; expected a code of two letters (ISO 3166-1)",
              text);
        return;
    }
    if (!*text && *region) {
        fault(r, REGION, "a region needs its country in the same row");
        return;
    }
    if (*region && (region_table_has(country) || !region_is_code(region))) {
        code = geo_region_code(country, region);
        if (!*code) {
            fault(r, REGION,
                  "\"%.60s\" is no region of %s; expected a code as GD or CA "
                  "(ISO 3166-2 without the country)",
                  region, country);
            return;
        }
    }
    if (*country) {
        region_set(says, country, code);
    }
}

static void read_asn(struct reader *r, struct override *says)
{
    const char *text = cell(r, ASN);
    uint32_t asn = asn_parse(text);
    if (*text && asn == 0) {
        fault(r, ASN, "\"%.60s\" is no AS number; expected 1 to 4294967295", text);
    }
    says->asn = intern_asn(r->interner, asn, "");
}

static void read_line(struct reader *r, struct override *says)
{
    const char *text = cell(r, LINE);
    int index = *text ? lines_find(r->lines, text) : -1;
    if (!*text) {
        return;
    }
    if (index < 0) {
        fault(r, LINE, "there is no line \"%.60s\"", text);
        return;
    }
    const struct line *line = lines_get(r->lines, (size_t)index);
    switch (line->kind) {
    case LINE_CUSTOM:
        says->custom_line = index;
        return;
    case LINE_OVERSEAS:
    case LINE_CONTINENT:
    case LINE_OPAQUE:
    case LINE_KIND_COUNT:
        fault(r, LINE, "a network cannot be put into \"%s\"; give its country", line->id);
        return;
    case LINE_AREA:
    case LINE_ISP_AREA:
        fault(r, LINE, "a network cannot be put into \"%s\"; give its region", line->id);
        return;
    case LINE_SEARCH:
        fault(r, LINE, "the networks of \"%s\" are rows of the file geo.lines", line->id);
        return;
    case LINE_DEFAULT:
    case LINE_ISP:
    case LINE_CLOUD:
    case LINE_ISP_REGION:
        says->has_isp = true;
        says->isp = line->isp;
        break;
    case LINE_COUNTRY:
    case LINE_REGION:
        break;
    }
    if (!*line->country) {
        return;
    }
    bool differs = says->has_place &&
                   (strcmp(says->country, line->country) != 0 ||
                    (*line->region && *says->region && strcmp(says->region, line->region) != 0));
    if (differs) {
        fault(r, LINE, "line \"%s\" contradicts the country or the region of the row", line->id);
    } else if (!says->has_place || !*says->region) {
        region_set(says, line->country, line->region);
    }
}

static bool read_degrees(struct reader *r, enum column column, double limit, float *value)
{
    const char *text = cell(r, column);
    char *end;
    double number = strtod(text, &end);
    if (!*text || *end || !(number >= -limit && number <= limit)) {
        fault(r, column, "\"%.60s\" is out of range; expected degrees from -%g to %g", text, limit,
              limit);
        return false;
    }
    *value = (float)number;
    return true;
}

static void read_coordinates(struct reader *r, struct override *says)
{
    bool lat = *cell(r, LAT), lon = *cell(r, LON);
    if (lat != lon) {
        fault(r, lat ? LON : LAT, "lat and lon go together");
    } else if (lat) {
        bool good = read_degrees(r, LAT, 90, &says->latitude);
        says->has_coordinates = read_degrees(r, LON, 180, &says->longitude) && good;
    }
}

static void network_add(struct reader *r, struct network *network)
{
    prefix_keys(&network->prefix, &network->first, &network->last);
    size_t i = family_index(network->prefix.address.family);
    MEM_GROW(r->networks[i], r->counts[i], r->capacities[i]);
    network->names_isp = network->says.has_isp;
    r->networks[i][r->counts[i]++] = *network;
}

static void row_read(struct reader *r)
{
    struct network network = {.says = {.custom_line = -1}, .line = r->csv.line};
    r->failed = false;
    if (r->csv.fault) {
        diags_error(r->diags, (struct place){r->path, r->csv.line, 1}, NULL, "%s", r->csv.fault);
        return;
    }
    if (r->csv.count > r->column_count) {
        diags_error(r->diags, (struct place){r->path, r->csv.line, r->csv.columns[r->column_count]},
                    NULL, "more fields than the first line has columns");
        return;
    }
    read_cidr(r, &network.prefix);
    read_place(r, &network.says);
    read_asn(r, &network.says);
    read_line(r, &network.says);
    read_coordinates(r, &network.says);
    if (r->failed) {
        return;
    }
    network_add(r, &network);
}

// The networks that the operator's file of lines gives to ISPs: as rows of this table that fill
// `line` alone.
static void catalogue_read(struct reader *r)
{
    struct network network = {.line = FROM_CATALOGUE};
    uint16_t isp;
    for (size_t i = 0; lines_own_network(r->lines, i, &network.prefix, &isp); i++) {
        network.says = (struct override){.custom_line = -1, .has_isp = true, .isp = isp};
        network_add(r, &network);
    }
}

// --- layers

// Wider networks before the narrower ones in them.
static int network_compare(const void *a, const void *b)
{
    const struct network *x = a, *y = b;
    if (x->first != y->first) {
        return x->first < y->first ? -1 : 1;
    }
    if (x->last != y->last) {
        return x->last > y->last ? -1 : 1;
    }
    return (x->line > y->line) - (x->line < y->line);
}

// `says` over what the network around it says.
static void override_inherit(struct override *says, const struct override *around)
{
    bool same_country =
        !says->has_place || (around->has_place && strcmp(says->country, around->country) == 0);
    if (around->has_place && (!says->has_place || (same_country && !*says->region))) {
        region_set(says, around->country, around->region);
    }
    if (!says->has_coordinates && around->has_coordinates && (same_country || !around->has_place)) {
        says->has_coordinates = true;
        says->latitude = around->latitude;
        says->longitude = around->longitude;
    }
    if (!says->has_isp && around->has_isp) {
        says->has_isp = true;
        says->isp = around->isp;
    }
    says->asn = says->asn ? says->asn : around->asn;
    says->custom_line = says->custom_line >= 0 ? says->custom_line : around->custom_line;
}

// Closes open networks that end before `key`, the narrowest first. Networks nest, so the open ones
// are a stack.
static size_t stack_close(struct runs *runs, const struct network *networks, const size_t *stack,
                          size_t depth, uint32_t base, uint64_t key, bool all)
{
    while (depth > 0 && (all || networks[stack[depth - 1]].last < key)) {
        const struct network *top = &networks[stack[depth - 1]];
        if (!runs->full && runs->end <= top->last) {
            runs_add(runs, runs->end, top->last, base + (uint32_t)stack[depth - 1]);
        }
        depth--;
    }
    return depth;
}

// Two rows for one network: the first of them counts. Both files may name it; networks.csv says
// more, and it comes first.
static void same_network(struct reader *r, struct network *first, const struct network *again)
{
    if (again->line != FROM_CATALOGUE) {
        diags_error(r->diags, (struct place){r->path, again->line, 1}, "cidr",
                    "this network is on line %u already", first->line);
    } else if (!first->names_isp) {
        first->says.has_isp = true;
        first->says.isp = again->says.isp;
    }
}

static void family_flatten(struct reader *r, size_t family, struct overrides *overrides)
{
    struct network *networks = r->networks[family];
    size_t count = r->counts[family], depth = 0;
    struct runs *runs = &overrides->runs[family];
    size_t stack[66]; // prefixes of 65 lengths
    uint32_t base = (uint32_t)overrides->count;
    if (count > 0) {
        qsort(networks, count, sizeof(*networks), network_compare);
    }
    for (size_t i = 0; i < count; i++) {
        struct network *network = &networks[i];
        if (i > 0 && network->first == networks[i - 1].first &&
            network->last == networks[i - 1].last) {
            same_network(r, &networks[stack[depth - 1]], network);
            continue;
        }
        depth = stack_close(runs, networks, stack, depth, base, network->first, false);
        if (depth > 0) {
            override_inherit(&network->says, &networks[stack[depth - 1]].says);
            if (runs->end < network->first) {
                runs_add(runs, runs->end, network->first - 1, base + (uint32_t)stack[depth - 1]);
            }
        } else if (runs->end < network->first) {
            runs_add(runs, runs->end, network->first - 1, 0);
        }
        stack[depth++] = i;
    }
    stack_close(runs, networks, stack, depth, base, 0, true);
    runs_finish(runs);
    overrides->items = mem_resize(overrides->items, base + count, sizeof(*overrides->items));
    for (size_t i = 0; i < count; i++) {
        overrides->items[base + i] = networks[i].says;
    }
    overrides->count += count;
}

void overrides_read(const char *path, const struct lines *lines, struct interner *interner,
                    struct overrides *overrides, struct diags *diags)
{
    struct reader reader = {.path = path, .lines = lines, .interner = interner, .diags = diags};
    *overrides = (struct overrides){.items = mem_alloc(sizeof(*overrides->items)), .count = 1};
    overrides->items[0].custom_line = -1;
    size_t size;
    int64_t changed_s;
    char *text = path ? file_read(path, &size, &changed_s, diags) : NULL;
    if (text) {
        // A byte order mark, as spreadsheets write it, is no part of the first name.
        size_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
        reader.csv = (struct csv){.at = text + mark, .end = text + size};
        if (header_read(&reader)) {
            while (csv_next(&reader.csv)) {
                row_read(&reader);
            }
        }
    }
    catalogue_read(&reader);
    for (size_t i = 0; i < FAMILIES; i++) {
        family_flatten(&reader, i, overrides);
        free(reader.networks[i]);
    }
    free(text);
}

void overrides_free(struct overrides *overrides)
{
    free(overrides->items);
    for (size_t i = 0; i < FAMILIES; i++) {
        runs_free(&overrides->runs[i]);
    }
}
