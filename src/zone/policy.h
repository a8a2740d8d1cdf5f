// SPDX-License-Identifier: GPL-3.0-or-later
//
// The policy of a steered RRset as its document states it: pools, members, rules, method, check.
//
// Plain data, allocated in the zone's arena, written by the readers, read by the policy compiler
// (steer/) and by the writers. Three document forms lead here:
//   plain    `values`: one pool "default" of all values, one rule without targets;
//   flat     `records`: one pool a line, named after it; `flat` is set: a client falls through to
//            its next broader line while the more specific one has no usable member;
//   dynamic  octoDNS `dynamic`: pools and rules as written, first match wins.
#pragma once

#include "base/diag.h"
#include "zone/check.h"

// Limits of one document, each with a clear error: what the compiler and an answer can hold.
enum {
    RRSET_MEMBERS_MAX = 4096,
    POOLS_MAX = 255,
    RULES_MAX = 1000,
    WEIGHT_MAX = 1000000,
    PRIORITY_MAX = 65535,
    LOAD_AGE_MAX_S = 86400,    // a policy looks at no older load
    LOAD_NAME_MAX_CHARS = 1023 // of a value or a site that a load is reported for
};

enum method {
    METHOD_ROTATE,
    METHOD_RANDOM,
    METHOD_WEIGHTED,
    METHOD_STICKY,
    METHOD_NEAREST,
    METHOD_FASTEST,
    METHOD_ORDERED,
    METHOD_COUNT
};

// Whether `answers` is 1 when it is not written: one member is what the method is about.
static inline bool method_answers_one(enum method method)
{
    return method == METHOD_WEIGHTED || method == METHOD_STICKY || method == METHOD_NEAREST ||
           method == METHOD_FASTEST;
}

enum all_down {
    ALL_DOWN_ALL,
    ALL_DOWN_LAST_GOOD,
    ALL_DOWN_VALUES,
    ALL_DOWN_NONE,
    ALL_DOWN_SERVFAIL,
    ALL_DOWN_COUNT
};

// Methods whose answer is the first members of a fixed order.
static inline bool method_is_fixed(enum method method)
{
    return method == METHOD_ORDERED || method == METHOD_NEAREST || method == METHOD_FASTEST;
}

// Names as written in documents; METHOD_COUNT and ALL_DOWN_COUNT entries, in enum order.
extern const char *const method_names[METHOD_COUNT];
extern const char *const all_down_names[ALL_DOWN_COUNT];

enum member_status { STATUS_OBEY, STATUS_UP, STATUS_DOWN };

// A named place where members are (shared.yaml, `sites`). A policy has copies of those it uses.
struct site {
    const char *name;
    bool located; // has a place on the globe
    double latitude, longitude;
    // How much farther it reaches than its neighbours, -99..99: above 0 a distance to it counts as
    // (1 - bias/100) of itself, below 0 as 1/(1 + bias/100) of itself.
    int bias;
    double capacity; // in the unit of the loads that are reported for it; 0: not limited
    struct place place;
};

struct pool;

struct member {
    const uint8_t *rdata; // wire form, uncompressed; NULL: a pool
    uint16_t rdata_size;
    const struct pool *pool; // the members of this pool stand here, with this weight in all
    uint32_t weight;         // 0..1,000,000; 0: only when nothing else is usable
    uint32_t priority;       // method `ordered`: the lowest first
    enum member_status status;
    bool disabled;           // flat form: the row is paused
    const struct site *site; // of policy.sites; NULL: none
    const char *name;        // what pairs it with a member of another type; NULL: none
    uint64_t identity;       // of its partner (zone/pair.h); 0: its own, see member_identity
    const char *text;        // the value as written
    const char *remark;      // for people; NULL: none
    struct place place;
    // Written by who serves the zone:
    int check;         // index in the health registry; -1: not checked
    uint32_t shed_ppm; // of its weight, taken away by load
    uint8_t manual;    // what operators say, enum manual_state (health/manual.h)
};

// What a client is kept to by method `sticky`: the partner, the name, or the value.
uint64_t member_identity(const struct member *member);

struct pool {
    const char *name;
    int fallback; // index of a pool, or -1
    struct member *members;
    size_t member_count;
    // At least this many members must be usable, else the fallback is taken. Default 1.
    uint32_t min_up;
    bool min_up_percent; // min_up is a percentage of the members, rounded up
    // How its members are chosen wherever it answers. Without a method of its own it has the
    // record's where a rule or a fallback leads to it, and its members stand in the pool around it.
    bool has_method;
    enum method method;
    struct place place;
};

// Pools with a method of their own that may stand in each other, fallbacks counted: what a query
// may have to go through.
enum { METHOD_LEVELS_MAX = 8 };

// What a client is kept to by method `sticky` where a pool with a method stands among the members:
// its name.
uint64_t pool_identity(const struct pool *pool);

// A share that grows by a timetable. RAMP_SHARE_PPM stands in rule.share_ppm: neither nobody nor
// everybody, whatever the share of the moment.
enum { RAMP_STEPS_MAX = 32, RAMP_SHARE_PPM = 999999 };

struct ramp_step {
    uint32_t share_ppm; // never less than that of the step before
    int64_t for_ns;     // of the last one: not used
};

struct ramp {
    int64_t start_ns; // wall clock, since 1970; 0: when it is first loaded
    struct ramp_step *steps;
    size_t step_count;
    uint32_t abort_below_ppm; // with a smaller part of the pool's members up it ends
    uint32_t share_ppm;       // of the moment, 0..1,000,000; written by the control thread
};

struct rule {
    size_t pool;
    // Targets: a client matches when any of them holds it; a rule without targets holds everybody.
    const int *lines; // indexes, geo/lines.h
    size_t line_count;
    const char *const *geos; // "AS", "AS-CN", "NA-US-CA", "AS-CN-GD"
    size_t geo_count;
    const struct prefix *subnets;
    size_t subnet_count;
    const uint32_t *asns;
    size_t asn_count;
    uint32_t share_ppm; // part of the clients that the rule takes, 1..1,000,000 (the default: all)
    struct ramp *ramp;  // NULL: the share is fixed
    struct place place;
};

// The part of its clients that the rule takes at this moment.
static inline uint32_t rule_share_ppm(const struct rule *rule)
{
    return rule->ramp ? rule->ramp->share_ppm : rule->share_ppm;
}

enum policy_form { FORM_PLAIN, FORM_FLAT, FORM_DYNAMIC };

struct policy {
    enum policy_form form;
    enum method method;
    unsigned answers; // 0: all
    enum all_down all_down;
    uint32_t min_ttl; // seconds
    struct pool *pools;
    size_t pool_count;
    struct rule *rules; // FORM_FLAT: sorted, most specific line first
    size_t rule_count;
    struct member *values; // top-level values: the last resort, never checked
    size_t value_count;
    // Load feedback: a member sheds above the target and has nothing left at the limit; target 0:
    // loads are not looked at. Reports older than the age do not count.
    double load_target, load_limit;
    int64_t load_age_ns;
    struct site *sites; // where the members are, in the order of their first appearance
    size_t site_count;
    struct check_spec check; // kind CHECK_NONE: no check
    // For lint alone (lint/lint.h).
    int64_t max_failover_ns; // the operator's budget for a failover; 0: none of its own
    uint64_t lint_ignored;   // bits 1 << index of rules that are switched off
};

// How the members of a pool are chosen when a rule or a fallback leads to it.
static inline enum method policy_method_of(const struct policy *policy, const struct pool *pool)
{
    return pool->has_method ? pool->method : policy->method;
}

// Whether the record or one of its pools has the method.
bool policy_uses(const struct policy *policy, enum method method);
