// SPDX-License-Identifier: GPL-3.0-or-later
//
// The TCP side over real sockets: framing, order, back-pressure, and every kind of bad peer.
#include "fixture.h"

#include <netinet/tcp.h>

static const char *const loopbacks[] = {"127.0.0.1", "::1", NULL};
static const char *const loopback[] = {"127.0.0.1", NULL};

static void no_delay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// A client that lets little come that it has not read.
static int client_narrow(const struct server *server)
{
    struct endpoint endpoint = net_endpoint(server->net, 0);
    struct sockaddr_storage to;
    socklen_t to_size = address_to_sockaddr(&endpoint.address, endpoint.port, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), size = 4096;
    assert_true(fd >= 0);
    set_patience(fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, to_size), 0);
    return fd;
}

static void test_pipelining(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct server *server = server_start((struct net_options){0}, loopbacks);
    static uint8_t stream[COUNT * (2 + QUERY_SIZE)], message[65535];
    for (uint32_t i = 0; i < COUNT; i++) {
        query_make(i, stream + i * (2 + QUERY_SIZE));
    }
    for (size_t endpoint = 0; endpoint < 2; endpoint++) {
        int fd = client_from(server, endpoint, SOCK_STREAM, NULL);
        send_all_bytes(fd, stream, sizeof(stream));
        for (uint32_t i = 0; i < COUNT; i++) {
            assert_int_equal(receive_message(fd, message), QUERY_SIZE);
            assert_int_equal(answer_number(message), i);
        }
        close(fd);
    }
    assert_int_equal(server_queries(server, TRANSPORT_TCP), 2 * COUNT);
    server_stop(server);
}

// Three queries as one stream, cut once at every byte, then at all bytes.
static void test_cuts(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    uint8_t stream[3 * (2 + QUERY_SIZE)], message[65535];
    for (uint32_t i = 0; i < 3; i++) {
        query_make(i, stream + i * (2 + QUERY_SIZE));
    }
    int fd = client(server, SOCK_STREAM);
    no_delay(fd);
    for (size_t cut = 0; cut <= sizeof(stream); cut++) {
        send_all_bytes(fd, stream, cut);
        sleep_ms(2);
        send_all_bytes(fd, stream + cut, sizeof(stream) - cut);
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(receive_message(fd, message), QUERY_SIZE);
            assert_int_equal(answer_number(message), i);
        }
    }
    for (size_t at = 0; at < sizeof(stream); at++) {
        send_all_bytes(fd, stream + at, 1);
        sleep_ms(1);
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(receive_message(fd, message), QUERY_SIZE);
        assert_int_equal(answer_number(message), i);
    }
    close(fd);
    server_stop(server);
}

// Messages of the largest size, whole and in pieces, with small ones around.
static void test_large(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    static uint8_t query[2 + 65535], message[65535];
    int fd = client(server, SOCK_STREAM);
    static const size_t sizes[] = {12, 4093, 4094, 4095, 4096, 4097, 8190, 16384, 65534, 65535};
    static const size_t pieces[] = {70000, 1000, 4096, 4097};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(pieces); j++) {
            size_t size = sizes[i];
            for (size_t at = 0; at < size; at++) {
                query[2 + at] = (uint8_t)(at * 7 + size);
            }
            query[0] = (uint8_t)(size >> 8);
            query[1] = (uint8_t)size;
            query[4] = 0;
            for (size_t at = 0; at < 2 + size; at += pieces[j]) {
                send_all_bytes(fd, query + at, MIN(pieces[j], 2 + size - at));
            }
            assert_int_equal(receive_message(fd, message), size);
            query[4] = 0x80;
            assert_memory_equal(message, query + 2, size);
            assert_true(exchange(fd, 7));
        }
    }
    close(fd);
    server_stop(server);
}

// Queries, then the end of the client's side: all answers come, then the end of ours.
static void test_half_close(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    server->generation.tcp_size = 5000;
    static uint8_t message[65535];
    for (unsigned round = 0; round < 20; round++) {
        int fd = client(server, SOCK_STREAM);
        uint8_t query[2 + QUERY_SIZE];
        for (uint32_t i = 0; i < 100; i++) {
            query_make(i, query);
            send_all_bytes(fd, query, sizeof(query));
        }
        send_all_bytes(fd, query, round); // and a part of one more
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        for (uint32_t i = 0; i < 100; i++) {
            assert_int_equal(receive_message(fd, message), 5000);
            assert_int_equal(answer_number(message), i);
        }
        assert_int_equal(receive_message(fd, message), 0);
        close(fd);
    }
    server_stop(server);
}

// Fills the pipe with queries until the server stops reading; returns how many were taken whole.
static uint32_t fill(int fd)
{
    uint8_t query[2 + QUERY_SIZE];
    uint32_t count = 0;
    size_t cut = 0;
    for (int quiet = 0; quiet < 5;) {
        query_make(count, query);
        ssize_t sent = send(fd, query + cut, sizeof(query) - cut, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            break; // the server has lost patience already
        }
        if (sent < 0) {
            sleep_ms(20);
            quiet++;
            continue;
        }
        quiet = 0;
        cut = (cut + (size_t)sent) % sizeof(query);
        count += cut == 0;
    }
    return count;
}

// A peer that writes and does not read is no longer read from, costs others nothing, and gets every
// answer when it reads at last.
static void test_blocked_peer(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    server->generation.tcp_size = 60000;
    static uint8_t message[65535];
    int fd = client(server, SOCK_STREAM);
    uint32_t count = fill(fd);
    enum { OTHERS = 50, KERNEL_MAX = 64 << 20 };
    int other = client(server, SOCK_STREAM);
    for (uint32_t i = 0; i < OTHERS; i++) {
        assert_true(exchange(other, i));
    }
    close(other);
    // Back-pressure: in all those rounds no more was taken than the kernel holds answers of; most
    // queries still wait.
    uint64_t taken = server_queries(server, TRANSPORT_TCP) - OTHERS;
    assert_true(taken < count && taken * 60000 < KERNEL_MAX);
    // 180 MB of answers are proof enough.
    for (uint32_t i = 0; i < MIN(count, 3000U); i++) {
        assert_int_equal(receive_message(fd, message), 60000);
        assert_int_equal(answer_number(message), i);
    }
    close(fd);
    server_stop(server);
}

static void test_never_reading_peer(void **state)
{
    (void)state;
    struct net_options options = {.tcp_idle_ns = 400 * NS_PER_MS};
    struct server *server = server_start(options, loopback);
    server->generation.tcp_size = 60000;
    int fd = client(server, SOCK_STREAM);
    fill(fd);
    struct pollfd waiting = {.fd = fd, .events = 0}; // only errors and the end
    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    close(fd);
    server_stop(server);
}

static _Atomic int64_t turned_ns;

static int64_t turned_clock_ns(void *state)
{
    (void)state;
    return turned_ns;
}

// A byte now and then does not keep a connection; whole queries do. By a clock that is turned here,
// so that nobody is late. The server looks at it whenever a query of the honest one wakes it up.
static void test_slow_peer(void **state)
{
    (void)state;
    static const struct clock turned = {turned_clock_ns, turned_clock_ns, NULL};
    struct net_options options = {.tcp_idle_ns = 600 * NS_PER_MS, .clock = &turned};
    turned_ns = NS_PER_SECOND;
    struct server *server = server_start(options, loopback);
    int idle = client(server, SOCK_STREAM), slow = client(server, SOCK_STREAM);
    int honest = client(server, SOCK_STREAM); // the last: who answers it has taken them all
    uint8_t query[2 + QUERY_SIZE];
    query_make(1, query);
    for (uint32_t i = 0; i < 5; i++) {
        send_all_bytes(slow, query + i, 1);
        assert_true(exchange(honest, i));
        turned_ns += 100 * NS_PER_MS;
    }
    assert_true(exchange(honest, 5));
    assert_false(closed_within(slow, 0));
    assert_false(closed_within(idle, 0));
    turned_ns += 400 * NS_PER_MS; // 900 ms after the first byte, 500 after the last
    assert_true(exchange(honest, 6));
    assert_true(closed_within(slow, PATIENCE_MS));
    assert_true(closed_within(idle, PATIENCE_MS));
    turned_ns += 500 * NS_PER_MS;
    assert_true(exchange(honest, 99));
    close(slow);
    close(honest);
    close(idle);
    server_stop(server);
}

// Who has taken its answers late may be idle from then on, as all others may.
static void test_idle_after_blocked(void **state)
{
    (void)state;
    enum { COUNT = 6, SIZE = 60000 }; // more than the kernel takes for a narrow client
    static const struct clock turned = {turned_clock_ns, turned_clock_ns, NULL};
    struct net_options options = {
        .tcp_message_ns = NS_PER_SECOND, .tcp_idle_ns = 10 * NS_PER_SECOND, .clock = &turned};
    turned_ns = NS_PER_SECOND;
    struct server *server = server_start(options, loopback);
    server->generation.tcp_size = SIZE;
    int fd = client_narrow(server), honest = client(server, SOCK_STREAM);
    static uint8_t stream[COUNT * (2 + QUERY_SIZE)], message[65535];
    for (uint32_t i = 0; i < COUNT; i++) {
        query_make(i, stream + i * (2 + QUERY_SIZE));
    }
    send_all_bytes(fd, stream, sizeof(stream));
    assert_true(exchange(honest, 1));
    turned_ns += 900 * NS_PER_MS;
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(receive_message(fd, message), SIZE);
        assert_int_equal(answer_number(message), i);
    }
    assert_true(exchange(honest, 2)); // what the server does with the last of it is done
    turned_ns += 900 * NS_PER_MS;
    assert_true(exchange(honest, 3));
    assert_true(exchange(honest, 4));
    assert_true(exchange(fd, 5));
    close(honest);
    close(fd);
    server_stop(server);
}

// Over TCP, what deserves no answer ends the connection, after the answers before it.
static void test_not_dns(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    static const uint8_t endings[][16] = {{0, 0}, {0, 3, 1, 2, 3}, {0, 12, 1, 2, 0x80}};
    static const size_t ending_sizes[] = {2, 5, 14};
    static uint8_t message[65535];
    for (size_t size = QUERY_SIZE; size <= 60000; size += 59980) {
        server->generation.tcp_size = size;
        for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
            int fd = client(server, SOCK_STREAM);
            uint8_t stream[3 * (2 + QUERY_SIZE) + 16];
            for (uint32_t j = 0; j < 3; j++) {
                query_make(j, stream + j * (2 + QUERY_SIZE));
            }
            memcpy(stream + 3 * (2 + QUERY_SIZE), endings[i], ending_sizes[i]);
            send_all_bytes(fd, stream, 3 * (2 + QUERY_SIZE) + ending_sizes[i]);
            for (uint32_t j = 0; j < 3; j++) {
                assert_int_equal(receive_message(fd, message), size);
                assert_int_equal(answer_number(message), j);
            }
            assert_int_equal(receive_message(fd, message), 0);
            close(fd);
        }
    }
    server_stop(server);
}

// What has come behind the message that ends a connection is not read as queries, and costs no
// answer that is still on its way: a close with unread bytes would reset the stream and drop them.
static void test_answers_outlive_the_end(void **state)
{
    (void)state;
    enum { COUNT = 3, JUNK_SIZE = 65536 };
    struct server *server = server_start((struct net_options){0}, loopback);
    server->generation.tcp_size = 60000;
    static uint8_t stream[COUNT * (2 + QUERY_SIZE) + JUNK_SIZE], message[65535];
    for (uint32_t i = 0; i < COUNT; i++) {
        query_make(i, stream + i * (2 + QUERY_SIZE));
    }
    for (int half_closed = 0; half_closed < 2; half_closed++) {
        int fd = client_narrow(server);
        send_all_bytes(fd, stream, sizeof(stream));
        if (half_closed) {
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        }
        sleep_ms(50); // the answers do not fit what we let come unread
        for (uint32_t i = 0; i < COUNT; i++) {
            assert_int_equal(receive_message(fd, message), server->generation.tcp_size);
            assert_int_equal(answer_number(message), i);
        }
        uint8_t byte;
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        close(fd);
    }
    assert_int_equal(server_queries(server, TRANSPORT_TCP), 2 * COUNT);
    server_stop(server);
}

// It is waited for no longer than for a message, and what it sends meanwhile does not matter.
static void test_end_is_bounded(void **state)
{
    (void)state;
    struct server *server =
        server_start((struct net_options){.tcp_message_ns = 200 * NS_PER_MS}, loopback);
    uint8_t stream[2 + QUERY_SIZE + 2] = {0}, message[65535];
    query_make(0, stream);
    int fd = client(server, SOCK_STREAM);
    send_all_bytes(fd, stream, sizeof(stream));
    assert_int_equal(receive_message(fd, message), QUERY_SIZE);
    assert_int_equal(receive_message(fd, message), 0);
    bool open = true;
    for (int i = 0; open && i < PATIENCE_MS / 10; i++) {
        sleep_ms(10);
        open = send(fd, stream, sizeof(stream), MSG_NOSIGNAL) > 0;
    }
    assert_false(open);
    assert_int_equal(server_queries(server, TRANSPORT_TCP), 1);
    close(fd);
    server_stop(server);
}

// Nor does it get to send without end until then: there is a bound of octets, too.
static void test_flood_behind_the_end(void **state)
{
    (void)state;
    enum { FLOOD_MAX = 64 << 20 }; // with room for all that the kernel holds between the two
    struct server *server = server_start((struct net_options){0}, loopback);
    static uint8_t junk[65536];
    uint8_t runt[2] = {0};
    int fd = client(server, SOCK_STREAM);
    send_all_bytes(fd, runt, sizeof(runt));
    size_t sent = 0;
    while (sent < FLOOD_MAX && send(fd, junk, sizeof(junk), MSG_NOSIGNAL) > 0) {
        sent += sizeof(junk);
    }
    assert_true(sent < FLOOD_MAX);
    close(fd);
    server_stop(server);
}

// The newcomer displaces whoever has done nothing for longest.
static void test_displacement(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){.tcp_clients_max = 4}, loopback);
    int fds[6];
    for (uint32_t i = 0; i < 4; i++) {
        fds[i] = client(server, SOCK_STREAM);
        assert_true(exchange(fds[i], i));
    }
    assert_true(exchange(fds[0], 10));
    fds[4] = client(server, SOCK_STREAM);
    assert_true(exchange(fds[4], 11));
    assert_true(closed_within(fds[1], PATIENCE_MS));
    fds[5] = client(server, SOCK_STREAM);
    assert_true(exchange(fds[5], 12));
    assert_true(closed_within(fds[2], PATIENCE_MS));
    assert_true(exchange(fds[0], 13));
    assert_true(exchange(fds[3], 14));
    for (size_t i = 0; i < 6; i++) {
        close(fds[i]);
    }
    server_stop(server);
}

// Whatever it is that they wait for: a query that has begun, or none.
static void test_displacement_of_all_kinds(void **state)
{
    (void)state;
    uint8_t stream[2 + QUERY_SIZE], message[65535];
    for (unsigned begun = 0; begun < 2; begun++) {
        struct server *server = server_start((struct net_options){.tcp_clients_max = 2}, loopback);
        int fds[2];
        for (uint32_t i = 0; i < 2; i++) {
            fds[i] = client(server, SOCK_STREAM);
            assert_true(exchange(fds[i], i));
            if (i == begun) {
                query_make(7, stream);
                send_all_bytes(fds[i], stream, 1);
            }
        }
        int newcomer = client(server, SOCK_STREAM);
        assert_true(exchange(newcomer, 2));
        assert_true(closed_within(fds[0], PATIENCE_MS));
        if (begun == 1) {
            send_all_bytes(fds[1], stream + 1, sizeof(stream) - 1);
            assert_int_equal(receive_message(fds[1], message), QUERY_SIZE);
            assert_int_equal(answer_number(message), 7);
        } else {
            assert_true(exchange(fds[1], 3));
        }
        close(fds[0]);
        close(fds[1]);
        close(newcomer);
        server_stop(server);
    }
}

// Connections that say nothing fill every place; honest newcomers are served all the same.
static void test_connect_flood(void **state)
{
    (void)state;
    enum { SILENT = 100 };
    struct server *server = server_start((struct net_options){.tcp_clients_max = 16}, loopback);
    int silent[SILENT];
    for (uint32_t i = 0; i < SILENT; i++) {
        silent[i] = client(server, SOCK_STREAM);
        int honest = client(server, SOCK_STREAM);
        assert_true(exchange(honest, i));
        close(honest);
    }
    unsigned open = 0;
    for (unsigned i = 0; i < SILENT; i++) {
        open += !closed_within(silent[i], 0);
        close(silent[i]);
    }
    assert_true(open <= 16);
    server_stop(server);
}

static void test_address_limit(void **state)
{
    (void)state;
    struct net_options options = {.tcp_clients_per_address_max = 2};
    struct server *server = server_start(options, loopback);
    int other = client_from(server, 0, SOCK_STREAM, "127.0.0.9");
    assert_true(exchange(other, 0));
    int fds[3];
    for (uint32_t i = 0; i < 3; i++) {
        fds[i] = client_from(server, 0, SOCK_STREAM, "127.0.0.8");
        assert_true(exchange(fds[i], i));
        assert_true(exchange(fds[0], i)); // the oldest, but not the longest idle
    }
    assert_true(closed_within(fds[1], PATIENCE_MS));
    assert_true(exchange(fds[2], 4));
    assert_true(exchange(other, 5));
    for (uint32_t i = 0; i < 3; i++) {
        close(fds[i]);
    }
    close(other);
    server_stop(server);
}

static unsigned open_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 4096; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

// Connections that end by reset, before and after a query, leave nothing behind.
static void test_resets(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    server->generation.tcp_size = 60000;
    int honest = client(server, SOCK_STREAM);
    assert_true(exchange(honest, 0));
    unsigned before = open_descriptors();
    for (unsigned i = 0; i < 500; i++) {
        int fd = client(server, SOCK_STREAM);
        uint8_t query[2 + QUERY_SIZE];
        query_make(i, query);
        for (unsigned j = 0; j < i % 5; j++) {
            send_all_bytes(fd, query, sizeof(query) - (j == 3));
        }
        struct linger linger = {1, 0};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(fd);
    }
    assert_true(exchange(honest, 1));
    for (int i = 0; i < PATIENCE_MS / 20 && open_descriptors() > before; i++) {
        sleep_ms(20);
    }
    assert_int_equal(open_descriptors(), before);
    close(honest);
    server_stop(server);
}

static int64_t cpu_ns(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_SECOND +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

// The process has no descriptor left: the worker neither spins nor dies, UDP goes on, and
// connections are taken up again when there is room.
static void test_no_descriptors(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    int udp = client(server, SOCK_DGRAM);
    int fds[3];
    struct endpoint endpoint = net_endpoint(server->net, 0);
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&endpoint.address, endpoint.port, &to);
    for (size_t i = 0; i < 3; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        set_patience(fds[i]);
    }
    struct rlimit before, tight;
    getrlimit(RLIMIT_NOFILE, &before);
    tight = before;
    tight.rlim_cur = (rlim_t)fds[2] + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(connect(fds[i], (struct sockaddr *)&to, size), 0);
    }
    int64_t start = cpu_ns();
    sleep_ms(500);
    assert_true(cpu_ns() - start < 200 * NS_PER_MS);
    uint8_t query[2 + QUERY_SIZE];
    query_make(1, query);
    assert_int_equal(send(udp, query + 2, QUERY_SIZE, 0), QUERY_SIZE);
    assert_int_equal(receive_datagram(udp, query, QUERY_SIZE), QUERY_SIZE);
    setrlimit(RLIMIT_NOFILE, &before);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(exchange(fds[i], i));
        close(fds[i]);
    }
    close(udp);
    server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipelining),     cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_large),          cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_blocked_peer),   cmocka_unit_test(test_never_reading_peer),
        cmocka_unit_test(test_slow_peer),      cmocka_unit_test(test_idle_after_blocked),
        cmocka_unit_test(test_not_dns),        cmocka_unit_test(test_answers_outlive_the_end),
        cmocka_unit_test(test_end_is_bounded), cmocka_unit_test(test_flood_behind_the_end),
        cmocka_unit_test(test_displacement),   cmocka_unit_test(test_displacement_of_all_kinds),
        cmocka_unit_test(test_connect_flood),  cmocka_unit_test(test_address_limit),
        cmocka_unit_test(test_resets),         cmocka_unit_test(test_no_descriptors),
    };
    return cmocka_run_group_tests_name("net/tcp", tests, NULL, NULL);
}
