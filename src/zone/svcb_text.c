// SPDX-License-Identifier: GPL-3.0-or-later
#include "zone/svcb_text.h"

#include "base/memory.h"
#include "dns/svcb.h"
#include "dns/wire.h"

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
