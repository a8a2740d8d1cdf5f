// SPDX-License-Identifier: GPL-3.0-or-later
//
// One generation that has everything, for those who ask it: fuzz_query.c for what no packet may do,
// fuzz_cost.c and tests/cost for what none may cost.
//
// example.com has every kind of name once: static and steered, wildcards, aliases, DNAME,
// delegations, a zone within a zone. "w" is a hostile customer's: what is dear to answer, as dear
// as a document may make it, below an apex that leaves 126 labels to the names of questions.
#pragma once

#include "publish.h"

#include "dns/svcb.h"

static const char world_parent[] =
    "'': [{type: A, values: [192.0.2.1, 192.0.2.2]}, {type: MX, value: {preference: 10, exchange: "
    "mail.example.com.}}]\n"
    "a: {type: TXT, value: text}\n"
    "mail: [{type: A, value: 192.0.2.3}, {type: AAAA, value: '2001:db8::3'}]\n"
    "'*': {type: A, value: 192.0.2.4}\n"
    "al: {type: CNAME, value: a.example.com.}\n"
    "la: {type: CNAME, value: lb.example.com.}\n"
    "lb: {type: CNAME, value: la.example.com.}\n"
    "d: {type: DNAME, value: example.com.}\n"
    "cut: {type: NS, values: [ns.cut.example.com.]}\n"
    "ns.cut: {type: A, value: 192.0.2.5}\n"
    "x.s: {type: A, value: 192.0.2.6}\n"
    "f: {type: A, ttl: 60, records: [{value: 192.0.2.7, line: cn-telecom}, {value: 192.0.2.8, "
    "line: default}]}\n"
    "y: {type: A, ttl: 60, value: 192.0.2.9, dynamic: {pools: {n: {values: [{value: "
    "192.0.2.10}]}, o: {values: [{value: 192.0.2.11}, {value: 192.0.2.12}]}}, rules: [{share: "
    "5%, pool: n}, {geos: [AS-CN], pool: n}, {pool: o}]}, signpost: {method: sticky}}\n"
    "sc: {type: CNAME, ttl: 60, value: a.example.com., dynamic: {pools: {p: {values: [{value: "
    "a.example.com.}, {value: f.example.com.}]}}, rules: [{pool: p}]}}\n"
    "st: [{type: ALIAS, value: y.example.com.}, {type: HTTPS, value: '1 . ipv4hint=auto "
    "ipv6hint=auto'}, {type: SVCB, value: 0 sv.example.com.}]\n"
    "sv: [{type: SVCB, value: 1 f.example.com. alpn=h2 ipv4hint=auto}, {type: A, value: "
    "192.0.2.13}]\n"
    "far: {type: ALIAS, value: x.w.s.example.com.}\n"
    "round: {type: ALIAS, value: dnuor.example.com.}\n"
    "dnuor: {type: ALIAS, value: round.example.com.}\n"
    "srv: {type: SRV, values: [{priority: 1, weight: 1, port: 1, target: f.example.com.}, "
    "{priority: 1, weight: 1, port: 1, target: mail.example.com.}]}\n";
static const char world_child[] = "in: {type: A, value: 192.0.2.20}\n"
                                  "'*.w': {type: CNAME, value: in.s.example.com.}\n";

static inline void world_put(struct change *change, const char *text, const uint8_t *apex)
{
    static struct acquired acquired; // for as long as the process
    struct diags diags = {0};
    struct zone_reader reader = fuzz_reader(&diags);
    struct zone *zone = zone_yaml_read(fuzz_file(text, strlen(text)), apex, &reader);
    for (size_t i = 0; i < diags.count; i++) {
        char line[512];
        fprintf(stderr, "%s\n", diag_format(&diags.items[i], line, sizeof(line)));
    }
    SP_ASSERT(zone != NULL);
    change_zone(change, zone, fuzz_plan, &acquired);
    zone_free(zone);
    diags_clear(&diags);
}

// The rows `count` times, with the number for each '#' and the next one for each '+'.
static inline void world_rows(FILE *out, unsigned count, const char *row)
{
    for (unsigned i = 0; i < count; i++) {
        for (const char *at = row; *at != '\0'; at++) {
            if (*at == '#' || *at == '+') {
                fprintf(out, "%u", i + (*at == '+'));
            } else {
                putc(*at, out);
            }
        }
    }
}

// "a.a. ... a" of so many labels.
static inline const char *world_labels(unsigned count, char text[NAME_TEXT_MAX])
{
    for (unsigned i = 0; i < count; i++) {
        memcpy(text + 2 * (size_t)i, "a.", 2);
    }
    text[2 * count - 1] = '\0';
    return text;
}

enum { WORLD_MANY = 128, WORLD_LINKS = 9, WORLD_HOSTS = 13, WORLD_ZONE_LABELS = 64 };

// A list of `count` values of one name and type.
static inline void world_list(FILE *out, const char *name, const char *type, unsigned count,
                              const char *value)
{
    fprintf(out, "%s: {type: %s, ttl: 60, values: [", name, type);
    world_rows(out, count, value);
    fputs("]}\n", out);
}

// A steered RRset of `count` addresses.
static inline void world_steered(FILE *out, const char *name, unsigned count, const char *signpost)
{
    fprintf(out, "%s: {type: A, ttl: 60, value: 192.0.2.1, dynamic: {pools: {p: {values: [", name);
    world_rows(out, count, "{value: 10.0.0.#, weight: 1}, ");
    fprintf(out, "]}}, rules: [{pool: p}]}, signpost: {%s}}\n", signpost);
}

// Policies as wide as they may be: each method, one answer or as many as there may be, weights that
// are equal or far apart.
static const struct widest {
    const char *name;
    enum method method;
    unsigned answers;
    bool far_apart;
    unsigned members;
} world_widest[] = {
    {"widest-sticky", METHOD_STICKY, 1, false, PLAN_MEMBERS_MAX},
    {"widest-sticky-far", METHOD_STICKY, 1, true, PLAN_MEMBERS_MAX},
    {"widest-sticky64", METHOD_STICKY, PLAN_ANSWERS_MAX, false, PLAN_MEMBERS_MAX},
    {"widest-sticky64-far", METHOD_STICKY, PLAN_ANSWERS_MAX, true, PLAN_MEMBERS_MAX},
    {"many-sticky64", METHOD_STICKY, PLAN_ANSWERS_MAX, false, STICKY_MANY},
    {"many-sticky64-far", METHOD_STICKY, PLAN_ANSWERS_MAX, true, STICKY_MANY},
    {"widest-weighted", METHOD_WEIGHTED, 1, true, PLAN_MEMBERS_MAX},
    {"widest-weighted64", METHOD_WEIGHTED, PLAN_ANSWERS_MAX, false, PLAN_MEMBERS_MAX},
    {"widest-weighted64-far", METHOD_WEIGHTED, PLAN_ANSWERS_MAX, true, PLAN_MEMBERS_MAX},
    {"widest-random64", METHOD_RANDOM, PLAN_ANSWERS_MAX, false, PLAN_MEMBERS_MAX},
    {"widest-rotate64", METHOD_ROTATE, PLAN_ANSWERS_MAX, false, PLAN_MEMBERS_MAX},
    {"widest-nearest64", METHOD_NEAREST, PLAN_ANSWERS_MAX, false, PLAN_MEMBERS_MAX},
    {"widest-fastest64", METHOD_FASTEST, PLAN_ANSWERS_MAX, false, PLAN_MEMBERS_MAX},
    {"widest-ordered64", METHOD_ORDERED, PLAN_ANSWERS_MAX, false, PLAN_MEMBERS_MAX},
};

static inline void world_put_widest(FILE *out, const struct widest *widest)
{
    fprintf(out, "%s: {type: A, ttl: 60, value: 192.0.2.1, signpost: {method: %s, answers: %u}",
            widest->name, method_names[widest->method], widest->answers);
    fputs(", dynamic: {rules: [{pool: p}], pools: {p: {values: [", out);
    for (unsigned i = 0; i < widest->members; i++) {
        unsigned heavy = i % 64 == 0 ? WEIGHT_MAX : 1 + i % 1000;
        fprintf(out, "{value: 10.1.%u.%u, status: up, weight: %u}, ", i / 256, i % 256,
                widest->far_apart ? heavy : 1);
    }
    fputs("]}}}}\n", out);
}

// Pools with methods of their own, as deep, as wide, and with values as often in them as may be.
static const char *const world_nested[] = {"nested-deep", "nested-wide", "nested-wide1",
                                           "nested-twins", "nested-chosen"};

// A pool in a pool, eight of them, and a last one of many.
static inline void world_put_deep(FILE *out, const char *name, const char *methods[2],
                                  const char *last, unsigned many)
{
    fprintf(out, "%s: {type: A, ttl: 60, value: 192.0.2.1, signpost: {method: %s, answers: 64}, ",
            name, methods[0]);
    fputs("dynamic: {rules: [{pool: p0}], pools: {p0: {values: [{pool: p1}, {value: 10.2.0.1, "
          "status: "
          "up}]}",
          out);
    for (unsigned level = 1; level < METHOD_LEVELS_MAX; level++) {
        fprintf(
            out,
            ", p%u: {method: %s, values: [{pool: p%u, weight: 1000000}, {value: 10.2.%u.1, status: "
            "up}, {value: 10.2.%u.2, status: up}]}",
            level, methods[level % 2], level + 1, level, level);
    }
    fprintf(out, ", p%d: {method: %s, values: [", METHOD_LEVELS_MAX, last);
    for (unsigned i = 0; i < many; i++) {
        fprintf(out, "{value: 10.3.%u.%u, status: up, weight: %u}, ", i / 256, i % 256,
                1 + i % 1000);
    }
    fputs("]}}}}\n", out);
}

// Pools of `each` values beside each other; the first `twins` values are the same in all.
static inline void world_put_wide(FILE *out, const char *name, const char *outer, const char *inner,
                                  unsigned pools, unsigned each, unsigned twins, unsigned answers)
{
    fprintf(out, "%s: {type: A, ttl: 60, value: 192.0.2.1, signpost: {method: %s, answers: %u}, ",
            name, outer, answers);
    fputs("dynamic: {rules: [{pool: all}], pools: {all: {values: [", out);
    for (unsigned pool = 0; pool < pools; pool++) {
        fprintf(out, "{pool: p%u}, ", pool);
    }
    fputs("]}", out);
    for (unsigned pool = 0; pool < pools; pool++) {
        fprintf(out, ", p%u: {method: %s, values: [", pool, inner);
        for (unsigned i = 0; i < each; i++) {
            fprintf(out, "{value: 10.4.%u.%u, status: up, weight: %u}, ", i < twins ? 255 : pool, i,
                    1 + i);
        }
        fputs("]}", out);
    }
    fputs("}}}\n", out);
}

static inline void world_put_nested(FILE *out)
{
    const char *turns[2] = {"rotate", "weighted"};
    world_put_deep(out, "nested-deep", turns, "sticky", PLAN_MEMBERS_MAX - 2 * METHOD_LEVELS_MAX);
    world_put_wide(out, "nested-wide", "weighted", "sticky", 250, 16, 0, PLAN_ANSWERS_MAX);
    world_put_wide(out, "nested-wide1", "sticky", "sticky", 250, 16, 0, 1);
    world_put_wide(out, "nested-twins", "weighted", "rotate", 13, 9, 4, PLAN_ANSWERS_MAX);
    world_put_wide(out, "nested-chosen", "ordered", "sticky", 16, 250, 0, PLAN_ANSWERS_MAX);
}

// The same RRset with 16, 32, ... records: what an answer costs must not grow faster.
enum { WORLD_GROWN_MIN = 16, WORLD_GROWN_MAX = 256 };

static inline void world_grown(FILE *out)
{
    for (unsigned count = WORLD_GROWN_MIN; count <= WORLD_GROWN_MAX; count *= 2) {
        char name[32];
        snprintf(name, sizeof(name), "grown%u", count);
        fprintf(out, "%s: [{type: A, values: [", name);
        world_rows(out, count, "10.0.0.#, ");
        fputs("]}, {type: MX, values: [", out);
        world_rows(out, count, "{preference: 1, exchange: m#.w.}, ");
        fputs("]}, {type: SRV, values: [", out);
        world_rows(out, count, "{priority: 1, weight: 1, port: 1, target: m#.w.}, ");
        fputs("]}, {type: HTTPS, values: [", out);
        world_rows(out, count, "'+ m#.w. alpn=h2', ");
        fputs("]}]\n", out);
        snprintf(name, sizeof(name), "sticky-of%u", count);
        world_steered(out, name, count, "method: sticky, answers: 8");
    }
}

// Chains that only an ALIAS or a hint follows. Steered CNAMEs of many members, each of which leads
// to the next link ("k"); the same to itself ("kl"), with few members and a dear end ("kf"), and
// with names as long as they may be ("y").
enum { CHAIN_MEMBERS = 1000, CHAIN_FEW = 3, CHAIN_LABELS = 120 };

static inline void world_chain_link(FILE *out, const char *owner, unsigned count, const char *value)
{
    fprintf(out,
            "%s: {type: CNAME, ttl: 60, value: w., signpost: {method: sticky}, dynamic: {rules: "
            "[{pool: p}], pools: {p: {values: [",
            owner);
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "{value: x%u.%s}, ", i, value);
    }
    fputs("]}}}}\n", out);
}

static inline void world_chains(FILE *out)
{
    char labels[NAME_TEXT_MAX];
    world_labels(CHAIN_LABELS, labels);
    for (unsigned i = 0; i < WORLD_LINKS; i++) {
        char owner[32], value[NAME_TEXT_MAX + 32];
        snprintf(owner, sizeof(owner), "'*.k%u'", i);
        snprintf(value, sizeof(value), "k%u.w.", i + 1);
        world_chain_link(out, owner, CHAIN_MEMBERS, value);
        snprintf(owner, sizeof(owner), "'*.kf%u'", i);
        snprintf(value, sizeof(value), "kf%u.w.", i + 1);
        world_chain_link(out, owner, CHAIN_FEW, value);
        fprintf(out, "'*.y%u': {type: CNAME, value: %s.y%u.w.}\n", i, labels, i + 1);
    }
    world_chain_link(out, "'*.kl'", PLAN_MEMBERS_MAX, "kl.w.");
    world_chain_link(out, "'*.k9'", CHAIN_MEMBERS, "w.");
    for (unsigned i = 1; i < WORLD_LINKS; i++) { // of so many links
        fprintf(out, "alias-y%u: {type: ALIAS, value: %s.y%u.w.}\n", i, labels, WORLD_LINKS - i);
        fprintf(out, "alias-k%u: {type: ALIAS, value: x.k%u.w.}\n", i, WORLD_LINKS - i);
        fprintf(out, "alias-kf%u: {type: ALIAS, value: x.kf%u.w.}\n", i, WORLD_LINKS - i);
    }
    fprintf(out, "'*.y9': {type: CNAME, value: widest-sticky64.w.}\n'*.kf9': {type: CNAME, value: "
                 "widest-sticky64.w.}\nalias-kl: {type: ALIAS, value: x.kl.w.}\n");
    world_list(out, "svc-k", "HTTPS", SVCB_FOLLOWING_MAX,
               "'+ alias-k8.w. ipv4hint=auto ipv6hint=auto', ");
    world_list(out, "svc-kl", "HTTPS", SVCB_FOLLOWING_MAX, "'+ x#.kl.w. ipv4hint=auto', ");
    world_list(out, "svc-kf", "HTTPS", SVCB_FOLLOWING_MAX, "'+ alias-kf1.w. ipv4hint=auto', ");
    world_list(out, "svc-y", "HTTPS", SVCB_FOLLOWING_MAX,
               "'+ alias-y8.w. ipv4hint=auto ipv6hint=auto', ");
    fputs("mode: {type: HTTPS, value: 0 svc-kl.w.}\n", out);
}

static inline void world_worst(FILE *out)
{
    char name[NAME_TEXT_MAX];
    fputs("'': {type: A, value: 192.0.2.1}\n'*': {type: A, value: 192.0.2.4}\n"
          "'*.s': {type: CNAME, value: c0.w.}\n"
          "la: {type: CNAME, value: lb.w.}\nlb: {type: CNAME, value: la.w.}\n"
          "c9: {type: A, value: 192.0.2.5}\nd9: {type: A, value: 192.0.2.5}\n",
          out);
    world_rows(out, WORLD_LINKS, "c#: {type: CNAME, value: c+.w.}\n");
    world_rows(out, WORLD_LINKS, "d#: {type: DNAME, value: d+.w.}\n");
    world_rows(out, WORLD_LINKS, "e#: {type: DNAME, value: a.b.c.d.e.f.g.h.i.j.e+.w.}\n");
    world_rows(out, WORLD_MANY,
               "m#: [{type: A, value: 192.0.2.#}, {type: AAAA, value: '2001:db8::#'}]\n");
    world_list(out, "a", "A", WORLD_MANY, "10.0.0.#, ");
    world_list(out, "mx", "MX", WORLD_MANY, "{preference: 1, exchange: m#.w.}, ");
    world_list(out, "mx10", "MX", 10, "{preference: 1, exchange: m#.w.}, ");
    world_list(out, "mx40", "MX", 40, "{preference: 1, exchange: m#.w.}, ");
    world_list(out, "mx70", "MX", 70, "{preference: 1, exchange: m#.w.}, ");
    world_list(out, "mxfar", "MX", 30, "{preference: 1, exchange: m#.a.b.c.d.e.f#.}, ");
    world_list(out, "srv", "SRV", WORLD_MANY, "{priority: 1, weight: 1, port: 1, target: m#.w.}, ");
    world_list(out, "srv10", "SRV", 10, "{priority: 1, weight: 1, port: 1, target: m#.w.}, ");
    world_list(out, "cut", "NS", WORLD_HOSTS, "ns#.cut.w., ");
    world_rows(out, WORLD_HOSTS,
               "ns#.cut: [{type: A, value: 192.0.2.#}, {type: AAAA, value: '2001:db8::#'}]\n");
    world_list(out, "cutmany", "NS", WORLD_MANY, "ns#.cutmany.w., ");
    world_list(out, "svc", "HTTPS", SVCB_FOLLOWING_MAX, "'+ c1.w. ipv4hint=auto ipv6hint=auto', ");
    world_list(out, "svcplain", "HTTPS", 56, "'+ m#.w.', ");
    world_list(out, "svc8", "HTTPS", 8, "'+ c1.w. ipv4hint=auto ipv6hint=auto', ");
    world_list(out, "svcmany", "HTTPS", 8, "'+ a.w. ipv4hint=auto', ");
    fputs("alias: {type: ALIAS, value: c1.w.}\naliasmany: {type: ALIAS, value: a.w.}\n", out);
    world_steered(out, "sticky", WORLD_MANY, "method: sticky, answers: 1");
    world_steered(out, "sticky64", WORLD_MANY, "method: sticky, answers: 64");
    world_steered(out, "random", WORLD_MANY, "method: random, answers: 64");
    world_steered(out, "weighted", WORLD_MANY, "method: weighted, answers: 64");
    world_grown(out);
    for (size_t w = 0; w < ARRAY_SIZE(world_widest); w++) {
        world_put_widest(out, &world_widest[w]);
    }
    static const struct widest wildcards[] = {
        {"'*.wild'", METHOD_STICKY, PLAN_ANSWERS_MAX, true, PLAN_MEMBERS_MAX},
        {"'*.many'", METHOD_STICKY, PLAN_ANSWERS_MAX, true, STICKY_MANY}};
    world_put_widest(out, &wildcards[0]);
    world_put_widest(out, &wildcards[1]);
    world_put_nested(out);
    fputs("mxwidest: {type: MX, values: [", out);
    for (size_t w = 0; w < ARRAY_SIZE(world_widest); w++) {
        fprintf(out, "{preference: 1, exchange: %s.w.}, ", world_widest[w].name);
    }
    fputs("]}\nsvcwidest: {type: HTTPS, values: [", out);
    for (size_t w = 0; w < ARRAY_SIZE(world_widest); w++) {
        fprintf(out, "'%zu %s.w. ipv4hint=auto', ", w + 1, world_widest[w].name);
    }
    fputs("]}\nwide1: {type: CNAME, value: widest-sticky.w.}\nwide2: {type: CNAME, value: "
          "wide1.w.}\nwide3: {type: DNAME, value: wide2.w.}\n",
          out);
    fprintf(out, "%s.deep: {type: A, value: 192.0.2.6}\n", world_labels(120, name));
    world_chains(out);
}

// Zones whose apexes stand at many depths.
static inline void world_zones(struct change *change)
{
    uint8_t apex[2 * WORLD_ZONE_LABELS + 2];
    for (unsigned labels = 8; labels <= WORLD_ZONE_LABELS; labels += 8) {
        memcpy(apex + 2 * (size_t)labels, "", 1);
        for (unsigned i = 0; i < labels; i++) {
            memcpy(apex + 2 * (size_t)i, "\1z", 2);
        }
        world_put(change, "'': {type: A, value: 192.0.2.1}\n", apex);
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    SP_ASSERT(out != NULL);
    world_worst(out);
    fclose(out);
    world_put(change, text, (const uint8_t *)"\1w");
    free(text);
    // Another zone, whose apex leads into that one.
    world_put(change,
              "'': [{type: ALIAS, value: x.kl.w.}, {type: HTTPS, value: '1 . ipv4hint=auto "
              "ipv6hint=auto'}]\n",
              (const uint8_t *)"\1v");
}

static inline const struct generation *world(void)
{
    static struct publisher *publisher;
    if (publisher == NULL) {
        struct answer_options options = {
            .udp_payload_max = 1232,
            .chaos_version = "fuzz",
            .chaos_id = "id",
            .ecs = true,
            .nsid = "fuzzed",
            .nsid_size = 6,
            .cookies = {1, {{1, 2, 3}}},
        };
        publisher = publisher_new(&options);
        struct change *change = change_begin(publisher);
        world_put(change, world_parent, (const uint8_t *)"\7example\3com");
        world_put(change, world_child, (const uint8_t *)"\1s\7example\3com");
        world_zones(change);
        struct diags diags = {0};
        SP_ASSERT(change_publish(change, &diags));
    }
    return publisher_current(publisher);
}
