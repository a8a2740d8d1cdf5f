// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/log.h"

#include "../seed.h"
#include "base/clock.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

static uint64_t dice;

// Reads a quoted value back; returns what was between the quotes, or NULL on bad form.
static char *unquote(const char *text, size_t *length)
{
    size_t size = strlen(text);
    if (size < 2 || text[0] != '"' || text[size - 1] != '"') {
        return NULL;
    }
    char *out = mem_alloc(size);
    *length = 0;
    for (size_t i = 1; i < size - 1; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f || c == '"') {
            free(out);
            return NULL; // what could break the line apart
        }
        unsigned hex;
        if (c == '\\' && text[i + 1] == 'x' && sscanf(text + i + 2, "%2x", &hex) == 1) {
            out[(*length)++] = (char)hex;
            i += 3;
        } else {
            i += c == '\\';
            out[(*length)++] = text[i];
        }
    }
    return out;
}

static void test_quote_round_trip(void **state)
{
    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t length = random_below(&dice, 60), size = 3 + random_below(&dice, 300);
        char *value = mem_alloc(length + 1), *text = mem_alloc(size);
        for (size_t i = 0; i < length; i++) {
            value[i] = (char)(1 + random_below(&dice, random_next(&dice) & 1 ? 255 : 40));
        }
        assert_ptr_equal(log_quote(value, text, size), text);
        assert_true(strlen(text) < size);
        size_t back_length;
        char *back = unquote(text, &back_length);
        assert_non_null(back);
        assert_true(back_length <= length);
        assert_memory_equal(back, value, back_length);
        if (size >= 4 * length + 7) {
            assert_int_equal(back_length, length); // nothing is cut that fits
        }
        free(back);
        free(value);
        free(text);
    }
}

static void test_quote_table(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text;
    } table[] = {
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"two\nlines\r\t\x1b[31m\x7f", "\"two\\x0alines\\x0d\\x09\\x1b[31m\\x7f\""},
        {"\xe7\x94\xb5\xe4\xbf\xa1", "\"\xe7\x94\xb5\xe4\xbf\xa1\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char text[128];
        assert_string_equal(log_quote(table[i].value, text, sizeof(text)), table[i].text);
    }
}

// --- lines, as they arrive on standard error

static int saved_stderr, from_log;

static int capture(void **state)
{
    (void)state;
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    from_log = ends[0];
    return 0;
}

static int release(void **state)
{
    (void)state;
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(from_log);
    return 0;
}

// Everything written so far; the pipe holds it.
static char *captured(void)
{
    static char text[65536];
    size_t used = 0;
    assert_int_equal(write(STDERR_FILENO, "\x04", 1), 1);
    while (used == 0 || text[used - 1] != '\x04') {
        ssize_t got = read(from_log, text + used, sizeof(text) - used);
        assert_true(got > 0);
        used += (size_t)got;
    }
    text[used - 1] = '\0';
    return text;
}

static void test_line(void **state)
{
    (void)state;
    log_event(LOG_EVENT_READY, "%s", "");
    log_event(LOG_EVENT_RELOADED, "zones=%d", 7);
    log_event(LOG_EVENT_PUBLISHED, "below=%s", "the level");
    char *text = captured();
    char level[16], event[32], fields[32];
    int year, month, day, hour, minute, second, ms;
    char *rest, *line = strtok_r(text, "\n", &rest);
    assert_non_null(strstr(line, " info ready"));
    line = strtok_r(NULL, "\n", &rest);
    assert_int_equal(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %15s %31s %31s", &year, &month,
                            &day, &hour, &minute, &second, &ms, level, event, fields),
                     10);
    assert_in_range(year, 2020, 9999);
    assert_string_equal(level, "info");
    assert_string_equal(event, "reloaded");
    assert_string_equal(fields, "zones=7");
    assert_null(strtok_r(NULL, "\n", &rest));
}

static void test_long_line_is_cut(void **state)
{
    (void)state;
    char fields[10000];
    memset(fields, 'f', sizeof(fields) - 1);
    fields[sizeof(fields) - 1] = '\0';
    log_event(LOG_EVENT_STARTING, "%s", fields);
    log_event(LOG_EVENT_STOPPING, "a=1");
    char *text = captured();
    assert_in_range(strchr(text, '\n') - text, 1000, 3000);
    assert_non_null(strstr(strchr(text, '\n') + 1, " info stopping a=1\n"));
}

static int64_t this_second(void)
{
    return clock_monotonic_ns(clock_system()) / NS_PER_SECOND;
}

static void wait_for_next_second(void)
{
    for (int64_t before = this_second(); this_second() == before;) {
        usleep(1000);
    }
}

enum { FLOOD = 500, ALLOWANCE = 50, SLOW_TRIES = 30 };

// What a flood of one event leaves in the log within one second. The allowance is a second's: when
// one began meanwhile, the flood was too slow and another one follows.
static const char *flood(void)
{
    for (int try = 0; try < SLOW_TRIES; try++) {
        wait_for_next_second();
        int64_t began = this_second();
        for (int i = 0; i < FLOOD; i++) {
            log_event(LOG_EVENT_IO_ERROR, "i=%d", i);
        }
        log_event(LOG_EVENT_GEO_OFF, "x=1");
        const char *text = captured();
        if (this_second() == began) {
            return text;
        }
    }
    fail_msg("%d lines take more than a second", FLOOD);
    return "";
}

// It is cut to its allowance and leaves others alone.
static void test_rate_limit(void **state)
{
    (void)state;
    const char *text = flood();
    unsigned lines = 0;
    for (const char *at = text; (at = strstr(at, "io-error")); at++) {
        lines++;
    }
    assert_int_equal(lines, ALLOWANCE);
    assert_non_null(strstr(text, "geo-off x=1"));
    wait_for_next_second();
    log_event(LOG_EVENT_IO_ERROR, "i=%d", FLOOD);
    assert_non_null(strstr(captured(), "i=500 suppressed=450\n"));
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quote_round_trip),
        cmocka_unit_test(test_quote_table),
        cmocka_unit_test_setup_teardown(test_line, capture, release),
        cmocka_unit_test_setup_teardown(test_long_line_is_cut, capture, release),
        cmocka_unit_test_setup_teardown(test_rate_limit, capture, release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
