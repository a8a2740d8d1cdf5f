// SPDX-License-Identifier: GPL-3.0-or-later
//
// A peer that is behind with taking its answers, over real sockets but on one thread: whose turn it
// is to write, read or serve is drawn here.
//
// Every question says how large its answer is. The oracle is the stand-in answer() itself, asked
// alone; the order of the stream is held against what net/tcp_stream.c promises.
#include "fixture.h"

#include "../seed.h"
#include "net/connection.h"
#include "net/socket.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>

enum {
    STREAM_MAX = 8 << 20,
    LARGE_SIZE = 60000,
    NARROW_SIZE = 4096,
    SEGMENT_SIZE = 1400, // as over a network: a window is not smaller than a segment
    LONG_QUESTION = TCP_LATER_MAX + 1,
    // What one connection may hold: answers; a message that grows, or input that waits; questions.
    HELD_MAX = TCP_FLUSH_SIZE + TCP_PREFIX_SIZE + ANSWER_TCP_MAX + TCP_PREFIX_SIZE +
               ANSWER_TCP_MAX + TCP_LATER_MAX,
};

// --- a server whose thread is ours

struct stage {
    struct generation generation;
    generation_root root;
    struct net_options net;
    struct responder responder;
    struct tcp *tcp;
    struct endpoint endpoint;
    int epoll_fd;
};

static struct stage *stage_new(void)
{
    struct stage *stage = mem_alloc(sizeof(*stage));
    stage->generation = (struct generation){.alive = ALIVE, .sized = true};
    atomic_init(&stage->root, &stage->generation);
    stage->net = (struct net_options){.tcp_clients_max = 8,
                                      .tcp_idle_ns = 1000 * NS_PER_SECOND,
                                      .tcp_message_ns = 1000 * NS_PER_SECOND,
                                      .clock = clock_system()};
    stage->responder =
        (struct responder){.root = &stage->root, .worker = worker_new(1), .net = &stage->net};
    assert_true(address_parse("127.0.0.1", &stage->endpoint.address));
    int listener = socket_bind(&stage->endpoint, TRANSPORT_TCP, SOCKET_SERVE);
    assert_true(listener >= 0);
    stage->endpoint.port = socket_port(listener);
    stage->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct tcp_options options = {
        .epoll_fd = stage->epoll_fd, .net = &stage->net, .responder = &stage->responder};
    stage->tcp = tcp_new(&options, &listener, 1);
    rcu_reader_register();
    return stage;
}

static void stage_free(struct stage *stage)
{
    rcu_reader_unregister();
    tcp_free(stage->tcp);
    worker_free(stage->responder.worker);
    close(stage->epoll_fd);
    free(stage);
}

static const struct worker_counters *counters_of(const struct stage *stage)
{
    return worker_counters(stage->responder.worker);
}

// What there is to do, after at most so long; true when there was anything.
static bool serve(const struct stage *stage, int timeout_ms)
{
    struct epoll_event events[8];
    int count = epoll_wait(stage->epoll_fd, events, 8, timeout_ms);
    for (int i = 0; i < count; i++) {
        tcp_event(stage->tcp, events[i].data.ptr, events[i].events);
        assert_int_equal(stage->tcp->out_size, 0);
    }
    tcp_tick(stage->tcp);
    assert_true(stage->tcp->held_size <= HELD_MAX);
    return count > 0;
}

static int connect_to(const struct stage *stage, bool narrow)
{
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&stage->endpoint.address, stage->endpoint.port, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), narrow_size = NARROW_SIZE, on = 1;
    int segment_size = SEGMENT_SIZE;
    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment_size, sizeof(segment_size));
    if (narrow) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &narrow_size, sizeof(narrow_size));
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, size), 0);
    return fd;
}

// --- questions and their answers

struct question {
    size_t size, answer_size; // without prefixes
    size_t place;             // of its answer among all; SIZE_MAX: none yet
};

static bool is_large(const struct question *question)
{
    return question->answer_size > TCP_PASSING_MAX;
}

struct script {
    struct question *questions;
    size_t count;
    uint8_t *bytes; // the whole stream of questions
    size_t size, sent;
    uint8_t *in;
    size_t in_size, parsed, answered;
    bool ended; // the server has said its last
};

static void script_add(struct script *script, size_t size, size_t answer_size)
{
    uint8_t query[2 + QUERY_SIZE];
    query_make((uint32_t)script->count, query);
    uint32_t wanted = (uint32_t)answer_size;
    memcpy(query + 2 + 16, &wanted, sizeof(wanted));
    query[0] = (uint8_t)(size >> 8);
    query[1] = (uint8_t)size;
    script->questions = mem_resize(script->questions, script->count + 1, sizeof(struct question));
    script->questions[script->count++] = (struct question){size, MAX(size, answer_size), SIZE_MAX};
    script->bytes = mem_resize(script->bytes, script->size + 2 + size, 1);
    memset(script->bytes + script->size, 0x11, 2 + size);
    memcpy(script->bytes + script->size, query, sizeof(query));
    script->size += 2 + size;
}

static void script_clear(struct script *script)
{
    free(script->questions);
    free(script->bytes);
    free(script->in);
    *script = (struct script){0};
}

// Sends at most so much of what is left.
static void script_send(struct script *script, int fd, size_t size)
{
    ssize_t sent = send(fd, script->bytes + script->sent, MIN(size, script->size - script->sent),
                        MSG_DONTWAIT | MSG_NOSIGNAL);
    script->sent += sent > 0 ? (size_t)sent : 0;
}

// The answer is the one to its question asked alone, and the only one.
static void check_answer(struct script *script, const struct stage *stage, const uint8_t *message,
                         size_t size)
{
    static uint8_t query[ANSWER_TCP_MAX], expected[ANSWER_TCP_MAX];
    uint32_t number = answer_number(message);
    assert_true(number < script->count);
    struct question *question = &script->questions[number];
    assert_int_equal(question->place, SIZE_MAX);
    question->place = script->answered++;
    struct worker *alone = worker_new(1);
    struct query_source source = {
        .address = stage->endpoint.address, .port = 1, .transport = TRANSPORT_TCP};
    memset(query, 0x11, question->size);
    query_make(number, expected);
    memcpy(query, expected + 2, QUERY_SIZE);
    uint32_t wanted;
    memcpy(&wanted, message + 16, sizeof(wanted));
    memcpy(query + 16, &wanted, sizeof(wanted));
    assert_int_equal(answer(&stage->generation, alone, query, question->size, &source, expected),
                     question->answer_size);
    worker_free(alone);
    assert_int_equal(size, question->answer_size);
    assert_memory_equal(message, expected, size);
}

// Takes at most so much of what has come.
static void script_receive(struct script *script, const struct stage *stage, int fd, size_t size)
{
    script->in = script->in != NULL ? script->in : mem_alloc(STREAM_MAX);
    ssize_t got = recv(fd, script->in + script->in_size, MIN(size, STREAM_MAX - script->in_size),
                       MSG_DONTWAIT);
    script->ended |= got == 0 && size > 0;
    script->in_size += got > 0 ? (size_t)got : 0;
    while (script->in_size - script->parsed >= 2) {
        const uint8_t *at = script->in + script->parsed;
        size_t message_size = (size_t)at[0] << 8 | at[1];
        if (script->in_size - script->parsed - 2 < message_size) {
            break;
        }
        check_answer(script, stage, at + 2, message_size);
        script->parsed += 2 + message_size;
    }
}

// Sends and reads all that is left, as fast as it goes.
static void script_finish(struct script *script, const struct stage *stage, int fd)
{
    for (int idle_ms = 0; script->answered < script->count && idle_ms < PATIENCE_MS;) {
        size_t before = script->in_size + script->sent;
        script_send(script, fd, SIZE_MAX);
        bool served = serve(stage, 0);
        script_receive(script, stage, fd, STREAM_MAX);
        if (!served && script->in_size + script->sent == before) {
            idle_ms += !serve(stage, 1);
        }
    }
    assert_int_equal(script->answered, script->count);
    assert_int_equal(script->parsed, script->in_size);
}

// What the order may be: see net/tcp_stream.c. Of one question that was put off, the large ones
// before it still had their turns while it was passed, and each let in so much.
static void check_order(const struct script *script)
{
    size_t last[2] = {0};
    for (size_t i = 0; i < script->count; i++) {
        const struct question *question = &script->questions[i];
        if (question->size > TCP_LATER_MAX - TCP_PREFIX_SIZE) {
            continue; // answered in its place, whatever its size
        }
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

// --- the tests

// One large answer after the other, and a small one: how much the peer must read before it has the
// small one, and how many answers it gets before.
static void small_behind(size_t large_count, bool narrow, size_t *octets, size_t *place)
{
    struct stage *stage = stage_new();
    struct script script = {0};
    for (size_t i = 0; i < large_count; i++) {
        script_add(&script, QUERY_SIZE, LARGE_SIZE);
    }
    script_add(&script, QUERY_SIZE, QUERY_SIZE);
    int fd = connect_to(stage, narrow);
    script_send(&script, fd, SIZE_MAX);
    const struct question *small = &script.questions[large_count];
    for (int idle_ms = 0; small->place == SIZE_MAX && idle_ms < PATIENCE_MS;) {
        size_t before = script.in_size;
        while (serve(stage, 0)) {
        }
        script_receive(&script, stage, fd, 1000); // slowly: the server never waits for us to ask
        idle_ms += script.in_size == before && !serve(stage, 1);
    }
    *octets = script.in_size;
    *place = small->place;
    script_finish(&script, stage, fd);
    assert_int_equal(counters_of(stage)->queries_tcp, script.count); // each counted once
    check_order(&script);
    close(fd);
    script_clear(&script);
    stage_free(stage);
}

static void test_small_behind_large(void **state)
{
    (void)state;
    enum { LARGE = 40, SOON = 8 }; // what the kernel has taken it sends first
    for (int narrow = 0; narrow < 2; narrow++) {
        size_t octets, place;
        small_behind(LARGE, narrow, &octets, &place);
        print_message("behind %d of %d octets: %zu octets, %zu answers before it\n", LARGE,
                      LARGE_SIZE, octets, place);
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
    struct stage *stage = stage_new();
    for (unsigned round = 0; round < 20; round++) {
        struct script script = {0};
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            script_add(&script, QUERY_SIZE, sizes[i]);
        }
        int fd = connect_to(stage, false);
        script_finish(&script, stage, fd);
        for (size_t i = 0; i < script.count; i++) {
            assert_int_equal(script.questions[i].place, i);
        }
        close(fd);
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
    struct stage *stage = stage_new();
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
    int fd = connect_to(stage, true);
    script_send(&script, fd, SIZE_MAX);
    while (serve(stage, 0)) {
    }
    script_receive(&script, stage, fd, 100000);
    while (serve(stage, 0)) {
    }
    script_finish(&script, stage, fd);
    check_order(&script);
    assert_in_range(counters_of(stage)->tcp_put_off, 1, 121);
    close(fd);
    script_clear(&script);
    stage_free(stage);
}

// What ends a connection, or the peer's own end, costs none of the answers that were put off. A
// reset costs them all, and nobody else anything.
static void test_ends(void **state)
{
    (void)state;
    enum { LARGE = 20, RUNT, END, RESET, ENDINGS };
    struct stage *stage = stage_new();
    for (int ending = RUNT; ending < ENDINGS; ending++) {
        struct script script = {0};
        for (size_t i = 0; i < LARGE; i++) {
            script_add(&script, QUERY_SIZE, LARGE_SIZE);
        }
        script_add(&script, QUERY_SIZE, QUERY_SIZE);
        int fd = connect_to(stage, true);
        script_send(&script, fd, SIZE_MAX);
        uint64_t before = counters_of(stage)->tcp_put_off;
        for (int i = 0; counters_of(stage)->tcp_put_off == before && i < PATIENCE_MS; i++) {
            while (serve(stage, 0)) {
            }
            script_receive(&script, stage, fd, 1000);
        }
        assert_true(counters_of(stage)->tcp_put_off > before);
        const uint8_t runt[4] = {0, 2, 1, 2};
        struct linger reset = {1, 0};
        if (ending == RUNT) {
            assert_int_equal(send(fd, runt, sizeof(runt), MSG_NOSIGNAL), sizeof(runt));
        } else if (ending == END) {
            shutdown(fd, SHUT_WR);
        } else {
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        if (ending != RESET) {
            script_finish(&script, stage, fd);
            for (int i = 0; !script.ended && i < PATIENCE_MS; i++) {
                serve(stage, 1);
                script_receive(&script, stage, fd, STREAM_MAX);
            }
            assert_true(script.ended);
        }
        close(fd);
        for (int i = 0; stage->tcp->count > 0 && i < PATIENCE_MS; i++) {
            serve(stage, 1);
        }
        assert_int_equal(stage->tcp->count, 0);
        assert_int_equal(stage->tcp->held_size, 0);
        script_clear(&script);
    }
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
    struct stage *stage = stage_new();
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
    int fd = connect_to(stage, random_below(random, 4) != 0);
    bool writes_on = random_below(random, 2) == 0;
    for (unsigned steps = 0; script.answered < script.count && steps < 4000; steps++) {
        switch (random_below(random, 3)) {
        case 0:
            script_send(&script, fd, writes_on ? 5000 : random_below(random, 200));
            break;
        case 1:
            script_receive(&script, stage, fd, random_below(random, 3000));
            break;
        default:
            serve(stage, 0);
        }
    }
    script_send(&script, fd, SIZE_MAX);
    bool half_closes = random_below(random, 2) == 0 && script.sent == script.size;
    if (half_closes) {
        shutdown(fd, SHUT_WR);
    }
    script_finish(&script, stage, fd);
    check_order(&script);
    assert_int_equal(counters_of(stage)->queries_tcp, script.count);
    close(fd);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_behind_large), cmocka_unit_test(test_order_without_pressure),
        cmocka_unit_test(test_full_queue),         cmocka_unit_test(test_ends),
        cmocka_unit_test(test_interleavings),
    };
    return cmocka_run_group_tests_name("net/rounds", tests, NULL, NULL);
}
