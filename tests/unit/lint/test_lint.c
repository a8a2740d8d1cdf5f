// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lint: for every rule of the table documents that it speaks about, and near ones that it does not.
// Documents go the whole way: reader, geometry, rules.
#include "../zone_test.h"

#include "geo/geo.h"
#include "steer/reach.h"
#include "lint/lint.h"

// One document (of the zone example.com) and what one rule says about it: "line:column key:
// message" a line, "" when nothing.
struct lint_case {
    const char *id, *text, *expected;
};

#define CHECK            "signpost: {check: {kind: tcp, port: 80}}"
#define CHECK_WITH(more) "signpost: {check: {kind: tcp, port: 80}, " more "}"
#define HTTPS(more)      "signpost: {check: {kind: https, " more "}}"
// Two pools, far from each other, and rules over them.
#define TWO_POOLS(rules)                                                                           \
    "w: {type: A, ttl: 60, value: 192.0.2.1, dynamic: {pools: {a: {values: [{value: 192.0.2.1}, "  \
    "{value: 198.51.100.1}]}, b: {values: [{value: 192.0.2.2}, {value: 198.51.100.2}]}}, rules: "  \
    "[" rules "]}}\n"

static const struct lint_case cases[] = {
    // The first rule holds more; so do two halves together; a share does not, nor does a part.
    {"rule-shadowed",
     TWO_POOLS("{subnets: [10.0.0.0/8], pool: a}, {lines: [office], pool: b}, "
               "{pool: a}"),
     "1:218 w.example.com. A: rule 2 (pool \"b\") is never reached: all its clients are taken "
     "by "
     "rule 1 (pool \"a\")\n"},
    {"rule-shadowed",
     TWO_POOLS("{lines: [half1], pool: a}, {asns: [1], subnets: [10.1.128.0/17], "
               "pool: a}, {lines: [office], pool: b}, {pool: a}"),
     "1:259 w.example.com. A: rule 3 (pool \"b\") is never reached: all its clients are taken "
     "by "
     "rule 1 (pool \"a\"), rule 2 (pool \"a\")\n"},
    {"rule-shadowed",
     TWO_POOLS("{share: 50%, pool: a}, {share: 50%, lines: [default], pool: b}, "
               "{pool: b}"),
     "1:248 w.example.com. A: rule 3 (pool \"b\") is never reached: all its clients are taken "
     "by "
     "rule 1 (pool \"a\"), rule 2 (pool \"b\")\n"},
    {"rule-shadowed",
     TWO_POOLS("{share: 50%, subnets: [10.0.0.0/8], pool: a}, {lines: [office], "
               "pool: b}, {pool: a}"),
     ""},
    {"rule-shadowed", TWO_POOLS("{lines: [half1], pool: a}, {lines: [office], pool: b}, {pool: a}"),
     ""},
    // Rows without a check never give way to a broader line; with one they do.
    {"rule-shadowed",
     "w: {type: A, records: [{value: 192.0.2.1, line: default}, {value: 192.0.2.2, line: "
     "office}, "
     "{value: 192.0.2.3, line: cn}]}\n",
     ""},
    {"rule-empty", TWO_POOLS("{geos: [EU-FR], pool: b}, {geos: [AS-CN], pool: a}, {pool: a}"),
     "1:184 w.example.com. A: rule 1 (pool \"b\") holds no client: no geo database that knows "
     "its "
     "targets is loaded\n"},
    {"rule-empty", TWO_POOLS("{asns: [64500, 1], pool: b}, {lines: [office], pool: a}, {pool: a}"),
     ""},
    {"line-opaque",
     "w: {type: A, records: [{value: 192.0.2.1, line: 'dnspod:999=9'}, {value: 192.0.2.2}]}\n",
     "1:32 w.example.com. A: nobody knows the line \"dnspod:999=9\"\n"},
    {"line-opaque",
     "w: {type: A, records: [{value: 192.0.2.1, line: 'dnspod:10=0'}, {value: 192.0.2.2}]}\n", ""},
    {"rule-empty",
     "w: {type: A, records: [{value: 192.0.2.1, line: 'dnspod:999=9'}, {value: 192.0.2.2}]}\n", ""},
    {"pool-unreachable",
     TWO_POOLS("{subnets: [10.0.0.0/8], pool: a}, {lines: [office], pool: b}, "
               "{pool: a}"),
     "1:117 w.example.com. A: no client ever comes to the pool \"b\" (2 members)\n"},
    // A fallback is reached when what is before it can go down, and only then.
    {"pool-unreachable",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {fallback: b, values: [{value: "
     "192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}}, rules: [{pool: a}]}}\n",
     "1:98 w.example.com. A: no client ever comes to the pool \"b\" (1 member)\n"},
    {"pool-unreachable",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {fallback: b, values: [{value: "
     "192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}}, rules: [{pool: a}]}, " CHECK "}\n",
     ""},
    {"member-unused",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {values: [{value: 192.0.2.1}, "
     "{value: "
     "192.0.2.2, weight: 0}]}}, rules: [{pool: a}]}}\n"
     "o: {type: A, values: [192.0.2.1, 192.0.2.2, 192.0.2.3], signpost: {method: ordered, "
     "answers: "
     "2}}\n"
     "p: {type: A, records: [{value: 192.0.2.1, priority: 2}, {value: 192.0.2.2, priority: "
     "1}], "
     "signpost: {method: ordered, answers: 1}}\n",
     "1:91 w.example.com. A: 192.0.2.2 of the pool \"a\" is never used: its weight is 0, and a "
     "member that has one never goes down\n"
     "2:45 o.example.com. A: 192.0.2.3 of the pool \"default\" is never used: the method is "
     "ordered, and enough members before it never go down\n"
     "3:32 p.example.com. A: 192.0.2.1 of the pool \"default\" is never used: the method is "
     "ordered, and enough members before it never go down\n"},
    {"member-unused",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {values: [{value: 192.0.2.1}, "
     "{value: "
     "192.0.2.2, weight: 0}]}}, rules: [{pool: a}]}, " CHECK "}\n"
     "o: {type: A, values: [192.0.2.1, 192.0.2.2], signpost: {method: ordered}}\n"
     "z: {type: A, records: [{value: 192.0.2.1, weight: 0}, {value: 192.0.2.2, weight: 0}]}\n",
     ""},
    {"default-missing",
     "w: {type: A, records: [{value: 192.0.2.1, line: cn}]}\n"
     "x: {type: A, value: 192.0.2.1, records: [{value: 192.0.2.1, line: cn}]}\n",
     "1:1 w.example.com. A: no row on the line \"default\": clients of other lines get no "
     "answer\n"
     "2:1 x.example.com. A: no row on the line \"default\": clients of other lines get the "
     "values "
     "beside\n"},
    {"default-missing", "w: {type: A, records: [{value: 192.0.2.1, line: cn}, {value: 192.0.2.2}]}",
     ""},
    {"weight-no-effect",
     "s: {type: A, records: [{value: 192.0.2.1, weight: 2}]}\n"
     "r: {type: A, records: [{value: 192.0.2.1, weight: 2}, {value: 192.0.2.2}], signpost: "
     "{method: rotate}}\n"
     "a: {type: A, records: [{value: 192.0.2.1, weight: 2}, {value: 192.0.2.2}], signpost: "
     "{answers: 2}}\n",
     "1:32 s.example.com. A: the weights of the pool \"default\" have no effect: it has a "
     "single "
     "member\n"
     "2:32 r.example.com. A: the weights of the pool \"default\" have no effect: the method "
     "does "
     "not look at them\n"
     "3:32 a.example.com. A: the weights of the pool \"default\" have no effect: every member "
     "is "
     "in every answer, in another order at most\n"},
    {"weight-no-effect",
     "w: {type: A, records: [{value: 192.0.2.1, weight: 2}, {value: 192.0.2.2}]}\n"
     "z: {type: A, records: [{value: 192.0.2.1, weight: 0}, {value: 192.0.2.2, weight: 1}], "
     "signpost: {method: rotate}}\n",
     ""},
    {"single-address",
     "w: {type: A, records: [{value: 192.0.2.1, line: cn}, {value: 192.0.2.2}]}\n"
     "t: {type: A, values: [192.0.2.1], signpost: {check: {kind: tcp, port: 80}}}\n"
     "d: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {fallback: b, values: [{value: "
     "192.0.2.1}]}, b: {values: [{value: 192.0.2.1}, {value: 192.0.2.2, status: down}]}}, "
     "rules: "
     "[{pool: a}]}, " CHECK "}\n",
     "1:32 w.example.com. A: clients of the pool \"cn\" have only 192.0.2.1, and it is so for "
     "1 "
     "more rule\n"
     "2:23 t.example.com. A: clients of the pool \"default\" have only 192.0.2.1\n"
     "3:84 d.example.com. A: clients of the pool \"a\" have only 192.0.2.1\n"},
    // Another row of a checked name, a fallback, a pool in the pool, the values: something is
    // there.
    {"single-address",
     "w: {type: A, records: [{value: 192.0.2.1, line: cn}, {value: 192.0.2.2}, {value: "
     "192.0.2.3}], " CHECK "}\n"
     "d: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {fallback: b, values: [{value: "
     "192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}}, rules: [{pool: a}]}, " CHECK "}\n"
     "v: {type: A, value: 192.0.2.9, dynamic: {pools: {a: {values: [{value: 192.0.2.1}]}}, "
     "rules: "
     "[{pool: a}]}, " CHECK_WITH("all_down: values") "}\n"
                                                     "m: {type: MX, records: [{value: "
                                                     "{preference: 1, exchange: x.}}]}\n",
     ""},
    {"single-network",
     "w: {type: A, values: [192.0.2.1, 192.0.2.200], " CHECK "}\n"
     "x: {type: AAAA, values: ['2001:db8:1::1', '2001:db8:1:2::1'], " CHECK "}\n",
     "1:1 w.example.com. A: every address is in 192.0.2.0/24\n"
     "2:1 x.example.com. AAAA: every address is in 2001:db8:1::/48\n"},
    {"single-network",
     "w: {type: A, values: [192.0.2.1, 192.0.3.1], " CHECK "}\n"
     "x: {type: AAAA, values: ['2001:db8:1::1', '2001:db8:2::1'], " CHECK "}\n"
     "s: {type: A, values: [192.0.2.1, 192.0.2.2]}\n"
     "o: {type: A, value: 192.0.2.1, " CHECK "}\n",
     ""},
    {"single-site",
     "w: {type: A, records: [{value: 192.0.2.1, site: fra}, {value: 198.51.100.1, site: fra}, "
     "{value: 203.0.113.1}]}\n",
     "1:1 w.example.com. A: every member is at the site \"fra\"\n"},
    {"single-site",
     "w: {type: A, records: [{value: 192.0.2.1, site: fra}, {value: 198.51.100.1, site: "
     "nyc}]}\n"
     "x: {type: A, records: [{value: 192.0.2.1}, {value: 198.51.100.1}]}\n",
     ""},
    {"ttl-long", "w: {type: A, ttl: 301, values: [192.0.2.1, 198.51.100.1], " CHECK "}\n",
     "1:1 w.example.com. A: the name is checked and has a TTL of 301 s; at most 300 s is "
     "wise\n"},
    {"ttl-long",
     "w: {type: A, ttl: 300, values: [192.0.2.1, 198.51.100.1], " CHECK "}\n"
     "x: {type: A, ttl: 301, values: [192.0.2.1, 198.51.100.1], signpost: {method: random}}\n",
     ""},
    // 3 x 10 s + 2 s + 1 s + 60 s.
    {"failover-slow",
     "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], " CHECK_WITH(
         "max_failover: 92") "}\n"
                             "x: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: "
                             "{max_failover: 1m}}\n"
                             "g: {type: A, ttl: 90, values: [192.0.2.1, 192.0.2.2], " CHECK "}\n",
     "1:1 w.example.com. A: a failover takes up to 93 s (detection 32, publication 1, TTL 60); "
     "the "
     "budget is 92 s\n"
     "2:1 x.example.com. A: the budget for a failover is 60 s, and no check ever starts one\n"
     "3:1 g.example.com. A: a failover takes up to 123 s (detection 32, publication 1, TTL "
     "90); "
     "the budget is 120 s\n"},
    {"failover-slow",
     "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], " CHECK_WITH(
         "max_failover: 93") "}\n"
                             "g: {type: A, ttl: 87, values: [192.0.2.1, 192.0.2.2], " CHECK "}\n"
                             "n: {type: A, ttl: 9000, values: [192.0.2.1, 192.0.2.2], "
                             "signpost: {method: random}}\n",
     ""},
    {"certificate-name",
     "w: {type: A, value: 192.0.2.1, " HTTPS(
         "verify: false") "}\n"
                          "x: {type: A, value: 192.0.2.1, " HTTPS(
                              "host: other.example.com") "}\n"
                                                         "'*.v': {type: A, value: "
                                                         "192.0.2.1, " HTTPS(
                                                             "host: example.com") "}\n"
                                                                                  "y: {type: "
                                                                                  "A, value: "
                                                                                  "203.0.113."
                                                                                  "66, " HTTPS(
                                                                                      "interval"
                                                                                      ": 5") "}"
                                                                                             "\n",
     "1:1 w.example.com. A: the check does not verify the certificate\n"
     "2:1 x.example.com. A: the check wants a certificate for other.example.com, not for the "
     "name "
     "itself\n"
     "3:2 *.v.example.com. A: the check wants a certificate for example.com, not for the name "
     "itself\n"
     "4:21 y.example.com. A: the last probe of 203.0.113.66 found: not for y.example.com\n"},
    {"certificate-name",
     "w: {type: A, value: 192.0.2.1, " HTTPS(
         "host: W.Example.com") "}\n"
                                "'*.v': {type: A, value: 192.0.2.1, " HTTPS(
                                    "host: a.v.example.com") "}\n"
                                                             "t: {type: A, value: "
                                                             "192.0.2.1, " CHECK "}\n",
     ""},
    {"ttl-mixed", "w: {type: A, records: [{value: 192.0.2.1, ttl: 5}, {value: 192.0.2.2, ttl: 9}]}",
     "1:1 w.example.com. A: TTLs from 5 to 9 s; 5 is used\n"},
    {"ttl-mixed", "w: {type: A, records: [{value: 192.0.2.1, ttl: 5}, {value: 192.0.2.2, ttl: 5}]}",
     ""},
    {"family-missing",
     "w: {type: A, value: 192.0.2.1, " CHECK "}\n"
     "x: {type: AAAA, value: '2001:db8::1', " CHECK "}\n",
     "1:1 w.example.com. A: steered, and the name has no AAAA records\n"
     "2:1 x.example.com. AAAA: steered, and the name has no A records\n"},
    {"family-missing",
     "w: [{type: A, value: 192.0.2.1, " CHECK "}, {type: AAAA, value: '2001:db8::1'}]\n"
     "s: {type: A, value: 192.0.2.1}\n",
     ""},
    {"family-differs",
     "w: [{type: A, value: 192.0.2.1, " CHECK "}, {type: AAAA, value: '2001:db8::1'}]\n"
     "m: [{type: A, value: 192.0.2.1, " CHECK "}, {type: AAAA, value: '2001:db8::1', signpost: "
     "{method: random}}]\n"
     "l: [{type: A, records: [{value: 192.0.2.1}, {value: 192.0.2.2, line: cn}]}, {type: AAAA, "
     "records: [{value: '2001:db8::1'}, {value: '2001:db8::2', line: jp}]}]\n",
     "1:97 w.example.com.: A (line 1) and AAAA differ: only one of them is steered\n"
     "2:76 m.example.com.: A (line 2) and AAAA differ: the method\n"
     "3:77 l.example.com.: A (line 3) and AAAA differ: who gets which pool\n"},
    {"family-differs",
     "w: [{type: A, value: 192.0.2.1, " CHECK "}, {type: AAAA, value: '2001:db8::1', " CHECK "}]\n"
     "s: [{type: A, value: 192.0.2.1}, {type: AAAA, value: '2001:db8::1'}]\n"
     "l: [{type: A, records: [{value: 192.0.2.1}, {value: 192.0.2.2, line: cn}]}, {type: AAAA, "
     "records: [{value: '2001:db8::1'}, {value: '2001:db8::2', line: cn}]}]\n",
     ""},
    {"ramp-unchecked", TWO_POOLS("{ramp: {steps: [{share: 5%}]}, pool: a}, {pool: b}"),
     "1:184 w.example.com. A: rule 1: no member of the pool \"a\" is checked, so its ramp goes on "
     "whatever happens to it\n"},
    {"ramp-unchecked",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {values: [{value: 192.0.2.1, status: "
     "up}, "
     "{value: 192.0.2.2, status: up}]}, b: {values: [192.0.2.3]}}, rules: [{ramp: {steps: [{share: "
     "5%}]}, pool: a}, {pool: b}]}, " CHECK "}\n",
     "1:164 w.example.com. A: rule 1: no member of the pool \"a\" is checked, so its ramp goes on "
     "whatever happens to it\n"},
    {"ramp-unchecked",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {values: [{value: 192.0.2.1, status: "
     "up}, "
     "192.0.2.2]}, b: {values: [192.0.2.3]}}, rules: [{ramp: {steps: [{share: 5%}]}, pool: a}, "
     "{pool: b}]}, " CHECK "}\n",
     ""},
    {"ramp-unchecked", TWO_POOLS("{share: 5%, pool: a}, {pool: b}"), ""},
};

// --- the world: an office of two halves, ASN 64500, no databases

static struct lines *lines;
static struct geo *geo;
static struct reach *reach;

static int group_setup(void **state)
{
    folder_begin(state);
    static const char networks[] = "cidr,country,region,asn,line,lat,lon\n"
                                   "203.0.113.0/24,CN,,64500,,,\n";
    const char *path = file_write(1, "networks.csv", networks, sizeof(networks) - 1);
    static struct prefix office[] = {
        {.address = {.family = FAMILY_IPV4, .bytes = {10, 1}}, .length = 16}};
    static struct prefix half1[] = {
        {.address = {.family = FAMILY_IPV4, .bytes = {10, 1}}, .length = 17}};
    const struct line_definition definitions[] = {
        {.name = "office", .networks = office, .network_count = 1},
        {.name = "half1", .networks = half1, .network_count = 1},
    };
    struct diags diags = {0};
    lines = lines_new(definitions, ARRAY_SIZE(definitions), &diags);
    struct geo_config config = {.networks_path = path};
    geo = geo_load(&config, lines, &diags);
    assert_int_equal(diags.error_count, 0);
    diags_clear(&diags);
    reach = reach_new(lines, geo);
    test_lines = lines;
    return 0;
}

static int group_teardown(void **state)
{
    reach_free(reach);
    geo_free(geo);
    return folder_end(state); // frees test_lines
}

static const struct rule_reach *ask_reach(void *state, const struct policy *policy)
{
    (void)state;
    return reach_of_policy(reach, policy);
}

// 203.0.113.66 has the certificate of another.
static const char *ask_tls_fault(void *state, const struct member *member)
{
    (void)state;
    return strcmp(member->text, "203.0.113.66") == 0 ? "not for y.example.com" : NULL;
}

static struct lint_world world_make(void)
{
    return (struct lint_world){
        .lines = lines,
        .max_failover_ns = 120 * NS_PER_SECOND,
        .checked_ttl_max = 300,
        .reach = ask_reach,
        .tls_fault = ask_tls_fault,
    };
}

// What the server does when it takes a zone: members get their checks.
static void bind_checks(const struct zone *zone)
{
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        for (struct rrset *rrset = zone_owner(zone, i)->rrsets; rrset; rrset = rrset->next) {
            const struct policy *policy = rrset->policy;
            for (size_t k = 0; policy && k < policy->pool_count; k++) {
                for (size_t m = 0; m < policy->pools[k].member_count; m++) {
                    struct member *member = &policy->pools[k].members[m];
                    bool runs = policy->check.kind != CHECK_NONE && member->status == STATUS_OBEY;
                    member->check = runs ? 0 : -1;
                }
            }
        }
    }
}

static struct outcome read_bound(const char *text)
{
    struct outcome outcome = read_yaml(text);
    if (outcome.zone == NULL) {
        fail_msg("%s", diags_text(&outcome.diags));
    }
    bind_checks(outcome.zone);
    return outcome;
}

// What the rule with this id found, and no other; every finding has the row's fix and severity.
static const char *findings_text(const struct diags *findings, const char *id)
{
    static char text[8192];
    char *at = text;
    *at = '\0';
    for (size_t i = 0; i < findings->count; i++) {
        const struct diag *finding = &findings->items[i];
        int index = lint_rule_find(finding->id);
        assert_true(index >= 0);
        assert_string_equal(finding->fix, lint_rule_at((size_t)index)->fix);
        assert_int_equal(finding->severity, lint_rule_at((size_t)index)->severity);
        if (strcmp(finding->id, id) == 0) {
            at = put(at, "%u:%u %s: %s\n", finding->line, finding->column,
                     finding->key ? finding->key : "-", finding->message);
        }
    }
    return text;
}

static void test_documents(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome outcome = read_bound(cases[i].text);
        struct lint_world world = world_make();
        struct diags findings = {0};
        lint_zone(&world, outcome.zone, &findings);
        expect_text(cases[i].text, findings_text(&findings, cases[i].id), cases[i].expected);
        diags_clear(&findings);
        // Switched off, it says nothing.
        world.ignored = UINT64_C(1) << lint_rule_find(cases[i].id);
        lint_zone(&world, outcome.zone, &findings);
        expect_text(cases[i].text, findings_text(&findings, cases[i].id), "");
        diags_clear(&findings);
        outcome_end(&outcome);
    }
}

// --- lines

static void lines_case(const struct line_definition *definitions, size_t count,
                       const char *expected)
{
    struct lint_world world = world_make();
    struct diags findings = {0};
    struct lines *own = lines_new(definitions, count, &findings);
    assert_int_equal(findings.count, 0);
    world.lines = own;
    lint_lines(&world, &findings);
    expect_text("lines", findings_text(&findings, "lines-overlap"), expected);
    diags_clear(&findings);
    lines_free(own);
}

static void test_lines_overlap(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.0.0.0/8", "10.1.0.0/16", "2001:db8::/48", "10.1.0.0/16",
                                        "2001:db8::/48"};
    struct prefix networks[ARRAY_SIZE(texts)];
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_true(prefix_parse(texts[i], &networks[i], NULL));
    }
    struct line_definition definitions[] = {
        {.name = "wide", .networks = networks, .network_count = 1, .place = {"s", 1, 3}},
        {.name = "a", .networks = networks + 1, .network_count = 2, .place = {"s", 2, 3}},
        {.name = "b", .networks = networks + 3, .network_count = 2, .place = {"s", 3, 3}},
    };
    lines_case(definitions, 2, "");
    lines_case(definitions, 3,
               "3:3 -: 10.1.0.0/16 is in the line \"a\" and in \"b\"\n"
               "3:3 -: 2001:db8::/48 is in the line \"a\" and in \"b\"\n");
    lines_case(definitions, 0, "");
}

// --- the table

static void test_table(void **state)
{
    (void)state;
    assert_in_range(lint_rule_count(), 1, 64);
    assert_int_equal(lint_rule_find("nope"), -1);
    for (size_t i = 0; i < lint_rule_count(); i++) {
        const struct lint_rule *rule = lint_rule_at(i);
        assert_int_equal(lint_rule_find(rule->id), i);
        assert_int_not_equal(rule->severity, SEVERITY_ERROR);
        assert_int_equal(strspn(rule->id, "abcdefghijklmnopqrstuvwxyz-"), strlen(rule->id));
        assert_int_equal(rule->reason[strlen(rule->reason) - 1], '.');
        assert_int_not_equal(rule->fix[strlen(rule->fix) - 1], '.');
    }
}

// Every rule is seen to speak and to be silent.
static void test_every_rule_is_tested(void **state)
{
    (void)state;
    for (size_t i = 0; i < lint_rule_count(); i++) {
        const char *id = lint_rule_at(i)->id;
        bool speaks = strcmp(id, "lines-overlap") == 0, silent = speaks; // test_lines_overlap
        for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
            bool same = strcmp(cases[k].id, id) == 0;
            speaks |= same && *cases[k].expected;
            silent |= same && !*cases[k].expected;
        }
        if (!speaks || !silent) {
            fail_msg("%s has no %s test", id, speaks ? "negative" : "positive");
        }
    }
}

static void test_ignored_for_one_record(void **state)
{
    (void)state;
    struct outcome outcome = read_bound(
        "w: {type: A, value: 192.0.2.1, signpost: {method: random, lint_ignore: single-address}}\n"
        "x: {type: A, value: 192.0.2.1, signpost: {method: random, lint_ignore: [family-missing, "
        "single-address]}}\n"
        "y: {type: A, value: 192.0.2.1, signpost: {method: random}}\n");
    struct lint_world world = world_make();
    struct diags findings = {0};
    lint_zone(&world, outcome.zone, &findings);
    expect_text("", findings_text(&findings, "single-address"),
                "3:21 y.example.com. A: clients of the pool \"default\" have only 192.0.2.1\n");
    expect_text("", findings_text(&findings, "family-missing"),
                "1:1 w.example.com. A: steered, and the name has no AAAA records\n"
                "3:1 y.example.com. A: steered, and the name has no AAAA records\n");
    diags_clear(&findings);
    outcome_end(&outcome);
}

static void test_keys(void **state)
{
    (void)state;
    struct outcome outcome =
        read_yaml("w: {type: A, value: 192.0.2.1, signpost: {lint_ignore: [single-adress, [a]], "
                  "max_failover: 0}}\n");
    expect_diags(&outcome,
                 "1:92 error w.signpost.max_failover: expected a time from 1s to 86400s "
                 "such as 500ms, 10s or 1m, found \"0\"\n"
                 "1:57 error w.signpost.lint_ignore[0]: there is no lint rule "
                 "\"single-adress\"; did you mean \"single-address\"?\n"
                 "1:72 error w.signpost.lint_ignore[1]: expected a value, found a list\n");
    outcome_end(&outcome);
}

// Worst cases of the composed kinds of checks.
static void test_failover_of_expressions(void **state)
{
    (void)state;
    struct check_spec tcp = {.kind = CHECK_TCP,
                             .fall = 3,
                             .interval_ns = 10 * NS_PER_SECOND,
                             .timeout_ns = 2 * NS_PER_SECOND};
    struct check_spec beat = {.kind = CHECK_HEARTBEAT, .ttl_ns = 40 * NS_PER_SECOND};
    const struct check_spec *operands[] = {&tcp, &beat};
    struct member member = {.status = STATUS_OBEY};
    struct pool pool = {.members = &member, .member_count = 1};
    struct policy policy = {.pools = &pool, .pool_count = 1};
    struct rrset rrset = {.ttl = 5, .policy = &policy};
    struct lint_world world = world_make();
    struct failover failover;
    assert_false(lint_failover(&world, &rrset, &failover));
    policy.check = tcp;
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 38 * NS_PER_SECOND);
    world.idle_factor = 6; // dead while nobody asks
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.detection_ns, (60 + 2 * 10 + 2) * NS_PER_SECOND);
    policy.check.idle_interval_ns = 90 * NS_PER_SECOND;
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.detection_ns, (90 + 2 * 10 + 2) * NS_PER_SECOND);
    policy.check.idle_interval_ns = tcp.interval_ns; // never
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 38 * NS_PER_SECOND);
    policy.check = beat;
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 46 * NS_PER_SECOND);
    policy.check = (struct check_spec){.kind = CHECK_ANY, .operands = operands, .operand_count = 2};
    assert_true(lint_failover(&world, &rrset, &failover));
    assert_int_equal(failover.total_ns, 46 * NS_PER_SECOND);
    member.status = STATUS_UP; // nobody obeys the check
    assert_false(lint_failover(&world, &rrset, &failover));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_lines_overlap),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_rule_is_tested),
        cmocka_unit_test(test_ignored_for_one_record),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_failover_of_expressions),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
