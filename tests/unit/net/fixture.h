// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of net/ share: an answer() of their own, that says exactly what net/ must do with
// it, and small clients over real loopback sockets.
//
// The stand-in answers every query (12 bytes or more, QR clear) with the same bytes, QR set; over
// TCP padded to the generation's `tcp_size`, or as the query itself wants it. It checks that the
// generation it is given is alive.
#pragma once

#include "base/clock.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { ALIVE = 0x600dda7a, QUERY_SIZE = 20, PATIENCE_MS = 30000 };

struct generation {
    _Atomic uint32_t alive;
    size_t tcp_size;
    bool sized; // over TCP the four octets behind the number say how large the answer is
};

struct worker {
    struct worker_counters counters;
};

struct worker *worker_new(uint64_t seed)
{
    (void)seed;
    return mem_alloc(sizeof(struct worker));
}

struct asked *worker_asked(struct worker *worker)
{
    (void)worker;
    return NULL;
}

size_t worker_samples(struct worker *worker, uint32_t *seen, uint64_t *samples)
{
    (void)worker;
    (void)seen;
    (void)samples;
    return 0;
}

void worker_set_time(struct worker *worker, uint32_t now_s)
{
    (void)worker;
    (void)now_s;
}

void worker_free(struct worker *worker)
{
    free(worker);
}

const struct worker_counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

struct worker_counters *worker_counters_own(struct worker *worker)
{
    return &worker->counters;
}

size_t answer(const struct generation *generation, struct worker *worker, const uint8_t *query,
              size_t query_size, const struct query_source *source, uint8_t *out)
{
    static const uint8_t nowhere[sizeof(source->address.bytes)];
    SP_ASSERT(generation->alive == ALIVE);
    if (query_size < 12 || (query[2] & 0x80)) {
        return 0;
    }
    SP_ASSERT(source->port != 0 && source->address.family != FAMILY_NONE);
    SP_ASSERT(memcmp(source->address.bytes, nowhere, sizeof(nowhere)) != 0);
    size_t size = query_size;
    memmove(out, query, query_size);
    out[2] |= 0x80;
    if (source->transport == TRANSPORT_UDP) {
        worker->counters.queries_udp++;
        return MIN(size, (size_t)ANSWER_UDP_MAX);
    }
    worker->counters.queries_tcp++;
    size_t wanted = generation->tcp_size;
    if (generation->sized && size >= 20) {
        uint32_t said;
        memcpy(&said, out + 16, sizeof(said));
        wanted = MIN(said, (uint32_t)ANSWER_TCP_MAX);
    }
    if (size < wanted) {
        memset(out + size, 0x5a, wanted - size);
        size = wanted;
    }
    return size;
}

void answer_batch(const struct generation *generation, struct worker *worker,
                  struct message *messages, size_t count)
{
    SP_ASSERT(count > 0 && count <= ANSWER_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        messages[i].out_size = answer(generation, worker, messages[i].query, messages[i].query_size,
                                      &messages[i].source, messages[i].out);
    }
}

struct server {
    struct net *net;
    struct generation generation;
    generation_root root;
};

// Listens on the given addresses (NULL-terminated), ports chosen by the kernel. Zero options get
// roomy values, no clock gets the machine's.
static inline struct server *server_start(struct net_options options, const char *const *listen)
{
    struct server *server = mem_alloc(sizeof(*server));
    struct endpoint endpoints[4] = {0};
    for (; listen[options.listen_count]; options.listen_count++) {
        assert_true(
            address_parse(listen[options.listen_count], &endpoints[options.listen_count].address));
    }
    options.listen = endpoints;
    options.workers = options.workers ? options.workers : 1;
    options.tcp_clients_max = options.tcp_clients_max ? options.tcp_clients_max : 1000;
    options.tcp_idle_ns = options.tcp_idle_ns ? options.tcp_idle_ns : 100 * NS_PER_SECOND;
    options.tcp_message_ns = options.tcp_message_ns ? options.tcp_message_ns : options.tcp_idle_ns;
    options.tls_handshake_ns =
        options.tls_handshake_ns ? options.tls_handshake_ns : options.tcp_idle_ns;
    options.tls_handshakes_max = options.tls_handshakes_max ? options.tls_handshakes_max : 100;
    options.clock = options.clock ? options.clock : clock_system();
    struct diags diags = {0};
    server->net = net_open(&options, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        char text[600];
        print_message("%s\n", diag_format(&diags.items[i], text, sizeof(text)));
    }
    diags_clear(&diags);
    assert_non_null(server->net);
    server->generation.alive = ALIVE;
    atomic_init(&server->root, &server->generation);
    assert_true(net_start(server->net, &server->root));
    return server;
}

// It ends when it is told to, and not when the next connection has been idle for long enough.
static inline void server_stop(struct server *server)
{
    int64_t before = clock_monotonic_ns(clock_system());
    net_close(server->net);
    assert_true(clock_monotonic_ns(clock_system()) - before < PATIENCE_MS * NS_PER_MS);
    free(server);
}

static inline uint64_t server_queries(const struct server *server, enum transport transport)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < net_worker_count(server->net); i++) {
        const struct worker_counters *counters = net_worker_counters(server->net, i);
        total += transport == TRANSPORT_UDP ? counters->queries_udp : counters->queries_tcp;
    }
    return total;
}

static void set_patience(int fd)
{
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

// One datagram, within the patience of the socket.
static inline ssize_t receive_datagram(int fd, void *bytes, size_t size)
{
    ssize_t got;
    do {
        got = recv(fd, bytes, size, 0);
    } while (got < 0 && errno == EINTR);
    return got;
}

// A socket connected to the server's endpoint `index`; `from` may choose the local address.
static int client_from(const struct server *server, size_t index, int type, const char *from)
{
    struct endpoint endpoint = net_endpoint(server->net, index);
    struct sockaddr_storage to, local;
    socklen_t size = address_to_sockaddr(&endpoint.address, endpoint.port, &to);
    int fd = socket(to.ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    set_patience(fd);
    if (from) {
        struct address address;
        assert_true(address_parse(from, &address));
        socklen_t local_size = address_to_sockaddr(&address, 0, &local);
        assert_int_equal(bind(fd, (struct sockaddr *)&local, local_size), 0);
    }
    assert_int_equal(connect(fd, (struct sockaddr *)&to, size), 0);
    return fd;
}

static inline int client(const struct server *server, int type)
{
    return client_from(server, 0, type, NULL);
}

// A query of QUERY_SIZE bytes that carries `number`; with the length prefix in front.
static void query_make(uint32_t number, uint8_t query[2 + QUERY_SIZE])
{
    memset(query, 0, 2 + QUERY_SIZE);
    query[1] = QUERY_SIZE;
    memcpy(query + 2 + 12, &number, sizeof(number));
}

static uint32_t answer_number(const uint8_t *message)
{
    uint32_t number;
    memcpy(&number, message + 12, sizeof(number));
    return number;
}

static inline void send_all_bytes(int fd, const void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t sent = send(fd, (const uint8_t *)bytes + at, size - at, MSG_NOSIGNAL);
        assert_true(sent > 0 || errno == EINTR);
        at += (size_t)MAX(sent, 0);
    }
}

// False at the end of the stream or when the peer is gone.
static inline bool receive_bytes(int fd, void *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = recv(fd, (uint8_t *)bytes + at, size - at, 0);
        if (got < 0 && errno == EINTR) {
            continue; // a socket with a time limit, and the process was stopped meanwhile
        }
        if (got <= 0) {
            if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                fail_msg("no answer within %d ms", PATIENCE_MS);
            }
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

// Reads one TCP answer; its size, or 0 at the end of the stream.
static inline size_t receive_message(int fd, uint8_t *message)
{
    uint8_t prefix[2];
    if (!receive_bytes(fd, prefix, 2)) {
        return 0;
    }
    size_t size = (size_t)prefix[0] << 8 | prefix[1];
    return receive_bytes(fd, message, size) ? size : 0;
}

// One query and its answer over a connected stream; false when the server has closed it.
static inline bool exchange(int fd, uint32_t number)
{
    static _Thread_local uint8_t message[65535];
    uint8_t query[2 + QUERY_SIZE];
    query_make(number, query);
    if (send(fd, query, sizeof(query), MSG_NOSIGNAL) != (ssize_t)sizeof(query)) {
        return false;
    }
    if (receive_message(fd, message) == 0) {
        return false;
    }
    assert_int_equal(answer_number(message), number);
    assert_true(message[2] & 0x80);
    return true;
}

// True when the server closes the stream within `limit_ms`.
static inline bool closed_within(int fd, int limit_ms)
{
    uint8_t byte;
    struct pollfd waiting = {.fd = fd, .events = POLLIN};
    if (poll(&waiting, 1, limit_ms) != 1) {
        return false;
    }
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static inline void sleep_ms(int duration_ms)
{
    poll(NULL, 0, duration_ms);
}
