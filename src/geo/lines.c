// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct lines: the catalogue of lines, made from the built-in tables and the operator's lines.
//
// Owns every line, every name that finds one (ids and aliases, folded to lower case in ASCII, in
// one open hash table) and the compiled organisation patterns. Made by the control thread or a
// loading thread whenever shared.yaml changes; read by any thread. Built-in names are unique by
// assertion: the unit test makes a catalogue, so a clash in the TSV files cannot be shipped.

#include "geo/lines.h"

#include "base/hash.h"
#include "base/memory.h"
#include "geo/geo.h"
#include "geo/tables.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE_MAX = 128, ISPS_MAX = 64 };

struct name {
    const char *text; // folded; NULL: a free slot
    int line;
};

struct lines {
    struct arena *arena;
    struct line *items;
    size_t count, capacity;
    struct name *names;
    size_t name_count, name_mask;
    regex_t *patterns; // one an isp_pattern_rows entry
    int isp_lines[ISPS_MAX];
    uint16_t isp_count; // with index 0, no ISP
};

// --- names

static bool name_fold(const char *name, char folded[NAME_SIZE_MAX])
{
    size_t i = 0;
    for (; name[i]; i++) {
        if (i == NAME_SIZE_MAX - 1) {
            return false;
        }
        folded[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    }
    folded[i] = 0;
    return true;
}

// The slot of a folded name: its own or the free one where it belongs.
static struct name *name_slot(const struct lines *lines, const char *folded)
{
    size_t i = hash_bytes(0, folded, strlen(folded)) & lines->name_mask;
    while (lines->names[i].text && strcmp(lines->names[i].text, folded) != 0) {
        i = (i + 1) & lines->name_mask;
    }
    return &lines->names[i];
}

static void names_grow(struct lines *lines)
{
    struct name *old = lines->names;
    size_t old_size = old ? lines->name_mask + 1 : 0;
    size_t size = old ? old_size * 2 : 8192;
    lines->names = mem_alloc_array(size, sizeof(*lines->names));
    lines->name_mask = size - 1;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].text) {
            *name_slot(lines, old[i].text) = old[i];
        }
    }
    free(old);
}

// False when the name is another line's.
static bool name_add(struct lines *lines, const char *name, int line)
{
    char folded[NAME_SIZE_MAX];
    SP_ASSERT(name_fold(name, folded));
    if (!lines->names || lines->name_count * 2 > lines->name_mask) {
        names_grow(lines);
    }
    struct name *slot = name_slot(lines, folded);
    if (slot->text) {
        return slot->line == line;
    }
    *slot = (struct name){arena_strdup(lines->arena, folded), line};
    lines->name_count++;
    return true;
}

static void alias_add(struct lines *lines, int line, const char *format, ...) PRINTF_LIKE(3, 4);

static void alias_add(struct lines *lines, int line, const char *format, ...)
{
    char name[NAME_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    SP_ASSERT(size > 0 && size < NAME_SIZE_MAX);
    SP_ASSERT(name_add(lines, name, line));
}

// Steps through a list separated by spaces: copies the next word, false at the end.
static bool word_next(const char **list, char word[NAME_SIZE_MAX])
{
    size_t size = strcspn(*list, " ");
    if (size == 0) {
        return false;
    }
    SP_ASSERT(size < NAME_SIZE_MAX);
    memcpy(word, *list, size);
    word[size] = 0;
    *list += size + ((*list)[size] == ' ');
    return true;
}

static void aliases_add(struct lines *lines, int line, const char *aliases)
{
    char word[NAME_SIZE_MAX];
    while (word_next(&aliases, word)) {
        alias_add(lines, line, "%s", word);
    }
}

// --- the built-in lines

static struct line *line_add(struct lines *lines, enum line_kind kind, const char *id)
{
    MEM_GROW(lines->items, lines->count, lines->capacity);
    struct line *line = &lines->items[lines->count++];
    *line = (struct line){.kind = kind, .id = arena_strdup(lines->arena, id)};
    return line;
}

static int last_line(const struct lines *lines)
{
    return (int)lines->count - 1;
}

static void code_copy(char *to, size_t size, const char *code)
{
    SP_ASSERT(strlen(code) < size);
    memcpy(to, code, strlen(code) + 1);
}

static void id_format(char id[NAME_SIZE_MAX], const char *stem, const char *region)
{
    char joined[NAME_SIZE_MAX];
    int size = snprintf(joined, sizeof(joined), "%s%s%s", stem, *region ? "-" : "", region);
    SP_ASSERT(size > 0 && size < NAME_SIZE_MAX);
    SP_ASSERT(name_fold(joined, id));
}

// "default", "overseas", continents.
static void add_general(struct lines *lines)
{
    for (size_t i = 0; i < line_rows_count; i++) {
        const struct line_row *row = &line_rows[i];
        if (row->kind == LINE_ISP) {
            continue;
        }
        struct line *line = line_add(lines, row->kind, row->id);
        code_copy(line->continent, sizeof(line->continent), row->continent);
        line->outside_mainland = row->country[0] == '-';
        line->narrow = *row->within;
        alias_add(lines, last_line(lines), "%s", row->id);
        aliases_add(lines, last_line(lines), row->aliases);
    }
}

// How a continent is written inside the code of a country: os_{stem}_{country}.
static const char *continent_stem(const char *continent)
{
    for (size_t i = 0; i < line_rows_count; i++) {
        if (line_rows[i].kind == LINE_CONTINENT && *line_rows[i].stems &&
            strcmp(line_rows[i].continent, continent) == 0) {
            return line_rows[i].stems;
        }
    }
    return NULL;
}

static void add_countries(struct lines *lines)
{
    char id[NAME_SIZE_MAX];
    for (size_t i = 0; i < country_rows_count; i++) {
        const struct country_row *row = &country_rows[i];
        id_format(id, row->code, "");
        struct line *line = line_add(lines, LINE_COUNTRY, id);
        code_copy(line->country, sizeof(line->country), row->code);
        alias_add(lines, last_line(lines), "%s", id);
        alias_add(lines, last_line(lines), "os_%s_%s", continent_stem(row->continent), id);
        aliases_add(lines, last_line(lines), row->aliases);
    }
}

static void region_aliases(struct lines *lines, const struct region_row *row)
{
    char word[NAME_SIZE_MAX];
    int line = last_line(lines);
    bool china = strcmp(row->country, "CN") == 0;
    const char *continent = continent_stem(geo_continent_of(row->country));
    for (const char *stems = row->stems; word_next(&stems, word);) {
        alias_add(lines, line, "%s-%s", row->country, word);
        if (china) { // Provinces go by their bare name; states of other countries do not.
            alias_add(lines, line, "%s", word);
            alias_add(lines, line, "cn_region_%s", word);
        } else {
            alias_add(lines, line, "os_%s_%s_%s", continent, row->country, word);
        }
    }
    aliases_add(lines, line, row->aliases);
}

static void add_regions(struct lines *lines)
{
    char id[NAME_SIZE_MAX];
    for (size_t i = 0; i < region_rows_count; i++) {
        const struct region_row *row = &region_rows[i];
        id_format(id, row->country, row->code);
        struct line *line = line_add(lines, LINE_REGION, id);
        code_copy(line->country, sizeof(line->country), row->country);
        code_copy(line->region, sizeof(line->region), row->code);
        alias_add(lines, last_line(lines), "%s", id);
        region_aliases(lines, row);
    }
}

static struct line *isp_line_add(struct lines *lines, enum line_kind kind, const char *id,
                                 uint16_t isp, const struct line_row *row)
{
    struct line *line = line_add(lines, kind, id);
    code_copy(line->country, sizeof(line->country), row->country);
    line->isp = isp;
    line->isps = UINT64_C(1) << isp;
    line->narrow = *row->within;
    uint16_t other = 0;
    for (size_t i = 0; i < line_rows_count; i++) {
        other += line_rows[i].kind == LINE_ISP;
        if (line_rows[i].kind == LINE_ISP && strcmp(line_rows[i].within, row->id) == 0) {
            line->isps |= UINT64_C(1) << other;
        }
    }
    alias_add(lines, last_line(lines), "%s", id);
    return line;
}

static void isp_region_aliases(struct lines *lines, const struct line_row *row,
                               const struct region_row *region)
{
    char stem[NAME_SIZE_MAX], province[NAME_SIZE_MAX];
    int line = last_line(lines);
    for (const char *provinces = region->stems; word_next(&provinces, province);) {
        alias_add(lines, line, "%s-%s", row->id, province);
        for (const char *stems = row->stems; word_next(&stems, stem);) {
            alias_add(lines, line, "cn_%s_%s", stem, province);
            alias_add(lines, line, "%s_%s", stem, province);
        }
    }
    alias_add(lines, line, "%s%s", region->aliases, row->short_name);
    alias_add(lines, line, "%s_%s", row->short_name, region->aliases);
}

static void add_isps(struct lines *lines)
{
    lines->isp_count = 1;
    lines->isp_lines[0] = -1;
    for (size_t i = 0; i < line_rows_count; i++) {
        if (line_rows[i].kind != LINE_ISP) {
            continue;
        }
        SP_ASSERT(lines->isp_count < ISPS_MAX);
        isp_line_add(lines, LINE_ISP, line_rows[i].id, lines->isp_count, &line_rows[i]);
        aliases_add(lines, last_line(lines), line_rows[i].aliases);
        lines->isp_lines[lines->isp_count++] = last_line(lines);
    }
}

static void add_isp_regions(struct lines *lines)
{
    char id[NAME_SIZE_MAX];
    uint16_t isp = 0;
    for (size_t i = 0; i < line_rows_count; i++) {
        const struct line_row *row = &line_rows[i];
        isp += row->kind == LINE_ISP;
        for (size_t k = 0; row->kind == LINE_ISP && k < region_rows_count; k++) {
            if (strcmp(region_rows[k].country, row->country) == 0) {
                id_format(id, row->id, region_rows[k].code);
                struct line *line = isp_line_add(lines, LINE_ISP_REGION, id, isp, row);
                code_copy(line->region, sizeof(line->region), region_rows[k].code);
                isp_region_aliases(lines, row, &region_rows[k]);
            }
        }
    }
}

static void compile_patterns(struct lines *lines)
{
    lines->patterns = mem_alloc_array(isp_pattern_rows_count, sizeof(*lines->patterns));
    for (size_t i = 0; i < isp_pattern_rows_count; i++) {
        int error = regcomp(&lines->patterns[i], isp_pattern_rows[i].pattern,
                            REG_EXTENDED | REG_ICASE | REG_NOSUB);
        SP_ASSERT(error == 0);
    }
}

// --- the operator's lines

static void custom_fill(struct lines *lines, struct line *line, const struct line_definition *from)
{
    line->network_count = from->network_count;
    line->networks =
        arena_copy(lines->arena, from->networks, from->network_count * sizeof(*from->networks));
    line->asn_count = from->asn_count;
    line->asns = arena_copy(lines->arena, from->asns, from->asn_count * sizeof(*from->asns));
    line->country_count = from->country_count;
    line->countries =
        arena_copy(lines->arena, from->countries, from->country_count * sizeof(*from->countries));
}

static void custom_add(struct lines *lines, const struct line_definition *from, struct diags *diags)
{
    char folded[NAME_SIZE_MAX];
    if (!*from->name || !name_fold(from->name, folded)) {
        diags_error(diags, from->place, from->name, "a line's name has 1 to %d characters",
                    NAME_SIZE_MAX - 1);
        return;
    }
    const struct name *slot = name_slot(lines, folded);
    if (slot->text) {
        diags_error(diags, from->place, from->name, "this name is taken already by line \"%s\"",
                    lines->items[slot->line].id);
        return;
    }
    if (from->network_count + from->asn_count + from->country_count == 0) {
        diags_error(diags, from->place, from->name,
                    "a line needs networks, asns or countries: nobody is in it");
    }
    custom_fill(lines, line_add(lines, LINE_CUSTOM, from->name), from);
    name_add(lines, from->name, last_line(lines));
}

struct lines *lines_new(const struct line_definition *custom, size_t count, struct diags *diags)
{
    struct lines *lines = mem_alloc(sizeof(*lines));
    lines->arena = arena_new();
    add_general(lines);
    add_countries(lines);
    add_regions(lines);
    add_isps(lines);
    add_isp_regions(lines);
    compile_patterns(lines);
    for (size_t i = 0; i < count; i++) {
        custom_add(lines, &custom[i], diags);
    }
    return lines;
}

void lines_free(struct lines *lines)
{
    if (!lines) {
        return;
    }
    for (size_t i = 0; i < isp_pattern_rows_count; i++) {
        regfree(&lines->patterns[i]);
    }
    free(lines->patterns);
    free(lines->names);
    free(lines->items);
    arena_free(lines->arena);
    free(lines);
}

// --- asking

size_t lines_count(const struct lines *lines)
{
    return lines->count;
}

const struct line *lines_get(const struct lines *lines, size_t index)
{
    SP_ASSERT(index < lines->count);
    return &lines->items[index];
}

int lines_find(const struct lines *lines, const char *name)
{
    char folded[NAME_SIZE_MAX];
    if (!name_fold(name, folded)) {
        return -1;
    }
    const struct name *slot = name_slot(lines, folded);
    return slot->text ? slot->line : -1;
}

static bool custom_holds(const struct line *line, const struct location *location)
{
    for (size_t i = 0; i < line->country_count; i++) {
        if (strcmp(line->countries[i], location->country) == 0) {
            return true;
        }
    }
    return false;
}

bool line_holds(const struct line *line, const struct location *location)
{
    if (line->kind == LINE_CUSTOM) {
        return custom_holds(line, location);
    }
    if (line->outside_mainland && (!*location->country || strcmp(location->country, "CN") == 0)) {
        return false;
    }
    return (!*line->continent || strcmp(line->continent, location->continent) == 0) &&
           (!*line->country || strcmp(line->country, location->country) == 0) &&
           (!*line->region || strcmp(line->region, location->region) == 0) &&
           (!line->isp || (line->isps & UINT64_C(1) << location->isp) != 0);
}

unsigned line_rank(const struct line *line, enum line_precedence precedence)
{
    static const uint8_t ranks[][LINE_CUSTOM + 1] = {
        [PRECEDENCE_ISP_FIRST] = {[LINE_DEFAULT] = 0,
                                  [LINE_OVERSEAS] = 1,
                                  [LINE_CONTINENT] = 2,
                                  [LINE_COUNTRY] = 3,
                                  [LINE_REGION] = 4,
                                  [LINE_ISP] = 5,
                                  [LINE_ISP_REGION] = 6,
                                  [LINE_CUSTOM] = 7},
        [PRECEDENCE_PROVINCE_FIRST] = {[LINE_DEFAULT] = 0,
                                       [LINE_OVERSEAS] = 1,
                                       [LINE_CONTINENT] = 2,
                                       [LINE_COUNTRY] = 3,
                                       [LINE_ISP] = 4,
                                       [LINE_REGION] = 5,
                                       [LINE_ISP_REGION] = 6,
                                       [LINE_CUSTOM] = 7},
    };
    return ranks[precedence][line->kind] * 2U + line->narrow;
}

// --- ISPs

static const struct isp_asn_row *asn_row_find(uint32_t asn)
{
    size_t low = 0, high = isp_asn_rows_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (isp_asn_rows[middle].asn < asn) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < isp_asn_rows_count && isp_asn_rows[low].asn == asn ? &isp_asn_rows[low] : NULL;
}

uint16_t lines_isp_of_asn(const struct lines *lines, uint32_t asn, const char *organisation,
                          const char *country)
{
    const struct isp_asn_row *row = asn_row_find(asn);
    if (row) {
        const char *of = lines_isp_country(lines, row->isp);
        return !*of || !*country || strcmp(of, country) == 0 ? row->isp : 0;
    }
    for (size_t i = 0; *country && i < isp_pattern_rows_count; i++) {
        uint16_t isp = isp_pattern_rows[i].isp;
        if (strcmp(lines_isp_country(lines, isp), country) == 0 &&
            regexec(&lines->patterns[i], organisation, 0, NULL, 0) == 0) {
            return isp;
        }
    }
    return 0;
}

const char *lines_isp_name(const struct lines *lines, uint16_t isp)
{
    SP_ASSERT(isp < lines->isp_count);
    return isp ? lines->items[lines->isp_lines[isp]].id : "";
}

const char *lines_isp_country(const struct lines *lines, uint16_t isp)
{
    SP_ASSERT(isp < lines->isp_count);
    return isp ? lines->items[lines->isp_lines[isp]].country : "";
}

uint16_t lines_isp_find(const struct lines *lines, const char *name)
{
    int line = lines_find(lines, name);
    return line >= 0 && lines->items[line].kind == LINE_ISP ? lines->items[line].isp : 0;
}

bool lines_isp_network(const struct lines *lines, size_t index, struct prefix *network,
                       uint16_t *isp)
{
    if (index >= isp_network_rows_count) {
        return false;
    }
    SP_ASSERT(isp_network_rows[index].isp < lines->isp_count);
    *network = isp_network_rows[index].network;
    *isp = isp_network_rows[index].isp;
    return true;
}
