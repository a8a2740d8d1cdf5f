// SPDX-License-Identifier: GPL-3.0-or-later
//
// The real prober: attempts, the gate that every socket passes, and TCP probes. HTTP is in
// prober_http.c.
//
// Owned by server/, driven by the registry (start, cancel) and by the loop, all on the loop's
// thread. Guarantees: exactly one health_probe_done for each start that was not cancelled, never
// from inside start; no connection that attempt_socket did not let pass; nothing of an attempt is
// touched by the loop after its end but the closing of its handles, which free it.
#include "health/prober_parts.h"

#include "base/memory.h"
#include "health/target.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void verdict_of_errno(struct probe_result *verdict, int error)
{
    enum probe_reason reason;
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
        reason = PROBE_L4_REFUSED;
        break;
    case ETIMEDOUT:
        reason = PROBE_L4_TIMEOUT;
        break;
    case EMFILE: // the rest: it is this machine that has run out, or forbids it
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN: // no route cache entry or no local port left
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EPERM:
        reason = PROBE_LOCAL_ERROR;
        break;
    default:
        reason = PROBE_L4_ERROR;
    }
    probe_result_set(verdict, reason, "%s", strerror(error));
}

uint64_t timeout_ms(const struct check_spec *spec)
{
    return (uint64_t)((spec->timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
}

// --- attempts ---

void prober_handle_closed(struct prober_uv *prober)
{
    prober->handle_count--;
    if (prober->closing && prober->handle_count == 0) {
        free(prober->allow);
        free(prober->system_anchors);
        curl_slist_free_all(prober->headers);
        free(prober);
        curl_global_cleanup();
    }
}

static void attempt_handle_closed(uv_handle_t *handle)
{
    struct attempt *attempt = handle->data;
    struct prober_uv *prober = attempt->prober;
    attempt->handle_count--;
    if (attempt->handle_count == 0) {
        free(attempt);
    }
    prober_handle_closed(prober);
}

static void handle_open(struct attempt *attempt, uv_handle_t *handle)
{
    handle->data = attempt;
    attempt->handle_count++;
    attempt->prober->handle_count++;
}

// Gives back what the attempt holds; its memory goes with the last of its uv handles.
static void attempt_forget(struct attempt *attempt)
{
    http_forget(attempt);
    attempt->probe->state = NULL;
    attempt->probe = NULL;
    if (attempt->has_poll) {
        uv_close((uv_handle_t *)&attempt->poll, attempt_handle_closed);
    }
    if (attempt->fd >= 0) { // after uv_close, which stopped the polling at once
        close(attempt->fd);
    }
    if (attempt->has_timer) {
        uv_close((uv_handle_t *)&attempt->timer, attempt_handle_closed);
    }
    if (attempt->handle_count == 0) {
        free(attempt);
    }
}

void attempt_end(struct attempt *attempt, const struct probe_result *verdict)
{
    struct probe_result copy = *verdict; // it may lie inside the attempt
    struct health *health = attempt->prober->health;
    struct probe *probe = attempt->probe;
    attempt_forget(attempt);
    health_probe_done(health, probe, &copy);
}

static void attempt_timer(struct attempt *attempt, uv_timer_cb callback, uint64_t delay_ms)
{
    if (!attempt->has_timer) {
        uv_timer_init(attempt->prober->loop, &attempt->timer);
        handle_open(attempt, (uv_handle_t *)&attempt->timer);
        attempt->has_timer = true;
    }
    uv_timer_start(&attempt->timer, callback, delay_ms, 0);
}

static void end_refused(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    attempt_end(attempt, &attempt->refusal);
}

void attempt_end_soon(struct attempt *attempt)
{
    attempt_timer(attempt, end_refused, 0);
}

int attempt_socket(struct attempt *attempt, const struct sockaddr *to)
{
    struct prober_uv *prober = attempt->prober;
    struct address address;
    uint16_t port;
    if (!address_from_sockaddr(to, &address, &port) || !address_equal(&address, &attempt->target) ||
        port != attempt->spec->port ||
        target_denied(&address, prober->allow, prober->allow_count)) {
        probe_result_set(&attempt->refusal, PROBE_DENIED, "address is not allowed by health.allow");
        return -1;
    }
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        verdict_of_errno(&attempt->refusal, errno);
        attempt->refusal.reason = PROBE_LOCAL_ERROR;
    }
    return fd;
}

// --- TCP ---

// A connection to a local port that nobody listens on may, by chance, meet itself.
static bool connected_to_itself(int fd)
{
    struct sockaddr_storage own = {0}, peer = {0};
    socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
    return getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 && own_size == peer_size &&
           memcmp(&own, &peer, own_size) == 0;
}

static void tcp_end(struct attempt *attempt)
{
    struct probe_result verdict;
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error == 0 && connected_to_itself(attempt->fd)) {
        error = ECONNREFUSED;
    }
    if (error) {
        verdict_of_errno(&verdict, error);
    } else {
        probe_result_set(&verdict, PROBE_OK, "connected");
    }
    attempt_end(attempt, &verdict);
}

static void tcp_ready(uv_poll_t *poll, int status, int events)
{
    (void)status; // the socket knows better
    (void)events;
    tcp_end(poll->data);
}

static void tcp_timeout(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    struct probe_result verdict;
    probe_result_set(&verdict, PROBE_L4_TIMEOUT, "no connection within %llu ms",
                     (unsigned long long)timeout_ms(attempt->spec));
    attempt_end(attempt, &verdict);
}

// False with the refusal set when there is nothing to wait for.
static bool tcp_connect(struct attempt *attempt)
{
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&attempt->target, attempt->spec->port, &to);
    attempt->fd = attempt_socket(attempt, (const struct sockaddr *)&to);
    if (attempt->fd < 0) {
        return false;
    }
    int status = connect(attempt->fd, (const struct sockaddr *)&to, size);
    if (status != 0 && errno != EINPROGRESS) {
        verdict_of_errno(&attempt->refusal, errno);
        return false;
    }
    int error = uv_poll_init(attempt->prober->loop, &attempt->poll, attempt->fd);
    if (error) {
        probe_result_set(&attempt->refusal, PROBE_LOCAL_ERROR, "%s", uv_strerror(error));
        return false;
    }
    handle_open(attempt, (uv_handle_t *)&attempt->poll);
    attempt->has_poll = true;
    uv_poll_start(&attempt->poll, UV_WRITABLE, tcp_ready);
    return true;
}

static void tcp_start(struct attempt *attempt)
{
    if (tcp_connect(attempt)) {
        attempt_timer(attempt, tcp_timeout, timeout_ms(attempt->spec));
    } else {
        attempt_end_soon(attempt);
    }
}

// --- the seam (health/health.h, struct prober) ---

static void start(void *state, struct probe *probe, const struct address *target,
                  const struct check_spec *spec)
{
    struct prober_uv *prober = state;
    SP_ASSERT(prober->health != NULL && !prober->closing);
    struct attempt *attempt = mem_alloc(sizeof(*attempt));
    attempt->prober = prober;
    attempt->probe = probe;
    attempt->spec = spec;
    attempt->target = *target;
    attempt->fd = -1;
    probe->state = attempt;
    uv_update_time(prober->loop); // deadlines count from now, not from the loop's last turn
    switch (spec->kind) {
    case CHECK_TCP:
        tcp_start(attempt);
        break;
    case CHECK_HTTP:
    case CHECK_HTTPS:
        http_start(attempt);
        break;
    default:
        SP_ASSERT(!"a check of a kind that has no prober");
    }
}

static void cancel(void *state, struct probe *probe)
{
    (void)state;
    attempt_forget(probe->state);
}

struct prober_uv *prober_uv_new(uv_loop_t *loop, const struct prefix *allow, size_t allow_count)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct prober_uv *prober = mem_alloc(sizeof(*prober));
    prober->prober = (struct prober){start, cancel, NULL, prober};
    prober->loop = loop;
    prober->allow = mem_alloc_array(MAX(allow_count, 1U), sizeof(*allow));
    prober->allow_count = allow_count;
    for (size_t i = 0; i < allow_count; i++) {
        prober->allow[i] = allow[i];
    }
    http_open(prober);
    return prober;
}

void prober_uv_attach(struct prober_uv *prober, struct health *health)
{
    prober->health = health;
}

const struct prober *prober_uv_prober(const struct prober_uv *prober)
{
    return &prober->prober;
}

void prober_uv_free(struct prober_uv *prober)
{
    if (prober == NULL) {
        return;
    }
    prober->closing = true;
    http_close(prober); // its timers are handles: the last to close releases the prober
}
