// SPDX-License-Identifier: GPL-3.0-or-later
//
// The flat form that DNS consoles use: `records`, one row a value, each on a line.
//
// The rows of one line become one pool named after it; the rules stand in the order of precedence,
// most specific line first and the default line, which everybody is in, last. Called by
// zone_yaml.c.
#include "format/yaml_zone.h"

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
    const char *code; // of a line that is not known here, as written; else NULL
    unsigned order;   // of the row's line among the lines, by precedence; then of the row
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

static bool row_line_read(const struct flat_reader *reader, const struct yaml *at, struct row *row)
{
    const struct lines *lines = reader->record->yz->reader->lines;
    struct yaml child;
    if (!yaml_get(at, "line", &child)) {
        row->line = lines_find(lines, "default");
        SP_ASSERT(row->line >= 0);
        return true;
    }
    row->line = yaml_line_read(reader->record, &child);
    if (row->line >= 0 && lines_get(lines, (size_t)row->line)->kind == LINE_OPAQUE) {
        row->code = arena_strdup(reader->record->yz->arena, yaml_text(&child));
    }
    return row->line >= 0;
}

// Rows of codes that are not known here share a line; each code is a pool of its own all the same.
static bool same_line(const struct row *a, const struct row *b)
{
    return a->line == b->line && (a->code == NULL || strcasecmp(a->code, b->code) == 0);
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
    return row_line_read(reader, at, row) && good;
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
    enum line_precedence precedence = zone_reader->precedence;
    zone_precedence(reader->record->yz->zone, &precedence);
    struct row *rows = reader->rows;
    size_t count = reader->row_count;
    unsigned *ranks = mem_alloc_array(count, sizeof(*ranks));
    size_t *firsts = mem_alloc_array(count, sizeof(*firsts)); // the first row of each row's line
    for (size_t i = 0; i < count; i++) {
        ranks[i] = line_rank(lines_get(zone_reader->lines, (size_t)rows[i].line), precedence);
        for (firsts[i] = 0; !same_line(&rows[firsts[i]], &rows[i]);) {
            firsts[i]++;
        }
    }
    for (size_t i = 0; i < count; i++) {
        unsigned before = 0;
        for (size_t j = 0; j < count; j++) {
            bool line_before =
                ranks[j] > ranks[i] || (ranks[j] == ranks[i] && firsts[j] < firsts[i]);
            before += same_line(&rows[j], &rows[i]) ? j < i : line_before;
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
        count += i == 0 || !same_line(&reader->rows[i], &reader->rows[i - 1]);
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
        .name = arena_strdup(arena, rows[0].code ? rows[0].code : line->id),
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

// --- networks of one custom line within those of another

// The networks of custom lines, each of its rule.
struct claims {
    struct claim {
        const struct prefix *network;
        size_t rule;
    } * items;
    size_t count, capacity;
};

// Wider networks before those within them.
static int claim_compare(const void *a, const void *b)
{
    const struct prefix *x = ((const struct claim *)a)->network;
    const struct prefix *y = ((const struct claim *)b)->network;
    int order = memcmp(&x->address, &y->address, sizeof(x->address));
    return order != 0 ? order : x->length - y->length;
}

// Whether a network of one line lies within a network of another. Sorted networks nest: those
// around the one at hand are a stack.
static bool claims_nest(const struct claims *all)
{
    const struct claim *claims = all->items;
    size_t stack[130], depth = 0;
    for (size_t i = 0; i < all->count; i++) {
        while (depth > 0 &&
               !prefix_contains(claims[stack[depth - 1]].network, &claims[i].network->address)) {
            depth--;
        }
        for (size_t k = 0; k < depth; k++) {
            const struct claim *around = &claims[stack[k]];
            if (around->rule != claims[i].rule &&
                around->network->length < claims[i].network->length) {
                return true;
            }
        }
        // Of equal networks one is enough to go by: they are within the same.
        if (depth == 0 || claims[stack[depth - 1]].network->length != claims[i].network->length) {
            stack[depth++] = i;
        }
    }
    return false;
}

// Sorted; the items are released with free().
static struct claims claims_of(const struct lines *lines, const struct policy *policy)
{
    struct claims claims = {0};
    for (size_t r = 0; r < policy->rule_count; r++) {
        if (policy->rules[r].line_count == 0) {
            continue;
        }
        const struct line *line = lines_get(lines, (size_t)policy->rules[r].lines[0]);
        for (size_t i = 0; line->kind == LINE_CUSTOM && i < line->network_count; i++) {
            MEM_GROW(claims.items, claims.count, claims.capacity);
            claims.items[claims.count++] = (struct claim){&line->networks[i], r};
        }
    }
    if (claims.count > 0) {
        qsort(claims.items, claims.count, sizeof(*claims.items), claim_compare);
    }
    return claims;
}

// The networks of one rule's line that have this length, as a rule before all others.
static void rule_of_length(struct arena *arena, const struct claims *claims, const struct rule *of,
                           size_t index, unsigned length, struct policy *policy)
{
    size_t size = 0;
    for (size_t i = 0; i < claims->count; i++) {
        size += claims->items[i].rule == index && claims->items[i].network->length == length;
    }
    if (size == 0) {
        return;
    }
    struct prefix *networks = arena_alloc(arena, size * sizeof(*networks));
    struct rule *rule = &policy->rules[policy->rule_count++];
    *rule = (struct rule){.pool = of->pool, .share_ppm = of->share_ppm, .place = of->place};
    rule->subnets = networks;
    for (size_t i = 0; i < claims->count; i++) {
        if (claims->items[i].rule == index && claims->items[i].network->length == length) {
            networks[rule->subnet_count++] = *claims->items[i].network;
        }
    }
}

// Of two custom lines that hold a client by their networks, the narrower network wins. Where that
// could ever matter, the networks of the lines become rules before those of the lines, the longest
// prefixes first. False when there is no room for them.
static bool custom_split(const struct flat_reader *reader, struct policy *policy)
{
    struct arena *arena = reader->record->yz->arena;
    size_t rule_count = policy->rule_count;
    struct rule *rules = policy->rules;
    struct claims claims = claims_of(reader->record->yz->reader->lines, policy);
    bool fits = true;
    if (claims_nest(&claims)) {
        policy->rules = arena_alloc(arena, (RULES_MAX + rule_count) * sizeof(*policy->rules));
        policy->rule_count = 0;
        for (unsigned length = 129; length-- > 0 && fits;) {
            for (size_t r = 0; r < rule_count && fits; r++) {
                rule_of_length(arena, &claims, &rules[r], r, length, policy);
                fits = policy->rule_count < RULES_MAX;
            }
        }
        fits = fits && policy->rule_count + rule_count <= RULES_MAX;
        for (size_t r = 0; r < rule_count; r++) {
            policy->rules[policy->rule_count++] = rules[r];
        }
    }
    free(claims.items);
    return fits;
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
        while (end < reader->row_count && same_line(&reader->rows[end], &reader->rows[i])) {
            end++;
        }
        pool_make(reader, at, policy, &reader->rows[i], end - i);
        i = end;
    }
    if (!custom_split(reader, policy)) {
        yaml_error(at, "too many of its lines have networks within each other's");
        return false;
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
