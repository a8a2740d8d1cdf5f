// SPDX-License-Identifier: GPL-3.0-or-later
//
// The stream of one TCP connection, over a real socket and through the real event code: any bytes,
// cut anywhere. What comes back must be the answers to the messages that the stream holds, as
// answer() gives them one by one: the small ones in their order, and the large ones in theirs, for
// those may be put off (net/tcp_stream.c). The first octet seeds the cuts and says whether a PROXY
// header is due, and whether the peer is behind with reading.
#include "world.h"

#include "answer/answer.h"
#include "answer/generation.h"
#include "base/hash.h"
#include "base/rcu.h"
#include "dns/wire.h"
#include "net/connection.h"
#include "net/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { OUT_MAX = 1 << 20, NARROW_SIZE = 4096, SEGMENT_SIZE = 1400, IDLE_MAX_MS = 30000 };
enum { BEGINS_WITH_PROXY = 1, BEHIND = 2 }; // bits of the first octet

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
    struct endpoint where = {{FAMILY_IPV4, {127, 0, 0, 1}}, 0};
    int fd = socket_bind(&where, TRANSPORT_TCP, SOCKET_SERVE);
    SP_ASSERT(fd >= 0);
    return fd;
}

// Below l., answers to TXT of 60 KB, of 5 KB, and of 3 KB, which passes.
static void put_zone(struct publisher *publisher)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    SP_ASSERT(out != NULL);
    fputs("'': {type: A, value: 192.0.2.1}\n", out);
    world_list(out, "b", "TXT", 900, "large answers wait until it is their turn, number #, ");
    world_list(out, "m", "TXT", 80, "large answers wait until it is their turn, number #, ");
    world_list(out, "s", "TXT", 48, "small answers pass when the peer is behind, number #, ");
    fclose(out);
    struct change *change = change_begin(publisher);
    world_put(change, text, (const uint8_t *)"\1l");
    struct diags diags = {0};
    SP_ASSERT(change_publish(change, &diags));
    free(text);
}

static struct bench *bench(void)
{
    static struct bench made;
    if (made.publisher != NULL) {
        return &made;
    }
    struct answer_options options = {.udp_payload_max = 1232};
    made.publisher = publisher_new(&options);
    rcu_reader_register();
    put_zone(made.publisher);
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
    return &made;
}

static int connect_to(int listener, bool narrow)
{
    struct sockaddr_in where;
    socklen_t size = sizeof(where);
    SP_ASSERT(getsockname(listener, (struct sockaddr *)&where, &size) == 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (narrow) {
        int size_max = NARROW_SIZE, segment = SEGMENT_SIZE;
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size_max, sizeof(size_max));
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
    }
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

// Takes what has come; false at the end of the stream.
static bool take(int fd, uint8_t *out, size_t *out_size)
{
    ssize_t got;
    while ((got = recv(fd, out + *out_size, OUT_MAX - *out_size, MSG_DONTWAIT)) > 0) {
        *out_size += (size_t)got;
    }
    return got < 0 && errno == EAGAIN && *out_size < OUT_MAX;
}

// All that the server says to these bytes, sent in pieces. A peer that is behind reads nothing
// before it has sent all, or can send no more.
static size_t converse(struct bench *bench, uint8_t how, const uint8_t *bytes, size_t size,
                       uint8_t *out)
{
    bool proxied = how & BEGINS_WITH_PROXY, behind = how & BEHIND, open = true;
    struct tcp *tcp = bench->tcp[proxied];
    int fd = connect_to(bench->listeners[proxied], behind);
    uint64_t seed = how;
    size_t out_size = 0;
    for (size_t at = 0; at < size && open;) {
        size_t piece = 1 + random_below(&seed, random_below(&seed, 3) == 0 ? 9000 : 40);
        ssize_t sent = send(fd, bytes + at, MIN(piece, size - at), MSG_NOSIGNAL | MSG_DONTWAIT);
        at += sent > 0 ? (size_t)sent : 0;
        open = sent > 0 || errno == EAGAIN;
        serve(bench, tcp, 0);
        if (!behind || sent < 0) {
            open = take(fd, out, &out_size) && open;
        }
    }
    shutdown(fd, SHUT_WR);
    for (int idle_ms = 0; idle_ms < IDLE_MAX_MS && open;) {
        size_t before = out_size;
        serve(bench, tcp, 1);
        open = take(fd, out, &out_size);
        idle_ms += out_size == before;
    }
    SP_ASSERT(!open);
    close(fd);
    serve(bench, tcp, 0);
    SP_ASSERT(tcp->out_size == 0);
    return out_size;
}

// The answers to the stream, by the letter of RFC 1035, 4.2.2. *ended: by a message that deserves
// none. SIZE_MAX: more than there is room for.
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
        if (OUT_MAX - out_size <= TCP_PREFIX_SIZE + ANSWER_TCP_MAX) {
            return SIZE_MAX;
        }
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

// Of a stream of answers those that are large, or those that are not, the last perhaps cut; their
// size.
static size_t select_answers(const uint8_t *stream, size_t size, bool large, uint8_t *selected)
{
    size_t selected_size = 0;
    for (size_t at = 0; size - at >= TCP_PREFIX_SIZE;) {
        size_t whole = TCP_PREFIX_SIZE + get_u16(stream + at), there = MIN(whole, size - at);
        if ((whole > TCP_PREFIX_SIZE + TCP_PASSING_MAX) == large) {
            memcpy(selected + selected_size, stream + at, there);
            selected_size += there;
        }
        at += there;
    }
    return selected_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t out[OUT_MAX], expected[OUT_MAX], these[OUT_MAX], those[OUT_MAX];
    if (size < 1 || size > 100000) {
        return 0;
    }
    struct bench *made = bench();
    bool ended;
    size_t expected_size =
        expect(made, data[0] & BEGINS_WITH_PROXY, data + 1, size - 1, expected, &ended);
    if (expected_size == SIZE_MAX) {
        return 0;
    }
    size_t out_size = converse(made, data[0], data + 1, size - 1, out);
    // When it is ended for a fault, what the peer sent behind it may cost it the last answers.
    SP_ASSERT(ended ? out_size <= expected_size : out_size == expected_size);
    for (int large = 0; large < 2; large++) {
        size_t these_size = select_answers(out, out_size, large, these);
        size_t those_size = select_answers(expected, expected_size, large, those);
        SP_ASSERT(ended ? these_size <= those_size : these_size == those_size);
        SP_ASSERT(memcmp(these, those, these_size) == 0);
    }
    return 0;
}
