// SPDX-License-Identifier: GPL-3.0-or-later
//
// Record data: vectors from RFCs, refusals, and the round trip of random data of every form.
#include "../zone_test.h"

#include "base/hash.h"
#include "zone/rdata.h"

static const uint8_t origin[] = "\7example\3com";

static const char *hex(const uint8_t *bytes, size_t size)
{
    static char text[4096];
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    text[2 * size] = '\0';
    return text;
}

static const struct {
    uint16_t type;
    const char *text;
    const char *wire; // NULL: refused
    const char *back; // as formatted; NULL: as `text`
} vectors[] = {
    {TYPE_A, "192.0.2.1", "c0000201", NULL},
    {TYPE_A, "192.0.2.256", NULL, NULL},
    {TYPE_A, "192.0.2", NULL, NULL},
    {TYPE_A, "2001:db8::1", NULL, NULL},
    {TYPE_A, "192.0.2.1 192.0.2.2", NULL, NULL},
    {TYPE_A, "\\# 4 c0000201", "c0000201", "192.0.2.1"},
    {TYPE_A, "\\# 5 c000020100", NULL, NULL},
    {TYPE_A, "", NULL, NULL},
    {TYPE_AAAA, "2001:DB8::1", "20010db8000000000000000000000001", "2001:db8::1"},
    {TYPE_NS, "ns", "026e73076578616d706c6503636f6d00", "ns.example.com."},
    {TYPE_NS, "@", "076578616d706c6503636f6d00", "example.com."},
    {TYPE_CNAME, "a\\.b.", "03612e6200", "a\\046b."},
    {TYPE_CNAME, "sp\\032ace.", "0673702061636500", NULL},
    {TYPE_CNAME, ".", "00", NULL},
    {TYPE_CNAME, "a b.", NULL, NULL},
    {TYPE_CNAME, "a..b.", NULL, NULL},
    {TYPE_CNAME, "a;b.", NULL, NULL},
    {TYPE_MX, "10 mail.example.net.", "000a046d61696c076578616d706c65036e657400", NULL},
    {TYPE_MX, "10", NULL, NULL},
    {TYPE_MX, "65536 a.", NULL, NULL},
    {TYPE_MX, "\\# 3 000a40", NULL, NULL},     // a name that is none
    {TYPE_MX, "\\# 5 000ac00c00", NULL, NULL}, // a compressed name
    {TYPE_TXT, "\"a b\" c", "036120620163", "\"a b\" \"c\""},
    {TYPE_TXT, "\"\"", "00", NULL},
    {TYPE_TXT, "\"q\\\" b\\\\ \\000\"", "07712220625c2000", NULL},
    {TYPE_TXT, "\"open", NULL, NULL},
    {TYPE_TXT, "a ; b", NULL, NULL},
    {TYPE_TXT, "a\nb", NULL, NULL},
    {TYPE_TXT, "\"a\nb\"", NULL, NULL},
    {TYPE_TXT, "\\# 3 050102", NULL, NULL}, // a string longer than the data
    {TYPE_TXT, "\\# 0", NULL, NULL},
    {TYPE_SOA, "ns. host. 1 2h 3 4 5",
     "026e730004686f7374000000000100001c20000000030000000400000005", "ns. host. 1 7200 3 4 5"},
    {TYPE_SOA, "ns. host. ( 1 2 3 4 5 )",
     "026e730004686f7374000000000100000002000000030000000400000005", "ns. host. 1 2 3 4 5"},
    {TYPE_SOA, "ns. host. ( 1 2 3 4 5", NULL, NULL},
    {TYPE_SOA, "\\# 2 0000", NULL, NULL},
    {TYPE_SRV, "0 5 5060 sip.example.net.", "0000000513c403736970076578616d706c65036e657400", NULL},
    {TYPE_CAA, "0 issue \"ca.example.net\"", "0005697373756563612e6578616d706c652e6e6574", NULL},
    {TYPE_CAA, "\\# 2 0000", NULL, NULL}, // an empty tag
    {TYPE_CAA, "0 issue \"a\"\nwww A 192.0.2.66", NULL, NULL},
    {TYPE_DS, "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118",
     "ec4505012bb183af5f22588179a53b0a98631fad1a292118", NULL}, // RFC 4034, 5.4
    {TYPE_SSHFP, "2 1 123456789abcdef67890123456789abcdef67890",
     "0201123456789abcdef67890123456789abcdef67890", NULL}, // RFC 4255, 3.2
    {TYPE_URI, "10 1 \"ftp://ftp1.example.com/public\"",
     "000a00016674703a2f2f667470312e6578616d706c652e636f6d2f7075626c6963", NULL}, // RFC 7553
    {TYPE_LOC, "42 21 54 N 71 06 18 W -24m 30m", "0033161389172dd070be15f000988d20",
     "\\# 16 0033161389172dd070be15f000988d20"}, // RFC 1876, 4.1
    {TYPE_NAPTR, "100 50 \"s\" \"http+I2L\" \"!x\\\\1!\" _http._tcp.foo.com.",
     "00640032017308687474702b49324c0521785c3121055f68747470045f74637003666f6f03636f6d00", NULL},
    {TYPE_HTTPS, "1 . alpn=h2,h3 port=8443", "000100000100060268320268330003000220fb",
     "1 . alpn=h2,h3 port=8443"},
    {TYPE_TLSA, "3 1 1 0123", "0301010123", NULL},
    {TYPE_DNSKEY, "256 3 5 AQPS", "010003050103d2", NULL},
    {TYPE_HINFO, "\"a b\" c", "036120620163", "\"a b\" \"c\""},
    {TYPE_RP, "a. b.", "016100016200", NULL},
    {TYPE_AFSDB, "1 a.", "0001016100", NULL},
    {TYPE_OPENPGPKEY, "aGVsbG8=", "68656c6c6f", NULL},
    {51, "1 0 12 aabbccdd", "0100000c04aabbccdd", "\\# 9 0100000c04aabbccdd"}, // NSEC3PARAM
    {TYPE_SVCB, "0 foo.example.com.", "000003666f6f076578616d706c6503636f6d00",
     "0 foo.example.com."}, // RFC 9460, D.1
    {TYPE_SVCB, "16 foo.example.com. port=53", "001003666f6f076578616d706c6503636f6d00000300020035",
     "16 foo.example.com. port=53"}, // RFC 9460, D.2
    {TYPE_SVCB, "1 foo.example.com. port=53 port=54", NULL, NULL},
    {TYPE_HTTPS, "1 . no-default-alpn alpn=h2 ipv6hint=::1,::2",
     "00010000010003026832000200000006"
     "0020000000000000000000000000000000010000000000000000"
     "0000000000000002",
     "1 . alpn=h2 no-default-alpn ipv6hint=::1,::2"},
    {TYPE_HTTPS, "\\# 9 000100000100020161", "000100000100020161", NULL},
    {TYPE_HTTPS, "1 . mandatory=port port=53",
     "00010000000002000300030002003"
     "5",
     "\\# 15 000100000000020003000300020035"},
    // Hints that follow are hints of no octets.
    {TYPE_HTTPS, "1 . ipv4hint=auto", "00010000040000", "1 . ipv4hint=auto"},
    {TYPE_HTTPS, "1 . ipv6hint=\"auto\" alpn=h2 ipv4hint=auto",
     "000100000100030268320004000000060000", "1 . alpn=h2 ipv4hint=auto ipv6hint=auto"},
    {TYPE_SVCB, "( 1 . ipv4hint=192.0.2.1 ipv6hint=auto )", "00010000040004c000020100060000",
     "1 . ipv4hint=192.0.2.1 ipv6hint=auto"},
    {TYPE_HTTPS, "1 . key667=\"x ipv4hint=auto y\"",
     "000100029b001178206970763468696e743d6175746f2079",
     "\\# 24 000100029b001178206970763468696e743d6175746f2079"},
    {TYPE_HTTPS, "1 . ipv4hint=automatic", NULL, NULL},
    {TYPE_HTTPS, "1 . ipv4hint=auto ipv4hint=auto", NULL, NULL},
    {TYPE_HTTPS, "1 . ipv4hint=auto,192.0.2.1", NULL, NULL},
    {TYPE_HTTPS, "1 . ipv4hint=", NULL, NULL},
    {TYPE_HTTPS, "1 . port=auto", NULL, NULL},
    {TYPE_HTTPS, "\\# 7 00010000040000", "00010000040000", "1 . ipv4hint=auto"},
    {TYPE_HTTPS, "\\# 6 000100000400", NULL, NULL},            // half a parameter
    {TYPE_HTTPS, "\\# 11 0001000006000000040000", NULL, NULL}, // out of order
    {TYPE_ALIAS, "www.example.net.", "03777777076578616d706c65036e657400", "www.example.net."},
    {TYPE_ALIAS, "www.example.net. x", NULL, NULL},
    {65280, "\\# 3 abcdef", "abcdef", NULL},
    {65280, "\\# 0", NULL, NULL}, // empty data has no use in documents
    {65280, "abcdef", NULL, NULL},
    {65280, "\\# 2 abcdef", NULL, NULL},
    {TYPE_OPT, "\\# 0", NULL, NULL},
    {TYPE_ANY, "\\# 0", NULL, NULL},
    {0, "\\# 0", NULL, NULL},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        uint8_t rdata[RDATA_MAX_SIZE];
        char text[1024];
        const char *reason = NULL;
        size_t size =
            rdata_parse(vectors[i].type, vectors[i].text, origin, rdata, sizeof(rdata), &reason);
        if (vectors[i].wire == NULL) {
            expect_text(vectors[i].text, hex(rdata, size), "");
            assert_non_null(reason);
            continue;
        }
        expect_text(vectors[i].text, hex(rdata, size), vectors[i].wire);
        assert_true(rdata_check(vectors[i].type, rdata, size));
        expect_text(vectors[i].text, rdata_format(vectors[i].type, rdata, size, text, sizeof(text)),
                    vectors[i].back ? vectors[i].back : vectors[i].text);
    }
}

// The forms again, written down a second time: the oracle of rdata_check and of the round trip.
// Digits are octets, n a name, s a string, c a word, t strings, p parameters of a service, P plain
// ones, x the rest (not empty), * the rest.
static const struct {
    uint16_t type;
    const char *fields;
} forms[] = {
    {TYPE_A, "4"},
    {TYPE_AAAA, "88"},
    {TYPE_NS, "n"},
    {TYPE_CNAME, "n"},
    {TYPE_PTR, "n"},
    {TYPE_DNAME, "n"},
    {TYPE_SOA, "nn488"},
    {TYPE_MX, "2n"},
    {TYPE_TXT, "t"},
    {TYPE_SPF, "t"},
    {TYPE_HINFO, "ss"},
    {TYPE_RP, "nn"},
    {TYPE_AFSDB, "2n"},
    {TYPE_SRV, "6n"},
    {TYPE_NAPTR, "4sssn"},
    {TYPE_DS, "4x"},
    {TYPE_SSHFP, "2x"},
    {TYPE_TLSA, "3x"},
    {TYPE_URI, "4x"},
    {TYPE_CAA, "1cx"},
    {TYPE_DNSKEY, "4x"},
    {TYPE_OPENPGPKEY, "x"},
    {TYPE_KX, "2n"},
    {3, "n"},
    {7, "n"},
    {14, "nn"},
    {19, "s"}, // X25
    {TYPE_RT, "2n"},
    {25, "4x"},  // KEY
    {26, "2nn"}, // PX
    {49, "x"},   // DHCID
    {53, "3x"},  // SMIMEA
    {59, "4x"},  // CDS
    {60, "4x"},  // CDNSKEY
    {107, "2n"}, // LP
    {TYPE_LOC, "88"},
    {TYPE_SVCB, "2np"},
    {TYPE_HTTPS, "2np"},
    {TYPE_HTTPS, "2nP"},
    {TYPE_ALIAS, "n"},
    {TYPE_RRSIG, "99n*"},
    {TYPE_NSEC, "n*"},
    {50, "4ss*"},
    {51, "4s"},
    {108, "6"},
    {109, "8"},
    {65280, "x"},
};

static size_t random_label(uint64_t *seed, uint8_t *at, unsigned longest)
{
    unsigned length = 1 + random_below(seed, longest);
    at[0] = (uint8_t)length;
    for (unsigned i = 1; i <= length; i++) {
        bool plain = random_below(seed, 4) != 0;
        at[i] = (uint8_t)(plain ? 'a' + random_below(seed, 26) : random_below(seed, 256));
    }
    return length + 1;
}

static size_t random_name(uint64_t *seed, uint8_t *at)
{
    size_t used = 0;
    for (unsigned labels = random_below(seed, 6); labels > 0; labels--) {
        used += random_label(seed, at + used, random_below(seed, 20) ? 12 : 47);
    }
    at[used] = 0;
    return used + 1;
}

static size_t random_rest(uint64_t *seed, uint8_t *at, size_t least)
{
    size_t size = least + random_below(seed, random_below(seed, 8) ? 40 : 600);
    for (size_t i = 0; i < size; i++) {
        at[i] = (uint8_t)random_next(seed);
    }
    return size;
}

// Parameters that have a text: protocols, a port, addresses.
static size_t plain_params(uint64_t *seed, uint8_t *at)
{
    size_t size = 0;
    for (uint8_t key = 1; key <= 6; key++) {
        size_t value = 0;
        uint8_t *data = at + size + 4;
        if (key == 5 || random_below(seed, 2)) {
            continue;
        }
        for (unsigned ids = 1 + random_below(seed, 4); key == 1 && ids > 0; ids--) {
            data[value] = (uint8_t)(1 + random_below(seed, 8));
            for (unsigned i = 1; i <= data[value]; i++) {
                data[value + i] = (uint8_t)("ahz019-./"[random_below(seed, 9)]);
            }
            value += data[value] + 1U;
        }
        value = key == 3   ? 2
                : key == 4 ? 4 * random_below(seed, 9)
                : key == 6 ? 16 * random_below(seed, 9)
                           : value;
        for (size_t i = 0; key > 2 && i < value; i++) {
            data[i] = (uint8_t)(random_below(seed, 2) * random_next(seed));
        }
        const uint8_t head[] = {0, key, (uint8_t)(value >> 8), (uint8_t)value};
        memcpy(at + size, head, sizeof(head));
        size += 4 + value;
    }
    return size;
}

static size_t random_field(uint64_t *seed, char field, uint8_t *at)
{
    size_t size = 0;
    switch (field) {
    case 'n':
        return random_name(seed, at);
    case 'c':
        at[0] = (uint8_t)(1 + random_below(seed, 12));
        for (unsigned i = 1; i <= at[0]; i++) {
            at[i] = (uint8_t)('a' + random_below(seed, 26));
        }
        return at[0] + 1U;
    case 's':
        at[0] = (uint8_t)random_below(seed, 256);
        for (unsigned i = 1; i <= at[0]; i++) {
            at[i] = (uint8_t)random_next(seed);
        }
        return at[0] + 1U;
    case 't':
        for (unsigned count = 1 + random_below(seed, 4); count > 0; count--) {
            size += random_field(seed, 's', at + size);
        }
        return size;
    case 'p':
        for (unsigned key = random_below(seed, 3); key < 12; key += 1 + random_below(seed, 5)) {
            size_t value = random_rest(seed, at + size + 4, 0);
            at[size] = 0;
            at[size + 1] = (uint8_t)key;
            at[size + 2] = (uint8_t)(value >> 8);
            at[size + 3] = (uint8_t)value;
            size += 4 + value;
        }
        return size;
    case 'P':
        return plain_params(seed, at);
    case 'x':
        return random_rest(seed, at, 1);
    case '*':
        return random_rest(seed, at, 0);
    default:
        for (; size < (size_t)(field - '0'); size++) {
            at[size] = (uint8_t)random_next(seed);
        }
        return size;
    }
}

static void expect_round_trip(uint16_t type, const uint8_t *rdata, size_t size)
{
    char text[16384];
    uint8_t again[RDATA_MAX_SIZE];
    const char *reason = "";
    rdata_format(type, rdata, size, text, sizeof(text));
    size_t back = rdata_parse(type, text, origin, again, sizeof(again), &reason);
    if (back != size || memcmp(rdata, again, size) != 0) {
        print_error("type %u: %s: %s\n", type, text, reason);
        fail();
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t seed = random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 4000; round++) {
        size_t row = random_below(&seed, ARRAY_SIZE(forms)), size = 0;
        uint8_t rdata[8192];
        for (const char *field = forms[row].fields; *field; field++) {
            size += random_field(&seed, *field, rdata + size);
        }
        assert_true(rdata_check(forms[row].type, rdata, size));
        expect_round_trip(forms[row].type, rdata, size);
        // Cut short in a part of fixed size, it has not the form any more.
        if (strchr("4689n", forms[row].fields[strlen(forms[row].fields) - 1])) {
            assert_false(rdata_check(forms[row].type, rdata, size - 1));
            assert_false(rdata_check(forms[row].type, rdata, size + 1));
        }
    }
}

// Any bytes: the check must not read past them, and what it accepts can be written and read.
static void test_random_bytes(void **state)
{
    (void)state;
    uint64_t seed = random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    size_t accepted = 0;
    for (int round = 0; round < 100000; round++) {
        uint16_t type = forms[random_below(&seed, ARRAY_SIZE(forms))].type;
        size_t size = random_below(&seed, 40);
        uint8_t *rdata = mem_alloc(size); // exactly as large, so that a sanitizer sees overreads
        for (size_t i = 0; i < size; i++) {
            rdata[i] = (uint8_t)random_below(&seed, random_below(&seed, 2) ? 6 : 256);
        }
        if (rdata_check(type, rdata, size) && size > 0 && accepted++ % 16 == 0) {
            expect_round_trip(type, rdata, size);
        }
        char text[64]; // too short for most: must stay inside
        rdata_format(type, rdata, size, text, 1 + random_below(&seed, sizeof(text)));
        free(rdata);
    }
    assert_true(accepted > 1000);
}

static void test_equal(void **state)
{
    (void)state;
    static const uint8_t lower[] = "\0\12\1a\3net", upper[] = "\0\12\1A\3nET",
                         other[] = "\0\13\1a\3net";
    assert_true(rdata_equal(TYPE_MX, lower, sizeof(lower), upper, sizeof(upper)));
    assert_false(rdata_equal(TYPE_MX, lower, sizeof(lower), other, sizeof(other)));
    assert_false(rdata_equal(65280, lower, sizeof(lower), upper, sizeof(upper)));
    assert_false(rdata_equal(TYPE_MX, lower, sizeof(lower), lower, sizeof(lower) - 1));
}

static void test_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path, *apex;
        enum zone_format format;
    } rows[] = {
        {"/etc/zones/example.com.zone", "example.com.", ZONE_FORMAT_MASTER},
        {"example.com.yaml", "example.com.", ZONE_FORMAT_YAML},
        {"z/example.com..yaml", "example.com.", ZONE_FORMAT_YAML},
        {"Example.COM.yml", "Example.COM.", ZONE_FORMAT_YAML},
        {"2.0.192.in-addr.arpa.zone", "2.0.192.in-addr.arpa.", ZONE_FORMAT_MASTER},
        {"example.com", NULL, 0},
        {".zone", NULL, 0},
        {"z/..zone", ".", ZONE_FORMAT_MASTER},
        {"..yaml", ".", ZONE_FORMAT_YAML},
        {"dir.zone/x", NULL, 0},
        {"a..b.zone", NULL, 0},
        {"@.zone", NULL, 0},
        {"x.zone.bak", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint8_t apex[NAME_MAX_SIZE];
        enum zone_format format;
        char text[NAME_TEXT_MAX];
        bool found = zone_path_apex(rows[i].path, apex, &format);
        expect_text(rows[i].path, found ? name_format(apex, text) : "-",
                    rows[i].apex ? rows[i].apex : "-");
        assert_true(!found || format == rows[i].format);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),      cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_equal),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
