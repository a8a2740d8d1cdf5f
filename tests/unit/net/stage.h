// SPDX-License-Identifier: GPL-3.0-or-later
//
// One connection's server and peer on one thread, over real sockets: whose turn it is to write,
// read or serve is up to the test. Time stands still unless the test turns it.
//
// Every question says how large its answer is. The oracle is the stand-in answer() itself, asked
// alone.
#pragma once

#include "fixture.h"

#include "certificate.h"
#include "net/connection.h"
#include "net/socket.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/epoll.h>

enum {
    STREAM_MAX = 8 << 20,
    NARROW_SIZE = 4096,
    SEGMENT_SIZE = 1400, // as over a network: a window is not smaller than a segment
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
    struct tls *tls; // NULL: plain TCP
    SSL_CTX *context;
    struct endpoint endpoint;
    int epoll_fd;
};

static int64_t turned_ns = NS_PER_SECOND;

static int64_t turned_clock_ns(void *state)
{
    (void)state;
    return turned_ns;
}

static const struct clock turned_clock = {turned_clock_ns, turned_clock_ns, NULL};

static struct tls *tls_ready(void)
{
    char folder[] = "/tmp/signpost-rounds-XXXXXX", chain[64], key_path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(chain, sizeof(chain), "%s/chain", folder);
    snprintf(key_path, sizeof(key_path), "%s/key", folder);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    write_certificate(chain, key);
    write_key(key_path, key, NULL);
    EVP_PKEY_free(key);
    struct diags diags = {0};
    struct tls *tls = tls_new(&turned_clock);
    tls_use(tls, tls_certificate_read(chain, key_path, &diags));
    assert_int_equal(diags.count, 0);
    unlink(chain);
    unlink(key_path);
    rmdir(folder);
    return tls;
}

static struct stage *stage_new(bool over_tls)
{
    struct stage *stage = mem_alloc(sizeof(*stage));
    if (over_tls) {
        stage->tls = tls_ready();
        stage->context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_mode(stage->context,
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    stage->generation = (struct generation){.alive = ALIVE, .sized = true};
    atomic_init(&stage->root, &stage->generation);
    stage->net = (struct net_options){.tcp_clients_max = 8,
                                      .tcp_idle_ns = 1000 * NS_PER_SECOND,
                                      .tcp_message_ns = NS_PER_SECOND,
                                      .tls_handshake_ns = NS_PER_SECOND,
                                      .tls_handshakes_max = 8,
                                      .clock = &turned_clock};
    stage->responder =
        (struct responder){.root = &stage->root, .worker = worker_new(1), .net = &stage->net};
    assert_true(address_parse("127.0.0.1", &stage->endpoint.address));
    int listener = socket_bind(&stage->endpoint, TRANSPORT_TCP, SOCKET_SERVE);
    assert_true(listener >= 0);
    stage->endpoint.port = socket_port(listener);
    stage->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct tcp_options options = {.epoll_fd = stage->epoll_fd,
                                  .net = &stage->net,
                                  .responder = &stage->responder,
                                  .tls = stage->tls};
    stage->tcp = tcp_new(&options, &listener, 1);
    rcu_reader_register();
    return stage;
}

static void stage_free(struct stage *stage)
{
    rcu_reader_unregister();
    tcp_free(stage->tcp);
    tls_free(stage->tls);
    SSL_CTX_free(stage->context);
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

// --- the other end

struct peer {
    int fd;
    SSL *ssl;       // NULL: plain TCP
    size_t pending; // what OpenSSL could not send must be given again, with no less behind it
};

static struct peer peer_connect(const struct stage *stage, bool narrow)
{
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&stage->endpoint.address, stage->endpoint.port, &to);
    struct peer peer = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int narrow_size = NARROW_SIZE, segment_size = SEGMENT_SIZE, on = 1;
    assert_true(peer.fd >= 0);
    setsockopt(peer.fd, IPPROTO_TCP, TCP_MAXSEG, &segment_size, sizeof(segment_size));
    if (narrow) {
        setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &narrow_size, sizeof(narrow_size));
    }
    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    assert_int_equal(connect(peer.fd, (struct sockaddr *)&to, size), 0);
    assert_int_equal(fcntl(peer.fd, F_SETFL, O_NONBLOCK), 0);
    if (stage->tls != NULL) {
        peer.ssl = SSL_new(stage->context);
        SSL_set_fd(peer.ssl, peer.fd);
        for (int i = 0; SSL_connect(peer.ssl) != 1; i++) {
            assert_true(i < PATIENCE_MS);
            serve(stage, 1);
        }
    }
    return peer;
}

static void peer_close(struct peer *peer)
{
    SSL_free(peer->ssl);
    close(peer->fd);
}

// Its last word, unless bytes of its own wait to be sent.
static void peer_end(struct peer *peer)
{
    if (peer->ssl != NULL) {
        SSL_shutdown(peer->ssl);
    } else {
        shutdown(peer->fd, SHUT_WR);
    }
}

static size_t peer_send(struct peer *peer, const void *bytes, size_t size)
{
    if (peer->ssl == NULL) {
        ssize_t sent = send(peer->fd, bytes, size, MSG_NOSIGNAL);
        return sent > 0 ? (size_t)sent : 0;
    }
    size_t sent = 0;
    int result = SSL_write_ex(peer->ssl, bytes, size, &sent);
    peer->pending = result == 1 ? 0 : size;
    return sent;
}

static size_t peer_receive(struct peer *peer, void *bytes, size_t size, bool *ended)
{
    ssize_t got =
        peer->ssl != NULL ? SSL_read(peer->ssl, bytes, (int)size) : recv(peer->fd, bytes, size, 0);
    *ended |= peer->ssl != NULL ? SSL_get_shutdown(peer->ssl) & SSL_RECEIVED_SHUTDOWN
                                : got == 0 && size > 0;
    return got > 0 ? (size_t)got : 0;
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
static void script_send(struct script *script, struct peer *peer, size_t size)
{
    size = MIN(MAX(size, peer->pending), script->size - script->sent);
    if (size > 0) {
        script->sent += peer_send(peer, script->bytes + script->sent, size);
    }
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
static void script_receive(struct script *script, const struct stage *stage, struct peer *peer,
                           size_t size)
{
    script->in = script->in != NULL ? script->in : mem_alloc(STREAM_MAX);
    script->in_size += peer_receive(peer, script->in + script->in_size,
                                    MIN(size, STREAM_MAX - script->in_size), &script->ended);
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
static void script_finish(struct script *script, const struct stage *stage, struct peer *peer)
{
    for (int idle_ms = 0; script->answered < script->count && idle_ms < PATIENCE_MS;) {
        size_t before = script->in_size + script->sent;
        script_send(script, peer, SIZE_MAX);
        bool served = serve(stage, 0);
        script_receive(script, stage, peer, STREAM_MAX);
        if (!served && script->in_size + script->sent == before) {
            idle_ms += !serve(stage, 1);
        }
    }
    assert_int_equal(script->answered, script->count);
    assert_int_equal(script->parsed, script->in_size);
}
