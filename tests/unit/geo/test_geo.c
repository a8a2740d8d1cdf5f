// SPDX-License-Identifier: GPL-3.0-or-later
//
// Databases in, locations out: schemas, formats, order of trust, and files that are not what they
// should be.
#include "fixture.h"

#include <math.h>

static void expect(const struct geo *geo, const char *address, const char *description)
{
    const char *found = fixture_describe(geo, address);
    if (strcmp(found, description) != 0) {
        fail_msg("%s is \"%s\", expected \"%s\"", address, found, description);
    }
}

static struct geo *load(const char *const *databases, size_t count)
{
    struct diags diags = {0};
    struct geo *geo = fixture_load(databases, count, NULL, &diags);
    if (diags.count > 0) {
        fail_msg("%s: %s", diags.items[0].file, diags.items[0].message);
    }
    diags_clear(&diags);
    return geo;
}

static struct geo *load_one(const char *database)
{
    return load(&database, 1);
}

// --- MMDB

static void test_flat_mmdb(void **state)
{
    (void)state;
    static const unsigned sizes[] = {24, 28, 32};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct mmdb_writer w = mmdb_begin(4, sizes[i]);
        mmdb_insert(&w, "192.0.2.0/25", mmdb_flat(&w, "CN", "Guangdong", 23, 113));
        mmdb_insert(&w, "192.0.2.128/26", mmdb_flat(&w, "CN", "Shaanxi", 34, 108));
        mmdb_insert(&w, "192.0.2.192/26", mmdb_flat(&w, "CN", "Atlantis", 35, 109));
        mmdb_insert(&w, "198.51.100.0/24", mmdb_flat(&w, "US", "California", 37, -122));
        mmdb_insert(&w, "203.0.113.0/25", mmdb_flat(&w, "DE", "Bavaria", 48, 11));
        mmdb_insert(&w, "203.0.113.128/25", mmdb_flat(&w, "ZZ", "", 0, 0));
        struct geo *geo = load_one(mmdb_save(&w, "flat.mmdb"));
        expect(geo, "192.0.2.1", "CN GD 0 - 25");
        expect(geo, "192.0.2.129", "CN SN 0 - 26");
        expect(geo, "192.0.2.255", "CN - 0 - 26");
        expect(geo, "198.51.100.9", "US CA 0 - 24");
        expect(geo, "203.0.113.1", "DE BY 0 - 25");
        expect(geo, "203.0.113.129", "- - 0 - 25"); // the space beyond is unknown as well
        expect(geo, "2001:db8::1", "- - 0 - 28");   // 2001:da8::/32 is built in
        assert_true(geo_summary(geo).has_places);
        assert_false(geo_summary(geo).has_asns);
        geo_free(geo);
    }
}

static void test_nested_mmdb(void **state)
{
    (void)state;
    struct mmdb_writer w = mmdb_begin(6, 28);
    mmdb_insert(&w, "192.0.2.0/24", mmdb_nested(&w, "CN", "ZJ", 30, 120));
    mmdb_insert(&w, "198.51.100.0/24", mmdb_nested(&w, "GB", "ENG", 51.5, 0));
    mmdb_insert(&w, "203.0.113.0/24", mmdb_nested(&w, "US", "XX", 40, -90));
    mmdb_insert(&w, "2001:db8:1::/48", mmdb_nested(&w, "JP", "13", 35, 139));
    mmdb_insert(&w, "2001:db8:2::/48", mmdb_nested(&w, "HK", "", 22, 114));
    // The copies of the IPv4 tree that MaxMind's databases have.
    int64_t ipv4 = *mmdb_side(&w, "::/96");
    *mmdb_side(&w, "2002::/16") = ipv4;
    *mmdb_side(&w, "::ffff:0:0/96") = ipv4;
    struct geo *geo = load_one(mmdb_save(&w, "nested.mmdb"));
    expect(geo, "192.0.2.77", "CN ZJ 0 - 24");
    expect(geo, "198.51.100.77", "GB ENG 0 - 24");
    expect(geo, "203.0.113.77", "US - 0 - 24"); // no such state
    expect(geo, "2001:db8:1::1", "JP 13 0 - 48");
    expect(geo, "2001:db8:2::1", "HK - 0 - 48");
    expect(geo, "2002:c000:0201::1", "- - 0 - 15");
    expect(geo, "::192.0.2.77", "- - 0 - 3");
    geo_free(geo);
}

static void test_asn_mmdb(void **state)
{
    (void)state;
    struct mmdb_writer w = mmdb_begin(6, 24);
    int64_t telecom = mmdb_asn(&w, 4134, "Chinanet");
    mmdb_insert(&w, "192.0.2.0/24", telecom);
    mmdb_insert(&w, "2001:db8::/32", telecom);
    mmdb_insert(&w, "198.51.100.0/24",
                mmdb_asn(&w, 4200000000, "A private number with a long name"));
    struct geo *geo = load_one(mmdb_save(&w, "asn.mmdb"));
    // An ISP of one country says which country it is, when nothing else does.
    expect(geo, "192.0.2.1", "CN - 4134 cn-telecom 24");
    expect(geo, "2001:db8:ffff::1", "CN - 4134 cn-telecom 32");
    expect(geo, "198.51.100.1", "- - 4200000000 - 6");
    assert_string_equal(fixture_locate(geo, "192.0.2.1").organisation, "Chinanet");
    assert_string_equal(fixture_locate(geo, "198.51.100.1").organisation,
                        "A private number with a long name");
    assert_string_equal(fixture_locate(geo, "203.0.113.1").organisation, "");
    assert_true(geo_summary(geo).has_asns);
    assert_false(geo_summary(geo).has_places);
    geo_free(geo);
}

// Fields where no usual database has them.
static void test_own_fields(void **state)
{
    (void)state;
    struct mmdb_writer w = mmdb_begin(4, 24);
    mmdb_insert(&w, "192.0.2.0/25", mmdb_nested(&w, "CN", "GD", 23, 113));
    mmdb_insert(&w, "192.0.2.128/25", mmdb_asn(&w, 4134, "Chinanet"));
    const char *path = mmdb_save(&w, "fields.mmdb");
    struct geo_fields fields = {.country = "subdivisions.0.iso_code", .asn = "location.nothing"};
    struct geo_config config = {.database_paths = &path, .fields = &fields, .database_count = 1};
    struct diags diags = {0};
    struct geo *geo = geo_load(&config, lines, &diags);
    assert_int_equal(diags.count, 0);
    expect(geo, "192.0.2.1", "GD - 0 - 25"); // Grenada, out of the region's field
    expect(geo, "192.0.2.129", "- - 0 - 25");
    geo_free(geo);

    fields = (struct geo_fields){.country = "country.iso_code"};
    geo = geo_load(&config, lines, &diags);
    assert_int_equal(diags.count, 0);
    expect(geo, "192.0.2.1", "CN - 0 - 25"); // the region was not named
    expect(geo, "192.0.2.129", "CN - 4134 cn-telecom 25");
    geo_free(geo);

    fields = (struct geo_fields){.country = "a.b.c.d.e.f.g.h.i.j", .asn = "x"};
    geo_free(geo_load(&config, lines, &diags));
    assert_int_equal(diags.error_count, 1);
    assert_non_null(strstr(diags.items[0].message, "fields"));
    diags_clear(&diags);
}

static void test_below_64(void **state)
{
    (void)state;
    struct mmdb_writer w = mmdb_begin(6, 28);
    mmdb_insert(&w, "2001:db8:0:1:8000::/68", mmdb_flat(&w, "JP", "", 35, 139));
    mmdb_insert(&w, "2001:db8:0:1:c000::/68", mmdb_flat(&w, "KR", "", 37, 127));
    mmdb_insert(&w, "2001:db8:0:2::1/128", mmdb_flat(&w, "SG", "", 1, 103));
    struct geo *geo = load_one(mmdb_save(&w, "narrow.mmdb"));
    expect(geo, "2001:db8:0:1::1", "JP - 0 - 64");
    expect(geo, "2001:db8:0:1:c000::1", "JP - 0 - 64");
    expect(geo, "2001:db8:0:2:ffff::1", "SG - 0 - 64");
    expect(geo, "2001:db8:0:3::1", "- - 0 - 64");
    geo_free(geo);
}

static void test_mean_coordinates(void **state)
{
    (void)state;
    struct mmdb_writer w = mmdb_begin(4, 28);
    // Two networks at one place and one at another; across the seam of the degrees.
    int64_t west = mmdb_flat(&w, "FJ", "", -17, 179);
    mmdb_insert(&w, "192.0.2.0/25", west);
    mmdb_insert(&w, "192.0.2.128/26", west);
    mmdb_insert(&w, "192.0.2.192/26", mmdb_flat(&w, "FJ", "", -17, -178));
    mmdb_insert(&w, "198.51.100.0/24", mmdb_flat(&w, "AQ", "", 999, NAN)); // no coordinates
    struct geo *geo = load_one(mmdb_save(&w, "mean.mmdb"));
    const struct location *fiji = geo_location(geo, fixture_locate(geo, "192.0.2.1").location);
    assert_true(fabsf(fiji->latitude - -17) < 0.1f);
    assert_true(fabsf(fiji->longitude - 180) < 0.1f || fabsf(fiji->longitude + 180) < 0.1f);
    assert_int_equal(fixture_locate(geo, "192.0.2.200").location,
                     fixture_locate(geo, "192.0.2.1").location);
    const struct location *pole = geo_location(geo, fixture_locate(geo, "198.51.100.1").location);
    assert_string_equal(pole->country, "AQ");
    assert_string_equal(pole->continent, "AN");
    assert_true(isnan(pole->latitude) && isnan(pole->longitude));
    const struct location *unknown = geo_location(geo, LOCATION_UNKNOWN);
    assert_string_equal(unknown->country, "");
    assert_int_equal(unknown->custom_line, -1);
    assert_true(isnan(unknown->latitude));
    geo_free(geo);
}

// --- CSV

static void test_csv_forms(void **state)
{
    (void)state;
    // The same ranges as addresses and as numbers; CRLF, quotes and a header line.
    static const char *const texts[] = {
        "192.0.2.0,192.0.2.255,4134,Chinanet\n"
        "198.51.100.0,198.51.100.127,64500,\"Example, \"\"Inc\"\"\"\n"
        "2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,4837,China169\n",
        "3221225984,3221226239,4134,Chinanet\r\n"
        "3325256704,3325256831,64500,\"Example, \"\"Inc\"\"\"\r\n"
        "42540766411282592856903984951653826560,42540766411283801782723599580828532735,4837,"
        "China169\r\n",
        "start,end,asn,name\r\n"
        "\r\n"
        "2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,AS4837,China169\r\n"
        "198.51.100.0,198.51.100.127,AS64500,\"Example, \"\"Inc\"\"\"\r\n"
        "192.0.2.0,192.0.2.255,AS4134,Chinanet",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct geo *geo = load_one(fixture_text("asn.csv", texts[i]));
        expect(geo, "192.0.2.0", "CN - 4134 cn-telecom 24");
        expect(geo, "192.0.2.255", "CN - 4134 cn-telecom 24");
        expect(geo, "192.0.1.255", "- - 0 - 23");
        expect(geo, "198.51.100.127", "- - 64500 - 6");
        expect(geo, "2001:db8:0:fff::", "CN - 4837 cn-unicom 48");
        assert_string_equal(fixture_locate(geo, "198.51.100.1").organisation, "Example, \"Inc\"");
        geo_free(geo);
    }
}

static void test_csv_countries(void **state)
{
    (void)state;
    struct geo *geo = load_one(fixture_text("country.csv", "192.0.2.0,192.0.2.127,CN\n"
                                                           "192.0.2.128,192.0.2.255,tw\n"
                                                           "198.51.100.0,198.51.100.255,ZZ\n"
                                                           "2001:db8::,2001:db8::5,HK\n"
                                                           "2001:db8::6,2001:db8::9,JP\n"));
    expect(geo, "192.0.2.1", "CN - 0 - 25");
    expect(geo, "192.0.2.129", "TW - 0 - 25");
    expect(geo, "198.51.100.1", "- - 0 - 6");
    expect(geo, "2001:db8::8", "HK - 0 - 64"); // of one /64 the first
    geo_free(geo);
}

static void test_csv_networks(void **state)
{
    (void)state;
    const char *paths[] = {
        fixture_text("networks.csv", "network,country,region\n192.0.2.0/25,CN,Guangdong\n"
                                     "192.0.2.128/25,US,CA\n198.51.100.0/24,FR,IDF\n"
                                     "2001:db8::/48,JP,Tokyo\n2001:db8:1::/48,DE,Atlantis\n"),
        fixture_text("asns.csv", "192.0.2.0/24,4134,Chinanet\n2001:db8::/47,AS64501\n"),
        fixture_text("regions.csv", "203.0.113.0,203.0.113.255,CN,Beijing,Haidian,,39,116\n"),
    };
    struct geo *geo = load(paths, 3);
    expect(geo, "192.0.2.1", "CN GD 4134 cn-telecom 25");
    expect(geo, "192.0.2.129", "US CA 4134 - 25");
    expect(geo, "198.51.100.1", "FR IDF 0 - 24");
    expect(geo, "203.0.113.1", "CN BJ 0 - 24");
    expect(geo, "2001:db8:0:1::", "JP 13 64501 - 48");
    expect(geo, "2001:db8:1:1::", "DE - 64501 - 48");
    geo_free(geo);
    struct diags diags = {0};
    const char *path = fixture_text("mixed.csv", "192.0.2.0/24,CN\n198.51.100.0,198.51.100.9,CN\n"
                                                 "203.0.113.1/24,CN\n203.0.113.0/24,4134\n"
                                                 "203.0.113.0/24\n");
    geo_free(fixture_load(&path, 1, NULL, &diags));
    assert_int_equal(diags.error_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(diags.items[i].line, 2 + i);
    }
    diags_clear(&diags);
}

static void test_csv_overlap(void **state)
{
    (void)state;
    const char *path = fixture_text("overlap.csv", "192.0.2.128,192.0.2.255,64501,b\n"
                                                   "192.0.2.0,192.0.2.191,64500,a\n");
    struct diags diags = {0};
    struct geo *geo = fixture_load(&path, 1, NULL, &diags);
    assert_int_equal(diags.error_count, 0);
    assert_int_equal(diags.warning_count, 1);
    assert_int_equal(diags.items[0].line, 1);
    assert_non_null(strstr(diags.items[0].message, "line 2"));
    assert_int_equal(fixture_locate(geo, "192.0.2.191").asn, 64500);
    assert_int_equal(fixture_locate(geo, "192.0.2.192").asn, 64501);
    diags_clear(&diags);
    geo_free(geo);
}

static void test_csv_faults(void **state)
{
    (void)state;
    const char *path = fixture_text("faults.csv", "192.0.2.0,192.0.2.255,64500,Good\n"
                                                  "192.0.2.0,2001:db8::1,64500,Mixed\n"
                                                  "192.0.2.9,192.0.2.1,64500,Backwards\n"
                                                  "192.0.3.0,192.0.3.256,64500,No address\n"
                                                  "192.0.4.0,192.0.4.255\n"
                                                  "192.0.5.0,192.0.5.255,CN,Not as the first\n"
                                                  "192.0.6.0,192.0.6.255,64500,\"Open\n"
                                                  "192.0.7.0,192.0.7.255,64501,Good\n"
                                                  "99999999999999999999999999999999999999999,"
                                                  "99999999999999999999999999999999999999999,1,\n");
    static const unsigned faulty[] = {2, 3, 4, 5, 6, 7, 9};
    struct diags diags = {0};
    struct geo *geo = fixture_load(&path, 1, NULL, &diags);
    assert_int_equal(diags.error_count, ARRAY_SIZE(faulty));
    for (size_t i = 0; i < ARRAY_SIZE(faulty); i++) {
        assert_int_equal(diags.items[i].line, faulty[i]);
        assert_string_equal(diags.items[i].file, path);
    }
    assert_int_equal(diags.items[4].column, 23);
    // The rest is loaded all the same.
    assert_int_equal(fixture_locate(geo, "192.0.2.1").asn, 64500);
    assert_int_equal(fixture_locate(geo, "192.0.7.1").asn, 64501);
    assert_int_equal(fixture_locate(geo, "192.0.6.1").asn, 0);
    diags_clear(&diags);
    geo_free(geo);
}

static void test_csv_gives_up(void **state)
{
    (void)state;
    char text[8192] = "192.0.2.0,192.0.2.255,64500,Good\n";
    for (int i = 0; i < 100; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "nonsense\n");
    }
    const char *path = fixture_text("nonsense.csv", text);
    struct diags diags = {0};
    struct geo *geo = fixture_load(&path, 1, NULL, &diags);
    assert_in_range(diags.error_count, 2, 30);
    assert_non_null(strstr(diags.items[diags.count - 1].message, "too many faults"));
    diags_clear(&diags);
    geo_free(geo);
}

// --- joining

static void test_without_databases(void **state)
{
    (void)state;
    struct geo *geo = load(NULL, 0);
    expect(geo, "202.96.209.133", "CN - 0 cn-telecom 17");
    expect(geo, "210.22.84.3", "CN - 0 cn-unicom 16");
    expect(geo, "240e::1", "CN - 0 cn-telecom 20");
    expect(geo, "2408:8000::1", "CN - 0 cn-unicom 20");
    assert_int_equal(fixture_locate(geo, "8.8.8.8").location, LOCATION_UNKNOWN);
    assert_false(geo_summary(geo).has_places);
    assert_false(geo_summary(geo).has_asns);
    assert_int_equal(geo_summary(geo).location_count, geo_location_count(geo));
    geo_free(geo);
}

static void test_order_of_trust(void **state)
{
    (void)state;
    const char *databases[] = {
        fixture_text("country.csv", "192.0.2.0,192.0.2.255,CN\n"
                                    "198.51.100.0,198.51.100.255,US\n"
                                    "202.96.209.0,202.96.209.255,CN\n"
                                    "202.96.210.0,202.96.210.255,HK\n"
                                    "210.22.84.0,210.22.84.255,CN\n"),
        fixture_text("asn.csv", "192.0.2.0,192.0.2.63,4134,Chinanet\n"
                                "192.0.2.64,192.0.2.127,64500,CHINANET Hubei province network\n"
                                "192.0.2.128,192.0.2.191,45102,Alibaba\n"
                                "198.51.100.0,198.51.100.63,4134,Chinanet\n"
                                "198.51.100.64,198.51.100.127,64500,CHINANET Hubei\n"
                                "198.51.100.128,198.51.100.191,45102,Alibaba\n"
                                "210.22.84.0,210.22.84.255,64501,Some Customer\n"),
    };
    struct geo *geo = load(databases, 2);
    expect(geo, "192.0.2.1", "CN - 4134 cn-telecom 25");
    expect(geo, "192.0.2.65", "CN - 64500 cn-telecom 25"); // by name; one location with the above
    expect(geo, "192.0.2.129", "CN - 45102 aliyun 26");
    expect(geo, "192.0.2.193", "CN - 0 - 26");
    expect(geo, "198.51.100.1", "US - 4134 - 25"); // abroad it is not the line
    expect(geo, "198.51.100.65", "US - 64500 - 25");
    expect(geo, "198.51.100.129", "US - 45102 aliyun 26");
    expect(geo, "202.96.209.133", "CN - 0 cn-telecom 23"); // built in
    expect(geo, "202.96.210.1", "HK - 0 - 24");            // not against the country
    expect(geo, "210.22.84.3", "CN - 64501 - 24");         // nor against an ASN that is known
    geo_free(geo);
}

static void test_earlier_database_wins(void **state)
{
    (void)state;
    struct mmdb_writer w = mmdb_begin(4, 24);
    mmdb_insert(&w, "192.0.2.0/25", mmdb_flat(&w, "CN", "Guangdong", 23, 113));
    const char *databases[] = {
        mmdb_save(&w, "own.mmdb"),
        fixture_text("wide.csv", "192.0.0.0,192.0.255.255,US\n"),
    };
    struct geo *geo = load(databases, 2);
    expect(geo, "192.0.2.1", "CN GD 0 - 25");
    expect(geo, "192.0.2.129", "US - 0 - 25");
    expect(geo, "192.0.3.1", "US - 0 - 24");
    geo_free(geo);
    const char *swapped[] = {databases[1], databases[0]};
    geo = load(swapped, 2);
    expect(geo, "192.0.2.1", "US - 0 - 16");
    geo_free(geo);
}

struct walked {
    const struct geo *geo;
    enum family family;
    uint64_t next;
    size_t count;
    bool done;
};

static void visit_location(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    struct walked *walked = context;
    assert_false(walked->done);
    assert_true(first == walked->next);
    struct address address = address_from_key(walked->family, first);
    assert_int_equal(geo_locate(walked->geo, &address).location, value);
    walked->next = last + 1;
    walked->done = last == UINT64_MAX;
    walked->count++;
}

static void visit_asn(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    struct walked *walked = context;
    assert_false(walked->done);
    assert_true(first == walked->next);
    struct address address = address_from_key(walked->family, first);
    assert_int_equal(geo_locate(walked->geo, &address).asn, value);
    walked->next = last + 1;
    walked->done = last == UINT64_MAX;
    walked->count++;
}

static void test_walks(void **state)
{
    (void)state;
    struct geo *geo = load_one(fixture_text("asn.csv", "192.0.2.0,192.0.2.127,64500,a\n"
                                                       "192.0.2.128,192.0.2.255,64501,b\n"
                                                       "2001:db8::,2001:db8::1,4294967295,c\n"));
    static const enum family families[] = {FAMILY_IPV4, FAMILY_IPV6};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct walked locations = {.geo = geo, .family = families[i]};
        geo_walk_locations(geo, families[i], visit_location, &locations);
        assert_true(locations.done);
        struct walked asns = {.geo = geo, .family = families[i]};
        geo_walk_asns(geo, families[i], visit_asn, &asns);
        assert_true(asns.done);
        assert_int_equal(asns.count, families[i] == FAMILY_IPV4 ? 4 : 3);
        struct geo_summary summary = geo_summary(geo);
        assert_int_equal(locations.count, families[i] == FAMILY_IPV4 ? summary.network_count_ipv4
                                                                     : summary.network_count_ipv6);
    }
    geo_free(geo);
}

// --- files that are not what they should be

static void expect_error(const char *path, const char *words)
{
    struct diags diags = {0};
    struct geo *geo = fixture_load(&path, 1, NULL, &diags);
    assert_int_equal(diags.error_count, 1);
    assert_string_equal(diags.items[0].file, path);
    if (!strstr(diags.items[0].message, words)) {
        fail_msg("\"%s\" does not say \"%s\"", diags.items[0].message, words);
    }
    // What is built in works all the same.
    expect(geo, "240e::1", "CN - 0 cn-telecom 20");
    diags_clear(&diags);
    geo_free(geo);
}

static void test_wrong_files(void **state)
{
    (void)state;
    expect_error("/nonexistent/city.mmdb", "No such file");
    expect_error("/tmp", "not a regular file");
    expect_error("/dev/null", "not a regular file");
    expect_error(fixture_text("empty", ""), "is empty");
    expect_error(fixture_text("page.html", "<html>\n<p>404</p>\n</html>\n"), "neither an MMDB nor");
    expect_error(fixture_text("words.csv", "network,place\n10.0.0.0/8,nowhere\n"),
                 "neither an MMDB nor");
    expect_error(fixture_text("lines", "\n\n\n\n"), "neither an MMDB nor");
    expect_error(fixture_bytes("zip", "\x1f\x8b\x08\0\0\0", 6), "unpack it");
    expect_error(fixture_bytes("zeros", "\0\0\0\0\0\0\0\0", 8), "no MMDB metadata");
    expect_error(fixture_bytes("marker", "\xab\xcd\xefMaxMind.com", 14), "not a usable MMDB");

    struct mmdb_writer w = mmdb_begin(4, 24);
    int64_t record = mmdb_record(&w);
    mmdb_map(&w, 1);
    mmdb_string(&w, "is_anonymous");
    mmdb_string(&w, "yes");
    mmdb_insert(&w, "192.0.2.0/24", record);
    expect_error(mmdb_save(&w, "other.mmdb"), "no record has a field that is known here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat_mmdb),
        cmocka_unit_test(test_nested_mmdb),
        cmocka_unit_test(test_asn_mmdb),
        cmocka_unit_test(test_below_64),
        cmocka_unit_test(test_mean_coordinates),
        cmocka_unit_test(test_csv_forms),
        cmocka_unit_test(test_csv_countries),
        cmocka_unit_test(test_csv_overlap),
        cmocka_unit_test(test_csv_networks),
        cmocka_unit_test(test_own_fields),
        cmocka_unit_test(test_csv_faults),
        cmocka_unit_test(test_csv_gives_up),
        cmocka_unit_test(test_without_databases),
        cmocka_unit_test(test_order_of_trust),
        cmocka_unit_test(test_earlier_database_wins),
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_wrong_files),
    };
    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
