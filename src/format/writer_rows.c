// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct zone as RFC 1035 text, and as flat rows in CSV and JSON.
//
// The first knows nothing of steering and the second no rules: what they cannot say is written as
// the values of last resort, with a warning. Called by the command export, on its thread.
#include "format/zone_writer.h"

#include "base/memory.h"
#include "zone/rdata.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

enum { TEXT_MAX = 4 * RDATA_MAX_SIZE + 16 };

static struct record_out record_begin(const struct zone *zone, const struct owner *owner,
                                      const struct zone_writer *writer)
{
    struct record_out record = {.writer = writer, .zone = zone, .owner = owner};
    name_format(owner->name, record.name);
    return record;
}

// --- RFC 1035

static void rrset_file_write(const struct record_out *record)
{
    char *text = mem_scratch(TEXT_MAX);
    const struct rrset *rrset = record->rrset;
    char type[RR_TYPE_TEXT_MAX];
    if (rrset->policy) {
        record_loss(record,
                    "a zone file knows no steering: the %u values of last resort are "
                    "written",
                    rrset->record_count);
    }
    for (size_t i = 0; i < rrset->record_count; i++) {
        rdata_format(rrset->type, rrset->records[i].rdata, rrset->records[i].rdata_size, text,
                     TEXT_MAX);
        fprintf(record->writer->out, "%s\t%u\tIN\t%s\t%s\n", record->name, rrset->ttl,
                rr_type_format(rrset->type, type), text);
    }
    free(text);
}

// Whether the RRset is the SOA record, which comes first.
static bool is_soa(const struct rrset *rrset)
{
    return rrset->type == TYPE_SOA;
}

void zone_file_write(const struct zone *zone, const struct zone_writer *writer)
{
    size_t count;
    const struct owner **owners = owners_sorted(zone, &count);
    for (int soa = 1; soa >= 0; soa--) {
        for (size_t i = 0; i < count; i++) {
            struct record_out record = record_begin(zone, owners[i], writer);
            for (record.rrset = owners[i]->rrsets; record.rrset;
                 record.rrset = record.rrset->next) {
                if (is_soa(record.rrset) == (soa == 1)) {
                    rrset_file_write(&record);
                }
            }
        }
    }
    free(owners);
}

// --- rows

struct rows_out {
    const struct zone_writer *writer;
    enum rows_format format;
    json_t *list; // ROWS_JSON
};

static void field_write(FILE *out, const char *text, char end)
{
    if (strpbrk(text, ",\"\r\n") == NULL && *text != ' ') {
        fprintf(out, "%s%c", text, end);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        fputs(*text == '"' ? "\"" : "", out);
        fputc(*text, out);
    }
    fprintf(out, "\"%c", end);
}

static void row_text_write(const struct rows_out *rows, const struct record_out *record,
                           const char *line, const char *value, const struct member *member)
{
    static const char *const statuses[] = {"obey", "up", "down"};
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX], number[16];
    FILE *out = rows->writer->out;
    owner_text(zone_apex(record->zone), record->owner->name, name);
    rr_type_format(record->rrset->type, type);
    const char *status = member && member->disabled ? "paused"
                         : member                   ? statuses[member->status]
                                                    : "obey";
    unsigned weight = member ? member->weight : 1;
    if (rows->format == ROWS_JSON) {
        json_array_append_new(rows->list,
                              json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "name",
                                        *name ? name : "@", "type", type, "line", line, "value",
                                        value, "ttl", (json_int_t)record->rrset->ttl, "weight",
                                        (json_int_t)weight, "status", status));
        return;
    }
    field_write(out, *name ? name : "@", ',');
    field_write(out, type, ',');
    field_write(out, line, ',');
    field_write(out, value, ',');
    snprintf(number, sizeof(number), "%u", record->rrset->ttl);
    field_write(out, number, ',');
    snprintf(number, sizeof(number), "%u", weight);
    field_write(out, number, ',');
    field_write(out, status, '\n');
}

static void row_write(const struct rows_out *rows, const struct record_out *record,
                      const char *line, const uint8_t *rdata, size_t rdata_size,
                      const struct member *member)
{
    char *text = mem_scratch(TEXT_MAX);
    rdata_format(record->rrset->type, rdata, rdata_size, text, TEXT_MAX);
    row_text_write(rows, record, line, text, member);
    free(text);
}

static void policy_rows(const struct rows_out *rows, const struct record_out *record)
{
    const struct policy *policy = record->rrset->policy;
    if (policy->check.kind != CHECK_NONE) {
        record_loss(record, "rows have no check: left out");
    }
    if (policy->form == FORM_FLAT) {
        for (size_t i = 0; i < policy->pool_count; i++) {
            const struct pool *pool = &policy->pools[i];
            for (size_t k = 0; k < pool->member_count; k++) {
                row_write(rows, record, pool->name, pool->members[k].rdata,
                          pool->members[k].rdata_size, &pool->members[k]);
            }
        }
        return;
    }
    if (policy->form == FORM_DYNAMIC) {
        record_loss(record, "rows have no rules: the values of last resort are written");
    }
    for (size_t i = 0; i < policy->value_count; i++) {
        row_write(rows, record, "default", policy->values[i].rdata, policy->values[i].rdata_size,
                  policy->form == FORM_PLAIN ? &policy->values[i] : NULL);
    }
}

void zone_rows_write(const struct zone *zone, enum rows_format format,
                     const struct zone_writer *writer)
{
    struct rows_out rows = {.writer = writer, .format = format};
    size_t count;
    const struct owner **owners = owners_sorted(zone, &count);
    if (format == ROWS_JSON) {
        rows.list = json_array();
    } else {
        fputs("name,type,line,value,ttl,weight,status\n", writer->out);
    }
    for (size_t i = 0; i < count; i++) {
        struct record_out record = record_begin(zone, owners[i], writer);
        for (record.rrset = owners[i]->rrsets; record.rrset; record.rrset = record.rrset->next) {
            const struct rrset *rrset = record.rrset;
            if (rrset->policy) {
                policy_rows(&rows, &record);
            } else if (!rrset_is_default(rrset)) {
                for (size_t k = 0; k < rrset->record_count; k++) {
                    row_write(&rows, &record, "default", rrset->records[k].rdata,
                              rrset->records[k].rdata_size, NULL);
                }
            }
        }
    }
    if (format == ROWS_JSON) {
        json_t *document = json_pack("{s:o}", "records", rows.list);
        json_dumpf(document, writer->out, JSON_INDENT(2) | JSON_ENSURE_ASCII);
        fputc('\n', writer->out);
        json_decref(document);
    }
    free(owners);
}
