// SPDX-License-Identifier: GPL-3.0-or-later
//
// The file of cookie secrets: what counts as one, and that nothing is passed over in silence: two
// servers that read one file differently refuse each other's cookies.
#include "config/cookie_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST  "00112233445566778899aabbccddeeff"
#define SECOND "FFEEDDCCBBAA99887766554433221100"

static char path[] = "/tmp/signpost-cookies-XXXXXX";

static bool read_text(const char *text, struct cookie_secrets *secrets, struct diags *diags)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return cookie_file_read(path, secrets, diags);
}

static void test_taken(void **state)
{
    (void)state;
    static const char *const texts[] = {
        FIRST "\n" SECOND "\n",
        FIRST "\n" SECOND,
        "# ours\n\n" FIRST "\r\n" SECOND "\r\n",
        "  " FIRST "\t# since May\n\t" SECOND "  \n   \n",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct cookie_secrets secrets;
        struct diags diags = {0};
        assert_true(read_text(texts[i], &secrets, &diags));
        assert_int_equal(secrets.count, 2);
        assert_int_equal(secrets.secrets[0][1], 0x11);
        assert_int_equal(secrets.secrets[1][0], 0xff);
        assert_int_equal(diags.error_count, 0);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *message;
    } cases[] = {
        {"", 0, "there is no secret in the file"},
        {" # none\n", 0, "there is no secret in the file"},
        {FIRST "\n" FIRST "0\n", 2, "expected a secret of 32 hexadecimal digits"},
        {FIRST " " SECOND "\n", 1, "expected a secret of 32 hexadecimal digits"},
        {"\n0011\n", 2, "expected a secret of 32 hexadecimal digits"},
        {"x0112233445566778899aabbccddeeff", 1, "expected a secret of 32 hexadecimal digits"},
        {FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n" FIRST "\n", 5, "more than 4 secrets"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cookie_secrets secrets;
        struct diags diags = {0};
        assert_false(read_text(cases[i].text, &secrets, &diags));
        assert_int_equal(diags.count, 1);
        assert_int_equal(diags.items[0].line, cases[i].line);
        assert_string_equal(diags.items[0].message, cases[i].message);
        diags_clear(&diags);
    }
}

static int file_begin(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int file_end(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_taken),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, file_begin, file_end);
}
