// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rows that are understood, to a YAML document in the flat form.
//
// Rows of one name and type become one record. Consoles give all rows of a line at once, or draw
// one by weight where weights are set; which of the two is the provider's habit (line_is_weighted).
// A record has one method for all its lines: where the habits of its lines differ, that is a
// warning. Called by import.c.
#include "format/import_parts.h"
#include "format/yaml_out.h"
#include "format/zone_writer.h"

#include <stdarg.h>
#include <string.h>

struct group {
    const struct import_rows *rows;
    struct import_row *items; // of one name and type
    size_t count;
    char name[NAME_TEXT_MAX];
    char type[RR_TYPE_TEXT_MAX];
};

static void loss(const struct group *group, const char *format, ...) PRINTF_LIKE(2, 3);

static void loss(const struct group *group, const char *format, ...)
{
    char text[512], key[NAME_TEXT_MAX + RR_TYPE_TEXT_MAX + 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(key, sizeof(key), "%s %s", *group->name ? group->name : "@", group->type);
    diags_warning(group->rows->diags, group->items[0].from->place, key, "%s", text);
}

// --- weights

static bool same_line(const struct import_row *a, const struct import_row *b)
{
    return strcmp(a->line, b->line) == 0;
}

// Counts what is in use on the line of a row.
struct line_count {
    size_t rows, sets;
    bool weights_given, weights_differ;
};

static struct line_count line_count(const struct group *group, const struct import_row *of)
{
    struct line_count count = {0};
    const struct import_row *first = NULL;
    for (size_t i = 0; i < group->count; i++) {
        const struct import_row *row = &group->items[i];
        if (!same_line(row, of) || row->paused) {
            continue;
        }
        first = first ? first : row;
        count.rows++;
        count.sets += row->first_of_set;
        count.weights_given |= row->has_weight;
        count.weights_differ |= row->weight != first->weight;
    }
    return count;
}

// Whether the provider draws one by weight: DNSPod where a weight is set, alidns where weights
// differ (it dumps 1 when the switch is off), Huawei among several sets.
static bool line_is_weighted(const struct group *group, const struct import_row *of)
{
    struct line_count count = line_count(group, of);
    switch (group->rows->import->provider) {
    case DUMP_DNSPOD:
        return count.rows > 1 && count.weights_given;
    case DUMP_HUAWEI:
        return count.sets > 1;
    default:
        return count.rows > 1 && count.weights_differ;
    }
}

static void sets_find(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct import_row *row = &group->items[i];
        row->first_of_set = !row->paused;
        row->set_size = 0;
        for (size_t k = 0; k < group->count; k++) {
            const struct import_row *other = &group->items[k];
            bool same = !other->paused && other->set == row->set && same_line(other, row);
            row->set_size += same;
            row->first_of_set &= !(same && k < i);
        }
    }
}

// Whether any line of the group is weighted; each row knows about its own.
static bool weights_find(const struct group *group)
{
    bool any = false;
    sets_find(group);
    for (size_t i = 0; i < group->count; i++) {
        group->items[i].weighted = line_is_weighted(group, &group->items[i]);
        any |= group->items[i].weighted;
    }
    return any;
}

// What the weights of a line are multiplied by, so that each set's is a whole number for each of
// its values. Where that would be too much for the greatest of them, as much as is possible:
// rounding is then the lesser evil.
static uint64_t weights_scale(const struct group *group, const struct import_row *of)
{
    uint64_t scale = 1, most = 1;
    for (size_t i = 0; i < group->count; i++) {
        const struct import_row *row = &group->items[i];
        if (!row->first_of_set || !same_line(row, of)) {
            continue;
        }
        most = MAX(most, (uint64_t)row->weight);
        if (scale % row->set_size != 0) {
            scale *= scale > WEIGHT_MAX ? 1 : row->set_size;
        }
    }
    return MIN(scale, WEIGHT_MAX / most);
}

// Of a record set the weight is for all its values together: each gets its part.
static uint32_t weight_of(const struct group *group, const struct import_row *row)
{
    if (group->rows->import->provider != DUMP_HUAWEI || row->set_size == 0 || row->weight == 0) {
        return row->weight;
    }
    uint64_t part = row->weight * weights_scale(group, row) / row->set_size;
    return (uint32_t)MAX(part, (uint64_t)1);
}

static void report_weights(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct import_row *row = &group->items[i];
        bool first = true;
        for (size_t k = 0; k < i; k++) {
            first &= !same_line(&group->items[k], row);
        }
        struct line_count count = line_count(group, row);
        if (!first || count.rows < 2) {
            continue;
        }
        if (!row->weighted) {
            loss(group,
                 "the %zu records of the line \"%s\" have no weights, and others of the name do: "
                 "one of them is answered where the provider gives all",
                 count.rows, row->line);
        } else if (count.sets < count.rows && group->rows->import->provider == DUMP_HUAWEI) {
            loss(group,
                 "record sets of the line \"%s\" have several values: one of them is answered "
                 "where the provider gives the whole set",
                 row->line);
        }
    }
}

// --- records

static bool is_simple(const struct group *group, bool weighted)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct import_row *row = &group->items[i];
        if (row->paused || row->state || *row->remark || strcmp(row->line, "default") != 0) {
            return false;
        }
    }
    return !weighted && (group->items[0].type != TYPE_CNAME || group->count == 1);
}

// The least of the TTLs; -1 when no row has one.
static int64_t ttl_of(const struct group *group)
{
    int64_t least = -1;
    uint32_t most = 0;
    for (size_t i = 0; i < group->count; i++) {
        const struct import_row *row = &group->items[i];
        if (row->has_ttl) {
            least = least < 0 || row->ttl < least ? row->ttl : least;
            most = MAX(most, row->ttl);
        }
    }
    if (least >= 0 && most > least) {
        loss(group, "its rows have TTLs from %lld to %u: an RRset has one, the least is used",
             (long long)least, most);
    }
    return least;
}

static void row_write(const struct group *group, const struct import_row *row, bool weighted,
                      const struct record_out *record)
{
    FILE *out = record->writer->out;
    fputs("      - {", out);
    if (row->paused) {
        fputs("enabled: false, ", out);
    }
    fputs("line: ", out);
    yaml_out_text(out, row->line);
    fputs(", ", out);
    if (*row->remark) {
        fputs("remark: ", out);
        yaml_out_text(out, row->remark);
        fputs(", ", out);
    }
    if (row->state) {
        fprintf(out, "status: %s, ", row->state);
    }
    fputs("value: ", out);
    record_value_write(record, row->rdata, row->rdata_size);
    if (weighted) {
        fprintf(out, ", weight: %u", row->weighted ? weight_of(group, row) : 1);
    }
    fputs("}\n", out);
}

static void group_write(const struct group *group, const struct zone_writer *writer)
{
    const struct rrset rrset = {.type = group->items[0].type};
    const struct record_out record = {
        .writer = writer, .dialect = DIALECT_SIGNPOST, .rrset = &rrset};
    FILE *out = writer->out;
    bool weighted = weights_find(group), simple = is_simple(group, weighted);
    fputs("  -\n", out);
    if (!simple) {
        fputs("    records:\n", out);
        for (size_t i = 0; i < group->count; i++) {
            row_write(group, &group->items[i], weighted, &record);
        }
    }
    int64_t ttl = ttl_of(group);
    if (ttl >= 0) {
        fprintf(out, "    ttl: %lld\n", (long long)ttl);
    }
    fprintf(out, "    type: %s\n", group->type);
    if (simple) {
        fputs("    values:\n", out);
        for (size_t i = 0; i < group->count; i++) {
            fputs("      - ", out);
            record_value_write(&record, group->items[i].rdata, group->items[i].rdata_size);
            fputc('\n', out);
        }
    }
    if (weighted) {
        report_weights(group);
    }
}

// --- the document

static int row_compare(const void *a, const void *b, void *context)
{
    const struct import_row *x = a, *y = b;
    const uint8_t *apex = context;
    if (!name_equal(x->owner, y->owner)) {
        char left[NAME_TEXT_MAX], right[NAME_TEXT_MAX];
        owner_text(apex, x->owner, left);
        owner_text(apex, y->owner, right);
        int order = yaml_out_order(left, right);
        return order != 0 ? order : strcmp(left, right);
    }
    if (x->type != y->type) {
        return x->type < y->type ? -1 : 1;
    }
    return (x->from > y->from) - (x->from < y->from);
}

// One warning for each code that is not known, with how often it is there.
static void report_opaque(const struct import_rows *rows)
{
    struct code {
        const struct import_row *row;
        size_t count;
    } *codes = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct import_row *row = &rows->items[i];
        size_t at = 0;
        while (row->opaque && at < count && !same_line(codes[at].row, row)) {
            at++;
        }
        if (row->opaque && at == count) {
            MEM_GROW(codes, count, capacity);
            codes[count++] = (struct code){row, 0};
        }
        if (row->opaque) {
            codes[at].count++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        diags_warning(rows->diags, codes[i].row->from->place, NULL,
                      "the line \"%s\" is not known here: its %zu row%s kept, and nobody is in it",
                      codes[i].row->line, codes[i].count, codes[i].count == 1 ? " is" : "s are");
    }
    free(codes);
}

static void report_cname(const struct import_rows *rows, size_t first, size_t end)
{
    bool cname = false, other = false;
    for (size_t i = first; i < end; i++) {
        cname |= rows->items[i].type == TYPE_CNAME && !rows->items[i].paused;
        other |= rows->items[i].type != TYPE_CNAME && !rows->items[i].paused;
    }
    if (cname && other) {
        char name[NAME_TEXT_MAX];
        owner_text(rows->import->apex, rows->items[first].owner, name);
        diags_error(rows->diags, rows->items[first].from->place, *name ? name : "@",
                    "has CNAME records beside others, on whatever lines: DNS does not allow it "
                    "(RFC 1034, 3.6.2); remove one kind");
    }
}

void import_rows_write(struct import_rows *rows, FILE *out)
{
    static const enum line_precedence precedences[] = {
        [DUMP_DNSPOD] = PRECEDENCE_PROVINCE_FIRST,
        [DUMP_ALIDNS] = PRECEDENCE_ISP_FIRST,
        [DUMP_HUAWEI] = PRECEDENCE_ISP_FIRST,
    };
    const struct zone_writer writer = {
        .lines = rows->import->lines, .out = out, .diags = rows->diags};
    if (rows->count > 0) {
        qsort_r(rows->items, rows->count, sizeof(*rows->items), row_compare,
                (void *)(uintptr_t)rows->import->apex);
    }
    fputs("---\n", out);
    if (rows->import->provider != DUMP_ROWS) {
        fprintf(out, "\"$signpost\": {precedence: %s}\n",
                line_precedence_names[precedences[rows->import->provider]]);
    }
    report_opaque(rows);
    for (size_t i = 0, owner = 0; i < rows->count;) {
        struct group group = {.rows = rows, .items = &rows->items[i]};
        while (i + group.count < rows->count &&
               name_equal(rows->items[i].owner, rows->items[i + group.count].owner) &&
               rows->items[i].type == rows->items[i + group.count].type) {
            group.count++;
        }
        owner_text(rows->import->apex, group.items[0].owner, group.name);
        rr_type_format(group.items[0].type, group.type);
        if (i == 0 || !name_equal(rows->items[i - 1].owner, rows->items[i].owner)) {
            yaml_out_text(out, group.name);
            fputs(":\n", out);
            owner = i;
        }
        group_write(&group, &writer);
        i += group.count;
        if (i == rows->count || !name_equal(rows->items[i - 1].owner, rows->items[i].owner)) {
            report_cname(rows, owner, i);
        }
    }
}
