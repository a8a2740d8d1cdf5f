// SPDX-License-Identifier: GPL-3.0-or-later
//
// The model: owners, RRsets, records; and the checks of a zone as a whole.
#include "../zone_test.h"

#include "base/hash.h"

static const uint8_t apex[] = "\7example\3com";
static const struct place nowhere = {"test", 1, 1};

static size_t wire(const char *text, uint8_t name[NAME_MAX_SIZE])
{
    size_t size = name_parse(text, apex, name, NULL);
    assert_int_not_equal(size, 0);
    return size;
}

static bool add(struct zone *zone, const char *owner, uint16_t type, uint32_t ttl, const char *text,
                struct diags *diags)
{
    uint8_t name[NAME_MAX_SIZE], rdata[1024];
    const char *reason = "";
    wire(owner, name);
    size_t size = rdata_parse(type, text, apex, rdata, sizeof(rdata), &reason);
    assert_int_not_equal(size, 0);
    return zone_add(zone, &(struct zone_record){name, type, ttl, rdata, size, nowhere}, diags);
}

static void test_add_and_find(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct zone *zone = zone_new(apex);
    uint8_t name[NAME_MAX_SIZE];
    assert_true(add(zone, "Www", TYPE_A, 60, "192.0.2.1", &diags));
    assert_true(add(zone, "wWW", TYPE_A, 60, "192.0.2.2", &diags));
    assert_true(add(zone, "www", TYPE_A, 60, "192.0.2.1", &diags)); // a duplicate, dropped
    assert_true(add(zone, "www", TYPE_TXT, 5, "x", &diags));
    wire("WWW", name);
    const struct owner *owner = zone_find(zone, name);
    assert_non_null(owner);
    assert_int_equal(zone_owner_count(zone), 1);
    assert_ptr_equal(zone_owner(zone, 0), owner);
    assert_memory_equal(owner->name, "\3Www", 4); // case as written first
    assert_int_equal(owner->name_size, 17);
    assert_int_equal(owner_rrset(owner, TYPE_A)->record_count, 2);
    assert_int_equal(owner_rrset(owner, TYPE_TXT)->ttl, 5);
    assert_null(owner_rrset(owner, TYPE_AAAA));
    wire("other", name);
    assert_null(zone_find(zone, name));
    assert_true(add(zone, "www", TYPE_A, 30, "192.0.2.3", &diags));
    assert_true(add(zone, "www", TYPE_A, 90, "192.0.2.4", &diags));
    assert_int_equal(owner_rrset(owner, TYPE_A)->ttl, 30); // the least
    assert_int_equal(owner_rrset(owner, TYPE_A)->ttl_most, 90);
    assert_int_equal(diags.count, 0);
    assert_false(zone_has_covers(zone));
    assert_true(add(zone, "@", TYPE_NS, 60, "ns.other.", &diags)); // hides nothing
    assert_false(zone_has_covers(zone));
    assert_true(add(zone, "sub", TYPE_NS, 60, "ns.other.", &diags));
    assert_true(zone_has_covers(zone));
    assert_int_equal(zone_find_index(zone, apex), 1);
    assert_int_equal(zone_find_index(zone, owner->name), 0);
    assert_int_equal(zone_find_index(zone, name), -1);
    zone_free(zone);
    zone_free(NULL);
    diags_clear(&diags);
}

// Many owners against an array of what was put in; pointers stay valid while the zone grows.
static void test_many_owners(void **state)
{
    (void)state;
    enum { OWNERS = 50000 };
    struct diags diags = {0};
    struct zone *zone = zone_new(apex);
    const struct owner **owners = mem_alloc_array(OWNERS, sizeof(*owners));
    uint8_t name[NAME_MAX_SIZE];
    char text[64];
    uint8_t rdata[4] = {10};
    for (uint32_t i = 0; i < OWNERS; i++) {
        snprintf(text, sizeof(text), i % 2 ? "H%u.a" : "h%u.b", i);
        wire(text, name);
        memcpy(rdata + 1, &i, 3);
        const struct zone_record record = {name, TYPE_A, 60, rdata, 4, nowhere};
        assert_true(zone_add(zone, &record, &diags));
        owners[i] = zone_find(zone, name);
    }
    assert_int_equal(zone_owner_count(zone), OWNERS);
    for (uint32_t i = 0; i < OWNERS; i++) {
        snprintf(text, sizeof(text), i % 2 ? "h%u.A" : "H%u.B", i); // the other case
        wire(text, name);
        assert_ptr_equal(zone_find(zone, name), owners[i]);
        assert_ptr_equal(zone_owner(zone, i), owners[i]);
        memcpy(rdata + 1, &i, 3);
        assert_memory_equal(owners[i]->rrsets->records[0].rdata, rdata, 4);
        snprintf(text, sizeof(text), "x%u", i);
        wire(text, name);
        assert_null(zone_find(zone, name));
    }
    free(owners);
    zone_free(zone);
}

static void test_rrset_limit(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct zone *zone = zone_new(apex);
    for (uint32_t i = 0; i <= RRSET_MEMBERS_MAX; i++) {
        uint8_t rdata[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
        const struct zone_record record = {apex, TYPE_A, 60, rdata, 4, nowhere};
        assert_int_equal(zone_add(zone, &record, &diags), i < RRSET_MEMBERS_MAX);
    }
    assert_string_equal(diags_text(&diags),
                        "test:1:1 error example.com.: A: more than 4096 records of one type at one "
                        "name\n");
    zone_free(zone);
    diags_clear(&diags);
}

#define TOP "$TTL 5\n@ SOA ns.example.net. h.example.net. 1 2 3 4 5\n@ NS ns.example.net.\n"

static const struct document_case checks[] = {
    // SOA and NS come from the defaults, each where it is missing.
    {"$TTL 5\n@ NS ns.example.org.\n",
     "",
     {{"@", "SOA",
       "3600 [ns.example.org. host\\046master.example.net. 2026010203 7200 900 1209600 300]"},
      {"@", "NS", "5 [ns.example.org.]"}}},
    {"$TTL 5\n@ SOA a. b. 1 2 3 4 5\n",
     "",
     {{"@", "SOA", "5 [a. b. 1 2 3 4 5]"},
      {"@", "NS", "3600 [ns1.example.net.] [ns2.example.net.]"}}},
    // A CNAME beside other data; signatures and NSEC may be there.
    {.text = TOP "a CNAME b\na A 192.0.2.1\na TXT x\nb CNAME c\n"
                 "b NSEC c.example.com. CNAME\n",
     .diags =
         "4:0 error a.example.com.: a CNAME may not stand beside other records (RFC 1034, section "
         "3.6.2), here A\n"
         "4:0 error a.example.com.: a CNAME may not stand beside other records (RFC 1034, section "
         "3.6.2), here TXT\n"},
    // Below a DNAME nothing can be reached; beside it things can.
    {.text = TOP "d DNAME example.org.\nd A 192.0.2.1\nx.y.d A 192.0.2.2\nxd A 192.0.2.3\n",
     .diags = "6:0 error x.y.d.example.com.: a name below the DNAME at d.example.com. can never be "
              "reached (RFC 6672, section 2.4)\n"},
    // Below and at a delegation: glue and DS belong, the rest is hidden.
    {.text = TOP "sub NS ns.sub\nsub NS ns.example.net.\nns.sub A 192.0.2.1\nsub DS 1 2 3 00\n"
                 "sub MX 1 a.\nx.sub TXT x\ny.x.sub A 192.0.2.2\ndeep.sub NS ns.sub\n",
     .diags = "8:0 warning sub.example.com.: MX is not served: the name is delegated at "
              "sub.example.com.\n"
              "9:0 warning x.sub.example.com.: TXT is not served: the name is delegated at "
              "sub.example.com.\n"
              "11:0 warning deep.sub.example.com.: NS is not served: the name is delegated at "
              "sub.example.com.\n"},
    // Missing glue; glue that a sibling's delegation or a wildcard gives; the zone's own servers.
    {.text = TOP "@ NS ns1\na NS ns.a\nb NS ns.c\nc NS ns.c\nns.c AAAA ::1\nd NS ns.e\ne NS ns.e\n"
                 "f NS w.g\n*.g A 192.0.2.1\nh NS elsewhere\n",
     .diags =
         "3:0 warning example.com.: ns1.example.com. has no address record here; nobody can reach "
         "this nameserver\n"
         "5:0 warning a.example.com.: ns.a.example.com. has no address record here; the delegation "
         "needs it as glue\n"
         "10:0 warning e.example.com.: ns.e.example.com. has no address record here; the "
         "delegation needs it as glue\n"
         "13:0 warning h.example.com.: elsewhere.example.com. has no address record here; nobody "
         "can reach this nameserver\n"},
    // Targets that are an alias.
    {.text = TOP "@ NS c\nm MX 1 c\nm MX 2 d\nm MX 3 .\nc CNAME d\nd A 192.0.2.1\n",
     .diags =
         "3:0 warning example.com.: NS points to c.example.com., which is a CNAME (RFC 2181, "
         "section 10.3)\n"
         "5:0 warning m.example.com.: MX points to c.example.com., which is a CNAME (RFC 2181, "
         "section 10.3)\n"},
};

static void test_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        document_case_run(&checks[i], read_master);
    }
}

static const char *finished(const struct zone_defaults *defaults, bool *good)
{
    static char text[1024];
    struct diags diags = {0};
    struct zone *zone = zone_new(apex);
    zone_set_path(zone, "a.zone");
    assert_string_equal(zone_path(zone), "a.zone");
    *good = zone_finish(zone, defaults, &diags);
    const struct owner *owner = zone_find(zone, apex);
    const struct rrset *soa = owner ? owner_rrset(owner, TYPE_SOA) : NULL;
    if (*good) {
        rdata_format(TYPE_SOA, soa->records[0].rdata, soa->records[0].rdata_size, text,
                     sizeof(text));
    } else {
        snprintf(text, sizeof(text), "%s", diags_text(&diags));
    }
    zone_free(zone);
    diags_clear(&diags);
    return text;
}

static void test_defaults(void **state)
{
    (void)state;
    static const char *const servers[] = {"ns1.example.net."};
    static const char *const bad[] = {"ns1..net"};
    bool good;
    struct zone_defaults defaults = {servers, 1, NULL, 7, 60};
    assert_string_equal(finished(&defaults, &good),
                        "ns1.example.net. hostmaster.example.com. 7 7200 900 1209600 300");
    defaults.hostmaster = "dns.admin@example.org";
    assert_string_equal(finished(&defaults, &good),
                        "ns1.example.net. dns\\046admin.example.org. 7 7200 900 1209600 300");
    defaults.hostmaster = "dns.example.org.";
    assert_string_equal(finished(&defaults, &good),
                        "ns1.example.net. dns.example.org. 7 7200 900 1209600 300");
    defaults.hostmaster = "@example.org";
    assert_string_equal(
        finished(&defaults, &good),
        "a.zone:0:0 error: default hostmaster \"@example.org\": the part before the @ "
        "must have 1 to 63 characters\n");
    defaults.hostmaster = "a@b..c";
    assert_string_equal(finished(&defaults, &good),
                        "a.zone:0:0 error: default hostmaster \"a@b..c\": an empty label\n");
    defaults = (struct zone_defaults){NULL, 0, NULL, 7, 60};
    assert_string_equal(finished(&defaults, &good),
                        "a.zone:0:0 error: the zone has no NS records at its top, and no default "
                        "nameservers are set\n");
    defaults = (struct zone_defaults){bad, 1, NULL, 7, 60};
    assert_string_equal(finished(&defaults, &good),
                        "a.zone:0:0 error: default nameserver \"ns1..net\": an empty label\n");
    assert_false(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_find), cmocka_unit_test(test_many_owners),
        cmocka_unit_test(test_rrset_limit),  cmocka_unit_test(test_checks),
        cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
