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

bool state_text(const char **at, char *text, size_t size)
{
    const char *from = *at;
    if (*from++ != ':') {
        return false;
    }
    size_t count = 0;
    for (; *from != ' ' && *from != '\0'; from += 2) {
        const char pair[] = {from[0], from[1], '\0'};
        char *end;
        unsigned long octet = strtoul(pair, &end, 16);
        if (strspn(pair, "0123456789abcdef") != 2 || octet < 0x20 || count + 1 >= size) {
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

void state_put_text(FILE *out, const char *text)
{
    fputs(" :", out);
    for (; *text; text++) {
        fprintf(out, "%02x", (unsigned char)*text);
    }
}
