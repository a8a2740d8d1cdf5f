// SPDX-License-Identifier: GPL-3.0-or-later
//
// A zone that a reader has accepted must be one that can be published: compiled, asked for, freed.
#pragma once

#include "fuzz.h"

#include "answer/generation.h"
#include "geo/geo.h"
#include "steer/territory.h"
#include "format/readers.h"

// Lines and geo data for all zones of a target; made once.
struct surroundings {
    struct lines *lines;
    struct geo *geo;
    struct territories *territories;
};

static inline struct surroundings *surroundings(void)
{
    static struct surroundings around;
    static const char networks[] = "cidr,country,region,asn,line,lat,lon\n"
                                   "203.0.113.0/24,CN,GD,4134,cn-telecom,,\n"
                                   "198.51.100.0/24,US,CA,64500,,,\n"
                                   "2001:db8::/32,JP,,64501,,,\n"
                                   "192.0.2.0/25,,,,office,,\n";
    static const struct prefix office = {{FAMILY_IPV4, {10}}, 8};
    static const struct line_definition custom = {
        .name = "office", .networks = &office, .network_count = 1};
    if (around.lines == NULL) {
        struct diags diags = {0};
        around.lines = lines_new(&custom, 1, &diags);
        struct geo_config config = {.networks_path = fuzz_file(networks, sizeof(networks) - 1)};
        around.geo = geo_load(&config, around.lines, &diags);
        around.territories = territories_new();
        SP_ASSERT(diags.count == 0);
    }
    return &around;
}

static inline struct member_view fuzz_health(void *state, const struct member *member)
{
    (void)state; // members with a check are up or down by chance of their bytes
    return (struct member_view){.health = member->rdata[member->rdata_size - 1] & 1 ? HEALTH_UP
                                                                                    : HEALTH_DOWN,
                                .since_ns = member->rdata[0],
                                .change_in_s = member->rdata[0] & 7};
}

// Territories of plans that live, to be released after them.
struct acquired {
    struct territory **items;
    size_t count, capacity;
};

static inline struct plan *fuzz_plan(void *context, const struct owner *owner,
                                     const struct rrset *rrset, uint32_t slot)
{
    (void)owner;
    (void)slot;
    struct acquired *acquired = context;
    struct surroundings *around = surroundings();
    struct territory *territory =
        territory_acquire(around->territories, rrset->policy, around->lines, around->geo);
    MEM_GROW(acquired->items, acquired->count, acquired->capacity);
    acquired->items[acquired->count++] = territory;
    struct health_source health = {fuzz_health, NULL};
    for (size_t p = 0; p < rrset->policy->pool_count; p++) { // as if the registry had taken them
        struct pool *pool = &rrset->policy->pools[p];
        for (size_t i = 0; i < pool->member_count; i++) {
            pool->members[i].check = rrset->policy->check.kind == CHECK_NONE ? -1 : 0;
        }
    }
    return plan_compile(rrset->policy, rrset->type, rrset->ttl, territory, &health, 1);
}

static inline void acquired_release(struct acquired *acquired)
{
    for (size_t i = 0; i < acquired->count; i++) {
        territory_release(surroundings()->territories, acquired->items[i]);
    }
    free(acquired->items);
}

static inline void publish_and_free(const struct zone *zone)
{
    struct answer_options options = {.udp_payload_max = 1232, .ecs = true};
    struct publisher *publisher = publisher_new(&options);
    struct acquired acquired = {0};
    for (int i = 0; i < 2; i++) { // the second time it replaces itself
        struct change *change = change_begin(publisher);
        change_zone(change, zone, fuzz_plan, &acquired);
        struct diags diags = {0};
        bool good = change_publish(change, &diags);
        SP_ASSERT(good == (diags.error_count == 0));
        diags_clear(&diags);
    }
    publisher_free(publisher);
    acquired_release(&acquired);
}

// Every fault has a message and, when it names a line, a file.
static inline void check_diags(struct diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        char text[1024];
        SP_ASSERT(diags->items[i].message[0] != '\0');
        SP_ASSERT(diags->items[i].line == 0 || diags->items[i].file != NULL);
        diag_format(&diags->items[i], text, sizeof(text));
    }
    diags_clear(diags);
}

static inline struct zone_reader fuzz_reader(struct diags *diags)
{
    static const char *const nameservers[] = {"ns.example.net."};
    return (struct zone_reader){.lines = surroundings()->lines,
                                .defaults = {nameservers, 1, "hostmaster.example.net.", 1, 300},
                                .diags = diags};
}

typedef struct zone *zone_read(const char *path, const uint8_t *apex,
                               const struct zone_reader *reader);

// Any text is refused with places, or becomes a zone that can be published.
static inline int fuzz_zone(zone_read *read, const uint8_t *data, size_t size)
{
    static const uint8_t apex[] = "\7example\3com";
    struct diags diags = {0};
    struct zone_reader reader = fuzz_reader(&diags);
    struct zone *zone = read(fuzz_file(data, size), apex, &reader);
    SP_ASSERT((zone != NULL) == (diags.error_count == 0));
    if (zone != NULL) {
        publish_and_free(zone);
    }
    zone_free(zone);
    check_diags(&diags);
    return 0;
}
