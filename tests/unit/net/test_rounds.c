// SPDX-License-Identifier: GPL-3.0-or-later
//
// A peer that is behind with taking its answers, over TCP and over TLS: what passes what, that
// nothing is lost and nobody starves, whoever writes, reads or is served when.
#include "stage.h"

#include "../seed.h"

enum { LARGE_SIZE = 60000, LONG_QUESTION = TCP_LATER_MAX + 1 };

// What the order may be: see net/tcp_stream.c. Of one question that was put off, the large ones
// before it still had their turns while it was passed, and each let in so much.
static void check_order(const struct script *script)
{
    size_t last[2] = {0};
    for (size_t i = 0; i < script->count; i++) {
        const struct question *question = &script->questions[i];
        size_t *before = &last[is_large(question)];
        assert_true(question->place >= *before);
        *before = question->place;
    }
    for (size_t i = 0; i < script->count; i++) {
        size_t passed = 0, first = SIZE_MAX, turns = 1;
        for (size_t j = i + 1; is_large(&script->questions[i]) && j < script->count; j++) {
            const struct question *other = &script->questions[j];
            if (!is_large(other) && other->place < script->questions[i].place) {
                passed += TCP_PREFIX_SIZE + other->answer_size;
                first = MIN(first, other->place);
            }
        }
        for (size_t j = 0; passed > 0 && j < i; j++) {
            turns += is_large(&script->questions[j]) && script->questions[j].place > first;
        }
        assert_true(passed <= turns * TCP_FLUSH_SIZE);
    }
}

// One large answer after the other, and a small one: how much the peer must read before it has the
// small one, and how many answers it gets before.
static void small_behind(size_t large_count, bool over_tls, bool narrow, size_t *octets,
                         size_t *place)
{
    struct stage *stage = stage_new(over_tls);
    struct script script = {0};
    for (size_t i = 0; i < large_count; i++) {
        script_add(&script, QUERY_SIZE, LARGE_SIZE);
    }
    script_add(&script, QUERY_SIZE, QUERY_SIZE);
    struct peer peer = peer_connect(stage, narrow);
    script_send(&script, &peer, SIZE_MAX);
    const struct question *small = &script.questions[large_count];
    for (int idle_ms = 0; small->place == SIZE_MAX && idle_ms < PATIENCE_MS;) {
        size_t before = script.in_size;
        while (serve(stage, 0)) {
        }
        script_receive(&script, stage, &peer, 1000); // slowly: the server never waits for us to ask
        idle_ms += script.in_size == before && !serve(stage, 1);
    }
    *octets = script.in_size;
    *place = small->place;
    script_finish(&script, stage, &peer);
    assert_int_equal(counters_of(stage)->queries_tcp, script.count); // each counted once
    check_order(&script);
    peer_close(&peer);
    script_clear(&script);
    stage_free(stage);
}

static void test_small_behind_large(void **state)
{
    (void)state;
    enum { LARGE = 40, SOON = 8 }; // what the kernel has taken it sends first
    for (unsigned how = 0; how < 4; how++) {
        bool over_tls = how & 1, narrow = how & 2;
        size_t octets, place;
        small_behind(LARGE, over_tls, narrow, &octets, &place);
        print_message("%s, behind %d of %d octets: %zu octets, %zu answers before it\n",
                      over_tls ? "TLS" : "TCP", LARGE, LARGE_SIZE, octets, place);
        assert_true(place <= SOON);
        assert_true(octets <= (size_t)(SOON + 1) * (LARGE_SIZE + TCP_PREFIX_SIZE));
    }
}

// A peer that takes what it gets has its answers in the order of its questions, whatever their
// size.
static void test_order_without_pressure(void **state)
{
    (void)state;
    static const size_t sizes[] = {QUERY_SIZE, 5000, QUERY_SIZE, 7000, 100, 3000, QUERY_SIZE};
    struct stage *stage = stage_new(false);
    for (unsigned round = 0; round < 20; round++) {
        struct script script = {0};
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            script_add(&script, QUERY_SIZE, sizes[i]);
        }
        struct peer peer = peer_connect(stage, false);
        script_finish(&script, stage, &peer);
        for (size_t i = 0; i < script.count; i++) {
            assert_int_equal(script.questions[i].place, i);
        }
        peer_close(&peer);
        script_clear(&script);
    }
    assert_int_equal(counters_of(stage)->tcp_put_off, 0);
    stage_free(stage);
}

// Large answers to questions of which the queue holds no more, and to those that it would never
// hold: they wait, and none is lost.
static void test_full_queue(void **state)
{
    (void)state;
    struct stage *stage = stage_new(false);
    struct script script = {0};
    for (size_t i = 0; i < 120; i++) { // 22 octets each: 93 fit
        script_add(&script, QUERY_SIZE, 8000);
    }
    script_add(&script, LONG_QUESTION, 30000);
    script_add(&script, LONG_QUESTION, 100);
    script_add(&script, QUERY_SIZE, LARGE_SIZE);
    script_add(&script, LONG_QUESTION, ANSWER_TCP_MAX);
    script_add(&script, ANSWER_TCP_MAX, ANSWER_TCP_MAX);
    script_add(&script, QUERY_SIZE, QUERY_SIZE);
    struct peer peer = peer_connect(stage, true);
    script_send(&script, &peer, SIZE_MAX);
    while (serve(stage, 0)) {
    }
    script_receive(&script, stage, &peer, 100000);
    while (serve(stage, 0)) {
    }
    script_finish(&script, stage, &peer);
    check_order(&script);
    assert_in_range(counters_of(stage)->tcp_put_off, 1, 121);
    peer_close(&peer);
    script_clear(&script);
    stage_free(stage);
}

// What ends a connection, or the peer's own end, costs none of the answers that were put off. A
// reset costs them all, and nobody else anything.
static void ends(bool over_tls)
{
    enum { LARGE = 20, RUNT, END, RESET, ENDINGS };
    struct stage *stage = stage_new(over_tls);
    for (int ending = RUNT; ending < ENDINGS; ending++) {
        struct script script = {0};
        for (size_t i = 0; i < LARGE; i++) {
            script_add(&script, QUERY_SIZE, LARGE_SIZE);
        }
        script_add(&script, QUERY_SIZE, QUERY_SIZE);
        struct peer peer = peer_connect(stage, true);
        script_send(&script, &peer, SIZE_MAX);
        uint64_t before = counters_of(stage)->tcp_put_off;
        for (int i = 0; counters_of(stage)->tcp_put_off == before && i < PATIENCE_MS; i++) {
            while (serve(stage, 0)) {
            }
            script_receive(&script, stage, &peer, 1000);
        }
        assert_true(counters_of(stage)->tcp_put_off > before);
        const uint8_t runt[4] = {0, 2, 1, 2};
        struct linger reset = {1, 0};
        if (ending == RUNT) {
            assert_int_equal(peer_send(&peer, runt, sizeof(runt)), sizeof(runt));
        } else if (ending == END) {
            peer_end(&peer);
        } else {
            setsockopt(peer.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        if (ending != RESET) {
            script_finish(&script, stage, &peer);
            for (int i = 0; !script.ended && i < PATIENCE_MS; i++) {
                serve(stage, 1);
                script_receive(&script, stage, &peer, STREAM_MAX);
            }
            assert_true(script.ended);
        }
        peer_close(&peer);
        for (int i = 0; stage->tcp->count > 0 && i < PATIENCE_MS; i++) {
            serve(stage, 1);
        }
        assert_int_equal(stage->tcp->count, 0);
        assert_int_equal(stage->tcp->held_size, 0);
        script_clear(&script);
    }
    stage_free(stage);
}

static void test_ends(void **state)
{
    (void)state;
    ends(false);
    ends(true);
}

// Whoever takes what it gets, however slowly, is waited for as long as each of its answers comes
// within its time; single octets do not renew that time.
static void test_slow_reader(void **state)
{
    (void)state;
    enum { LARGE = 20, STEP_SIZE = 3000 };
    for (int dripping = 0; dripping < 2; dripping++) {
        struct stage *stage = stage_new(false);
        struct script script = {0};
        for (size_t i = 0; i < LARGE; i++) {
            script_add(&script, QUERY_SIZE, LARGE_SIZE);
        }
        struct peer peer = peer_connect(stage, true);
        script_send(&script, &peer, SIZE_MAX);
        int64_t begin_ns = turned_ns;
        for (int i = 0; script.answered < LARGE && counters_of(stage)->tcp_timed_out == 0;) {
            size_t before = script.in_size;
            bool served = serve(stage, 1);
            script_receive(&script, stage, &peer, dripping ? 100 : STEP_SIZE);
            if (script.in_size > before) { // 60,000 octets in 0.2 s, or in 6 s of the second
                turned_ns += 10 * NS_PER_MS;
            }
            i += !served && script.in_size == before;
            assert_true(i < PATIENCE_MS);
        }
        assert_true(turned_ns - begin_ns > NS_PER_SECOND);
        assert_int_equal(script.answered == LARGE, !dripping);
        assert_int_equal(counters_of(stage)->tcp_timed_out, dripping);
        peer_close(&peer);
        script_clear(&script);
        stage_free(stage);
    }
}

// Who is closed over TLS is told so (RFC 7858, 3.4; RFC 8446, 6.1): an end that anybody could have
// forged says nothing.
static void test_idle_tls(void **state)
{
    (void)state;
    struct stage *stage = stage_new(true);
    struct peer peer = peer_connect(stage, false);
    for (int i = 0; counters_of(stage)->tls_handshakes == 0 && i < PATIENCE_MS; i++) {
        serve(stage, 1);
    }
    turned_ns += stage->net.tcp_idle_ns;
    serve(stage, 0);
    assert_int_equal(counters_of(stage)->tcp_timed_out, 1);
    bool ended = false;
    uint8_t byte;
    for (int i = 0; !ended && i < PATIENCE_MS; i++) {
        assert_int_equal(peer_receive(&peer, &byte, 1, &ended), 0);
        sleep_ms(1);
    }
    assert_true(ended);
    peer_close(&peer);
    stage_free(stage);
}

static size_t draw_size(uint64_t *random)
{
    static const size_t bounds[] = {100, 4000, TCP_PASSING_MAX + 3, 20000, ANSWER_TCP_MAX};
    size_t bound = bounds[random_below(random, ARRAY_SIZE(bounds))];
    return bound - random_below(random, (uint32_t)MIN(bound - QUERY_SIZE, 4000U));
}

// Any order of writing, reading and serving, in pieces of any size.
static void interleave(uint64_t *random)
{
    struct stage *stage = stage_new(random_below(random, 2) == 0);
    struct script script = {0};
    size_t budget = STREAM_MAX / 2;
    unsigned large_of = 2 + random_below(random, 20);
    while (script.count < 400 && budget > ANSWER_TCP_MAX) {
        size_t answer_size = random_below(random, large_of) == 0 ? draw_size(random) : QUERY_SIZE;
        size_t size = random_below(random, 50) == 0
                          ? QUERY_SIZE + random_below(random, 2 * TCP_LATER_MAX)
                          : QUERY_SIZE;
        script_add(&script, size, answer_size);
        budget -= MAX(size, answer_size) + TCP_PREFIX_SIZE;
    }
    struct peer peer = peer_connect(stage, random_below(random, 4) != 0);
    bool writes_on = random_below(random, 2) == 0;
    for (unsigned steps = 0; script.answered < script.count && steps < 4000; steps++) {
        switch (random_below(random, 4)) {
        case 0:
            script_send(&script, &peer, writes_on ? 5000 : random_below(random, 200));
            break;
        case 1:
            script_receive(&script, stage, &peer, random_below(random, 3000));
            break;
        case 2:
            serve(stage, 0);
            break;
        default: // what OpenSSL refuses while a record of ours waits to be sent
            if (peer.ssl != NULL && peer.pending == 0 && random_below(random, 20) == 0) {
                SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED);
            }
        }
    }
    script_send(&script, &peer, SIZE_MAX);
    bool half_closes = random_below(random, 2) == 0 && script.sent == script.size;
    if (half_closes) {
        peer_end(&peer);
    }
    script_finish(&script, stage, &peer);
    check_order(&script);
    assert_int_equal(counters_of(stage)->queries_tcp, script.count);
    peer_close(&peer);
    script_clear(&script);
    stage_free(stage);
}

static void test_interleavings(void **state)
{
    (void)state;
    uint64_t random = test_seed();
    for (unsigned long i = test_count("SIGNPOST_INTERLEAVINGS", 60); i > 0; i--) {
        interleave(&random);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); // OpenSSL writes to sockets that are closed
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_behind_large), cmocka_unit_test(test_order_without_pressure),
        cmocka_unit_test(test_full_queue),         cmocka_unit_test(test_ends),
        cmocka_unit_test(test_slow_reader),        cmocka_unit_test(test_idle_tls),
        cmocka_unit_test(test_interleavings),
    };
    return cmocka_run_group_tests_name("net/rounds", tests, NULL, NULL);
}
