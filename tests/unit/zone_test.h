// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of zone/ and format/ share: documents from text, and outcomes as one comparable
// text.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "dns/types.h"
#include "format/document.h"
#include "zone/rdata.h"
#include "format/readers.h"

// A folder for one test program (folder_begin and folder_end are the fixtures of its group), and
// the files in it by slot.
static char folder[64];
static char written[4][128];

// Made once: the catalogue compiles its patterns.
static struct lines *test_lines;

struct outcome {
    struct diags diags;
    struct zone *zone;
    struct lines *lines;
};

static inline int folder_begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/signpost-zone-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static inline int folder_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(written); i++) {
        if (written[i][0]) {
            unlink(written[i]);
        }
    }
    assert_int_equal(rmdir(folder), 0);
    lines_free(test_lines);
    return 0;
}

// The path lives until the next call of the same slot (0..3).
static inline const char *file_write(int slot, const char *name, const char *text, size_t size)
{
    if (written[slot][0]) {
        unlink(written[slot]);
    }
    snprintf(written[slot], sizeof(written[slot]), "%s/%s", folder, name);
    FILE *file = fopen(written[slot], "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    return written[slot];
}

// Reads a file as the zone example.com. with defaults and the custom line "office".
static inline struct outcome read_path(const char *path, enum zone_format format,
                                       enum line_precedence precedence)
{
    static const char *const nameservers[] = {"ns1.example.net.", "ns2.example.net."};
    struct outcome outcome = {0};
    uint8_t apex[NAME_MAX_SIZE];
    assert_int_not_equal(name_parse("example.com.", NULL, apex, NULL), 0);
    if (test_lines == NULL) {
        struct prefix office = {.address = {.family = FAMILY_IPV4, .bytes = {10, 1}}, .length = 16};
        struct line_definition custom = {.name = "office", .networks = &office, .network_count = 1};
        test_lines = lines_new(&custom, 1, &outcome.diags);
    }
    outcome.lines = test_lines;
    static const struct site sites[] = {
        {.name = "fra", .located = true, .latitude = 50.11, .longitude = 8.68},
        {.name = "nyc", .located = true, .latitude = 40.71, .longitude = -74.01}};
    struct zone_reader reader = {
        .lines = outcome.lines,
        .sites = sites,
        .site_count = ARRAY_SIZE(sites),
        .precedence = precedence,
        .defaults = {nameservers, 2, "host.master@example.net", 2026010203, 3600},
        .diags = &outcome.diags,
    };
    outcome.zone = format == ZONE_FORMAT_YAML ? zone_yaml_read(path, apex, &reader)
                                              : zone_file_read(path, apex, &reader);
    // A refused zone has an error, and an accepted one has none.
    assert_int_equal(outcome.zone == NULL, outcome.diags.error_count > 0);
    return outcome;
}

static inline struct outcome read_yaml_bytes(const char *text, size_t size,
                                             enum line_precedence precedence)
{
    const char *path = file_write(0, "example.com.yaml", text, size);
    return read_path(path, ZONE_FORMAT_YAML, precedence);
}

static inline struct outcome read_yaml(const char *text)
{
    return read_yaml_bytes(text, strlen(text), PRECEDENCE_ISP_FIRST);
}

static inline struct outcome read_master(const char *text)
{
    const char *path = file_write(0, "example.com.zone", text, strlen(text));
    return read_path(path, ZONE_FORMAT_MASTER, PRECEDENCE_ISP_FIRST);
}

static inline void outcome_end(struct outcome *outcome)
{
    zone_free(outcome->zone);
    diags_clear(&outcome->diags);
}

// "3:5 error www.ttl: message" a line, without the file, in the order of the list.
static inline const char *diags_text(const struct diags *diags)
{
    static char text[65536];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *diag = &diags->items[i];
        const char *slash = diag->file ? strrchr(diag->file, '/') : NULL;
        const char *file = slash ? slash + 1 : diag->file ? diag->file : "?";
        bool main_file = strncmp(file, "example.com.", 12) == 0;
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%u:%u %s%s%s: %s\n",
                             main_file ? "" : file, main_file ? "" : ":", diag->line, diag->column,
                             diag->severity == SEVERITY_ERROR ? "error" : "warning",
                             diag->key ? " " : "", diag->key ? diag->key : "", diag->message);
        assert_true(used < sizeof(text));
    }
    return text;
}

// Fails with both texts when they differ.
static inline void expect_diags(const struct outcome *outcome, const char *expected)
{
    const char *found = diags_text(&outcome->diags);
    if (strcmp(found, expected) != 0) {
        fprintf(stderr, "expected:\n%sfound:\n%s", expected, found);
        fail();
    }
}

static inline const struct rrset *find_rrset(const struct outcome *outcome, const char *name,
                                             uint16_t type)
{
    uint8_t wire[NAME_MAX_SIZE];
    assert_int_not_equal(name_parse(name, zone_apex(outcome->zone), wire, NULL), 0);
    const struct owner *owner = zone_find(outcome->zone, wire);
    return owner ? owner_rrset(owner, type) : NULL;
}

// "TTL [record] [record]"; "-" when there is no such RRset.
static inline const char *rrset_text(const struct outcome *outcome, const char *name, uint16_t type)
{
    static char text[8192];
    char record[4096];
    const struct rrset *rrset = find_rrset(outcome, name, type);
    if (rrset == NULL) {
        return "-";
    }
    size_t used = (size_t)snprintf(text, sizeof(text), "%u", rrset->ttl);
    for (size_t i = 0; i < rrset->record_count; i++) {
        rdata_format(type, rrset->records[i].rdata, rrset->records[i].rdata_size, record,
                     sizeof(record));
        used += (size_t)snprintf(text + used, sizeof(text) - used, " [%s]", record);
        assert_true(used < sizeof(text));
    }
    return text;
}

static char *put(char *at, const char *format, ...) PRINTF_LIKE(2, 3);
static inline char *put(char *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    at += vsnprintf(at, 2000, format, args);
    va_end(args);
    return at;
}

static inline char *put_members(char *at, const struct member *members, size_t count)
{
    static const char *const statuses[] = {"", "/up", "/down"};
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(members[i].check, -1);
        bool nested = members[i].pool != NULL;
        assert_true(!nested || strcmp(members[i].pool->name, members[i].text) == 0);
        at = put(at, " %s%s%s*%u%s%s", nested ? "(" : "", members[i].text, nested ? ")" : "",
                 members[i].weight, statuses[members[i].status], members[i].disabled ? "/off" : "");
        at = members[i].priority ? put(at, "/p%u", members[i].priority) : at;
        at = members[i].site ? put(at, "@%s", members[i].site->name) : at;
        at = members[i].name ? put(at, "=%s", members[i].name) : at;
    }
    return at;
}

static inline char *put_rule(char *at, const struct outcome *outcome, const struct policy *policy,
                             const struct rule *rule)
{
    at = put(at, "%s:", policy->pools[rule->pool].name);
    for (size_t i = 0; i < rule->line_count; i++) {
        at = put(at, " line=%s", lines_get(outcome->lines, (size_t)rule->lines[i])->id);
    }
    for (size_t i = 0; i < rule->geo_count; i++) {
        at = put(at, " geo=%s", rule->geos[i]);
    }
    for (size_t i = 0; i < rule->subnet_count; i++) {
        char text[PREFIX_TEXT_MAX];
        at = put(at, " net=%s", prefix_format(&rule->subnets[i], text));
    }
    for (size_t i = 0; i < rule->asn_count; i++) {
        at = put(at, " as=%u", rule->asns[i]);
    }
    if (rule->ramp != NULL) {
        at = put(at, " ramp %lld", (long long)(rule->ramp->start_ns / NS_PER_SECOND));
        for (size_t i = 0; i < rule->ramp->step_count; i++) {
            const struct ramp_step *step = &rule->ramp->steps[i];
            at = put(at, "+%u=%llds", step->share_ppm, (long long)(step->for_ns / NS_PER_SECOND));
        }
        return put(at, "/%u\n", rule->ramp->abort_below_ppm);
    }
    return rule->share_ppm == 1000000 ? put(at, "\n") : put(at, " share=%u\n", rule->share_ppm);
}

static inline char *put_check(char *at, const struct check_spec *check)
{
    if (check->kind == CHECK_NONE) {
        return at;
    }
    // A path in the folder of the test is printed as ./path.
    const char *ca = check->ca_path ? check->ca_path : "-";
    bool here = strncmp(ca, folder, strlen(folder)) == 0;
    return put(at, "check %s port=%u host=%s path=%s ca=%s%s verify=%d every=%lld/%lldms %u/%u\n",
               check_kinds[check->kind].name, check->port, check->host ? check->host : "-",
               check->path ? check->path : "-", here ? "." : "", here ? ca + strlen(folder) : ca,
               check->verify, (long long)(check->interval_ns / NS_PER_MS),
               (long long)(check->timeout_ns / NS_PER_MS), check->rise, check->fall);
}

// The policy in one text: settings and values, a line a pool, a line a rule, the check.
static inline const char *policy_text(const struct outcome *outcome, const char *name,
                                      uint16_t type)
{
    static char text[32768];
    static const char *const forms[] = {"plain", "flat", "dynamic"};
    const struct rrset *rrset = find_rrset(outcome, name, type);
    const struct policy *policy = rrset ? rrset->policy : NULL;
    if (policy == NULL) {
        return "-";
    }
    char *at = put(text, "%s %s %u %s min_ttl=%u values", forms[policy->form],
                   method_names[policy->method], policy->answers, all_down_names[policy->all_down],
                   policy->min_ttl);
    at = put(put_members(at, policy->values, policy->value_count), "\n");
    for (size_t i = 0; i < policy->pool_count; i++) {
        const struct pool *pool = &policy->pools[i];
        at = put(at, "%s", pool->name);
        if (pool->fallback >= 0) {
            at = put(at, ">%s", policy->pools[pool->fallback].name);
        }
        if (pool->has_method) {
            at = put(at, " %s", method_names[pool->method]);
        }
        if (pool->min_up != 1) {
            at = put(at, " min_up=%u%s", pool->min_up, pool->min_up_percent ? "%" : "");
        }
        at = put(put_members(at, pool->members, pool->member_count), "\n");
    }
    for (size_t i = 0; i < policy->rule_count; i++) {
        at = put_rule(at, outcome, policy, &policy->rules[i]);
    }
    put_check(at, &policy->check);
    return text;
}

// One document of a table: what is said about it, and what it makes of some names.
struct document_case {
    const char *text, *diags;
    struct {
        const char *name, *type;
        const char *expected; // RRset, or RRset and policy
    } asks[8];
};

static inline void expect_text(const char *document, const char *found, const char *expected)
{
    if (strcmp(found, expected) != 0) {
        fprintf(stderr, "document:\n%s\nexpected:\n%s\nfound:\n%s\n", document, expected, found);
        fail();
    }
}

static inline void document_case_run(const struct document_case *row,
                                     struct outcome (*read)(const char *text))
{
    struct outcome outcome = read(row->text);
    expect_text(row->text, diags_text(&outcome.diags), row->diags);
    for (size_t i = 0; i < ARRAY_SIZE(row->asks) && row->asks[i].name; i++) {
        static char both[65536];
        uint16_t type;
        assert_non_null(outcome.zone);
        assert_true(rr_type_parse(row->asks[i].type, &type));
        int used =
            snprintf(both, sizeof(both), "%s", rrset_text(&outcome, row->asks[i].name, type));
        const struct rrset *rrset = find_rrset(&outcome, row->asks[i].name, type);
        if (rrset && rrset->policy) {
            snprintf(both + used, sizeof(both) - (size_t)used, "\n%s",
                     policy_text(&outcome, row->asks[i].name, type));
        }
        expect_text(row->text, both, row->asks[i].expected);
    }
    outcome_end(&outcome);
}

static inline void documents_run(const struct document_case *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        document_case_run(&rows[i], read_yaml);
    }
}

// A document of `head`, `count` lines by a format that gets the number twice, then its two octets,
// and `tail`. Released with free().
static inline char *many(const char *head, const char *format, size_t count, const char *tail)
{
    char *text = mem_alloc(1024 + count * 96);
    char *at = text + sprintf(text, "%s", head);
    for (size_t i = 0; i < count; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        at += sprintf(at, format, i, i, i >> 8, i & 255);
#pragma GCC diagnostic pop
    }
    sprintf(at, "%s", tail);
    return text;
}

// Reads such a document and releases it.
static inline void expect_many(char *text, const char *diags)
{
    struct outcome outcome = read_yaml(text);
    expect_diags(&outcome, diags);
    outcome_end(&outcome);
    free(text);
}
