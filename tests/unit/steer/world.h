// SPDX-License-Identifier: GPL-3.0-or-later
//
// A small random world for the tests of steer/: lines, a networks.csv, and every key at which
// anything can change.
#pragma once

#include "../seed.h"
#include "base/memory.h"
#include "geo/geo.h"
#include "geo/lines.h"
#include "zone/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct keys {
    uint64_t *items;
    size_t count, capacity;
};

// The last key that is not above `key`: where its run begins.
static inline size_t keys_run(const struct keys *keys, uint64_t key)
{
    size_t low = 0, high = keys->count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (keys->items[middle] <= key) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

struct world {
    uint64_t *dice;
    struct lines *lines;
    struct geo *geo;
    struct keys keys[2]; // [0] IPv4, [1] IPv6: ascending, from 0
};

static inline uint32_t roll(const struct world *world, uint32_t bound)
{
    return random_below(world->dice, bound);
}

// A prefix of a crowded corner of the address space, so that networks nest and touch.
static inline struct prefix random_prefix(const struct world *world)
{
    struct prefix prefix = {0};
    if (roll(world, 2)) {
        prefix.address.family = FAMILY_IPV4;
        prefix.address.bytes[0] =
            (uint8_t)(roll(world, 4) ? 10 + roll(world, 2) : roll(world, 256));
        prefix.address.bytes[1] = (uint8_t)(roll(world, 4) << roll(world, 7));
        prefix.address.bytes[2] = (uint8_t)(roll(world, 3) << roll(world, 7));
        prefix.address.bytes[3] = (uint8_t)(roll(world, 2) << roll(world, 8));
        prefix.length = (uint8_t)(roll(world, 20) ? 8 + roll(world, 25) : roll(world, 9));
    } else {
        static const uint8_t head[] = {0x20, 0x01, 0x0d, 0xb8};
        prefix.address.family = FAMILY_IPV6;
        memcpy(prefix.address.bytes, head, sizeof(head));
        prefix.address.bytes[roll(world, 8)] ^= (uint8_t)(roll(world, 2) << roll(world, 8));
        prefix.address.bytes[4 + roll(world, 4)] ^= (uint8_t)(roll(world, 2) << roll(world, 8));
        prefix.address.bytes[0] = roll(world, 30) ? prefix.address.bytes[0] : 0xff;
        prefix.length = (uint8_t)(roll(world, 20) ? 30 + roll(world, 35) : roll(world, 31));
    }
    address_mask(&prefix.address, prefix.length);
    return prefix;
}

static inline void keys_add(struct keys *keys, uint64_t key)
{
    MEM_GROW(keys->items, keys->count, keys->capacity);
    keys->items[keys->count++] = key;
}

static inline uint64_t rest_of_prefix(unsigned length)
{
    return length >= 64 ? 0 : UINT64_MAX >> length;
}

// The first key of a prefix and the first behind it.
static inline void world_mark(struct world *world, const struct prefix *prefix)
{
    struct keys *keys = &world->keys[prefix->address.family == FAMILY_IPV6];
    uint64_t first = address_key(&prefix->address);
    keys_add(keys, first);
    keys_add(keys, (first | rest_of_prefix(prefix->length)) + 1); // 0 at the end of the space
}

static inline int key_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static inline void keys_sort(struct keys *keys)
{
    keys_add(keys, 0);
    qsort(keys->items, keys->count, sizeof(*keys->items), key_compare);
    size_t count = 0;
    for (size_t i = 0; i < keys->count; i++) {
        if (i == 0 || keys->items[i] != keys->items[i - 1]) {
            keys->items[count++] = keys->items[i];
        }
    }
    keys->count = count;
}

enum { CUSTOM_LINES = 4, CUSTOM_NETWORKS = 5 };

static inline struct lines *world_lines(struct world *world)
{
    static const uint32_t asns[] = {64500, 64501, 64502};
    static const char countries[][3] = {"JP", "US"};
    static const char *const names[CUSTOM_LINES] = {"office", "branch", "partners", "labs"};
    struct prefix networks[CUSTOM_LINES][CUSTOM_NETWORKS];
    struct line_definition definitions[CUSTOM_LINES] = {0};
    for (size_t i = 0; i < CUSTOM_LINES; i++) {
        definitions[i] = (struct line_definition){.name = names[i], .networks = networks[i]};
        definitions[i].network_count = 1 + roll(world, CUSTOM_NETWORKS);
        for (size_t k = 0; k < definitions[i].network_count; k++) {
            networks[i][k] = random_prefix(world);
            world_mark(world, &networks[i][k]);
        }
        definitions[i].asns = asns;
        definitions[i].asn_count = roll(world, 3);
        definitions[i].countries = countries;
        definitions[i].country_count = roll(world, 3) == 0;
    }
    struct diags diags = {0};
    struct lines *lines = lines_new(definitions, CUSTOM_LINES, &diags);
    assert_int_equal(diags.error_count, 0);
    diags_clear(&diags);
    return lines;
}

// networks.csv with `count` random rows, in a file without a name; its path is in `path`.
static inline int world_networks(struct world *world, unsigned count, char path[32])
{
    static const char *const places[] = {"CN,GD", "CN,BJ", "CN,", "US,CA", "US,", "JP,",
                                         "DE,",   "BR,",   ",",   ",",     ",",   ","};
    static const char *const asns[] = {"", "", "4134", "4837", "9808", "64500", "64501", "3320"};
    static const char *const lines[] = {"", "", "", "cn-telecom", "cn-unicom", "office", "labs"};
    static const char *const points[] = {",",           ",",          "50.1,8.7", "40.7,-74.0",
                                         "-33.9,151.2", "35.7,139.7", "-1.3,36.8"};
    int fd = memfd_create("networks.csv", 0);
    assert_true(fd >= 0);
    dprintf(fd, "cidr,country,region,asn,line,lat,lon\n");
    struct keys seen = {0};
    for (unsigned i = 0; i < count; i++) {
        struct prefix prefix = random_prefix(world);
        uint64_t mark =
            address_key(&prefix.address) ^ prefix.length ^ (uint64_t)prefix.address.family << 8;
        bool again = false;
        for (size_t k = 0; k < seen.count; k++) {
            again |= seen.items[k] == mark;
        }
        if (again) {
            continue; // a network twice is a fault
        }
        keys_add(&seen, mark);
        char text[PREFIX_TEXT_MAX];
        const char *place = places[roll(world, ARRAY_SIZE(places))];
        const char *line = lines[roll(world, ARRAY_SIZE(lines))];
        if (*place != ',' && strncmp(place, "CN", 2) != 0 && strncmp(line, "cn-", 3) == 0) {
            line = ""; // a Chinese ISP elsewhere is a fault
        }
        dprintf(fd, "%s,%s,%s,%s,%s\n", prefix_format(&prefix, text), place,
                asns[roll(world, ARRAY_SIZE(asns))], line, points[roll(world, ARRAY_SIZE(points))]);
        world_mark(world, &prefix);
    }
    free(seen.items);
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

static inline struct world world_new(uint64_t *dice, unsigned network_count)
{
    struct world world = {.dice = dice};
    world.lines = world_lines(&world);
    char path[32];
    int fd = world_networks(&world, network_count, path);
    struct geo_config config = {.networks_path = path};
    struct diags diags = {0};
    world.geo = geo_load(&config, world.lines, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        char text[512];
        print_message("%s\n", diag_format(&diags.items[i], text, sizeof(text)));
    }
    assert_int_equal(diags.error_count, 0);
    diags_clear(&diags);
    close(fd);
    struct prefix network;
    uint16_t isp;
    for (size_t i = 0; lines_isp_network(world.lines, i, &network, &isp); i++) {
        world_mark(&world, &network);
    }
    return world;
}

static inline void world_free(struct world *world)
{
    geo_free(world->geo);
    lines_free(world->lines);
    free(world->keys[0].items);
    free(world->keys[1].items);
}

// --- policies

// Random targets for a rule, into the arena.
static inline void random_targets(struct world *world, struct arena *arena, struct rule *rule)
{
    static const char *const line_names[] = {"cn",       "overseas",      "cn-telecom", "cn-unicom",
                                             "cn-gd",    "cn-telecom-gd", "jp",         "us-ca",
                                             "europe",   "asia",          "office",     "branch",
                                             "partners", "labs",          "cn-mobile",  "default"};
    static const char *const geos[] = {"AS", "AS-CN", "AS-CN-GD", "NA-US-CA",
                                       "NA", "SA-BR", "EU-DE"};
    static const uint32_t asns[] = {4134, 64500, 64501, 3320, 9808};
    unsigned kinds = 1 + roll(world, 15);
    int *lines = arena_alloc(arena, 3 * sizeof(*lines));
    const char **codes = arena_alloc(arena, 3 * sizeof(*codes));
    struct prefix *subnets = arena_alloc(arena, 6 * sizeof(*subnets));
    uint32_t *numbers = arena_alloc(arena, 3 * sizeof(*numbers));
    for (unsigned i = 1 + roll(world, 3); kinds & 1 && i > 0; i--) {
        unsigned bound = ARRAY_SIZE(line_names) - (roll(world, 8) > 0); // default but rarely
        lines[rule->line_count] = lines_find(world->lines, line_names[roll(world, bound)]);
        assert_true(lines[rule->line_count++] >= 0);
    }
    for (unsigned i = 1 + roll(world, 3); kinds & 2 && i > 0; i--) {
        codes[rule->geo_count++] = geos[roll(world, ARRAY_SIZE(geos))];
    }
    for (unsigned i = 1 + roll(world, 6); kinds & 4 && i > 0; i--) {
        subnets[rule->subnet_count++] = random_prefix(world);
    }
    for (unsigned i = 1 + roll(world, 3); kinds & 8 && i > 0; i--) {
        numbers[rule->asn_count++] = asns[roll(world, ARRAY_SIZE(asns))];
    }
    rule->lines = lines;
    rule->geos = codes;
    rule->subnets = subnets;
    rule->asns = numbers;
}

// Rules over `pool_count` pools; the pools are the caller's.
static inline void random_rules(struct world *world, struct arena *arena, struct policy *policy)
{
    policy->form = roll(world, 3) == 0 ? FORM_FLAT : FORM_DYNAMIC;
    policy->rule_count = 1 + roll(world, 10);
    policy->rules = arena_alloc(arena, policy->rule_count * sizeof(*policy->rules));
    for (size_t i = 0; i < policy->rule_count; i++) {
        struct rule *rule = &policy->rules[i];
        rule->pool = policy->form == FORM_FLAT ? i % policy->pool_count
                                               : roll(world, (uint32_t)policy->pool_count);
        rule->share_ppm = 1000000;
        if (policy->form == FORM_DYNAMIC && roll(world, 3) == 0) {
            rule->share_ppm = 1 + roll(world, 999999);
        }
        bool last = i + 1 == policy->rule_count;
        if (!(last && roll(world, 4)) && roll(world, 12)) {
            random_targets(world, arena, rule);
        }
    }
}
