// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct lines: the catalogue of lines, made from the built-in tables and the operator's lines.
//
// Owns every line and every name that finds one (ids and aliases, folded to lower case in ASCII, in
// one open hash table); lines_facts.c owns what tells an ISP. Made by the control thread or a
// loading thread whenever shared.yaml or the operator's file changes; read by any thread. Built-in
// names are unique by assertion: the unit test makes a catalogue, so a clash in the TSV files
// cannot be shipped.

#include "geo/lines.h"

#include "base/hash.h"
#include "geo/geo.h"
#include "geo/lines_internal.h"
#include "geo/tables.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const line_precedence_names[PRECEDENCE_COUNT + 1] = {"isp-first", "province-first",
                                                                 NULL};

// --- names

bool line_name_fold(const char *name, char folded[LINE_NAME_SIZE_MAX])
{
    size_t i = 0;
    for (; name[i]; i++) {
        if (i == LINE_NAME_SIZE_MAX - 1) {
            return false;
        }
        folded[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    }
    folded[i] = 0;
    return true;
}

// The slot of a folded name: its own or the free one where it belongs.
struct line_name *line_name_slot(const struct lines *lines, const char *folded)
{
    size_t i = hash_bytes(0, folded, strlen(folded)) & lines->name_mask;
    while (lines->names[i].text && strcmp(lines->names[i].text, folded) != 0) {
        i = (i + 1) & lines->name_mask;
    }
    return &lines->names[i];
}

static void names_grow(struct lines *lines)
{
    struct line_name *old = lines->names;
    size_t old_size = old ? lines->name_mask + 1 : 0;
    size_t size = old ? old_size * 2 : 32768;
    lines->names = mem_alloc_array(size, sizeof(*lines->names));
    lines->name_mask = size - 1;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].text) {
            *line_name_slot(lines, old[i].text) = old[i];
        }
    }
    free(old);
}

bool line_name_add(struct lines *lines, const char *name, int line, bool fixed)
{
    char folded[LINE_NAME_SIZE_MAX];
    if (!line_name_fold(name, folded)) {
        return false;
    }
    if (lines->name_count * 2 > lines->name_mask) {
        names_grow(lines);
    }
    struct line_name *slot = line_name_slot(lines, folded);
    if (slot->text && (slot->fixed || !fixed)) {
        return slot->line == line;
    }
    lines->name_count += slot->text == NULL;
    *slot = (struct line_name){arena_strdup(lines->arena, folded), line, fixed};
    return true;
}

void alias_add(struct lines *lines, int line, const char *format, ...)
{
    char name[LINE_NAME_SIZE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(name, sizeof(name), format, arguments);
    va_end(arguments);
    bool fits = size > 0 && size < LINE_NAME_SIZE_MAX;
    bool added = fits && line_name_add(lines, name, line, false);
    SP_ASSERT(added || lines->file != NULL);
}

bool word_next(const char **list, char word[LINE_NAME_SIZE_MAX])
{
    *list += strspn(*list, " ");
    size_t size = strcspn(*list, " ");
    if (size == 0 || size >= LINE_NAME_SIZE_MAX) {
        return false;
    }
    memcpy(word, *list, size);
    word[size] = 0;
    *list += size;
    return true;
}

struct line *line_add(struct lines *lines, enum line_kind kind, const char *id)
{
    MEM_GROW(lines->items, lines->count, lines->capacity);
    struct line *line = &lines->items[lines->count++];
    *line = (struct line){.kind = kind, .id = arena_strdup(lines->arena, id), .within = -1};
    return line;
}

int line_last(const struct lines *lines)
{
    return (int)lines->count - 1;
}

// --- the operator's lines

static void custom_fill(struct lines *lines, struct line *line, const struct line_definition *from)
{
    line->place = from->place;
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
    char folded[LINE_NAME_SIZE_MAX];
    if (!*from->name || !line_name_fold(from->name, folded)) {
        diags_error(diags, from->place, from->name, "a line's name has 1 to %d characters",
                    LINE_NAME_SIZE_MAX - 1);
        return;
    }
    const struct line_name *slot = line_name_slot(lines, folded);
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
    line_name_add(lines, from->name, line_last(lines), true);
}

struct lines *lines_load(const char *path, const struct line_definition *custom, size_t count,
                         struct diags *diags)
{
    struct lines *lines = mem_alloc(sizeof(*lines));
    lines->arena = arena_new();
    lines->isp_count = 1;
    lines->isps[0].line = -1;
    names_grow(lines);
    lines_add_places(lines);
    lines_read_builtin(lines);
    lines_add_opaque(lines);
    lines_add_providers(lines);
    if (path != NULL) {
        lines_read_file(lines, path, diags);
    }
    lines_finish_lines(lines);
    lines_finish_facts(lines, path, diags);
    for (size_t i = 0; i < count; i++) {
        custom_add(lines, &custom[i], diags);
    }
    return lines;
}

struct lines *lines_new(const struct line_definition *custom, size_t count, struct diags *diags)
{
    return lines_load(NULL, custom, count, diags);
}

void lines_free(struct lines *lines)
{
    if (!lines) {
        return;
    }
    lines_free_facts(lines);
    free(lines->places);
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
    char folded[LINE_NAME_SIZE_MAX];
    if (!line_name_fold(name, folded)) {
        return -1;
    }
    const struct line_name *slot = line_name_slot(lines, folded);
    return slot->text ? slot->line : -1;
}

int lines_find_at(const struct lines *lines, const char *provider, const char *code)
{
    char name[LINE_NAME_SIZE_MAX];
    int size = snprintf(name, sizeof(name), "%s:%s", provider, code);
    int line = size < LINE_NAME_SIZE_MAX ? lines_find(lines, name) : -1;
    // Short names are codes of countries and continents, in which providers differ; a number is the
    // provider's own.
    bool common = strlen(code) > 3 && strspn(code, "0123456789=") != strlen(code);
    return line < 0 && common && strchr(code, ':') == NULL ? lines_find(lines, code) : line;
}

bool lines_is_foreign(const struct lines *lines, const char *name, int *line)
{
    for (const char *const *provider = provider_names; *provider != NULL; provider++) {
        size_t size = strlen(*provider);
        if (strncasecmp(name, *provider, size) == 0 && name[size] == ':' && name[size + 1] != 0) {
            *line = lines->opaque;
            return true;
        }
    }
    return false;
}

static bool listed(const void *codes, size_t size, size_t count, const char *code)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp((const char *)codes + i * size, code) == 0) {
            return true;
        }
    }
    return false;
}

bool line_holds(const struct line *line, const struct location *location)
{
    bool in_countries =
        listed(line->countries, sizeof(*line->countries), line->country_count, location->country);
    if (line->kind == LINE_CUSTOM || line->kind == LINE_SEARCH || line->kind == LINE_OPAQUE) {
        return in_countries;
    }
    if (line->outside_mainland && (!*location->country || strcmp(location->country, "CN") == 0)) {
        return false;
    }
    return (line->country_count == 0 || in_countries) &&
           (line->region_count == 0 ||
            listed(line->regions, sizeof(*line->regions), line->region_count, location->region)) &&
           (!*line->continent || strcmp(line->continent, location->continent) == 0) &&
           (!*line->country || strcmp(line->country, location->country) == 0) &&
           (!*line->region || strcmp(line->region, location->region) == 0) &&
           (!line->isp || (line->isps & UINT64_C(1) << location->isp) != 0);
}

unsigned line_rank(const struct line *line, enum line_precedence precedence)
{
    // From weak to strong.
    static const uint8_t orders[PRECEDENCE_COUNT][LINE_KIND_COUNT] = {
        [PRECEDENCE_ISP_FIRST] = {LINE_DEFAULT, LINE_OVERSEAS, LINE_CONTINENT, LINE_COUNTRY,
                                  LINE_AREA, LINE_REGION, LINE_ISP, LINE_ISP_AREA, LINE_ISP_REGION,
                                  LINE_CLOUD, LINE_SEARCH, LINE_CUSTOM, LINE_OPAQUE},
        [PRECEDENCE_PROVINCE_FIRST] = {LINE_DEFAULT, LINE_OVERSEAS, LINE_CONTINENT, LINE_COUNTRY,
                                       LINE_ISP, LINE_CLOUD, LINE_AREA, LINE_ISP_AREA, LINE_REGION,
                                       LINE_ISP_REGION, LINE_SEARCH, LINE_CUSTOM, LINE_OPAQUE},
    };
    unsigned rank = 0;
    while (orders[precedence][rank] != line->kind) {
        rank++;
    }
    return rank << 8 | line->depth;
}

// --- lines that claim the same

struct claim {
    struct prefix network;
    const struct line *line;
};

static int claim_compare(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    int order = memcmp(&x->network, &y->network, sizeof(x->network));
    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}

void lines_clashes(const struct lines *lines, line_clash *report, void *context)
{
    struct claim *claims = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->items[i];
        for (size_t k = 0; line->kind == LINE_CUSTOM && k < line->network_count; k++) {
            MEM_GROW(claims, count, capacity);
            claims[count++] = (struct claim){line->networks[k], line};
        }
    }
    if (count > 0) {
        qsort(claims, count, sizeof(*claims), claim_compare);
    }
    for (size_t i = 1; i < count; i++) {
        const struct claim *a = &claims[i - 1], *b = &claims[i];
        if (a->line != b->line && memcmp(&a->network, &b->network, sizeof(a->network)) == 0) {
            report(context, a->line, b->line, &a->network);
        }
    }
    free(claims);
}
