// SPDX-License-Identifier: GPL-3.0-or-later
//
// The texts of check definitions, read. Called by the reader of documents (format/yaml_check.c,
// pool threads) and by the probers (probe/recipe.c). Total over all texts; no allocation.
#include "zone/check_value.h"

#include "base/address.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { REPEAT_MAX = 255, REPEAT_PRODUCT_MAX = 1000, RCODE_MAX = 23 };

static bool refuse(const char **reason, const char *text)
{
    *reason = text;
    return false;
}

// --- octets ---

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit ? strchr(digits, digit | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

// One escape behind the backslash; the characters used, 0 if there is none such.
static size_t escape_read(const char *at, uint8_t *octet)
{
    static const struct {
        char letter;
        uint8_t octet;
    } letters[] = {{'r', '\r'}, {'n', '\n'}, {'t', '\t'}, {'0', 0}, {'\\', '\\'}, {'"', '"'}};
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        if (*at == letters[i].letter) {
            *octet = letters[i].octet;
            return 1;
        }
    }
    int high = *at == 'x' ? hex_digit(at[1]) : -1;
    int low = high >= 0 ? hex_digit(at[2]) : -1;
    if (low < 0) {
        return 0;
    }
    *octet = (uint8_t)(high << 4 | low);
    return 3;
}

bool check_octets(const char *text, uint8_t *octets, size_t *size, const char **reason)
{
    size_t count = 0;
    while (*text) {
        if (*text != '\\') {
            octets[count++] = (uint8_t)*text++;
            continue;
        }
        size_t used = escape_read(text + 1, &octets[count++]);
        if (used == 0) {
            return refuse(reason, "known escapes are \\r \\n \\t \\0 \\\\ \\\" and \\xNN");
        }
        text += 1 + used;
    }
    *size = count;
    return count > 0 || refuse(reason, "expected at least one octet");
}

// --- sets ---

// Decimal digits, at most four; the characters used.
static size_t number_read(const char *text, unsigned *number)
{
    size_t used = 0;
    *number = 0;
    while (text[used] >= '0' && text[used] <= '9' && used < 4) {
        *number = *number * 10 + (unsigned)(text[used++] - '0');
    }
    return used;
}

static const char *blanks_skip(const char *text)
{
    return text + strspn(text, " ");
}

bool check_statuses(const char *text, struct check_statuses *statuses, const char **reason)
{
    *statuses = (struct check_statuses){{0}};
    for (;;) {
        unsigned first, last;
        text = blanks_skip(text);
        size_t used = number_read(text, &first);
        last = first;
        text += used;
        if (used && *text == '-') {
            used = number_read(++text, &last);
            text += used;
        }
        if (used == 0 || first < 100 || last > 599 || first > last) {
            return refuse(reason, "expected statuses from 100 to 599 such as 200-299,301");
        }
        for (unsigned status = first; status <= last; status++) {
            statuses->bits[status / 64] |= 1ULL << (status % 64);
        }
        text = blanks_skip(text);
        if (*text == '\0') {
            return true;
        }
        if (*text++ != ',') {
            return refuse(reason, "expected a comma between statuses");
        }
    }
}

static const char *const rcode_names[RCODE_MAX + 1] = {
    [0] = "NOERROR",  [1] = "FORMERR",  [2] = "SERVFAIL",   [3] = "NXDOMAIN", [4] = "NOTIMP",
    [5] = "REFUSED",  [6] = "YXDOMAIN", [7] = "YXRRSET",    [8] = "NXRRSET",  [9] = "NOTAUTH",
    [10] = "NOTZONE", [16] = "BADVERS", [23] = "BADCOOKIE",
};

static int rcode_read(const char *text, size_t length)
{
    unsigned number;
    if (length > 0 && number_read(text, &number) == length && number <= RCODE_MAX) {
        return (int)number;
    }
    for (int i = 0; i <= RCODE_MAX; i++) {
        if (rcode_names[i] && strlen(rcode_names[i]) == length &&
            strncasecmp(rcode_names[i], text, length) == 0) {
            return i;
        }
    }
    return -1;
}

bool check_rcodes(const char *text, uint32_t *rcodes, const char **reason)
{
    *rcodes = 0;
    for (;;) {
        text = blanks_skip(text);
        size_t length = strcspn(text, " ,");
        int rcode = rcode_read(text, length);
        if (rcode < 0) {
            return refuse(reason, "expected response codes such as NOERROR,NXDOMAIN");
        }
        *rcodes |= 1U << rcode;
        text = blanks_skip(text + length);
        if (*text == '\0') {
            return true;
        }
        if (*text++ != ',') {
            return refuse(reason, "expected a comma between response codes");
        }
    }
}

const char *check_rcode_name(unsigned rcode, char text[16])
{
    if (rcode <= RCODE_MAX && rcode_names[rcode]) {
        return rcode_names[rcode];
    }
    snprintf(text, 16, "RCODE%u", rcode);
    return text;
}

bool check_alpn(const char *text, uint8_t wire[CHECK_ALPN_MAX], size_t *size, const char **reason)
{
    size_t used = 0;
    if (strlen(text) >= CHECK_ALPN_MAX) {
        return refuse(reason, "the list of protocols is too long");
    }
    for (;;) {
        size_t length = strcspn(text, ",");
        if (length == 0 || length > 255) {
            return refuse(reason, "expected protocol names such as h2,http/1.1");
        }
        for (size_t i = 0; i < length; i++) {
            if (text[i] <= ' ' || text[i] >= 0x7f) {
                return refuse(reason, "a protocol name is printable ASCII without blanks");
            }
        }
        wire[used++] = (uint8_t)length;
        memcpy(wire + used, text, length);
        used += length;
        text += length;
        if (*text == '\0') {
            *size = used;
            return true;
        }
        text++;
    }
}

// --- regular expressions ---

// "{2,5}" and the like behind the brace: the upper bound (or the lower, if it is the only one).
static bool repetition_read(const char *text, unsigned *most)
{
    unsigned first = 0, second = 0;
    text += number_read(text, &first);
    if (*text == ',') {
        text++;
        text += number_read(text, &second);
    }
    *most = MAX(MAX(first, second), 1U);
    return *text == '}' && first <= REPEAT_MAX && second <= REPEAT_MAX;
}

bool check_regex_text(const char *text, const char **reason)
{
    unsigned product = 1, most;
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && at[1]) {
            at++;
            if (*at >= '1' && *at <= '9') {
                return refuse(reason, "back-references are not allowed");
            }
        } else if (*at == '{') {
            if (!repetition_read(at + 1, &most) || product * most > REPEAT_PRODUCT_MAX) {
                return refuse(reason, "repetitions are {n,m} up to 255, with a product up to 1000");
            }
            product *= most;
        }
    }
    return true;
}

bool check_regex(const char *text, const char **reason)
{
    regex_t regex;
    if (!check_regex_text(text, reason)) {
        return false;
    }
    if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB) != 0) {
        return refuse(reason, "expected a POSIX extended regular expression");
    }
    regfree(&regex);
    return true;
}

// --- requests ---

bool check_method(const char *text, const char **reason)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "POST"};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (strcmp(text, methods[i]) == 0) {
            return true;
        }
    }
    return refuse(reason, "expected GET, HEAD, OPTIONS or POST");
}

bool check_host(const char *text, const char **reason)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    struct address literal;
    size_t length = strlen(text);
    if (address_parse(text, &literal)) {
        return true;
    }
    if (length == 0 || length > 253 || strspn(text, good) != length) {
        return refuse(reason, "expected a host name or an address");
    }
    return true;
}

bool check_path(const char *text, const char **reason)
{
    for (const char *at = text; *at; at++) {
        if (*at <= ' ' || *at >= 0x7f) {
            return refuse(reason, "expected no blanks, control characters or characters outside "
                                  "ASCII");
        }
    }
    return text[0] == '/' || refuse(reason, "expected a path that begins with /");
}

// Characters of a token (RFC 9110, 5.6.2) at the start of the text.
static size_t token_length(const char *text)
{
    return strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

bool check_header_name(const char *text, const char **reason)
{
    size_t length = token_length(text);
    return (length > 0 && text[length] == '\0') || refuse(reason, "expected a header name");
}

static bool header_reserved(const char *name, size_t length)
{
    static const char *const reserved[] = {"host",    "connection", "content-length",
                                           "upgrade", "te",         "transfer-encoding",
                                           "expect",  "trailer",    "proxy-connection"};
    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
        if (strlen(reserved[i]) == length && strncasecmp(reserved[i], name, length) == 0) {
            return true;
        }
    }
    return false;
}

bool check_headers(const char *text, const char **reason)
{
    while (*text) {
        size_t name = token_length(text);
        if (name == 0 || text[name] != ':') {
            return refuse(reason, "expected a header name");
        }
        if (header_reserved(text, name)) {
            return refuse(reason, "this header is the prober's own");
        }
        text += name + 1;
        for (; *text != '\n'; text++) {
            if ((*text < ' ' && *text != '\t') || *text >= 0x7f) { // the final NUL too
                return refuse(reason, "a header value is printable ASCII");
            }
        }
        text++;
    }
    return true;
}
