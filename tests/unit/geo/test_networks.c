// SPDX-License-Identifier: GPL-3.0-or-later
//
// networks.csv: what its cells do, what is refused, and a brute-force reading of random files.
#include "../seed.h"
#include "fixture.h"

#include <math.h>

static int office; // index of the operator's line

static void expect(const struct geo *geo, const char *address, const char *description)
{
    const char *found = fixture_describe(geo, address);
    if (strcmp(found, description) != 0) {
        fail_msg("%s is \"%s\", expected \"%s\"", address, found, description);
    }
}

static const struct location *location_at(const struct geo *geo, const char *address)
{
    return geo_location(geo, fixture_locate(geo, address).location);
}

static struct geo *load(const char *networks, const char *database)
{
    struct diags diags = {0};
    struct geo *geo =
        fixture_load(&database, database ? 1 : 0, fixture_text("networks.csv", networks), &diags);
    if (diags.count > 0) {
        fail_msg("line %u: %s: %s", diags.items[0].line, diags.items[0].key,
                 diags.items[0].message);
    }
    return geo;
}

static void test_cells(void **state)
{
    (void)state;
    struct geo *geo = load("cidr,country,region,asn,line,lat,lon\n"
                           "10.0.0.0/8,CN,GD,64500,office,23.1,113.3\n"
                           "192.0.2.0/25,us,California,,,,\n"
                           "192.0.2.128/25,,,4134,,,\n"
                           "198.51.100.0/25,,,,电信,,\n"
                           "198.51.100.128/25,,,,cn_telecom_guangdong,,\n"
                           "203.0.113.0/26,,,,us-ny,,\n"
                           "203.0.113.64/26,DE,BY,AS64501,\"aliyun\",,\n"
                           "203.0.113.128/26,,,,,-33.9,151.2\n"
                           "203.0.113.192/32,JP,,,,,\n"
                           "2001:db8::/32,,,,cn-unicom,,\n"
                           "2001:db8:0:1::/64,SG,,,default,,\n",
                           NULL);
    expect(geo, "10.1.2.3", "CN GD 64500 - 8");
    assert_int_equal(location_at(geo, "10.1.2.3")->custom_line, office);
    assert_true(fabsf(location_at(geo, "10.1.2.3")->latitude - 23.1f) < 1e-4f);
    assert_true(fabsf(location_at(geo, "10.1.2.3")->longitude - 113.3f) < 1e-4f);
    expect(geo, "192.0.2.1", "US CA 0 - 25");
    expect(geo, "192.0.2.129", "CN - 4134 cn-telecom 25");
    expect(geo, "198.51.100.1", "CN - 0 cn-telecom 25");
    expect(geo, "198.51.100.129", "CN GD 0 cn-telecom 25");
    expect(geo, "203.0.113.1", "US NY 0 - 26");
    expect(geo, "203.0.113.65", "DE BY 64501 aliyun 26");
    expect(geo, "203.0.113.129", "- - 0 - 26");
    assert_true(fabsf(location_at(geo, "203.0.113.129")->latitude + 33.9f) < 1e-4f);
    assert_int_equal(location_at(geo, "203.0.113.129")->custom_line, -1);
    expect(geo, "203.0.113.192", "JP - 0 - 32");
    expect(geo, "2001:db8::1", "CN - 0 cn-unicom 64");
    expect(geo, "2001:db8:0:1::1", "SG - 0 - 64");
    expect(geo, "2001:db8:1::1", "CN - 0 cn-unicom 48");
    geo_free(geo);
}

static void test_columns_in_any_order(void **state)
{
    (void)state;
    struct geo *geo = load("\xef\xbb\xbfline, cidr\r\n\r\ntelecom, 192.0.2.0/24 \r\n"
                           "unicom,192.0.2.128/25\r\n,192.0.2.255",
                           NULL);
    expect(geo, "192.0.2.1", "CN - 0 cn-telecom 25");
    expect(geo, "192.0.2.129", "CN - 0 cn-unicom 25");
    geo_free(geo);
    geo_free(load("cidr\n", NULL));
    geo_free(load("cidr,country", NULL));
}

// Each cell counts for all of its network but the narrower ones that fill the same cell.
static void test_layers(void **state)
{
    (void)state;
    struct mmdb_writer w = mmdb_begin(4, 28);
    mmdb_insert(&w, "192.0.2.0/24", mmdb_flat(&w, "CN", "Guangdong", 23, 113));
    mmdb_insert(&w, "198.51.100.0/24", mmdb_flat(&w, "CN", "Guangdong", 23, 113));
    struct geo *geo = load("cidr,country,region,asn,line,lat,lon\n"
                           "192.0.2.0/25,CN,,,,,\n"   // what the database says
                           "192.0.2.128/25,US,,,,,\n" // its region is none of the US
                           "198.51.100.0/24,,,64500,telecom,1,2\n"
                           "198.51.100.0/26,,,64501,,,\n"   // ISP and coordinates stay
                           "198.51.100.64/26,,,,unicom,,\n" // ASN and coordinates stay
                           "198.51.100.128/26,HK,,,,,\n"    // elsewhere
                           "198.51.100.192/26,,,,,3,4\n"
                           "198.51.100.192/28,,,,,,\n",
                           mmdb_save(&w, "city.mmdb"));
    expect(geo, "192.0.2.1", "CN GD 0 - 25");
    expect(geo, "192.0.2.129", "US - 0 - 25");
    assert_true(isnan(location_at(geo, "192.0.2.129")->latitude));
    expect(geo, "198.51.100.1", "CN GD 64501 cn-telecom 26");
    assert_true(location_at(geo, "198.51.100.1")->latitude == 1);
    expect(geo, "198.51.100.65", "CN GD 64500 cn-unicom 26");
    assert_true(location_at(geo, "198.51.100.65")->longitude == 2);
    expect(geo, "198.51.100.129", "HK - 64500 cn-telecom 26");
    assert_true(isnan(location_at(geo, "198.51.100.129")->latitude));
    expect(geo, "198.51.100.193", "CN GD 64500 cn-telecom 26");
    assert_true(location_at(geo, "198.51.100.193")->latitude == 3);
    geo_free(geo);
}

// Strongest first: networks.csv, the operator's rows of networks, ASN sets, names, what is built
// in.
static void test_order_of_derivation(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct lines *common = lines;
    const char *rows = fixture_text("lines.tsv", "network\tcn-mobile\t203.0.113.0/24\n"
                                                 "network\tcn-edu\t203.0.113.128/25\n"
                                                 "network\tcn-cbn\t198.51.100.0/25\n"
                                                 "network\tcn-mobile\t240e:1::/32\n"
                                                 "asn\tcn-drpeng\t64500\n");
    lines = lines_load(rows, NULL, 0, &diags);
    assert_int_equal(diags.count, 0);
    const char *database =
        fixture_text("asn.csv", "192.0.2.0,192.0.2.127,64500,CHINANET of names\n"
                                "192.0.2.128,192.0.2.255,64501,CHINANET of names\n"
                                "198.51.100.0,203.0.113.255,4134,Chinanet\n");
    const char *place = fixture_text("place.csv", "192.0.2.0,203.0.113.255,CN\n");
    const char *databases[] = {database, place};
    struct geo *geo = fixture_load(databases, 2,
                                   fixture_text("networks.csv", "cidr,country,region,asn,line\n"
                                                                "203.0.113.0/26,,,,cn-unicom\n"
                                                                "203.0.113.128/25,,,,cn-unicom\n"
                                                                "198.51.100.0/24,,,,cn-unicom\n"),
                                   &diags);
    assert_int_equal(diags.count, 0);
    expect(geo, "203.0.113.1", "CN - 4134 cn-unicom 26");    // networks.csv, narrower
    expect(geo, "203.0.113.65", "CN - 4134 cn-mobile 26");   // own row over the ASN
    expect(geo, "203.0.113.129", "CN - 4134 cn-unicom 25");  // networks.csv at the same network
    expect(geo, "198.51.100.1", "CN - 4134 cn-cbn 25");      // own row, narrower
    expect(geo, "198.51.100.129", "CN - 4134 cn-unicom 25"); // networks.csv around it
    expect(geo, "198.51.101.1", "CN - 4134 cn-telecom 24");  // ASN set
    expect(geo, "192.0.2.1", "CN - 64500 cn-drpeng 25");     // own ASN before the name
    expect(geo, "192.0.2.129", "CN - 64501 cn-telecom 25");  // name
    expect(geo, "240e:2::1", "CN - 0 cn-telecom 31");        // built in
    expect(geo, "240e:1::1", "CN - 0 cn-mobile 32");         // own row over what is built in
    expect(geo, "2408:8000::1", "CN - 0 cn-unicom 20");
    geo_free(geo);
    lines_free(lines);
    lines = common;
}

static void test_faults(void **state)
{
    (void)state;
    static const char text[] = "cidr,country,region,asn,line,lat,lon\n" // 1
                               "192.0.2.1/24,,,,,,\n"
                               "192.0.2.0/33,,,,,,\n"
                               ",CN,,,,,\n"
                               "192.0.2.0/24,China,,,,,\n" // 5
                               "192.0.2.0/24,,GD,,,,\n"
                               "192.0.2.0/24,CN,California,,,,\n"
                               "192.0.2.0/24,,,0,,,\n"
                               "192.0.2.0/24,,,4294967296,,,\n"
                               "192.0.2.0/24,,,,nowhere,,\n" // 10
                               "192.0.2.0/24,,,,overseas,,\n"
                               "192.0.2.0/24,US,,,telecom,,\n"
                               "192.0.2.0/24,,,,,91,0\n"
                               "192.0.2.0/24,,,,,north,0\n"
                               "192.0.2.0/24,,,,,1,\n" // 15
                               "192.0.2.0/24,,,,,,,\n"
                               "192.0.2.0/24,\"CN,,,,,\n"
                               "2001:db8::1/128,,,,,,\n"
                               "198.51.100.0/24,,,,,nan,0\n"
                               "198.51.100.0/24,CN,BJ,,cn-gd,,\n" // 20
                               "198.51.100.0/24,CN,,,,,\n"
                               "198.51.100.0/24,US,,,,,\n"
                               "x,XX,,x,x,,x\n";
    static const struct {
        unsigned line, column;
        const char *key;
    } faults[] = {
        {2, 1, "cidr"},     {3, 1, "cidr"},  {4, 1, "cidr"},  {5, 14, "country"}, {6, 15, "region"},
        {7, 17, "region"},  {8, 16, "asn"},  {9, 16, "asn"},  {10, 17, "line"},   {11, 17, "line"},
        {12, 19, "line"},   {13, 18, "lat"}, {14, 18, "lat"}, {15, 20, "lon"},    {16, 20, NULL},
        {17, 1, NULL},      {18, 1, "cidr"}, {19, 21, "lat"}, {20, 24, "line"},   {23, 1, "cidr"},
        {23, 3, "country"}, {23, 7, "asn"},  {23, 9, "line"}, {23, 11, "lat"},    {22, 1, "cidr"},
    };
    const char *path = fixture_text("faults.csv", text);
    struct diags diags = {0};
    struct geo *geo = fixture_load(NULL, 0, path, &diags);
    for (size_t i = 0; i < ARRAY_SIZE(faults) && i < diags.count; i++) {
        const struct diag *diag = &diags.items[i];
        const char *key = diag->key ? diag->key : "", *expected = faults[i].key;
        if (diag->line != faults[i].line || diag->column != faults[i].column ||
            strcmp(key, expected ? expected : "") != 0) {
            fail_msg("fault %zu is %u:%u %s: %s; expected %u:%u %s", i, diag->line, diag->column,
                     key, diag->message, faults[i].line, faults[i].column, expected);
        }
        assert_string_equal(diag->file, path);
    }
    assert_int_equal(diags.error_count, ARRAY_SIZE(faults));
    diags_clear(&diags);
    geo_free(geo);
}

static void test_wrong_headers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
        unsigned column;
    } rows[] = {
        {"", "is empty", 1},
        {"\n\n", "is empty", 1},
        {"country,asn\n", "no column of this name", 1},
        {"10.0.0.0/8,CN\n", "unknown column", 1},
        {"cidr,country,cidr\n", "twice", 14},
        {"cidr,Country\n", "unknown column", 6},
        {"cidr,\"country\n10.0.0.0/8,CN\n", "a quote is not closed", 1},
        {"cidr,\"country\"x\n", "text after the closing quote", 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct diags diags = {0};
        const char *path = fixture_text("header.csv", rows[i].text);
        struct geo *geo = fixture_load(NULL, 0, path, &diags);
        assert_true(diags.error_count >= 1);
        assert_non_null(strstr(diags.items[0].message, rows[i].words));
        assert_int_equal(diags.items[0].column, rows[i].column);
        assert_int_equal(fixture_locate(geo, "10.0.0.1").location, LOCATION_UNKNOWN);
        diags_clear(&diags);
        geo_free(geo);
    }
    struct diags diags = {0};
    struct geo *geo = fixture_load(NULL, 0, "/nonexistent/networks.csv", &diags);
    assert_int_equal(diags.error_count, 1);
    diags_clear(&diags);
    geo_free(geo);
}

// --- brute force

struct row {
    struct prefix prefix;
    const char *country, *region, *isp; // "" empty
    uint32_t asn;
};

static void random_row(uint64_t *dice, struct row *row)
{
    static const char *const countries[] = {"", "CN", "US", "JP"};
    static const char *const regions[][3] = {
        {"", "", ""}, {"", "GD", "BJ"}, {"", "CA", "NY"}, {"", "", ""}};
    static const char *const isps[] = {"", "", "cn-telecom", "cn-unicom", "aliyun"};
    bool ipv6 = random_below(dice, 2);
    // A small space, so that networks nest and touch.
    row->prefix = (struct prefix){.address = {.family = ipv6 ? FAMILY_IPV6 : FAMILY_IPV4}};
    uint8_t *bytes = row->prefix.address.bytes;
    unsigned base = ipv6 ? 4 : 2; // bytes before those that vary
    memcpy(bytes, ipv6 ? "\x20\x01\x0d\xb8" : "\xc0\x00", base);
    bytes[base] = (uint8_t)random_below(dice, 4);
    bytes[base + 1] = (uint8_t)random_next(dice);
    row->prefix.length = (uint8_t)(base * 8 + 4 + random_below(dice, 13));
    address_mask(&row->prefix.address, row->prefix.length);
    size_t country = random_below(dice, ARRAY_SIZE(countries));
    row->isp = isps[random_below(dice, ARRAY_SIZE(isps))];
    // cn-telecom with another country is refused; without one it says the country itself.
    if (row->isp[0] == 'c' && country != 1) {
        country = 1;
    }
    row->country = countries[country];
    row->region = regions[country][random_below(dice, 3)];
    row->asn = random_below(dice, 3) ? 0 : 64500 + random_below(dice, 4);
}

static const struct row *narrowest(const struct row *rows, size_t count,
                                   const struct address *address, const struct row *below)
{
    const struct row *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if (prefix_contains(&rows[i].prefix, address) &&
            (!found || rows[i].prefix.length > found->prefix.length) &&
            (!below || rows[i].prefix.length < below->prefix.length)) {
            found = &rows[i];
        }
    }
    return found;
}

// From the narrowest row outwards: the first that fills a cell decides it; a region also needs that
// every row before it left the country alone or gave the same.
static void oracle_describe(const struct row *rows, size_t count, const struct address *address,
                            char text[64])
{
    const char *country = "", *region = "", *isp = "";
    uint32_t asn = 0;
    for (const struct row *row = narrowest(rows, count, address, NULL); row;
         row = narrowest(rows, count, address, row)) {
        if (!*country) {
            country = row->country;
            region = row->region;
        } else if (!*region && strcmp(row->country, country) == 0) {
            region = row->region;
        } else if (*row->country && !*region) {
            region = "-"; // another country around it: nothing further out is inherited
        }
        isp = *isp ? isp : row->isp;
        asn = asn ? asn : row->asn;
    }
    snprintf(text, 64, "%s %s %u %s", *country ? country : "-", *region ? region : "-", asn,
             *isp ? isp : "-");
}

static bool listed(const struct row *rows, size_t count, const struct row *row)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&rows[i].prefix, &row->prefix, sizeof(row->prefix)) == 0) {
            return true;
        }
    }
    return false;
}

static void check_random_address(const struct geo *geo, const struct row *rows, size_t count,
                                 uint64_t *dice)
{
    struct row row;
    random_row(dice, &row);
    struct address address = row.prefix.address;
    address.bytes[3] ^= (uint8_t)random_below(dice, 2); // the last bit of an IPv4 prefix or not
    char text[ADDRESS_TEXT_MAX], expected[64], found[128];
    address_format(&address, text);
    oracle_describe(rows, count, &address, expected);
    snprintf(found, sizeof(found), "%s", fixture_describe(geo, text));
    *strrchr(found, ' ') = 0; // the length is the business of test_lpm.c
    if (strcmp(found, expected) != 0) {
        fail_msg("%s is \"%s\", expected \"%s\"", text, found, expected);
    }
}

static void test_random_networks(void **state)
{
    (void)state;
    enum { ROWS = 60 };
    uint64_t dice = test_seed();
    for (int round = 0; round < 100; round++) {
        struct row rows[ROWS];
        size_t count = 0, used;
        char text[ROWS * 96] = "cidr,asn,line,country,region\n", prefix[PREFIX_TEXT_MAX];
        for (int i = 0; i < ROWS; i++) {
            random_row(&dice, &rows[count]);
            if (listed(rows, count, &rows[count])) {
                continue;
            }
            const struct row *row = &rows[count++];
            char asn[16] = "";
            if (row->asn) {
                snprintf(asn, sizeof(asn), "%u", row->asn);
            }
            used = strlen(text);
            snprintf(text + used, sizeof(text) - used, "%s,%s,%s,%s,%s\n",
                     prefix_format(&row->prefix, prefix), asn, row->isp, row->country, row->region);
        }
        struct geo *geo = load(text, NULL);
        for (int i = 0; i < 300; i++) {
            check_random_address(geo, rows, count, &dice);
        }
        geo_free(geo);
    }
}

// More different places than there are ids: the rest gets vaguer ones, with a warning.
static void test_too_many_locations(void **state)
{
    (void)state;
    enum { ROWS = 70000 };
    size_t size = 32 + ROWS * 48, used;
    char *text = mem_alloc(size);
    used = (size_t)snprintf(text, size, "cidr,country,lat,lon\n");
    for (unsigned i = 0; i < ROWS; i++) {
        used += (size_t)snprintf(text + used, size - used, "10.%u.%u.%u/32,JP,%.4f,%.4f\n",
                                 i >> 15 & 255, i >> 7 & 255, (i & 127) * 2, i / 1000.0, 1.5);
    }
    const char *path = fixture_bytes("many.csv", text, used);
    struct diags diags = {0};
    struct geo *geo = fixture_load(NULL, 0, path, &diags);
    assert_int_equal(diags.error_count, 0);
    assert_int_equal(diags.warning_count, 1);
    assert_in_range(geo_location_count(geo), 60000, 65534);
    assert_string_equal(location_at(geo, "10.0.0.2")->country, "JP");
    assert_true(fabsf(location_at(geo, "10.0.0.2")->latitude - 0.001f) < 1e-6f);
    expect(geo, "10.2.34.222", "JP - 0 - 32");
    diags_clear(&diags);
    geo_free(geo);
    free(text);
}

static int set_up(void **state)
{
    static const uint32_t asn = 64999;
    const struct line_definition custom = {.name = "office", .asns = &asn, .asn_count = 1};
    struct diags diags = {0};
    fixture_set_up(state);
    lines_free(lines);
    lines = lines_new(&custom, 1, &diags);
    office = lines_find(lines, "office");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),           cmocka_unit_test(test_columns_in_any_order),
        cmocka_unit_test(test_layers),          cmocka_unit_test(test_order_of_derivation),
        cmocka_unit_test(test_faults),          cmocka_unit_test(test_wrong_headers),
        cmocka_unit_test(test_random_networks), cmocka_unit_test(test_too_many_locations),
    };
    return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
