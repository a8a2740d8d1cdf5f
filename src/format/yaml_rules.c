// SPDX-License-Identifier: GPL-3.0-or-later
//
// octoDNS `dynamic.rules`, with lines, asns and share beside geos and subnets.
//
// First match wins, so order matters. octoDNS's demands on order hold among the rules that use
// subnets and geos only; rules with a target or a share of ours may stand anywhere before the
// catch-all, which comes last. Called by yaml_dynamic.c.
#include "format/yaml_targets.h"

#include <string.h>

enum { SHARE_ALL = 1000000 };

static const char *const rule_keys[] = {"pool", "subnets", "geos", "lines",
                                        "asns", "share",   "ramp"};

struct rules_reader {
    const struct yaml_record *record;
    struct policy *policy;
    bool *pool_used;               // by any rule, for the caller
    bool pool_targeted[POOLS_MAX]; // by an octoDNS-only rule
    struct targets_seen *seen;
    const struct rule *previous; // octoDNS-only, with targets
    unsigned default_number;     // of the first catch-all; 0: none yet
};

bool yaml_share_read(const struct yaml *at, uint32_t *share_ppm)
{
    const char *text = yaml_text(at), *rest;
    int64_t billionths;
    if (text == NULL) {
        return false;
    }
    if (decimal_parse(text, &billionths, &rest) && (*rest == '\0' || strcmp(rest, "%") == 0)) {
        int64_t ppm = *rest == '%' ? billionths / 100000 : billionths / 1000;
        if (ppm >= 1 && ppm <= SHARE_ALL) {
            *share_ppm = (uint32_t)ppm;
            return true;
        }
    }
    yaml_error(at, "expected a part of the clients such as 5%% or 0.05, found \"%.40s\"", text);
    return false;
}

static bool rule_has_targets(const struct rule *rule)
{
    return rule->line_count || rule->geo_count || rule->subnet_count || rule->asn_count;
}

static bool rule_is_octodns(const struct rule *rule)
{
    return rule->line_count == 0 && rule->asn_count == 0 && rule->share_ppm == SHARE_ALL;
}

// The line that everybody is in makes a rule a catch-all, whatever else it names.
static void default_line_drop(const struct rules_reader *reader, struct rule *rule)
{
    const struct lines *lines = reader->record->yz->reader->lines;
    for (size_t i = 0; i < rule->line_count; i++) {
        if (lines_get(lines, (size_t)rule->lines[i])->kind == LINE_DEFAULT) {
            rule->line_count = rule->geo_count = rule->subnet_count = rule->asn_count = 0;
        }
    }
}

static bool targets_read(const struct rules_reader *reader, const struct yaml *at,
                         struct rule *rule)
{
    static const struct {
        const char *key;
        bool (*read)(const struct yaml_record *record, const struct yaml *at, struct rule *rule);
    } kinds[] = {
        {"subnets", targets_subnets_read},
        {"geos", targets_geos_read},
        {"lines", targets_lines_read},
        {"asns", targets_asns_read},
    };
    bool good = true;
    struct yaml child;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (yaml_get(at, kinds[i].key, &child)) {
            good &= kinds[i].read(reader->record, &child, rule);
        }
    }
    if (yaml_get(at, "share", &child)) {
        good &= yaml_share_read(&child, &rule->share_ppm);
    }
    if (yaml_get(at, "ramp", &child)) {
        if (yaml_has(at, "share")) {
            yaml_error(&child, "\"share\" and \"ramp\" do not go together");
            good = false;
        }
        good &= yaml_ramp_read(reader->record, &child, rule);
    }
    default_line_drop(reader, rule);
    return good;
}

static bool pool_read(const struct rules_reader *reader, const struct yaml *at, struct rule *rule)
{
    struct yaml pool;
    if (!yaml_get(at, "pool", &pool)) {
        yaml_error(at, "missing \"pool\"");
        return false;
    }
    const char *name = yaml_text(&pool);
    if (name == NULL) {
        return false;
    }
    for (size_t i = 0; i < reader->policy->pool_count; i++) {
        if (strcmp(reader->policy->pools[i].name, name) == 0) {
            rule->pool = i;
            return true;
        }
    }
    yaml_error(&pool, "there is no pool \"%.60s\"", name);
    return false;
}

// octoDNS's order: subnets alone, subnets and geos, geos alone.
static bool order_check(const struct rules_reader *reader, const struct yaml *at,
                        const struct rule *rule)
{
    const struct rule *previous = reader->previous;
    if (previous == NULL || rule->subnet_count == 0) {
        return true;
    }
    if (rule->geo_count == 0 && previous->geo_count > 0) {
        yaml_error(at, "a rule with subnets alone must come before those with geos");
        return false;
    }
    if (rule->geo_count > 0 && previous->subnet_count == 0) {
        yaml_error(at, "a rule with subnets and geos must come before those with geos alone");
        return false;
    }
    return true;
}

static bool octodns_check(struct rules_reader *reader, const struct yaml *at,
                          const struct rule *rule, unsigned number)
{
    bool good = order_check(reader, at, rule);
    struct yaml child;
    if (yaml_get(at, "subnets", &child)) {
        good &= targets_seen_subnets(reader->seen, &child, rule, number);
    }
    if (yaml_get(at, "geos", &child)) {
        good &= targets_seen_geos(reader->seen, &child, rule, number);
    }
    if (reader->pool_targeted[rule->pool]) {
        yaml_error(at, "the pool \"%.60s\" is the target of another rule already; merge the two",
                   reader->policy->pools[rule->pool].name);
        good = false;
    }
    reader->pool_targeted[rule->pool] = true;
    reader->previous = rule;
    return good;
}

static bool catch_all_check(struct rules_reader *reader, const struct yaml *at, unsigned number,
                            bool last)
{
    bool good = true;
    if (reader->default_number) {
        yaml_error(at, "rule %u holds everybody already; one catch-all, the last rule",
                   reader->default_number);
        good = false;
    } else if (!last) {
        yaml_error(at, "this rule holds everybody; those after it can never be reached");
        good = false;
    }
    reader->default_number = reader->default_number ? reader->default_number : number;
    return good;
}

static bool rule_read(struct rules_reader *reader, const struct yaml *at, struct rule *rule,
                      bool last)
{
    unsigned number = at->node->index + 1;
    *rule = (struct rule){.share_ppm = SHARE_ALL, .place = yaml_place(at)};
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, rule_keys, ARRAY_SIZE(rule_keys));
    bool pooled = pool_read(reader, at, rule);
    bool good = targets_read(reader, at, rule) && pooled;
    if (pooled) {
        reader->pool_used[rule->pool] = true;
    }
    if (!good) {
        return false;
    }
    if (!rule_has_targets(rule) && rule->share_ppm == SHARE_ALL) {
        return catch_all_check(reader, at, number, last);
    }
    if (last) {
        yaml_error(at, "the last rule must hold everybody: a pool without targets or share");
        good = false;
    }
    if (rule_is_octodns(rule)) {
        good &= octodns_check(reader, at, rule, number);
    }
    return good;
}

bool yaml_rules_read(const struct yaml_record *record, const struct yaml *rules,
                     struct policy *policy, bool *pool_used)
{
    if (!yaml_is_list(rules)) {
        return false;
    }
    size_t count = rules->node->child_count;
    if (count == 0 || count > RULES_MAX) {
        yaml_error(rules, "expected 1 to %d rules, found %zu", RULES_MAX, count);
        return false;
    }
    struct rules_reader reader = {
        .record = record,
        .policy = policy,
        .pool_used = pool_used,
        .seen = targets_seen_new(),
    };
    policy->rules = arena_alloc(record->yz->arena, count * sizeof(*policy->rules));
    bool good = true;
    struct yaml rule = {0};
    while (yaml_next(rules, &rule)) {
        bool last = rule.node->index + 1 == count;
        good &= rule_read(&reader, &rule, &policy->rules[policy->rule_count++], last);
    }
    targets_seen_free(reader.seen);
    return good;
}
