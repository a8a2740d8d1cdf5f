// SPDX-License-Identifier: GPL-3.0-or-later
#include "dns/name.h"

#include "../seed.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>
#include <strings.h>

static uint64_t dice;

// A valid name of random labels with any bytes, up to 255 octets.
static size_t random_name(uint8_t name[NAME_MAX_SIZE])
{
    size_t size = 0, limit = 1 + random_below(&dice, NAME_MAX_SIZE);
    unsigned label_max = 1 + random_below(&dice, 63);
    for (;;) {
        unsigned length = 1 + random_below(&dice, label_max);
        if (size + length + 2 > limit) {
            break;
        }
        name[size++] = (uint8_t)length;
        for (unsigned i = 0; i < length; i++) {
            name[size++] = (uint8_t)random_next(&dice);
        }
    }
    name[size++] = 0;
    return size;
}

static void test_text_round_trip(void **state)
{
    (void)state;
    size_t longest = 0;
    for (int round = 0; round < 50000; round++) {
        uint8_t name[NAME_MAX_SIZE], again[NAME_MAX_SIZE];
        size_t size = random_name(name);
        char *text = mem_alloc(NAME_TEXT_MAX); // on the heap: a sanitizer sees its end
        assert_ptr_equal(name_format(name, text), text);
        const char *reason = NULL;
        assert_int_equal(name_parse(text, NULL, again, &reason), size);
        assert_memory_equal(again, name, size);
        for (const char *at = text; *at; at++) {
            assert_in_range(*at, 0x21, 0x7e);
        }
        assert_int_equal(name_size(name), size);
        assert_int_equal(name_check(name, size), size);
        longest = MAX(longest, strlen(text));
        free(text);
    }
    // The longest text there is: four characters an octet.
    uint8_t name[NAME_MAX_SIZE];
    size_t at = 0;
    static const uint8_t lengths[] = {63, 63, 63, 61};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        name[at] = lengths[i];
        memset(name + at + 1, 0xff, lengths[i]);
        at += lengths[i] + 1U;
    }
    name[at++] = 0;
    assert_int_equal(at, NAME_MAX_SIZE);
    char *text = mem_alloc(NAME_TEXT_MAX);
    assert_int_equal(strlen(name_format(name, text)), 4 * 250 + 4);
    free(text);
}

#define LABEL_63 "123456789012345678901234567890123456789012345678901234567890123"

// wire NULL: refused. The wire form is given without its final zero.
static const struct {
    const char *text;
    const char *wire;
} parse_table[] = {
    {".", ""},
    {"@", "\7example"},
    {"www", "\3www\7example"},
    {"www.", "\3www"},
    {"a.b", "\1a\1b\7example"},
    {"a.b.", "\1a\1b"},
    {"WwW.", "\3WwW"},
    {"*", "\1*\7example"},
    {"\\@", "\1@\7example"},
    {"a\\.b.", "\3a.b"},
    {"a\\\\.", "\2a\\"},
    {"\\065\\066.", "\2AB"},
    {"a\\255.", "\2a\377"},
    {"a b.", "\3a b"},
    {LABEL_63 ".", "\77" LABEL_63},
    {LABEL_63 "." LABEL_63 "." LABEL_63 "."
              "1234567890123456789012345678901234567890123456789012345678901.",
     "\77" LABEL_63 "\77" LABEL_63 "\77" LABEL_63 "\75"
     "1234567890123456789012345678901234567890123456789012345678901"},
    {"", NULL},
    {"..", NULL},
    {".a.", NULL},
    {"a..b.", NULL},
    {"a..", NULL},
    {"\\", NULL},
    {"a\\", NULL},
    {"\\25", NULL},
    {"\\2x5.", NULL},
    {"\\256.", NULL},
    {"\\999.", NULL},
    {LABEL_63 "4.", NULL},
    {LABEL_63 "." LABEL_63 "." LABEL_63 "."
              "12345678901234567890123456789012345678901234567890123456789012.",
     NULL},
    {LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, NULL},
    // fits by itself, not with the origin
    {LABEL_63 "." LABEL_63 "." LABEL_63 "."
              "123456789012345678901234567890123456789012345678901234",
     NULL},
};

static void test_parse_table(void **state)
{
    (void)state;
    static const uint8_t origin[] = "\7example";
    for (size_t i = 0; i < ARRAY_SIZE(parse_table); i++) {
        uint8_t *wire = mem_alloc(NAME_MAX_SIZE);
        const char *reason = NULL;
        size_t size = name_parse(parse_table[i].text, origin, wire, &reason);
        print_message("\"%s\": %s\n", parse_table[i].text, reason ? reason : "good");
        if (parse_table[i].wire == NULL) {
            assert_int_equal(size, 0);
            assert_non_null(reason);
            assert_int_equal(name_parse(parse_table[i].text, origin, wire, NULL), 0);
        } else {
            assert_int_equal(size, strlen(parse_table[i].wire) + 1);
            assert_memory_equal(wire, parse_table[i].wire, size);
        }
        free(wire);
    }
    uint8_t wire[NAME_MAX_SIZE];
    assert_int_equal(name_parse("\\000.", origin, wire, NULL), 3);
    assert_memory_equal(wire, "\1\0", 3);
    assert_int_equal(name_parse("www", NULL, wire, NULL), 5);
    assert_int_equal(name_parse("@", NULL, wire, NULL), 1);
}

// Any text: refused with a reason, or a valid name.
static void test_parse_random_text(void **state)
{
    (void)state;
    static const char alphabet[] = "ab.\\0129@ \x80\xff";
    for (int round = 0; round < 100000; round++) {
        char text[400];
        size_t length = random_below(&dice, round % 10 == 0 ? sizeof(text) : 12);
        for (size_t i = 0; i < length; i++) {
            text[i] = alphabet[random_below(&dice, sizeof(alphabet) - 1)];
        }
        text[length] = '\0';
        uint8_t *wire = mem_alloc(NAME_MAX_SIZE);
        const char *reason = NULL;
        size_t size = name_parse(text, NULL, wire, &reason);
        if (size > 0) {
            assert_int_equal(name_check(wire, NAME_MAX_SIZE), size);
        } else {
            assert_non_null(reason);
        }
        free(wire);
    }
}

static void test_check_every_truncation(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        uint8_t name[NAME_MAX_SIZE];
        size_t size = random_name(name);
        for (size_t available = 0; available <= size; available++) {
            uint8_t *cut = mem_copy(name, available);
            assert_int_equal(name_check(cut, available), available == size ? size : 0);
            free(cut);
        }
    }
    // Pointers and the reserved label types are no names; neither is one octet too many.
    for (unsigned length = 64; length < 256; length++) {
        uint8_t wire[300] = {(uint8_t)length};
        assert_int_equal(name_check(wire, sizeof(wire)), 0);
    }
    uint8_t wire[300];
    memset(wire, 1, sizeof(wire));
    wire[254] = 0; // 127 labels of one octet
    assert_int_equal(name_check(wire, sizeof(wire)), 255);
    assert_int_equal(name_label_count(wire), 127);
    memset(wire, 1, sizeof(wire));
    wire[2] = 2;
    wire[255] = 0;
    assert_int_equal(name_check(wire, sizeof(wire)), 0);
}

static size_t wire_of(const char *text, uint8_t wire[NAME_MAX_SIZE])
{
    size_t size = name_parse(text, NULL, wire, NULL);
    assert_true(size > 0);
    return size;
}

// Equality by another road: the presentation form.
static bool slow_equal(const uint8_t *a, const uint8_t *b)
{
    char x[NAME_TEXT_MAX], y[NAME_TEXT_MAX];
    return strcasecmp(name_format(a, x), name_format(b, y)) == 0;
}

// Names of few letters and labels, so that many are equal or within each other.
static void small_name(uint8_t name[NAME_MAX_SIZE])
{
    static const char letters[] = {'a', 'A', 'b', 'Z', '[', 0};
    size_t size = 0;
    for (unsigned labels = random_below(&dice, 5); labels > 0; labels--) {
        unsigned length = 1 + random_below(&dice, 2);
        name[size++] = (uint8_t)length;
        while (length-- > 0) {
            name[size++] = (uint8_t)letters[random_below(&dice, sizeof(letters))];
        }
    }
    name[size] = 0;
}

static void test_equal_random(void **state)
{
    (void)state;
    unsigned equal = 0;
    for (int round = 0; round < 200000; round++) {
        uint8_t a[NAME_MAX_SIZE], b[NAME_MAX_SIZE], a_folded[NAME_MAX_SIZE],
            b_folded[NAME_MAX_SIZE];
        small_name(a);
        small_name(b);
        bool expected = slow_equal(a, b);
        assert_int_equal(name_equal(a, b), expected);
        name_fold(a, name_size(a), a_folded);
        name_fold(b, name_size(b), b_folded);
        bool same = name_size(a) == name_size(b) && memcmp(a_folded, b_folded, name_size(a)) == 0;
        assert_int_equal(same, expected);
        equal += expected;
    }
    assert_true(equal > 100); // else the test proves little
}

static void test_within(void **state)
{
    (void)state;
    static const struct {
        const char *name, *parent;
        bool within;
    } table[] = {
        {"www.example.com.", "example.com.", true},
        {"WWW.EXAMPLE.COM.", "example.com.", true},
        {"example.com.", "example.com.", true},
        {"example.com.", ".", true},
        {".", ".", true},
        {"com.", "example.com.", false},
        {".", "com.", false},
        {"badexample.com.", "example.com.", false},
        {"www.example.org.", "example.com.", false},
        {"a\\.example.com.", "example.com.", false},
    };
    uint8_t a[NAME_MAX_SIZE], b[NAME_MAX_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        wire_of(table[i].name, a);
        wire_of(table[i].parent, b);
        assert_int_equal(name_within(a, b), table[i].within);
    }
    unsigned inside = 0;
    for (int round = 0; round < 100000; round++) {
        small_name(a);
        small_name(b);
        bool expected = false; // some ancestor of a is b
        for (const uint8_t *at = a;; at += *at + 1) {
            expected |= slow_equal(at, b);
            if (*at == 0) {
                break;
            }
        }
        assert_int_equal(name_within(a, b), expected);
        inside += expected && !name_is_root(b);
    }
    assert_true(inside > 100);
}

static void test_fold_touches_only_capitals(void **state)
{
    (void)state;
    uint8_t bytes[256], folded[256];
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
    }
    name_fold(bytes, sizeof(bytes), folded);
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(folded[i], i >= 'A' && i <= 'Z' ? i + 32 : i);
    }
    assert_true(name_is_wildcard((const uint8_t *)"\1*\3com"));
    assert_false(name_is_wildcard((const uint8_t *)"\2**\3com"));
    assert_false(name_is_wildcard((const uint8_t *)""));
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_parse_table),
        cmocka_unit_test(test_parse_random_text),
        cmocka_unit_test(test_check_every_truncation),
        cmocka_unit_test(test_equal_random),
        cmocka_unit_test(test_within),
        cmocka_unit_test(test_fold_touches_only_capitals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
