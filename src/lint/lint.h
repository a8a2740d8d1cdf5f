// SPDX-License-Identifier: GPL-3.0-or-later
//
// lint: what is allowed and yet hardly meant: rules that nobody reaches, names that hang on one
// address, failovers slower than promised.
//
// One table of rules (lint.c), each with a stable id, a severity, a reason and a fix; `signpost
// check`, GET /v1/lint and docs/reference/lint.md come from it. Lint looks at the model that was
// read, never at what is being served, and changes nothing. Pure; one thread at a time.
#pragma once

#include "zone/zone.h"

struct lint_rule {
    const char *id; // stable: documents and configurations name it
    enum severity severity;
    const char *reason; // why it matters, a sentence or two
    const char *fix;    // what to do, without a full stop
};
size_t lint_rule_count(void); // at most 64: ignored rules are bits
// `index` is below the count; static.
const struct lint_rule *lint_rule_at(size_t index);
// Index of the rule with this id, or -1.
int lint_rule_find(const char *id);

// What a rule of a policy gets, over all clients of both families (steer/reach.h).
struct rule_reach {
    bool held;    // some client falls under its targets
    bool reached; // some client is decided by it
    bool guess;   // the geo data cannot tell: it lacks what the targets need
    // Rules that take its clients, when it is held and not reached.
    unsigned taken_by_count;
    uint16_t taken_by[4];
};

// What lint needs to know besides the zone. `reach` gives one entry a rule, valid until the next
// call; `tls_fault` says what the last probe of a member found wrong with its certificate, or NULL.
struct lint_world {
    const struct lines *lines;
    int64_t max_failover_ns;  // budget of names without their own; 0: none
    uint32_t idle_factor;     // check_idle_gap; 0 is 1
    uint32_t checked_ttl_max; // seconds
    uint64_t ignored;         // bits 1 << index of rules that are switched off
    const struct rule_reach *(*reach)(void *state, const struct policy *policy);
    const char *(*tls_fault)(void *state, const struct member *member);
    void *state;
};

// Appends what the rules that are not ignored find in the zone, in the order of its owners.
void lint_zone(const struct lint_world *world, const struct zone *zone, struct diags *findings);
// The operator's lines, against each other.
void lint_lines(const struct lint_world *world, struct diags *findings);

// How long clients may go on getting a dead address, in the worst case: it dies just after a good
// probe, and a resolver asked just before the new answer was published.
struct failover {
    int64_t detection_ns; // fall x interval + timeout, of the slowest part of the check; when idle
                          // names are probed less often, from a death while nobody asks
    int64_t publication_ns; // from the last result to the new answer
    int64_t ttl_ns;
    int64_t total_ns;
    int64_t budget_ns; // 0: none
};
// False when no check decides about the RRset.
bool lint_failover(const struct lint_world *world, const struct rrset *rrset,
                   struct failover *failover);
