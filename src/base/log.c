// SPDX-License-Identifier: GPL-3.0-or-later
//
// One line, one write(2): lines of different threads never mix. The rate limit is a window of one
// second an event, kept in atomics: a flood of one event cannot hide another.
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINES_PER_SECOND_MAX = 50, LINE_SIZE_MAX = 2048 };

const struct log_event_info log_event_table[LOG_EVENT_COUNT] = {
#define X(name, level, text, meaning, action) [LOG_EVENT_##name] = {level, text, meaning, action},
    LOG_EVENTS(X)
#undef X
};

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static enum log_level level_max = LOG_INFO;

static struct {
    _Atomic int64_t second;
    _Atomic unsigned lines, suppressed;
} limits[LOG_EVENT_COUNT];

void log_set_level(enum log_level level)
{
    level_max = level;
}

// True when a line of this event may be written now; *suppressed is what was dropped before it.
static bool limit_allows(enum log_event event, unsigned *suppressed)
{
    int64_t second = clock_monotonic_ns(clock_system()) / NS_PER_SECOND;
    if (atomic_exchange(&limits[event].second, second) != second) {
        atomic_store(&limits[event].lines, 0);
    }
    if (atomic_fetch_add(&limits[event].lines, 1) >= LINES_PER_SECOND_MAX) {
        atomic_fetch_add(&limits[event].suppressed, 1);
        return false;
    }
    *suppressed = atomic_exchange(&limits[event].suppressed, 0);
    return true;
}

static size_t write_head(char *line, size_t size, const struct log_event_info *info)
{
    int64_t now_ns = clock_wall_ns(clock_system());
    time_t seconds = (time_t)(now_ns / NS_PER_SECOND);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t used = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line + used, size - used, ".%03dZ %s %s",
                             (int)(now_ns % NS_PER_SECOND / NS_PER_MS), level_names[info->level],
                             info->name);
    return used;
}

void log_event(enum log_event event, const char *format, ...)
{
    SP_ASSERT(event < LOG_EVENT_COUNT);
    const struct log_event_info *info = &log_event_table[event];
    unsigned suppressed;
    if (info->level > level_max || !limit_allows(event, &suppressed)) {
        return;
    }
    char line[LINE_SIZE_MAX];
    size_t used = write_head(line, sizeof(line), info);
    if (*format) {
        line[used++] = ' ';
        va_list args;
        va_start(args, format);
        int wrote = vsnprintf(line + used, sizeof(line) - used, format, args);
        va_end(args);
        used = MIN(used + (size_t)MAX(wrote, 0), sizeof(line) - 64);
    }
    if (suppressed > 0) {
        used += (size_t)snprintf(line + used, sizeof(line) - used, " suppressed=%u", suppressed);
    }
    line[used++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, used); // nowhere to report it
    (void)ignored;
}

const char *log_quote(const char *value, char *text, size_t size)
{
    size_t used = 0;
    text[used++] = '"';
    for (; *value && used + 6 < size; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\') {
            text[used++] = '\\';
            text[used++] = (char)c;
        } else if (c < 0x20 || c == 0x7f) {
            used += (size_t)snprintf(text + used, size - used, "\\x%02x", c);
        } else {
            text[used++] = (char)c;
        }
    }
    text[used++] = '"';
    text[used] = '\0';
    return text;
}
