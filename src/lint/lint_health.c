// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lint: what happens when something dies. Names that hang on one address or one network, answers
// that outlive their members, checks that do not look at what clients need.
//
// Each function is one row of the table in lint.c.
#include "lint/lint_parts.h"

#include "base/clock.h"
#include "dns/types.h"

#include <stdio.h>
#include <string.h>

// What is allowed for the way from the last result of a check to the new generation: one turn of
// the control thread's loop, with a wide margin for one that is busy.
#define PUBLICATION_NS NS_PER_SECOND

static bool is_address(const struct rrset *rrset)
{
    return rrset->type == TYPE_A || rrset->type == TYPE_AAAA;
}

// --- how many addresses there are

// Distinct values so far: none, one, or several.
struct distinct {
    const struct member *first;
    bool several;
};

static void distinct_visit(void *context, const struct member *member)
{
    struct distinct *distinct = context;
    const struct member *first = distinct->first ? distinct->first : member;
    distinct->first = first;
    distinct->several |= first->rdata_size != member->rdata_size ||
                         memcmp(first->rdata, member->rdata, first->rdata_size) != 0;
}

static void distinct_add(struct distinct *distinct, const struct member *members, size_t count)
{
    lint_leaves(members, count, distinct_visit, distinct);
}

// The pool and those behind it that take over. Without a check nothing ever takes over.
static void distinct_add_chain(const struct policy *policy, struct distinct *distinct, size_t first)
{
    size_t steps = 0;
    for (int at = (int)first; at >= 0 && steps <= policy->pool_count; steps++) {
        const struct pool *pool = &policy->pools[at];
        distinct_add(distinct, pool->members, pool->member_count);
        at = policy->check.kind == CHECK_NONE ? -1 : pool->fallback;
    }
}

static struct distinct distinct_of_rule(const struct lint *lint, size_t index)
{
    const struct policy *policy = lint->policy;
    struct distinct distinct = {0};
    distinct_add_chain(policy, &distinct, policy->rules[index].pool);
    if (policy->check.kind == CHECK_NONE) {
        return distinct;
    }
    for (size_t i = index + 1; policy->form == FORM_FLAT && i < policy->rule_count; i++) {
        if (policy->rules[i].line_count == 0) { // the line that everybody falls through to
            distinct_add_chain(policy, &distinct, policy->rules[i].pool);
        }
    }
    if (policy->all_down == ALL_DOWN_VALUES) {
        distinct_add(&distinct, policy->values, policy->value_count);
    }
    return distinct;
}

void lint_single_address(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    size_t count = 0, first_rule = 0;
    const struct member *first = NULL;
    for (size_t i = 0; is_address(lint->rrset) && i < policy->rule_count; i++) {
        struct distinct distinct = distinct_of_rule(lint, i);
        if (lint->reach[i].reached && distinct.first != NULL && !distinct.several) {
            first_rule = count == 0 ? i : first_rule;
            first = count == 0 ? distinct.first : first;
            count++;
        }
    }
    char more[64] = "";
    if (count > 1) {
        snprintf(more, sizeof(more), ", and it is so for %zu more %s", count - 1,
                 count == 2 ? "rule" : "rules");
    }
    if (count > 0) {
        lint_report(lint, first->place, "clients of the pool \"%.80s\" have only %.80s%s",
                    policy->pools[policy->rules[first_rule].pool].name, first->text, more);
    }
}

// --- one network, one site

struct common {
    const struct member *first;
    const struct site *site;
    bool network, placed; // all in one network; all that have a site at one
};

static void common_visit(void *context, const struct member *member)
{
    struct common *common = context;
    size_t octets = member->rdata_size == 4 ? 3 : 6; // /24, /48
    const struct member *first = common->first ? common->first : member;
    common->first = first;
    common->network &= memcmp(first->rdata, member->rdata, octets) == 0;
    const struct site *site = common->site ? common->site : member->site;
    common->placed &= member->site == NULL || member->site == site;
    common->site = site;
}

static bool common_of(const struct lint *lint, struct common *common)
{
    const struct policy *policy = lint->policy;
    struct distinct distinct = {0};
    *common = (struct common){.network = true, .placed = true};
    if (!is_address(lint->rrset)) {
        return false;
    }
    distinct_add(&distinct, policy->values, policy->value_count);
    lint_leaves(policy->values, policy->value_count, common_visit, common);
    for (size_t i = 0; i < policy->pool_count; i++) {
        distinct_add(&distinct, policy->pools[i].members, policy->pools[i].member_count);
        lint_leaves(policy->pools[i].members, policy->pools[i].member_count, common_visit, common);
    }
    return distinct.several;
}

void lint_single_network(struct lint *lint)
{
    struct common common;
    if (!common_of(lint, &common) || !common.network) {
        return;
    }
    struct prefix network = {.length = lint->rrset->type == TYPE_A ? 24 : 48};
    network.address.family = lint->rrset->type == TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;
    memcpy(network.address.bytes, common.first->rdata, common.first->rdata_size);
    address_mask(&network.address, network.length);
    char text[PREFIX_TEXT_MAX];
    lint_report(lint, lint->rrset->place, "every address is in %s", prefix_format(&network, text));
}

void lint_single_site(struct lint *lint)
{
    struct common common;
    if (common_of(lint, &common) && common.placed && common.site != NULL) {
        lint_report(lint, lint->rrset->place, "every member is at the site \"%.80s\"",
                    common.site->name);
    }
}

// --- time

// Whether a check can change the answer at all.
static bool is_checked(const struct policy *policy)
{
    for (size_t i = 0; policy->check.kind != CHECK_NONE && i < policy->pool_count; i++) {
        for (size_t k = 0; k < policy->pools[i].member_count; k++) {
            const struct member *member = &policy->pools[i].members[k];
            if (!member->disabled && member->status == STATUS_OBEY) {
                return true;
            }
        }
    }
    return false;
}

void lint_ttl_long(struct lint *lint)
{
    if (is_checked(lint->policy) && lint->rrset->ttl > lint->world->checked_ttl_max) {
        lint_report(lint, lint->rrset->place,
                    "the name is checked and has a TTL of %u s; at most %u s is wise",
                    lint->rrset->ttl, lint->world->checked_ttl_max);
    }
}

// From a death just after a good result to the last bad one. An expression follows the slowest of
// its operands, a heartbeat is late when its time to live is over.
static int64_t detection_of(const struct check_spec *check)
{
    if (check->kind == CHECK_HEARTBEAT) {
        return check->ttl_ns;
    }
    if (!check_kind_is_expression(check->kind)) {
        return (int64_t)check->fall * check->interval_ns + check->timeout_ns;
    }
    int64_t slowest = 0;
    for (size_t i = 0; i < check->operand_count; i++) {
        int64_t operand_ns = detection_of(check->operands[i]); // once: MAX would ask again
        slowest = MAX(slowest, operand_ns);
    }
    return slowest;
}

// What it takes longer while the name is idle. (Operands are never idle.)
static int64_t idle_delay(const struct lint_world *world, const struct check_spec *check)
{
    int64_t gap_ns = check_idle_gap(check, MAX(world->idle_factor, 1U));
    return gap_ns > 0 ? gap_ns - check->interval_ns : 0;
}

bool lint_failover(const struct lint_world *world, const struct rrset *rrset,
                   struct failover *failover)
{
    if (rrset->policy == NULL || !is_checked(rrset->policy)) {
        return false;
    }
    *failover = (struct failover){
        .detection_ns =
            detection_of(&rrset->policy->check) + idle_delay(world, &rrset->policy->check),
        .publication_ns = PUBLICATION_NS,
        .ttl_ns = (int64_t)rrset->ttl * NS_PER_SECOND,
        .budget_ns = rrset->policy->max_failover_ns > 0 ? rrset->policy->max_failover_ns
                                                        : world->max_failover_ns,
    };
    failover->total_ns = failover->detection_ns + failover->publication_ns + failover->ttl_ns;
    return true;
}

void lint_failover_slow(struct lint *lint)
{
    struct failover failover;
    const double second = (double)NS_PER_SECOND;
    if (!lint_failover(lint->world, lint->rrset, &failover)) {
        if (lint->policy->max_failover_ns > 0) {
            lint_report(lint, lint->rrset->place,
                        "the budget for a failover is %g s, and no check ever starts one",
                        (double)lint->policy->max_failover_ns / second);
        }
        return;
    }
    if (failover.budget_ns > 0 && failover.total_ns > failover.budget_ns) {
        lint_report(lint, lint->rrset->place,
                    "a failover takes up to %g s (detection %g, publication %g, TTL %g); the "
                    "budget is %g s",
                    (double)failover.total_ns / second, (double)failover.detection_ns / second,
                    (double)failover.publication_ns / second, (double)failover.ttl_ns / second,
                    (double)failover.budget_ns / second);
    }
}

// --- certificates

// Whether a certificate that is good for the host is good for the owner: the same name, or one that
// the owner's wildcard stands for.
static bool host_is_owner(const char *host, const uint8_t *owner)
{
    uint8_t name[NAME_MAX_SIZE];
    if (host == NULL || name_parse(host, NULL, name, NULL) == 0) {
        return false;
    }
    bool wildcard = owner[0] == 1 && owner[1] == '*';
    return name_equal(name, owner) ||
           (wildcard && !name_is_root(name) && name_equal(name_parent(name), name_parent(owner)));
}

static void certificates_of_members(struct lint *lint)
{
    for (size_t i = 0; i < lint->policy->pool_count; i++) {
        for (size_t k = 0; k < lint->policy->pools[i].member_count; k++) {
            const struct member *member = &lint->policy->pools[i].members[k];
            const char *fault = member->check >= 0 && lint->world->tls_fault != NULL
                                    ? lint->world->tls_fault(lint->world->state, member)
                                    : NULL;
            if (fault != NULL) {
                lint_report(lint, member->place, "the last probe of %.80s found: %.200s",
                            member->text, fault);
            }
        }
    }
}

static void certificate_of_check(struct lint *lint, const struct check_spec *check)
{
    for (size_t i = 0; i < check->operand_count; i++) {
        certificate_of_check(lint, check->operands[i]);
    }
    if (check->kind != CHECK_HTTPS && check->kind != CHECK_TLS) {
        return;
    }
    if (!check->verify) {
        lint_report(lint, lint->rrset->place, "the check does not verify the certificate");
    } else if (!host_is_owner(check->host, lint->owner->name)) {
        lint_report(lint, lint->rrset->place,
                    "the check wants a certificate for %.100s, not for the name itself",
                    check->host ? check->host : "the probed address");
    }
}

void lint_certificate_name(struct lint *lint)
{
    if (is_checked(lint->policy)) {
        certificate_of_check(lint, &lint->policy->check);
        certificates_of_members(lint);
    }
}

// --- ramps

struct looked_at {
    const struct policy *policy;
    bool any; // a member that a check may take out
};

static void looked_at_visit(void *context, const struct member *member)
{
    struct looked_at *looked_at = context;
    looked_at->any |= !lint_member_is_sure(looked_at->policy, member);
}

void lint_ramp_unchecked(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct rule *rule = &policy->rules[i];
        const struct pool *pool = &policy->pools[rule->pool];
        struct looked_at looked_at = {.policy = policy};
        lint_leaves(pool->members, pool->member_count, looked_at_visit, &looked_at);
        if (rule->ramp != NULL && !looked_at.any) {
            lint_report(lint, rule->place,
                        "rule %zu: no member of the pool \"%s\" is checked, so its ramp goes on "
                        "whatever happens to it",
                        i + 1, pool->name);
        }
    }
}
