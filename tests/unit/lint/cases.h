// SPDX-License-Identifier: GPL-3.0-or-later
//
// Documents that rules of lint speak about, and near ones that they do not.
#pragma once

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
    // Weights of a pool within another: what looks at them is the pool's method.
    {"weight-no-effect",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {\n"
     "  a: {values: [{pool: b}, {pool: c}]},\n"
     "  b: {method: weighted, values: [{value: 192.0.2.1, weight: 2}, {value: 192.0.2.2}]},\n"
     "  c: {method: rotate, values: [{value: 192.0.2.3, weight: 2}, {value: 192.0.2.4}]}},\n"
     "  rules: [{pool: a}]}, signpost: {method: nearest}}\n",
     "4:3 w.example.com. A: the weights of the pool \"c\" have no effect: the method does not look "
     "at them\n"},
    {"member-unused",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {\n"
     "  a: {values: [{pool: b}, {pool: c}]},\n"
     "  b: {method: ordered, values: [192.0.2.1, 192.0.2.2]},\n"
     "  c: {method: rotate, values: [192.0.2.3, 192.0.2.4]}},\n"
     "  rules: [{pool: a}]}, signpost: {method: weighted}}\n",
     "3:44 w.example.com. A: 192.0.2.2 of the pool \"b\" is never used: the method is ordered, and "
     "enough members before it never go down\n"},
    {"method-no-effect",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {\n"
     "  a: {values: [{pool: b}, {pool: c}, {pool: d}, {pool: e}]},\n"
     "  b: {method: weighted, values: [{value: 192.0.2.1, weight: 2}, {value: 192.0.2.2}]},\n"
     "  c: {method: sticky, values: [192.0.2.3]},\n"
     "  d: {method: nearest, values: [192.0.2.4, 192.0.2.5]},\n"
     "  e: {method: ordered, values: [{pool: f}, 192.0.2.6]},\n"
     "  f: {method: ordered, values: [192.0.2.7, 192.0.2.8]}},\n"
     "  rules: [{pool: a}]}, signpost: {method: weighted}}\n",
     "3:3 w.example.com. A: the method of the pool \"b\" has no effect: the pools that it stands "
     "in "
     "are drawn by weights, too\n"
     "4:3 w.example.com. A: the method of the pool \"c\" has no effect: it has a single member\n"
     "5:3 w.example.com. A: the method of the pool \"d\" has no effect: no member has a site with "
     "a place\n"
     "7:3 w.example.com. A: the method of the pool \"f\" has no effect: the pools that it stands "
     "in "
     "are ordered, too\n"},
    {"method-no-effect",
     "w: {type: A, value: 192.0.2.1, dynamic: {pools: {\n"
     "  a: {method: weighted, values: [{pool: b}, {pool: c}]},\n"
     "  b: {method: weighted, values: [192.0.2.1, 192.0.2.2]},\n"
     "  c: {method: ordered, values: [192.0.2.3, 192.0.2.4]}},\n"
     "  rules: [{share: 5%, pool: b}, {pool: a}]}, signpost: {method: nearest}}\n",
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
