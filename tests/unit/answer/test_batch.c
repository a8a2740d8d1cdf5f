// SPDX-License-Identifier: GPL-3.0-or-later
//
// A batch says what its messages say one by one: two workers with the same dice, one asked by
// answer_batch, the other by answer, over random questions and damaged ones, in place and not.
#include "ask.h"

enum { BATCHES = 400, SLOT = 2048 };

static const char *const names[] = {
    "www.example.test.",  "WWW.example.TEST.",  "st.example.test.", "a.wild.example.test.",
    "c.example.test.",    "none.example.test.", "example.test.",    "x.cut.example.test.",
    "elsewhere.invalid.", "version.bind.",
};
static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_NS, TYPE_SOA, TYPE_ANY, TYPE_TXT};

static size_t make(uint64_t *random, uint8_t *message)
{
    struct question question = {
        .name = names[random_below(random, ARRAY_SIZE(names))],
        .type = types[random_below(random, ARRAY_SIZE(types))],
        .class = random_below(random, 8) == 0 ? CLASS_CH : CLASS_IN,
        .edns = random_below(random, 2),
        .subnet = random_below(random, 2) ? "198.51.100.0/24" : NULL,
    };
    size_t size = query_make(&question, (uint16_t)random_next(random), message);
    switch (random_below(random, 6)) {
    case 0: // cut
        return random_below(random, (uint32_t)size + 1);
    case 1: // one octet changed
        message[random_below(random, (uint32_t)size)] ^= (uint8_t)(1 + random_below(random, 255));
        return size;
    default:
        return size;
    }
}

static void ask_both(const struct generation *generation, struct worker *together,
                     struct worker *alone, uint64_t *random)
{
    static uint8_t queries[ANSWER_BATCH_MAX][SLOT], slots[ANSWER_BATCH_MAX][SLOT], out[SLOT];
    struct message messages[ANSWER_BATCH_MAX];
    size_t count = random_below(random, ANSWER_BATCH_MAX + 1);
    bool in_place = random_below(random, 2);
    for (size_t i = 0; i < count; i++) {
        struct query_source source = {.address = {FAMILY_IPV4, {192, 0, 2, (uint8_t)i}},
                                      .port = (uint16_t)random_next(random)};
        size_t size = make(random, queries[i]);
        memcpy(slots[i], queries[i], size);
        messages[i] = (struct message){.query = in_place ? slots[i] : queries[i],
                                       .query_size = size,
                                       .source = source,
                                       .out = slots[i],
                                       .out_size = 99};
    }
    answer_batch(generation, together, messages, count);
    for (size_t i = 0; i < count; i++) {
        size_t size =
            answer(generation, alone, queries[i], messages[i].query_size, &messages[i].source, out);
        assert_int_equal(messages[i].out_size, size);
        assert_memory_equal(slots[i], out, size);
    }
}

static void test_batch_is_its_messages(void **state)
{
    (void)state;
    struct publisher *publisher = publisher_simple();
    struct zone *zone = zone_of("example.test.", "www.example.test. 60 A 192.0.2.1\n"
                                                 "www.example.test. 60 A 192.0.2.2\n"
                                                 "www.example.test. 60 A 192.0.2.3\n"
                                                 "st.example.test. 60 A 192.0.2.4\n"
                                                 "st.example.test. 60 A 192.0.2.5\n"
                                                 "*.wild.example.test. 60 A 192.0.2.6\n"
                                                 "c.example.test. 60 CNAME www.example.test.\n"
                                                 "cut.example.test. 60 NS ns.cut.example.test.\n"
                                                 "ns.cut.example.test. 60 A 192.0.2.7\n");
    steer(zone, "st.example.test.", TYPE_A, METHOD_RANDOM, 1);
    put_zone(publisher, zone);
    uint64_t random = test_seed();
    struct worker *together = worker_new(5), *alone = worker_new(5);
    for (int i = 0; i < BATCHES; i++) {
        ask_both(publisher_current(publisher), together, alone, &random);
    }
    assert_memory_equal(worker_counters(together), worker_counters(alone),
                        sizeof(struct worker_counters));
    worker_free(together);
    worker_free(alone);
    publisher_free(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_batch_is_its_messages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
