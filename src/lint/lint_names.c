// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lint: the RRsets of a name beside each other, and their TTLs.
//
// Each function is one row of the table in lint.c.
#include "lint/lint_parts.h"

#include "dns/types.h"

#include <string.h>

void lint_ttl_mixed(struct lint *lint)
{
    if (lint->rrset->ttl_most > lint->rrset->ttl) {
        lint_report(lint, lint->rrset->place, "TTLs from %u to %u s; %u is used", lint->rrset->ttl,
                    lint->rrset->ttl_most, lint->rrset->ttl);
    }
}

void lint_family_missing(struct lint *lint)
{
    const struct rrset *a = owner_rrset(lint->owner, TYPE_A),
                       *aaaa = owner_rrset(lint->owner, TYPE_AAAA);
    const struct rrset *only = aaaa == NULL ? a : a == NULL ? aaaa : NULL;
    if (only == NULL || only->policy == NULL) {
        return;
    }
    lint->rrset = only;
    lint_report(lint, only->place, "steered, and the name has no %s records",
                only == a ? "AAAA" : "A");
    lint->rrset = NULL;
}

static bool texts_equal(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    bool equal = a_count == b_count;
    for (size_t i = 0; equal && i < a_count; i++) {
        equal = strcmp(a[i], b[i]) == 0;
    }
    return equal;
}

// Networks are of one family or the other: which they are is no difference of policy, whether there
// are any is.
static bool targets_equal(const struct rule *a, const struct rule *b)
{
    bool counts = a->line_count == b->line_count && a->asn_count == b->asn_count &&
                  (a->subnet_count > 0) == (b->subnet_count > 0);
    return counts && texts_equal(a->geos, a->geo_count, b->geos, b->geo_count) &&
           (a->line_count == 0 ||
            memcmp(a->lines, b->lines, a->line_count * sizeof(*a->lines)) == 0) &&
           (a->asn_count == 0 || memcmp(a->asns, b->asns, a->asn_count * sizeof(*a->asns)) == 0);
}

static bool methods_equal(const struct policy *a, const struct policy *b)
{
    for (size_t i = 0; i < a->pool_count; i++) {
        for (size_t k = 0; k < b->pool_count; k++) {
            const struct pool *x = &a->pools[i], *y = &b->pools[k];
            if (strcmp(x->name, y->name) == 0 && policy_method_of(a, x) != policy_method_of(b, y)) {
                return false;
            }
        }
    }
    return a->method == b->method;
}

// The first thing in which two policies of a name differ, or NULL.
static const char *difference(const struct policy *a, const struct policy *b)
{
    if (!methods_equal(a, b)) {
        return "the method";
    }
    if (a->answers != b->answers) {
        return "the number of answers";
    }
    if (a->all_down != b->all_down) {
        return "what is answered when all are down";
    }
    if (a->rule_count != b->rule_count) {
        return "the number of rules or lines";
    }
    for (size_t i = 0; i < a->rule_count; i++) {
        const struct rule *x = &a->rules[i], *y = &b->rules[i];
        if (strcmp(a->pools[x->pool].name, b->pools[y->pool].name) != 0 || !targets_equal(x, y)) {
            return "who gets which pool";
        }
        if (x->share_ppm != y->share_ppm) {
            return "the share of a rule";
        }
    }
    return NULL;
}

void lint_family_differs(struct lint *lint)
{
    const struct rrset *a = owner_rrset(lint->owner, TYPE_A),
                       *aaaa = owner_rrset(lint->owner, TYPE_AAAA);
    if (a == NULL || aaaa == NULL || (a->policy == NULL && aaaa->policy == NULL)) {
        return;
    }
    const char *what = a->policy == NULL || aaaa->policy == NULL
                           ? "only one of them is steered"
                           : difference(a->policy, aaaa->policy);
    if (what != NULL) {
        lint_report(lint, aaaa->place, "A (line %u) and AAAA differ: %s", a->place.line, what);
    }
}
