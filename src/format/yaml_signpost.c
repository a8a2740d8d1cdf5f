// SPDX-License-Identifier: GPL-3.0-or-later
//
// The `signpost` key: how members are chosen, how many, and what happens when all are down.
//
// The same for all three forms. `signpost.check` and `octodns.healthcheck` are in yaml_check.c.
// Called by zone_yaml.c.
#include "format/yaml_zone.h"

#include "base/clock.h"
#include "lint/lint.h"

#include <string.h>

enum { ANSWERS_MAX = 64, MIN_TTL_DEFAULT = 5, LOAD_AGE_DEFAULT_S = 60 };

static const char *const signpost_keys[] = {"method", "answers",      "all_down",    "min_ttl",
                                            "check",  "max_failover", "lint_ignore", "load"};
static const char *const octodns_keys[] = {"healthcheck"};

bool yaml_method_read(const struct yaml *at, enum method *method)
{
    unsigned choice;
    if (!yaml_choice(at, method_names, METHOD_COUNT, &choice)) {
        return false;
    }
    *method = (enum method)choice;
    return true;
}

// Defaults that follow from a method that was written: one answer where members are drawn.
static void answers_default(const struct yaml_record *record, struct policy *policy)
{
    policy->answers = method_answers_one(policy->method) || record->type == TYPE_CNAME ? 1 : 0;
}

static bool answers_read(const struct yaml_record *record, const struct yaml *at,
                         struct policy *policy)
{
    uint32_t number = 0;
    bool all = at->node->kind == YAML_SCALAR && strcmp(at->node->text, "all") == 0;
    if (!all && at->node->kind == YAML_SCALAR &&
        strspn(at->node->text, "0123456789") != strlen(at->node->text)) {
        yaml_error(at, "expected \"all\" or a whole number from 1 to %d, found \"%.40s\"",
                   ANSWERS_MAX, at->node->text);
        return false;
    }
    if (!all && !yaml_number(at, 1, ANSWERS_MAX, &number)) {
        return false;
    }
    if (record->type == TYPE_CNAME && number != 1) {
        yaml_error(at, "a CNAME answer is one record; leave \"answers\" out");
        return false;
    }
    policy->answers = number;
    return true;
}

static bool lint_id_read(const struct yaml *at, uint64_t *ignored)
{
    const char *ids[64], *text = yaml_text(at);
    for (size_t i = 0; i < lint_rule_count(); i++) {
        ids[i] = lint_rule_at(i)->id;
    }
    if (text == NULL) {
        return false;
    }
    int index = lint_rule_find(text);
    if (index < 0) {
        char hint[HINT_MAX];
        yaml_error(at, "there is no lint rule \"%.40s\"%s", text,
                   hint_format(text_nearest(text, ids, lint_rule_count()), hint));
        return false;
    }
    *ignored |= UINT64_C(1) << index;
    return true;
}

// Ids of lint rules that are not to speak about this RRset: one, or a list.
static bool lint_ignore_read(const struct yaml *at, uint64_t *ignored)
{
    struct yaml item = {0};
    bool good = true;
    if (at->node->kind == YAML_LIST) {
        while (yaml_next(at, &item)) {
            good &= lint_id_read(&item, ignored);
        }
        return good;
    }
    return lint_id_read(at, ignored);
}

static bool lint_read(const struct yaml *at, struct policy *policy)
{
    struct yaml child;
    bool good = true;
    if (yaml_get(at, "max_failover", &child)) {
        good =
            yaml_duration(&child, NS_PER_SECOND, 86400 * NS_PER_SECOND, &policy->max_failover_ns);
    }
    if (yaml_get(at, "lint_ignore", &child)) {
        good &= lint_ignore_read(&child, &policy->lint_ignored);
    }
    return good;
}

// When members shed, in the unit of the loads that they report.
static bool load_read(const struct yaml *at, struct policy *policy)
{
    static const char *const load_keys[] = {"target", "limit", "age"};
    struct yaml child;
    double target = 0, limit = 0;
    if (!yaml_is_map(at)) {
        return false;
    }
    yaml_known_keys(at, load_keys, ARRAY_SIZE(load_keys));
    if (!yaml_get(at, "target", &child)) {
        yaml_error(at, "missing \"target\": the load above which a member sheds");
        return false;
    }
    bool good = yaml_decimal(&child, 1e-9, 1e9, &target);
    limit = target * 2;
    if (yaml_get(at, "limit", &child)) {
        good &= yaml_decimal(&child, 1e-9, 1e9, &limit);
        if (good && limit <= target) {
            yaml_error(&child, "the limit must be above the target");
            good = false;
        }
    }
    if (yaml_get(at, "age", &child)) {
        good &= yaml_duration(&child, NS_PER_SECOND, LOAD_AGE_MAX_S * NS_PER_SECOND,
                              &policy->load_age_ns);
    }
    policy->load_target = target;
    policy->load_limit = limit;
    return good;
}

static bool settings_read(const struct yaml_record *record, const struct yaml *at,
                          struct policy *policy)
{
    struct yaml child;
    bool good = true;
    if (yaml_get(at, "method", &child)) {
        good = yaml_method_read(&child, &policy->method);
        answers_default(record, policy);
    }
    if (yaml_get(at, "answers", &child)) {
        good &= answers_read(record, &child, policy);
    }
    if (yaml_get(at, "all_down", &child)) {
        unsigned choice = ALL_DOWN_ALL;
        good &= yaml_choice(&child, all_down_names, ALL_DOWN_COUNT, &choice);
        policy->all_down = (enum all_down)choice;
    }
    if (yaml_get(at, "load", &child)) {
        good &= load_read(&child, policy);
    }
    if (yaml_get(at, "min_ttl", &child)) {
        good &= yaml_number(&child, 0, record->ttl, &policy->min_ttl);
    }
    return good;
}

bool yaml_signpost_given(const struct yaml_record *record)
{
    struct yaml octodns;
    return yaml_has(record->at, "signpost") ||
           (yaml_get(record->at, "octodns", &octodns) && yaml_has(&octodns, "healthcheck"));
}

// Other keys under `octodns` are for its providers; only a slip in ours is worth a word.
static void octodns_slips(const struct yaml *octodns)
{
    struct yaml child = {0};
    while (yaml_next(octodns, &child)) {
        const char *key = child.node->key;
        if (strcmp(key, "healthcheck") != 0 &&
            text_nearest(key, octodns_keys, ARRAY_SIZE(octodns_keys))) {
            yaml_warning(&child, "unknown key, left out of account; did you mean \"healthcheck\"?");
        }
    }
}

bool yaml_signpost_read(const struct yaml_record *record, struct policy *policy)
{
    struct yaml signpost, octodns;
    bool good = true;
    policy->load_age_ns = LOAD_AGE_DEFAULT_S * NS_PER_SECOND;
    policy->min_ttl = MIN(record->ttl, (uint32_t)MIN_TTL_DEFAULT);
    if (yaml_get(record->at, "octodns", &octodns) && octodns.node->kind == YAML_MAP) {
        octodns_slips(&octodns);
    }
    if (yaml_get(record->at, "signpost", &signpost)) {
        if (!yaml_is_map(&signpost)) {
            return false;
        }
        yaml_known_keys(&signpost, signpost_keys, ARRAY_SIZE(signpost_keys));
        good = settings_read(record, &signpost, policy);
        good &= lint_read(&signpost, policy);
    }
    return yaml_check_read(record, &policy->check) && good;
}
