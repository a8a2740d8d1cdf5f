// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/time_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *time_text_format(int64_t wall_ns, char text[TIME_TEXT_MAX])
{
    time_t seconds = (time_t)(wall_ns / NS_PER_SECOND);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, TIME_TEXT_MAX, "%FT%TZ", &utc) == 0) {
        snprintf(text, TIME_TEXT_MAX, "-");
    }
    return text;
}

// Exactly `count` digits at *at, which moves behind them and behind `then` (0: nothing to follow).
static bool digits(const char **at, int count, const char *then, int *value)
{
    *value = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *value = *value * 10 + (**at - '0');
    }
    if (then != NULL && (**at == '\0' || strchr(then, **at) == NULL)) {
        return false;
    }
    *at += then != NULL;
    return true;
}

// "Z" or "+08:00"; nothing behind it.
static bool offset_parse(const char *text, int64_t *offset_s)
{
    int hours, minutes, sign = *text == '-' ? -1 : 1;
    *offset_s = 0;
    if ((*text == 'Z' || *text == 'z') && text[1] == '\0') {
        return true;
    }
    if ((*text != '+' && *text != '-')) {
        return false;
    }
    text++;
    if (!digits(&text, 2, ":", &hours) || !digits(&text, 2, NULL, &minutes) || *text != '\0') {
        return false;
    }
    *offset_s = sign * (hours * 3600 + minutes * 60);
    return hours < 24 && minutes < 60;
}

// "2026-11-25T18:00:00" and what may be a fraction; *at moves behind it.
static bool clock_parse(const char **at, struct tm *utc)
{
    if (!digits(at, 4, "-", &utc->tm_year) || !digits(at, 2, "-", &utc->tm_mon) ||
        !digits(at, 2, "Tt ", &utc->tm_mday) || !digits(at, 2, ":", &utc->tm_hour) ||
        !digits(at, 2, ":", &utc->tm_min) || !digits(at, 2, NULL, &utc->tm_sec)) {
        return false;
    }
    if (**at == '.') {
        size_t fraction = strspn(*at + 1, "0123456789");
        if (fraction == 0) {
            return false;
        }
        *at += 1 + fraction;
    }
    return utc->tm_year >= 1970 && utc->tm_mon >= 1 && utc->tm_mon <= 12 && utc->tm_mday >= 1 &&
           utc->tm_mday <= 31 && utc->tm_hour < 24 && utc->tm_min < 60 && utc->tm_sec <= 60;
}

bool time_text_parse(const char *text, int64_t *wall_ns)
{
    struct tm utc = {0};
    int64_t offset_s;
    if (!clock_parse(&text, &utc) || !offset_parse(text, &offset_s)) {
        return false;
    }
    utc.tm_year -= 1900;
    utc.tm_mon--;
    int day = utc.tm_mday, leap_s = utc.tm_sec == 60;
    utc.tm_sec -= leap_s; // so that only a day that is not there moves the date
    time_t seconds = timegm(&utc);
    int64_t limit = INT64_MAX / NS_PER_SECOND - 86400;
    if (utc.tm_mday != day || seconds > limit) { // 31 April; year 2262
        return false;
    }
    *wall_ns = ((int64_t)seconds + leap_s - offset_s) * NS_PER_SECOND;
    return true;
}
