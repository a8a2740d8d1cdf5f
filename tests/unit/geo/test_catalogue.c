// SPDX-License-Identifier: GPL-3.0-or-later
//
// The catalogue as data: what providers call its lines, what an operator's file adds and overrides,
// and every fault of such a file with its place.
#include "base/memory.h"
#include "geo/geo.h"
#include "geo/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static struct lines *load(const char *text, struct diags *diags)
{
    snprintf(path, sizeof(path), "/tmp/signpost-lines-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct lines *lines = lines_load(path, NULL, 0, diags);
    unlink(path);
    return lines;
}

static const struct line *line_of(const struct lines *lines, const char *name)
{
    int index = lines_find(lines, name);
    if (index < 0) {
        fail_msg("no line has the name \"%s\"", name);
    }
    return lines_get(lines, (size_t)index);
}

// What each console calls a line, and the traps among the codes.
static const struct {
    const char *provider, *code, *id;
} codes[] = {
    {"dnspod", "0", "default"},
    {"dnspod", "7=0", "cn"},
    {"dnspod", "3=0", "overseas"},
    {"dnspod", "10=0", "cn-telecom"},
    {"dnspod", "10=3", "cn-mobile"},
    {"dnspod", "90=3", "search-bing"},
    {"dnspod", "默认", "default"},
    {"dnspod", "境内", "cn"},
    {"dnspod", "国外", "overseas"},
    {"dnspod", "China Telecom", "cn-telecom"},
    {"dnspod", "广东", "cn-gd"},
    {"dnspod", "广东电信", "cn-telecom-gd"},
    {"dnspod", "10=77", NULL},
    {"dnspod", "1", NULL},
    {"alidns", "default", "default"},
    {"alidns", "oversea", "overseas"},
    {"alidns", "os_asia", "overseas-asia"},
    {"alidns", "os_asia_jp", "jp"},
    {"alidns", "os_namerica_us_california", "us-ca"},
    {"alidns", "os_asia_in_tamil", "in-tn"},
    {"alidns", "os_eastern_africa", "eastern-africa"},
    {"alidns", "os_south_america", "south-america"},
    {"alidns", "cn_region_huadong", "cn-huadong"},
    {"alidns", "cn_telecom_huabei", "cn-telecom-huabei"},
    {"alidns", "cn_btvn_guangdong", "cn-cbn-gd"},
    {"alidns", "wexchange_guangdong", "cn-wexchange-gd"},
    {"alidns", "cn_wexchange_guangdong", "cn-wexchange-gd"},
    {"alidns", "topway", "cn-topway"},
    {"alidns", "topway_video", "cn-topway"},
    {"alidns", "bgctv", "cn-bgctv"},
    {"alidns", "aliyun", "aliyun"},
    {"alidns", "cn_aliyun", "aliyun-cn"},
    {"alidns", "os_aliyun", "aliyun-overseas"},
    {"alidns", "search", "search"},
    {"alidns", "cn_search_biying", "search-bing-cn"},
    {"alidns", "aliyun_r_cn-beijing", NULL},
    {"alidns", "os_asia_other", NULL},
    // Shanxi and Shaanxi, in three spellings.
    {"alidns", "cn_region_shanxi", "cn-sx"},
    {"alidns", "cn_region_shaanxi", "cn-sn"},
    {"alidns", "cn_region_shannxi", "cn-sn"},
    {"alidns", "cn_unicom_shanxi", "cn-unicom-sx"},
    {"alidns", "cn_unicom_shannxi", "cn-unicom-sn"},
    {"huawei", "Dianxin_Shanxi", "cn-telecom-sx"},
    {"huawei", "Dianxin_Shaanxi", "cn-telecom-sn"},
    {"huawei", "default_view", "default"},
    {"huawei", "Dianxin", "cn-telecom"},
    {"huawei", "Dianxin_Huabei", "cn-telecom-huabei"},
    {"huawei", "Dianxin_Guangdong", "cn-telecom-gd"},
    {"huawei", "电信_广东", "cn-telecom-gd"},
    {"huawei", "Pengboshi", "cn-drpeng"},
    {"huawei", "Guangdong", "cn-gd"},
    {"huawei", "Huanan", "cn-huanan"},
    {"huawei", "Abroad", "overseas"},
    // Continents that look like countries, and the countries that had to give way.
    {"huawei", "AF", "huawei-af"},
    {"huawei", "AFG", "af"},
    {"huawei", "NA", "huawei-na"},
    {"huawei", "NAM", "na"},
    {"huawei", "LA", "huawei-la"},
    {"huawei", "LAO", "la"},
    {"huawei", "AS", "as"},
    {"huawei", "SA", "sa"},
    {"huawei", "AP", "huawei-ap"},
    // Handed out once, still in dumps.
    {"huawei", "Jiaoyuwang_Beijing", "cn-edu-bj"},
    {"huawei", "Tietong_Huadong", "cn-tietong-huadong"},
    {"huawei", "ZZ", NULL},
    {"51dns", "2", "cn-telecom"},
    {"51dns", "5", "overseas"},
    {"jdcloud", "-1", "default"},
    {"jdcloud", "2", "cn-unicom"},
    {"westcn", "LTEL", "cn-telecom"},
};

static void test_providers(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct lines *lines = lines_new(NULL, 0, &diags);
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        int line = lines_find_at(lines, codes[i].provider, codes[i].code);
        const char *id = line >= 0 ? lines_get(lines, (size_t)line)->id : NULL;
        if ((id == NULL) != (codes[i].id == NULL) || (id && strcmp(id, codes[i].id) != 0)) {
            fail_msg("%s:%s is %s, expected %s", codes[i].provider, codes[i].code,
                     id ? id : "nothing", codes[i].id ? codes[i].id : "nothing");
        }
    }
    assert_string_equal(line_of(lines, "huawei:AF")->id, "huawei-af");
    assert_string_equal(line_of(lines, "AF")->id, "af");
    int opaque;
    assert_true(lines_is_foreign(lines, "alidns:aliyun_r_cn-beijing", &opaque));
    assert_int_equal(lines_get(lines, (size_t)opaque)->kind, LINE_OPAQUE);
    assert_false(lines_is_foreign(lines, "alidns:", &opaque));
    assert_false(lines_is_foreign(lines, "alidnss:telecom", &opaque));
    struct location anywhere = {.continent = "AS", .country = "CN", .custom_line = -1};
    assert_false(line_holds(lines_get(lines, (size_t)opaque), &anywhere));
    lines_free(lines);
}

// From strong to weak, as the two kinds of consoles have it.
static void test_orders(void **state)
{
    (void)state;
    static const char *const orders[][18] = {
        [PRECEDENCE_ISP_FIRST] = {"own", "search-baidu-cn", "search-baidu", "search", "aliyun-cn",
                                  "aliyun", "cn-telecom-gd", "cn-telecom-huanan", "cn-telecom",
                                  "cn-gd", "cn-huanan", "cn", "eastern-asia", "overseas-asia",
                                  "asia", "overseas", "default"},
        [PRECEDENCE_PROVINCE_FIRST] = {"own", "search-baidu-cn", "search-baidu", "search",
                                       "cn-telecom-gd", "cn-gd", "cn-telecom-huanan", "cn-huanan",
                                       "aliyun-cn", "aliyun", "cn-telecom", "cn", "eastern-asia",
                                       "overseas-asia", "asia", "overseas", "default"},
    };
    struct diags diags = {0};
    struct lines *lines = load("custom\town\nnetwork\town\t10.0.0.0/8\n", &diags);
    assert_int_equal(diags.count, 0);
    for (size_t p = 0; p < ARRAY_SIZE(orders); p++) {
        for (size_t i = 1; i < ARRAY_SIZE(orders[p]) && orders[p][i]; i++) {
            unsigned stronger = line_rank(line_of(lines, orders[p][i - 1]), p);
            if (line_rank(line_of(lines, orders[p][i]), p) >= stronger) {
                fail_msg("%s is not weaker than %s", orders[p][i], orders[p][i - 1]);
            }
        }
    }
    lines_free(lines);
}

static const char own_rows[] =
    "# an operator's file\r\n"
    "isp\tcn-example\t\tCN\t\tcn-telecom\texample\t示例\texamplenet 示例网\r\n"
    "asn\tcn-example\t64500\n"
    "asn\tcn-unicom\t4134\n" // built in for Telecom
    "asn\t-\t9808\n"         // of nobody now
    "name\tcn-example\t^Example (Broadband|Cable)$\n"
    "network\tcn-example\t203.0.113.0/24\n"
    "network\ttelecom\t2001:db8::/40\n"
    "\n"
    "cloud\texample-cloud\t\t\t\t\texcloud\n"
    "asn\texample-cloud\t64510-64513\n"
    "network\tsearch-baidu-cn\t198.51.100.0/25\n"
    "network\t百度\t198.51.100.128/25\n"
    "group\tbenelux\t\tBE NL LU\n"
    "area\tcn-delta\t\tCN\tGD Guangxi\t\tdelta\t三角\n"
    "area\tfr-paris\t\tFR\tIDF\n"
    "alias\tcn-telecom\tmytel 联通\n" // the second was Unicom's
    "custom\toffice\n"
    "network\toffice\t10.0.0.0/8\n"
    "asn\toffice\t64501";

static void test_file(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct lines *lines = load(own_rows, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        print_error("%u:%u: %s\n", diags.items[i].line, diags.items[i].column,
                    diags.items[i].message);
    }
    assert_int_equal(diags.count, 0);
    uint16_t example = lines_isp_find(lines, "examplenet");
    assert_string_equal(lines_isp_name(lines, example), "cn-example");
    assert_string_equal(line_of(lines, "cn_example_guangdong")->id, "cn-example-gd");
    assert_string_equal(line_of(lines, "广东示例")->id, "cn-example-gd");
    assert_int_equal(line_of(lines, "cn-example-huabei")->kind, LINE_ISP_AREA);
    assert_int_equal(line_of(lines, "cn-telecom-delta")->kind, LINE_ISP_AREA);
    assert_int_equal(lines_isp_of_asn(lines, 64500, "", "CN"), example);
    assert_int_equal(lines_isp_of_asn(lines, 64509, "example cable", "CN"), example);
    assert_int_equal(lines_isp_of_asn(lines, 64509, "example cable", "US"), 0);
    assert_string_equal(lines_isp_name(lines, lines_isp_of_asn(lines, 4134, "Chinanet", "CN")),
                        "cn-unicom");
    assert_int_equal(lines_isp_of_asn(lines, 9808, "China Mobile", "CN"), 0);
    uint16_t block = lines_isp_find(lines, "example-cloud");
    assert_int_equal(lines_isp_of_asn(lines, 64509, "", ""), 0);
    assert_int_equal(lines_isp_of_asn(lines, 64510, "", ""), block);
    assert_int_equal(lines_isp_of_asn(lines, 64513, "", ""), block);
    assert_int_equal(lines_isp_of_asn(lines, 64514, "", ""), 0);
    assert_string_equal(line_of(lines, "联通")->id, "cn-telecom");

    struct location location = {.country = "CN", .region = "GD", .isp = example, .custom_line = -1};
    assert_true(line_holds(line_of(lines, "cn-example"), &location));
    assert_true(line_holds(line_of(lines, "cn-telecom"), &location)); // within it
    assert_true(line_holds(line_of(lines, "cn-telecom-gd"), &location));
    assert_true(line_holds(line_of(lines, "cn-delta"), &location));
    assert_true(line_holds(line_of(lines, "cn-example-delta"), &location));
    assert_false(line_holds(line_of(lines, "cn-unicom"), &location));
    assert_false(line_holds(line_of(lines, "cn-huabei"), &location));
    assert_false(line_holds(line_of(lines, "fr-paris"), &location));
    assert_false(line_holds(line_of(lines, "benelux"), &location));
    struct location brussels = {.country = "BE", .custom_line = -1};
    assert_true(line_holds(line_of(lines, "benelux"), &brussels));
    struct location paris = {.country = "FR", .region = "IDF", .custom_line = -1};
    assert_true(line_holds(line_of(lines, "fr-paris"), &paris));
    struct location cloud = {
        .country = "CN", .isp = lines_isp_find(lines, "example-cloud"), .custom_line = -1};
    assert_true(line_holds(line_of(lines, "cn_excloud"), &cloud));
    assert_false(line_holds(line_of(lines, "os_excloud"), &cloud));

    assert_int_equal(line_of(lines, "search-baidu-cn")->network_count, 1);
    assert_int_equal(line_of(lines, "search-baidu")->network_count, 2);
    assert_int_equal(line_of(lines, "search")->network_count, 2);
    assert_int_equal(line_of(lines, "search-google")->network_count, 0);
    assert_int_equal(line_of(lines, "office")->asns[0], 64501);
    struct prefix network;
    uint16_t isp;
    assert_true(lines_own_network(lines, 1, &network, &isp));
    assert_string_equal(lines_isp_name(lines, isp), "cn-telecom");
    assert_false(lines_own_network(lines, 2, &network, &isp));
    lines_free(lines);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *text, *place, *message;
    } rows[] = {
        {"isps\tx\n", "1:1", "begins no row"},
        {"asn\tnowhere\t1\n", "1:5", "there is no line \"nowhere\""},
        {"asn\tcn-telecom\t0\n", "1:16", "no AS number"},
        {"asn\tcn-telecom\t4294967296\n", "1:16", "no AS number"},
        {"asn\tcn-telecom\t64500-64499\n", "1:16", "no AS number"},
        {"asn\tcn-telecom\t64500-\n", "1:16", "no AS number"},
        {"asn\tcn-telecom\t64500-65524\n", "1:16", "FIRST-LAST of up to 1024"},
        {"asn\tcn-telecom\t4294967295-4294967296\n", "1:16", "no AS number"},
        {"asn\tcn-gd\t64500\n", "1:5", "follows from other facts"},
        {"asn\tcn-telecom\t64500\nasn\tcn-unicom\t64500\n", "2:1", "on line 1 already"},
        {"network\tcn-telecom\t10.0.0.1/8\n", "1:20", "bits set past"},
        {"network\tcn-telecom\t2001:db8::/65\n", "1:20", "up to /64"},
        {"network\tcn-telecom\n", "1:1", "no network"},
        {"fallback\tcn-telecom\t10.0.0.0/8\n", "1:1", "built in"},
        {"name\tcn-telecom\t(\n", "1:17", "not a regular expression"},
        {"name\tcn-telecom\t\n", "1:17", "empty"},
        {"name\taliyun\tx\n", "1:6", "ISP with a country"},
        {"isp\tcn-telecom\n", "1:5", "taken already by line \"cn-telecom\""},
        {"isp\ta b\n", "1:5", "without blanks"},
        {"isp\ta:b\n", "1:5", "without blanks"},
        {"isp\tx\t\tQQ\n", "1:8", "no country"},
        {"isp\tx\t\tCN US\n", "1:8", "one country"},
        {"isp\tx\t\tCN\t\tcn-gd\n", "1:12", "no line of this kind"},
        {"area\tx\t\tCN\n", "1:1", "expected regions"},
        {"area\tx\t\tCN\tgd!\n", "1:12", "no region"},
        {"group\tx\n", "1:1", "expected countries"},
        {"custom\tx\t\tCN\nnetwork\tx\t10.0.0.0/8\n", "1:11", "has no countries"},
        {"custom\tx\n", "1:8", "nobody is in it"},
        {"default\tx\n", "1:1", "built in"},
        {"alias\tcn-telecom\tcn-gd\n", "1:18", "names a line already"},
        {"isp\tx\ta\tb\tc\td\te\tf\tg\th\n", "1:1", "columns"},
        {"network\tcn-telecom\t10.0.0.0/8\nnetwork\tcn-telecom\t10.0.0.0/8\n"
         "network\tcn-telecom\t10.0.0.0/9\nnetwork\tcn-unicom\t10.0.0.0/8\n",
         "4:1", "this network is on line 2 already, of another line"},
        {"custom\tx-cn\nasn\tx-cn\t1\ncloud\tx\n", "3:7", "\"x-cn\", which would be half of"},
        {"custom\tx-overseas\nasn\tx-overseas\t1\ncloud\tx\n", "3:7", "is a line already"},
        {"asn\tcn-telecom\t1\xff\n", "1:17", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct diags diags = {0};
        lines_free(load(rows[i].text, &diags));
        char place[32] = "none";
        const char *message = "";
        if (diags.count > 0) {
            snprintf(place, sizeof(place), "%u:%u", diags.items[0].line, diags.items[0].column);
            message = diags.items[0].message;
            assert_string_equal(diags.items[0].file, path);
        }
        if (strcmp(place, rows[i].place) != 0 || !strstr(message, rows[i].message) ||
            diags.error_count == 0) {
            fail_msg("row %zu (%s): got %s: %s", i, rows[i].text, place, message);
        }
        diags_clear(&diags);
    }
    struct diags diags = {0};
    lines_free(lines_load("/nonexistent/lines.tsv", NULL, 0, &diags));
    assert_int_equal(diags.error_count, 1);
    diags_clear(&diags);
}

// Words, ids and what is made of ids, one octet below and above their limits.
static void test_long_words(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        int most; // octets of the word
        const char *message;
    } rows[] = {
        {"alias\tcn-telecom\tshort %.*s", 159, "\"aaaaa"},
        {"isp\tx\t\tCN\t\t\t\t\tshort %.*s", 159, "\"aaaaa"},
        {"isp\tx\t\tCN\t\t\tshort %.*s", 159, "\"aaaaa"},
        {"isp\t%.*s\t\tCN", 79, "1 to 79 characters"},
        {"area\t%.*s\t\tCN\tGD", 79, "1 to 79 characters"},
        {"cloud\t%.*s", 79, "1 to 79 characters"},
    };
    char word[512], text[1024];
    memset(word, 'a', sizeof(word));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (int over = 0; over < 2; over++) {
            struct diags diags = {0};
            snprintf(text, sizeof(text), rows[i].format, rows[i].most + over, word);
            lines_free(load(text, &diags));
            assert_int_equal(diags.error_count, over);
            assert_true(!over || strstr(diags.items[0].message, rows[i].message) != NULL);
            diags_clear(&diags);
        }
    }
    // An ISP and an area of the longest ids, and what is made of the two.
    struct diags diags = {0};
    snprintf(text, sizeof(text), "isp\t%.79s\t\tCN\narea\tb%.78s\t\tCN\tGD\n", word, word);
    struct lines *lines = load(text, &diags);
    assert_int_equal(diags.count, 0);
    snprintf(text, sizeof(text), "%.79s-b%.78s", word, word);
    assert_int_equal(line_of(lines, text)->kind, LINE_ISP_AREA);
    lines_free(lines);
}

// Groups in groups: as deep as a rank can tell.
static void test_depth(void **state)
{
    (void)state;
    char *text = mem_alloc(257 * 40);
    for (int depth = 256; depth <= 257; depth++) {
        size_t size = (size_t)sprintf(text, "group\tg0\t\tCN\n");
        for (int i = 1; i < depth; i++) {
            size += (size_t)sprintf(text + size, "group\tg%d\t\tCN\t\tg%d\n", i, i - 1);
        }
        struct diags diags = {0};
        struct lines *lines = load(text, &diags);
        assert_int_equal(line_of(lines, "g255")->depth, 255);
        assert_int_equal(diags.error_count, depth - 256);
        if (depth > 256) {
            assert_int_equal(diags.items[0].line, 257);
            assert_string_equal(diags.items[0].message, "more than 255 lines within one another");
        }
        diags_clear(&diags);
        lines_free(lines);
    }
    free(text);
}

static void on_clash(void *context, const struct line *a, const struct line *b,
                     const struct prefix *network)
{
    char text[PREFIX_TEXT_MAX], *all = context;
    size_t size = strlen(all);
    snprintf(all + size, 256 - size, "%s %s %s;", a->id, b->id, prefix_format(network, text));
}

static void test_clashes(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct lines *lines = load("custom\ta\ncustom\tb\ncustom\tc\n"
                               "network\ta\t10.0.0.0/8\nnetwork\tb\t10.0.0.0/8\n"
                               "network\ta\t10.1.0.0/16\nnetwork\ta\t10.1.0.0/16\n"
                               "network\tc\t2001:db8::/48\nnetwork\tb\t2001:db8::/48\n"
                               "network\tsearch\t10.0.0.0/8\n",
                               &diags);
    assert_int_equal(diags.count, 0);
    char all[256] = "";
    lines_clashes(lines, on_clash, all);
    assert_string_equal(all, "a b 10.0.0.0/8;b c 2001:db8::/48;");
    lines_free(lines);
}

// Many lines with a network each, half of them within one: nor is this quadratic.
static void test_many(void **state)
{
    (void)state;
    enum { LINES = 20000 };
    char *text = mem_alloc((size_t)LINES * 60 + 100);
    size_t size = (size_t)sprintf(text, "custom\tall\n");
    for (int i = 0; i < LINES; i++) {
        size += (size_t)sprintf(text + size, "custom\tc%d%s\nnetwork\tc%d\t10.%d.%d.0/24\n", i,
                                i % 2 ? "\t\t\t\tall" : "", i, i >> 8, i & 255);
    }
    struct diags diags = {0};
    struct lines *lines = load(text, &diags);
    assert_int_equal(diags.count, 0);
    assert_int_equal(line_of(lines, "all")->network_count, LINES / 2);
    const struct line *line = line_of(lines, "c4097");
    assert_int_equal(line->network_count, 1);
    assert_memory_equal(line->networks[0].address.bytes, "\x0a\x10\x01", 3);
    lines_free(lines);
    free(text);
}

// An operator with a long list: nothing here is quadratic.
static void test_long(void **state)
{
    (void)state;
    enum { ROWS = 100000 };
    char *text = mem_alloc((size_t)ROWS * 40);
    size_t size = 0;
    for (int i = 0; i < ROWS; i++) {
        size += (size_t)snprintf(text + size, 40,
                                 i % 2 ? "asn\tcn-telecom\t%d\n"
                                       : "network\tsearch-bing\t10.%d.%d.0/24\n",
                                 i % 2 ? 100000 + i : (i / 2) >> 8 & 255, (i / 2) & 255);
    }
    struct diags diags = {0};
    struct lines *lines = load(text, &diags);
    assert_int_equal(diags.count, 0);
    assert_int_equal(line_of(lines, "search")->network_count, ROWS / 2);
    assert_string_equal(lines_isp_name(lines, lines_isp_of_asn(lines, 100001, "", "")),
                        "cn-telecom");
    lines_free(lines);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_providers),  cmocka_unit_test(test_orders),
        cmocka_unit_test(test_file),       cmocka_unit_test(test_faults),
        cmocka_unit_test(test_clashes),    cmocka_unit_test(test_long),
        cmocka_unit_test(test_long_words), cmocka_unit_test(test_depth),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
