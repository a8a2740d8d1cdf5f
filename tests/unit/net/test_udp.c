// SPDX-License-Identifier: GPL-3.0-or-later
//
// The UDP side over real sockets: batches, both families, wildcard addresses, several workers,
// generations that are replaced and freed under load, and a kernel that does not take a batch as a
// whole.
#include "fixture.h"

#include "net/socket.h"
#include "net/udp.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

static const char *const loopbacks[] = {"127.0.0.1", "::1", NULL};
static const char *const loopback[] = {"127.0.0.1", NULL};

// Sends `count` numbered queries at once, then expects every number back exactly once.
static void expect_echoes(int fd, uint32_t count)
{
    uint8_t query[2 + QUERY_SIZE], answered[QUERY_SIZE];
    bool *seen = mem_alloc_array(count, sizeof(*seen));
    for (uint32_t i = 0; i < count; i++) {
        query_make(i, query);
        assert_int_equal(send(fd, query + 2, QUERY_SIZE, 0), QUERY_SIZE);
    }
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(receive_datagram(fd, answered, sizeof(answered)), QUERY_SIZE);
        uint32_t number = answer_number(answered);
        assert_true(number < count);
        assert_false(seen[number]);
        assert_true(answered[2] & 0x80);
        seen[number] = true;
    }
    free(seen);
}

static void test_batches(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopbacks);
    for (size_t endpoint = 0; endpoint < 2; endpoint++) {
        int fd = client_from(server, endpoint, SOCK_DGRAM, NULL);
        // One, a batch, one more than a batch, several: queues of a client hold about 200.
        static const uint32_t counts[] = {1, 2, 63, 64, 65, 150};
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
            expect_echoes(fd, counts[i]);
        }
        close(fd);
    }
    assert_int_equal(server_queries(server, TRANSPORT_UDP), 2 * (1 + 2 + 63 + 64 + 65 + 150));
    server_stop(server);
}

// Responses, runts and empty datagrams between queries leave no hole and no answer.
static void test_unanswered(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){0}, loopback);
    int fd = client(server, SOCK_DGRAM);
    uint8_t query[2 + QUERY_SIZE], answered[4096];
    for (uint32_t i = 0; i < 90; i++) {
        query_make(i, query);
        query[4] = i % 3 == 0 ? 0x80 : 0;
        send(fd, query + 2, i % 3 == 1 ? i % 12 : QUERY_SIZE, 0);
    }
    for (uint32_t i = 2; i < 90; i += 3) {
        assert_int_equal(receive_datagram(fd, answered, sizeof(answered)), QUERY_SIZE);
        assert_int_equal(answer_number(answered), i);
    }
    assert_int_equal(recv(fd, answered, sizeof(answered), MSG_DONTWAIT), -1);
    // Longer than a slot: cut, still answered within bounds.
    uint8_t large[3000] = {0};
    assert_int_equal(send(fd, large, sizeof(large), 0), sizeof(large));
    assert_int_equal(receive_datagram(fd, answered, sizeof(answered)), ANSWER_UDP_MAX);
    close(fd);
    server_stop(server);
}

// A wildcard listener answers from the address that was asked, not from the one the route prefers.
static void test_wildcard(void **state)
{
    (void)state;
    static const char *const wildcards[] = {"0.0.0.0", "::", NULL};
    static const char *const asked[] = {"127.0.0.1", "127.0.0.77", "127.9.9.9", "::1"};
    struct server *server = server_start((struct net_options){0}, wildcards);
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        struct address address;
        assert_true(address_parse(asked[i], &address));
        size_t endpoint = address.family == FAMILY_IPV6;
        struct sockaddr_storage to, from;
        socklen_t size =
            address_to_sockaddr(&address, net_endpoint(server->net, endpoint).port, &to);
        int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        set_patience(fd);
        uint8_t query[2 + QUERY_SIZE], answered[QUERY_SIZE];
        // More than a batch: control buffers are used again.
        for (uint32_t number = 0; number < 70; number++) {
            query_make(number, query);
            assert_int_equal(sendto(fd, query + 2, QUERY_SIZE, 0, (struct sockaddr *)&to, size),
                             QUERY_SIZE);
        }
        for (uint32_t number = 0; number < 70; number++) {
            socklen_t from_size = sizeof(from);
            assert_int_equal(
                recvfrom(fd, answered, sizeof(answered), 0, (struct sockaddr *)&from, &from_size),
                QUERY_SIZE);
            struct address source;
            uint16_t port;
            assert_true(address_from_sockaddr((struct sockaddr *)&from, &source, &port));
            assert_true(address_equal(&source, &address));
        }
        close(fd);
    }
    server_stop(server);
}

static void test_workers(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){.workers = 4}, loopbacks);
    assert_int_equal(net_worker_count(server->net), 4);
    // The kernel spreads clients over workers by a hash of their ports. That one of four gets none
    // of so many happens once in a hundred billion runs.
    enum { CLIENTS = 96 };
    for (unsigned i = 0; i < CLIENTS; i++) {
        int fd = client_from(server, i % 2, SOCK_DGRAM, NULL);
        expect_echoes(fd, 20);
        close(fd);
    }
    assert_int_equal(server_queries(server, TRANSPORT_UDP), CLIENTS * 20);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(net_worker_counters(server->net, i)->queries_udp > 0);
    }
    server_stop(server);
}

struct load {
    struct server *server;
    _Atomic bool stop;
    _Atomic uint64_t answers;
};

static void *load_run(void *argument)
{
    struct load *load = argument;
    int fd = client(load->server, SOCK_DGRAM);
    int stream = client(load->server, SOCK_STREAM);
    for (uint32_t i = 0; !load->stop; i++) {
        expect_echoes(fd, 40);
        assert_true(exchange(stream, i));
        load->answers += 41;
    }
    close(fd);
    close(stream);
    return NULL;
}

// The writer replaces and frees generations while workers answer from them. The stand-in aborts
// when it is given a dead one; sanitizers see a use after free.
static void test_generations(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){.workers = 2}, loopback);
    struct load load = {.server = server};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, load_run, &load), 0);
    const struct generation *old = NULL;
    for (unsigned i = 0; i < 2000 || load.answers < 2000; i++) {
        struct generation *next = mem_alloc(sizeof(*next));
        next->alive = ALIVE;
        old = atomic_exchange(&server->root, next);
        rcu_wait();
        if (old != &server->generation) {
            ((struct generation *)old)->alive = 0;
            free((void *)old);
        }
    }
    load.stop = true;
    pthread_join(thread, NULL);
    old = atomic_load(&server->root);
    server_stop(server);
    free((void *)old);
}

// A line of a thread's status, as the kernel shows it.
static void status_line(const char *task, const char *what, char line[256])
{
    char path[300];
    snprintf(path, sizeof(path), "/proc/self/task/%s/status", task);
    FILE *status = fopen(path, "r");
    assert_non_null(status);
    do {
        assert_non_null(fgets(line, 256, status));
    } while (strncmp(line, what, strlen(what)) != 0);
    fclose(status);
}

// Signals are the control thread's: no worker takes one. One worker has a core for itself.
static void test_thread(void **state)
{
    (void)state;
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGPIPE};
    struct server *server = server_start((struct net_options){0}, loopback);
    int fd = client(server, SOCK_DGRAM);
    expect_echoes(fd, 1); // it has begun
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    unsigned found = 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char line[256];
        if (task->d_name[0] == '.') {
            continue;
        }
        status_line(task->d_name, "Name:", line);
        if (strstr(line, "data-worker") == NULL) {
            continue;
        }
        found++;
        status_line(task->d_name, "SigBlk:", line);
        uint64_t blocked = strtoull(line + strlen("SigBlk:"), NULL, 16);
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
            assert_true(blocked >> (signals[i] - 1) & 1);
        }
        status_line(task->d_name, "Cpus_allowed_list:", line);
        assert_null(strpbrk(line, ",-"));
    }
    closedir(tasks);
    assert_int_equal(found, 1);
    close(fd);
    server_stop(server);
}

// An idle server does not hold the writer up, and stops at once under load.
static void test_stop(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){.workers = 2}, loopbacks);
    sleep_ms(100); // the threads have registered and sleep
    int64_t before = clock_monotonic_ns(clock_system());
    for (unsigned i = 0; i < 100; i++) {
        rcu_wait();
    }
    assert_true(clock_monotonic_ns(clock_system()) - before < PATIENCE_MS * NS_PER_MS);
    int fd = client(server, SOCK_DGRAM);
    uint8_t query[2 + QUERY_SIZE];
    query_make(1, query);
    for (unsigned i = 0; i < 5000; i++) {
        send(fd, query + 2, QUERY_SIZE, MSG_DONTWAIT);
    }
    server_stop(server);
    close(fd);
}

// --- a kernel that refuses

// What becomes of a call of sendmmsg: so many messages go, or none and an error is told.
struct verdict {
    unsigned sent;
    int error;
};

// The verdicts of this thread's next calls, up to one of zeros; then, and without, the kernel's.
static _Thread_local const struct verdict *verdicts;
// How many queries this thread waits for, to have them in one batch; 0: it takes what there is.
static _Thread_local unsigned batch_size;
// A flood that never ends: called for each batch, whose queries come from nowhere, which no socket
// of ours gives: nobody answers those.
static _Thread_local void (*flood)(void);

// These two stand before those of the C library.
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned allowed = count;
    if (verdicts != NULL && (verdicts->sent != 0 || verdicts->error != 0)) {
        const struct verdict *verdict = verdicts++;
        if (verdict->error != 0) {
            errno = verdict->error;
            return -1;
        }
        allowed = MIN(count, verdict->sent);
    }
    return (int)syscall(SYS_sendmmsg, fd, messages, allowed, flags);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit)
{
    if (flood != NULL) {
        flood();
        for (unsigned i = 0; i < count; i++) {
            memset(messages[i].msg_hdr.msg_name, 0, sizeof(struct sockaddr_in6)); // of no family
            messages[i].msg_len = QUERY_SIZE;
        }
        return (int)count;
    }
    if (batch_size == 0) {
        return (int)syscall(SYS_recvmmsg, fd, messages, count, flags, limit);
    }
    for (unsigned got = 0; got < batch_size;) {
        long one = syscall(SYS_recvmmsg, fd, messages + got, 1, 0, NULL);
        assert_true(one == 1 || errno == EINTR);
        got += one == 1;
    }
    return (int)batch_size;
}

// A server without a thread: the test itself serves.
struct serving {
    struct generation generation;
    generation_root root;
    struct net_options net;
    struct responder responder;
    struct udp_batch *batch;
};

static void serving_begin(struct serving *serving)
{
    *serving = (struct serving){.generation.alive = ALIVE};
    atomic_init(&serving->root, &serving->generation);
    serving->responder =
        (struct responder){.root = &serving->root, .worker = worker_new(0), .net = &serving->net};
    serving->batch = udp_batch_new();
    rcu_reader_register();
}

static void serving_end(struct serving *serving)
{
    rcu_reader_unregister();
    udp_batch_free(serving->batch);
    worker_free(serving->responder.worker);
}

// One of its sockets, and a client that takes answers only from the address that it asks.
struct way {
    struct udp_socket socket;
    int client;
};

static struct way way_open(const char *listen, const char *asked)
{
    struct endpoint endpoint = {.port = 0};
    struct address to;
    struct sockaddr_storage at;
    assert_true(address_parse(listen, &endpoint.address) && address_parse(asked, &to));
    struct way way = {
        {socket_bind(&endpoint, TRANSPORT_UDP, SOCKET_SERVE), endpoint_wildcard(&endpoint)}, -1};
    assert_true(way.socket.fd >= 0);
    assert_int_equal(fcntl(way.socket.fd, F_SETFL, 0), 0); // it waits, see recvmmsg()
    set_patience(way.socket.fd);
    socklen_t size = address_to_sockaddr(&to, socket_port(way.socket.fd), &at);
    way.client = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    set_patience(way.client);
    assert_int_equal(connect(way.client, (struct sockaddr *)&at, size), 0);
    return way;
}

static void way_close(struct way *way)
{
    close(way->client);
    close(way->socket.fd);
}

// Asks numbered queries and serves them as one batch. A bit of `holes` makes of a query what gets
// no answer.
static void serve_numbers(struct serving *serving, const struct way *way, uint32_t first,
                          unsigned count, unsigned holes)
{
    uint8_t query[2 + QUERY_SIZE];
    for (unsigned i = 0; i < count; i++) {
        query_make(first + i, query);
        query[4] = holes >> i & 1 ? 0x80 : 0;
        assert_int_equal(send(way->client, query + 2, QUERY_SIZE, 0), QUERY_SIZE);
    }
    batch_size = count;
    udp_serve(serving->batch, &way->socket, &serving->responder);
    batch_size = 0;
}

enum { COUNT = 10, MARK = 99, ALL = (1 << COUNT) - 1 };

// Exactly the numbers that are bits of `expected` are answered, each once.
static void expect_numbers(struct serving *serving, const struct way *way, unsigned expected)
{
    unsigned seen = 0;
    serve_numbers(serving, way, MARK, 1, 0);
    for (int left = __builtin_popcount(expected) + 1; left > 0; left--) {
        uint8_t answered[QUERY_SIZE];
        assert_int_equal(receive_datagram(way->client, answered, sizeof(answered)), QUERY_SIZE);
        uint32_t number = answer_number(answered);
        assert_true(number == MARK || (number < COUNT && !(seen & 1U << number)));
        seen |= number < COUNT ? 1U << number : 0;
    }
    assert_int_equal(seen, expected);
}

// Sockets of both families, with and without control messages, take turns with one batch; queries
// without an answer leave holes in it here and there.
static void test_turns(void **state)
{
    (void)state;
    static const char *const addresses[][2] = {
        {"127.0.0.1", "127.0.0.1"},   {"0.0.0.0", "127.0.0.77"}, {"::1", "::1"}, {"::", "::1"},
        {"127.0.0.66", "127.0.0.66"},
    };
    static const unsigned holes[] = {0, 1 << 4, 0, 1 << 0 | 1 << 3, 1 << 9, 0, ALL, 0};
    struct serving serving;
    struct way ways[ARRAY_SIZE(addresses)];
    serving_begin(&serving);
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        ways[i] = way_open(addresses[i][0], addresses[i][1]);
    }
    for (size_t round = 0; round < ARRAY_SIZE(holes); round++) {
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
            serve_numbers(&serving, &ways[i], 0, COUNT, holes[round]);
            expect_numbers(&serving, &ways[i], ALL & ~holes[round]);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        way_close(&ways[i]);
    }
    serving_end(&serving);
}

// A message that cannot go takes no other with it, and none goes twice. A buffer that is full is
// waited for three times a batch; what it then still does not take is dropped, one by one.
static void test_refused_sends(void **state)
{
    (void)state;
    static const struct {
        struct verdict verdicts[16];
        unsigned lost; // bits of the queries without an answer
    } table[] = {
        {{{0}}, 0},
        {{{3, 0}, {1, 0}, {2, 0}}, 0},
        {{{9, 0}, {1, 0}}, 0},
        {{{0, EPERM}}, 1 << 0},
        {{{4, 0}, {0, ENETUNREACH}}, 1 << 4},
        {{{9, 0}, {0, EPERM}}, 1 << 9},
        {{{2, 0}, {0, EPERM}, {0, EHOSTUNREACH}, {3, 0}, {0, ECONNREFUSED}, {1, 0}},
         1 << 2 | 1 << 3 | 1 << 7},
        {{{0, EINTR}, {5, 0}, {0, EINTR}, {0, EINTR}, {0, EINTR}, {0, EINTR}}, 0},
        {{{0, EAGAIN}, {4, 0}, {0, EAGAIN}, {1, 0}, {0, EAGAIN}}, 0},
        {{{0, ENOBUFS}, {4, 0}, {0, ENOBUFS}, {1, 0}, {0, ENOBUFS}}, 0},
        {{{6, 0}, {0, EAGAIN}, {0, ENOBUFS}, {0, EAGAIN}, {0, EAGAIN}}, 1 << 6},
        {{{0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN},
          {0, EAGAIN}},
         ALL},
    };
    struct serving serving;
    struct way way = way_open("127.0.0.1", "127.0.0.1");
    serving_begin(&serving);
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        verdicts = table[i].verdicts;
        serve_numbers(&serving, &way, 0, COUNT, 0);
        assert_int_equal(verdicts->sent | (unsigned)verdicts->error, 0); // all were given
        verdicts = NULL;
        expect_numbers(&serving, &way, ALL & ~table[i].lost);
    }
    way_close(&way);
    serving_end(&serving);
}

// How many descriptors are in all epolls of this process.
static unsigned in_epolls(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[64], line[256];
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        FILE *info = fopen(path, "r");
        while (info != NULL && fgets(line, sizeof(line), info) != NULL) {
            count += strncmp(line, "tfd:", 4) == 0;
        }
        if (info != NULL) {
            fclose(info);
        }
    }
    return count;
}

// While there are queries over TCP only, the UDP sockets are waited for as all others; what comes
// by one of them is answered at once, and all of them are out of the epoll again.
static void test_quiet_sockets(void **state)
{
    (void)state;
    enum { QUIET = 100 };
    struct server *server = server_start((struct net_options){0}, loopbacks);
    int stream = client(server, SOCK_STREAM), fds[2];
    for (size_t i = 0; i < 2; i++) {
        fds[i] = client_from(server, i, SOCK_DGRAM, NULL);
    }
    assert_true(exchange(stream, 0));
    unsigned usual = in_epolls();
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < QUIET; i++) {
            assert_true(exchange(stream, i));
        }
        assert_int_equal(in_epolls(), usual + 2);
        if (round == 3) { // both at once
            uint8_t query[2 + QUERY_SIZE];
            query_make(0, query);
            for (size_t i = 0; i < 2; i++) {
                assert_int_equal(send(fds[i], query + 2, QUERY_SIZE, 0), QUERY_SIZE);
            }
            for (size_t i = 0; i < 2; i++) {
                assert_int_equal(receive_datagram(fds[i], query, QUERY_SIZE), QUERY_SIZE);
            }
        } else {
            expect_echoes(fds[round % 2], 10);
        }
        assert_int_equal(in_epolls(), usual);
    }
    close(stream);
    close(fds[0]);
    close(fds[1]);
    server_stop(server);
}

enum { ROUNDS_LIMIT = 200 };
static unsigned rounds;
static _Atomic bool writer_is_done;

static void *writer_run(void *argument)
{
    (void)argument;
    rcu_wait();
    writer_is_done = true;
    return NULL;
}

// Counts batches, and gives the writer its time.
static void on_batch(void)
{
    assert_true(++rounds < ROUNDS_LIMIT);
    for (unsigned i = 0; i < 1000 && rounds > 1 && !writer_is_done; i++) {
        sleep_ms(1);
    }
}

// In a flood that never ends the writer waits for a batch at most, and other sockets have their
// turn soon.
static void test_endless_flood(void **state)
{
    (void)state;
    struct serving serving;
    serving_begin(&serving);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, writer_run, NULL), 0);
    flood = on_batch;
    udp_serve(serving.batch, &(struct udp_socket){.fd = -1}, &serving.responder);
    flood = NULL;
    assert_true(rounds > 1);
    assert_true(writer_is_done);
    serving_end(&serving);
    pthread_join(writer, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches),       cmocka_unit_test(test_unanswered),
        cmocka_unit_test(test_wildcard),      cmocka_unit_test(test_workers),
        cmocka_unit_test(test_generations),   cmocka_unit_test(test_stop),
        cmocka_unit_test(test_thread),        cmocka_unit_test(test_refused_sends),
        cmocka_unit_test(test_endless_flood), cmocka_unit_test(test_turns),
        cmocka_unit_test(test_quiet_sockets),
    };
    return cmocka_run_group_tests_name("net/udp", tests, NULL, NULL);
}
