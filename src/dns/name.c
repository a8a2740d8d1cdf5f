// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names in wire form and their presentation form. Pure functions over bytes: no allocation, no
// state. Everything that takes bytes from outside (name_check, name_parse) is safe on any input;
// the rest expects names that one of those two has accepted.
#include "dns/name.h"

#include <stdio.h>
#include <string.h>

size_t name_size(const uint8_t *name)
{
    size_t at = 0;
    while (name[at] != 0) {
        at += name[at] + 1U;
    }
    return at + 1;
}

unsigned name_label_count(const uint8_t *name)
{
    unsigned count = 0;
    for (; *name != 0; name += *name + 1) {
        count++;
    }
    return count;
}

size_t name_check(const uint8_t *wire, size_t available)
{
    size_t at = 0;
    size_t limit = MIN(available, (size_t)NAME_MAX_SIZE);
    while (at < limit) {
        unsigned length = wire[at];
        if (length == 0) {
            return at + 1;
        }
        if (length > LABEL_MAX_SIZE) {
            return 0;
        }
        at += length + 1;
    }
    return 0;
}

void name_fold(const uint8_t *name, size_t size, uint8_t *folded)
{
    for (size_t i = 0; i < size; i++) {
        folded[i] = octet_fold(name[i]);
    }
}

bool name_equal(const uint8_t *a, const uint8_t *b)
{
    for (;;) { // a label a turn, its length first; names that differ mostly do so soon
        const unsigned length = *a;
        if (length != *b) {
            return false;
        }
        if (length == 0) {
            return true;
        }
        for (unsigned i = 1; i <= length; i++) {
            if (a[i] != b[i] && octet_fold(a[i]) != octet_fold(b[i])) {
                return false;
            }
        }
        a += length + 1;
        b += length + 1;
    }
}

bool name_within(const uint8_t *name, const uint8_t *parent)
{
    unsigned below = name_label_count(name);
    unsigned above = name_label_count(parent);
    if (below < above) {
        return false;
    }
    for (; below > above; below--) {
        name = name_parent(name);
    }
    return name_equal(name, parent);
}

const uint8_t *name_parent(const uint8_t *name)
{
    SP_ASSERT(*name != 0);
    return name + *name + 1;
}

bool name_is_root(const uint8_t *name)
{
    return *name == 0;
}

bool name_is_wildcard(const uint8_t *name)
{
    return name[0] == 1 && name[1] == '*';
}

// One character of presentation form at *text, escapes resolved; -1 at the end or on a bad escape.
static int take_character(const char **text, bool *escaped, const char **reason)
{
    const char *at = *text;
    *escaped = false;
    if (*at != '\\') {
        *text = at + 1;
        return (uint8_t)*at;
    }
    *escaped = true;
    if (at[1] >= '0' && at[1] <= '9') {
        unsigned value = 0;
        for (int i = 1; i <= 3; i++) {
            if (at[i] < '0' || at[i] > '9') {
                *reason = "an escape \\DDD needs three digits";
                return -1;
            }
            value = value * 10 + (unsigned)(at[i] - '0');
        }
        *text = at + 4;
        *reason = value > 255 ? "an escape \\DDD is at most \\255" : *reason;
        return value > 255 ? -1 : (int)value;
    }
    if (at[1] == '\0') {
        *reason = "a backslash at the end of the name";
        return -1;
    }
    *text = at + 2;
    return (uint8_t)at[1];
}

static size_t append_origin(uint8_t *wire, size_t used, const uint8_t *origin, const char **reason)
{
    static const uint8_t root[1] = {0};
    origin = origin ? origin : root;
    size_t size = name_size(origin);
    if (used + size > NAME_MAX_SIZE) {
        *reason = "the name is longer than 255 octets";
        return 0;
    }
    memcpy(wire + used, origin, size);
    return used + size;
}

// Labels of `text` into `wire`; *absolute says whether a final dot stood there. 0 with a reason on
// a fault (an empty relative text cannot come here).
static size_t parse_labels(const char *text, uint8_t *wire, bool *absolute, const char **reason)
{
    size_t start = 0, used = 1; // `start` is where the length octet of the current label goes
    *absolute = false;
    while (*text != '\0') {
        bool escaped;
        int c = take_character(&text, &escaped, reason);
        if (c < 0) {
            return 0;
        }
        if (c == '.' && !escaped) {
            if (used - start == 1) {
                *reason = "an empty label";
                return 0;
            }
            wire[start] = (uint8_t)(used - start - 1);
            start = used++;
            *absolute = *text == '\0';
            continue;
        }
        if (used - start > LABEL_MAX_SIZE) {
            *reason = "a label is longer than 63 octets";
            return 0;
        }
        if (used >= NAME_MAX_SIZE) {
            *reason = "the name is longer than 255 octets";
            return 0;
        }
        wire[used++] = (uint8_t)c;
    }
    if (*absolute) {
        return start;
    }
    wire[start] = (uint8_t)(used - start - 1);
    return used;
}

size_t name_parse(const char *text, const uint8_t *origin, uint8_t wire[NAME_MAX_SIZE],
                  const char **reason)
{
    const char *ignored;
    reason = reason ? reason : &ignored;
    uint8_t labels[NAME_MAX_SIZE + 2];
    bool absolute;
    if (text[0] == '\0') {
        *reason = "an empty name";
        return 0;
    }
    if (strcmp(text, "@") == 0) {
        return append_origin(wire, 0, origin, reason);
    }
    if (strcmp(text, ".") == 0) {
        wire[0] = 0;
        return 1;
    }
    size_t used = parse_labels(text, labels, &absolute, reason);
    if (used == 0 || used >= NAME_MAX_SIZE) {
        *reason = used ? "the name is longer than 255 octets" : *reason;
        return 0;
    }
    memcpy(wire, labels, used);
    return append_origin(wire, used, absolute ? NULL : origin, reason);
}

const char *name_format(const uint8_t *name, char text[NAME_TEXT_MAX])
{
    char *out = text;
    if (*name == 0) {
        *out++ = '.';
    }
    for (; *name != 0; name += *name + 1) {
        for (unsigned i = 1; i <= *name; i++) {
            uint8_t c = name[i];
            if (c <= ' ' || c >= 0x7f) {
                out += snprintf(out, 5, "\\%03u", c);
                continue;
            }
            if (strchr(".\\\"();@$", c)) {
                *out++ = '\\';
            }
            *out++ = (char)c;
        }
        *out++ = '.';
    }
    *out = '\0';
    return text;
}
