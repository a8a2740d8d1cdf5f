// SPDX-License-Identifier: GPL-3.0-or-later
//
// The real prober, TCP and HTTP, against real servers on loopback.
#include "prober_bench.h"

#include <sys/resource.h>

#define OK_TEXT "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static int setup(void **state)
{
    (void)state;
    bench_open("127.0.0.0/8");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_close();
    return 0;
}

static struct check_spec tcp_spec(uint16_t port)
{
    struct check_spec spec = http_spec(port);
    spec.kind = CHECK_TCP;
    return spec;
}

// A port that refuses: bound, so that nobody else gets it, but not listening.
static int refusing_port(uint16_t *port)
{
    return listener(AF_INET, -1, port);
}

// A port that drops every SYN: its queue of connections is full and nobody accepts.
struct black_hole {
    int fd, fillers[4];
    uint16_t port;
};

static struct black_hole black_hole_open(void)
{
    struct black_hole hole;
    hole.fd = listener(AF_INET, 0, &hole.port);
    struct address address;
    struct sockaddr_storage at;
    address_parse("127.0.0.1", &address);
    socklen_t size = address_to_sockaddr(&address, hole.port, &at);
    for (size_t i = 0; i < ARRAY_SIZE(hole.fillers); i++) {
        hole.fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(hole.fillers[i], (struct sockaddr *)&at, size) != 0) {
            assert_int_equal(errno, EINPROGRESS);
        }
    }
    struct pollfd queue = {.fd = hole.fd, .events = POLLIN};
    assert_int_equal(poll(&queue, 1, 30000), 1); // from now on it is full
    return hole;
}

static void black_hole_close(const struct black_hole *hole)
{
    for (size_t i = 0; i < ARRAY_SIZE(hole->fillers); i++) {
        close(hole->fillers[i]);
    }
    close(hole->fd);
}

// --- TCP ---

static void tcp_connects(void **state)
{
    (void)state;
    struct server *server = server_start(HOLD, NULL);
    struct check_spec spec = tcp_spec(server->port);
    expect(&spec, PROBE_OK, "connected");
    assert_int_equal(server_stop(server), 1);
}

static void tcp_is_refused(void **state)
{
    (void)state;
    uint16_t port;
    int fd = refusing_port(&port);
    struct check_spec spec = tcp_spec(port);
    expect(&spec, PROBE_L4_REFUSED, "refused");
    close(fd);
}

static void black_holes_time_out_in_time(void **state)
{
    (void)state;
    struct black_hole hole = black_hole_open();
    struct check_spec tcp = tcp_spec(hole.port), http = http_spec(hole.port);
    expect_timeout(&tcp, PROBE_L4_TIMEOUT, "no connection");
    expect_timeout(&http, PROBE_L4_TIMEOUT, "no connection");
    tcp.timeout_ns = 200 * NS_PER_MS;
    struct outcome outcome = probe_address("127.0.0.1", &tcp);
    assert_true(outcome.seconds >= 0.19 && outcome.seconds < 30); // of the 60 that are usual here
    black_hole_close(&hole);
}

// The loop comes late to all of it: to the connection that was made in time, and to the end of that
// time.
static void a_late_look_is_no_timeout(void **state)
{
    (void)state;
    struct server *server = server_start(HOLD, NULL);
    struct check_spec spec = tcp_spec(server->port);
    spec.timeout_ns = 100 * NS_PER_MS;
    struct address address;
    struct check_view view;
    assert_true(address_parse("127.0.0.1", &address));
    int check = health_acquire(bench.health, &address, &spec);
    health_tick(bench.health);
    assert_true(health_view(bench.health, check, &view));
    poll(NULL, 0, 300);
    while (!health_settled(bench.health)) {
        bench_turn();
    }
    assert_true(health_view(bench.health, check, &view));
    assert_int_equal(view.last_reason, PROBE_OK);
    health_release(bench.health, check);
    server_stop(server);
}

static void both_families_are_probed(void **state)
{
    (void)state;
    bench_close();
    bench_open("::1/128");
    struct server *server = server_start_on(AF_INET6, ANSWER, OK_TEXT);
    struct check_spec tcp = tcp_spec(server->port), http = http_spec(server->port);
    char host[64];
    assert_int_equal(probe_address("::1", &tcp).result, PROBE_OK);
    assert_int_equal(probe_address("::1", &http).result, PROBE_OK);
    snprintf(host, sizeof(host), "Host: [::1]:%u\r\n", server->port);
    assert_non_null(strstr(server->request, host));
    http.host = "www.example.com";
    assert_int_equal(probe_address("::1", &http).result, PROBE_OK);
    assert_int_equal(server_stop(server), 3);
}

// --- the gate ---

static void denied_addresses_see_no_connection(void **state)
{
    (void)state;
    bench_close();
    bench_open("127.0.0.2/32");
    struct server *server = server_start(ANSWER, OK_TEXT);
    struct check_spec tcp = tcp_spec(server->port), http = http_spec(server->port);
    struct check_spec https = http;
    https.kind = CHECK_HTTPS;
    static const char *const inside[] = {"127.0.0.1", "::ffff:127.0.0.1", "::1", "0.0.0.0", "::"};
    for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
        struct outcome outcome = probe_address(inside[i], &tcp);
        assert_int_equal(outcome.result, PROBE_DENIED);
        assert_string_equal(outcome.detail, "address is not allowed by health.allow");
        assert_int_equal(probe_address(inside[i], &http).result, PROBE_DENIED);
        assert_int_equal(probe_address(inside[i], &https).result, PROBE_DENIED);
    }
    http.host = "127.0.0.2"; // the name says nothing about where the connection goes
    assert_int_equal(probe_address("127.0.0.1", &http).result, PROBE_DENIED);
    assert_int_equal(server_stop(server), 0);
}

// A limit of one descriptor, which is in use: whatever the server's thread closes meanwhile, no new
// one can be had. (A table filled up by hand has a hole as soon as that thread closes something.)
static void an_exhausted_process_blames_nobody(void **state)
{
    (void)state;
    struct server *server = server_start(ANSWER, OK_TEXT);
    struct check_spec tcp = tcp_spec(server->port), http = http_spec(server->port);
    expect(&http, PROBE_OK, "200"); // all that is made on first use is made
    struct rlimit all, one;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
    one = (struct rlimit){.rlim_cur = 1, .rlim_max = all.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &one), 0);
    int more = dup(STDIN_FILENO);
    struct outcome first = probe_address("127.0.0.1", &tcp);
    struct outcome second = probe_address("127.0.0.1", &http);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
    assert_int_equal(more, -1);
    assert_int_equal(first.result, PROBE_LOCAL_ERROR);
    assert_int_equal(second.result, PROBE_LOCAL_ERROR);
    expect(&http, PROBE_OK, "200");
    server_stop(server);
}

// --- HTTP ---

static void statuses_decide(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum probe_reason result;
        const char *detail;
    } rows[] = {
        {OK_TEXT, PROBE_OK, "HTTP 200"},
        {"HTTP/1.1 204 No Content\r\n\r\n", PROBE_OK, "HTTP 204"},
        {"HTTP/1.0 200 OK\r\n\r\nuntil the end", PROBE_OK, "HTTP 200"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", PROBE_OK, ""},
        {"HTTP/1.1 399 Odd\r\nContent-Length: 0\r\n\r\n", PROBE_OK, "HTTP 399"},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK_TEXT, PROBE_OK, "HTTP 200"},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", PROBE_L7_STATUS, "HTTP 404"},
        {"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", PROBE_L7_STATUS, "HTTP 503"},
        {"SSH-2.0-OpenSSH_9.2\r\n", PROBE_L7_INVALID, ""},
        {"", PROBE_L7_CLOSED, "before a response came"},
        {"HTTP/1.1 ", PROBE_L7_CLOSED, ""},
        {"HTTP/9.9 200 OK\r\n\r\n", PROBE_L7_INVALID, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", PROBE_L7_CLOSED, "complete"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", PROBE_L7_INVALID, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server *server = server_start(ANSWER, rows[i].text);
        struct check_spec spec = http_spec(server->port);
        expect(&spec, rows[i].result, rows[i].detail);
        assert_int_equal(server_stop(server), 1);
    }
}

static void bad_peers_have_their_names(void **state)
{
    (void)state;
    static const struct {
        enum manner manner;
        const char *text;
    } rows[] = {
        {HOLD, NULL},
        {DRIP, "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"},
        {DRIP, "HTTP/1.1 200 OK\r\nX-Slow: "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server *server = server_start(rows[i].manner, rows[i].text);
        struct check_spec spec = http_spec(server->port);
        expect_timeout(&spec, PROBE_L7_TIMEOUT, "no complete answer");
        server_stop(server);
    }
    uint16_t port;
    int fd = refusing_port(&port);
    struct check_spec spec = http_spec(port);
    expect(&spec, PROBE_L4_REFUSED, "refused");
    close(fd);
}

static void resets_are_told_by_what_came_before(void **state)
{
    (void)state;
    struct server *server = server_start(RESET, NULL);
    struct check_spec spec = http_spec(server->port);
    for (int i = 0; i < 50; i++) { // the reset may be there before the connection is noticed
        struct outcome outcome = probe_address("127.0.0.1", &spec);
        if (outcome.result != PROBE_L4_REFUSED && outcome.result != PROBE_L7_CLOSED) {
            fail_msg("%s (%s)", probe_reasons[outcome.result].name, outcome.detail);
        }
    }
    server_stop(server);
}

// More octets around the body than headers may have: they are none.
static void chunks_may_be_small(void **state)
{
    (void)state;
    enum { CHUNKS = 20000 };
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char chunk[] = "1\r\nb\r\n", end[] = "0\r\n\r\n";
    static char text[sizeof(head) + CHUNKS * (sizeof(chunk) - 1) + sizeof(end)];
    char *at = stpcpy(text, head);
    for (size_t i = 0; i < CHUNKS; i++) {
        at = stpcpy(at, chunk);
    }
    stpcpy(at, end);
    struct server *server = server_start(ANSWER, text);
    struct check_spec spec = http_spec(server->port);
    spec.limit = CHUNKS;
    expect(&spec, PROBE_OK, "HTTP 200");
    assert_int_equal(server_stop(server), 1);
}

// Without their bounds all of these would go on until the deadline.
static void what_is_read_is_bounded(void **state)
{
    (void)state;
    static char body[70000] = "HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n";
    memset(body + strlen(body), 'b', 60000);
    static const struct {
        enum manner manner;
        const char *text;
        enum probe_reason result;
    } rows[] = {
        {ENDLESS, body, PROBE_OK},
        {DRIP, body, PROBE_OK}, // 4 KiB were there: enough
        {ENDLESS, "HTTP/1.1 100 Continue\r\nX-Filler: 0123456789\r\n\r\n", PROBE_L7_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct server *server = server_start(rows[i].manner, rows[i].text);
        struct check_spec spec = http_spec(server->port);
        struct outcome outcome = probe_address("127.0.0.1", &spec);
        if (outcome.result != rows[i].result || outcome.seconds > 30) {
            fail_msg("row %zu: %s %s after %.1f s", i, probe_reasons[outcome.result].name,
                     outcome.detail, outcome.seconds);
        }
        server_stop(server);
    }
}

static void redirects_are_not_followed(void **state)
{
    (void)state;
    char text[200];
    struct server *canary = server_start(ANSWER, OK_TEXT);
    snprintf(text, sizeof(text),
             "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/\r\nContent-Length: 0\r\n\r\n",
             canary->port);
    struct server *server = server_start(ANSWER, text);
    struct check_spec spec = http_spec(server->port);
    expect(&spec, PROBE_OK, "HTTP 302");
    assert_int_equal(server_stop(server), 1);
    assert_int_equal(server_stop(canary), 0);
}

static void proxies_are_not_used(void **state)
{
    (void)state;
    char proxy[64];
    struct server *canary = server_start(ANSWER, OK_TEXT);
    struct server *server = server_start(ANSWER, OK_TEXT);
    snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", canary->port);
    setenv("http_proxy", proxy, 1);
    setenv("ALL_PROXY", proxy, 1);
    struct check_spec spec = http_spec(server->port);
    spec.host = "www.example.com";
    expect(&spec, PROBE_OK, "HTTP 200");
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(server_stop(server), 1);
    assert_int_equal(server_stop(canary), 0);
}

static void the_request_is_what_the_definition_says(void **state)
{
    (void)state;
    char host[64];
    struct server *server = server_start(ANSWER, OK_TEXT);
    struct check_spec spec = http_spec(server->port);
    spec.host = "www.example.com";
    spec.path = "/a/../healthz?deep=1&x=%20";
    expect(&spec, PROBE_OK, "HTTP 200");
    const char *request = server->request;
    assert_ptr_equal(strstr(request, "GET /a/../healthz?deep=1&x=%20 HTTP/1.1\r\n"), request);
    snprintf(host, sizeof(host), "\r\nHost: www.example.com:%u\r\n", server->port);
    assert_non_null(strstr(request, host));
    assert_non_null(strstr(request, "\r\nConnection: close\r\n"));
    assert_non_null(strstr(request, "\r\nUser-Agent: signpost/"));
    spec.host = NULL;
    spec.path = NULL;
    expect(&spec, PROBE_OK, "HTTP 200");
    assert_ptr_equal(strstr(request, "GET / HTTP/1.1\r\n"), request);
    snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", server->port);
    assert_non_null(strstr(request, host));
    server_stop(server);
}

static void requests_cannot_be_bent(void **state)
{
    (void)state;
    static const char *const hosts[] = {"a\r\nX: y", "user@host", "host/path", "host:80",
                                        "a b",       "[::1]",     "a#b",       "\xc3\xa4.example"};
    static const char *const paths[] = {"",     "x",     "/ HTTP/1.1\r\nX: y", "/\n",
                                        "/a b", "/\x7f", "@127.0.0.1/",        "/\xc3\xa4"};
    struct server *server = server_start(ANSWER, OK_TEXT);
    for (size_t i = 0; i < ARRAY_SIZE(hosts) + ARRAY_SIZE(paths); i++) {
        struct check_spec spec = http_spec(server->port);
        if (i < ARRAY_SIZE(hosts)) {
            spec.host = hosts[i];
        } else {
            spec.path = paths[i - ARRAY_SIZE(hosts)];
        }
        expect(&spec, PROBE_LOCAL_ERROR, "cannot be sent");
    }
    assert_int_equal(server_stop(server), 0);
}

// --- many ---

static void each_probe_has_a_fresh_connection(void **state)
{
    (void)state;
    struct server *server = server_start(ANSWER, OK_TEXT);
    struct check_spec spec = http_spec(server->port);
    spec.interval_ns = 20 * NS_PER_MS;
    struct address address;
    address_parse("127.0.0.1", &address);
    int check = health_acquire(bench.health, &address, &spec);
    struct check_view view = {0};
    while (view.probe_count < 10) {
        bench_turn();
        health_view(bench.health, check, &view);
    }
    assert_int_equal(view.state, CHECK_UP);
    assert_int_equal(view.failure_count, 0);
    health_release(bench.health, check);
    assert_in_range(server_stop(server), 9, 10);
}

static void many_probes_run_at_once(void **state)
{
    (void)state;
    enum { CHECKS = 200 };
    struct server *server = server_start(ANSWER, OK_TEXT);
    struct address address;
    address_parse("127.0.0.1", &address);
    for (int i = 0; i < CHECKS; i++) {
        char path[16];
        snprintf(path, sizeof(path), "/%d", i);
        struct check_spec http = http_spec(server->port);
        http.path = path;
        struct check_spec tcp = tcp_spec(server->port);
        tcp.fall += (unsigned)i; // a definition of its own
        health_acquire(bench.health, &address, &http);
        health_acquire(bench.health, &address, &tcp);
    }
    while (!health_settled(bench.health)) {
        bench_turn();
    }
    for (int i = 0; i < 2 * CHECKS; i++) {
        struct check_view view;
        assert_true(health_view(bench.health, i, &view));
        assert_int_equal(view.last_reason, PROBE_OK);
    }
    assert_int_equal(server_stop(server), 2 * CHECKS);
}

static void probes_under_way_can_be_cancelled(void **state)
{
    (void)state;
    struct server *server = server_start(HOLD, NULL);
    struct black_hole hole = black_hole_open();
    struct address address;
    address_parse("127.0.0.1", &address);
    int checks[4 * 20];
    for (unsigned i = 0; i < ARRAY_SIZE(checks); i++) {
        struct check_spec spec = i % 2 ? tcp_spec(hole.port) : http_spec(server->port);
        spec.port = i % 4 < 2 ? spec.port : hole.port;
        spec.kind = i % 8 == 0 ? CHECK_HTTPS : spec.kind;
        spec.fall += i;
        checks[i] = health_acquire(bench.health, &address, &spec);
    }
    for (int i = 0; i < 10; i++) {
        bench_turn();
    }
    for (size_t i = 0; i < ARRAY_SIZE(checks); i += 3) {
        health_release(bench.health, checks[i]);
    }
    bench_turn();
    for (size_t i = 1; i < ARRAY_SIZE(checks); i += 3) { // the rest end with the registry
        health_release(bench.health, checks[i]);
    }
    bench_close();
    black_hole_close(&hole);
    server_stop(server);
    bench_open(NULL);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(tcp_connects),
        LOOP_TEST(tcp_is_refused),
        LOOP_TEST(black_holes_time_out_in_time),
        LOOP_TEST(a_late_look_is_no_timeout),
        LOOP_TEST(both_families_are_probed),
        LOOP_TEST(denied_addresses_see_no_connection),
        LOOP_TEST(an_exhausted_process_blames_nobody),
        LOOP_TEST(statuses_decide),
        LOOP_TEST(bad_peers_have_their_names),
        LOOP_TEST(resets_are_told_by_what_came_before),
        LOOP_TEST(chunks_may_be_small),
        LOOP_TEST(what_is_read_is_bounded),
        LOOP_TEST(redirects_are_not_followed),
        LOOP_TEST(proxies_are_not_used),
        LOOP_TEST(the_request_is_what_the_definition_says),
        LOOP_TEST(requests_cannot_be_bent),
        LOOP_TEST(each_probe_has_a_fresh_connection),
        LOOP_TEST(many_probes_run_at_once),
        LOOP_TEST(probes_under_way_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
