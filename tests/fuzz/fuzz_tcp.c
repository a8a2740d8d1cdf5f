// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stream of one TCP connection, over a real socket and through the real event code: any bytes,
// cut anywhere. What comes back must be the answers to the messages that the stream holds, in their
// order, as answer() gives them one by one. The first octet seeds the cuts and says whether a PROXY
// header is due.
#include "fuzz.h"

#include "answer/answer.h"
#include "answer/generation.h"
#include "base/hash.h"
#include "base/rcu.h"
#include "dns/wire.h"
#include "net/tcp.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { OUT_MAX = 1 << 20 };

struct bench {
    struct publisher *publisher;
    generation_root *root;
    struct net_options net;
    struct responder responder;
    struct worker *oracle;
    struct tcp *tcp[2]; // the second expects PROXY headers
    int epoll_fd, listeners[2];
};

static const struct prefix everybody = {{FAMILY_IPV4, {0}}, 0};

static int listen_on_loopback(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    SP_ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&where, sizeof(where)) == 0);
    SP_ASSERT(listen(fd, 8) == 0);
    return fd;
}

static struct bench *bench(void)
{
    static struct bench made;
    if (made.publisher != NULL) {
        return &made;
    }
    struct answer_options options = {.udp_payload_max = 1232};
    made.publisher = publisher_new(&options);
    made.root = publisher_root(made.publisher);
    made.net = (struct net_options){.tcp_clients_max = 4,
                                    .tcp_idle_ns = 1000 * NS_PER_SECOND,
                                    .tcp_message_ns = 1000 * NS_PER_SECOND,
                                    .clock = clock_system()};
    made.responder =
        (struct responder){.root = made.root, .worker = worker_new(1), .net = &made.net};
    made.oracle = worker_new(1);
    made.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    static struct net_options proxied;
    proxied = made.net;
    proxied.proxy = (struct proxy_trust){&everybody, 1};
    for (size_t i = 0; i < 2; i++) {
        made.listeners[i] = listen_on_loopback();
        struct tcp_options tcp = {.epoll_fd = made.epoll_fd,
                                  .net = i == 0 ? &made.net : &proxied,
                                  .responder = &made.responder};
        made.tcp[i] = tcp_new(&tcp, &made.listeners[i], 1);
    }
    rcu_reader_register();
    return &made;
}

static int connect_to(int listener)
{
    struct sockaddr_in where;
    socklen_t size = sizeof(where);
    SP_ASSERT(getsockname(listener, (struct sockaddr *)&where, &size) == 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SP_ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&where, size) == 0);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct linger reset = {.l_onoff = 1}; // leaves no TIME_WAIT behind
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    return fd;
}

// Lets the server do what it has to do; nothing of ours waits long: all is loopback.
static void serve(struct bench *bench, struct tcp *tcp, int timeout_ms)
{
    struct epoll_event events[8];
    int count;
    while ((count = epoll_wait(bench->epoll_fd, events, 8, timeout_ms)) > 0) {
        for (int i = 0; i < count; i++) {
            tcp_event(tcp, events[i].data.ptr, events[i].events);
        }
        tcp_tick(tcp);
        timeout_ms = 0;
    }
    tcp_tick(tcp);
}

// False at the end of the stream.
static bool take(int fd, uint8_t *out, size_t *out_size)
{
    ssize_t got;
    while ((got = recv(fd, out + *out_size, OUT_MAX - *out_size, MSG_DONTWAIT)) > 0) {
        *out_size += (size_t)got;
    }
    return got < 0 && errno == EAGAIN && *out_size < OUT_MAX;
}

// All that the server says to these bytes, sent in pieces.
static size_t converse(struct bench *bench, bool proxied, uint64_t seed, const uint8_t *bytes,
                       size_t size, uint8_t *out)
{
    struct tcp *tcp = bench->tcp[proxied];
    int fd = connect_to(bench->listeners[proxied]);
    size_t out_size = 0;
    bool open = true;
    for (size_t at = 0; at < size && open;) {
        size_t piece = 1 + random_below(&seed, random_below(&seed, 3) == 0 ? 9000 : 40);
        ssize_t sent = send(fd, bytes + at, MIN(piece, size - at), MSG_NOSIGNAL | MSG_DONTWAIT);
        at += sent > 0 ? (size_t)sent : 0;
        serve(bench, tcp, 0);
        open = take(fd, out, &out_size) && (sent > 0 || errno == EAGAIN);
    }
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 1000 && open; i++) {
        serve(bench, tcp, 1);
        open = take(fd, out, &out_size);
    }
    SP_ASSERT(!open);
    close(fd);
    serve(bench, tcp, 0);
    return out_size;
}

// The answers to the stream, by the letter of RFC 1035, 4.2.2. *ended: by a message that deserves
// none.
static size_t expect(struct bench *bench, bool proxied, const uint8_t *bytes, size_t size,
                     uint8_t *out, bool *ended)
{
    struct query_source source = {
        .address = {FAMILY_IPV4, {127, 0, 0, 1}}, .port = 4000, .transport = TRANSPORT_TCP};
    const struct proxy_trust trust = {&everybody, 1};
    size_t at = 0, out_size = 0;
    *ended = false;
    if (proxied && proxy_client(&trust, bytes, size, &source, &at) != PROXY_DONE) {
        *ended = true;
        return 0;
    }
    while (size - at >= 2 && size - at - 2 >= get_u16(bytes + at)) {
        size_t length = get_u16(bytes + at);
        size_t written = answer(atomic_load(bench->root), bench->oracle, bytes + at + 2, length,
                                &source, out + out_size + 2);
        if (written == 0) {
            *ended = true;
            break;
        }
        put_u16(out + out_size, (unsigned)written);
        out_size += 2 + written;
        at += 2 + length;
    }
    return out_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[OUT_MAX], expected[OUT_MAX];
    if (size < 1 || size > 100000) {
        return 0;
    }
    struct bench *made = bench();
    bool proxied = data[0] & 1, ended;
    size_t out_size = converse(made, proxied, data[0], data + 1, size - 1, out);
    size_t expected_size = expect(made, proxied, data + 1, size - 1, expected, &ended);
    // When it is ended for a fault, what the peer sent behind it may cost it the last answers.
    SP_ASSERT(ended ? out_size <= expected_size : out_size == expected_size);
    SP_ASSERT(memcmp(out, expected, out_size) == 0);
    return 0;
}
