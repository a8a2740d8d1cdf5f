// SPDX-License-Identifier: GPL-3.0-or-later
//
// Response rate limiting against a model that remembers every network and forgets none, and what it
// promises to victims and to bystanders.
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "dns/wire.h"
#include "net/rrl.h"

#include "../seed.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct rrl_options usual = {
    .rate = 50, .burst = 125, .slip = 2, .table_size = 1 << 16, .key = 1};

static struct address ipv4(uint32_t bits)
{
    return address_from_key(FAMILY_IPV4, (uint64_t)bits << 32);
}

// --- the model: an array of all networks ever seen, no hash, no slots

struct load {
    struct prefix network;
    double load;
    int64_t at_ns;
};

struct model {
    struct rrl_options options;
    struct load *loads;
    size_t count, capacity;
};

static struct load *model_load(struct model *model, const struct address *address, unsigned length)
{
    struct prefix network = {*address, (uint8_t)length};
    address_mask(&network.address, length);
    for (size_t i = 0; i < model->count; i++) {
        struct load *load = &model->loads[i];
        if (load->network.length == length &&
            address_equal(&load->network.address, &network.address)) {
            return load;
        }
    }
    MEM_GROW(model->loads, model->count, model->capacity);
    model->loads[model->count] = (struct load){network, 0, 0};
    return &model->loads[model->count++];
}

static const struct {
    enum family family;
    unsigned length, multiplier;
} networks[] = {
    {FAMILY_IPV4, 32, 1},   {FAMILY_IPV4, 24, 32}, {FAMILY_IPV4, 20, 256},
    {FAMILY_IPV4, 18, 768}, {FAMILY_IPV6, 128, 1}, {FAMILY_IPV6, 64, 2},
    {FAMILY_IPV6, 56, 3},   {FAMILY_IPV6, 48, 4},  {FAMILY_IPV6, 32, 64},
};

// 1 passes, 0 withheld, -1: too near the limit for a float to be asked.
static int model_ask(struct model *model, const struct address *address, int64_t now_ns)
{
    double decay = (double)model->options.rate / model->options.burst / 1e9;
    int verdict = 1;
    for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
        if (networks[i].family != address->family) {
            continue;
        }
        struct load *load = model_load(model, address, networks[i].length);
        double now = load->load * exp(-decay * (double)(now_ns - load->at_ns));
        double over = now + 1 - (double)model->options.burst * networks[i].multiplier;
        if (fabs(over) < 0.002 * networks[i].multiplier) {
            return -1;
        }
        verdict = over > 0 ? 0 : verdict;
    }
    return verdict;
}

static void model_add(struct model *model, const struct address *address, int64_t now_ns)
{
    double decay = (double)model->options.rate / model->options.burst / 1e9;
    for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
        if (networks[i].family == address->family) {
            struct load *load = model_load(model, address, networks[i].length);
            load->load = load->load * exp(-decay * (double)(now_ns - load->at_ns)) + 1;
            load->at_ns = now_ns;
        }
    }
}

static struct address pick_address(uint64_t *random)
{
    struct address address = {.family = FAMILY_IPV4, .bytes = {192, 0}};
    // Few networks of each size, so that every limit is reached.
    if (random_below(random, 2) != 0) {
        address.bytes[2] = (uint8_t)(random_below(random, 3) * 24);
        address.bytes[3] = (uint8_t)random_below(random, random_below(random, 4) == 0 ? 64 : 2);
        return address;
    }
    address = (struct address){.family = FAMILY_IPV6, .bytes = {0x20, 1, 0x0d, 0xb8}};
    address.bytes[5] = (uint8_t)random_below(random, 3);
    address.bytes[6] = (uint8_t)random_below(random, 2);
    address.bytes[7] = (uint8_t)random_below(random, 2);
    address.bytes[15] = (uint8_t)random_below(random, 4);
    return address;
}

static void test_model(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    unsigned asked = 0, withheld = 0;
    for (unsigned round = 0; round < 8; round++) {
        struct rrl_options options = usual;
        options.rate = 1 + random_below(&random, 40);
        options.burst = 1 + random_below(&random, 20);
        options.key = random_next(&random);
        struct rrl *rrl = rrl_new(&options);
        struct model model = {.options = options};
        int64_t now_ns = (int64_t)random_below(&random, 1000000);
        for (unsigned i = 0; i < 20000; i++) {
            struct address address = pick_address(&random);
            uint32_t most_ns = random_below(&random, 1000) == 0 ? 2000000000U : 400000U;
            now_ns += (int64_t)random_below(&random, most_ns);
            int expected = model_ask(&model, &address, now_ns);
            bool passed = rrl_ask(rrl, &address, now_ns) == RRL_PASS;
            if (expected >= 0) {
                assert_int_equal(passed, expected);
                asked++;
                withheld += !passed;
            }
            if (passed) {
                model_add(&model, &address, now_ns);
            }
        }
        rrl_free(rrl);
        free(model.loads);
    }
    // Both verdicts were seen often, and few questions were too near to tell.
    assert_true(asked > 8 * 20000 * 8 / 10);
    assert_true(withheld > asked / 20 && withheld < asked * 19 / 20);
}

// What a network of each size may have at once: so many bursts, however its addresses are spread.
static void test_networks(void **state)
{
    (void)state;
    enum { BURST = 3 };
    struct rrl_options options = usual;
    options.burst = BURST;
    for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
        struct rrl *rrl = rrl_new(&options);
        const unsigned limit = BURST * networks[i].multiplier, length = networks[i].length;
        unsigned passed = 0;
        for (unsigned number = 0; number < 2 * limit; number++) {
            struct address address = {.family = (uint8_t)networks[i].family, .bytes = {0x20, 1}};
            for (unsigned bit = 0; bit < 16 && length + bit < family_bits(networks[i].family);
                 bit++) { // the lowest bit of the number stands right behind the prefix
                address.bytes[(length + bit) / 8] |=
                    (uint8_t)((number >> bit & 1) << (7 - (length + bit) % 8));
            }
            passed += rrl_ask(rrl, &address, 0) == RRL_PASS;
        }
        assert_int_equal(passed, limit);
        rrl_free(rrl);
    }
}

// An address and a network of the other family that begin with the same octets are two.
static void test_families_apart(void **state)
{
    (void)state;
    struct rrl *rrl = rrl_new(&usual);
    for (unsigned i = 0; i < usual.burst; i++) {
        struct address address = {.family = FAMILY_IPV6, .bytes = {0x20, 1, 0x0d, 0xb8, 1}};
        address.bytes[5] = (uint8_t)i;
        assert_int_equal(rrl_ask(rrl, &address, 0), RRL_PASS);
    }
    struct address same = ipv4(0x20010db8);
    assert_int_equal(rrl_ask(rrl, &same, 0), RRL_PASS);
    rrl_free(rrl);
}

// The answers that get through a steady flood of one address: the burst, then the rate.
static void test_rate(void **state)
{
    (void)state;
    enum { SECONDS = 60, FLOOD = 10000 };
    struct rrl *rrl = rrl_new(&usual);
    struct address victim = ipv4(0xc6336401);
    unsigned passed = 0, slipped = 0;
    for (int64_t i = 0; i < (int64_t)SECONDS * FLOOD; i++) {
        enum rrl_verdict verdict = rrl_ask(rrl, &victim, i * (NS_PER_SECOND / FLOOD));
        passed += verdict == RRL_PASS;
        slipped += verdict == RRL_SLIP;
    }
    unsigned expected = usual.burst + SECONDS * usual.rate;
    assert_in_range(passed, expected * 98 / 100, expected * 102 / 100);
    assert_in_range(slipped, (SECONDS * FLOOD - passed) / 2 - 1, (SECONDS * FLOOD - passed) / 2);
    // When it is over, the address has its burst back soon.
    int64_t later_ns = (SECONDS + 30) * NS_PER_SECOND;
    for (unsigned i = 0; i + 1 < usual.burst; i++) {
        assert_int_equal(rrl_ask(rrl, &victim, later_ns), RRL_PASS);
    }
    rrl_free(rrl);
}

static void test_slip(void **state)
{
    (void)state;
    static const struct {
        uint32_t slip;
        unsigned slipped;
    } cases[] = {{0, 0}, {1, 600}, {2, 300}, {3, 200}};
    struct address victim = ipv4(0xc6336401);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct rrl_options options = usual;
        options.slip = cases[i].slip;
        struct rrl *rrl = rrl_new(&options);
        unsigned slipped = 0;
        for (unsigned j = 0; j < options.burst + 600; j++) {
            slipped += rrl_ask(rrl, &victim, 0) == RRL_SLIP;
        }
        assert_int_equal(slipped, cases[i].slipped);
        rrl_free(rrl);
    }
}

static void test_exempt(void **state)
{
    (void)state;
    struct prefix exempt[2];
    assert_true(prefix_parse("198.51.100.0/24", &exempt[0], NULL));
    assert_true(prefix_parse("2001:db8::/32", &exempt[1], NULL));
    struct rrl_options options = usual;
    options.exempt = exempt;
    options.exempt_count = 2;
    struct rrl *rrl = rrl_new(&options);
    struct address trusted[2] = {ipv4(0xc6336401), exempt[1].address}, other = ipv4(0xc6336501);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(rrl_ask(rrl, &trusted[i % 2], 0), RRL_PASS);
    }
    unsigned passed = 0;
    for (unsigned i = 0; i < 10000; i++) {
        passed += rrl_ask(rrl, &other, 0) == RRL_PASS;
    }
    assert_int_equal(passed, options.burst);
    rrl_free(rrl);
}

// A flood from one /24, 500 bystanders that ask twice a second: none of theirs is withheld, and the
// /24 gets what a /24 may have. Then the same while forged sources from everywhere fill the table.
static void test_bystanders(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (unsigned forged = 0; forged < 2; forged++) {
        struct rrl *rrl = rrl_new(&usual);
        enum { SECONDS = 10, FLOOD = 100000, BYSTANDERS = 500 };
        unsigned passed = 0;
        for (int64_t i = 0; i < (int64_t)SECONDS * FLOOD; i++) {
            int64_t now_ns = i * (NS_PER_SECOND / FLOOD);
            struct address attacker = ipv4(0xc6336400 | random_below(&random, 256));
            passed += rrl_ask(rrl, &attacker, now_ns) == RRL_PASS;
            if (forged) {
                struct address anybody = ipv4(0x20000000 | (uint32_t)random_next(&random) >> 3);
                rrl_ask(rrl, &anybody, now_ns);
            }
            if (i % (FLOOD / (2 * BYSTANDERS)) == 0) {
                uint32_t number = (uint32_t)(i / (FLOOD / (2 * BYSTANDERS))) % BYSTANDERS;
                struct address bystander = ipv4(0x0a000000 | number << 14 | 53);
                assert_int_equal(rrl_ask(rrl, &bystander, now_ns), RRL_PASS);
            }
        }
        unsigned expected = 32 * (usual.burst + SECONDS * usual.rate);
        assert_in_range(passed, expected * 9 / 10, forged ? expected * 3 / 2 : expected * 11 / 10);
        rrl_free(rrl);
    }
}

// An answer is cut to its question and OPT; one without OPT, or of a header only, as well.
static void test_truncate(void **state)
{
    (void)state;
    static const uint8_t question[] = "\1a\2bc\0\0\1\0\1";
    static const uint8_t record[] = "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\1\2\3\4";
    static const uint8_t opt[] = "\0\0\x29\4\xd0\0\0\0\0\0\6\0\12\0\2\x55\xaa";
    enum { QUESTION = sizeof(question) - 1, RECORD = sizeof(record) - 1, OPT = sizeof(opt) - 1 };
    for (unsigned shape = 0; shape < 32; shape++) {
        unsigned questions = shape & 1, answers = shape >> 1 & 3, opts = shape >> 3 & 1;
        bool opt_first = shape >> 4;
        uint8_t message[256] = {1, 2, 0x84, 3};
        size_t size = HEADER_SIZE;
        put_u16(message + AT_QDCOUNT, questions);
        put_u16(message + AT_ANCOUNT, answers);
        put_u16(message + AT_NSCOUNT, answers);
        put_u16(message + AT_ARCOUNT, opts + 1);
        memcpy(message + size, question, questions ? QUESTION : 0);
        size += questions ? QUESTION : 0;
        for (unsigned i = 0; i < 2 * answers + opts + 1; i++) {
            bool is_opt = opts > 0 && i == 2 * answers + (opt_first ? 0 : 1);
            memcpy(message + size, is_opt ? opt : record, is_opt ? OPT : RECORD);
            size += is_opt ? OPT : RECORD;
        }
        uint8_t expected[256] = {1, 2, 0x86, 3, 0, (uint8_t)questions,
                                 0, 0, 0,    0, 0, (uint8_t)opts};
        size_t expected_size = HEADER_SIZE + (questions ? QUESTION : 0);
        memcpy(expected + HEADER_SIZE, question, questions ? QUESTION : 0);
        memcpy(expected + expected_size, opt, opts ? OPT : 0);
        expected_size += opts ? OPT : 0;
        assert_int_equal(answer_truncate(message), expected_size);
        assert_memory_equal(message, expected, expected_size);
    }
}

static void test_apply(void **state)
{
    (void)state;
    struct rrl_options options = usual;
    options.burst = 1;
    struct rrl *rrl = rrl_new(&options);
    static uint8_t bytes[6][32];
    struct message messages[6];
    struct worker_counters counters = {0};
    for (size_t i = 0; i < 6; i++) {
        bytes[i][2] = 0x84;
        messages[i] = (struct message){
            .out = bytes[i], .out_size = HEADER_SIZE, .source.address = ipv4(0xc6336401)};
    }
    messages[0].out_size = 0;        // asks for nothing
    messages[1].cookie_valid = true; // exempt, and adds nothing
    rrl_apply(rrl, messages, 6, 0, &counters);
    static const size_t expected[] = {0, HEADER_SIZE, HEADER_SIZE, 0, HEADER_SIZE, 0};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(messages[i].out_size, expected[i]);
        assert_int_equal(bytes[i][2], i == 4 ? 0x86 : 0x84);
    }
    assert_int_equal(counters.rrl_dropped, 2);
    assert_int_equal(counters.rrl_slipped, 1);
    rrl_free(rrl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),          cmocka_unit_test(test_rate),
        cmocka_unit_test(test_slip),           cmocka_unit_test(test_exempt),
        cmocka_unit_test(test_bystanders),     cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_apply),          cmocka_unit_test(test_networks),
        cmocka_unit_test(test_families_apart),
    };
    return cmocka_run_group_tests_name("net/rrl", tests, NULL, NULL);
}
