// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of struct lines, for lines.c (asking), lines_build.c (the lines of the catalogue's
// rows), lines_facts.c (what tells an ISP) and lines_read.c (the rows themselves). Inside geo/
// only.
#pragma once

#include "base/memory.h"
#include "geo/lines.h"

#include <regex.h>

// An id has half of what a name has: two of them make a third ("cn-example-delta").
enum { LINE_NAME_SIZE_MAX = 160, LINE_ID_MAX = (LINE_NAME_SIZE_MAX - 2) / 2, ISPS_MAX = 64 };

struct line_name {
    const char *text; // folded; NULL: a free slot
    int line;
    bool fixed; // an id or an operator's name: no later row may give it to another line
};

struct isp {
    int line;
    uint16_t within; // the broader ISP, or 0
    const char *stems, *short_name;
};

// An area or region that the ISPs of its country are crossed with.
struct line_place {
    int line;
    const char *stems, *short_name;
};

struct isp_asn {
    uint32_t asn;
    uint16_t isp;    // 0: of none
    unsigned number; // row of the operator's file; 0: built in
};

struct isp_pattern {
    uint16_t isp;
    bool own;
    regex_t regex;
};

struct isp_network {
    struct prefix network;
    uint16_t isp;
    unsigned number; // as of an ASN
};

// A fact of a line that is no ISP, kept until the lines are complete.
struct line_fact {
    int line;
    struct prefix network; // family FAMILY_NONE: it is an ASN
    uint32_t asn;
};

struct lines {
    struct arena *arena;
    struct line *items;
    size_t count, capacity;
    struct line_name *names;
    size_t name_count, name_mask;
    struct isp isps[ISPS_MAX];
    uint16_t isp_count; // with index 0, no ISP
    int opaque;         // the line of provider codes that are not known
    struct line_place *places;
    size_t place_count, place_capacity;
    const char *file;     // the operator's, while it is read; NULL: built-in rows
    struct isp_asn *asns; // ascending by number when finished
    size_t asn_count, asn_capacity;
    struct isp_pattern *patterns; // in the order of trust when finished
    size_t pattern_count, pattern_capacity;
    struct isp_network *fallbacks; // disjoint, ascending when finished
    size_t fallback_count, fallback_capacity;
    struct isp_network *networks; // operators'; may nest; ascending when finished
    size_t network_count, network_capacity;
    struct line_fact *facts;
    size_t fact_count, fact_capacity;
};

// One row: fields of a line separated by tabs. Those past the last are "".
enum { ROW_FIELDS_MAX = 9 };
struct line_row {
    const char *fields[ROW_FIELDS_MAX];
    unsigned columns[ROW_FIELDS_MAX]; // bytes into the line, from 1
    unsigned number;                  // of the line in its file
};

// --- lines.c

// In lower case (ASCII); false when it is too long to be a name.
bool line_name_fold(const char *name, char folded[LINE_NAME_SIZE_MAX]);
// The slot that has the name, or the free one where it would go.
struct line_name *line_name_slot(const struct lines *lines, const char *folded);
// Gives the name to the line. False when another line has it and keeps it: a `fixed` name takes
// the place of one that is not.
bool line_name_add(struct lines *lines, const char *name, int line, bool fixed);
struct line *line_add(struct lines *lines, enum line_kind kind, const char *id);
int line_last(const struct lines *lines);
// A name that follows from a row. Built-in ones are unique by assertion; one that follows from an
// operator's row leaves a name alone that is there already.
void alias_add(struct lines *lines, int line, const char *format, ...) PRINTF_LIKE(3, 4);
// Steps through a list separated by blanks: copies the next word, false at the end. Words that are
// too long are at the end, too: row_words_fit has refused them.
bool word_next(const char **list, char word[LINE_NAME_SIZE_MAX]);

// --- lines_build.c

void lines_add_places(struct lines *lines);
void lines_add_opaque(struct lines *lines);
void lines_add_providers(struct lines *lines);
// Whether the row's first field is a kind of line; then the line is made, with those that follow
// from it, or a fault reported.
bool lines_add_row(struct lines *lines, const struct line_row *row, struct diags *diags);
// What one line says of another: depths and ISPs within others.
void lines_finish_lines(struct lines *lines);
// Whether no word of a field is longer than a name may be; a fault where one is.
bool row_words_fit(const struct lines *lines, const struct line_row *row, size_t field,
                   struct diags *diags);
// Gives the names in a field to the line; faults of those that another line keeps.
void row_names_add(struct lines *lines, const struct line_row *row, size_t field, int line,
                   struct diags *diags);

// --- lines_facts.c

// The same for the kinds of facts.
bool lines_add_fact(struct lines *lines, const struct line_row *row, struct diags *diags);
// Sorts, and hands facts to the lines that they are of.
void lines_finish_facts(struct lines *lines, const char *path, struct diags *diags);
void lines_free_facts(struct lines *lines);

// --- lines_read.c

void lines_read_builtin(struct lines *lines);
void lines_read_file(struct lines *lines, const char *path, struct diags *diags);
// A fault of one field. Built-in rows have none, by assertion.
void row_fault(const struct lines *lines, const struct line_row *row, size_t field,
               struct diags *diags, const char *format, ...) PRINTF_LIKE(5, 6);
