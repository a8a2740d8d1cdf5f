// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a change costs beside what is there: publishes one small zone again and again, each time
// with another address, next to a zone of NAMES names, and prints the median and the worst time
// from change_begin to the end of change_publish (grace period included; no reader is registered).
//
// Usage: publish NAMES [CHANGES]
#include "answer/generation.h"
#include "base/clock.h"
#include "base/memory.h"
#include "dns/types.h"

#include <stdio.h>
#include <stdlib.h>

static struct diags diags;

static void add(struct zone *zone, const char *owner, uint16_t type, const void *rdata, size_t size)
{
    uint8_t name[NAME_MAX_SIZE];
    size_t name_size = name_parse(owner, zone_apex(zone), name, NULL);
    SP_ASSERT(name_size > 0);
    const struct zone_record record = {name, type, 300, rdata, size, {0}};
    zone_add(zone, &record, &diags);
}

// A zone of `count` names with two addresses each; the last octet of the first one is `mark`.
static struct zone *make_zone(const char *apex_text, size_t count, uint8_t mark)
{
    static const char *const servers[] = {"ns.example.test."};
    const struct zone_defaults defaults = {
        .nameservers = servers, .nameserver_count = 1, .serial = mark, .ttl = 300};
    uint8_t apex[NAME_MAX_SIZE];
    size_t apex_size = name_parse(apex_text, NULL, apex, NULL);
    SP_ASSERT(apex_size > 0);
    struct zone *zone = zone_new(apex);
    for (size_t i = 0; i < count; i++) {
        char owner[32];
        snprintf(owner, sizeof(owner), "n%zu", i);
        const uint8_t first[4] = {192, 0, 2, i == 0 ? mark : 1}, second[4] = {198, 51, 100, 1};
        add(zone, owner, TYPE_A, first, sizeof(first));
        add(zone, owner, TYPE_A, second, sizeof(second));
    }
    bool good = zone_finish(zone, &defaults, &diags);
    SP_ASSERT(good);
    return zone;
}

static int64_t publish_ns(struct publisher *publisher, const struct zone *zone)
{
    int64_t begun_ns = clock_monotonic_ns(clock_system());
    struct change *change = change_begin(publisher);
    change_zone(change, zone, NULL, NULL);
    bool published = change_publish(change, &diags);
    SP_ASSERT(published);
    return clock_monotonic_ns(clock_system()) - begun_ns;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    size_t names = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000;
    size_t changes = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
    SP_ASSERT(changes > 0);
    const struct answer_options options = {.udp_payload_max = 1232, .ecs = true};
    struct publisher *publisher = publisher_new(&options);
    struct zone *large = make_zone("large.test.", names, 1);
    int64_t large_ns = publish_ns(publisher, large);
    zone_free(large);
    int64_t *times = mem_alloc_array(changes, sizeof(*times));
    for (size_t i = 0; i < changes; i++) {
        struct zone *small = make_zone("small.test.", 10, (uint8_t)i);
        times[i] = publish_ns(publisher, small);
        zone_free(small);
    }
    qsort(times, changes, sizeof(*times), compare);
    struct generation_summary summary = generation_summary(publisher_current(publisher));
    printf("%zu names, %zu bytes a name: all at once %.1f ms; one name of a small zone %.1f us "
           "(median of %zu), %.1f us at worst\n",
           summary.name_count, summary.memory_size / summary.name_count, (double)large_ns / 1e6,
           (double)times[changes / 2] / 1e3, changes, (double)times[changes - 1] / 1e3);
    free(times);
    publisher_free(publisher);
    diags_clear(&diags);
    return 0;
}
