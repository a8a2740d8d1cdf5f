// SPDX-License-Identifier: GPL-3.0-or-later
//
// TXT values: one long text, or quoted pieces, to character-strings.
//
// octoDNS writes a TXT value as plain text with ";" escaped, of any length; zone files as quoted
// strings of at most 255 octets. Both are taken: text outside quotes is one string, each quoted
// piece is one, and what is longer than 255 octets is cut. Called by yaml_value.c.
#include "format/yaml_zone.h"

#include <string.h>

enum { STRING_MAX = 255 };

struct strings {
    const struct yaml *at;
    uint8_t *rdata;
    size_t used;
    size_t length_at; // where the length octet of the open string stands
};

static bool string_open(struct strings *out)
{
    if (out->used >= RDATA_MAX_SIZE) {
        yaml_error(out->at, "the text is longer than 65535 octets");
        return false;
    }
    out->length_at = out->used;
    out->rdata[out->used++] = 0;
    return true;
}

static bool string_put(struct strings *out, uint8_t octet)
{
    if (out->rdata[out->length_at] == STRING_MAX && !string_open(out)) {
        return false;
    }
    if (out->used >= RDATA_MAX_SIZE) {
        yaml_error(out->at, "the text is longer than 65535 octets");
        return false;
    }
    out->rdata[out->used++] = octet;
    out->rdata[out->length_at]++;
    return true;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

// The octet at *text, escapes resolved; *text moves past it. -1 after a fault.
static int octet_take(const struct strings *out, const char **text)
{
    const char *at = *text;
    if (*at != '\\') {
        *text = at + 1;
        return (uint8_t)*at;
    }
    if (at[1] == '\0') {
        yaml_error(out->at, "a backslash at the end; write \\\\ for one");
        return -1;
    }
    if (!digit(at[1])) {
        *text = at + 2;
        return (uint8_t)at[1];
    }
    if (!digit(at[2]) || !digit(at[3])) {
        yaml_error(out->at, "an escape \\DDD needs three digits");
        return -1;
    }
    int value = (at[1] - '0') * 100 + (at[2] - '0') * 10 + (at[3] - '0');
    if (value > UINT8_MAX) {
        yaml_error(out->at, "an escape \\DDD is at most \\255");
        return -1;
    }
    *text = at + 4;
    return value;
}

// Pieces in quotes, with blanks between them.
static bool quoted_read(struct strings *out, const char *text)
{
    while (*text) {
        if (*text != '"') {
            yaml_error(out->at, "text beside the quoted pieces; quote all of it or nothing");
            return false;
        }
        text++;
        if (!string_open(out)) {
            return false;
        }
        while (*text != '"') {
            if (*text == '\0') {
                yaml_error(out->at, "a quote is not closed");
                return false;
            }
            int octet = octet_take(out, &text);
            if (octet < 0 || !string_put(out, (uint8_t)octet)) {
                return false;
            }
        }
        text++;
        text += strspn(text, " \t\n");
    }
    return true;
}

size_t yaml_strings_read(const struct yaml *at, uint8_t rdata[RDATA_MAX_SIZE])
{
    struct strings out = {.at = at, .rdata = rdata};
    if (at->node->kind != YAML_SCALAR) {
        yaml_text(at); // says what was found instead
        return 0;
    }
    const char *text = at->node->text;
    if (*text == '"') {
        return quoted_read(&out, text) ? out.used : 0;
    }
    if (!string_open(&out)) {
        return 0;
    }
    while (*text) {
        int octet = octet_take(&out, &text);
        if (octet < 0 || !string_put(&out, (uint8_t)octet)) {
            return 0;
        }
    }
    return out.used;
}
