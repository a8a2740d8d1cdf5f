// SPDX-License-Identifier: GPL-3.0-or-later
//
// The flat form that DNS consoles use: `records`, one row a value, each on a line.
//
// The rows of one line become one pool named after it; the rules stand in the order of precedence,
// most specific line first and the default line, which everybody is in, last. Called by
// zone_yaml.c.
#include "zone/yaml_zone.h"

#include "base/memory.h"

#include <string.h>

static const char *const row_keys[] = {"value",  "line", "weight", "status",   "enabled",
                                       "remark", "ttl",  "site",   "priority", "name"};
// In the order of enum member_status, then what consoles call a row that is switched off.
static const char *const row_status_names[] = {"obey", "up", "down", "paused"};
enum { ROW_PAUSED = STATUS_DOWN + 1 };

// A row as read, before the rows are grouped.
struct row {
    struct member member;
    int line;
    uint32_t ttl;
    unsigned order; // of the row's line among the lines, by precedence; then of the row
};

struct flat_reader {
    const struct yaml_record *record;
    struct row *rows;
    size_t row_count;
    bool weighted; // some row has a weight of its own
};

static bool row_state_read(const struct yaml *at, struct member *member)
{
    struct yaml status, enabled;
    unsigned choice = STATUS_OBEY;
    bool good = true, on = true;
    if (yaml_get(at, "status", &status)) {
        good &= yaml_choice(&status, row_status_names, ARRAY_SIZE(row_status_names), &choice);
    }
    if (yaml_get(at, "enabled", &enabled)) {
        good &= yaml_bool(&enabled, &on);
    }
    member->disabled = !on || choice == ROW_PAUSED;
    member->status = choice == ROW_PAUSED ? STATUS_OBEY : (enum member_status)choice;
    return good;
}

static bool row_line_read(const struct flat_reader *reader, const struct yaml *at, int *line)
{
    struct yaml child;
    if (!yaml_get(at, "line", &child)) {
        *line = lines_find(reader->record->yz->reader->lines, "default");
        SP_ASSERT(*line >= 0);
        return true;
    }
    *line = yaml_line_read(reader->record, &child);
    return *line >= 0;
}

static bool row_read(struct flat_reader *reader, const struct yaml *at, struct row *row)
{
    struct yaml value, ttl;
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, row_keys, ARRAY_SIZE(row_keys));
    bool good = yaml_get(at, "value", &value);
    if (good) {
        good = yaml_member_read(reader->record, &value, &row->member);
    } else {
        yaml_error(at, "missing \"value\"");
    }
    good &= yaml_member_keys_read(reader->record, at, &row->member);
    reader->weighted |= yaml_has(at, "weight");
    row->ttl = reader->record->ttl;
    if (yaml_get(at, "ttl", &ttl)) {
        good &= yaml_number(&ttl, 0, INT32_MAX, &row->ttl);
    }
    good &= row_state_read(at, &row->member);
    return row_line_read(reader, at, &row->line) && good;
}

static bool line_is_default(const struct flat_reader *reader, int line)
{
    return lines_get(reader->record->yz->reader->lines, (size_t)line)->kind == LINE_DEFAULT;
}

// Higher ranks first; rows keep their order within a line, and lines of one rank theirs.
static int row_compare(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    return (left->order > right->order) - (left->order < right->order);
}

static void rows_sort(struct flat_reader *reader)
{
    const struct zone_reader *zone_reader = reader->record->yz->reader;
    struct row *rows = reader->rows;
    size_t count = reader->row_count;
    unsigned *ranks = mem_alloc_array(count, sizeof(*ranks));
    size_t *firsts = mem_alloc_array(count, sizeof(*firsts)); // the first row of each row's line
    for (size_t i = 0; i < count; i++) {
        ranks[i] =
            line_rank(lines_get(zone_reader->lines, (size_t)rows[i].line), zone_reader->precedence);
        for (firsts[i] = 0; rows[firsts[i]].line != rows[i].line;) {
            firsts[i]++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        unsigned before = 0;
        for (size_t j = 0; j < count; j++) {
            bool same_line = rows[j].line == rows[i].line;
            bool line_before =
                ranks[j] > ranks[i] || (ranks[j] == ranks[i] && firsts[j] < firsts[i]);
            before += same_line ? j < i : line_before;
        }
        rows[i].order = before;
    }
    free(ranks);
    free(firsts);
    qsort(rows, count, sizeof(*rows), row_compare);
}

static size_t line_count(const struct flat_reader *reader)
{
    size_t count = 0;
    for (size_t i = 0; i < reader->row_count; i++) {
        count += i == 0 || reader->rows[i].line != reader->rows[i - 1].line;
    }
    return count;
}

static void pool_make(struct flat_reader *reader, const struct yaml *at, struct policy *policy,
                      const struct row *rows, size_t count)
{
    struct arena *arena = reader->record->yz->arena;
    const struct line *line = lines_get(reader->record->yz->reader->lines, (size_t)rows[0].line);
    struct pool *pool = &policy->pools[policy->pool_count];
    *pool = (struct pool){
        .name = arena_strdup(arena, line->id),
        .fallback = -1,
        .members = arena_alloc(arena, count * sizeof(*pool->members)),
        .member_count = count,
        .min_up = 1,
        .place = rows[0].member.place,
    };
    for (size_t i = 0; i < count; i++) {
        pool->members[i] = rows[i].member;
    }
    yaml_members_compare(reader->record, at, pool->members, count);
    struct rule *rule = &policy->rules[policy->rule_count++];
    *rule = (struct rule){
        .pool = policy->pool_count++,
        .share_ppm = 1000000,
        .place = pool->place,
    };
    if (!line_is_default(reader, rows[0].line)) {
        rule->lines = arena_copy(arena, &rows[0].line, sizeof(rows[0].line));
        rule->line_count = 1;
    }
}

static bool pools_make(struct flat_reader *reader, const struct yaml *at, struct policy *policy)
{
    rows_sort(reader);
    size_t count = line_count(reader);
    if (count > POOLS_MAX) {
        yaml_error(at, "rows on %zu lines; at most %d are possible", count, POOLS_MAX);
        return false;
    }
    struct arena *arena = reader->record->yz->arena;
    policy->pools = arena_alloc(arena, count * sizeof(*policy->pools));
    policy->rules = arena_alloc(arena, count * sizeof(*policy->rules));
    for (size_t i = 0; i < reader->row_count;) {
        size_t end = i + 1;
        while (end < reader->row_count && reader->rows[end].line == reader->rows[i].line) {
            end++;
        }
        pool_make(reader, at, policy, &reader->rows[i], end - i);
        i = end;
    }
    return true;
}

// Records of one name and type have one TTL (RFC 2181, section 5.2): the least wins.
static void ttls_of_rows(const struct flat_reader *reader, struct flat_facts *facts)
{
    facts->ttl = facts->ttl_most = reader->rows[0].ttl;
    for (size_t i = 1; i < reader->row_count; i++) {
        facts->ttl = MIN(facts->ttl, reader->rows[i].ttl);
        facts->ttl_most = MAX(facts->ttl_most, reader->rows[i].ttl);
    }
}

static bool all_paused(const struct flat_reader *reader)
{
    for (size_t i = 0; i < reader->row_count; i++) {
        if (!reader->rows[i].member.disabled) {
            return false;
        }
    }
    return true;
}

bool yaml_flat_read(const struct yaml_record *record, const struct yaml *rows,
                    struct policy *policy, struct flat_facts *facts)
{
    if (!yaml_is_list(rows)) {
        return false;
    }
    size_t count = rows->node->child_count;
    if (count == 0 || count > RRSET_MEMBERS_MAX) {
        yaml_error(rows, "expected 1 to %d rows, found %zu", RRSET_MEMBERS_MAX, count);
        return false;
    }
    struct flat_reader reader = {
        .record = record,
        .rows = mem_alloc_array(count, sizeof(struct row)),
        .row_count = count,
    };
    bool good = true;
    struct yaml row = {0};
    while (yaml_next(rows, &row)) {
        good &= row_read(&reader, &row, &reader.rows[row.node->index]);
    }
    bool values = yaml_has(record->at, "values") || yaml_has(record->at, "value");
    if (good && all_paused(&reader) && !values) {
        yaml_warning(rows, "every row is paused: the name has no %s record", record->type_name);
    } else if (good) {
        good = pools_make(&reader, rows, policy);
    }
    facts->weighted = reader.weighted;
    if (good) {
        ttls_of_rows(&reader, facts);
    }
    free(reader.rows);
    return good;
}
