// SPDX-License-Identifier: GPL-3.0-or-later
//
// octoDNS's `dynamic`: pools and rules, with ours beside them.
#include "../zone_test.h"

static const struct document_case good_documents[] = {
    {"www:\n"
     "  type: A\n"
     "  ttl: 60\n"
     "  values: [198.51.100.1]\n"
     "  dynamic:\n"
     "    pools:\n"
     "      telecom:  {fallback: overseas, values: [{value: 203.0.113.1, weight: 3}, "
     "{value: 203.0.113.3, status: up}]}\n"
     "      unicom:   {fallback: overseas, values: [{value: 203.0.113.2}], min_up: 50%}\n"
     "      overseas: {values: [{value: 198.51.100.1, weight: 0}, {value: 198.51.100.2, "
     "status: down}], min_up: 2}\n"
     "    rules:\n"
     "      - {lines: [cn-telecom, office], asns: [AS4134, 4809], pool: telecom}\n"
     "      - {share: 5%, pool: unicom}\n"
     "      - {subnets: [10.0.0.0/8, '2001:db8::/64', 192.0.2.1], geos: [EU-DE, NA-US-CA, "
     "AS-CN-GD], pool: unicom}\n"
     "      - {geos: [AS-CN, AS-HK], pool: telecom}\n"
     "      - {pool: overseas}\n"
     "  octodns: {healthcheck: {protocol: HTTPS, host: www.example.com, path: /healthz, "
     "port: 443}}\n"
     "  signpost: {method: rotate, answers: 2, all_down: all, min_ttl: 5}\n",
     "",
     {{"www", "A",
       "60 [198.51.100.1]\n"
       "dynamic rotate 2 all min_ttl=5 values 198.51.100.1*1\n"
       "telecom>overseas 203.0.113.1*3 203.0.113.3*1/up\n"
       "unicom>overseas min_up=50% 203.0.113.2*1\n"
       "overseas min_up=2 198.51.100.1*0 198.51.100.2*1/down\n"
       "telecom: line=cn-telecom line=office as=4134 as=4809\n"
       "unicom: share=50000\n"
       "unicom: geo=EU-DE geo=NA-US-CA geo=AS-CN-GD net=10.0.0.0/8 net=2001:db8::/64 "
       "net=192.0.2.1/32\n"
       "telecom: geo=AS-CN geo=AS-HK\n"
       "overseas:\n"
       "check https port=443 host=www.example.com path=/healthz ca=- verify=1 "
       "every=10000/2000ms 2/3\n"}}},
    {"w: {type: CNAME, value: a.example.net., dynamic: {pools: {a: {fallback: null, "
     "values: [{value: b.example.net.}, {value: c.example.net., weight: 9}]}}, rules: "
     "[{pool: a}]}}\n",
     "",
     {{"w", "CNAME",
       "3600 [a.example.net.]\n"
       "dynamic weighted 1 all min_ttl=5 values a.example.net.*1\n"
       "a b.example.net.*1 c.example.net.*9\n"
       "a:\n"}}},
    {"w: {type: AAAA, value: '::1', dynamic: {pools: {a: {values: [{value: '::1'}]}}, rules: "
     "[{pool: a}]}}\n",
     "",
     {{"w", "AAAA",
       "3600 [::1]\n"
       "dynamic weighted 1 all min_ttl=5 values ::1*1\n"
       "a ::1*1\n"
       "a:\n"}}},
    {"w:\n"
     "  type: A\n"
     "  value: 192.0.2.9\n"
     "  dynamic:\n"
     "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
     "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
     "    rules:\n"
     "      - {geos: [AS], share: 0.25, pool: b}\n"
     "      - {geos: [AS], pool: a}\n"
     "      - {lines: [cn], pool: a}\n"
     "      - {share: 100%, geos: [EU], pool: c}\n"
     "      - {lines: [default], subnets: [10.0.0.0/8], pool: d}\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.9]\n"
       "dynamic weighted 1 all min_ttl=5 values 192.0.2.9*1\n"
       "a 192.0.2.1*1\n"
       "b 192.0.2.2*1\n"
       "c 192.0.2.3*1\n"
       "d 192.0.2.4*1\n"
       "b: geo=AS share=250000\n"
       "a: geo=AS\n"
       "a: line=cn\n"
       "c: geo=EU\n"
       "d:\n"}}},
    {"w:\n"
     "  type: A\n"
     "  value: 192.0.2.9\n"
     "  dynamic:\n"
     "    pools: {a: {values: [{value: 192.0.2.1, site: nyc, priority: 2}, {value: 192.0.2.2, "
     "site: fra, name: two, weight: 3}, {value: 192.0.2.3, site: nyc}]}}\n"
     "    rules: [{pool: a}]\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.9]\n"
       "dynamic weighted 1 all min_ttl=5 values 192.0.2.9*1\n"
       "a 192.0.2.1*1/p2@nyc 192.0.2.2*3@fra=two 192.0.2.3*1@nyc\n"
       "a:\n"}}},
    {"r: {type: A, value: 192.0.2.9, dynamic: {pools: {a: {values: [192.0.2.1]}, b: {values: "
     "[192.0.2.2]}}, rules: [{pool: a, ramp: {start: '2026-11-25T10:00:00Z', abort_below: 80%, "
     "steps: [{share: 5%, for: 30m}, {share: 100%}]}}, {pool: b}]}}\n",
     "",
     {{"r", "A",
       "3600 [192.0.2.9]\n"
       "dynamic weighted 1 all min_ttl=5 values 192.0.2.9*1\n"
       "a 192.0.2.1*1\n"
       "b 192.0.2.2*1\n"
       "a: ramp 1795600800+50000=1800s+1000000=0s/800000\n"
       "b:\n"}}},
    {"m: {type: MX, value: 10 a., dynamic: {pools: {p: {values: [{value: 20 b., weight: 2}, "
     "{preference: 5, exchange: c.}, {value: {preference: 6, exchange: d.}}]}}, rules: [{pool: "
     "p}]}}\n",
     "",
     {{"m", "MX",
       "3600 [10 a.]\n"
       "dynamic weighted 1 all min_ttl=5 values 10 a.*1\n"
       "p 20 b.*2 5 c.*1 6 d.*1\n"
       "p:\n"}}},
    {"w:\n"
     "  type: A\n"
     "  value: 192.0.2.1\n"
     "  dynamic:\n"
     "    pools:\n"
     "      all: {values: [{pool: eu, weight: 3}, {pool: us}]}\n"
     "      eu: {fallback: us, values: [{value: 192.0.2.1, weight: 2}, {pool: us, weight: 0}]}\n"
     "      us: {values: [{value: 192.0.2.2}]}\n"
     "    rules: [{pool: all}]\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.1]\n"
       "dynamic weighted 1 all min_ttl=5 values 192.0.2.1*1\n"
       "all (eu)*3 (us)*1\n"
       "eu>us 192.0.2.1*2 (us)*0\n"
       "us 192.0.2.2*1\n"
       "all:\n"}}},
};

static const struct document_case bad_documents[] = {
    {.text = "w: {type: A, dynamic: {pools: {p: {values: [{value: 192.0.2.1}]}}, rules: [{pool: "
             "p}]}}\n",
     .diags = "1:1 error w: missing \"value\" or \"values\" beside \"dynamic\": expected the last "
              "resort, which is also what a plain tool sees\n"},
    {.text = "r:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [192.0.2.1]}, b: {values: [192.0.2.2]}}\n"
             "    rules:\n"
             "      - {pool: a, share: 5%, ramp: {start: '2026-13-25T10:00:00Z', abort_below: 0.8, "
             "steps: [{share: 5%}, {share: 4%, for: 0}, 5, {for: 1m}]}}\n"
             "      - {pool: a, ramp: {}}\n"
             "      - {pool: b}\n",
     .diags = "7:30 error r.dynamic.rules[0].ramp: \"share\" and \"ramp\" do not go "
              "together\n"
              "7:94 error r.dynamic.rules[0].ramp.steps[0]: missing \"for\": how long the "
              "step takes\n"
              "7:115 error r.dynamic.rules[0].ramp.steps[1].share: shares of a ramp never "
              "shrink: clients that are in stay in\n"
              "7:124 error r.dynamic.rules[0].ramp.steps[1].for: expected a time from 1s to "
              "31536000s such as 500ms, 10s or 1m, found \"0\"\n"
              "7:128 error r.dynamic.rules[0].ramp.steps[2]: expected a mapping, found a "
              "single value\n"
              "7:131 error r.dynamic.rules[0].ramp.steps[3]: missing \"share\"\n"
              "7:45 error r.dynamic.rules[0].ramp.start: expected a time such as "
              "2026-11-25T10:00:00Z, found \"2026-13-25T10:00:00Z\"\n"
              "7:81 error r.dynamic.rules[0].ramp.abort_below: expected a part of the pool's "
              "members such as 80%, found \"0.8\"\n"
              "8:19 error r.dynamic.rules[1].ramp: missing \"steps\"\n"},
    {.text = "a: {type: A, value: 192.0.2.1, dynamic: {pools: {p: {values: [{value: 192.0.2.1, "
             "name: x}, {value: 192.0.2.2, name: x}]}}, rules: [{pool: p}]}}\n",
     .diags = "1:54 error a.dynamic.pools.p.values: the name \"x\" is here twice\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools:\n"
             "      a: {values: [{pool: b, site: fra}, {pool: nope}, {pool: [], weight: x}]}\n"
             "      b: {fallback: c, values: [{value: 192.0.2.1}]}\n"
             "      c: {values: [{pool: b}]}\n"
             "      d: {values: [{value: 192.0.2.1, pool: a}]}\n"
             "    rules: [{pool: a}, {pool: d}]\n",
     .diags = "6:36 warning w.dynamic.pools.a.values[0].site: unknown key, left out of account\n"
              "6:57 error w.dynamic.pools.a.values[2].pool: expected a value, found a list\n"
              "6:75 error w.dynamic.pools.a.values[2].weight: expected a whole number from 0 to "
              "1000000, found \"x\"\n"
              "9:45 warning w.dynamic.pools.d.values[0].pool: unknown key, left out of account\n"
              "6:49 error w.dynamic.pools.a.values[1].pool: there is no pool \"nope\"\n"
              "7:7 error w.dynamic.pools.b: the pools go in a circle: b -> c -> b\n"
              "10:13 error w.dynamic.rules[0]: this rule holds everybody; those after it can never "
              "be reached\n"
              "10:24 error w.dynamic.rules[1]: rule 1 holds everybody already; one catch-all, the "
              "last rule\n"},
    {.text = "a: {type: A, value: 192.0.2.1, dynamic: {pools: {p: {values: [{value: 192.0.2.1, "
             "site: fraa}, {value: 192.0.2.2, site: sydney, priority: -1, name: ''}]}}, rules: "
             "[{pool: p}]}}\n",
     .diags = "1:88 error a.dynamic.pools.p.values[0].site: there is no site \"fraa\" in "
              "shared.yaml; did you mean \"fra\"?\n"
              "1:138 error a.dynamic.pools.p.values[1].priority: expected a whole number from 0 "
              "to 65535, found \"-1\"\n"
              "1:120 error a.dynamic.pools.p.values[1].site: there is no site \"sydney\" in "
              "shared.yaml\n"
              "1:149 error a.dynamic.pools.p.values[1].name: expected a value, found an empty "
              "text\n"},
    {.text = "a: {type: A, value: 192.0.2.1, dynamic: {}}\n"
             "b: {type: A, value: 192.0.2.1, dynamic: {pools: [], rules: {}}}\n"
             "c: {type: A, value: 192.0.2.1, dynamic: {pools: {}, rules: []}}\n"
             "d: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {values: [{value: "
             "192.0.2.1}]}}, rules: []}}\n"
             "e: {type: A, value: 192.0.2.1, dynamic: 5}\n",
     .diags = "1:32 error a.dynamic: missing \"pools\"\n"
              "1:32 error a.dynamic: missing \"rules\"\n"
              "2:42 error b.dynamic.pools: expected a mapping, found a list\n"
              "3:42 error c.dynamic.pools: expected 1 to 255 pools, found 0\n"
              "4:86 error d.dynamic.rules: expected 1 to 1000 rules, found 0\n"
              "5:41 error e.dynamic: expected a mapping, found a single value\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pool: x\n"
             "    pools:\n"
             "      a: {fallback: b, values: [{value: 192.0.2.1, weight: 1000001}, {value: "
             "192.0.2.2, weight: '1.5'}, {value: '::1'}, {valeu: 1}, {value: 192.0.2.3, status: "
             "drain}]}\n"
             "      b: {fallback: c, values: [{value: 192.0.2.4, weight: 2}]}\n"
             "      c: {fallback: a, values: [{value: 192.0.2.5}], min_up: 2}\n"
             "      d: {fallback: nope, values: []}\n"
             "      e: {}\n"
             "      f: {fallback: f, values: [{value: 192.0.2.6}], min_up: 101%}\n"
             "      g:\n"
             "      h: {values: {value: 192.0.2.7}}\n"
             "      i: {values: [{value: 192.0.2.8}], min_up: 0}\n"
             "      j: {values: [{value: 192.0.2.8, wieght: 3}, {value: 192.0.2.8}], min_up: "
             "0.5}\n"
             "    rules: [{pool: a}]\n",
     .diags = "5:11 warning w.dynamic.pool: unknown key, left out of account; did you mean "
              "\"pools\"?\n"
              "7:60 error w.dynamic.pools.a.values[0].weight: expected a whole number from 0 to "
              "1000000, found \"1000001\"\n"
              "7:98 error w.dynamic.pools.a.values[1].weight: expected a whole number from 0 to "
              "1000000, found \"1.5\"\n"
              "7:114 error w.dynamic.pools.a.values[2].value: expected A record data, found "
              "\"::1\": not an IPv4 address\n"
              "7:129 warning w.dynamic.pools.a.values[3].valeu: unknown key, left out of account; "
              "did you mean \"value\"?\n"
              "7:121 error w.dynamic.pools.a.values[3]: missing \"value\"\n"
              "7:160 error w.dynamic.pools.a.values[4].status: expected one of obey, up, down; "
              "found \"drain\"\n"
              "9:62 error w.dynamic.pools.c.min_up: 2 members can never be up: the pool has 1\n"
              "10:27 error w.dynamic.pools.d.values: expected 1 to 4096 values, found 0\n"
              "11:7 error w.dynamic.pools.e: missing \"values\"\n"
              "12:62 error w.dynamic.pools.f.min_up: expected a number of members such as 2, or a "
              "part such as 50%, found \"101%\"\n"
              "13:7 error w.dynamic.pools.g: expected a mapping, found nothing\n"
              "14:11 error w.dynamic.pools.h.values: expected a list, found a mapping\n"
              "15:49 error w.dynamic.pools.i.min_up: expected a number of members such as 2, or a "
              "part such as 50%, found \"0\"\n"
              "16:47 warning w.dynamic.pools.j.values[0].wieght: unknown key, left out of account; "
              "did you mean \"weight\"?\n"
              "16:11 warning w.dynamic.pools.j.values: the value 192.0.2.8 is here twice; the "
              "weights add up\n"
              "16:80 error w.dynamic.pools.j.min_up: expected a number of members such as 2, or a "
              "part such as 50%, found \"0.5\"\n"
              "10:21 error w.dynamic.pools.d.fallback: there is no pool \"nope\"\n"
              "7:7 error w.dynamic.pools.a: the fallbacks go in a circle: a -> b -> c -> a\n"
              "12:7 error w.dynamic.pools.f: the fallbacks go in a circle: f -> f\n"
              "10:7 error w.dynamic.pools.d: the pool is used by no rule and is no fallback of a "
              "used one\n"
              "11:7 error w.dynamic.pools.e: the pool is used by no rule and is no fallback of a "
              "used one\n"
              "12:7 error w.dynamic.pools.f: the pool is used by no rule and is no fallback of a "
              "used one\n"
              "13:7 error w.dynamic.pools.g: the pool is used by no rule and is no fallback of a "
              "used one\n"
              "14:7 error w.dynamic.pools.h: the pool is used by no rule and is no fallback of a "
              "used one\n"
              "15:7 error w.dynamic.pools.i: the pool is used by no rule and is no fallback of a "
              "used one\n"
              "16:7 error w.dynamic.pools.j: the pool is used by no rule and is no fallback of a "
              "used one\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {}\n"
             "      - {pool: zz}\n"
             "      - {pool: a, share: 6}\n"
             "      - {pool: a, share: 0}\n"
             "      - {pool: a, share: 101%}\n"
             "      - {pool: a, geos: EU}\n"
             "      - 5\n"
             "      - {pool: a, geoss: [EU]}\n",
     .diags = "7:9 error w.dynamic.rules[0]: missing \"pool\"\n"
              "8:16 error w.dynamic.rules[1].pool: there is no pool \"zz\"\n"
              "9:26 error w.dynamic.rules[2].share: expected a part of the clients such as 5% or "
              "0.05, found \"6\"\n"
              "10:26 error w.dynamic.rules[3].share: expected a part of the clients such as 5% or "
              "0.05, found \"0\"\n"
              "11:26 error w.dynamic.rules[4].share: expected a part of the clients such as 5% or "
              "0.05, found \"101%\"\n"
              "12:25 error w.dynamic.rules[5].geos: expected a list, found a single value\n"
              "13:9 error w.dynamic.rules[6]: expected a mapping, found a single value\n"
              "14:19 warning w.dynamic.rules[7].geoss: unknown key, left out of account; did you "
              "mean \"geos\"?\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {pool: a, geos: [eu, XX, EU-CN, AS-XY, AS-CN-ZZ, EU-FR-BY, EU-D, ASCN, "
             "NA-US-CAL, na-us-ca]}\n"
             "      - {pool: b}\n",
     .diags = "7:26 error w.dynamic.rules[0].geos[0]: expected a place such as AS, AS-CN or "
              "NA-US-CA, found \"eu\"; write EU in capitals\n"
              "7:30 error w.dynamic.rules[0].geos[1]: \"XX\" is no continent; they are AF, AN, AS, "
              "EU, NA, OC, SA\n"
              "7:34 error w.dynamic.rules[0].geos[2]: CN is in AS, not in EU\n"
              "7:41 error w.dynamic.rules[0].geos[3]: \"XY\" is no country code (ISO 3166-1)\n"
              "7:48 error w.dynamic.rules[0].geos[4]: \"ZZ\" is no known subdivision of CN; known "
              "are those of AU, BR, CA, CN, DE, GB, IN, JP, US and ZA\n"
              "7:58 error w.dynamic.rules[0].geos[5]: \"BY\" is no known subdivision of FR; known "
              "are those of AU, BR, CA, CN, DE, GB, IN, JP, US and ZA\n"
              "7:68 error w.dynamic.rules[0].geos[6]: expected a place such as AS, AS-CN or "
              "NA-US-CA, found \"EU-D\"\n"
              "7:74 error w.dynamic.rules[0].geos[7]: expected a place such as AS, AS-CN or "
              "NA-US-CA, found \"ASCN\"\n"
              "7:80 error w.dynamic.rules[0].geos[8]: \"CAL\" is no known subdivision of US; known "
              "are those of AU, BR, CA, CN, DE, GB, IN, JP, US and ZA\n"
              "7:91 error w.dynamic.rules[0].geos[9]: expected a place such as AS, AS-CN or "
              "NA-US-CA, found \"na-us-ca\"; write NA-US-CA in capitals\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {pool: a, subnets: [10.0.0.1/8, 10/8, '2001:db8::/65', '2001:db8::1/64', x, "
             "1.2.3.4/33, '']}\n"
             "      - {pool: b}\n",
     .diags = "7:29 error w.dynamic.rules[0].subnets[0]: \"10.0.0.1/8\" has bits set behind its "
              "length; the network is 10.0.0.0/8\n"
              "7:41 error w.dynamic.rules[0].subnets[1]: expected a network such as 192.0.2.0/24 "
              "or 2001:db8::/32, found \"10/8\"\n"
              "7:48 error w.dynamic.rules[0].subnets[2]: steering looks at the first 64 bits of "
              "IPv6 addresses at most; write a /64 or a wider network than 2001:db8::/65\n"
              "7:65 error w.dynamic.rules[0].subnets[3]: \"2001:db8::1/64\" has bits set behind "
              "its length; the network is 2001:db8::/64\n"
              "7:82 error w.dynamic.rules[0].subnets[4]: expected a network such as 192.0.2.0/24 "
              "or 2001:db8::/32, found \"x\"\n"
              "7:85 error w.dynamic.rules[0].subnets[5]: expected a network such as 192.0.2.0/24 "
              "or 2001:db8::/32, found \"1.2.3.4/33\"\n"
              "7:98 error w.dynamic.rules[0].subnets[6]: expected a value, found an empty text\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {pool: a, lines: [cn-telecon, zzz], asns: [0, AS, x, 4294967296, AS-1]}\n"
             "      - {pool: b}\n",
     .diags = "7:27 error w.dynamic.rules[0].lines[0]: there is no line \"cn-telecon\"; did you "
              "mean \"cn-telecom\"?\n"
              "7:39 error w.dynamic.rules[0].lines[1]: there is no line \"zzz\"\n"
              "7:52 error w.dynamic.rules[0].asns[0]: expected an AS number such as 64500 or "
              "AS64500, found \"0\"\n"
              "7:55 error w.dynamic.rules[0].asns[1]: expected an AS number such as 64500 or "
              "AS64500, found \"AS\"\n"
              "7:59 error w.dynamic.rules[0].asns[2]: expected an AS number such as 64500 or "
              "AS64500, found \"x\"\n"
              "7:62 error w.dynamic.rules[0].asns[3]: expected an AS number such as 64500 or "
              "AS64500, found \"4294967296\"\n"
              "7:74 error w.dynamic.rules[0].asns[4]: expected an AS number such as 64500 or "
              "AS64500, found \"AS-1\"\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {geos: [AS], pool: a}\n"
             "      - {subnets: [10.0.0.0/8], pool: b}\n"
             "      - {geos: [EU], subnets: [192.0.2.0/24], pool: c}\n"
             "      - {pool: d}\n",
     .diags = "8:9 error w.dynamic.rules[1]: a rule with subnets alone must come before those with "
              "geos\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {subnets: [10.0.0.0/8], geos: [OC], pool: a}\n"
             "      - {subnets: [192.0.2.0/24], pool: b}\n"
             "      - {geos: [EU], pool: c}\n"
             "      - {subnets: [198.51.100.0/24], geos: [AF], pool: d}\n"
             "      - {pool: a}\n",
     .diags = "8:9 error w.dynamic.rules[1]: a rule with subnets alone must come before those with "
              "geos\n"
              "10:9 error w.dynamic.rules[3]: a rule with subnets and geos must come before those "
              "with geos alone\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {geos: [EU], pool: a}\n"
             "      - {geos: [EU, EU-DE, AS], pool: b}\n"
             "      - {geos: [AS-CN, SA-BR, SA, SA], pool: c}\n"
             "      - {pool: d}\n",
     .diags = "8:10 error w.dynamic.rules[1].geos: EU is a target of rule 1 already\n"
              "8:10 error w.dynamic.rules[1].geos: EU-DE lies within EU, a target of rule 1; the "
              "narrower place must come first\n"
              "9:10 error w.dynamic.rules[2].geos: SA is a target of rule 3 already\n"
              "9:10 error w.dynamic.rules[2].geos: AS-CN lies within AS, a target of rule 2; the "
              "narrower place must come first\n"
              "9:10 error w.dynamic.rules[2].geos: SA-BR lies within SA, a target of rule 3; the "
              "narrower place must come first\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {subnets: [10.0.0.0/8], pool: a}\n"
             "      - {subnets: [10.1.0.0/16, 10.0.0.0/8, 0.0.0.0/0], pool: b}\n"
             "      - {subnets: [192.0.2.0/24, 192.0.2.1, '::/0', '2001:db8::/32'], pool: c}\n"
             "      - {pool: d}\n",
     .diags = "8:10 error w.dynamic.rules[1].subnets: 10.0.0.0/8 lies within 0.0.0.0/0, a target "
              "of rule 2; the narrower network must come first\n"
              "8:10 error w.dynamic.rules[1].subnets: 10.1.0.0/16 lies within 0.0.0.0/0, a target "
              "of rule 2; the narrower network must come first\n"
              "9:10 error w.dynamic.rules[2].subnets: 192.0.2.0/24 lies within 0.0.0.0/0, a target "
              "of rule 2; the narrower network must come first\n"
              "9:10 error w.dynamic.rules[2].subnets: 192.0.2.1/32 lies within 0.0.0.0/0, a target "
              "of rule 2; the narrower network must come first\n"
              "9:10 error w.dynamic.rules[2].subnets: 2001:db8::/32 lies within ::/0, a target of "
              "rule 3; the narrower network must come first\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}], fallback: d}, d: {values: [{value: 192.0.2.4}]}, "
             "u: {values: [{value: 192.0.2.5}]}, v: {fallback: u, values: [{value: 192.0.2.6}]}}\n"
             "    rules:\n"
             "      - {geos: [EU], pool: a}\n"
             "      - {geos: [AS], pool: a}\n"
             "      - {geos: [AF], pool: b}\n"
             "      - {share: 5%, pool: b}\n"
             "      - {lines: [cn], pool: a}\n"
             "      - {pool: c}\n",
     .diags = "8:9 error w.dynamic.rules[1]: the pool \"a\" is the target of another rule already; "
              "merge the two\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {geos: [EU], pool: a}\n"
             "      - {pool: b}\n"
             "      - {lines: [cn], pool: c}\n"
             "      - {pool: d}\n",
     .diags = "8:9 error w.dynamic.rules[1]: this rule holds everybody; those after it can never "
              "be reached\n"
              "10:9 error w.dynamic.rules[3]: rule 2 holds everybody already; one catch-all, the "
              "last rule\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {values: [{value: 192.0.2.1}]}, b: {values: [{value: 192.0.2.2}]}, "
             "c: {values: [{value: 192.0.2.3}]}, d: {values: [{value: 192.0.2.4}]}}\n"
             "    rules:\n"
             "      - {geos: [EU], pool: a}\n"
             "      - {lines: [cn], pool: b}\n"
             "      - {pool: c, share: 5%}\n",
     .diags = "9:9 error w.dynamic.rules[2]: the last rule must hold everybody: a pool without "
              "targets or share\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {fallback: default, values: [{value: 192.0.2.1}]}, b: {values: "
             "[{value: 192.0.2.2}]}, default: {values: [{value: 192.0.2.3}]}}\n"
             "    rules:\n"
             "      - {geos: [EU], pool: a}\n"
             "      - {geos: [], pool: b}\n",
     .diags = "5:27 warning w.dynamic.pools.a.fallback: octoDNS takes \"default\" as no fallback; "
              "here it is the pool\n"
              "8:10 warning w.dynamic.rules[1].geos: an empty list is no target: the rule holds "
              "everybody unless it has others\n"},
    {.text = "w:\n"
             "  type: A\n"
             "  value: 192.0.2.9\n"
             "  dynamic:\n"
             "    pools: {a: {fallback: default, values: [{value: 192.0.2.1}]}, b: {values: "
             "[{value: 192.0.2.2}]}}\n"
             "    rules:\n"
             "      - {geos: [EU], pool: a}\n"
             "      - {pool: b}\n",
     .diags = "5:27 error w.dynamic.pools.a.fallback: there is no pool \"default\"\n"},
    {.text = "j: {type: NS, value: a., signpost: {}}\n"
             "k: {type: MX, values: [10 a.], dynamic: {}}\n"
             "l: {type: DNAME, records: [{value: a.}]}\n"
             "m: {type: DS, value: x, octodns: {healthcheck: {}}}\n",
     .diags = "1:26 error j.signpost: NS records cannot be steered; write \"values\" alone\n"
              "2:32 error k.dynamic: missing \"pools\"\n"
              "2:32 error k.dynamic: missing \"rules\"\n"
              "3:18 error l.records: DNAME records cannot be steered; write \"values\" alone\n"
              "4:25 error m.octodns: DS records cannot be steered; write \"values\" alone\n"},
    {.text = "w: {type: CNAME, values: [a., b.], dynamic: {pools: {a: {values: [{value: c.}]}}, "
             "rules: [{pool: a}]}, signpost: {answers: 2}}\n",
     .diags = "1:18 error w.values: a CNAME has one value\n"
              "1:124 error w.signpost.answers: a CNAME answer is one record; leave \"answers\" "
              "out\n"},
    {.text = "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {values: [{value: "
             "192.0.2.1}]}}, rules: [{pool: a}]}, geo: {}}\n",
     .diags = "1:107 error w.geo: octoDNS's old \"geo\" is not supported and does not go with "
              "\"dynamic\"; write \"dynamic\" rules\n"},
};

static void run(const struct document_case *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        document_case_run(&rows[i], read_yaml);
    }
}

static void test_good(void **state)
{
    (void)state;
    run(good_documents, ARRAY_SIZE(good_documents));
}

static void test_bad(void **state)
{
    (void)state;
    run(bad_documents, ARRAY_SIZE(bad_documents));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    folder_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    folder_end();
    return failed;
}
