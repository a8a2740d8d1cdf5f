// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the RFCs say that an authoritative server answers: 1034, 2308, 4592, 6604, 6672, 8482, 9471.
#include "room.h"

struct expectation {
    const char *name, *type, *reply;
};

static void expect_all(const struct expectation *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        expect(current(), worker, table[i].name, table[i].type, table[i].reply);
    }
}

#define EXPECT(...)                                                                                \
    do {                                                                                           \
        static const struct expectation table[] = {__VA_ARGS__};                                   \
        expect_all(table, ARRAY_SIZE(table));                                                      \
    } while (0)

// --- RFC 4592, section 2.2.1: the zone of the text, and what it says of it

#define SOA_4592 "example. 600 SOA ns.example.com. admin.example. 1 2 3 4 600"
#define SUBDEL_4592                                                                                \
    "subdel.example. 3600 NS ns.example.com.; subdel.example. 3600 NS ns.example.net."

static void test_wildcards_of_rfc_4592(void **state)
{
    (void)state;
    put_zone(publisher,
             zone_of("example.", "example. 3600 SOA ns.example.com. admin.example. 1 2 3 4 600\n"
                                 "example. 3600 NS ns.example.com.\n"
                                 "example. 3600 NS ns.example.net.\n"
                                 "*.example. 3600 TXT \"this is a wildcard\"\n"
                                 "*.example. 3600 MX 10 host1.example.\n"
                                 "sub.*.example. 3600 TXT \"this is not a wildcard\"\n"
                                 "host1.example. 3600 A 192.0.2.1\n"
                                 "_ssh._tcp.host1.example. 3600 SRV 0 0 22 host1.example.\n"
                                 "_ssh._tcp.host2.example. 3600 SRV 0 0 22 host1.example.\n"
                                 "subdel.example. 3600 NS ns.example.com.\n"
                                 "subdel.example. 3600 NS ns.example.net.\n"));
    EXPECT(
        {"host3.example.", "MX",
         "NOERROR aa | host3.example. 3600 MX 10 host1.example. | | host1.example. 3600 A "
         "192.0.2.1"},
        {"host3.example.", "A", "NOERROR aa | | " SOA_4592 " |"},
        {"foo.bar.example.", "TXT",
         "NOERROR aa | foo.bar.example. 3600 TXT \"this is a wildcard\" | |"},
        {"host1.example.", "MX", "NOERROR aa | | " SOA_4592 " |"},
        {"sub.*.example.", "MX", "NOERROR aa | | " SOA_4592 " |"},
        {"_telnet._tcp.host1.example.", "SRV", "NXDOMAIN aa | | " SOA_4592 " |"},
        {"host.subdel.example.", "A", "NOERROR | | " SUBDEL_4592 " |"},
        {"ghost.*.example.", "MX", "NXDOMAIN aa | | " SOA_4592 " |"},
        // and the names themselves
        {"*.example.", "MX",
         "NOERROR aa | *.example. 3600 MX 10 host1.example. | | host1.example. 3600 A 192.0.2.1"},
        {"sub.*.example.", "TXT",
         "NOERROR aa | sub.*.example. 3600 TXT \"this is not a wildcard\" | |"},
        {"_tcp.host1.example.", "SRV", "NOERROR aa | | " SOA_4592 " |"},
        {"_tcp.host2.example.", "TXT", "NOERROR aa | | " SOA_4592 " |"},
        {"host2.example.", "TXT", "NOERROR aa | | " SOA_4592 " |"},
        {"x.host2.example.", "TXT", "NXDOMAIN aa | | " SOA_4592 " |"},
        {"subdel.example.", "TXT", "NOERROR | | " SUBDEL_4592 " |"},
        {"FOO.Example.", "TXT", "NOERROR aa | FOO.Example. 3600 TXT \"this is a wildcard\" | |"});
}

// --- delegations

#define SOA_DELEGATION "d.test. 300 SOA ns.d.test. admin.d.test. 1 2 3 4 300"
#define NS_SUB         "sub.d.test. 60 NS ns.other.test.; sub.d.test. 60 NS ns.sub.d.test."
#define GLUE_SUB       "ns.sub.d.test. 60 A 192.0.2.2; ns.sub.d.test. 60 AAAA 2001:db8::2"

static void test_delegations(void **state)
{
    (void)state;
    put_zone(publisher,
             zone_of("d.test.", "d.test. 3600 SOA ns.d.test. admin.d.test. 1 2 3 4 300\n"
                                "d.test. 60 NS ns.d.test.\n"
                                "ns.d.test. 60 A 192.0.2.1\n"
                                "sub.d.test. 60 NS ns.sub.d.test.\n"
                                "sub.d.test. 60 NS ns.other.test.\n"
                                "sub.d.test. 60 DS 1 13 2 "
                                "00112233445566778899AABBCCDDEEFF00112233445566778899AABB"
                                "CCDDEEFF\n"
                                "ns.sub.d.test. 60 A 192.0.2.2\n"
                                "ns.sub.d.test. 60 AAAA 2001:db8::2\n"
                                "deep.sub.d.test. 60 A 192.0.2.66\n"
                                "plain.d.test. 60 NS ns.d.test.\n"
                                "a.b.c.d.test. 60 NS ns.far.invalid.\n"));
    EXPECT({"sub.d.test.", "A", "NOERROR | | " NS_SUB " | " GLUE_SUB},
           {"sub.d.test.", "NS", "NOERROR | | " NS_SUB " | " GLUE_SUB},
           {"sub.d.test.", "SOA", "NOERROR | | " NS_SUB " | " GLUE_SUB},
           {"sub.d.test.", "ANY", "NOERROR | | " NS_SUB " | " GLUE_SUB},
           {"www.sub.d.test.", "A", "NOERROR | | " NS_SUB " | " GLUE_SUB},
           {"ns.sub.d.test.", "A", "NOERROR | | " NS_SUB " | " GLUE_SUB}, // glue is no answer
           {"deep.sub.d.test.", "A", "NOERROR | | " NS_SUB " | " GLUE_SUB},
           {"x.www.sub.d.test.", "DS", "NOERROR | | " NS_SUB " | " GLUE_SUB},
           // the parent answers for DS
           {"sub.d.test.", "DS",
            "NOERROR aa | sub.d.test. 60 DS 1 13 2 "
            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff | |"},
           {"plain.d.test.", "DS", "NOERROR aa | | " SOA_DELEGATION " |"},
           {"d.test.", "DS", "NOERROR aa | | " SOA_DELEGATION " |"},
           // an address of this zone helps, though it is no glue
           {"plain.d.test.", "A",
            "NOERROR | | plain.d.test. 60 NS ns.d.test. | ns.d.test. 60 A 192.0.2.1"},
           {"c.d.test.", "A", "NOERROR aa | | " SOA_DELEGATION " |"},
           {"b.c.d.test.", "DS", "NOERROR aa | | " SOA_DELEGATION " |"},
           {"x.a.b.c.d.test.", "A", "NOERROR | | a.b.c.d.test. 60 NS ns.far.invalid. |"},
           {"y.b.c.d.test.", "A", "NXDOMAIN aa | | " SOA_DELEGATION " |"},
           {"d.test.", "NS", "NOERROR aa | d.test. 60 NS ns.d.test. | | ns.d.test. 60 A 192.0.2.1"},
           // names are compressed to the question, in its case
           {"SUB.d.test.", "A",
            "NOERROR | | SUB.d.test. 60 NS ns.SUB.d.test.; SUB.d.test. 60 NS ns.other.test. | "
            "ns.SUB.d.test. 60 A 192.0.2.2; ns.SUB.d.test. 60 AAAA 2001:db8::2"});
}

// --- aliases

#define SOA_CHAIN "c.test. 60 SOA ns.nowhere.invalid. admin.c.test. 1 2 3 4 90"
#define CHAIN_8                                                                                    \
    "k1.c.test. 1 CNAME k2.c.test.; k2.c.test. 1 CNAME k3.c.test.; k3.c.test. 1 CNAME k4.c.test.;" \
    " k4.c.test. 1 CNAME k5.c.test.; k5.c.test. 1 CNAME k6.c.test.; k6.c.test. 1 CNAME "           \
    "k7.c.test.; k7.c.test. 1 CNAME k8.c.test.; k8.c.test. 1 A 192.0.2.8"

static void put_chains(void)
{
    put_zone(publisher,
             zone_of("c.test.", "c.test. 60 SOA ns.nowhere.invalid. admin.c.test. 1 2 3 4 90\n"
                                "c.test. 60 NS ns.nowhere.invalid.\n"
                                "www.c.test. 60 A 192.0.2.1\n"
                                "www.c.test. 60 TXT \"text\"\n"
                                "one.c.test. 50 CNAME www.c.test.\n"
                                "two.c.test. 40 CNAME ONE.c.test.\n"
                                "out.c.test. 60 CNAME www.example.org.\n"
                                "gone.c.test. 60 CNAME nothing.c.test.\n"
                                "empty.c.test. 60 CNAME ent.c.test.\n"
                                "below.ent.c.test. 60 A 192.0.2.2\n"
                                "self.c.test. 60 CNAME self.c.test.\n"
                                "la.c.test. 60 CNAME lb.c.test.\n"
                                "lb.c.test. 60 CNAME lc.c.test.\n"
                                "lc.c.test. 60 CNAME lb.c.test.\n"
                                "*.w.c.test. 60 CNAME www.c.test.\n"
                                "*.ww.c.test. 60 CNAME y.ww.c.test.\n"
                                "cut.c.test. 60 NS ns.cut.c.test.\n"
                                "ns.cut.c.test. 60 A 192.0.2.3\n"
                                "tocut.c.test. 60 CNAME host.cut.c.test.\n"
                                "k1.c.test. 1 CNAME k2.c.test.\n"
                                "k2.c.test. 1 CNAME k3.c.test.\n"
                                "k3.c.test. 1 CNAME k4.c.test.\n"
                                "k4.c.test. 1 CNAME k5.c.test.\n"
                                "k5.c.test. 1 CNAME k6.c.test.\n"
                                "k6.c.test. 1 CNAME k7.c.test.\n"
                                "k7.c.test. 1 CNAME k8.c.test.\n"
                                "k8.c.test. 1 A 192.0.2.8\n"));
}

static void test_aliases(void **state)
{
    (void)state;
    put_chains();
    EXPECT(
        {"one.c.test.", "A",
         "NOERROR aa | one.c.test. 50 CNAME www.c.test.; www.c.test. 60 A 192.0.2.1 | |"},
        {"two.c.test.", "A",
         "NOERROR aa | ONE.c.test. 50 CNAME www.c.test.; two.c.test. 40 CNAME ONE.c.test.; "
         "www.c.test. 60 A 192.0.2.1 | |"},
        {"one.c.test.", "CNAME", "NOERROR aa | one.c.test. 50 CNAME www.c.test. | |"},
        {"one.c.test.", "MX", "NOERROR aa | one.c.test. 50 CNAME www.c.test. | " SOA_CHAIN " |"},
        // RFC 8482, 4.2: where there is an alias nothing is made up
        {"one.c.test.", "ANY", "NOERROR aa | one.c.test. 50 CNAME www.c.test. | |"},
        {"gone.c.test.", "ANY", "NOERROR aa | gone.c.test. 60 CNAME nothing.c.test. | |"},
        {"out.c.test.", "A", "NOERROR aa | out.c.test. 60 CNAME www.example.org. | |"},
        // RFC 6604: the rcode is that of the last name
        {"gone.c.test.", "A",
         "NXDOMAIN aa | gone.c.test. 60 CNAME nothing.c.test. | " SOA_CHAIN " |"},
        {"empty.c.test.", "A", "NOERROR aa | empty.c.test. 60 CNAME ent.c.test. | " SOA_CHAIN " |"},
        {"tocut.c.test.", "A",
         "NOERROR aa | tocut.c.test. 60 CNAME host.cut.c.test. | cut.c.test. 60 NS "
         "ns.cut.c.test. | ns.cut.c.test. 60 A 192.0.2.3"},
        {"x.w.c.test.", "A",
         "NOERROR aa | www.c.test. 60 A 192.0.2.1; x.w.c.test. 60 CNAME www.c.test. | |"},
        {"x.w.c.test.", "TXT",
         "NOERROR aa | www.c.test. 60 TXT \"text\"; x.w.c.test. 60 CNAME www.c.test. | |"},
        {"k1.c.test.", "A", "NOERROR aa | " CHAIN_8 " | |"});
}

// A loop shows each of its records once, then the answer ends.
static void test_alias_loops(void **state)
{
    (void)state;
    put_chains();
    EXPECT({"self.c.test.", "A", "NOERROR aa | self.c.test. 60 CNAME self.c.test. | |"},
           {"la.c.test.", "A",
            "NOERROR aa | la.c.test. 60 CNAME lb.c.test.; lb.c.test. 60 CNAME lc.c.test.; "
            "lc.c.test. 60 CNAME lb.c.test. | |"},
           {"x.ww.c.test.", "A",
            "NOERROR aa | x.ww.c.test. 60 CNAME y.ww.c.test.; y.ww.c.test. 60 CNAME y.ww.c.test. "
            "| |"});
}

// --- RFC 6672, section 2.2, table 1: what a DNAME makes of names

static const struct {
    const char *apex, *owner, *target, *asked, *result; // result NULL: the DNAME does not apply
} dname_table[] = {
    {"com.", "example.com.", "example.net.", "com.", NULL},
    {"com.", "example.com.", "example.net.", "example.com.", NULL},
    {"com.", "example.com.", "example.net.", "a.example.com.", "a.example.net."},
    {"com.", "example.com.", "example.net.", "a.b.example.com.", "a.b.example.net."},
    {"com.", "b.example.com.", "example.net.", "ab.example.com.", NULL},
    {"com.", "example.com.", "example.net.", "foo.example.com.", "foo.example.net."},
    {"com.", "x.example.com.", "example.net.", "a.x.example.com.", "a.example.net."},
    {"com.", "example.com.", "y.example.net.", "a.example.com.", "a.y.example.net."},
    {"x.", "x.", ".", "shortloop.x.x.", "shortloop.x."},
    {"x.", "x.", ".", "shortloop.x.", "shortloop."},
    {"com.", "example.com.", "example.com.", "cyc.example.com.", "cyc.example.com."},
    {"com.", "example.com.", "c.example.com.", "cyc.example.com.", "cyc.c.example.com."},
};

static void test_dname_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(dname_table); i++) {
        char lines[512], dname[512], cname[512];
        snprintf(lines, sizeof(lines), "%s 77 DNAME %s\n", dname_table[i].owner,
                 dname_table[i].target);
        put_zone(publisher, zone_of(dname_table[i].apex, lines));
        struct question question = {.name = dname_table[i].asked, .type = TYPE_A, .tcp = true};
        struct reply *reply = ask(current(), worker, &question);
        print_message("%s DNAME %s: %s\n", dname_table[i].owner, dname_table[i].target,
                      dname_table[i].asked);
        if (dname_table[i].result == NULL) {
            assert_int_equal(reply->counts[0], 0);
        } else {
            snprintf(dname, sizeof(dname), "%s 77 DNAME %s", dname_table[i].owner,
                     dname_table[i].target);
            snprintf(cname, sizeof(cname), "%s 77 CNAME %s", dname_table[i].asked,
                     dname_table[i].result);
            assert_in_range(reply->counts[0], 2, 20);
            assert_string_equal(reply->lines[0][0], dname);
            assert_string_equal(reply->lines[0][1], cname);
            assert_int_equal(reply->rcode, RCODE_NOERROR);
        }
        reply_free(reply);
        struct change *change = change_begin(publisher);
        uint8_t apex[NAME_MAX_SIZE];
        wire_name(dname_table[i].apex, apex);
        change_zone_remove(change, apex);
        publish(change);
    }
}

static void test_dname_details(void **state)
{
    (void)state;
    put_zone(publisher,
             zone_of("n.test.", "n.test. 60 SOA ns.nowhere.invalid. admin.n.test. 1 2 3 4 60\n"
                                "n.test. 60 NS ns.nowhere.invalid.\n"
                                "old.n.test. 77 DNAME new.n.test.\n"
                                "old.n.test. 77 TXT \"beside\"\n"
                                "www.new.n.test. 60 A 192.0.2.1\n"
                                "back.new.n.test. 60 CNAME www.old.n.test.\n"
                                "long.n.test. 77 DNAME "
                                "a23456789012345678901234567890123456789012345678901234567890123."
                                "b23456789012345678901234567890123456789012345678901234567890123."
                                "c23456789012345678901234567890123456789012345678901234567890123."
                                "d2345678901234567890123456789012345678901234567890.\n"));
    EXPECT({"www.old.n.test.", "A",
            "NOERROR aa | old.n.test. 77 DNAME new.n.test.; www.new.n.test. 60 A 192.0.2.1; "
            "www.old.n.test. 77 CNAME www.new.n.test. | |"},
           {"WwW.old.n.test.", "A",
            "NOERROR aa | WwW.new.n.test. 60 A 192.0.2.1; WwW.old.n.test. 77 CNAME "
            "WwW.new.n.test.; old.n.test. 77 DNAME new.n.test. | |"},
           {"x.old.n.test.", "A",
            "NXDOMAIN aa | old.n.test. 77 DNAME new.n.test.; x.old.n.test. 77 CNAME x.new.n.test. "
            "| n.test. 60 SOA ns.nowhere.invalid. admin.n.test. 1 2 3 4 60 |"},
           {"back.old.n.test.", "A", // through the same DNAME twice, which stands there once
            "NOERROR aa | back.new.n.test. 60 CNAME www.old.n.test.; back.old.n.test. 77 CNAME "
            "back.new.n.test.; old.n.test. 77 DNAME new.n.test.; www.new.n.test. 60 A 192.0.2.1; "
            "www.old.n.test. 77 CNAME www.new.n.test. | |"},
           {"old.n.test.", "DNAME", "NOERROR aa | old.n.test. 77 DNAME new.n.test. | |"},
           {"old.n.test.", "TXT", "NOERROR aa | old.n.test. 77 TXT \"beside\" | |"},
           {"old.n.test.", "A",
            "NOERROR aa | | n.test. 60 SOA ns.nowhere.invalid. admin.n.test. 1 2 3 4 60 |"});
    // A name that would grow past 255 octets: YXDOMAIN, with the DNAME as its reason. The target
    // has 244, so ten more and their length fit.
    for (int length = 1; length <= 30; length++) {
        char name[64];
        snprintf(name, sizeof(name), "%.*s.long.n.test.", length, "e23456789012345678901234567890");
        struct question question = {.name = name, .type = TYPE_A, .tcp = true};
        struct reply *reply = ask(current(), worker, &question);
        assert_int_equal(reply->rcode, length > 10 ? RCODE_YXDOMAIN : RCODE_NOERROR);
        assert_int_equal(reply->counts[0], length > 10 ? 1 : 2);
        reply_free(reply);
    }
}

// --- the rest

#define SOA_M "m.test. 120 SOA ns.m.test. admin.m.test. 9 2 3 4 900"

static void test_ordinary_answers(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("m.test.", "m.test. 120 SOA ns.m.test. admin.m.test. 9 2 3 4 900\n"
                                           "m.test. 60 NS ns.m.test.\n"
                                           "m.test. 60 MX 10 mail.m.test.\n"
                                           "m.test. 60 MX 20 mail.elsewhere.invalid.\n"
                                           "ns.m.test. 60 A 192.0.2.1\n"
                                           "mail.m.test. 60 A 192.0.2.2\n"
                                           "mail.m.test. 60 AAAA 2001:db8::2\n"
                                           "_sip._udp.m.test. 60 SRV 1 2 5060 mail.m.test.\n"
                                           "odd.m.test. 60 TYPE65280 \\# 3 010203\n"
                                           "o\\.dd\\032name.m.test. 60 A 192.0.2.3\n"));
    EXPECT(
        {"m.test.", "MX",
         "NOERROR aa | m.test. 60 MX 10 mail.m.test.; m.test. 60 MX 20 mail.elsewhere.invalid. "
         "| | mail.m.test. 60 A 192.0.2.2; mail.m.test. 60 AAAA 2001:db8::2"},
        {"_sip._udp.m.test.", "SRV",
         "NOERROR aa | _sip._udp.m.test. 60 SRV 1 2 5060 mail.m.test. | | mail.m.test. 60 A "
         "192.0.2.2; mail.m.test. 60 AAAA 2001:db8::2"},
        {"m.test.", "SOA", "NOERROR aa | m.test. 120 SOA ns.m.test. admin.m.test. 9 2 3 4 900 | |"},
        {"nothing.m.test.", "A", "NXDOMAIN aa | | " SOA_M " |"}, // RFC 2308: the SOA's TTL is less
        {"_udp.m.test.", "A", "NOERROR aa | | " SOA_M " |"},
        {"odd.m.test.", "TYPE65280", "NOERROR aa | odd.m.test. 60 TYPE65280 \\# 3 010203 | |"},
        {"odd.m.test.", "TYPE65281", "NOERROR aa | | " SOA_M " |"},
        {"o\\.dd\\032name.m.test.", "A", "NOERROR aa | o\\.dd\\032name.m.test. 60 A 192.0.2.3 | |"},
        {"m.test.", "ANY", "NOERROR aa | m.test. 3600 HINFO \"RFC8482\" \"\" | |"},
        {"_udp.m.test.", "ANY", "NOERROR aa | | " SOA_M " |"},
        {"nothing.m.test.", "ANY", "NXDOMAIN aa | | " SOA_M " |"}, {"test.", "A", "REFUSED | | |"},
        {".", "NS", "REFUSED | | |"}, {"m.test.example.", "A", "REFUSED | | |"},
        {"xm.test.", "A", "REFUSED | | |"}, {"m.test.", "AXFR", "REFUSED | | |"},
        {"m.test.", "IXFR", "REFUSED | | |"}, {"mail.m.test.", "AXFR", "REFUSED | | |"});
}

static void test_root_zone(void **state)
{
    (void)state;
    put_zone(publisher, zone_of(".", ". 60 SOA a.root. admin.root. 1 2 3 4 60\n"
                                     ". 60 NS a.root.\n"
                                     "a.root. 60 A 192.0.2.1\n"
                                     "com. 60 NS ns.com.\n"
                                     "ns.com. 60 A 192.0.2.2\n"
                                     "*.wild. 60 A 192.0.2.3\n"));
    EXPECT({".", "NS", "NOERROR aa | . 60 NS a.root. | | a.root. 60 A 192.0.2.1"},
           {"x.", "A", "NXDOMAIN aa | | . 60 SOA a.root. admin.root. 1 2 3 4 60 |"},
           {"root.", "A", "NOERROR aa | | . 60 SOA a.root. admin.root. 1 2 3 4 60 |"},
           {"www.example.com.", "A", "NOERROR | | com. 60 NS ns.com. | ns.com. 60 A 192.0.2.2"},
           {"com.", "DS", "NOERROR aa | | . 60 SOA a.root. admin.root. 1 2 3 4 60 |"},
           {".", "DS", "NOERROR aa | | . 60 SOA a.root. admin.root. 1 2 3 4 60 |"},
           {"a.b.wild.", "A", "NOERROR aa | a.b.wild. 60 A 192.0.2.3 | |"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wildcards_of_rfc_4592, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_delegations, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_aliases, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_alias_loops, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_dname_table, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_dname_details, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_ordinary_answers, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_root_zone, room_begin, room_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
