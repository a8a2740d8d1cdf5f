// SPDX-License-Identifier: GPL-3.0-or-later
//
// Probes over a connection: connect, TLS if the kind has it, then the dialog of the kind.
//
// One attempt is one connection at a time (a redirect makes the next). The deadline of the probe
// holds for all of it, and the layer that was under way when it passed names the reason.
#include "probe/prober_parts.h"

#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_SIZE = 16384, READS_PER_TURN = 4 };

static void stream_ready(struct attempt *attempt, bool failed);

// --- ends ---

static void stream_forget(struct attempt *attempt)
{
    if (attempt->link.ssl) {
        tls_link_close(&attempt->link);
    }
    tls_memory_clear(&attempt->scratch);
    dialog_forget(&attempt->dialog);
    free(attempt->authority);
}

// Whether all that is wanted is a connection: nothing is said, and nothing heard.
static bool is_connect_only(const struct attempt *attempt)
{
    return attempt->recipe.spec->kind == CHECK_TCP && attempt->recipe.send.count == 0 &&
           !recipe_expects(&attempt->recipe);
}

// A connection over which nothing was said is given up by a reset: there is nothing to wait for,
// and a port in TIME_WAIT for each probe of the last minute would be many.
static void stream_give_up(struct attempt *attempt)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(attempt->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

// The verdict is in attempt->result.
static void stream_end(struct attempt *attempt)
{
    bool good = attempt->result.reason == PROBE_OK;
    if (good && is_connect_only(attempt)) {
        stream_give_up(attempt);
    }
    if (attempt->link.ssl && attempt->phase == PHASE_TALK) {
        tls_remember(&attempt->link, good);
    } else if (attempt->link.ssl) {
        tls_remember(&attempt->link, false);
    }
    if (good && attempt->result.warning) {
        size_t used = strlen(attempt->result.detail);
        snprintf(attempt->result.detail + used, sizeof(attempt->result.detail) - used,
                 ", the certificate ends in %d days", (int)attempt->result.certificate_days);
    }
    attempt_end(attempt);
}

static void stream_timeout(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    const struct check_spec *spec = attempt->recipe.spec;
    static const enum probe_reason reasons[] = {
        [PHASE_CONNECT] = PROBE_L4_TIMEOUT,
        [PHASE_SHAKE] = PROBE_L6_TIMEOUT,
        [PHASE_TALK] = PROBE_L7_TIMEOUT,
    };
    const char *missing = attempt->phase == PHASE_CONNECT ? "connection"
                          : attempt->phase == PHASE_SHAKE ? "TLS handshake"
                                                          : attempt->dialog.kind->missing;
    probe_result_set(&attempt->result, reasons[attempt->phase], "no %s within %llu ms", missing,
                     (unsigned long long)timeout_ms(spec));
    stream_end(attempt);
}

static void connection_broke(struct attempt *attempt, int error)
{
    if (attempt->tls && attempt->phase == PHASE_TALK &&
        tls_complaint(&attempt->result)) { // TLS 1.3 may refuse us after the handshake
        stream_end(attempt);
        return;
    }
    if (attempt->phase == PHASE_TALK && (error == ECONNRESET || error == EPIPE || error == 0)) {
        probe_result_set(&attempt->result, PROBE_L7_CLOSED, "the connection was reset");
    } else {
        gate_errno(&attempt->result, error ? error : ECONNRESET);
    }
    stream_end(attempt);
}

// --- connecting ---

// A connection to a local port that nobody listens on may, by chance, meet itself: its own end is
// then where it went to.
static bool stream_met_itself(int fd, const struct address *target, uint16_t port)
{
    struct sockaddr_storage own;
    socklen_t size = sizeof(own);
    struct address here;
    uint16_t here_port;
    return getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
           address_from_sockaddr((struct sockaddr *)&own, &here, &here_port) && here_port == port &&
           address_equal(&here, target);
}

// False with the result set.
static bool stream_connect(struct attempt *attempt)
{
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&attempt->target, attempt->port, &to);
    attempt->phase = PHASE_CONNECT;
    attempt->sent = 0;
    attempt->layer_ns = attempt_now();
    attempt->fd = gate_connect(&attempt->prober->gate, SOCK_STREAM, (const struct sockaddr *)&to,
                               size, &attempt->result);
    return attempt->fd >= 0 && attempt_watch(attempt, EPOLLOUT, stream_ready);
}

static void authority_write(struct attempt *attempt)
{
    const char *host = attempt->name ? attempt->name : attempt->recipe.spec->host;
    unsigned usual = attempt->tls ? 443 : 80;
    char literal[ADDRESS_TEXT_MAX];
    struct address address;
    if (host == NULL || attempt->redirect_count > 0) {
        host = attempt->name ? attempt->name : address_format(&attempt->target, literal);
    }
    bool brackets = address_parse(host, &address) && address.family == FAMILY_IPV6;
    char port[8] = "";
    if (attempt->port != usual) {
        snprintf(port, sizeof(port), ":%u", attempt->port);
    }
    if (attempt->authority == NULL) {
        attempt->authority = mem_alloc(AUTHORITY_MAX);
    }
    snprintf(attempt->authority, AUTHORITY_MAX, "%s%.255s%s%s", brackets ? "[" : "", host,
             brackets ? "]" : "", port);
}

static void stream_start(struct attempt *attempt)
{
    const struct check_spec *spec = attempt->recipe.spec;
    struct address literal;
    attempt->tls = spec->kind == CHECK_HTTPS || spec->kind == CHECK_TLS ||
                   (spec->kind == CHECK_GRPC && spec->tls);
    attempt->name = spec->host && !address_parse(spec->host, &literal) ? spec->host : NULL;
    if (stream_connect(attempt)) {
        attempt_deadline(attempt, stream_timeout);
    } else {
        attempt_end_soon(attempt);
    }
}

// --- redirects ---

// "https://192.0.2.1:8443/path" or "/path" into the attempt; false when it is not followed: another
// scheme, another name (names are not resolved), or not a URL.
static bool redirect_read(struct attempt *attempt, const char *location)
{
    const char *path = location, *unused;
    if (location[0] != '/' || location[1] == '/') {
        const char *scheme = attempt->tls ? "https://" : "http://";
        if (strncmp(location, scheme, strlen(scheme)) != 0) {
            return false;
        }
        const char *host = location + strlen(scheme);
        size_t size = strcspn(host, "/?#");
        char text[AUTHORITY_MAX], with_port[AUTHORITY_MAX + 8];
        struct address address;
        uint16_t port;
        if (size == 0 || size >= sizeof(text)) {
            return false;
        }
        memcpy(text, host, size);
        text[size] = '\0';
        path = host[size] == '/' ? host + size : "/";
        snprintf(with_port, sizeof(with_port), "%s:%s", text, attempt->tls ? "443" : "80");
        if (endpoint_parse(text, false, &address, &port) ||
            endpoint_parse(with_port, false, &address, &port)) {
            attempt->target = address;
            attempt->port = port;
            attempt->name = NULL;
        } else if (strcasecmp(text, attempt->authority) != 0) {
            return false;
        }
    }
    char *copy = mem_strdup(path);
    copy[strcspn(copy, "#")] = '\0';
    free(attempt->redirect_path);
    attempt->redirect_path = copy;
    return check_path(copy, &unused);
}

// True when the probe goes on elsewhere.
static bool stream_redirect(struct attempt *attempt)
{
    const struct check_spec *spec = attempt->recipe.spec;
    const char *location = attempt->dialog.location;
    if (location == NULL || attempt->redirect_count >= spec->redirects) {
        return false;
    }
    attempt->redirect_count++;
    if (!redirect_read(attempt, location)) {
        probe_result_set(&attempt->result, PROBE_L7_STATUS,
                         "the redirect leads to a name, not to an address: not followed");
        return false;
    }
    dialog_forget(&attempt->dialog);
    attempt->dialog = (struct dialog){0};
    if (attempt->link.ssl) {
        tls_remember(&attempt->link, true);
        tls_link_close(&attempt->link);
    }
    attempt_unwatch(attempt);
    return true;
}

// --- talking ---

static void talk_turn(struct attempt *attempt);

static void talk_begin(struct attempt *attempt)
{
    const struct check_spec *spec = attempt->recipe.spec;
    attempt->phase = PHASE_TALK;
    attempt->dialog.kind = dialog_kind_of(spec);
    if (attempt->dialog.kind == NULL) { // tls: the handshake was all
        probe_result_set(&attempt->result, PROBE_OK, "%s", SSL_get_version(attempt->link.ssl));
        stream_end(attempt);
        return;
    }
    if (!is_connect_only(attempt)) {
        authority_write(attempt);
    }
    attempt->dialog.recipe = &attempt->recipe;
    attempt->dialog.result = &attempt->result;
    attempt->dialog.authority = attempt->authority;
    attempt->dialog.path = attempt->redirect_path ? attempt->redirect_path
                           : spec->path           ? spec->path
                                                  : "/";
    dialog_begin(&attempt->dialog);
    talk_turn(attempt);
}

// Sends what the dialog has to say. False when the connection broke, or has to be waited for with
// *events set.
static bool talk_send(struct attempt *attempt, unsigned *events, bool *broke)
{
    struct octets *out = &attempt->dialog.out;
    while (attempt->sent < out->count) {
        const uint8_t *at = out->at + attempt->sent;
        size_t count = out->count - attempt->sent;
        enum tls_step step = TLS_FAILED;
        ssize_t put;
        if (attempt->tls) {
            put = tls_write(&attempt->link, at, count, &step);
        } else {
            put = send(attempt->fd, at, count, MSG_NOSIGNAL);
            step = put < 0 && errno == EAGAIN ? TLS_WANTS_WRITE : TLS_FAILED;
        }
        if (put < 0) {
            *broke = step == TLS_FAILED;
            *events |= step == TLS_WANTS_WRITE ? EPOLLOUT : EPOLLIN;
            return false;
        }
        attempt->sent += (size_t)put;
    }
    return true;
}

enum got { GOT_OCTETS, GOT_NOTHING, GOT_END, GOT_ERROR };

static enum got talk_read(struct attempt *attempt, uint8_t *octets, size_t room, size_t *count,
                          unsigned *events)
{
    enum tls_step step = TLS_FAILED;
    ssize_t got;
    if (attempt->tls) {
        got = tls_read(&attempt->link, octets, room, &step);
    } else {
        got = recv(attempt->fd, octets, room, 0);
        step = got < 0 && errno == EAGAIN ? TLS_WANTS_READ : TLS_FAILED;
    }
    *count = got > 0 ? (size_t)got : 0;
    if (got < 0) {
        *events |= step == TLS_WANTS_WRITE ? EPOLLOUT : EPOLLIN;
        return step == TLS_FAILED ? GOT_ERROR : GOT_NOTHING;
    }
    return got == 0 ? GOT_END : GOT_OCTETS;
}

// A target that sends its probes where they may not go is bad, which "denied" alone would not say.
static void redirect_failed(struct attempt *attempt)
{
    if (attempt->result.reason == PROBE_DENIED) {
        probe_result_set(&attempt->result, PROBE_L7_STATUS,
                         "the redirect leads to an address that may not be probed");
    }
    attempt_end(attempt);
}

// The dialog has its verdict: the last words (QUIT) are sent if they can be, and not waited for.
static void talk_end(struct attempt *attempt)
{
    unsigned events = 0;
    bool broke = false;
    if (stream_redirect(attempt)) {
        if (!stream_connect(attempt)) {
            redirect_failed(attempt);
        }
        return;
    }
    talk_send(attempt, &events, &broke);
    stream_end(attempt);
}

static void talk_turn(struct attempt *attempt)
{
    struct dialog *dialog = &attempt->dialog;
    uint8_t octets[READ_SIZE];
    unsigned events = EPOLLIN;
    bool broke = false;
    bool sent = talk_send(attempt, &events, &broke);
    for (int i = 0; i < READS_PER_TURN && !dialog->ended; i++) {
        size_t count;
        enum got got = talk_read(attempt, octets, sizeof(octets), &count, &events);
        if (got == GOT_NOTHING) {
            break;
        }
        if (got == GOT_ERROR) {
            connection_broke(attempt, errno);
            return;
        }
        if (got == GOT_END) {
            dialog_closed(dialog);
            break;
        }
        if (attempt->result.first_byte_ns == 0) {
            attempt->result.first_byte_ns = attempt_lap(&attempt->layer_ns);
        }
        dialog_feed(dialog, octets, count);
        if (!dialog->ended && sent) { // it may have more to say
            sent = talk_send(attempt, &events, &broke);
        }
    }
    if (dialog->ended) {
        talk_end(attempt);
    } else if (broke) {
        connection_broke(attempt, errno);
    } else if (!attempt_watch(attempt, events, stream_ready)) {
        stream_end(attempt);
    }
}

// --- TLS ---

static struct tls_memory *memory_of(struct attempt *attempt)
{
    if (attempt->redirect_count > 0) {
        return &attempt->scratch;
    }
    if (attempt->probe->kept == NULL) {
        attempt->probe->kept = mem_alloc(sizeof(struct kept));
    }
    return &((struct kept *)attempt->probe->kept)->tls;
}

static void shake_turn(struct attempt *attempt)
{
    const struct check_spec *spec = attempt->recipe.spec;
    bool need_alpn = spec->kind == CHECK_GRPC || spec->alpn;
    unsigned events = EPOLLIN;
    switch (tls_shake(&attempt->link, &attempt->result)) {
    case TLS_DONE:
        attempt->result.tls_ns = attempt_lap(&attempt->layer_ns);
        if (tls_judge(&attempt->link, need_alpn, &attempt->result)) {
            talk_begin(attempt);
        } else {
            stream_end(attempt);
        }
        return;
    case TLS_FAILED:
        stream_end(attempt);
        return;
    case TLS_WANTS_WRITE:
        events = EPOLLOUT;
        break;
    case TLS_WANTS_READ:
        break;
    }
    if (!attempt_watch(attempt, events, stream_ready)) {
        stream_end(attempt);
    }
}

static void shake_begin(struct attempt *attempt)
{
    static const uint8_t http[] = "\x08http/1.1", grpc[] = "\x02h2";
    const struct check_spec *spec = attempt->recipe.spec;
    struct tls_peer peer = {.spec = spec, .name = attempt->name, .address = &attempt->target};
    const char *unused;
    uint8_t wanted[CHECK_ALPN_MAX];
    if (spec->alpn && check_alpn(spec->alpn, wanted, &peer.alpn_size, &unused)) {
        peer.alpn = wanted;
    } else if (spec->kind == CHECK_GRPC) {
        peer.alpn = grpc;
        peer.alpn_size = sizeof(grpc) - 1;
    } else if (spec->kind == CHECK_HTTPS) {
        peer.alpn = http;
        peer.alpn_size = sizeof(http) - 1;
    }
    attempt->phase = PHASE_SHAKE;
    if (tls_link_open(attempt->prober->tls, &attempt->link, memory_of(attempt), attempt->fd, &peer,
                      &attempt->result)) {
        shake_turn(attempt);
    } else {
        stream_end(attempt);
    }
}

// --- turns ---

static void connect_turn(struct attempt *attempt, bool failed)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (failed && getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error == 0 && stream_met_itself(attempt->fd, &attempt->target, attempt->port)) {
        error = ECONNREFUSED;
    }
    if (error) {
        connection_broke(attempt, error);
        return;
    }
    attempt->result.connect_ns = attempt_lap(&attempt->layer_ns);
    (attempt->tls ? shake_begin : talk_begin)(attempt);
}

static void stream_ready(struct attempt *attempt, bool failed)
{
    switch (attempt->phase) {
    case PHASE_CONNECT:
        connect_turn(attempt, failed);
        break;
    case PHASE_SHAKE:
        shake_turn(attempt);
        break;
    case PHASE_TALK:
        talk_turn(attempt);
        break;
    }
}

const struct attempt_kind attempt_stream = {stream_start, stream_forget};
