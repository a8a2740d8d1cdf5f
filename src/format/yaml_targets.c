// SPDX-License-Identifier: GPL-3.0-or-later
//
// The targets of rules: lines, geos, subnets, ASNs.
//
// Also what octoDNS demands of their order: a target that an earlier rule holds already can never
// be reached. Subnets are looked up by every shorter length in a hash table, so a rule set with a
// hundred thousand networks is checked in a moment. Called by yaml_rules.c and shared.c.
#include "format/yaml_targets.h"

#include "base/hash.h"
#include "base/memory.h"
#include "geo/geo.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool yaml_asn_read(const struct yaml *at, uint32_t *asn)
{
    const char *text = yaml_text(at);
    if (text == NULL) {
        return false;
    }
    const char *digit = text + (strncasecmp(text, "AS", 2) == 0 ? 2 : 0), *first = digit;
    uint64_t number = 0;
    for (; *digit >= '0' && *digit <= '9' && number <= UINT32_MAX; digit++) {
        number = number * 10 + (uint64_t)(*digit - '0');
    }
    if (digit == first || *digit != '\0' || number == 0 || number > UINT32_MAX) {
        yaml_error(at, "expected an AS number such as 64500 or AS64500, found \"%.40s\"", text);
        return false;
    }
    *asn = (uint32_t)number;
    return true;
}

static void host_bits_error(const struct yaml *at, const char *text)
{
    const char *slash = strchr(text, '/');
    char bare[ADDRESS_TEXT_MAX] = "", right[PREFIX_TEXT_MAX];
    struct prefix prefix;
    snprintf(bare, sizeof(bare), "%.*s", (int)(slash ? slash - text : 0), text);
    if (slash && address_parse(bare, &prefix.address)) {
        prefix.length = (uint8_t)strtoul(slash + 1, NULL, 10);
        address_mask(&prefix.address, prefix.length);
        yaml_error(at, "\"%.60s\" has bits set behind its length; the network is %s", text,
                   prefix_format(&prefix, right));
        return;
    }
    yaml_error(at, "\"%.60s\" has bits set behind its length", text);
}

bool yaml_prefix_read(const struct yaml *at, unsigned ipv6_length_max, struct prefix *prefix)
{
    const char *text = yaml_text(at);
    bool host_bits = false;
    if (text == NULL) {
        return false;
    }
    if (!prefix_parse(text, prefix, &host_bits)) {
        if (host_bits) {
            host_bits_error(at, text);
        } else {
            yaml_error(at,
                       "expected a network such as 192.0.2.0/24 or 2001:db8::/32, "
                       "found \"%.60s\"",
                       text);
        }
        return false;
    }
    if (prefix->address.family == FAMILY_IPV6 && prefix->length > ipv6_length_max) {
        yaml_error(at,
                   "steering looks at the first 64 bits of IPv6 addresses at most; write a /64 "
                   "or a wider network than %.60s",
                   text);
        return false;
    }
    return true;
}

static bool list_begin(const struct yaml *at)
{
    if (!yaml_is_list(at)) {
        return false;
    }
    if (at->node->child_count == 0) {
        yaml_warning(at,
                     "an empty list is no target: the rule holds everybody unless it has others");
    }
    return true;
}

static bool geo_letters(const char *part, size_t size, bool digits)
{
    for (size_t i = 0; i < size; i++) {
        bool letter = part[i] >= 'A' && part[i] <= 'Z';
        if (!letter && !(digits && part[i] >= '0' && part[i] <= '9')) {
            return false;
        }
    }
    return size > 0;
}

// The form CC[-cc[-SS]] in capital letters.
static bool geo_form(const char *text)
{
    size_t length = strlen(text);
    bool good = length >= 2 && geo_letters(text, 2, false);
    if (length > 2) {
        good = good && text[2] == '-' && length >= 5 && geo_letters(text + 3, 2, false);
    }
    if (length > 5) {
        good = good && text[5] == '-' && length <= 9 && geo_letters(text + 6, length - 6, true);
    }
    return good && length != 3 && length != 4 && length != 6;
}

static void geo_form_error(const struct yaml *at, const char *text)
{
    char upper[16];
    size_t i = 0;
    for (; text[i] && i + 1 < sizeof(upper); i++) {
        upper[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 0x20) : text[i];
    }
    upper[i] = '\0';
    bool hint = text[i] == '\0' && geo_form(upper);
    yaml_error(at, "expected a place such as AS, AS-CN or NA-US-CA, found \"%.40s\"%s%s%s", text,
               hint ? "; write " : "", hint ? upper : "", hint ? " in capitals" : "");
}

static const char *geo_read(const struct yaml *at)
{
    static const char *const continents[] = {"AF", "AN", "AS", "EU", "NA", "OC", "SA"};
    const char *text = yaml_text(at);
    if (text == NULL) {
        return NULL;
    }
    if (!geo_form(text)) {
        geo_form_error(at, text);
        return NULL;
    }
    bool known = false;
    for (size_t i = 0; i < ARRAY_SIZE(continents); i++) {
        known |= strncmp(continents[i], text, 2) == 0;
    }
    if (!known) {
        yaml_error(at, "\"%.2s\" is no continent; they are AF, AN, AS, EU, NA, OC, SA", text);
        return NULL;
    }
    if (text[2] == '\0') {
        return text;
    }
    char country[3] = {text[3], text[4], '\0'};
    const char *continent = geo_continent_of(country);
    if (*continent == '\0') {
        yaml_error(at, "\"%s\" is no country code (ISO 3166-1)", country);
        return NULL;
    }
    if (strncmp(continent, text, 2) != 0) {
        yaml_error(at, "%s is in %s, not in %.2s", country, continent, text);
        return NULL;
    }
    if (text[5] != '\0' && *geo_region_code(country, text + 6) == '\0') {
        yaml_error(at,
                   "\"%s\" is no known subdivision of %s; known are those of AU, BR, CA, CN, DE, "
                   "GB, IN, JP, US and ZA",
                   text + 6, country);
        return NULL;
    }
    return text;
}

bool targets_geos_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule)
{
    if (!list_begin(at)) {
        return false;
    }
    const char **geos = arena_alloc(record->yz->arena, at->node->child_count * sizeof(*geos));
    bool good = true;
    struct yaml item = {0};
    while (yaml_next(at, &item)) {
        const char *geo = geo_read(&item);
        good &= geo != NULL;
        if (geo) {
            geos[rule->geo_count++] = arena_strdup(record->yz->arena, geo);
        }
    }
    rule->geos = geos;
    return good;
}

bool targets_subnets_read(const struct yaml_record *record, const struct yaml *at,
                          struct rule *rule)
{
    if (!list_begin(at)) {
        return false;
    }
    struct prefix *subnets =
        arena_alloc(record->yz->arena, at->node->child_count * sizeof(*subnets));
    bool good = true;
    struct yaml item = {0};
    while (yaml_next(at, &item)) {
        if (yaml_prefix_read(&item, 64, &subnets[rule->subnet_count])) {
            rule->subnet_count++;
        } else {
            good = false;
        }
    }
    rule->subnets = subnets;
    return good;
}

bool targets_asns_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule)
{
    if (!list_begin(at)) {
        return false;
    }
    uint32_t *asns = arena_alloc(record->yz->arena, at->node->child_count * sizeof(*asns));
    bool good = true;
    struct yaml item = {0};
    while (yaml_next(at, &item)) {
        if (yaml_asn_read(&item, &asns[rule->asn_count])) {
            rule->asn_count++;
        } else {
            good = false;
        }
    }
    rule->asns = asns;
    return good;
}

static void line_unknown(const struct lines *lines, const struct yaml *at, const char *name)
{
    size_t count = lines_count(lines);
    const char **ids = mem_alloc_array(count, sizeof(*ids));
    char hint[HINT_MAX];
    for (size_t i = 0; i < count; i++) {
        ids[i] = lines_get(lines, i)->id;
    }
    yaml_error(at, "there is no line \"%.60s\"%s", name,
               hint_format(text_nearest(name, ids, count), hint));
    free(ids);
}

int yaml_line_read(const struct yaml_record *record, const struct yaml *at)
{
    const struct lines *lines = record->yz->reader->lines;
    const char *name = yaml_text(at);
    if (name == NULL) {
        return -1;
    }
    int line = lines_find(lines, name);
    if (line < 0 && lines_is_foreign(lines, name, &line)) {
        yaml_warning(at, "the line \"%.60s\" is not known here: nobody is in it", name);
    } else if (line < 0) {
        line_unknown(lines, at, name);
    }
    return line;
}

bool targets_lines_read(const struct yaml_record *record, const struct yaml *at, struct rule *rule)
{
    if (!list_begin(at)) {
        return false;
    }
    int *lines = arena_alloc(record->yz->arena, at->node->child_count * sizeof(*lines));
    bool good = true;
    struct yaml item = {0};
    while (yaml_next(at, &item)) {
        int line = yaml_line_read(record, &item);
        good &= line >= 0;
        if (line >= 0) {
            lines[rule->line_count++] = line;
        }
    }
    rule->lines = lines;
    return good;
}

struct seen_subnet {
    struct prefix prefix;
    unsigned rule; // 0: the slot is free
};

struct seen_geo {
    const char *geo;
    unsigned rule;
};

struct targets_seen {
    struct seen_subnet *slots;
    size_t slot_count, subnet_count;
    struct seen_geo *geos;
    size_t geo_count, geo_capacity;
};

struct targets_seen *targets_seen_new(void)
{
    struct targets_seen *seen = mem_alloc(sizeof(*seen));
    seen->slot_count = 64;
    seen->slots = mem_alloc_array(seen->slot_count, sizeof(*seen->slots));
    return seen;
}

void targets_seen_free(struct targets_seen *seen)
{
    free(seen->slots);
    free(seen->geos);
    free(seen);
}

static struct seen_subnet *subnet_slot(const struct targets_seen *seen, const struct prefix *prefix)
{
    size_t mask = seen->slot_count - 1;
    size_t at = hash_bytes(prefix->length, &prefix->address, sizeof(prefix->address)) & mask;
    while (seen->slots[at].rule != 0 &&
           (seen->slots[at].prefix.length != prefix->length ||
            !address_equal(&seen->slots[at].prefix.address, &prefix->address))) {
        at = (at + 1) & mask;
    }
    return &seen->slots[at];
}

static void subnet_remember(struct targets_seen *seen, const struct prefix *prefix, unsigned rule)
{
    if ((seen->subnet_count + 1) * 2 > seen->slot_count) {
        struct targets_seen larger = *seen;
        larger.slot_count *= 2;
        larger.slots = mem_alloc_array(larger.slot_count, sizeof(*larger.slots));
        for (size_t i = 0; i < seen->slot_count; i++) {
            if (seen->slots[i].rule != 0) {
                *subnet_slot(&larger, &seen->slots[i].prefix) = seen->slots[i];
            }
        }
        free(seen->slots);
        *seen = larger;
    }
    *subnet_slot(seen, prefix) = (struct seen_subnet){*prefix, rule};
    seen->subnet_count++;
}

// The widest remembered network that holds the prefix, or NULL.
static const struct seen_subnet *subnet_holder(const struct targets_seen *seen,
                                               const struct prefix *prefix)
{
    for (unsigned length = 0; length <= prefix->length; length++) {
        struct prefix wider = *prefix;
        wider.length = (uint8_t)length;
        address_mask(&wider.address, length);
        const struct seen_subnet *slot = subnet_slot(seen, &wider);
        if (slot->rule != 0) {
            return slot;
        }
    }
    return NULL;
}

static int prefix_by_length(const void *a, const void *b)
{
    return ((const struct prefix *)a)->length - ((const struct prefix *)b)->length;
}

bool targets_seen_subnets(struct targets_seen *seen, const struct yaml *at, const struct rule *rule,
                          unsigned number)
{
    bool good = true;
    if (rule->subnet_count == 0) {
        return true;
    }
    struct prefix *sorted = mem_copy(rule->subnets, rule->subnet_count * sizeof(*sorted));
    qsort(sorted, rule->subnet_count, sizeof(*sorted), prefix_by_length);
    for (size_t i = 0; i < rule->subnet_count; i++) {
        const struct seen_subnet *holder = subnet_holder(seen, &sorted[i]);
        char text[PREFIX_TEXT_MAX], other[PREFIX_TEXT_MAX];
        if (holder && holder->prefix.length == sorted[i].length) {
            yaml_error(at, "%s is a target of rule %u already", prefix_format(&sorted[i], text),
                       holder->rule);
            good = false;
        } else if (holder && holder->rule == number) {
            yaml_error(at, "%s lies within %s, which this rule has too; leave one out",
                       prefix_format(&sorted[i], text), prefix_format(&holder->prefix, other));
            good = false;
        } else if (holder) {
            yaml_error(at,
                       "%s lies within %s, a target of rule %u; the narrower network must come "
                       "first",
                       prefix_format(&sorted[i], text), prefix_format(&holder->prefix, other),
                       holder->rule);
            good = false;
        } else {
            subnet_remember(seen, &sorted[i], number);
        }
    }
    free(sorted);
    return good;
}

static int geo_by_length(const void *a, const void *b)
{
    size_t left = strlen(*(const char *const *)a), right = strlen(*(const char *const *)b);
    return (left > right) - (left < right);
}

bool targets_seen_geos(struct targets_seen *seen, const struct yaml *at, const struct rule *rule,
                       unsigned number)
{
    bool good = true;
    if (rule->geo_count == 0) {
        return true;
    }
    const char **sorted = mem_copy(rule->geos, rule->geo_count * sizeof(*sorted));
    qsort(sorted, rule->geo_count, sizeof(*sorted), geo_by_length);
    for (size_t i = 0; i < rule->geo_count; i++) {
        const struct seen_geo *holder = NULL;
        for (size_t j = 0; j < seen->geo_count && !holder; j++) {
            size_t size = strlen(seen->geos[j].geo);
            bool within = strncmp(sorted[i], seen->geos[j].geo, size) == 0;
            holder = within ? &seen->geos[j] : NULL;
        }
        if (holder && strcmp(holder->geo, sorted[i]) == 0) {
            yaml_error(at, "%s is a target of rule %u already", sorted[i], holder->rule);
            good = false;
        } else if (holder && holder->rule == number) {
            yaml_error(at, "%s lies within %s, which this rule has too; leave one out", sorted[i],
                       holder->geo);
            good = false;
        } else if (holder) {
            yaml_error(at,
                       "%s lies within %s, a target of rule %u; the narrower place must come "
                       "first",
                       sorted[i], holder->geo, holder->rule);
            good = false;
        } else {
            MEM_GROW(seen->geos, seen->geo_count, seen->geo_capacity);
            seen->geos[seen->geo_count++] = (struct seen_geo){sorted[i], number};
        }
    }
    free(sorted);
    return good;
}
