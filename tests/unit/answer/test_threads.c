// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two data threads answer while the control thread publishes zones and plans without pause: every
// response is one that some generation gives, never an empty one. Most telling under a sanitizer.
#include "ask.h"

#include "base/clock.h"

#include <pthread.h>

enum { READERS = 2, NAMES = 40, BATCH = 16 };

// At least so long, and until all have done something: a thread may be late.
static const int64_t duration_ns = 2 * NS_PER_SECOND, late_ns = 60 * NS_PER_SECOND;
enum { PUBLISHED_MIN = 20, ANSWERS_MIN = 200 };

struct reader {
    pthread_t thread;
    generation_root *root;
    struct worker *worker;
    uint64_t random;
    _Atomic uint64_t answers;
    const char *fault; // what went wrong first
};

static _Atomic bool stopping;

// The answers that may be: name 0.. of "p.test." is steered or static with addresses that hold its
// number, in every generation; "c.p.test." comes and goes.
static const char *fault_of(const struct reply *reply, unsigned name, bool in_child)
{
    if (in_child && reply->rcode == RCODE_NOERROR && reply->counts[0] == 0) {
        return NULL; // NODATA of the parent's empty non-terminal
    }
    if (in_child && reply->rcode == RCODE_NXDOMAIN) {
        return NULL;
    }
    if (reply->rcode != RCODE_NOERROR || !reply->aa || reply->tc) {
        return "not an answer";
    }
    if (reply->counts[0] == 0 || reply->counts[0] > 3) {
        return "an empty answer";
    }
    for (unsigned i = 0; i < reply->counts[0]; i++) {
        char expected[64];
        snprintf(expected, sizeof(expected), "n%u.%sp.test. 60 A 10.%u.", name,
                 in_child ? "c." : "", name);
        if (strncmp(reply->lines[0][i], expected, strlen(expected)) != 0) {
            return "an answer for another name";
        }
    }
    return NULL;
}

static void ask_one(struct reader *reader, const struct generation *generation)
{
    unsigned name = random_below(&reader->random, NAMES);
    bool in_child = random_below(&reader->random, 4) == 0;
    char text[64];
    snprintf(text, sizeof(text), "n%u.%sp.test.", name, in_child ? "c." : "");
    struct question question = {.name = text, .type = TYPE_A, .tcp = true, .edns = name & 1};
    struct reply *reply = ask(generation, reader->worker, &question);
    const char *fault = reply ? fault_of(reply, name, in_child) : "silence";
    if (fault != NULL && reader->fault == NULL) {
        reader->fault = fault;
    }
    reader->answers++;
    if (reply != NULL) {
        reply_free(reply);
    }
}

static void *reader_run(void *context)
{
    struct reader *reader = context;
    rcu_reader_register();
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        const struct generation *generation =
            atomic_load_explicit(reader->root, memory_order_acquire);
        for (int i = 0; i < BATCH; i++) {
            ask_one(reader, generation);
        }
        rcu_quiescent();
        if (random_below(&reader->random, 50) == 0) {
            rcu_reader_offline();
            rcu_reader_online();
        }
    }
    rcu_reader_unregister();
    return NULL;
}

// --- the writer

static struct zone *make_zone(uint64_t *dice, const char *apex)
{
    char *lines = mem_alloc(NAMES * 3 * 80), text[64];
    size_t used = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        for (unsigned k = 1 + random_below(dice, 3); k > 0; k--) {
            used += (size_t)snprintf(lines + used, 80, "n%u.%s 60 A 10.%u.%u.%u\n", i, apex, i,
                                     random_below(dice, 256), k);
        }
    }
    struct zone *zone = zone_of(apex, lines);
    free(lines);
    for (unsigned i = 0; i < NAMES; i++) {
        if (random_below(dice, 2)) {
            snprintf(text, sizeof(text), "n%u.%s", i, apex);
            steer(zone, text, TYPE_A, (enum method)random_below(dice, METHOD_STICKY + 1), 0);
        }
    }
    return zone;
}

static void change_plans(struct change *change, const struct slots *slots, struct zone *zone,
                         uint64_t *dice)
{
    for (unsigned i = 1 + random_below(dice, 4); i > 0 && slots->count > 0; i--) {
        size_t at = random_below(dice, (uint32_t)slots->count);
        uint8_t owner[NAME_MAX_SIZE];
        wire_name(slots->items[at].owner, owner);
        const struct owner *found = zone_find(zone, owner);
        change_plan(change, slots->items[at].slot,
                    plan_simple(NULL, found, owner_rrset(found, TYPE_A), slots->items[at].slot));
    }
}

static bool readers_are_busy(const struct reader *readers)
{
    bool busy = true;
    for (size_t i = 0; i < READERS; i++) {
        busy &= readers[i].answers > ANSWERS_MIN;
    }
    return busy;
}

static void write_for_a_while(struct publisher *publisher, const struct reader *readers,
                              uint64_t *dice)
{
    struct zone *zone = make_zone(dice, "p.test.");
    struct slots slots = {0};
    unsigned published = 0;
    const struct clock *clock = clock_system();
    int64_t begin_ns = clock_monotonic_ns(clock), passed_ns = 0;
    static const uint8_t child[] = "\1c\1p\4test";
    while (passed_ns < duration_ns ||
           (passed_ns < late_ns && (published <= PUBLISHED_MIN || !readers_are_busy(readers)))) {
        passed_ns = clock_monotonic_ns(clock) - begin_ns;
        struct change *change = change_begin(publisher);
        unsigned what = random_below(dice, 10);
        if (what == 0) {
            struct zone *below = make_zone(dice, "c.p.test.");
            change_zone(change, below, plan_simple, NULL);
            zone_free(below);
        } else if (what == 1) {
            change_zone_remove(change, child);
        } else if (what < 5) {
            zone_free(zone);
            zone = make_zone(dice, "p.test.");
            slots.count = 0;
            change_zone(change, zone, plan_simple, &slots);
        } else {
            change_plans(change, &slots, zone, dice);
        }
        if (random_below(dice, 10) == 0 && what >= 5) {
            change_drop(change);
        } else {
            publish(change);
            published++;
        }
    }
    zone_free(zone);
    print_message("%u generations\n", published);
    assert_true(published > PUBLISHED_MIN);
}

static void test_answers_while_publishing(void **state)
{
    (void)state;
    uint64_t dice = test_seed();
    struct publisher *publisher = publisher_simple();
    struct zone *zone = make_zone(&dice, "p.test.");
    put_zone(publisher, zone);
    struct reader readers[READERS] = {0};
    for (size_t i = 0; i < READERS; i++) {
        readers[i].root = publisher_root(publisher);
        readers[i].worker = worker_new(i);
        readers[i].random = random_next(&dice);
        assert_int_equal(pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]), 0);
    }
    write_for_a_while(publisher, readers, &dice);
    atomic_store(&stopping, true);
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        print_message("%llu answers\n", (unsigned long long)readers[i].answers);
        assert_null(readers[i].fault);
        assert_true(readers[i].answers > ANSWERS_MIN);
        worker_free(readers[i].worker);
    }
    publisher_free(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_while_publishing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
