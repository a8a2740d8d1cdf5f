// SPDX-License-Identifier: GPL-3.0-or-later
//
// The text of SVCB and HTTPS records where it differs from the scanner's: the word `auto` on the
// way in, plain parameters on the way out.
//
// Called by rdata.c, on any thread. What is written can be read again to the same bytes; parameters
// that cannot be sure of that have no text, and their record keeps the form of RFC 3597.
#include "zone/svcb_text.h"

#include "base/address.h"
#include "base/memory.h"
#include "dns/svcb.h"
#include "dns/wire.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *words[2], *stand_in;
    bool ipv6;
} hints[] = {
    {{"ipv4hint=auto", "ipv4hint=\"auto\""}, "ipv4hint=0.0.0.0", false},
    {{"ipv6hint=auto", "ipv6hint=\"auto\""}, "ipv6hint=::", true},
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '(' || c == ')';
}

// The length of the token at `at`: up to a blank that no quote holds.
static size_t token_length(const char *at)
{
    bool quoted = false;
    size_t length = 0;
    while (at[length] != '\0' && (quoted || !is_blank(at[length]))) {
        if (at[length] == '\\' && at[length + 1] != '\0') {
            length++;
        } else if (at[length] == '"') {
            quoted = !quoted;
        }
        length++;
    }
    return length;
}

// What stands in for the token, or NULL.
static const char *stand_in_of(const char *token, size_t length, struct svcb_text *service)
{
    for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(hints[i].words); k++) {
            const char *word = hints[i].words[k];
            if (strlen(word) == length && memcmp(word, token, length) == 0) {
                *(hints[i].ipv6 ? &service->ipv6 : &service->ipv4) = true;
                return hints[i].stand_in;
            }
        }
    }
    return NULL;
}

bool svcb_text_read(const char *text, struct svcb_text *service)
{
    // A stand-in is 3 octets longer at most, and its word has 13 at least.
    char *out = mem_alloc(2 * strlen(text) + 1);
    size_t used = 0;
    while (*text != '\0') {
        if (is_blank(*text)) {
            out[used++] = *text++;
            continue;
        }
        size_t length = token_length(text);
        const char *stand_in = stand_in_of(text, length, service);
        size_t put = stand_in ? strlen(stand_in) : length;
        memcpy(out + used, stand_in ? stand_in : text, put);
        used += put;
        text += length;
    }
    out[used] = '\0';
    if (!service->ipv4 && !service->ipv6) {
        free(out);
        return false;
    }
    service->text = out;
    return true;
}

size_t svcb_text_mark(const struct svcb_text *service, uint8_t *rdata, size_t size)
{
    const uint8_t *at = svcb_params(rdata), *end = rdata + size;
    size_t used = (size_t)(at - rdata);
    struct svcb_param param;
    while (svcb_next(&at, end, &param)) {
        bool marked = (param.key == SVCB_IPV4HINT && service->ipv4) ||
                      (param.key == SVCB_IPV6HINT && service->ipv6);
        size_t data_size = marked ? 0 : param.size;
        put_u16(rdata + used, param.key);
        put_u16(rdata + used + 2, (unsigned)data_size);
        memmove(rdata + used + SVCB_PARAM_HEAD_SIZE, param.data, data_size);
        used += SVCB_PARAM_HEAD_SIZE + data_size;
    }
    return used;
}

// --- parameters as text

// What the value of a parameter looks like (RFC 9460, 7).
enum value_kind { VALUE_ALPN, VALUE_NOTHING, VALUE_PORT, VALUE_IPV4, VALUE_IPV6 };

static const struct {
    uint16_t key;
    const char *name;
    enum value_kind kind;
} param_table[] = {
    {1, "alpn", VALUE_ALPN},
    {2, "no-default-alpn", VALUE_NOTHING},
    {3, "port", VALUE_PORT},
    {SVCB_IPV4HINT, "ipv4hint", VALUE_IPV4},
    {SVCB_IPV6HINT, "ipv6hint", VALUE_IPV6},
};

// Protocol names that need no escapes, and so many that their text fits. Of those of one character
// the scanner thinks that they are none.
static bool alpn_is_plain(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size && data[at] > 1 && data[at] < size - at) {
        for (unsigned i = 1; i <= data[at]; i++) {
            uint8_t c = data[at + i];
            bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                         c == '-' || c == '.' || c == '/';
            if (!plain) {
                return false;
            }
        }
        at += data[at] + 1U;
    }
    return at == size && size > 0 && size < SVCB_PARAM_TEXT_MAX / 2;
}

static bool value_is_plain(enum value_kind kind, const struct svcb_param *param)
{
    size_t width = kind == VALUE_IPV4 ? 4 : 16;
    switch (kind) {
    case VALUE_ALPN:
        return alpn_is_plain(param->data, param->size);
    case VALUE_NOTHING:
        return param->size == 0;
    case VALUE_PORT:
        return param->size == 2;
    default:
        return param->size % width == 0 && param->size <= SVCB_HINTS_MAX * width;
    }
}

static long param_row(uint16_t key)
{
    for (size_t i = 0; i < ARRAY_SIZE(param_table); i++) {
        if (param_table[i].key == key) {
            return (long)i;
        }
    }
    return -1;
}

bool svcb_has_text(const uint8_t *params, size_t size)
{
    const uint8_t *at = params, *end = params + size;
    struct svcb_param param;
    while (svcb_next(&at, end, &param)) {
        long row = param_row(param.key);
        if (row < 0 || !value_is_plain(param_table[row].kind, &param)) {
            return false;
        }
    }
    return at == end;
}

static void append(char *text, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, SVCB_PARAM_TEXT_MAX - used, "%s", more);
}

static void append_addresses(char *text, const struct svcb_param *param, enum family family)
{
    size_t width = family_bits(family) / 8;
    if (param->size == 0) {
        append(text, "auto");
    }
    for (size_t at = 0; at < param->size; at += width) {
        struct address address = {.family = (uint8_t)family};
        char one[ADDRESS_TEXT_MAX];
        memcpy(address.bytes, param->data + at, width);
        append(text, at > 0 ? "," : "");
        append(text, address_format(&address, one));
    }
}

const char *svcb_param_format(const struct svcb_param *param, char text[SVCB_PARAM_TEXT_MAX])
{
    long row = param_row(param->key);
    SP_ASSERT(row >= 0); // svcb_has_text said yes
    enum value_kind kind = param_table[row].kind;
    snprintf(text, SVCB_PARAM_TEXT_MAX, " %s%s", param_table[row].name,
             kind == VALUE_NOTHING ? "" : "=");
    if (kind == VALUE_PORT) {
        char port[8];
        snprintf(port, sizeof(port), "%u", get_u16(param->data));
        append(text, port);
    } else if (kind == VALUE_IPV4 || kind == VALUE_IPV6) {
        append_addresses(text, param, kind == VALUE_IPV4 ? FAMILY_IPV4 : FAMILY_IPV6);
    } else if (kind == VALUE_ALPN) {
        for (size_t at = 0; at < param->size; at += param->data[at] + 1U) {
            char name[256];
            snprintf(name, sizeof(name), "%s%.*s", at > 0 ? "," : "", param->data[at],
                     (const char *)param->data + at + 1);
            append(text, name);
        }
    }
    return text;
}
