// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every code of every console, and every AS number of the ISPs of China, against lists of their own
// (consoles.tsv, asns.tsv): what a code is, by its name too, and that whoever is in a line is in
// the one that the console hangs it under.
#include "geo/geo.h"
#include "geo/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 5 };

static const char *consoles_path, *asns_path;
static size_t faults; // all rows are looked at before the test fails

// The fields of the next row; those that are not there are empty.
static bool row_next(FILE *file, char *text, size_t size, const char *fields[FIELDS_MAX])
{
    while (fgets(text, (int)size, file) != NULL) {
        text[strcspn(text, "\n")] = 0;
        char *rest = text;
        for (size_t i = 0; i < FIELDS_MAX; i++) {
            const char *field = strsep(&rest, "\t");
            fields[i] = field != NULL ? field : "";
        }
        if (*text != '#') {
            return true;
        }
    }
    return false;
}

static const char *id_of(const struct lines *lines, int line)
{
    return line >= 0 ? lines_get(lines, (size_t)line)->id : "-";
}

static void expect(const struct lines *lines, const char *provider, const char *word,
                   const char *id)
{
    char full[256];
    snprintf(full, sizeof(full), "%s:%s", provider, word);
    int opaque, line = lines_find(lines, full);
    const char *found[] = {id_of(lines, lines_find_at(lines, provider, word)), id_of(lines, line)};
    for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
        if (strcmp(found[i], id) != 0) {
            print_error("%s is %s, expected %s\n", full, found[i], id);
            faults++;
        }
    }
    assert_true(lines_is_foreign(lines, full, &opaque));
}

// A country for a line that names none.
static const char *country_in(const struct line *line)
{
    static const char *const countries[] = {"JP", "DE", "US", "BR", "KE", "AU", "AQ"};
    for (size_t i = 0; *line->continent && i < ARRAY_SIZE(countries); i++) {
        if (strcmp(geo_continent_of(countries[i]), line->continent) == 0) {
            return countries[i];
        }
    }
    return line->outside_mainland ? "JP" : "CN";
}

// Somebody who is in the line for certain.
static struct location inhabitant(const struct line *line)
{
    struct location somebody = {.custom_line = -1, .isp = line->isp};
    const char *country = *line->country ? line->country : country_in(line);
    country = line->country_count > 0 ? line->countries[0] : country;
    const char *region = line->region_count > 0 ? line->regions[0] : line->region;
    memcpy(somebody.country, country, sizeof(somebody.country));
    memcpy(somebody.continent, geo_continent_of(country), sizeof(somebody.continent));
    memcpy(somebody.region, region, sizeof(somebody.region));
    return somebody;
}

static bool within(const struct lines *lines, const struct line *line, const struct line *of)
{
    if (line->kind == LINE_SEARCH) { // goes by networks
        while (line != of && line->within >= 0) {
            line = lines_get(lines, (size_t)line->within);
        }
        return line == of;
    }
    struct location somebody = inhabitant(line);
    assert_true(line_holds(line, &somebody));
    return line_holds(of, &somebody);
}

static void check_parent(const struct lines *lines, const char *fields[FIELDS_MAX])
{
    int line = lines_find_at(lines, fields[0], fields[1]);
    int parent = lines_find_at(lines, fields[0], fields[3]);
    if (line < 0 || *fields[3] == 0) {
        return;
    }
    assert_true(parent >= 0);
    if (!within(lines, lines_get(lines, (size_t)line), lines_get(lines, (size_t)parent))) {
        print_error("%s:%s is not within %s\n", fields[0], fields[1], fields[3]);
        faults++;
    }
}

static void test_codes(void **state)
{
    (void)state;
    faults = 0;
    struct diags diags = {0};
    struct lines *lines = lines_new(NULL, 0, &diags);
    FILE *file = fopen(consoles_path, "r");
    assert_non_null(file);
    char text[512];
    const char *fields[FIELDS_MAX];
    size_t count = 0;
    for (; row_next(file, text, sizeof(text), fields); count++) {
        expect(lines, fields[0], fields[1], fields[4]);
        char names[256], *rest = names;
        snprintf(names, sizeof(names), "%s", fields[2]);
        for (const char *name; (name = strsep(&rest, "|")) != NULL;) {
            if (*name) {
                expect(lines, fields[0], name, fields[4]);
            }
        }
        check_parent(lines, fields);
    }
    assert_true(count > 1300);
    assert_int_equal(faults, 0);
    fclose(file);
    lines_free(lines);
}

static void test_numbers(void **state)
{
    (void)state;
    faults = 0;
    struct diags diags = {0};
    struct lines *lines = lines_new(NULL, 0, &diags);
    FILE *file = fopen(asns_path, "r");
    assert_non_null(file);
    char text[512];
    const char *fields[FIELDS_MAX];
    size_t count = 0;
    while (row_next(file, text, sizeof(text), fields)) {
        char *end;
        unsigned long first = strtoul(fields[1], &end, 10);
        unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
        for (unsigned long asn = first; asn <= last; asn++, count++) {
            const char *isp =
                lines_isp_name(lines, lines_isp_of_asn(lines, (uint32_t)asn, "", "CN"));
            if (strcmp(isp, fields[0]) != 0) {
                print_error("AS %lu is %s, expected %s\n", asn, isp, fields[0]);
                faults++;
            }
            assert_int_equal(lines_isp_of_asn(lines, (uint32_t)asn, "China Telecom", "US"), 0);
        }
    }
    assert_true(count > 2400);
    assert_int_equal(faults, 0);
    fclose(file);
    lines_free(lines);
}

int main(int count, char **arguments)
{
    SP_ASSERT(count == 3);
    consoles_path = arguments[1];
    asns_path = arguments[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
