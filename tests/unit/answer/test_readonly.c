// SPDX-License-Identifier: GPL-3.0-or-later
//
// Answering writes nothing that two workers share: every page of the process but the stack and the
// worker's own is made read-only while a batch is answered. A write anywhere else ends the test.
#include "ask.h"

#include "answer/respond.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

// Workers lie on cache lines, and in memory, of their own.
_Static_assert(_Alignof(struct worker) >= CACHE_LINE, "no line belongs to two workers");
_Static_assert(sizeof(struct worker) % CACHE_LINE == 0, "no line belongs to two workers");

enum { RANGES_MAX = 256, MAPS_MAX = 1 << 16, QUERY_MAX = 512 };

struct range {
    uintptr_t begin, end;
};

struct ranges {
    struct range items[RANGES_MAX];
    size_t count;
};

static bool overlaps(const struct range *range, const void *at, size_t size)
{
    uintptr_t begin = (uintptr_t)at;
    return begin < range->end && begin + size > range->begin;
}

// Every writable private mapping but those that the answer is allowed to write to: the worker, the
// stack and what belongs to the thread. There the kernel writes too: whenever it takes the thread
// off its core (rseq), and it ends the process when it cannot. Nothing is allocated meanwhile.
static void ranges_read(struct ranges *ranges, const struct worker *worker)
{
    static char text[MAPS_MAX];
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    size_t size = 0;
    for (ssize_t got; (got = read(fd, text + size, sizeof(text) - 1 - size)) > 0;) {
        size += (size_t)got;
    }
    close(fd);
    assert_true(size < sizeof(text) - 1);
    text[size] = '\0';
    ranges->count = 0;
    for (char *line = text, *end; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        struct range range;
        char access[5];
        assert_int_equal(sscanf(line, "%lx-%lx %4s", &range.begin, &range.end, access), 3);
        bool allowed = overlaps(&range, worker, sizeof(*worker)) || overlaps(&range, &range, 1) ||
                       overlaps(&range, (const void *)pthread_self(), 1);
        if (strcmp(access, "rw-p") == 0 && !allowed) {
            assert_true(ranges->count < RANGES_MAX);
            ranges->items[ranges->count++] = range;
        }
    }
}

static bool ranges_protect(const struct ranges *ranges, int protection)
{
    bool good = true;
    for (size_t i = 0; i < ranges->count; i++) {
        const struct range *range = &ranges->items[i];
        good &= mprotect((void *)range->begin, range->end - range->begin, protection) == 0;
    }
    return good;
}

static void put_zones(struct publisher *publisher)
{
    struct zone *zone = zone_of("example.test.", "www.example.test. 60 A 192.0.2.1\n"
                                                 "www.example.test. 60 A 192.0.2.2\n"
                                                 "one.example.test. 60 A 192.0.2.3\n"
                                                 "st.example.test. 60 A 192.0.2.4\n"
                                                 "st.example.test. 60 A 192.0.2.5\n"
                                                 "many.example.test. 60 A 192.0.2.6\n"
                                                 "many.example.test. 60 A 192.0.2.7\n"
                                                 "*.wild.example.test. 60 A 192.0.2.8\n"
                                                 "c.example.test. 60 CNAME st.example.test.\n"
                                                 "mx.example.test. 60 MX 1 www.example.test.\n"
                                                 "d.example.test. 60 DNAME wild.example.test.\n"
                                                 "cut.example.test. 60 NS ns.cut.example.test.\n"
                                                 "ns.cut.example.test. 60 A 192.0.2.9\n");
    steer(zone, "st.example.test.", TYPE_A, METHOD_WEIGHTED, 1);
    steer(zone, "many.example.test.", TYPE_A, METHOD_ROTATE, 2);
    put_zone(publisher, zone);
}

static size_t ask_all(const struct generation *generation, struct worker *worker, bool closed)
{
    static const char *const names[] = {
        "www.example.test.",    "one.example.test.",    "st.example.test.",   "many.example.test.",
        "a.wild.example.test.", "c.example.test.",      "mx.example.test.",   "x.d.example.test.",
        "x.cut.example.test.",  "nobody.example.test.", "elsewhere.invalid.", "example.test.",
    };
    static const uint16_t types[] = {TYPE_A, TYPE_MX, TYPE_ANY, TYPE_SOA};
    uint8_t packets[ARRAY_SIZE(names) * ARRAY_SIZE(types)][QUERY_MAX * 3];
    struct message messages[ARRAY_SIZE(packets)];
    _Static_assert(ARRAY_SIZE(packets) <= ANSWER_BATCH_MAX, "one batch");
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        struct question question = {.name = names[i / ARRAY_SIZE(types)],
                                    .type = types[i % ARRAY_SIZE(types)],
                                    .edns = i % 3 != 0,
                                    .subnet = i % 2 ? "198.51.100.0/24" : NULL};
        messages[i] = (struct message){
            .query = packets[i],
            .query_size = query_make(&question, (uint16_t)i, packets[i]),
            .source = {.address = {FAMILY_IPV4, {192, 0, 2, 1}}, .port = 4000},
            .out = packets[i],
        };
    }
    struct ranges ranges;
    ranges_read(&ranges, worker);
    bool good = !closed || ranges_protect(&ranges, PROT_READ);
    answer_batch(generation, worker, messages, ARRAY_SIZE(messages));
    good &= ranges_protect(&ranges, PROT_READ | PROT_WRITE);
    assert_true(good && ranges.count > 2);
    size_t answered = 0;
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        answered += messages[i].out_size > 0;
    }
    return answered;
}

static void test_nothing_shared_is_written(void **state)
{
    (void)state;
#ifdef SP_DEBUG
    skip(); // sanitizers keep books of every access in memory of their own
#endif
    struct publisher *publisher = publisher_simple();
    put_zones(publisher);
    struct worker *worker = worker_new(7);
    assert_int_equal((uintptr_t)worker % CACHE_LINE, 0);
    // Open first: the loader binds functions when they are called for the first time.
    for (int round = 0; round < 20; round++) {
        assert_int_equal(ask_all(publisher_current(publisher), worker, round > 0), 48);
    }
    worker_free(worker);
    publisher_free(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_shared_is_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
