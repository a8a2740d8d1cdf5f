// SPDX-License-Identifier: GPL-3.0-or-later
#include "format/yaml_out.h"

#include <string.h>
#include <strings.h>

static bool is_plain(const char *text)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-./";
    static const char *const words[] = {"y",   "n",    "yes",   "no",   "on",
                                        "off", "true", "false", "null", "nan"};
    if (*text == '\0' || strchr(first, *text) == NULL || strspn(text, rest) != strlen(text)) {
        // An IPv4 address is no number in any YAML.
        const char *dot = strchr(text, '.');
        return *text != '\0' && strspn(text, "0123456789.") == strlen(text) && dot != NULL &&
               strchr(dot + 1, '.') != NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            return false;
        }
    }
    return true;
}

void yaml_out_text(FILE *out, const char *text)
{
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else if (*at < ' ' || *at == 0x7f) {
            fprintf(out, "\\x%02x", *at);
        } else {
            fputc(*at, out);
        }
    }
    fputc('"', out);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int yaml_out_order(const char *a, const char *b)
{
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            size_t left = strspn(a, "0123456789"), right = strspn(b, "0123456789");
            int order = left != right ? (left < right ? -1 : 1) : strncmp(a, b, left);
            if (order != 0) {
                return order;
            }
            a += left;
            b += right;
        } else if (*a != *b) {
            // Digits come before everything else.
            return is_digit(*a) ? -1 : is_digit(*b) ? 1 : (unsigned char)*a - (unsigned char)*b;
        } else {
            a++;
            b++;
        }
    }
    return (unsigned char)*a - (unsigned char)*b;
}

void yaml_out_duration(FILE *out, int64_t duration_ns)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%lld.%09lld", (long long)(duration_ns / 1000000000),
                        (long long)(duration_ns % 1000000000));
    while (size > 0 && text[size - 1] == '0') {
        size--;
    }
    size -= size > 0 && text[size - 1] == '.';
    fprintf(out, "%.*ss", size, text);
}
