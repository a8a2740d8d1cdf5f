// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the tests of the real prober share: a loop with a registry and a prober on it, and small
// servers on loopback, each a thread that treats every connection in one way.
#pragma once

#include "base/memory.h"
#include "health/health.h"
#include "probe/prober_uv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

// --- servers ---

enum manner {
    ANSWER,  // reads a request, sends `text`, closes
    HOLD,    // never says anything
    RESET,   // accepts and resets
    DRIP,    // sends `text`, then a byte every 20 ms
    ENDLESS, // sends `text` again and again
};

struct server {
    enum manner manner;
    const char *text;
    int fd;
    uint16_t port;
    pthread_t thread;
    atomic_int connections;
    atomic_bool stopping;
    char request[4096]; // the last; read it after the probe has ended with an answer
};

// Waits until the peer speaks or leaves; false when it has left or the test ends.
static bool server_wait(struct server *server, int fd, char *text, size_t size)
{
    for (;;) {
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        if (atomic_load(&server->stopping)) {
            return false;
        }
        if (poll(&poller, 1, 20) == 1) {
            ssize_t got = recv(fd, text, size - 1, 0);
            text[MAX(got, 0)] = '\0';
            return got > 0;
        }
    }
}

static void server_serve(struct server *server, int fd)
{
    static const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    char rest[256];
    switch (server->manner) {
    case HOLD:
        while (server_wait(server, fd, rest, sizeof(rest))) {
        }
        break;
    case RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        break;
    default:
        if (!server_wait(server, fd, server->request, sizeof(server->request))) {
            break;
        }
        bool alive = send(fd, server->text, strlen(server->text), MSG_NOSIGNAL) >= 0;
        while (server->manner == DRIP && alive && !atomic_load(&server->stopping)) {
            usleep(20000);
            alive = send(fd, "x", 1, MSG_NOSIGNAL) == 1;
        }
        while (server->manner == ENDLESS && alive && !atomic_load(&server->stopping)) {
            alive = send(fd, server->text, strlen(server->text), MSG_NOSIGNAL) >= 0;
        }
        shutdown(fd, SHUT_WR);
        while (alive && server_wait(server, fd, rest, sizeof(rest))) {
        }
    }
    close(fd);
}

// Ends when the test wants it to and nobody is left in the queue, so that the count is whole.
static void *server_main(void *data)
{
    struct server *server = data;
    for (;;) {
        bool last = atomic_load(&server->stopping);
        struct pollfd poller = {.fd = server->fd, .events = POLLIN};
        poll(&poller, 1, last ? 0 : 20);
        int fd = accept(server->fd, NULL, NULL);
        if (fd >= 0) {
            atomic_fetch_add(&server->connections, 1);
            server_serve(server, fd);
        } else if (last) {
            return NULL;
        }
    }
}

// A bound socket on loopback; it listens when backlog >= 0.
static int listener(int family, int backlog, uint16_t *port)
{
    struct sockaddr_storage at = {.ss_family = (sa_family_t)family};
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (family == AF_INET) {
        ((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        ((struct sockaddr_in6 *)&at)->sin6_addr = in6addr_loopback;
    }
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    assert_true(backlog < 0 || listen(fd, backlog) == 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    struct address address;
    assert_true(address_from_sockaddr((struct sockaddr *)&at, &address, port));
    return fd;
}

static struct server *server_start_on(int family, enum manner manner, const char *text)
{
    struct server *server = mem_alloc(sizeof(*server));
    server->manner = manner;
    server->text = text;
    server->fd = listener(family, 512, &server->port);
    fcntl(server->fd, F_SETFL, O_NONBLOCK);
    assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
    return server;
}

static inline struct server *server_start(enum manner manner, const char *text)
{
    return server_start_on(AF_INET, manner, text);
}

// Returns how many connections it had.
static int server_stop(struct server *server)
{
    atomic_store(&server->stopping, true);
    pthread_join(server->thread, NULL);
    int connections = atomic_load(&server->connections);
    close(server->fd);
    free(server);
    return connections;
}

// --- the loop ---

static struct bench {
    uv_loop_t loop;
    struct prober_uv *prober;
    struct health *health;
} bench;

static void bench_changed(void *context, int check)
{
    (void)context;
    (void)check;
}

static void bench_ended(void *context, struct probe *probe, const struct probe_result *result)
{
    (void)context;
    health_probe_done(bench.health, probe, result);
}

static void bench_open(const char *allow)
{
    struct prefix prefix = {0};
    assert_true(allow == NULL || prefix_parse(allow, &prefix, NULL));
    assert_int_equal(uv_loop_init(&bench.loop), 0);
    const struct prober_options options = {.allow = &prefix, .allow_count = allow != NULL};
    bench.prober = prober_uv_new(&bench.loop, &options);
    bench.health =
        health_new(clock_system(), prober_uv_prober(bench.prober), 1, bench_changed, NULL);
    prober_uv_report(bench.prober, bench_ended, NULL);
}

static void bench_close(void)
{
    health_free(bench.health);
    prober_uv_free(bench.prober);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&bench.loop), 0); // fails when a handle was left open
}

static void wake(uv_timer_t *timer)
{
    (void)timer;
}

// One turn: starts what is due, sleeps until the next thing happens.
static void bench_turn(void)
{
    int64_t now = clock_monotonic_ns(clock_system());
    int64_t due = MIN(health_tick(bench.health), now + NS_PER_SECOND / 10);
    uv_timer_t timer;
    uv_timer_init(&bench.loop, &timer);
    uv_timer_start(&timer, wake, (uint64_t)MAX((due - now) / NS_PER_MS, 0) + 1, 0);
    uv_run(&bench.loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&bench.loop, UV_RUN_NOWAIT);
}

static inline struct check_spec http_spec(uint16_t port)
{
    return (struct check_spec){.kind = CHECK_HTTP,
                               .port = port,
                               .path = "/",
                               .verify = true,
                               .interval_ns = 60 * NS_PER_SECOND,
                               .timeout_ns = 60 * NS_PER_SECOND,
                               .rise = 1,
                               .fall = 1};
}

struct outcome {
    enum probe_reason result;
    char detail[160];
    double seconds;
    bool has_certificate;
    int32_t certificate_days;
};

static struct outcome probe_address(const char *text, const struct check_spec *spec)
{
    struct address address;
    struct check_view view;
    assert_true(address_parse(text, &address));
    int check = health_acquire(bench.health, &address, spec);
    while (!health_settled(bench.health)) {
        bench_turn();
    }
    assert_true(health_view(bench.health, check, &view));
    struct outcome outcome = {.result = view.last_reason,
                              .seconds = (double)view.last_latency_ns / NS_PER_SECOND,
                              .has_certificate = view.has_certificate,
                              .certificate_days = view.certificate_days};
    snprintf(outcome.detail, sizeof(outcome.detail), "%s", view.last_detail);
    health_release(bench.health, check);
    return outcome;
}

static void expect(const struct check_spec *spec, enum probe_reason result, const char *detail)
{
    struct outcome outcome = probe_address("127.0.0.1", spec);
    if (outcome.result != result || strstr(outcome.detail, detail) == NULL) {
        fail_msg("expected %s (%s), got %s (%s)", probe_reasons[result].name, detail,
                 probe_reasons[outcome.result].name, outcome.detail);
    }
}

// A probe that must run out of time, in the way that `result` says. The time is short, and longer
// when this process itself was late: whose time is over when it looks has seen nothing of the peer.
static inline void expect_timeout(const struct check_spec *spec, enum probe_reason result,
                                  const char *detail)
{
    struct check_spec timed = *spec;
    struct outcome outcome;
    int64_t timeout_ms = 300;
    do {
        timed.timeout_ns = timeout_ms * NS_PER_MS;
        outcome = probe_address("127.0.0.1", &timed);
        timeout_ms *= 2;
    } while (outcome.result == PROBE_L4_TIMEOUT && result != PROBE_L4_TIMEOUT &&
             timed.timeout_ns < 10 * NS_PER_SECOND);
    char within[64];
    snprintf(within, sizeof(within), "%s within %lld ms", detail,
             (long long)(timed.timeout_ns / NS_PER_MS));
    if (outcome.result != result || strstr(outcome.detail, within) == NULL) {
        fail_msg("expected %s (%s), got %s (%s)", probe_reasons[result].name, within,
                 probe_reasons[outcome.result].name, outcome.detail);
    }
}
