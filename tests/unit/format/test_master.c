// SPDX-License-Identifier: GPL-3.0-or-later
//
// Master files: RFC 1035 and RFC 2308 semantics, $INCLUDE, and every fault with its place.
#include "../zone_test.h"

#include "base/hash.h"

#define SOA "@ 300 SOA ns1.example.net. h.example.net. 1 2 3 4 5\n@ 300 NS ns1.example.net.\n"

static const struct document_case cases[] = {
    // Owners left out, parentheses, comments, relative names, \DDD, case kept.
    {"$TTL 1h\n@ SOA ns1.example.net. hostmaster ( 2024010101 2h ; refresh\n 900 2w 5m )\n"
     "  NS ns1.example.net.\nWww 60 IN A 192.0.2.1\n  A 192.0.2.2 ; second\nmail MX 10 @\n"
     "txt TXT \"a;b\" c\\032d\n*.w A 192.0.2.3\n",
     "",
     {{"@", "SOA",
       "3600 [ns1.example.net. hostmaster.example.com. 2024010101 7200 900 1209600 300]"},
      {"@", "NS", "3600 [ns1.example.net.]"},
      {"WWW", "A", "60 [192.0.2.1] [192.0.2.2]"},
      {"mail", "MX", "3600 [10 example.com.]"},
      {"txt", "TXT", "3600 [\"a;b\" \"c d\"]"},
      {"*.w", "A", "3600 [192.0.2.3]"}}},
    // No $TTL: the SOA minimum until a TTL is stated, then the one stated last (RFC 1035, 5.1).
    {"@ SOA ns1.example.net. h. 1 2 3 4 77\n@ NS ns1.example.net.\na A 192.0.2.1\n"
     "b 60 A 192.0.2.2\nc A 192.0.2.3\n$TTL 90\nd A 192.0.2.4\ne 5 A 192.0.2.5\nf A 192.0.2.6\n",
     "1:0 warning $TTL: no $TTL before this record; the SOA minimum or the default is used\n",
     {{"@", "SOA", "77 [ns1.example.net. h. 1 2 3 4 77]"},
      {"a", "A", "77 [192.0.2.1]"},
      {"c", "A", "60 [192.0.2.3]"},
      {"d", "A", "90 [192.0.2.4]"},
      {"e", "A", "5 [192.0.2.5]"},
      {"f", "A", "90 [192.0.2.6]"}}},
    // Neither $TTL nor SOA: the default TTL, and SOA and NS from the defaults.
    {"a A 192.0.2.1\n",
     "1:0 warning $TTL: no $TTL before this record; the SOA minimum or the default is used\n",
     {{"a", "A", "3600 [192.0.2.1]"},
      {"@", "NS", "3600 [ns1.example.net.] [ns2.example.net.]"},
      {"@", "SOA",
       "3600 [ns1.example.net. host\\046master.example.net. 2026010203 7200 900 1209600 300]"}}},
    // A TTL of 0 is one; DOS line ends; no line end at the end; RFC 3597.
    {"$TTL 0\r\n" SOA "a A 192.0.2.1\r\nb TYPE65280 \\# 3 abcdef\r\nc TYPE1 \\# 4 c0000202",
     "",
     {{"a", "A", "0 [192.0.2.1]"},
      {"b", "TYPE65280", "0 [\\# 3 abcdef]"},
      {"c", "A", "0 [192.0.2.2]"}}},
    // $ORIGIN: absolute, relative, twice, back to the top.
    {"$TTL 5\n" SOA
     "$ORIGIN sub.example.com.\n; a comment\n$ORIGIN deep ; relative\na A 192.0.2.1\n"
     "$ORIGIN deeper\nb A 192.0.2.2\n@ A 192.0.2.3\n$ORIGIN example.com.\nc A 192.0.2.4\n",
     "",
     {{"a.deep.sub", "A", "5 [192.0.2.1]"},
      {"b.deeper.deep.sub", "A", "5 [192.0.2.2]"},
      {"deeper.deep.sub", "A", "5 [192.0.2.3]"},
      {"c", "A", "5 [192.0.2.4]"}}},
    // ALIAS, which the scanner does not know: the fields in any order, left out, of any case; not a
    // name that is called so; the origin as it stands.
    {"$TTL 5\n" SOA "a 60 IN ALIAS www.example.net. ; c\nb in 70 alias a\nc TXT x\n\tALIAS a;c\n"
     "alias A 192.0.2.1\n$ORIGIN sub.example.com.\nd ALIAS @\n TXT y\n@ A 192.0.2.2\ne ALIAS d",
     "",
     {{"a", "ALIAS", "60 [www.example.net.]"},
      {"b", "ALIAS", "70 [a.example.com.]"},
      {"c", "ALIAS", "5 [a.example.com.]"},
      {"alias", "A", "5 [192.0.2.1]"},
      {"d.sub", "ALIAS", "5 [sub.example.com.]"},
      {"d.sub", "TXT", "5 [\"y\"]"},
      {"sub", "A", "5 [192.0.2.2]"},
      {"e.sub", "ALIAS", "5 [d.sub.example.com.]"}}},
    {.text = "$TTL 5\n" SOA "a ALIAS\nb ALIAS a c\nc ALIAS x..y\nd CH ALIAS a\ne ALIAS ( a )\n"
             "alias ALIAS x\\\nf ALIAS a\nf ALIAS b\n",
     .diags =
         "4:0 error: ALIAS: one name is expected\n"
         "5:0 error: ALIAS: one name is expected\n"
         "6:0 error: ALIAS: an empty label\n"
         "7:0 error: unsupported record type, in \"d CH ALIAS a\"\n"
         "8:0 error: ALIAS: one name is expected\n"
         "9:0 error: ALIAS: a character that is not usual in names; write it as \\DDD if it is "
         "meant\n"
         "11:0 error f.example.com.: ALIAS: a name has one ALIAS record; this is the second\n"},
    // Hints that follow, which the scanner does not know either.
    {"$TTL 5\n" SOA "a 60 IN HTTPS 1 . alpn=h2 ipv4hint=auto ; ipv6hint=auto\n"
     "\tSVCB 1 x port=53 ipv6hint=auto;c\n$ORIGIN sub.example.com.\n"
     "a A 192.0.2.1\nb in 70 type65 1 d ipv6hint=auto ipv4hint=192.0.2.7\n"
     "c HTTPS 1 . ipv4hint=192.0.2.1",
     "",
     {{"a", "HTTPS", "60 [1 . alpn=h2 ipv4hint=auto]"},
      {"a", "SVCB", "5 [1 x.example.com. port=53 ipv6hint=auto]"},
      {"a.sub", "A", "5 [192.0.2.1]"},
      {"b.sub", "HTTPS", "70 [1 d.sub.example.com. ipv4hint=192.0.2.7 ipv6hint=auto]"},
      {"c.sub", "HTTPS", "5 [1 . ipv4hint=192.0.2.1]"}}},
    {.text = "$TTL 5\n" SOA "a HTTPS 1 . ipv4hint=auto,192.0.2.1\nb HTTPS 1 . ipv4hint=autos\n"
             "c A auto\nd HTTPS 1 . ipv4hint=auto port=x\n"
             "f CH HTTPS 1 . ipv4hint=auto\ng HTTPS 1 . ipv4hint=auto ipv4hint=auto\n"
             "h HTTPS ( 1 . ipv6hint=auto )\n",
     .diags = "4:0 error: HTTPS: invalid address character\n"
              "5:0 error: HTTPS: invalid address character\n"
              "6:0 error: invalid address character, in \"c A auto\"\n"
              "7:0 error: HTTPS: invalid number\n"
              "8:0 error: unsupported record type, in \"f CH HTTPS 1 . ipv4hint=auto\"\n"
              "9:0 error: HTTPS: duplicate parameter name\n"
              "10:0 error: HTTPS: a record with hints that follow is written without parentheses\n"
              "11:0 error: unclosed last multiline block\n"},
    // Duplicates are dropped, whatever the case of names in them (RFC 2181, 5).
    {"$TTL 5\n" SOA "a A 192.0.2.1\nA A 192.0.2.1\nm MX 1 X.example.net.\nm MX 1 x.EXAMPLE.net.\n",
     "",
     {{"a", "A", "5 [192.0.2.1]"}, {"m", "MX", "5 [1 X.example.net.]"}}},
    // Every fault, not the first; also behind those that the scanner calls fatal.
    {.text =
         "$TTL 5\n" SOA
         "a A 192.0.2\nb MX 10\n$TTL x\nc A 192.0.2.1 junk\n$FOO bar\nd CH A 1.2.3.4\n"
         "e TXT \"open\nf AAAA 1::2::3\ng A 192.0.2.1)\nh FOO x\nx..y A 192.0.2.1\n i A 192.0.2.1\n"
         "$ORIGIN a..b\nj A 300.0.2.1\n$INCLUDE\nk A x\n",
     .diags = "4:0 error: invalid IPv4 address, in \"a A 192.0.2\"\n"
              "5:0 error: invalid number, in \"b MX 10\"\n"
              "6:0 error: invalid number, in \"$TTL x\"\n"
              "7:0 error: unexpected data, in \"c A 192.0.2.1 junk\"\n"
              "8:0 error: invalid directive, in \"$FOO bar\"\n"
              "9:0 error: unsupported record type, in \"d CH A 1.2.3.4\"\n"
              "10:0 error: invalid text character, in \"e TXT \"open\"\n"
              "11:0 error: invalid IPv6 address, in \"f AAAA 1::2::3\"\n"
              "12:0 error: too many right parentheses, in \"g A 192.0.2.1)\"\n"
              "13:0 error: invalid number, in \"h FOO x\"\n"
              "14:0 error: invalid domain name character, in \"x..y A 192.0.2.1\"\n"
              "15:0 error: previous owner is invalid, in \"i A 192.0.2.1\"\n"
              "16:0 error: unexpected data, in \"$ORIGIN a..b\"\n"
              "17:0 error: invalid IPv4 address, in \"j A 300.0.2.1\"\n"
              "18:0 error: invalid syntax, in \"$INCLUDE\"\n"
              "19:0 error: invalid address character, in \"k A x\"\n"},
    {.text = "$TTL 5\n" SOA "a A ( 192.0.2.1\nb A 192.0.2.2\n",
     .diags = "6:0 error: unclosed last multiline block\n"},
    // Records that are whole but do not belong.
    {.text = "$TTL 5\n" SOA "out.example.net. A 192.0.2.1\nexample.net. SOA a. b. 1 2 3 4 5\n"
             "@ SOA a. b. 1 2 3 4 6\nsub SOA a. b. 1 2 3 4 5\nc CNAME a\nc CNAME b\n"
             "d DNAME a.\nd DNAME b.\ne A \\# 3 010203\nf MX \\# 3 000a40\ng SOA \\# 2 0000\n"
             "h TYPE41 \\# 0\ni TYPE252 \\# 0\nj 2147483648 A 192.0.2.1\nk TXT \\# 3 050102\n"
             "l 4294967294 A 192.0.2.1\n",
     .diags =
         "4:0 error out.example.net.: A: the name is outside the zone\n"
         "5:0 error example.net.: SOA: the name is outside the zone\n"
         "6:0 error example.com.: SOA: a zone has one SOA record; this is the second\n"
         "7:0 error sub.example.com.: SOA: a SOA record belongs to the top of the zone only\n"
         "9:0 error c.example.com.: CNAME: a name has one CNAME record; this is the second (RFC "
         "2181, "
         "section 10.1)\n"
         "11:0 error d.example.com.: DNAME: a name has one DNAME record; this is the second (RFC "
         "6672, "
         "section 2.4)\n"
         "12:0 error e.example.com.: A: the record data does not have the form of its type\n"
         "13:0 error f.example.com.: MX: the record data does not have the form of its type\n"
         "14:0 error g.example.com.: SOA: the record data does not have the form of its type\n"
         "15:0 error h.example.com.: OPT: no zone holds records of this type\n"
         "16:0 error i.example.com.: AXFR: no zone holds records of this type\n"
         "17:0 error j.example.com.: A: the TTL must be at most 2147483647 (RFC 2181, section 8)\n"
         "18:0 error k.example.com.: TXT: the record data does not have the form of its type\n"
         "19:0 error l.example.com.: A: the TTL must be at most 2147483647 (RFC 2181, section "
         "8)\n"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        document_case_run(&cases[i], read_master);
    }
}

static void include_write(int slot, const char *name, const char *text)
{
    file_write(slot, name, text, strlen(text));
}

// The included file's name and line; relative to the including file; the origin comes back after.
static void test_include(void **state)
{
    (void)state;
    include_write(1, "one.inc",
                  "a A 192.0.2.1\n$ORIGIN elsewhere.example.com.\n$TTL 9\nb A 192.0.2.2\n"
                  "$INCLUDE two.inc below\nc A x\n");
    include_write(2, "two.inc", "  AAAA ::2\nd A 192.0.2.4\r\nd A");
    struct outcome outcome = read_master("$TTL 5\n" SOA "$INCLUDE one.inc\ne A 192.0.2.5\n"
                                         "$INCLUDE \"one.inc\" sub ; again\n"
                                         "$INCLUDE missing.inc\nf A y\n");
    const char *inside = "two.inc:3:0 error: invalid address character, in \"d A\"\n"
                         "one.inc:6:0 error: invalid address character, in \"c A x\"\n"
                         "two.inc:3:0 error: invalid address character, in \"d A\"\n"
                         "one.inc:6:0 error: invalid address character, in \"c A x\"\n";
    assert_memory_equal(diags_text(&outcome.diags), inside, strlen(inside));
    char missing[200];
    snprintf(missing, sizeof(missing),
             "7:0 error $INCLUDE: %s/missing.inc: No such file or directory\n"
             "8:0 error: invalid address character, in \"f A y\"\n",
             folder);
    assert_non_null(strstr(diags_text(&outcome.diags), missing));
    outcome_end(&outcome);

    include_write(1, "one.inc",
                  "a A 192.0.2.1\n$ORIGIN elsewhere.example.com.\n$TTL 9\nb A 192.0.2.2\n"
                  "$INCLUDE two.inc below\nc A 192.0.2.3");
    include_write(2, "two.inc", "  AAAA ::2\nd A 192.0.2.4");
    outcome = read_master("$TTL 5\n" SOA "$INCLUDE one.inc\ne A 192.0.2.5\n"
                          "$INCLUDE one.inc sub ; again\nf A 192.0.2.6\n"
                          "$INCLUDE one.inc abs.example.com.\ng A 192.0.2.7\n");
    expect_diags(&outcome, "");
    assert_string_equal(rrset_text(&outcome, "a", TYPE_A), "5 [192.0.2.1]");
    assert_string_equal(rrset_text(&outcome, "a.sub", TYPE_A), "5 [192.0.2.1]");
    assert_string_equal(rrset_text(&outcome, "a.abs", TYPE_A), "5 [192.0.2.1]");
    assert_string_equal(rrset_text(&outcome, "b.elsewhere", TYPE_A), "9 [192.0.2.2]");
    assert_string_equal(rrset_text(&outcome, "b.elsewhere", TYPE_AAAA),
                        "9 [::2]"); // owner of before
    assert_string_equal(rrset_text(&outcome, "d.below.elsewhere", TYPE_A), "9 [192.0.2.4]");
    assert_string_equal(rrset_text(&outcome, "c.elsewhere", TYPE_A), "9 [192.0.2.3]");
    assert_string_equal(rrset_text(&outcome, "e", TYPE_A), "5 [192.0.2.5]");
    assert_string_equal(rrset_text(&outcome, "f", TYPE_A), "5 [192.0.2.6]");
    assert_string_equal(rrset_text(&outcome, "g", TYPE_A), "5 [192.0.2.7]");
    outcome_end(&outcome);
}

static void test_include_loop(void **state)
{
    (void)state;
    include_write(1, "one.inc", "$INCLUDE two.inc\n");
    include_write(2, "two.inc", "a A 192.0.2.1\n$INCLUDE ./one.inc\n");
    struct outcome outcome =
        read_master("$TTL 5\n" SOA "$INCLUDE one.inc\n$INCLUDE example.com.zone\n");
    char expected[400];
    snprintf(
        expected, sizeof(expected),
        "two.inc:2:0 error $INCLUDE: %s/one.inc: the file includes itself, directly or through "
        "others\n"
        "5:0 error $INCLUDE: %s/example.com.zone: the file includes itself, directly or through "
        "others\n",
        folder, folder);
    expect_diags(&outcome, expected);
    outcome_end(&outcome);
}

// A chain of 17 files is one too deep; a file that includes many others is stopped by their number.
static void test_include_limits(void **state)
{
    (void)state;
    char path[128], text[64];
    for (int i = 0; i < 18; i++) {
        snprintf(path, sizeof(path), "%s/chain%d.inc", folder, i);
        snprintf(text, sizeof(text), "$INCLUDE chain%d.inc\n", i + 1);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(i == 17 ? "a A 192.0.2.1\n" : text, file);
        fclose(file);
    }
    struct outcome deep = read_master("$TTL 5\n" SOA "$INCLUDE chain0.inc\n");
    struct outcome good = read_master("$TTL 5\n" SOA "$INCLUDE chain2.inc\n");
    assert_non_null(strstr(diags_text(&deep.diags), "files include each other more than 16 deep"));
    expect_diags(&good, "");
    outcome_end(&deep);
    outcome_end(&good);
    for (int i = 0; i < 18; i++) {
        snprintf(path, sizeof(path), "%s/chain%d.inc", folder, i);
        unlink(path);
    }
    include_write(1, "one.inc", "a A 192.0.2.1\n");
    char *many = mem_alloc(1001 * 20 + 1024);
    char *at = many + sprintf(many, "$TTL 5\n" SOA);
    for (int i = 0; i < 1001; i++) {
        at += sprintf(at, "$INCLUDE one.inc\n");
    }
    struct outcome outcome = read_master(many);
    assert_non_null(strstr(diags_text(&outcome.diags), "1004:0 error $INCLUDE"));
    assert_int_equal(outcome.diags.count, 1);
    outcome_end(&outcome);
    free(many);
}

static void test_files(void **state)
{
    (void)state;
    struct outcome outcome = read_path(folder, ZONE_FORMAT_MASTER, PRECEDENCE_ISP_FIRST);
    assert_non_null(strstr(diags_text(&outcome.diags), "error: not a regular file"));
    outcome_end(&outcome);
    outcome = read_path("/nonexistent/x.zone", ZONE_FORMAT_MASTER, PRECEDENCE_ISP_FIRST);
    expect_diags(&outcome, "x.zone:0:0 error: No such file or directory\n");
    outcome_end(&outcome);
    outcome = read_master(""); // everything from the defaults
    expect_diags(&outcome, "");
    outcome_end(&outcome);
    static const char nul[] = SOA "a A 192.0.2.1\n\0";
    const char *path = file_write(0, "example.com.zone", nul, sizeof(nul));
    outcome = read_path(path, ZONE_FORMAT_MASTER, PRECEDENCE_ISP_FIRST);
    expect_diags(&outcome, "0:0 error: a NUL; expected text\n");
    outcome_end(&outcome);
}

// Damaged files: no crash, no endless loop, and a zone or an error.
static void test_damage(void **state)
{
    (void)state;
    static const char whole[] =
        "$TTL 1h\n$ORIGIN example.com.\n" SOA "www 60 A ( 192.0.2.1 ) ; c\n  AAAA 2001:db8::1\n"
        "$ORIGIN sub\n$INCLUDE none.inc deep\nt TXT \"a\" b \\065\nh HTTPS 1 . alpn=h2\n"
        "x TYPE65280 \\# 2 abcd\ns SRV 1 2 3 a\n$TTL 5\nz 9 IN ALIAS a.b\nm MX 10 a.b.c.\n";
    static const char alphabet[] = "\n\n\"()\\;$. \tA0#\r\xff";
    uint64_t seed = random_seed();
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 1500; round++) {
        char text[sizeof(whole)];
        memcpy(text, whole, sizeof(whole));
        for (unsigned n = 1 + random_below(&seed, 5); n > 0; n--) {
            text[random_below(&seed, sizeof(whole) - 1)] =
                alphabet[random_below(&seed, sizeof(alphabet) - 1)];
        }
        struct outcome outcome = read_master(text); // checks: a zone or an error
        outcome_end(&outcome);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),        cmocka_unit_test(test_include),
        cmocka_unit_test(test_include_loop), cmocka_unit_test(test_include_limits),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
