// SPDX-License-Identifier: GPL-3.0-or-later
//
// Between lint.c (the table) and lint_*.c (the rules). Nobody else includes this.
#pragma once

#include "geo/lines.h"
#include "lint/lint.h"

// What is being looked at. Which fields are set depends on the kind of rule (struct lint_row).
struct lint {
    const struct lint_world *world;
    const struct zone *zone;
    const struct owner *owner;
    const struct rrset *rrset;
    const struct policy *policy;
    const struct rule_reach *reach; // one a rule of the policy
    const struct lint_rule *rule;   // that looks
    struct diags *findings;
};

// Adds a finding of the rule that looks. The key is the owner and type at hand.
void lint_report(struct lint *lint, struct place place, const char *format, ...) PRINTF_LIKE(3, 4);
// Calls `visit` for every value that the members may ever give, those of pools among them too.
typedef void lint_visit(void *context, const struct member *member);
void lint_leaves(const struct member *members, size_t count, lint_visit *visit, void *context);
// Whether the member may ever be handed out.
bool lint_member_counts(const struct member *member);
// No check ever takes it out.
bool lint_member_is_sure(const struct policy *policy, const struct member *member);

// lint_rules.c: who gets what
void lint_rule_shadowed(struct lint *lint);
void lint_rule_empty(struct lint *lint);
void lint_line_opaque(struct lint *lint);
void lint_pool_unreachable(struct lint *lint);
void lint_member_unused(struct lint *lint);
void lint_default_missing(struct lint *lint);
void lint_weight_no_effect(struct lint *lint);
void lint_lines_overlap(struct lint *lint);
// lint_methods.c: methods of pools
void lint_method_no_effect(struct lint *lint);
// By pool, the methods by which its members may be chosen among: bits 1 << enum method.
void lint_methods(const struct policy *policy, unsigned methods[POOLS_MAX]);
// lint_health.c: what happens when something dies
void lint_single_address(struct lint *lint);
void lint_single_network(struct lint *lint);
void lint_single_site(struct lint *lint);
void lint_ttl_long(struct lint *lint);
void lint_failover_slow(struct lint *lint);
void lint_certificate_name(struct lint *lint);
void lint_ramp_unchecked(struct lint *lint);
// lint_names.c: the RRsets of a name beside each other
void lint_ttl_mixed(struct lint *lint);
void lint_family_missing(struct lint *lint);
void lint_family_differs(struct lint *lint);
