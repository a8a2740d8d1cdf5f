// SPDX-License-Identifier: GPL-3.0-or-later
//
// `signpost` and `octodns.healthcheck`: methods, counts, checks.
#include "../zone_test.h"

static const struct document_case good_documents[] = {
    {"w: {type: A, signpost: {method: nearest}, records: [{value: 192.0.2.1, site: fra, priority: "
     "3}, {value: 192.0.2.2, site: nyc}]}\n",
     "",
     {{"w", "A",
       "3600 [192.0.2.1] [192.0.2.2]\n"
       "flat nearest 1 all min_ttl=5 values 192.0.2.1*1/p3@fra 192.0.2.2*1@nyc\n"
       "default 192.0.2.1*1/p3@fra 192.0.2.2*1@nyc\n"
       "default:\n"}}},
    {"w: {type: A, signpost: {method: ordered}, records: [{value: 192.0.2.1, priority: 3}, {value: "
     "192.0.2.2, priority: 1}, {value: 192.0.2.3, priority: 3}, {value: 192.0.2.4}]}\n"
     "x: {type: A, values: [192.0.2.1, 192.0.2.2], signpost: {method: nearest}}\n",
     "2:1 warning x: no member has a site with a place: the method \"nearest\" answers in the "
     "order that is written\n",
     {{"w", "A",
       "3600 [192.0.2.4] [192.0.2.2] [192.0.2.1] [192.0.2.3]\n"
       "flat ordered 0 all min_ttl=5 values 192.0.2.4*1 192.0.2.2*1/p1 192.0.2.1*1/p3 "
       "192.0.2.3*1/p3\n"
       "default 192.0.2.4*1 192.0.2.2*1/p1 192.0.2.1*1/p3 192.0.2.3*1/p3\n"
       "default:\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {method: sticky}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain sticky 1 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {method: ordered, "
     "answers: all, all_down: servfail, min_ttl: 60}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain ordered 0 servfail min_ttl=60 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: {}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check https port=443 host=w.example.com path=/_dns ca=- verify=1 every=10000/2000ms "
       "2/3\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: "
     "{protocol: HTTP, host: null, path: /x, port: 80}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check http port=80 host=- path=/x ca=- verify=0 every=10000/2000ms 2/3\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: "
     "{protocol: HTTP}}}\n",
     "1:65 warning w.octodns.healthcheck: the port is 443, octoDNS's default for HTTP "
     "too; write it if it is 80\n",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check http port=443 host=w.example.com path=/_dns ca=- verify=0 every=10000/2000ms "
       "2/3\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: "
     "{protocol: TCP, port: 80}}, signpost: {check: {interval: 1, timeout: 0.5, rise: 1, "
     "fall: 4}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check tcp port=80 host=- path=- ca=- verify=0 every=1000/500ms 1/4\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: "
     "{protocol: UDP}}}\n",
     "1:65 warning w.octodns.healthcheck: a udp check without \"send\" is not run: the members "
     "count as up\n",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: "
     "icmp}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check icmp port=0 host=- path=- ca=- verify=0 every=10000/2000ms 2/3\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: "
     "https, ca: ca.pem, verify: false, interval: 1m, timeout: 1500ms}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check https port=443 host=w.example.com path=/ ca=./ca.pem verify=0 "
       "every=60000/1500ms 2/3\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: "
     "https, ca: /etc/ca.pem, host: x.example.net, interval: 2h}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check https port=443 host=x.example.net path=/ ca=/etc/ca.pem verify=1 "
       "every=7200000/2000ms 2/3\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: "
     "http, host: , interval: 500ms}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check http port=80 host=- path=/ ca=- verify=0 every=500/500ms 2/3\n"}}},
    {"w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: tcp, "
     "port: 25, interval: 0.1}}}\n",
     "",
     {{"w", "A",
       "60 [192.0.2.1] [192.0.2.2]\n"
       "plain rotate 0 all min_ttl=5 values 192.0.2.1*1 192.0.2.2*1\n"
       "default 192.0.2.1*1 192.0.2.2*1\n"
       "default:\n"
       "check tcp port=25 host=- path=- ca=- verify=0 every=100/100ms 2/3\n"}}},
    {"w: {type: TXT, values: [a, b], signpost: {check: {kind: tcp, port: 1}}}\n",
     "1:43 warning w.signpost.check: checks are run on addresses: the members of a TXT "
     "record count as up, unless \"target\" says what to probe\n",
     {{"w", "TXT",
       "3600 [\"a\"] [\"b\"]\n"
       "plain rotate 0 all min_ttl=5 values a*1 b*1\n"
       "default a*1 b*1\n"
       "default:\n"}}},
    {"w: {type: A, values: [192.0.2.1, 192.0.2.1]}\n", "", {{"w", "A", "3600 [192.0.2.1]"}}},
};

static const struct document_case bad_documents[] = {
    {.text = "w: {type: A, values: [192.0.2.1], signpost: {load: {limit: 2}}}\n"
             "x: {type: A, values: [192.0.2.1], signpost: {load: {target: 2, limit: 1, age: 0}}}\n",
     .diags = "1:46 error w.signpost.load: missing \"target\": the load above which a member "
              "sheds\n"
              "2:71 error x.signpost.load.limit: the limit must be above the target\n"
              "2:79 error x.signpost.load.age: expected a time from 1s to 86400s such as 500ms, "
              "10s or 1m, found \"0\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {method: round, "
             "answers: 65, all_down: x, min_ttl: 61, chek: {}}}\n",
     .diags =
         "1:120 warning w.signpost.chek: unknown key, left out of account; did you mean "
         "\"check\"?\n"
         "1:74 error w.signpost.method: expected one of rotate, random, weighted, sticky, nearest, "
         "fastest, "
         "ordered; found \"round\"\n"
         "1:90 error w.signpost.answers: expected a whole number from 1 to 64, found \"65\"\n"
         "1:104 error w.signpost.all_down: expected one of all, last_good, values, none, "
         "servfail; found \"x\"\n"
         "1:116 error w.signpost.min_ttl: expected a whole number from 0 to 60, found \"61\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {answers: few, "
             "check: {kind: tcp, interval: 0, timeout: 5000h, rise: 0, fall: 101, port: 70000}}}\n",
     .diags = "1:75 error w.signpost.answers: expected \"all\" or a whole number from 1 to 64, "
              "found \"few\"\n"
              "1:109 error w.signpost.check.interval: expected a time from 100ms to 86400s such as "
              "500ms, 10s or 1m, found \"0\"\n"
              "1:121 error w.signpost.check.timeout: expected a time from 10ms to 3600s such as "
              "500ms, 10s or 1m, found \"5000h\"\n"
              "1:134 error w.signpost.check.rise: expected a whole number from 1 to 100, found "
              "\"0\"\n"
              "1:143 error w.signpost.check.fall: expected a whole number from 1 to 100, found "
              "\"101\"\n"
              "1:154 error w.signpost.check.port: expected a whole number from 1 to 65535, found "
              "\"70000\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {answers: 0, check: "
             "{kind: https, path: x, host: 'a b', ca: , verify: no}}}\n",
     .diags = "1:75 error w.signpost.answers: expected a whole number from 1 to 64, found \"0\"\n"
              "1:115 error w.signpost.check.host: expected a host name, found \"a b\"\n"
              "1:105 error w.signpost.check.path: expected a path that begins with /, found \"x\"\n"
              "1:135 error w.signpost.check.verify: expected true or false, found \"no\"\n"
              "1:121 error w.signpost.check.ca: expected a value, found nothing\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: "
             "http, path: \"/a\\r\\nX: y\", host: \"a\\nb\"}}}\n",
     .diags = "1:113 error w.signpost.check.host: expected a host name, found \"a?b\"\n"
              "1:93 error w.signpost.check.path: expected no blanks, control characters or "
              "characters outside ASCII, found \"/a??X: y\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: "
             "ftp}}}\n",
     .diags = "1:80 error w.signpost.check.kind: expected one of tcp, http, https, icmp, udp, "
              "tls, dns, smtp, grpc, exec, heartbeat, all, any, at_least, not; "
              "found \"ftp\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {interval: "
             "5}}}\n",
     .diags = "1:66 error w.signpost.check: missing \"kind\": say tcp, http or https (or write "
              "octodns.healthcheck)\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: "
             "tcp}}}\n",
     .diags = "1:66 error w.signpost.check: missing \"port\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: {kind: tcp, "
             "port: 80, interval: 1, timeout: 2}}}\n",
     .diags = "1:117 error w.signpost.check.timeout: the timeout must not be longer than the "
              "interval\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: 5}\n",
     .diags = "1:65 error w.signpost: expected a mapping, found a single value\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], signpost: {check: 5}}\n",
     .diags = "1:73 error w.signpost.check: there is no check \"5\" in shared.yaml\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: "
             "{protocol: DNS}, healthchek: {}}}\n",
     .diags = "1:95 warning w.octodns.healthchek: unknown key, left out of account; did you mean "
              "\"healthcheck\"?\n"
              "1:89 error w.octodns.healthcheck.protocol: expected one of TCP, HTTP, HTTPS, ICMP, "
              "UDP; found \"DNS\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: "
             "{protocl: TCP, port: 0}}}\n",
     .diags = "1:88 warning w.octodns.healthcheck.protocl: unknown key, left out of account; did "
              "you mean \"protocol\"?\n"
              "1:99 error w.octodns.healthcheck.port: expected a whole number from 1 to 65535, "
              "found \"0\"\n"},
    {.text = "w: {type: A, ttl: 60, values: [192.0.2.1, 192.0.2.2], octodns: {healthcheck: "
             "true}}\n",
     .diags = "1:78 error w.octodns.healthcheck: expected a mapping, found a single value\n"},
    {.text = "w: {type: A, signpost: {method: rotate}}\n"
             "x: {type: A, values: [192.0.2.1, x], signpost: {}}\n",
     .diags = "1:1 error w: missing \"value\", \"values\", \"records\" or \"dynamic\"\n"
              "2:34 error x.values[1]: expected A record data, found \"x\": not an IPv4 address\n"},
};

static void test_good(void **state)
{
    (void)state;
    documents_run(good_documents, ARRAY_SIZE(good_documents));
}

static void test_bad(void **state)
{
    (void)state;
    documents_run(bad_documents, ARRAY_SIZE(bad_documents));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
