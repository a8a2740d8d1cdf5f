// SPDX-License-Identifier: GPL-3.0-or-later
//
// The lines of the catalogue: those of countries and regions, those of rows, and those that follow:
// an ISP in each area and region of its country, the halves of a cloud.
//
// Called while a struct lines is made, by whatever thread makes it: countries and regions first,
// then the built-in rows, then an operator's, so that each row finds what it refers to.
#include "geo/geo.h"
#include "geo/lines_internal.h"
#include "geo/tables.h"

#include <stdio.h>
#include <string.h>

enum field { KIND, ID, CONTINENT, COUNTRIES, REGIONS, WITHIN, STEMS, SHORT, ALIASES };

static void code_copy(char *to, size_t size, const char *code)
{
    SP_ASSERT(strlen(code) < size);
    memcpy(to, code, strlen(code) + 1);
}

static void id_format(char id[LINE_NAME_SIZE_MAX], const char *stem, const char *region)
{
    char joined[LINE_NAME_SIZE_MAX];
    int size = snprintf(joined, sizeof(joined), "%s%s%s", stem, *region ? "-" : "", region);
    SP_ASSERT(size > 0 && size < LINE_NAME_SIZE_MAX);
    SP_ASSERT(line_name_fold(joined, id));
}

static void id_add(struct lines *lines)
{
    SP_ASSERT(line_name_add(lines, lines->items[line_last(lines)].id, line_last(lines), true));
}

static void aliases_add(struct lines *lines, int line, const char *aliases)
{
    char word[LINE_NAME_SIZE_MAX];
    while (word_next(&aliases, word)) {
        alias_add(lines, line, "%s", word);
    }
}

// --- countries and regions

// How providers write a continent inside the code of a country: os_{stem}_{country}.
static const char *continent_stem(const char *continent)
{
    static const char *const stems[][2] = {{"AF", "africa"},  {"AS", "asia"},
                                           {"EU", "euro"},    {"NA", "namerica"},
                                           {"OC", "oceania"}, {"SA", "samerica"}};
    for (size_t i = 0; i < ARRAY_SIZE(stems); i++) {
        if (strcmp(stems[i][0], continent) == 0) {
            return stems[i][1];
        }
    }
    return "antarctica";
}

static void add_countries(struct lines *lines)
{
    char id[LINE_NAME_SIZE_MAX];
    for (size_t i = 0; i < country_rows_count; i++) {
        const struct country_row *row = &country_rows[i];
        id_format(id, row->code, "");
        struct line *line = line_add(lines, LINE_COUNTRY, id);
        code_copy(line->country, sizeof(line->country), row->code);
        id_add(lines);
        alias_add(lines, line_last(lines), "os_%s_%s", continent_stem(row->continent), id);
        aliases_add(lines, line_last(lines), row->aliases);
    }
}

static void place_add(struct lines *lines, int line, const char *stems, const char *short_name)
{
    MEM_GROW(lines->places, lines->place_count, lines->place_capacity);
    lines->places[lines->place_count++] = (struct line_place){line, stems, short_name};
}

static void place_aliases(struct lines *lines, int line, const char *country, const char *stems)
{
    char word[LINE_NAME_SIZE_MAX];
    bool china = strcmp(country, "CN") == 0;
    const char *continent = continent_stem(geo_continent_of(country));
    while (word_next(&stems, word)) {
        alias_add(lines, line, "%s-%s", country, word);
        if (china) { // Provinces go by their bare name; states of other countries do not.
            alias_add(lines, line, "%s", word);
            alias_add(lines, line, "cn_region_%s", word);
        } else {
            alias_add(lines, line, "os_%s_%s_%s", continent, country, word);
        }
    }
}

static void add_regions(struct lines *lines)
{
    char id[LINE_NAME_SIZE_MAX];
    for (size_t i = 0; i < region_rows_count; i++) {
        const struct region_row *row = &region_rows[i];
        id_format(id, row->country, row->code);
        struct line *line = line_add(lines, LINE_REGION, id);
        code_copy(line->country, sizeof(line->country), row->country);
        code_copy(line->region, sizeof(line->region), row->code);
        id_add(lines);
        place_aliases(lines, line_last(lines), row->country, row->stems);
        aliases_add(lines, line_last(lines), row->aliases);
        place_add(lines, line_last(lines), row->stems, row->aliases);
    }
}

void lines_add_places(struct lines *lines)
{
    add_countries(lines);
    add_regions(lines);
}

void lines_add_opaque(struct lines *lines)
{
    line_add(lines, LINE_OPAQUE, "opaque");
    lines->opaque = line_last(lines);
    id_add(lines);
}

void lines_add_providers(struct lines *lines)
{
    for (size_t i = 0; i < provider_rows_count; i++) {
        const struct provider_row *row = &provider_rows[i];
        int line = lines_find(lines, row->line);
        SP_ASSERT(line >= 0);
        alias_add(lines, line, "%s:%s", row->provider, row->code);
        for (const char *at = row->names; *at != 0;) {
            size_t size = strcspn(at, "|");
            alias_add(lines, line, "%s:%.*s", row->provider, (int)size, at);
            at += size + (at[size] == '|');
        }
    }
}

// --- an ISP in an area or region

// "gd" of "cn-gd" for an ISP of CN.
static const char *place_suffix(const struct line *place)
{
    size_t size = strlen(place->country);
    bool prefixed = strncasecmp(place->id, place->country, size) == 0 && place->id[size] == '-';
    return prefixed ? place->id + size + 1 : place->id;
}

static void cross_aliases(struct lines *lines, const struct isp *isp,
                          const struct line_place *place)
{
    char stem[LINE_NAME_SIZE_MAX], province[LINE_NAME_SIZE_MAX];
    int line = line_last(lines);
    const char *isp_id = lines->items[isp->line].id;
    for (const char *provinces = place->stems; word_next(&provinces, province);) {
        alias_add(lines, line, "%s-%s", isp_id, province);
        for (const char *stems = isp->stems; word_next(&stems, stem);) {
            alias_add(lines, line, "cn_%s_%s", stem, province);
            alias_add(lines, line, "%s_%s", stem, province);
        }
    }
    if (*place->short_name && *isp->short_name) {
        alias_add(lines, line, "%s%s", place->short_name, isp->short_name);
        alias_add(lines, line, "%s_%s", isp->short_name, place->short_name);
        if (lines->items[place->line].kind == LINE_AREA) {
            alias_add(lines, line, "%s_%s地区", isp->short_name, place->short_name);
        }
    }
}

static void cross(struct lines *lines, uint16_t isp, const struct line_place *place)
{
    char id[LINE_NAME_SIZE_MAX];
    const struct line of = lines->items[lines->isps[isp].line];
    const struct line at = lines->items[place->line];
    if (!*of.country || strcmp(of.country, at.country) != 0) {
        return;
    }
    id_format(id, of.id, place_suffix(&at));
    if (lines_find(lines, id) >= 0) {
        return; // an operator's row took the name
    }
    struct line *line = line_add(lines, at.kind == LINE_AREA ? LINE_ISP_AREA : LINE_ISP_REGION, id);
    code_copy(line->country, sizeof(line->country), of.country);
    code_copy(line->region, sizeof(line->region), at.region);
    line->regions = at.regions;
    line->region_count = at.region_count;
    line->isp = isp;
    line->place = of.place;
    id_add(lines);
    cross_aliases(lines, &lines->isps[isp], place);
}

// --- rows

static bool countries_read(struct lines *lines, const struct line_row *row, struct line *line,
                           struct diags *diags)
{
    char word[LINE_NAME_SIZE_MAX];
    size_t count = 0;
    char(*codes)[3] = arena_alloc(lines->arena, strlen(row->fields[COUNTRIES]) + 3);
    for (const char *list = row->fields[COUNTRIES]; word_next(&list, word); count++) {
        if (strlen(word) != 2 || !*geo_continent_of(word)) {
            row_fault(lines, row, COUNTRIES, diags,
                      "\"%.40s\" is no country; expected a code in capitals (ISO 3166-1)", word);
            return false;
        }
        memcpy(codes[count], word, 3);
    }
    if (line->kind == LINE_CONTINENT) {
        line->countries = (const char(*)[3])codes;
        line->country_count = count;
    } else if (count == 1) {
        code_copy(line->country, sizeof(line->country), codes[0]);
    } else if (count > 1) {
        row_fault(lines, row, COUNTRIES, diags, "expected one country");
        return false;
    }
    return true;
}

static bool regions_read(struct lines *lines, const struct line_row *row, struct line *line,
                         struct diags *diags)
{
    char word[LINE_NAME_SIZE_MAX];
    size_t count = 0;
    for (const char *list = row->fields[REGIONS]; word_next(&list, word);) {
        count++;
    }
    char(*codes)[8] = arena_alloc(lines->arena, count * sizeof(*codes) + 1);
    count = 0;
    for (const char *list = row->fields[REGIONS]; word_next(&list, word); count++) {
        const char *code = geo_region_code(line->country, word);
        code = *code ? code : word;
        if (strlen(code) > 3 ||
            strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != strlen(code)) {
            row_fault(lines, row, REGIONS, diags,
                      "\"%.40s\" is no region; expected a code as GD or CA (ISO 3166-2 without the "
                      "country)",
                      word);
            return false;
        }
        code_copy(codes[count], sizeof(codes[count]), code);
    }
    line->regions = (const char(*)[8])codes;
    line->region_count = count;
    return true;
}

struct row_kind {
    const char *name;
    enum line_kind kind;
    bool builtin_only;
    bool is_isp, countries, regions; // compulsory fields
    bool takes_countries;
};

static const struct row_kind row_kinds[] = {
    {"default", LINE_DEFAULT, .builtin_only = true},
    {"overseas", LINE_OVERSEAS, .builtin_only = true},
    {"continent", LINE_CONTINENT, .builtin_only = true},
    {"group", LINE_CONTINENT, .countries = true, .takes_countries = true},
    {"area", LINE_AREA, .countries = true, .regions = true, .takes_countries = true},
    {"isp", LINE_ISP, .is_isp = true, .takes_countries = true},
    {"cloud", LINE_CLOUD, .is_isp = true},
    {"search", LINE_SEARCH, .builtin_only = false},
    {"custom", LINE_CUSTOM, .builtin_only = false},
};

// How many lines a line lies within, itself one of them.
static unsigned depth_at(const struct lines *lines, int line)
{
    unsigned depth = 0;
    for (; line >= 0; line = lines->items[line].within) {
        depth++;
    }
    return depth;
}

static bool within_read(struct lines *lines, const struct line_row *row, struct line *line,
                        struct diags *diags)
{
    line->within = -1;
    if (!*row->fields[WITHIN]) {
        return true;
    }
    int within = lines_find(lines, row->fields[WITHIN]);
    if (within < 0 || lines->items[within].kind != line->kind) {
        row_fault(lines, row, WITHIN, diags, "\"%.60s\" is no line of this kind above",
                  row->fields[WITHIN]);
        return false;
    }
    if (depth_at(lines, within) > UINT8_MAX) {
        row_fault(lines, row, WITHIN, diags, "more than %d lines within one another", UINT8_MAX);
        return false;
    }
    line->within = within;
    return true;
}

static bool fields_read(struct lines *lines, const struct line_row *row,
                        const struct row_kind *kind, struct line *line, struct diags *diags)
{
    const char *countries = row->fields[COUNTRIES];
    if (kind->countries && !*countries) {
        row_fault(lines, row, COUNTRIES, diags, "expected countries");
        return false;
    }
    if (kind->regions && !*row->fields[REGIONS]) {
        row_fault(lines, row, REGIONS, diags, "expected regions");
        return false;
    }
    if (kind->builtin_only) {
        code_copy(line->continent, sizeof(line->continent), row->fields[CONTINENT]);
        line->outside_mainland = countries[0] == '-';
    } else if (!kind->takes_countries && *countries) {
        row_fault(lines, row, COUNTRIES, diags, "a row of this kind has no countries");
        return false;
    } else if (!countries_read(lines, row, line, diags)) {
        return false;
    }
    return (!kind->regions || regions_read(lines, row, line, diags)) &&
           within_read(lines, row, line, diags);
}

// The id, unless it is taken or no word.
static bool id_read(struct lines *lines, const struct line_row *row, char id[LINE_NAME_SIZE_MAX],
                    struct diags *diags)
{
    const char *text = row->fields[ID];
    if (!*text || strlen(text) > LINE_ID_MAX || strcspn(text, " :") != strlen(text)) {
        row_fault(lines, row, ID, diags,
                  "expected an id of 1 to %d characters without blanks and colons", LINE_ID_MAX);
        return false;
    }
    SP_ASSERT(line_name_fold(text, id));
    const struct line_name *slot = line_name_slot(lines, id);
    if (slot->text != NULL && (slot->fixed || lines->file == NULL)) {
        row_fault(lines, row, ID, diags,
                  "this name is taken already by line \"%s\"; rows of facts change a line",
                  lines->items[slot->line].id);
        return false;
    }
    return true;
}

static void cloud_halves(struct lines *lines, const struct line_row *row, int cloud,
                         const char *stems, struct diags *diags)
{
    static const char *const suffixes[] = {"cn", "overseas"}, *const prefixes[] = {"cn", "os"};
    char id[LINE_NAME_SIZE_MAX], stem[LINE_NAME_SIZE_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        const struct line whole = lines->items[cloud];
        id_format(id, whole.id, suffixes[i]);
        if (line_name_slot(lines, id)->fixed) {
            row_fault(lines, row, ID, diags,
                      "\"%s\", which would be half of this cloud, is a line already", id);
            continue;
        }
        struct line *line = line_add(lines, LINE_CLOUD, id);
        line->isp = whole.isp;
        line->within = cloud;
        line->place = whole.place;
        line->outside_mainland = i == 1;
        if (i == 0) {
            code_copy(line->country, sizeof(line->country), "CN");
        }
        id_add(lines);
        for (const char *list = stems; word_next(&list, stem);) {
            alias_add(lines, line_last(lines), "%s_%s", prefixes[i], stem);
        }
    }
}

// What follows from a line that is complete.
static void row_follow(struct lines *lines, const struct line_row *row, const struct row_kind *kind,
                       int line, struct diags *diags)
{
    const char *stems = arena_strdup(lines->arena, row->fields[STEMS]);
    const char *short_name = arena_strdup(lines->arena, row->fields[SHORT]);
    if (kind->is_isp) {
        int within = lines->items[line].within;
        uint16_t isp = lines->isp_count++;
        lines->isps[isp] =
            (struct isp){line, within >= 0 ? lines->items[within].isp : 0, stems, short_name};
        lines->items[line].isp = isp;
        for (size_t i = 0; kind->kind == LINE_ISP && i < lines->place_count; i++) {
            cross(lines, isp, &lines->places[i]);
        }
        if (kind->kind == LINE_CLOUD) {
            cloud_halves(lines, row, line, stems, diags);
        }
    } else if (kind->kind == LINE_AREA) {
        place_aliases(lines, line, lines->items[line].country, stems);
        place_add(lines, line, stems, short_name);
        for (uint16_t isp = 1; isp < lines->isp_count; isp++) {
            cross(lines, isp, &lines->places[lines->place_count - 1]);
        }
    }
}

void row_names_add(struct lines *lines, const struct line_row *row, size_t field, int line,
                   struct diags *diags)
{
    char word[LINE_NAME_SIZE_MAX];
    for (const char *list = row->fields[field]; word_next(&list, word);) {
        if (!line_name_add(lines, word, line, lines->file != NULL)) {
            row_fault(lines, row, field, diags, "\"%s\" names a line already", word);
        }
    }
}

bool row_words_fit(const struct lines *lines, const struct line_row *row, size_t field,
                   struct diags *diags)
{
    for (const char *at = row->fields[field]; *at != '\0';) {
        at += strspn(at, " ");
        size_t size = strcspn(at, " ");
        if (size >= LINE_NAME_SIZE_MAX) {
            row_fault(lines, row, field, diags, "\"%.40s...\" is longer than %d characters", at,
                      LINE_NAME_SIZE_MAX - 1);
            return false;
        }
        at += size;
    }
    return true;
}

static bool all_words_fit(const struct lines *lines, const struct line_row *row,
                          struct diags *diags)
{
    bool fit = true;
    for (size_t field = 0; field < ROW_FIELDS_MAX; field++) {
        fit &= row_words_fit(lines, row, field, diags);
    }
    return fit;
}

static void row_add(struct lines *lines, const struct line_row *row, const struct row_kind *kind,
                    struct diags *diags)
{
    char id[LINE_NAME_SIZE_MAX];
    struct line line = {.kind = kind->kind};
    if (kind->builtin_only && lines->file != NULL) {
        row_fault(lines, row, KIND, diags, "lines of this kind are built in");
    } else if (kind->is_isp && lines->isp_count == ISPS_MAX) {
        row_fault(lines, row, KIND, diags, "more than %d ISPs and clouds", ISPS_MAX - 1);
    } else if (all_words_fit(lines, row, diags) && id_read(lines, row, id, diags) &&
               fields_read(lines, row, kind, &line, diags)) {
        const char *copy = line_add(lines, kind->kind, id)->id;
        int index = line_last(lines);
        line.id = copy;
        if (lines->file != NULL) {
            line.place = (struct place){lines->file, row->number, row->columns[ID]};
        }
        lines->items[index] = line;
        SP_ASSERT(line_name_add(lines, id, index, true));
        row_names_add(lines, row, ALIASES, index, diags);
        row_follow(lines, row, kind, index, diags);
    }
}

bool lines_add_row(struct lines *lines, const struct line_row *row, struct diags *diags)
{
    for (size_t i = 0; i < ARRAY_SIZE(row_kinds); i++) {
        if (strcmp(row_kinds[i].name, row->fields[KIND]) == 0) {
            row_add(lines, row, &row_kinds[i], diags);
            return true;
        }
    }
    return false;
}

void lines_finish_lines(struct lines *lines)
{
    uint64_t isps[ISPS_MAX] = {0};
    uint8_t depths[ISPS_MAX] = {0};
    for (uint16_t i = 1; i < lines->isp_count; i++) {
        for (uint16_t at = i; at != 0; at = lines->isps[at].within) {
            isps[at] |= UINT64_C(1) << i;
            depths[i] += at != i;
        }
    }
    for (size_t i = 0; i < lines->count; i++) {
        struct line *line = &lines->items[i];
        line->isps = isps[line->isp];
        line->depth = line->isp && line->kind != LINE_CLOUD ? depths[line->isp] : 0;
        for (int at = line->within; line->isp == 0 || line->kind == LINE_CLOUD;
             at = lines->items[at].within) {
            if (at < 0) {
                break;
            }
            line->depth++;
        }
    }
}
