// SPDX-License-Identifier: GPL-3.0-or-later
//
// Taking typed values out of a YAML tree; every fault says what was expected.
//
// Called by the YAML readers on their thread; holds no state.
#include "format/document.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { DISTANCE_TEXT_MAX = 63 };

struct place yaml_key_place(const struct yaml *at)
{
    const struct yaml_node *node = at->node;
    if (node->key == NULL) {
        return (struct place){document_path(at->document), node->line, node->column};
    }
    return (struct place){document_path(at->document), node->key_line, node->key_column};
}

struct place yaml_place(const struct yaml *at)
{
    const struct yaml_node *node = at->node;
    if (node->kind == YAML_MAP || node->kind == YAML_LIST) {
        return yaml_key_place(at);
    }
    return (struct place){document_path(at->document), node->line, node->column};
}

// Writes the way to a node from its end; returns where it begins.
static const char *path_format(const struct yaml *at, char *text, size_t size)
{
    size_t begin = size - 1;
    text[begin] = '\0';
    for (; at; at = at->parent) {
        char part[272];
        const char *key = at->node->key;
        if (key == NULL) {
            snprintf(part, sizeof(part), "[%u]", at->node->index);
        } else {
            snprintf(part, sizeof(part), "%s%s", at->parent ? "." : "", *key ? key : "@");
        }
        size_t length = strlen(part);
        if (length > begin) {
            break;
        }
        begin -= length;
        memcpy(text + begin, part, length);
    }
    return text + begin;
}

// What came from the document may hold anything; a message is one line.
static void controls_hide(char *text)
{
    for (; *text; text++) {
        *text = (uint8_t)*text < ' ' || *text == 0x7f ? '?' : *text;
    }
}

static void report(const struct yaml *at, bool error, const char *format, va_list args)
{
    char message[480], path[640];
    vsnprintf(message, sizeof(message), format, args);
    controls_hide(message);
    const char *begin = path_format(at, path, sizeof(path));
    controls_hide(path + (begin - path));
    struct diags *diags = document_diags(at->document);
    if (error) {
        diags_error(diags, yaml_place(at), begin, "%s", message);
    } else {
        diags_warning(diags, yaml_place(at), begin, "%s", message);
    }
}

void yaml_error(const struct yaml *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(at, true, format, args);
    va_end(args);
}

void yaml_warning(const struct yaml *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(at, false, format, args);
    va_end(args);
}

bool yaml_get(const struct yaml *map, const char *key, struct yaml *child)
{
    if (map->node->kind != YAML_MAP) {
        return false;
    }
    for (const struct yaml_node *node = map->node->first; node; node = node->next) {
        if (strcmp(node->key, key) == 0) {
            *child = (struct yaml){node, map, map->document};
            return true;
        }
    }
    return false;
}

bool yaml_has(const struct yaml *map, const char *key)
{
    struct yaml ignored;
    return yaml_get(map, key, &ignored);
}

bool yaml_next(const struct yaml *parent, struct yaml *child)
{
    const struct yaml_node *node = child->node ? child->node->next : parent->node->first;
    *child = (struct yaml){node, parent, parent->document};
    return node != NULL;
}

static const char *kind_name(const struct yaml *at)
{
    static const char *const names[] = {"nothing", "a single value", "a list", "a mapping"};
    return names[at->node->kind];
}

bool yaml_is_map(const struct yaml *at)
{
    if (at->node->kind == YAML_MAP) {
        return true;
    }
    yaml_error(at, "expected a mapping, found %s", kind_name(at));
    return false;
}

bool yaml_is_list(const struct yaml *at)
{
    if (at->node->kind == YAML_LIST) {
        return true;
    }
    yaml_error(at, "expected a list, found %s", kind_name(at));
    return false;
}

const char *yaml_text(const struct yaml *at)
{
    if (at->node->kind == YAML_SCALAR && at->node->text[0] != '\0') {
        return at->node->text;
    }
    yaml_error(at, "expected a value, found %s",
               at->node->kind == YAML_SCALAR ? "an empty text" : kind_name(at));
    return NULL;
}

bool yaml_number(const struct yaml *at, uint32_t least, uint32_t most, uint32_t *number)
{
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    uint64_t value = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9' && value <= UINT32_MAX; digit++) {
        value = value * 10 + (uint64_t)(*digit - '0');
    }
    if (*digit != '\0' || value < least || value > most) {
        yaml_error(at, "expected a whole number from %u to %u, found \"%.40s\"", least, most, text);
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

bool yaml_bool(const struct yaml *at, bool *value)
{
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    if (strcasecmp(text, "true") == 0 || strcasecmp(text, "false") == 0) {
        *value = strcasecmp(text, "true") == 0;
        return true;
    }
    yaml_error(at, "expected true or false, found \"%.40s\"", text);
    return false;
}

bool decimal_parse(const char *text, int64_t *billionths, const char **rest)
{
    const char *at = text;
    int64_t whole = 0, fraction = 0, unit = 1000000000;
    for (; *at >= '0' && *at <= '9'; at++) {
        whole = whole * 10 + (*at - '0');
        if (whole > 1000000000) {
            return false;
        }
    }
    if (at == text) {
        return false;
    }
    if (*at == '.') {
        const char *point = at++;
        for (; *at >= '0' && *at <= '9'; at++) { // digits past the ninth are below what we keep
            unit /= 10;
            fraction += (*at - '0') * unit;
        }
        if (at == point + 1) {
            return false;
        }
    }
    *billionths = whole * 1000000000 + fraction;
    *rest = at;
    return true;
}

bool yaml_decimal(const struct yaml *at, double least, double most, double *number)
{
    const char *text = yaml_text(at), *rest;
    int64_t billionths;
    if (text == NULL) {
        return false;
    }
    bool minus = *text == '-';
    if (decimal_parse(text + minus, &billionths, &rest) && *rest == '\0') {
        double value = (double)(minus ? -billionths : billionths) / 1e9;
        if (value >= least && value <= most) {
            *number = value;
            return true;
        }
    }
    yaml_error(at, "expected a number from %g to %g, found \"%.40s\"", least, most, text);
    return false;
}

static const char *duration_format(int64_t duration_ns, char text[32])
{
    int64_t ms = duration_ns / NS_PER_MS;
    if (ms % 1000 == 0) {
        snprintf(text, 32, "%llds", (long long)(ms / 1000));
    } else {
        snprintf(text, 32, "%lldms", (long long)ms);
    }
    return text;
}

bool yaml_duration(const struct yaml *at, int64_t least_ns, int64_t most_ns, int64_t *duration_ns)
{
    static const struct {
        const char *suffix;
        int64_t seconds, divisor;
    } units[] = {{"", 1, 1}, {"s", 1, 1}, {"ms", 1, 1000}, {"m", 60, 1}, {"h", 3600, 1}};
    const char *text = yaml_text(at), *rest;
    int64_t billionths;
    if (text == NULL) {
        return false;
    }
    if (decimal_parse(text, &billionths, &rest)) {
        for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
            int64_t least = least_ns / units[i].seconds, most = most_ns / units[i].seconds;
            int64_t value = billionths / units[i].divisor;
            if (strcmp(rest, units[i].suffix) == 0 && value >= least && value <= most) {
                *duration_ns = value * units[i].seconds;
                return true;
            }
        }
    }
    char low[32], high[32];
    yaml_error(at, "expected a time from %s to %s such as 500ms, 10s or 1m, found \"%.40s\"",
               duration_format(least_ns, low), duration_format(most_ns, high), text);
    return false;
}

bool yaml_choice(const struct yaml *at, const char *const *names, size_t count, unsigned *choice)
{
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    char expected[200] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *choice = (unsigned)i;
            return true;
        }
        int wrote =
            snprintf(expected + used, sizeof(expected) - used, "%s%s", i ? ", " : "", names[i]);
        used = MIN(used + (size_t)MAX(wrote, 0), sizeof(expected) - 1);
    }
    yaml_error(at, "expected one of %s; found \"%.40s\"", expected, text);
    return false;
}

unsigned text_distance(const char *a, const char *b, unsigned most)
{
    size_t a_size = strlen(a), b_size = strlen(b);
    size_t gap = a_size > b_size ? a_size - b_size : b_size - a_size;
    if (gap > most || b_size > DISTANCE_TEXT_MAX) {
        return most + 1;
    }
    uint8_t row[DISTANCE_TEXT_MAX + 1]; // edit distance of a's prefix to each prefix of b
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = (uint8_t)j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        uint8_t diagonal = row[0];
        row[0] = (uint8_t)MIN(i, 255U);
        for (size_t j = 1; j <= b_size; j++) {
            uint8_t above = row[j];
            uint8_t change = strncasecmp(a + i - 1, b + j - 1, 1) == 0 ? 0 : 1;
            uint8_t best = MIN(above, row[j - 1]);
            row[j] = MIN((uint8_t)(best + 1), (uint8_t)(diagonal + change));
            diagonal = above;
        }
    }
    return MIN(row[b_size], most + 1);
}

const char *text_nearest(const char *text, const char *const *list, size_t count)
{
    const char *nearest = NULL;
    unsigned least = strlen(text) < 4 ? 2 : 3; // nearer than this
    for (size_t i = 0; i < count; i++) {
        unsigned distance = text_distance(text, list[i], least);
        if (distance < least && distance < strlen(list[i])) {
            least = distance;
            nearest = list[i];
        }
    }
    return nearest;
}

const char *hint_format(const char *nearest, char hint[HINT_MAX])
{
    hint[0] = '\0';
    if (nearest != NULL) {
        snprintf(hint, HINT_MAX, "; did you mean \"%.80s\"?", nearest);
    }
    return hint;
}

void yaml_known_keys(const struct yaml *map, const char *const *keys, size_t count)
{
    const struct diags *diags = document_diags(map->document);
    struct yaml child = {0};
    char hint[HINT_MAX];
    while (yaml_next(map, &child)) {
        bool known = false;
        for (size_t i = 0; i < count && !known; i++) {
            known = strcmp(keys[i], child.node->key) == 0;
        }
        if (known) {
            continue;
        }
        // Nobody will read what a full list no longer takes.
        const char *nearest =
            diags->count < DIAGS_MAX ? text_nearest(child.node->key, keys, count) : NULL;
        yaml_warning(&child, "unknown key, left out of account%s", hint_format(nearest, hint));
    }
}
