// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct zone to a YAML zone document.
//
// Every key of every mapping is in octoDNS's natural order, which it demands. What is at its
// default is not written, so that a document says what was meant; a second reading gives an equal
// model (tests/unit/format/test_writers.c holds them against each other). Called by the commands
// import and export, on their thread.
#include "format/zone_writer.h"

#include "base/memory.h"
#include "lint/lint.h"
#include "format/readers.h"
#include "format/yaml_out.h"
#include "format/yaml_zone.h"

#include <stdarg.h>
#include <string.h>

enum { MIN_TTL_USUAL = 5 };

void record_loss(const struct record_out *record, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    diags_warning(record->writer->diags, record->rrset->place, record->name, "%s", text);
}

bool rrset_is_default(const struct rrset *rrset)
{
    return (rrset->type == TYPE_SOA || rrset->type == TYPE_NS) && rrset->place.line == 0;
}

const char *owner_text(const uint8_t *apex, const uint8_t *owner, char text[NAME_TEXT_MAX])
{
    char below[NAME_TEXT_MAX];
    name_format(owner, text);
    // The root is the final dot itself; any other apex has one before it.
    size_t cut = name_is_root(apex) ? 1 : strlen(name_format(apex, below)) + 1, size = strlen(text);
    text[size > cut ? size - cut : 0] = '\0';
    return text;
}

// --- the order of keys

struct keyed {
    char *key;
    const void *item;
};

static int keyed_compare(const void *a, const void *b)
{
    return yaml_out_order(((const struct keyed *)a)->key, ((const struct keyed *)b)->key);
}

const struct owner **owners_sorted(const struct zone *zone, size_t *count)
{
    *count = zone_owner_count(zone);
    struct keyed *keyed = mem_alloc_array(*count, sizeof(*keyed));
    const struct owner **owners = mem_alloc_array(*count, sizeof(*owners));
    char text[NAME_TEXT_MAX];
    for (size_t i = 0; i < *count; i++) {
        const struct owner *owner = zone_owner(zone, i);
        keyed[i] =
            (struct keyed){mem_strdup(owner_text(zone_apex(zone), owner->name, text)), owner};
    }
    qsort(keyed, *count, sizeof(*keyed), keyed_compare);
    for (size_t i = 0; i < *count; i++) {
        owners[i] = keyed[i].item;
        free(keyed[i].key);
    }
    free(keyed);
    return owners;
}

// --- members

static bool members_weighted(const struct pool *pool)
{
    for (size_t i = 0; i < pool->member_count; i++) {
        if (pool->members[i].weight != 1) {
            return true;
        }
    }
    return false;
}

// --- flat

static void rows_write(const struct record_out *record, const struct policy *policy)
{
    FILE *out = record->writer->out;
    fputs("    records:\n", out);
    for (size_t i = 0; i < policy->pool_count; i++) {
        const struct pool *pool = &policy->pools[i];
        for (size_t k = 0; k < pool->member_count; k++) {
            const struct member *member = &pool->members[k];
            fputs("      - {", out);
            if (member->disabled) {
                fputs("enabled: false, ", out);
            }
            fputs("line: ", out);
            yaml_out_text(out, pool->name);
            fputs(", ", out);
            record_member_write(record, member);
            fputs("}\n", out);
        }
    }
    if (record->dialect == DIALECT_OCTODNS) {
        record_loss(record, "octoDNS does not know lines: it sees the values alone");
    }
}

// --- signpost

struct settings {
    bool method, answers, all_down, min_ttl, check, max_failover, lint, load;
};

static struct settings settings_of(const struct record_out *record)
{
    const struct policy *policy = record->rrset->policy;
    bool weighted = policy->form == FORM_DYNAMIC;
    for (size_t i = 0; policy->form == FORM_FLAT && i < policy->pool_count; i++) {
        weighted |= members_weighted(&policy->pools[i]);
    }
    bool one = weighted || record->rrset->type == TYPE_CNAME;
    struct settings given = {.method =
                                 policy->method != (weighted ? METHOD_WEIGHTED : METHOD_ROTATE)};
    if (given.method) {
        one = method_answers_one(policy->method) || record->rrset->type == TYPE_CNAME;
    }
    given.answers = policy->answers != (one ? 1 : 0);
    given.all_down = policy->all_down != ALL_DOWN_ALL;
    given.min_ttl = policy->min_ttl != MIN(record->rrset->ttl, (uint32_t)MIN_TTL_USUAL);
    given.check = record_check_needed(record);
    given.max_failover = policy->max_failover_ns != 0;
    given.lint = policy->lint_ignored != 0;
    given.load = policy->load_target > 0;
    return given;
}

static void lint_ignored_write(FILE *out, uint64_t ignored)
{
    const char *between = "";
    fputs("      lint_ignore: [", out);
    for (size_t i = 0; i < lint_rule_count(); i++) {
        if (ignored >> i & 1) {
            fprintf(out, "%s%s", between, lint_rule_at(i)->id);
            between = ", ";
        }
    }
    fputs("]\n", out);
}

static void load_write(FILE *out, const struct policy *policy)
{
    fputs("      load: {age: ", out);
    yaml_out_duration(out, policy->load_age_ns);
    fprintf(out, ", limit: %.12g, target: %.12g}\n", policy->load_limit, policy->load_target);
}

static void settings_write(const struct record_out *record, const struct settings *given,
                           bool always)
{
    const struct policy *policy = record->rrset->policy;
    FILE *out = record->writer->out;
    bool any = given->method || given->answers || given->all_down || given->min_ttl ||
               given->check || given->max_failover || given->lint || given->load;
    if (!any) {
        if (always) { // a plain record with a policy is told by this key
            fprintf(out, "    signpost: {method: %s}\n", method_names[policy->method]);
        }
        return;
    }
    fputs("    signpost:\n", out);
    if (given->all_down) {
        fprintf(out, "      all_down: %s\n", all_down_names[policy->all_down]);
    }
    if (given->answers) {
        fprintf(out, policy->answers ? "      answers: %u\n" : "      answers: all\n",
                policy->answers);
    }
    if (given->check) {
        fputs("      check: ", out);
        record_check_write(record);
        fputc('\n', out);
    }
    if (given->lint) {
        lint_ignored_write(out, policy->lint_ignored);
    }
    if (given->load) {
        load_write(out, policy);
    }
    if (given->max_failover) {
        fputs("      max_failover: ", out);
        yaml_out_duration(out, policy->max_failover_ns);
        fputc('\n', out);
    }
    if (given->method) {
        fprintf(out, "      method: %s\n", method_names[policy->method]);
    }
    if (given->min_ttl) {
        fprintf(out, "      min_ttl: %u\n", policy->min_ttl);
    }
}

// --- records

// Whether the values are those of the default row, which a reader finds by itself.
static bool values_follow(const struct rrset *rrset)
{
    const struct policy *policy = rrset->policy;
    if (!policy || policy->form != FORM_FLAT || policy->rules[policy->rule_count - 1].line_count) {
        return false;
    }
    const struct pool *pool = &policy->pools[policy->rules[policy->rule_count - 1].pool];
    size_t count = 0;
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct member *member = &pool->members[i];
        if (member->disabled) {
            continue;
        }
        if (count == policy->value_count ||
            !rdata_equal(rrset->type, member->rdata, member->rdata_size,
                         policy->values[count].rdata, policy->values[count].rdata_size)) {
            return false;
        }
        count++;
    }
    return count == policy->value_count;
}

static void values_write(const struct record_out *record)
{
    FILE *out = record->writer->out;
    const struct rrset *rrset = record->rrset;
    const struct policy *policy = rrset->policy;
    size_t count = policy ? policy->value_count : rrset->record_count;
    if (record->dialect == DIALECT_SIGNPOST && values_follow(rrset)) {
        return;
    }
    if (rrset->type == TYPE_CNAME && policy && policy->form != FORM_PLAIN) {
        count = MIN(count, (size_t)1);
    }
    if (count == 0) {
        if (record->dialect == DIALECT_OCTODNS) {
            record_loss(record, "octoDNS wants values beside the rules, and there are none");
        }
        return;
    }
    fputs(count == 1 ? "    value: " : "    values:\n", out);
    for (size_t i = 0; i < count; i++) {
        fputs(count == 1 ? "" : "      - ", out);
        if (policy) {
            record_value_write(record, policy->values[i].rdata, policy->values[i].rdata_size);
        } else {
            record_value_write(record, rrset->records[i].rdata, rrset->records[i].rdata_size);
        }
        fputc('\n', out);
    }
}

// Keys in their order; the dash of the list is written.
static void record_write(const struct record_out *record)
{
    FILE *out = record->writer->out;
    const struct policy *policy = record->rrset->policy;
    char type[RR_TYPE_TEXT_MAX];
    fputs("  -\n", out);
    if (policy && policy->form == FORM_DYNAMIC) {
        record_dynamic_write(record);
    }
    if (policy && record_healthcheck_needed(record)) {
        fputs("    octodns:\n", out);
        record_healthcheck_write(record, "      ");
    }
    if (policy && policy->form == FORM_FLAT) {
        rows_write(record, policy);
    }
    if (policy) {
        struct settings given = settings_of(record);
        settings_write(record, &given,
                       policy->form == FORM_PLAIN && !record_healthcheck_needed(record));
    }
    fprintf(out, "    ttl: %u\n    type: %s\n", record->rrset->ttl,
            rr_type_format(record->rrset->type, type));
    values_write(record);
}

static bool rrset_is_written(const struct record_out *record)
{
    if (rrset_is_default(record->rrset)) {
        return false;
    }
    if (record->dialect == DIALECT_OCTODNS && record->rrset->type == TYPE_SOA) {
        record_loss(record, "octoDNS has no SOA records: left out");
        return false;
    }
    return true;
}

static void owner_write(const struct zone *zone, const struct owner *owner,
                        enum zone_dialect dialect, const struct zone_writer *writer)
{
    struct record_out record = {.writer = writer, .zone = zone, .dialect = dialect, .owner = owner};
    char text[NAME_TEXT_MAX];
    bool begun = false;
    owner_text(zone_apex(zone), owner->name, text);
    name_format(owner->name, record.name);
    for (const struct rrset *rrset = owner->rrsets; rrset; rrset = rrset->next) {
        record.rrset = rrset;
        if (!rrset_is_written(&record)) {
            continue;
        }
        if (!begun) {
            yaml_out_text(writer->out, text);
            fputs(":\n", writer->out);
            begun = true;
        }
        record_write(&record);
    }
}

void zone_yaml_write(const struct zone *zone, enum zone_dialect dialect,
                     const struct zone_writer *writer)
{
    size_t count;
    enum line_precedence precedence;
    const struct owner **owners = owners_sorted(zone, &count);
    fputs("---\n", writer->out);
    if (zone_precedence(zone, &precedence)) {
        if (dialect == DIALECT_OCTODNS) {
            diags_warning(writer->diags, (struct place){.file = zone_path(zone)}, NULL,
                          "octoDNS has no place for the precedence of the zone: left out");
        } else {
            fprintf(writer->out, "\"$signpost\": {precedence: %s}\n",
                    line_precedence_names[precedence]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        owner_write(zone, owners[i], dialect, writer);
    }
    free(owners);
}
