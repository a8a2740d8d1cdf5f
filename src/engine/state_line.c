// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/state_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool state_number(const char **at, int base, uint64_t max, uint64_t *value)
{
    char *end;
    size_t size = strcspn(*at, " ");
    if (size == 0 || size > 20 || strspn(*at, "0123456789abcdefABCDEF") != size) {
        return false;
    }
    errno = 0;
    *value = strtoull(*at, &end, base);
    bool good = errno == 0 && end == *at + size && *value <= max;
    *at = *end == ' ' ? end + 1 : end;
    return good;
}

bool state_time(const char **at, int64_t *ns)
{
    uint64_t value;
    bool good = state_number(at, 10, INT64_MAX, &value);
    *ns = good ? (int64_t)value : 0;
    return good;
}

bool state_double(const char **at, double max, double *value)
{
    uint64_t bits;
    if (!state_number(at, 16, UINT64_MAX, &bits)) {
        return false;
    }
    memcpy(value, &bits, sizeof(bits));
    return *value >= 0 && *value <= max;
}

// Two hexadecimal digits; -1: they are none.
static int pair_octet(const char *at)
{
    const char pair[] = {at[0], at[0] == '\0' ? '\0' : at[1], '\0'};
    return strspn(pair, "0123456789abcdef") == 2 ? (int)strtoul(pair, NULL, 16) : -1;
}

// The octet at *at of a text in plain form, or all of it in pairs of digits; -1: there is none.
static int octet_take(const char **at, bool plain)
{
    const char *from = *at;
    if (plain && *from != '%') {
        (*at)++;
        return *from > ' ' && *from < 0x7f ? *from : -1;
    }
    *at += plain ? 3 : 2;
    return pair_octet(plain ? from + 1 : from);
}

bool state_text(const char **at, char *text, size_t size)
{
    const char *from = *at;
    bool plain = *from == '=';
    if (!plain && *from != ':') {
        return false;
    }
    size_t count = 0;
    for (from++; *from != ' ' && *from != '\0';) {
        int octet = octet_take(&from, plain);
        if (octet < ' ' || count + 1 >= size) {
            return false;
        }
        text[count++] = (char)octet;
    }
    text[count] = '\0';
    *at = *from == ' ' ? from + 1 : from;
    return true;
}

void state_put_double(FILE *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    fprintf(out, " %016" PRIx64, bits);
}

static bool stands_for_itself(char c)
{
    return c > ' ' && c < 0x7f && c != '%';
}

// Names are ASCII as a rule; where most of a text is not, pairs are shorter than escapes.
void state_put_text(FILE *out, const char *text)
{
    size_t size = strlen(text), escapes = 0;
    for (size_t i = 0; i < size; i++) {
        escapes += !stands_for_itself(text[i]);
    }
    bool plain = 2 * escapes <= size;
    fputs(plain ? " =" : " :", out);
    for (; *text != '\0'; text++) {
        if (plain && stands_for_itself(*text)) {
            fputc(*text, out);
        } else {
            fprintf(out, plain ? "%%%02x" : "%02x", (unsigned char)*text);
        }
    }
}
