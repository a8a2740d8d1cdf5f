// SPDX-License-Identifier: GPL-3.0-or-later
//
// The YAML document without steering: every record type, and every fault with its place.
#include "../zone_test.h"

static const struct document_case good_documents[] = {
    {"'':\n"
     "  - type: NS\n"
     "    values: [ns1.example.net., ns2.example.net.]\n"
     "  - type: MX\n"
     "    values:\n"
     "      - {preference: 10, exchange: mail.example.net.}\n"
     "      - {priority: 20, value: mail2.example.net.}\n"
     "      - 30 mail3.example.net.\n"
     "  - {type: SOA, value: {mname: ns1.example.net., rname: h.example.net., serial: 7, "
     "refresh: 2h,\n"
     "     retry: 900, expire: 2w, minimum: 300}}\n",
     "",
     {{"@", "NS", "3600 [ns1.example.net.] [ns2.example.net.]"},
      {"@", "MX", "3600 [10 mail.example.net.] [20 mail2.example.net.] [30 mail3.example.net.]"},
      {"@", "SOA", "3600 [ns1.example.net. h.example.net. 7 7200 900 1209600 300]"}}},
    {"txt:\n"
     "  type: TXT\n"
     "  values:\n"
     "    - v=DKIM1\\; k=rsa\\; p=abc\n"
     "    - '\"one\" \"two\"'\n"
     "    - plain; text\n"
     "    - café\n"
     "    - 'back\\\\slash \\065'\n"
     "    - ''\n"
     "    - '01234567890123456789012345678901234567890123456789012345678901234567890123456"
     "789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
     "123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
     "567890123456789'\n"
     "    - '\"012345678901234567890123456789012345678901234567890123456789012345678901234"
     "567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
     "901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
     "34567890123456789\" \"x\"'\n",
     "",
     {{"txt", "TXT",
       "3600 [\"v=DKIM1; k=rsa; p=abc\"] [\"one\" \"two\"] [\"plain; text\"] "
       "[\"caf\\195\\169\"] [\"back\\\\slash A\"] [\"\"] "
       "[\"012345678901234567890123456789012345678901234567890123456789012345678901234567890"
       "123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
       "567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
       "901234\" \"56789\"] [\"0123456789012345678901234567890123456789012345678901234567890"
       "123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
       "567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
       "90123456789012345678901234\" \"56789\" \"x\"]"}}},
    {"caa: {type: CAA, values: [{tag: issue, value: 'ca.example.net; policy=\"ev\"'}, "
     "{flags: 128, tag: iodef, value: 'mailto:a@b'}]}\n"
     "srv: {type: SRV, value: {priority: 1, weight: 2, port: 443, target: .}}\n",
     "",
     {{"caa", "CAA",
       "3600 [0 issue \"ca.example.net; policy=\\\"ev\\\"\"] [128 iodef \"mailto:a@b\"]"},
      {"srv", "SRV", "3600 [1 2 443 .]"}}},
    {"sshfp: {type: SSHFP, value: {algorithm: 1, fingerprint_type: 1, fingerprint: BF6B "
     "6825}}\n"
     "tlsa: {type: TLSA, value: {certificate_usage: 3, selector: 1, matching_type: 0, "
     "certificate_association_data: 0123}}\n"
     "ds: [{type: DS, value: {key_tag: 60485, algorithm: 5, digest_type: 1, digest: "
     "2BB183AF5F22588179A53B0A98631FAD1A292118}}, {type: NS, value: ns.example.net.}]\n"
     "uri: {type: URI, value: {priority: 10, weight: 1, target: 'ftp://a.example/p'}}\n",
     "",
     {{"sshfp", "SSHFP", "3600 [1 1 bf6b6825]"},
      {"tlsa", "TLSA", "3600 [3 1 0 0123]"},
      {"ds", "DS", "3600 [60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118]"},
      {"uri", "URI", "3600 [10 1 \"ftp://a.example/p\"]"}}},
    {"naptr: {type: NAPTR, value: {order: 10, preference: 100, flags: S, service: "
     "SIP+D2U, regexp: '!^.*$!sip:\\1!', replacement: .}}\n"
     "loc: {type: LOC, value: {lat_degrees: 31, lat_minutes: 58, lat_seconds: 52.1, "
     "lat_direction: S, long_degrees: 115, long_minutes: 49, long_seconds: 11.7, "
     "long_direction: E, altitude: 20, size: 10, precision_horz: 10, precision_vert: 2}}\n",
     "",
     {{"naptr", "NAPTR", "3600 [10 100 \"S\" \"SIP+D2U\" \"!^.*$!sip:\\\\1!\" .]"},
      {"loc", "LOC", "3600 [\\# 16 001313227923393c98da2d9400989e50]"}}},
    {"svc:\n"
     "  - type: HTTPS\n"
     "    value: {svcpriority: 1, targetname: ., svcparams: {alpn: [h2, h3], port: 8443, "
     "ipv4hint: 192.0.2.1}}\n"
     "  - {type: SVCB, value: 0 foo.example.net.}\n"
     "pgp: {type: OPENPGPKEY, value: \"aGVsbG8g\\nd29ybGQ=\\n\"}\n"
     "any: {type: TYPE65280, value: '\\# 3 abcdef'}\n"
     "hinfo: {type: HINFO, value: '\"PC\" \"Linux ; x\"'}\n"
     "spf: {type: SPF, value: v=spf1 -all}\n",
     "",
     {{"svc", "HTTPS", "3600 [1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1]"},
      {"svc", "SVCB", "3600 [0 foo.example.net.]"},
      {"pgp", "OPENPGPKEY", "3600 [aGVsbG8gd29ybGQ=]"},
      {"any", "TYPE65280", "3600 [\\# 3 abcdef]"},
      {"hinfo", "HINFO", "3600 [\"PC\" \"Linux ; x\"]"},
      {"spf", "SPF", "3600 [\"v=spf1 -all\"]"}}},
    {"svc: {type: HTTPS, value: {svcpriority: 1, targetname: ., svcparams: {alpn: h2, ipv4hint: "
     "auto, "
     "ipv6hint: auto}}}\n"
     "'': {type: ALIAS, value: svc.example.net.}\n"
     "other: {type: ANAME, ttl: 60, value: svc.example.net.}\n",
     "",
     {{"svc", "HTTPS", "3600 [1 . alpn=h2 ipv4hint=auto ipv6hint=auto]"},
      {"@", "ALIAS", "3600 [svc.example.net.]"},
      {"other", "ALIAS", "60 [svc.example.net.]"}}},
    {"123: {type: A, value: 192.0.2.1}\n"
     "on: {type: A, ttl: 0, value: 192.0.2.2}\n"
     "'*.w': {type: AAAA, values: ['2001:db8::1', '2001:DB8::1', '::']}\n"
     "a.b: {type: PTR, value: X.example.net.}\n"
     "abs.example.com.: {type: CNAME, value: WWW.example.net.}\n"
     "d: {type: DNAME, value: example.org.}\n",
     "",
     {{"123", "A", "3600 [192.0.2.1]"},
      {"on", "A", "0 [192.0.2.2]"},
      {"*.w", "AAAA", "3600 [2001:db8::1] [::]"},
      {"A.B", "PTR", "3600 [X.example.net.]"},
      {"abs", "CNAME", "3600 [WWW.example.net.]"},
      {"d", "DNAME", "3600 [example.org.]"}}},
    {"base: &b {type: A, ttl: 77, value: 192.0.2.1}\n"
     "m1: {<<: *b, ttl: 78}\n"
     "m2: *b\n"
     "m3: [*b, {<<: [*b], type: AAAA, value: '::1'}]\n"
     "m4: {ttl: 5, <<: [{value: 192.0.2.4}, *b, {ttl: 6, value: 192.0.2.6}]}\n",
     "",
     {{"base", "A", "77 [192.0.2.1]"},
      {"m1", "A", "78 [192.0.2.1]"},
      {"m2", "A", "77 [192.0.2.1]"},
      {"m3", "A", "77 [192.0.2.1]"},
      {"m3", "AAAA", "77 [::1]"},
      {"m4", "A", "5 [192.0.2.4]"}}},
    {"tagged: {type: !!str A, value: !!str 192.0.2.1}\n",
     "",
     {{"tagged", "A", "3600 [192.0.2.1]"}}},
    {"---\n",
     "",
     {{"@", "NS", "3600 [ns1.example.net.] [ns2.example.net.]"},
      {"@", "SOA",
       "3600 [ns1.example.net. host\\046master.example.net. 2026010203 7200 900 1209600 300]"}}},
};

static const struct document_case bad_documents[] = {
    {.text = "ns: {type: NS, values: [a.example.net., b.example.net]}\n",
     .diags = "1:41 error ns.values[1]: expected a whole name with its final dot, found "
              "\"b.example.net\"; write \"b.example.net.\"\n"},
    {.text = "mx:\n"
             "  type: MX\n"
             "  values:\n"
             "    - {preference: x, exchange: mail}\n"
             "    - {preference: 65536}\n"
             "    - {}\n"
             "    - [1]\n"
             "    - 10 a b\n",
     .diags =
         "4:20 error mx.values[0].preference: expected a whole number from 0 to 65535, found "
         "\"x\"\n"
         "4:33 error mx.values[0].exchange: expected a whole name with its final dot, found "
         "\"mail\"; write \"mail.\"\n"
         "5:20 error mx.values[1].preference: expected a whole number from 0 to 65535, found "
         "\"65536\"\n"
         "5:7 error mx.values[1]: missing \"exchange\"\n"
         "6:7 error mx.values[2]: missing \"preference\"\n"
         "6:7 error mx.values[2]: missing \"exchange\"\n"
         "7:7 error mx.values[3]: expected a value, found a list\n"
         "8:7 error mx.values[4]: expected MX record data, found \"10 a b\": unexpected data\n"},
    {.text = "txt: {type: TXT, values: ['\"open', 'a\\', 'x\\256', '\\12x', '\"a\" b', [a]]}\n",
     .diags = "1:28 error txt.values[0]: a quote is not closed\n"
              "1:37 error txt.values[1]: a backslash at the end; write \\\\ for one\n"
              "1:43 error txt.values[2]: an escape \\DDD is at most \\255\n"
              "1:52 error txt.values[3]: an escape \\DDD needs three digits\n"
              "1:60 error txt.values[4]: text beside the quoted pieces; quote all of it or "
              "nothing\n"
              "1:68 error txt.values[5]: expected a value, found a list\n"},
    {.text = "caa: {type: CAA, values: [{flags: 300, tag: issue, value: x}, {tag: 'is sue', "
             "value: x}, {value: x}]}\n",
     .diags = "1:35 error caa.values[0].flags: expected a whole number from 0 to 255, found "
              "\"300\"\n"
              "1:70 error caa.values[1].tag: the character ' ' does not belong here\n"
              "1:90 error caa.values[2]: missing \"tag\"\n"},
    {.text = "srv: {type: SRV, value: {priority: 1, weight: 2, port: 443, target: ., wieght: 3}}\n",
     .diags = "1:80 warning srv.value.wieght: unknown key, left out of account; did you mean "
              "\"weight\"?\n"},
    {.text = "loc: {type: LOC, value: {lat_degrees: 91x, lat_direction: N, long_degrees: 1, "
             "long_direction: Q, altitude: 1}}\n",
     .diags = "1:39 error loc.value.lat_degrees: expected a number, found \"91x\"\n"},
    {.text = "svc: {type: HTTPS, values: [{svcpriority: 1, targetname: ., svcparams: {Alpn: h2}}, "
             "{svcpriority: 1, targetname: ., svcparams: {port: x}}, {svcpriority: 1, targetname: "
             "., svcparams: [a]}]}\n",
     .diags = "1:79 error svc.values[0].svcparams.Alpn: a parameter is named in small letters, "
              "digits and '-'\n"
              "1:85 error svc.values[1]: expected HTTPS record data, found \"{...}\": invalid "
              "number\n"
              "1:172 error svc.values[2].svcparams: expected a mapping, found a list\n"},
    {.text = "soa: {type: SOA, value: {mname: a., rname: b., serial: 1, refresh: 1, retry: 1, "
             "expire: 1, minimum: 1}}\n",
     .diags =
         "1:18 error soa.example.com.: SOA: a SOA record belongs to the top of the zone only\n"},
    {.text = "both: [{type: ALIAS, value: x.}, {type: A, value: 192.0.2.1}]\n"
             "self: {type: ALIAS, value: self.example.com.}\n"
             "must: {type: HTTPS, value: '1 . mandatory=ipv4hint ipv4hint=auto'}\n",
     .diags = "1:29 error both.example.com.: an ALIAS stands for the addresses of the name, so it "
              "cannot stand beside A records\n"
              "2:28 error self.example.com.: the ALIAS points to itself\n"
              "3:29 error must.example.com.: hints that follow may be none at all, so "
              "\"mandatory\" cannot list them\n"},
    {.text = "two: {type: ALIAS, values: [x., y.]}\n",
     .diags = "1:33 error two.example.com.: ALIAS: a name has one ALIAS record; this is the "
              "second\n"},
    {.text = "url: {type: URLFWD, value: x}\n"
             "alias: {type: ALIAS, records: [{value: x., line: default}]}\n"
             "typo: {type: AAA, value: 192.0.2.1}\n"
             "odd: {type: frobnicate, value: 1}\n"
             "opt: {type: OPT, value: x}\n"
             "none: {value: 192.0.2.1}\n"
             "empty: {type: , value: 192.0.2.1}\n",
     .diags = "1:13 error url.type: URLFWD is not a DNS type; it exists in octoDNS only\n"
              "2:22 error alias.records: an ALIAS cannot be steered; steer the name that it points "
              "to\n"
              "3:14 error typo.type: unknown record type \"AAA\"; did you mean \"AAAA\"?\n"
              "4:13 error odd.type: unknown record type \"frobnicate\"\n"
              "5:13 error opt.type: no zone holds records of type OPT\n"
              "6:1 error none: missing \"type\"\n"
              "7:9 error empty.type: expected a value, found nothing\n"},
    {.text = "typ: {typ: A, type: A, vlaue: x, value: 192.0.2.1, lenient: true}\n",
     .diags =
         "1:12 warning typ.typ: unknown key, left out of account; did you mean \"type\"?\n"
         "1:31 warning typ.vlaue: unknown key, left out of account; did you mean \"value\"?\n"},
    {.text = "c1: {type: CNAME, values: [a.example.com., b.example.com.]}\n"
             "c2: {type: CNAME, value: a}\n"
             "c3: {type: CNAME, value: 'a b.'}\n"
             "c4: {type: CNAME, value: 'a\\.'}\n",
     .diags = "1:44 error c1.example.com.: CNAME: a name has one CNAME record; this is the second "
              "(RFC 2181, section 10.1)\n"
              "2:26 error c2.value: expected a whole name with its final dot, found \"a\"; write "
              "\"a.\"\n"
              "3:27 error c3.value: expected a domain name, found \"a b.\": a character that is "
              "not usual in names; write it as \\DDD if it is meant\n"
              "4:27 error c4.value: expected a whole name with its final dot, found \"a\\.\"; "
              "write \"a\\..\"\n"},
    {.text = "bad name: {type: A, value: 192.0.2.1}\n"
             "bücher: {type: A, value: 192.0.2.1}\n"
             "a..b: {type: A, value: 192.0.2.1}\n"
             "out.example.net.: {type: A, value: 192.0.2.1}\n"
             "? [a]\n"
             ": {type: A, value: 192.0.2.1}\n"
             "~: {type: A, value: 192.0.2.1}\n",
     .diags = "1:1 error bad name: expected a name relative to the zone: a character that is not "
              "usual in names; write it as \\DDD if it is meant\n"
              "2:1 error bücher: expected a name relative to the zone: a character outside ASCII; "
              "write the name in its xn-- form\n"
              "3:1 error a..b: expected a name relative to the zone: an empty label\n"
              "4:1 error out.example.net.: the name is outside the zone\n"
              "5:3 error: a key must be a word, not a list or a mapping\n"
              "7:1 error: an empty key; quote it ('') if it is meant\n"},
    {.text = "t1: {type: A, ttl: -1, value: 192.0.2.1}\n"
             "t2: {type: A, ttl: 2147483648, value: 192.0.2.1}\n"
             "t3: {type: A, ttl: 1h, value: 192.0.2.1}\n"
             "t4: {type: A, ttl: [1], value: 192.0.2.1}\n",
     .diags = "1:20 error t1.ttl: expected a whole number from 0 to 2147483647, found \"-1\"\n"
              "2:20 error t2.ttl: expected a whole number from 0 to 2147483647, found "
              "\"2147483648\"\n"
              "3:20 error t3.ttl: expected a whole number from 0 to 2147483647, found \"1h\"\n"
              "4:15 error t4.ttl: expected a value, found a list\n"},
    {.text = "v1: {type: A}\n"
             "v2: {type: A, value: }\n"
             "v3: {type: A, values: []}\n"
             "v4: {type: A, values: [192.0.2.1, 192.0.2, '::1', 192.0.2.01, '', {value: "
             "192.0.2.1}]}\n"
             "v5: {type: A, value: 192.0.2.1, values: [192.0.2.2]}\n"
             "v6: {type: A, values: {a: b}}\n",
     .diags = "1:1 error v1: missing \"value\", \"values\", \"records\" or \"dynamic\"\n"
              "2:15 error v2.value: expected a value, found nothing\n"
              "3:15 error v3.values: expected at least one value\n"
              "4:35 error v4.values[1]: expected A record data, found \"192.0.2\": not an IPv4 "
              "address\n"
              "4:45 error v4.values[2]: expected A record data, found \"::1\": not an IPv4 "
              "address\n"
              "4:51 error v4.values[3]: expected A record data, found \"192.0.2.01\": not an IPv4 "
              "address\n"
              "4:64 error v4.values[4]: expected a value, found an empty text\n"
              "4:67 error v4.values[5]: expected a value, found a mapping\n"
              "5:22 warning v5.value: \"value\" beside \"values\" is left out of account\n"
              "6:15 error v6.values: expected a value, found a mapping\n"},
    {.text = "i1: {type: CAA, value: \"0 issue \\\"a\\\"\\nwww A 192.0.2.66\"}\n"
             "i2: {type: HINFO, value: a b ; c}\n"
             "i3: {type: HINFO, value: a ( b}\n"
             "i4: {type: HINFO, value: 'a \"b'}\n"
             "i5: {type: HINFO, value: 'a b)'}\n"
             "i6: {type: MX, value: \"10 a.\\r\\n$INCLUDE /etc/passwd\"}\n"
             "i7: {type: TYPE1, value: '\\# 3 010203'}\n"
             "i8: {type: A, value: '\\# 5 0102030405'}\n",
     .diags = "1:25 error i1.value: expected CAA record data, found \"0 issue \"a\"?www A "
              "192.0.2.66\": a line break\n"
              "2:26 error i2.value: expected HINFO record data, found \"a b ; c\": an unquoted ';' "
              "would begin a comment; write \\; or quote the text\n"
              "3:26 error i3.value: expected HINFO record data, found \"a ( b\": unclosed last "
              "multiline block\n"
              "4:27 error i4.value: expected HINFO record data, found \"a \"b\": invalid text "
              "character\n"
              "5:27 error i5.value: expected HINFO record data, found \"a b)\": too many right "
              "parentheses\n"
              "6:24 error i6.value: expected MX record data, found \"10 a.?\?$INCLUDE "
              "/etc/passwd\": a line break\n"
              "7:27 error i7.value: expected TYPE1 record data, found \"\\# 3 010203\": not the "
              "form of this record type\n"
              "8:23 error i8.value: expected A record data, found \"\\# 5 0102030405\": not the "
              "form of this record type\n"},
    {.text = "dup: {type: A, value: 192.0.2.1}\n"
             "DUP: {type: AAAA, value: '::1'}\n",
     .diags = "2:1 error DUP: the name is here twice; first in line 1\n"},
    {.text = "two: [{type: A, value: 192.0.2.1}, {type: A, value: 192.0.2.2}]\n",
     .diags = "1:36 error two[1]: A records of this name are in line 1 already; one record holds "
              "all\n"},
    {.text = "key: {type: A, type: AAAA, value: 192.0.2.1}\n",
     .diags = "1:16 error: the key \"type\" is here twice; first in line 1\n"},
    {.text = "scalar: 5\n"
             "list: [5, {type: A, value: 192.0.2.1}]\n"
             "nul:\n",
     .diags = "1:9 error scalar: expected a mapping, found a single value\n"
              "2:8 error list[0]: expected a mapping, found a single value\n"
              "3:1 error nul: expected a mapping, found nothing\n"},
    {.text = "ign: {type: A, value: foo, octodns: {ignored: true}}\n"
             "odd: {type: A, value: 192.0.2.1, octodns: {ignored: yes}}\n"
             "oct: {type: A, value: 192.0.2.1, octodns: 5}\n",
     .diags = "1:47 warning ign.octodns.ignored: the record is left out, as it says\n"
              "2:53 error odd.octodns.ignored: expected true or false, found \"yes\"\n"
              "3:43 error oct.octodns: expected a mapping, found a single value\n"},
    {.text = "geo: {type: A, value: 192.0.2.1, geo: {AS: [192.0.2.2]}}\n",
     .diags = "1:34 error geo.geo: octoDNS's old \"geo\" is not supported; write \"dynamic\" "
              "rules\n"},
    {.text = "c: [{type: CNAME, value: a.example.net.}, {type: A, value: 192.0.2.1}]\n"
             "'': {type: CNAME, value: a.example.net.}\n",
     .diags = "1:26 error c.example.com.: a CNAME may not stand beside other records (RFC 1034, "
              "section 3.6.2), here A\n"
              "2:26 error example.com.: a CNAME may not stand beside other records (RFC 1034, "
              "section 3.6.2), here NS\n"
              "2:26 error example.com.: a CNAME may not stand beside other records (RFC 1034, "
              "section 3.6.2), here SOA\n"},
    {.text = "a: [1, 2\n"
             "b: 3\n",
     .diags = "3:1 error: not valid YAML: flow sequence without a closing bracket\n"},
    {.text = "a:\n"
             "  - x: 1\n"
             "   y: 2\n",
     .diags = "3:4 error: not valid YAML: did not find expected '-' indicator\n"},
    {.text = "a: b: c\n",
     .diags = "1:4 error a: expected a mapping, found a single value\n"
              "1:5 error: not valid YAML: invalid nested block mapping on the same line\n"},
    {.text = "- a\n"
             "- b\n",
     .diags = "1:1 error: expected a mapping of names at the top level\n"},
    {.text = "just text\n", .diags = "1:1 error: expected a mapping of names at the top level\n"},
    {.text = "a: {type: A, value: 192.0.2.1}\n"
             "---\n"
             "b: {type: A, value: 192.0.2.1}\n",
     .diags = "2:1 error: a second document; a file holds one\n"},
    {.text = "a: !include x.yaml\n"
             "b: {type: A, value: !secret x}\n",
     .diags = "1:13 error: the tag \"!include\" is not understood here\n"
              "1:13 error a: expected a mapping, found a single value\n"
              "2:29 error: the tag \"!secret\" is not understood here\n"
              "2:29 error b.value: expected A record data, found \"x\": not an IPv4 address\n"},
    {.text = "a: *nobody\n", .diags = "1:5 error: an alias without an anchor before it\n"},
    {.text = "a: &a [*a]\n", .diags = "1:9 error: an alias without an anchor before it\n"},
    {.text = "<<: {a: 1}\n", .diags = "1:1 error: \"<<\" is not understood at the top level\n"},
    {.text = "a: {<<: 5, type: A, value: 192.0.2.1}\n",
     .diags = "1:9 error: \"<<\" needs a mapping, or a list of them\n"},
    {.text = "a: {type: TXT, value: \"x\\0y\"}\n", .diags = "1:24 error: a NUL character\n"},
    {.text = "\ta: 1\n",
     .diags = "1:1 error: not valid YAML: invalid tab as indendation in a mapping\n"},
    {.text = "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
             "\n",
     .diags = "1:35 error: nested deeper than 32 levels\n"},
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

static void test_files(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/example.com.yaml", folder);
    unlink(path);
    struct outcome outcome = read_path(path, ZONE_FORMAT_YAML, PRECEDENCE_ISP_FIRST);
    expect_diags(&outcome, "0:0 error: No such file or directory\n");
    outcome_end(&outcome);

    outcome = read_path(folder, ZONE_FORMAT_YAML, PRECEDENCE_ISP_FIRST);
    assert_non_null(strstr(diags_text(&outcome.diags), "error: not a regular file"));
    outcome_end(&outcome);

    file_write(0, "example.com.yaml", "a: 1\n", 5);
    assert_int_equal(truncate(path, ((long)DOCUMENT_SIZE_MAX_MIB << 20) + 1), 0);
    outcome = read_path(path, ZONE_FORMAT_YAML, PRECEDENCE_ISP_FIRST);
    expect_diags(&outcome, "0:0 error: the file is larger than 64 MiB\n");
    outcome_end(&outcome);
}

// Bytes that are no text must be refused, not stumbled over.
static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *diags;
    } rows[] = {
        {"a: \"\xff\xfe\"\n", 8, "1:5 error: not UTF-8 text\n"},
        {"# caf\xe9\nb: x\n", 12, "1:6 error: not UTF-8 text\n"},  // Latin 1 in a comment
        {"# x\n\xc0\x80: x\n", 10, "2:1 error: not UTF-8 text\n"}, // an overlong NUL
        {"\xed\xa0\x80: x\n", 7, "1:1 error: not UTF-8 text\n"},   // half of a pair
        {"\xf4\x90\x80\x80: x\n", 8, "1:1 error: not UTF-8 text\n"},
        {"a: 1\xe4\xb8", 6, "1:5 error: not UTF-8 text\n"}, // cut short
        {"a: b\0c\n", 7, "1:5 error: a NUL; expected text\n"},
        {"\0", 1, "1:1 error: a NUL; expected text\n"},
        {"\xff\xfe\x61\0", 4, "1:1 error: not UTF-8 text\n"}, // UTF-16
        {"a: &\n", 5, "1:5 error: not valid YAML: invalid anchor detected\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct outcome outcome = read_yaml_bytes(rows[i].bytes, rows[i].size, PRECEDENCE_ISP_FIRST);
        expect_diags(&outcome, rows[i].diags);
        outcome_end(&outcome);
    }
    struct outcome outcome =
        read_yaml("\xef\xbb\xbf# \xe5\x8c\x97\r\na: {type: A, value: 192.0.2.1}\r\n");
    expect_diags(&outcome, ""); // a byte order mark and DOS line ends are harmless
    outcome_end(&outcome);
}

// Aliases of aliases ("a billion laughs") are counted by what they stand for.
static void test_expansion(void **state)
{
    (void)state;
    char text[4096];
    size_t used = (size_t)snprintf(text, sizeof(text), "a0: &a0 [x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "a%d: &a%d [", i, i);
        for (int j = 0; j < 8; j++) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "*a%d,", i - 1);
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "]\n");
    }
    struct outcome outcome = read_yaml(text);
    assert_non_null(strstr(diags_text(&outcome.diags), "aliases stand for too many values"));
    outcome_end(&outcome);
}

static char *many_values(size_t count)
{
    char *text = mem_alloc(64 + count * 24);
    char *at = text + sprintf(text, "w:\n  type: A\n  values:\n");
    for (size_t i = 0; i < count; i++) {
        at += sprintf(at, "    - 10.%zu.%zu.%zu\n", i >> 16, i >> 8 & 255, i & 255);
    }
    return text;
}

static void test_limits(void **state)
{
    (void)state;
    char *text = many_values(RRSET_MEMBERS_MAX);
    struct outcome outcome = read_yaml(text);
    expect_diags(&outcome, "");
    assert_int_equal(find_rrset(&outcome, "w", TYPE_A)->record_count, RRSET_MEMBERS_MAX);
    outcome_end(&outcome);
    free(text);
    text = many_values(RRSET_MEMBERS_MAX + 1);
    outcome = read_yaml(text);
    expect_diags(&outcome, "3:3 error w.values: more than 4096 values\n");
    outcome_end(&outcome);
    free(text);
}

// All faults are reported, not the first; the list itself is bounded, the count is not.
static void test_many_faults(void **state)
{
    (void)state;
    char *text = mem_alloc(64 * 2000);
    char *at = text;
    for (int i = 0; i < 2000; i++) {
        at += sprintf(at, "h%d: {type: A, value: x}\n", i);
    }
    struct outcome outcome = read_yaml(text);
    assert_int_equal(outcome.diags.error_count, 2000);
    assert_int_equal(outcome.diags.count, DIAGS_MAX);
    assert_int_equal(outcome.diags.items[999].line, 1000);
    outcome_end(&outcome);
    free(text);
}

// Reading by entries: a document of several arenas, with anchors that must outlive them.
static void test_long_document(void **state)
{
    (void)state;
    enum { NAMES = 30000 };
    char *text = mem_alloc(80 * NAMES);
    char *at = text + sprintf(text, "base: &base {type: A, ttl: 5, value: 192.0.2.1}\n");
    for (int i = 0; i < NAMES; i++) {
        at += sprintf(at, i % 2 ? "h%d: *base\n" : "h%d: {<<: *base, value: 192.0.2.2}\n", i);
    }
    struct outcome outcome = read_yaml(text);
    expect_diags(&outcome, "");
    assert_int_equal(zone_owner_count(outcome.zone), NAMES + 2); // base and the apex
    assert_string_equal(rrset_text(&outcome, "h29999", TYPE_A), "5 [192.0.2.1]");
    assert_string_equal(rrset_text(&outcome, "h29998", TYPE_A), "5 [192.0.2.2]");
    outcome_end(&outcome);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_files),       cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_expansion),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_faults), cmocka_unit_test(test_long_document),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
