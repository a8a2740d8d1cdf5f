// SPDX-License-Identifier: GPL-3.0-or-later
//
// net_open: ports chosen by the kernel, ports that are taken, addresses that do not exist.
#include "fixture.h"
#include "net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/wait.h>

static const char *const loopbacks[] = {"127.0.0.1", "::1", NULL};
static const char *const loopback[] = {"127.0.0.1", NULL};

static struct net_options options_for(const struct endpoint *listen, size_t count)
{
    return (struct net_options){.listen = listen,
                                .listen_count = count,
                                .workers = 2,
                                .tcp_clients_max = 10,
                                .tcp_idle_ns = NS_PER_SECOND,
                                .tcp_message_ns = NS_PER_SECOND,
                                .clock = clock_system()};
}

// Expects one error that names the endpoint and holds `reason`.
static void expect_refused(const struct endpoint *listen, size_t count, size_t culprit,
                           const char *reason)
{
    struct net_options options = options_for(listen, count);
    struct diags diags = {0};
    assert_null(net_open(&options, &diags));
    assert_int_equal(diags.error_count, 1);
    const struct diag *error = NULL;
    for (size_t i = 0; i < diags.count; i++) {
        error = diags.items[i].severity == SEVERITY_ERROR ? &diags.items[i] : error;
    }
    char endpoint[SOCKADDR_TEXT_MAX], expected[128];
    endpoint_format(&listen[culprit].address, listen[culprit].port, endpoint);
    snprintf(expected, sizeof(expected), "cannot listen on %s: %s", endpoint, reason);
    assert_non_null(error);
    if (strncmp(error->message, expected, strlen(expected)) != 0) {
        fail_msg("expected \"%s...\", got \"%s\"", expected, error->message);
    }
    diags_clear(&diags);
}

static void test_chosen_ports(void **state)
{
    (void)state;
    struct server *server = server_start((struct net_options){.workers = 3}, loopbacks);
    assert_int_equal(net_endpoint_count(server->net), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(net_endpoint(server->net, i).port > 0);
        // One port for both transports and for all workers: every client finds one.
        for (unsigned j = 0; j < 20; j++) {
            int stream = client_from(server, i, SOCK_STREAM, NULL);
            assert_true(exchange(stream, j));
            close(stream);
            int datagram = client_from(server, i, SOCK_DGRAM, NULL);
            uint8_t query[2 + QUERY_SIZE];
            query_make(j, query);
            assert_int_equal(send(datagram, query + 2, QUERY_SIZE, 0), QUERY_SIZE);
            assert_int_equal(receive_datagram(datagram, query, QUERY_SIZE), QUERY_SIZE);
            close(datagram);
        }
    }
    server_stop(server);
}

// Another program's socket on the port, of either transport.
static void test_port_taken(void **state)
{
    (void)state;
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct endpoint free_port = {{.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}}, 0};
        struct sockaddr_storage where;
        socklen_t size = address_to_sockaddr(&free_port.address, 0, &where);
        int fd = socket(AF_INET, types[i] | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&where, size), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&where, &size), 0);
        if (types[i] == SOCK_STREAM) {
            assert_int_equal(listen(fd, 1), 0);
        }
        struct endpoint taken = free_port;
        assert_true(address_from_sockaddr((struct sockaddr *)&where, &taken.address, &taken.port));
        struct endpoint both[] = {free_port, taken};
        expect_refused(both, 2, 1, "Address already in use");
        close(fd);
    }
}

// A second daemon of the same user: its sockets have SO_REUSEPORT too, and must not be joined.
static void test_second_daemon(void **state)
{
    (void)state;
    static const char *const wildcards[] = {"0.0.0.0", NULL};
    struct server *server = server_start((struct net_options){0}, loopback);
    struct endpoint endpoint = net_endpoint(server->net, 0);
    expect_refused(&endpoint, 1, 0, "Address already in use");
    struct endpoint wildcard = {{.family = FAMILY_IPV4}, endpoint.port};
    expect_refused(&wildcard, 1, 0, "Address already in use");
    server_stop(server);
    server = server_start((struct net_options){0}, wildcards);
    struct endpoint inside = {endpoint.address, net_endpoint(server->net, 0).port};
    expect_refused(&inside, 1, 0, "Address already in use");
    server_stop(server);
}

enum { OPEN_TRIES = 20 };

// Opens and closes what `listen` says, on a port that was free a moment ago. False when it is not.
static bool opens(const struct endpoint *listen, size_t count)
{
    struct net_options options = options_for(listen, count);
    struct diags diags = {0};
    struct net *net = net_open(&options, &diags);
    net_close(net); // never started: allowed
    diags_clear(&diags);
    return net != NULL;
}

// Connections of an earlier life in TIME_WAIT do not keep the port. (Another process may.)
static void test_restart(void **state)
{
    (void)state;
    struct net_options short_lived = {.tcp_idle_ns = 50 * NS_PER_MS};
    bool opened = false;
    for (int i = 0; i < OPEN_TRIES && !opened; i++) {
        struct server *server = server_start(short_lived, loopback);
        struct endpoint endpoint = net_endpoint(server->net, 0);
        int fd = client(server, SOCK_STREAM);
        assert_true(closed_within(fd, PATIENCE_MS)); // the server closes first
        close(fd);
        server_stop(server);
        opened = opens(&endpoint, 1);
    }
    assert_true(opened);
}

// A wildcard and one of its addresses stand side by side in one configuration.
static void test_overlap(void **state)
{
    (void)state;
    bool opened = false;
    for (int i = 0; i < OPEN_TRIES && !opened; i++) {
        struct server *server = server_start((struct net_options){0}, loopback);
        uint16_t port = net_endpoint(server->net, 0).port;
        server_stop(server);
        struct endpoint listen[] = {{{.family = FAMILY_IPV4}, port},
                                    {{.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}}, port},
                                    {{.family = FAMILY_IPV6}, port}};
        opened = opens(listen, 3);
    }
    assert_true(opened);
}

// Whether 127.0.0.1 has nobody at that port.
static bool is_refused(int type, uint16_t port)
{
    struct address address = {.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}};
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&address, port, &to);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    int result = connect(fd, (struct sockaddr *)&to, size);
    if (type == SOCK_DGRAM) {
        struct timeval limit = {.tv_sec = 1};
        uint8_t query[2 + QUERY_SIZE];
        query_make(1, query);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        assert_int_equal(result, 0);
        assert_int_equal(send(fd, query + 2, QUERY_SIZE, 0), QUERY_SIZE);
        result = (int)recv(fd, query, QUERY_SIZE, 0);
    }
    bool refused = result < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

// The IPv6 wildcard is IPv6 only, whatever the machine's default: IPv4 has its own endpoint.
// (Which another process may have at the same port.)
static void test_families_apart(void **state)
{
    (void)state;
    static const char *const wildcard[] = {"::", NULL};
    bool apart = false;
    for (int i = 0; i < OPEN_TRIES && !apart; i++) {
        struct server *server = server_start((struct net_options){0}, wildcard);
        uint16_t port = net_endpoint(server->net, 0).port;
        apart = is_refused(SOCK_STREAM, port) && is_refused(SOCK_DGRAM, port);
        server_stop(server);
    }
    assert_true(apart);
}

static void test_no_such_address(void **state)
{
    (void)state;
    struct endpoint listen = {{.family = FAMILY_IPV4, .bytes = {192, 0, 2, 1}}, 5353};
    expect_refused(&listen, 1, 0, "Cannot assign requested address");
    listen.port = 0;
    expect_refused(&listen, 1, 0, "Cannot assign requested address");
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

// A forged "too big" makes no path narrower: answers are as large as they may be.
static void test_paths_are_not_believed(void **state)
{
    (void)state;
    struct endpoint endpoint = {{.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}}, 0};
    int fd = socket_bind(&endpoint, TRANSPORT_UDP, SOCKET_SERVE);
    assert_true(fd >= 0);
    assert_int_equal(option_of(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
    close(fd);
    endpoint.address = (struct address){.family = FAMILY_IPV6, .bytes[15] = 1};
    fd = socket_bind(&endpoint, TRANSPORT_UDP, SOCKET_SERVE);
    assert_true(fd >= 0);
    assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
    assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    close(fd);
}

// What a socket for answers over UDP may hold, as this process may ask for it.
static void check_receive_buffer(void)
{
    struct endpoint endpoint = {{.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}}, 0};
    int wanted = SOCKET_RECEIVE_BUFFER_SIZE, usual = socket(AF_INET, SOCK_DGRAM, 0);
    bool allowed = setsockopt(usual, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) == 0;
    setsockopt(usual, SOL_SOCKET, SO_RCVBUF, &wanted, sizeof(wanted)); // as much as others may
    size_t granted = socket_receive_buffer_size(usual);
    int fd = socket_bind(&endpoint, TRANSPORT_UDP, SOCKET_SERVE);
    assert_true(fd >= 0);
    assert_int_equal(socket_receive_buffer_size(fd),
                     allowed ? (size_t)SOCKET_RECEIVE_BUFFER_SIZE : granted);
    close(usual);
    close(fd);
}

// As large as root may have it, and as others may.
static void test_receive_buffer(void **state)
{
    (void)state;
    check_receive_buffer();
    pid_t child = fork();
    if (child == 0) {
        if (setresuid(65534, 65534, 65534) == 0) { // else it is somebody else already
            check_receive_buffer();
        }
        _exit(0);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    assert_int_equal(status, 0);
}

// Of accepted connections too: a bound on what the kernel keeps for them, and no delay.
static void test_stream_options(void **state)
{
    (void)state;
    struct endpoint endpoint = {{.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}}, 0};
    int listener = socket_bind(&endpoint, TRANSPORT_TCP, SOCKET_SERVE);
    assert_true(listener >= 0);
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&endpoint.address, socket_port(listener), &to);
    int client_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client_fd, (struct sockaddr *)&to, size), 0);
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(option_of(fd, SOL_SOCKET, SO_SNDBUF),
                     2 * (128 << 10)); // the kernel's doubling
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    close(fd);
    close(client_fd);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chosen_ports),   cmocka_unit_test(test_port_taken),
        cmocka_unit_test(test_second_daemon),  cmocka_unit_test(test_restart),
        cmocka_unit_test(test_overlap),        cmocka_unit_test(test_no_such_address),
        cmocka_unit_test(test_families_apart), cmocka_unit_test(test_paths_are_not_believed),
        cmocka_unit_test(test_receive_buffer), cmocka_unit_test(test_stream_options),
    };
    return cmocka_run_group_tests_name("net/open", tests, NULL, NULL);
}
