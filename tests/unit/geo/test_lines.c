// SPDX-License-Identifier: GPL-3.0-or-later
//
// The catalogue: names, what a line holds, precedence, and how an ISP is told.
#include "base/memory.h"
#include "geo/geo.h"
#include "geo/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

static struct lines *lines;

static int set_up(void **state)
{
    (void)state;
    struct diags diags = {0};
    lines = lines_new(NULL, 0, &diags);
    return diags.error_count != 0;
}

static int tear_down(void **state)
{
    (void)state;
    lines_free(lines);
    lines_free(NULL);
    return 0;
}

static const struct line *line_of(const char *name)
{
    int index = lines_find(lines, name);
    if (index < 0) {
        fail_msg("no line has the name \"%s\"", name);
    }
    return lines_get(lines, (size_t)index);
}

static struct location location_of(const char *continent, const char *country, const char *region,
                                   const char *isp)
{
    struct location location = {.custom_line = -1, .isp = lines_isp_find(lines, isp)};
    assert_true(!*isp || location.isp != 0);
    memcpy(location.continent, continent, strlen(continent) + 1);
    memcpy(location.country, country, strlen(country) + 1);
    memcpy(location.region, region, strlen(region) + 1);
    return location;
}

static void test_names(void **state)
{
    (void)state;
    static const char *const rows[][8] = {
        {"default", "DEFAULT", "default_view", "0", "默认"},
        {"cn", "CN", "internal", "7=0", "境内", "国内", "中国大陆"},
        {"overseas", "oversea", "Abroad", "3=0", "境外"},
        {"cn-telecom", "telecom", "Dianxin", "10=0", "电信", "ct", "LTEL"},
        {"cn-unicom", "unicom", "Liantong", "10=1", "联通"},
        {"cn-mobile", "mobile", "Yidong", "10=3", "移动"},
        {"cn-tietong", "Tietong", "铁通"},
        {"cn-edu", "edu", "Jiaoyuwang", "10=2", "教育网"},
        {"cn-cstnet", "cstnet"},
        {"cn-cbn", "btvn", "10=22", "广电"},
        {"cn-drpeng", "drpeng", "Pengboshi", "鹏博士"},
        {"aliyun", "阿里云"},
        {"tencent-cloud", "tencent"},
        {"huawei-cloud"},
        {"baidu-cloud", "baidu"},
        {"cn-telecom-gd", "cn_telecom_guangdong", "Dianxin_Guangdong", "广东电信", "电信_广东"},
        {"cn-unicom-sx", "cn_unicom_shanxi", "Liantong_Shanxi", "山西联通"},
        {"cn-unicom-sn", "cn_unicom_shaanxi", "cn_unicom_shannxi", "Liantong_Shaanxi"},
        {"cn-cbn-nm", "cn_btvn_neimenggu", "内蒙古广电"},
        {"cn-gd", "cn_region_guangdong", "Guangdong", "广东"},
        {"cn-xz", "Xizang", "西藏"},
        {"jp", "JP", "os_asia_jp", "日本"},
        {"hk", "os_asia_hk", "香港"},
        {"la", "LAO"},
        {"na", "NAM"},
        {"us-ca", "os_namerica_us_california", "us-california"},
        {"us-dc", "os_namerica_us_washington_dc"},
        {"ca-nl", "os_namerica_ca_newfoundland"},
        {"europe", "os_euro", "欧洲"},
        {"overseas-asia", "os_asia"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(rows[i]) && rows[i][k]; k++) {
            assert_string_equal(line_of(rows[i][k])->id, rows[i][0]);
        }
    }
    assert_int_equal(lines_find(lines, ""), -1);
    assert_int_equal(lines_find(lines, "cn-telecom-"), -1);
    assert_int_equal(lines_find(lines, "cn-telecom-xx"), -1);
    char endless[4000];
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = 0;
    assert_int_equal(lines_find(lines, endless), -1);
}

static void test_ids_find_their_lines(void **state)
{
    (void)state;
    size_t kinds[LINE_KIND_COUNT] = {0};
    for (size_t i = 0; i < lines_count(lines); i++) {
        const struct line *line = lines_get(lines, i);
        assert_int_equal(lines_find(lines, line->id), i);
        kinds[line->kind]++;
    }
    assert_int_equal(kinds[LINE_DEFAULT], 1);
    assert_int_equal(kinds[LINE_OVERSEAS], 1);
    assert_int_equal(kinds[LINE_CONTINENT], 7 + 1 + 21 + 6);
    assert_int_equal(kinds[LINE_AREA], 7);
    assert_int_equal(kinds[LINE_COUNTRY], 249 + 1);
    assert_int_equal(kinds[LINE_REGION], 31 + 57 + 13 + 36 + 8 + 27 + 16 + 4 + 47 + 9);
    assert_int_equal(kinds[LINE_ISP], 15);
    assert_int_equal(kinds[LINE_ISP_AREA], 15 * 7);
    assert_int_equal(kinds[LINE_ISP_REGION], 15 * 31);
    assert_int_equal(kinds[LINE_CLOUD], 7 * 3);
    assert_int_equal(kinds[LINE_SEARCH], 1 + 8 * 3);
    assert_int_equal(kinds[LINE_OPAQUE], 1);
    assert_int_equal(kinds[LINE_CUSTOM], 0);
}

static void test_holds(void **state)
{
    (void)state;
    static const struct {
        const char *continent, *country, *region, *isp;
        const char *in[8], *out[12];
    } rows[] = {
        {"AS",
         "CN",
         "GD",
         "cn-telecom",
         {"default", "cn", "cn-gd", "cn-telecom", "cn-telecom-gd", "asia"},
         {"overseas", "overseas-asia", "cn-unicom", "cn-bj", "cn-telecom-bj", "cn-unicom-gd", "us",
          "europe", "aliyun"}},
        {"AS",
         "HK",
         "",
         "",
         {"default", "hk", "asia", "overseas", "overseas-asia"},
         {"cn", "cn-gd", "cn-telecom", "oceania"}},
        {"NA",
         "US",
         "CA",
         "aliyun",
         {"default", "us", "us-ca", "aliyun", "overseas", "north-america"},
         {"ca", "cn", "us-ny", "cn-mobile", "tencent-cloud"}},
        {"AS",
         "CN",
         "BJ",
         "cn-tietong",
         {"cn-tietong", "cn-mobile", "cn-mobile-bj", "cn-tietong-bj"},
         {"cn-mobile-gd", "cn-telecom"}},
        {"AS", "CN", "BJ", "cn-mobile", {"cn-mobile"}, {"cn-tietong", "cn-tietong-bj"}},
        {"", "", "", "", {"default"}, {"cn", "overseas", "asia", "overseas-asia", "us", "cn-gd"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct location location =
            location_of(rows[i].continent, rows[i].country, rows[i].region, rows[i].isp);
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].in) && rows[i].in[k]; k++) {
            assert_true(line_holds(line_of(rows[i].in[k]), &location));
        }
        for (size_t k = 0; k < ARRAY_SIZE(rows[i].out) && rows[i].out[k]; k++) {
            assert_false(line_holds(line_of(rows[i].out[k]), &location));
        }
    }
}

// Strongest first; the example of DNSPod's manual is the middle of the second row.
static void test_rank(void **state)
{
    (void)state;
    static const char *const orders[][10] = {
        [PRECEDENCE_ISP_FIRST] = {"office", "cn-telecom-gd", "cn-tietong", "cn-mobile", "cn-gd",
                                  "cn", "overseas-asia", "asia", "overseas", "default"},
        [PRECEDENCE_PROVINCE_FIRST] = {"office", "cn-telecom-gd", "cn-gd", "cn-tietong",
                                       "cn-mobile", "cn", "overseas-asia", "asia", "overseas",
                                       "default"},
    };
    struct line office = {.kind = LINE_CUSTOM, .id = "office"};
    for (size_t p = 0; p < ARRAY_SIZE(orders); p++) {
        unsigned previous = line_rank(&office, (enum line_precedence)p);
        for (size_t i = 1; i < ARRAY_SIZE(orders[p]); i++) {
            unsigned rank = line_rank(line_of(orders[p][i]), (enum line_precedence)p);
            assert_true(rank < previous);
            previous = rank;
        }
    }
}

static void test_isp_of_asn(void **state)
{
    (void)state;
    static const struct {
        uint32_t asn;
        const char *organisation, *country, *isp;
    } rows[] = {
        {4134, "Chinanet", "CN", "cn-telecom"},
        {4134, "Chinanet", "", "cn-telecom"}, // country unknown: the ASN decides
        {4134, "Chinanet", "US", ""},
        {4837, "CHINA UNICOM China169 Backbone", "CN", "cn-unicom"},
        {56040, "China Mobile Communications Group Co., Ltd.", "CN", "cn-mobile"},
        {56043, "PepsiCo", "CN", ""},
        {9394, "China TieTong Telecommunications Corporation", "CN", "cn-tietong"},
        {4538, "China Education and Research Network Center", "CN", "cn-edu"},
        {7497, "CNIC-CAS", "CN", "cn-cstnet"},
        {45102, "Alibaba (US) Technology Co., Ltd.", "SG", "aliyun"},
        {45102, "", "", "aliyun"},
        {15169, "Google LLC", "US", ""},
        {0, "", "CN", ""},
        // By name: only where the country is known to be the ISP's.
        {64500, "CHINANET Guangdong province network", "CN", "cn-telecom"},
        {64500, "CHINANET Guangdong province network", "", ""},
        {64500, "China Mobile International Limited", "HK", ""},
        {64500, "ASN for TIANJIN Provincial Net of CT", "CN", "cn-telecom"},
        {64500, "UNICOM Ningxia province network", "CN", "cn-unicom"},
        {64500, "China TieTong Shanghai", "CN", "cn-tietong"},
        {64500, "CERNET2 IX at Tsinghua University", "CN", "cn-edu"},
        // The traps of loose patterns.
        {64500, "Beijing Baidu Netcom Science and Technology Co., Ltd.", "CN", ""},
        {64500, "NetCom BW GmbH", "DE", ""},
        {64500, "Mayo Foundation for Medical Education and Research", "US", ""},
        {64500, "Lenovo Mobile Communication", "CN", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint16_t isp = lines_isp_of_asn(lines, rows[i].asn, rows[i].organisation, rows[i].country);
        assert_string_equal(lines_isp_name(lines, isp), rows[i].isp);
    }
    assert_int_equal(lines_isp_find(lines, "cn-telecom-gd"), 0);
    assert_int_equal(lines_isp_find(lines, "cn"), 0);
    assert_string_equal(lines_isp_country(lines, lines_isp_find(lines, "电信")), "CN");
    assert_string_equal(lines_isp_country(lines, lines_isp_find(lines, "aliyun")), "");
}

static const char *network_isp(const char *text)
{
    struct address address;
    assert_true(address_parse(text, &address));
    struct prefix network;
    uint16_t isp;
    const char *found = "";
    for (size_t i = 0; lines_isp_network(lines, i, &network, &isp); i++) {
        if (prefix_contains(&network, &address)) {
            assert_string_equal(found, ""); // disjoint
            found = lines_isp_name(lines, isp);
        }
    }
    return found;
}

static void test_isp_networks(void **state)
{
    (void)state;
    assert_string_equal(network_isp("202.96.209.133"), "cn-telecom");
    assert_string_equal(network_isp("210.22.84.3"), "cn-unicom");
    assert_string_equal(network_isp("221.130.33.52"), "cn-mobile");
    assert_string_equal(network_isp("166.111.8.28"), "cn-edu");
    assert_string_equal(network_isp("240e::1"), "cn-telecom");
    assert_string_equal(network_isp("2408:8000::1"), "cn-unicom");
    assert_string_equal(network_isp("2409:8000::1"), "cn-mobile");
    assert_string_equal(network_isp("2001:da8::666"), "cn-edu");
    assert_string_equal(network_isp("8.8.8.8"), "");
    assert_string_equal(network_isp("192.0.2.1"), "");
    assert_string_equal(network_isp("2001:db8::1"), "");
}

static void test_places(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"CN", "Guangdong", "GD"},
        {"CN", "gd", "GD"},
        {"CN", "Shanxi", "SX"},
        {"CN", "Shaanxi", "SN"},
        {"CN", "SHAANXI SHENG", "SN"},
        {"CN", "Inner Mongolia", "NM"},
        {"CN", "Tibet", "XZ"},
        {"CN", "California", ""},
        {"US", "California", "CA"},
        {"US", "District of Columbia", "DC"},
        {"US", "Georgia", "GA"},
        {"CA", "Quebec", "QC"},
        {"CA", "Québec", "QC"},
        {"CA", "ca", ""},
        {"DE", "Bayern", "BY"},
        {"DE", "Bavaria", "BY"},
        {"IN", "Tamil Nadu", "TN"},
        {"JP", "Tokyo", "13"},
        {"FR", "Bretagne", ""},
        {"", "GD", ""},
        {"CN", "", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_string_equal(geo_region_code(rows[i][0], rows[i][1]), rows[i][2]);
    }
    assert_string_equal(geo_continent_of("CN"), "AS");
    assert_string_equal(geo_continent_of("AQ"), "AN");
    assert_string_equal(geo_continent_of("XK"), "EU");
    assert_string_equal(geo_continent_of("ZZ"), "");
    assert_string_equal(geo_continent_of(""), "");
}

static void test_custom(void **state)
{
    (void)state;
    struct prefix network;
    assert_true(prefix_parse("10.0.0.0/8", &network, NULL));
    static const uint32_t asn = 64500;
    static const char countries[][3] = {"CN", "HK"};
    const struct line_definition custom[] = {
        {.name = "office",
         .place = {"shared.yaml", 2, 3},
         .networks = &network,
         .network_count = 1,
         .asns = &asn,
         .asn_count = 1,
         .countries = countries,
         .country_count = 2},
        {.name = "Telecom", .place = {"shared.yaml", 3, 3}, .asns = &asn, .asn_count = 1},
        {.name = "OFFICE", .place = {"shared.yaml", 4, 3}, .asns = &asn, .asn_count = 1},
        {.name = "nobody", .place = {"shared.yaml", 5, 3}},
        {.name = "", .place = {"shared.yaml", 6, 3}, .asns = &asn, .asn_count = 1},
    };
    struct diags diags = {0};
    struct lines *own = lines_new(custom, ARRAY_SIZE(custom), &diags);
    assert_int_equal(diags.error_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(diags.items[i].line, 3 + i);
    }
    assert_non_null(strstr(diags.items[0].message, "cn-telecom"));
    assert_int_equal(lines_count(own), lines_count(lines) + 2);

    int index = lines_find(own, "Office");
    assert_true(index >= (int)lines_count(lines));
    const struct line *line = lines_get(own, (size_t)index);
    assert_int_equal(line->kind, LINE_CUSTOM);
    assert_string_equal(line->id, "office");
    assert_ptr_not_equal(line->networks, &network);
    assert_memory_equal(line->networks, &network, sizeof(network));
    assert_int_equal(line->asns[0], asn);
    struct location hongkong = location_of("AS", "HK", "", "");
    struct location japan = location_of("AS", "JP", "", "");
    struct location unknown = location_of("", "", "", "");
    assert_true(line_holds(line, &hongkong));
    assert_false(line_holds(line, &japan));
    assert_false(line_holds(line, &unknown));
    assert_string_equal(lines_get(own, (size_t)lines_find(own, "telecom"))->id, "cn-telecom");
    lines_free(own);
    diags_clear(&diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),      cmocka_unit_test(test_ids_find_their_lines),
        cmocka_unit_test(test_holds),      cmocka_unit_test(test_rank),
        cmocka_unit_test(test_isp_of_asn), cmocka_unit_test(test_isp_networks),
        cmocka_unit_test(test_places),     cmocka_unit_test(test_custom),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
