// SPDX-License-Identifier: GPL-3.0-or-later
//
// The table of lint rules, and the walk that asks each about everything that it looks at.
//
// Called with a zone that was read without errors, on the thread that owns it. The rules themselves
// are in lint_rules.c, lint_methods.c, lint_health.c and lint_names.c; each row names one function.
#include "lint/lint_parts.h"

#include "dns/types.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// A rule looks at every RRset, at every steered RRset, at every owner, or at the lines as a whole.
struct lint_row {
    struct lint_rule rule;
    void (*rrset)(struct lint *lint);
    void (*steered)(struct lint *lint);
    void (*owner)(struct lint *lint);
    void (*lines)(struct lint *lint);
};

static const struct lint_row rows[] = {
    {{"rule-shadowed", SEVERITY_WARNING,
      "Every client that the rule holds is taken by rules before it, so its pool never answers "
      "because of it.",
      "move the rule up, narrow those before it, or delete it"},
     .steered = lint_rule_shadowed},
    {{"rule-empty", SEVERITY_WARNING,
      "No client in the loaded geo data falls under the rule's targets: a slip in a target, or geo "
      "data that is missing.",
      "correct the targets, or load geo data that knows them"},
     .steered = lint_rule_empty},
    {{"line-opaque", SEVERITY_WARNING,
      "The row is on a line of another provider that is not known here: it is kept, and nobody "
      "gets "
      "it.",
      "put the row on a line that is known, or say in shared.yaml who is in this one"},
     .steered = lint_line_opaque},
    {{"pool-unreachable", SEVERITY_WARNING,
      "No rule that a client reaches leads to the pool, and no pool that answers falls back on it: "
      "its members never get a client.",
      "give the pool a rule that clients reach, make it a fallback, or delete it"},
     .steered = lint_pool_unreachable},
    {{"member-unused", SEVERITY_WARNING,
      "The member is never handed out: others of its pool always come before it.",
      "give it a weight, check the members before it, ask for more answers, or delete it"},
     .steered = lint_member_unused},
    {{"default-missing", SEVERITY_WARNING,
      "The rows name lines, and none is on the line `default`: clients of no such line get the "
      "values beside the rows, or no answer at all.",
      "add a row on the line \"default\""},
     .steered = lint_default_missing},
    {{"weight-no-effect", SEVERITY_NOTE,
      "Weights are written and cannot matter: the method does not look at them, a single member "
      "has all the weight there is, or every member is in every answer.",
      "write `method: weighted` with fewer answers than members, or leave the weights out"},
     .steered = lint_weight_no_effect},
    {{"lines-overlap", SEVERITY_WARNING,
      "Two lines of yours hold the very same network, so which of them a client is in depends on "
      "the order of rows and rules.",
      "keep the network in one of the lines"},
     .lines = lint_lines_overlap},
    {{"single-address", SEVERITY_WARNING,
      "Some clients depend on one address: when it dies, nothing takes its place.",
      "add a second member, or a check and a fallback that leads elsewhere"},
     .steered = lint_single_address},
    {{"single-network", SEVERITY_NOTE,
      "All addresses of the name are in one /24 (IPv4) or /48 (IPv6): one cable, one router or one "
      "withdrawn route takes them all.",
      "add a member in another network"},
     .steered = lint_single_network},
    {{"single-site", SEVERITY_NOTE,
      "All members that have a site are at the same one: one power cut takes them all.",
      "add a member at another site"},
     .steered = lint_single_site},
    {{"ttl-long", SEVERITY_WARNING,
      "The name is checked, but resolvers keep its answers so long that a dead member goes on "
      "being used well after it left the answer.",
      "lower the TTL"},
     .steered = lint_ttl_long},
    {{"failover-slow", SEVERITY_WARNING,
      "The worst-case failover time (fall x interval + timeout, publication, TTL) is past the "
      "budget `max_failover`.",
      "probe more often, lower `fall`, `timeout` or the TTL, or raise the budget"},
     .steered = lint_failover_slow},
    {{"certificate-name", SEVERITY_WARNING,
      "The check does not prove what clients need: that the certificate covers the name that they "
      "ask for.",
      "let the check verify, with the owner name as its host, and renew the certificate"},
     .steered = lint_certificate_name},
    {{"ttl-mixed", SEVERITY_WARNING,
      "Records of one name and type have one TTL (RFC 2181, section 5.2): of several the least is "
      "used.",
      "write one TTL"},
     .rrset = lint_ttl_mixed},
    {{"family-missing", SEVERITY_NOTE,
      "The name is steered for one address family and does not exist for the other, whose clients "
      "go through a translator that stands elsewhere.",
      "add the other family's records"},
     .owner = lint_family_missing},
    {{"family-differs", SEVERITY_WARNING,
      "A and AAAA of the name are steered differently: a client with both families may get two "
      "different places.",
      "give both the same method, pools and rules"},
     .owner = lint_family_differs},
    {{"ramp-unchecked", SEVERITY_WARNING,
      "A ramp goes back to nobody when its pool fails, and nothing looks whether it does: none of "
      "the pool's members has a check.",
      "give the record a check, or leave the status of the pool's members to it"},
     .steered = lint_ramp_unchecked},
    {{"method-no-effect", SEVERITY_NOTE,
      "A pool has a method of its own, and it cannot matter: there is nothing to choose from, no "
      "place to go by, or the pool around it does the same.",
      "leave the pool's `method` out, or give it members and sites to choose from"},
     .steered = lint_method_no_effect},
};

_Static_assert(ARRAY_SIZE(rows) <= 64, "ignored rules are bits of a uint64_t");

size_t lint_rule_count(void)
{
    return ARRAY_SIZE(rows);
}

const struct lint_rule *lint_rule_at(size_t index)
{
    SP_ASSERT(index < ARRAY_SIZE(rows));
    return &rows[index].rule;
}

int lint_rule_find(const char *id)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].rule.id, id) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void lint_report(struct lint *lint, struct place place, const char *format, ...)
{
    char message[400], key[NAME_TEXT_MAX + RR_TYPE_TEXT_MAX + 1] = "", type[RR_TYPE_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (lint->owner != NULL) {
        name_format(lint->owner->name, key);
    }
    if (lint->rrset != NULL) {
        size_t used = strlen(key);
        snprintf(key + used, sizeof(key) - used, " %s", rr_type_format(lint->rrset->type, type));
    }
    if (place.file == NULL && lint->zone != NULL) {
        place.file = zone_path(lint->zone);
    }
    diags_finding(lint->findings, lint->rule->severity, lint->rule->id, lint->rule->fix, place, key,
                  "%s", message);
}

bool lint_member_counts(const struct member *member)
{
    return !member->disabled && member->status != STATUS_DOWN;
}

void lint_leaves(const struct member *members, size_t count, lint_visit *visit, void *context)
{
    for (size_t i = 0; i < count; i++) {
        if (!lint_member_counts(&members[i])) {
            continue;
        }
        if (members[i].pool != NULL) { // pools in pools are free of loops: the readers see to it
            lint_leaves(members[i].pool->members, members[i].pool->member_count, visit, context);
        } else {
            visit(context, &members[i]);
        }
    }
}

struct sure_search {
    const struct policy *policy;
    bool found;
};

static void sure_visit(void *context, const struct member *member)
{
    struct sure_search *search = context;
    search->found |= search->policy->check.kind == CHECK_NONE || member->status != STATUS_OBEY;
}

bool lint_member_is_sure(const struct policy *policy, const struct member *member)
{
    struct sure_search search = {policy, false};
    lint_leaves(member, 1, sure_visit, &search);
    return search.found;
}

static void rrset_look(struct lint *lint, const struct lint_row *row, uint64_t bit)
{
    if (row->rrset != NULL && (lint->policy == NULL || !(lint->policy->lint_ignored & bit))) {
        row->rrset(lint);
    }
    if (row->steered != NULL && lint->policy != NULL && !(lint->policy->lint_ignored & bit)) {
        row->steered(lint);
    }
}

static void rrset_lint(struct lint *lint, const struct rrset *rrset)
{
    lint->rrset = rrset;
    lint->policy = rrset->policy;
    lint->reach = rrset->policy ? lint->world->reach(lint->world->state, rrset->policy) : NULL;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (!(lint->world->ignored & bit)) {
            lint->rule = &rows[i].rule;
            rrset_look(lint, &rows[i], bit);
        }
    }
    lint->rrset = NULL;
    lint->policy = NULL;
    lint->reach = NULL;
}

// An owner's rules are switched off where one of its RRsets switches them off.
static uint64_t ignored_of_owner(const struct lint *lint)
{
    uint64_t ignored = lint->world->ignored;
    for (const struct rrset *rrset = lint->owner->rrsets; rrset; rrset = rrset->next) {
        ignored |= rrset->policy ? rrset->policy->lint_ignored : 0;
    }
    return ignored;
}

void lint_zone(const struct lint_world *world, const struct zone *zone, struct diags *findings)
{
    struct lint lint = {.world = world, .zone = zone, .findings = findings};
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        lint.owner = zone_owner(zone, i);
        uint64_t ignored = ignored_of_owner(&lint);
        for (const struct rrset *rrset = lint.owner->rrsets; rrset; rrset = rrset->next) {
            rrset_lint(&lint, rrset);
        }
        for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
            if (rows[k].owner != NULL && !(ignored >> k & 1)) {
                lint.rule = &rows[k].rule;
                rows[k].owner(&lint);
            }
        }
    }
}

void lint_lines(const struct lint_world *world, struct diags *findings)
{
    struct lint lint = {.world = world, .findings = findings};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].lines != NULL && !(world->ignored >> i & 1)) {
            lint.rule = &rows[i].rule;
            rows[i].lines(&lint);
        }
    }
}
