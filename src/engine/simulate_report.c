// SPDX-License-Identifier: GPL-3.0-or-later
//
// From weights of choices to shares of pools, sites and members.
//
// A choice spreads its clients over its members as choice_shares says; members of both sides that
// have the same value are one row, and so are pools and sites of the same name. The shares of a
// table add up to 1 over its rows (those without a site, and clients without an answer, have rows
// of their own). Control thread.
#include "engine/simulate_report.h"

#include "base/memory.h"
#include "steer/shares.h"

#include <math.h>
#include <string.h>

enum side { BEFORE, AFTER, SIDES };
enum table { BY_POOL, BY_SITE, BY_MEMBER, TABLES };

static const char *const table_names[TABLES] = {"pools", "sites", "members"};
static const char *const row_keys[TABLES] = {"pool", "site", "member"};

struct row {
    char *name;
    double first[SIDES], any[SIDES];
};

struct rows {
    struct row *items;
    size_t count, capacity;
    json_t *index; // name -> number
};

// Where a member of a side counts.
struct member_rows {
    size_t rows[TABLES];
};

struct report {
    struct simulated sides[SIDES];
    bool same;
    struct rows tables[TABLES];
    struct member_rows *members[SIDES]; // pools one after the other, then the values
    size_t *first_of_pool[SIDES];
    struct member_share **shares[SIDES]; // of each choice, when it was asked for
    size_t nothing[TABLES];              // rows of clients without an answer
};

static size_t row_of(struct rows *rows, const char *name)
{
    json_t *known = json_object_get(rows->index, name);
    if (known != NULL) {
        return (size_t)json_integer_value(known);
    }
    MEM_GROW(rows->items, rows->count, rows->capacity);
    rows->items[rows->count] = (struct row){.name = mem_strdup(name)};
    json_object_set_new(rows->index, name, json_integer((json_int_t)rows->count));
    return rows->count++;
}

static void members_enter(struct report *report, struct member_rows *at,
                          const struct member *members, size_t count, const char *pool)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i].pool != NULL) {
            continue; // its members count where they are written
        }
        const char *site = members[i].site ? members[i].site->name : "(none)";
        at[i].rows[BY_POOL] = row_of(&report->tables[BY_POOL], pool);
        at[i].rows[BY_SITE] = row_of(&report->tables[BY_SITE], site);
        at[i].rows[BY_MEMBER] = row_of(&report->tables[BY_MEMBER], members[i].text);
    }
}

static void side_enter(struct report *report, enum side side)
{
    const struct policy *policy = report->sides[side].policy;
    size_t total = policy->value_count;
    report->first_of_pool[side] = mem_alloc_array(policy->pool_count + 1, sizeof(size_t));
    for (size_t i = 0; i < policy->pool_count; i++) {
        report->first_of_pool[side][i] = total - policy->value_count;
        total += policy->pools[i].member_count;
    }
    size_t first_value = total - policy->value_count;
    report->first_of_pool[side][policy->pool_count] = first_value;
    report->members[side] = mem_alloc_array(total, sizeof(struct member_rows));
    for (size_t i = 0; i < policy->pool_count; i++) {
        members_enter(report, report->members[side] + report->first_of_pool[side][i],
                      policy->pools[i].members, policy->pools[i].member_count,
                      policy->pools[i].name);
    }
    members_enter(report, report->members[side] + first_value, policy->values, policy->value_count,
                  "(values)");
    report->shares[side] =
        mem_alloc_array(plan_choice_count(report->sides[side].plan), sizeof(struct member_share *));
}

struct report *report_new(const struct simulated *before, const struct simulated *after)
{
    struct report *report = mem_alloc(sizeof(*report));
    report->sides[BEFORE] = *before;
    report->sides[AFTER] = *after;
    report->same = before->plan == after->plan;
    for (size_t i = 0; i < TABLES; i++) {
        report->tables[i].index = json_object();
    }
    side_enter(report, BEFORE);
    side_enter(report, AFTER);
    for (size_t i = 0; i < TABLES; i++) {
        report->nothing[i] = row_of(&report->tables[i], "(no answer)");
    }
    return report;
}

void report_free(struct report *report)
{
    for (size_t i = 0; i < TABLES; i++) {
        for (size_t k = 0; k < report->tables[i].count; k++) {
            free(report->tables[i].items[k].name);
        }
        free(report->tables[i].items);
        json_decref(report->tables[i].index);
    }
    for (size_t side = 0; side < SIDES; side++) {
        for (size_t i = 0; i < plan_choice_count(report->sides[side].plan); i++) {
            free(report->shares[side][i]);
        }
        free(report->shares[side]);
        free(report->members[side]);
        free(report->first_of_pool[side]);
    }
    free(report);
}

// --- counting

static void row_add(struct report *report, enum side side, const size_t rows[TABLES], double first,
                    double any)
{
    for (size_t i = 0; i < TABLES; i++) {
        struct row *row = &report->tables[i].items[rows[i]];
        row->first[side] += first;
        row->any[side] += any;
    }
}

static void choice_add_shares(struct report *report, enum side side, size_t choice, double weight)
{
    const struct simulated *at = &report->sides[side];
    struct plan_choice_view view = plan_choice(at->plan, choice);
    if (view.kind != PICK_MEMBERS) {
        row_add(report, side, report->nothing, weight, weight);
        return;
    }
    struct member_share **shares = &report->shares[side][choice];
    if (*shares == NULL) {
        *shares = mem_alloc_array(view.member_count, sizeof(**shares));
        choice_shares(at->plan, choice, *shares);
    }
    for (size_t i = 0; i < view.member_count; i++) {
        struct plan_member_view member = plan_choice_member(at->plan, choice, i);
        size_t pool = member.pool < 0 ? at->policy->pool_count : (size_t)member.pool;
        size_t index = report->first_of_pool[side][pool] + member.index;
        row_add(report, side, report->members[side][index].rows, weight * (*shares)[i].first,
                weight * (*shares)[i].any);
    }
}

static void tables_clear(struct report *report)
{
    for (size_t i = 0; i < TABLES; i++) {
        for (size_t k = 0; k < report->tables[i].count; k++) {
            struct row *row = &report->tables[i].items[k];
            *row = (struct row){.name = row->name};
        }
    }
}

static void side_count(struct report *report, enum side side, const struct simulation *simulation,
                       size_t group)
{
    double clients = simulation->group_weights[group];
    const double *weights = simulation->weights + group * simulation->choice_count;
    for (size_t i = 0; clients > 0 && i < simulation->choice_count; i++) {
        if (weights[i] > 0) {
            choice_add_shares(report, side, i, weights[i] / clients);
        }
    }
}

// --- JSON

// Shares have six digits: what the tenth of a millionth of the clients do is noise.
static json_t *share_json(double share)
{
    return json_real(round(share * 1e6) / 1e6);
}

static json_t *row_json(const struct report *report, enum table table, const struct row *row)
{
    json_t *json =
        json_pack("{s:s, s:o}", row_keys[table], row->name, "share", share_json(row->first[AFTER]));
    if (table == BY_MEMBER) {
        json_object_set_new(json, "appears", share_json(row->any[AFTER]));
    }
    if (!report->same) {
        json_object_set_new(json, "before", share_json(row->first[BEFORE]));
        json_object_set_new(json, "change", share_json(row->first[AFTER] - row->first[BEFORE]));
    }
    return json;
}

static bool has_sites(const struct policy *policy)
{
    return policy->site_count > 0;
}

// Rows that nobody gets, before or after, are left out; but in the table of `all` clients what has
// a name is worth its zero.
// Where nothing has a site there is no table of them.
static json_t *table_json(const struct report *report, enum table table, bool all)
{
    const struct rows *rows = &report->tables[table];
    json_t *list = json_array();
    if (table == BY_SITE && !has_sites(report->sides[BEFORE].policy) &&
        !has_sites(report->sides[AFTER].policy)) {
        return list;
    }
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        bool named = all && row->name[0] != '(';
        if (named || row->any[BEFORE] > 0 || row->any[AFTER] > 0) {
            json_array_append_new(list, row_json(report, table, row));
        }
    }
    return list;
}

static void tables_put(const struct report *report, json_t *json, bool all)
{
    for (size_t i = 0; i < TABLES; i++) {
        json_object_set_new(json, table_names[i], table_json(report, (enum table)i, all));
    }
}

static void tables_count(struct report *report, const struct simulation *before,
                         const struct simulation *after, size_t group)
{
    tables_clear(report);
    side_count(report, BEFORE, before, group);
    side_count(report, AFTER, after, group);
}

json_t *report_all(struct report *report, const struct simulation *before,
                   const struct simulation *after)
{
    json_t *json = json_pack("{s:f}", "clients", after->group_weights[0]);
    tables_count(report, before, after, 0);
    tables_put(report, json, true);
    return json;
}

json_t *report_groups(struct report *report, const char *const *names,
                      const struct simulation *before, const struct simulation *after)
{
    json_t *list = json_array();
    for (size_t i = 0; i <= after->group_count; i++) {
        if (after->group_weights[i] <= 0) {
            continue; // no client is in it
        }
        const char *name = i < after->group_count ? names[i] : "(none)";
        json_t *json = json_pack("{s:s, s:f}", "group", name, "clients", after->group_weights[i]);
        tables_count(report, before, after, i);
        tables_put(report, json, false);
        json_array_append_new(list, json);
    }
    return list;
}
