// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTP and HTTPS probes: libcurl's multi interface on the loop.
//
// libcurl asks for sockets to be watched and a timer to be set; the loop tells it what happened;
// the transfers that have ended are then read off and judged. Verdicts are reported only from
// there, never from inside one of libcurl's callbacks, so the registry may start and cancel at
// will.
#include "health/prober_parts.h"

#include "base/memory.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX = 4096, HEADERS_MAX = 65536, AUTHORITY_MAX = 300 };
// How long parsed trust anchors are used before their file is read again.
enum { ANCHORS_AGE_MAX_S = 600 };

// --- judging ---

// Codes that mean one thing whatever the layer; all others are the target breaking the protocol.
static const struct {
    CURLcode code;
    enum probe_reason reason;
} code_results[] = {
    {CURLE_PEER_FAILED_VERIFICATION, PROBE_L6_HANDSHAKE},
    {CURLE_SSL_CONNECT_ERROR, PROBE_L6_HANDSHAKE},
    {CURLE_SSL_CIPHER, PROBE_L6_HANDSHAKE},
    {CURLE_SSL_ISSUER_ERROR, PROBE_L6_HANDSHAKE},
    {CURLE_SSL_INVALIDCERTSTATUS, PROBE_L6_HANDSHAKE},
    {CURLE_SSL_CERTPROBLEM, PROBE_LOCAL_ERROR},
    {CURLE_SSL_CACERT_BADFILE, PROBE_LOCAL_ERROR},
    {CURLE_SSL_CRL_BADFILE, PROBE_LOCAL_ERROR},
    {CURLE_SSL_ENGINE_NOTFOUND, PROBE_LOCAL_ERROR},
    {CURLE_SSL_ENGINE_INITFAILED, PROBE_LOCAL_ERROR},
    {CURLE_OUT_OF_MEMORY, PROBE_LOCAL_ERROR},
    {CURLE_FAILED_INIT, PROBE_LOCAL_ERROR},
    {CURLE_NOT_BUILT_IN, PROBE_LOCAL_ERROR},
    {CURLE_BAD_FUNCTION_ARGUMENT, PROBE_LOCAL_ERROR},
    {CURLE_UNKNOWN_OPTION, PROBE_LOCAL_ERROR},
    {CURLE_URL_MALFORMAT, PROBE_LOCAL_ERROR},
    {CURLE_ABORTED_BY_CALLBACK, PROBE_LOCAL_ERROR},
    {CURLE_COULDNT_RESOLVE_HOST, PROBE_LOCAL_ERROR}, // a literal address: only without memory
};

static void judge_status(const struct attempt *attempt, struct probe_result *verdict)
{
    long status = 0;
    curl_easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
    probe_result_set(verdict, status >= 200 && status < 400 ? PROBE_OK : PROBE_L7_STATUS,
                     "HTTP %ld", status);
}

static void judge_timeout(const struct attempt *attempt, struct probe_result *verdict)
{
    static const struct {
        enum probe_reason reason;
        const char *missing;
    } late[LAYER_COUNT] = {
        [LAYER_4] = {PROBE_L4_TIMEOUT, "connection"},
        [LAYER_6] = {PROBE_L6_HANDSHAKE, "TLS handshake"},
        [LAYER_7] = {PROBE_L7_TIMEOUT, "complete answer"},
    };
    probe_result_set(verdict, late[attempt->layer].reason, "no %s within %llu ms",
                     late[attempt->layer].missing, (unsigned long long)timeout_ms(attempt->spec));
}

static void judge_connect(const struct attempt *attempt, struct probe_result *verdict)
{
    long error = 0;
    curl_easy_getinfo(attempt->easy, CURLINFO_OS_ERRNO, &error);
    if (error) {
        verdict_of_errno(verdict, (int)error);
    } else {
        probe_result_set(verdict, PROBE_L4_ERROR, "%s", attempt->error);
    }
}

static void judge_failure(const struct attempt *attempt, CURLcode code,
                          struct probe_result *verdict)
{
    enum probe_reason reason = attempt->layer == LAYER_6 ? PROBE_L6_HANDSHAKE : PROBE_L7_INVALID;
    for (size_t i = 0; i < ARRAY_SIZE(code_results); i++) {
        if (code_results[i].code == code) {
            reason = code_results[i].reason;
        }
    }
    probe_result_set(verdict, reason, "%s",
                     attempt->error[0] ? attempt->error : curl_easy_strerror(code));
}

static void judge(const struct attempt *attempt, CURLcode code, struct probe_result *verdict)
{
    if (attempt->refusal.reason != PROBE_OK) {
        *verdict = attempt->refusal;
    } else if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && attempt->enough)) {
        judge_status(attempt, verdict);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        judge_timeout(attempt, verdict);
    } else if (code == CURLE_COULDNT_CONNECT) {
        judge_connect(attempt, verdict);
    } else {
        judge_failure(attempt, code, verdict);
    }
}

// --- libcurl's callbacks for one transfer ---

static curl_socket_t on_open(void *data, curlsocktype purpose, struct curl_sockaddr *to)
{
    (void)purpose;
    int fd = attempt_socket(data, &to->addr);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

// These two tell how far the transfer came; libcurl's own times do not, while TLS is under way.
static CURLcode on_tls_begin(CURL *easy, void *context, void *data)
{
    (void)easy;
    (void)context;
    struct attempt *attempt = data;
    attempt->layer = LAYER_6;
    return CURLE_OK;
}

static int on_request(void *data, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
    (void)peer_ip;
    (void)own_ip;
    (void)peer_port;
    (void)own_port;
    struct attempt *attempt = data;
    attempt->layer = LAYER_7;
    return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *data)
{
    (void)bytes;
    struct attempt *attempt = data;
    attempt->header_size += size * count;
    return attempt->header_size > HEADERS_MAX ? 0 : size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *data)
{
    (void)bytes;
    struct attempt *attempt = data;
    attempt->body_size += size * count;
    attempt->enough = attempt->body_size > BODY_MAX;
    return attempt->enough ? 0 : size * count;
}

// --- libcurl on the loop ---

static void read_ended(struct http_group *group)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(group->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = message->data.result;
        struct attempt *attempt;
        struct probe_result verdict;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&attempt);
        judge(attempt, code, &verdict);
        attempt_end(attempt, &verdict);
    }
}

static void act(struct http_group *group, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(group->multi, fd, events, &running);
    read_ended(group);
}

// A watched socket of libcurl's. Its own lifetime ends in libcurl's "remove".
struct watch {
    uv_poll_t poll;
    struct http_group *group;
    curl_socket_t fd;
};

static void watch_closed(uv_handle_t *handle)
{
    struct watch *watch = handle->data;
    struct prober_uv *prober = watch->group->prober;
    free(watch);
    prober_handle_closed(prober);
}

static void watch_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    // An error of the socket is left to libcurl to read: it then knows which.
    int flags = status < 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT : 0;
    flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    act(watch->group, watch->fd, flags);
}

static struct watch *watch_new(struct http_group *group, curl_socket_t fd)
{
    struct watch *watch = mem_alloc(sizeof(*watch));
    watch->group = group;
    watch->fd = fd;
    if (uv_poll_init_socket(group->prober->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    group->prober->handle_count++;
    curl_multi_assign(group->multi, fd, watch);
    return watch;
}

// An error from here would make libcurl end all transfers of the group, for good; so the attempt
// is marked instead: its deadline ends it, and the verdict blames nobody else.
static void watch_failed(CURL *easy)
{
    struct attempt *attempt = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&attempt);
    probe_result_set(&attempt->refusal, PROBE_LOCAL_ERROR, "the socket cannot be watched");
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
    struct http_group *group = data;
    struct watch *watch = socket_data;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(group->multi, fd, NULL);
            uv_close((uv_handle_t *)&watch->poll, watch_closed);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = watch_new(group, fd);
    }
    if (watch == NULL) {
        watch_failed(easy);
        return 0;
    }
    int events = what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
    uv_poll_start(&watch->poll, events, watch_ready);
    return 0;
}

static void timer_ended(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer(CURLM *multi, long delay_ms, void *data)
{
    (void)multi;
    struct http_group *group = data;
    if (delay_ms < 0) {
        uv_timer_stop(&group->timer);
    } else {
        uv_timer_start(&group->timer, timer_ended, (uint64_t)delay_ms, 0);
    }
    return 0;
}

// --- one transfer ---

// Both come from a document; what could change the meaning of the request must not pass.
static bool request_text_good(const struct check_spec *spec)
{
    const char *host = spec->host ? spec->host : "";
    const char *path = spec->path ? spec->path : "/";
    if (strlen(host) > 255 || strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                           "0123456789-._") != strlen(host)) {
        return false;
    }
    for (const char *at = path; *at; at++) {
        if (*at <= ' ' || *at >= 0x7f) {
            return false;
        }
    }
    return path[0] == '/';
}

// The URL names the host, which gives the Host header, SNI and the name that is verified; where the
// connection goes is said by connect_to alone.
static char *request_url(const struct attempt *attempt)
{
    const struct check_spec *spec = attempt->spec;
    const char *scheme = spec->kind == CHECK_HTTPS ? "https" : "http";
    const char *path = spec->path ? spec->path : "/";
    char authority[AUTHORITY_MAX];
    if (spec->host) {
        snprintf(authority, sizeof(authority), "%s:%u", spec->host, spec->port);
    } else {
        endpoint_format(&attempt->target, spec->port, authority);
    }
    size_t size = strlen(scheme) + strlen("://") + strlen(authority) + strlen(path) + 1;
    char *url = mem_alloc(size);
    snprintf(url, size, "%s://%s%s", scheme, authority, path);
    return url;
}

// What all transfers have in common.
static const struct {
    CURLoption option;
    long value;
} transfer_options[] = {
    {CURLOPT_FOLLOWLOCATION, 0},
    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
    {CURLOPT_HTTP09_ALLOWED, 0},
    {CURLOPT_FRESH_CONNECT, 1},
    {CURLOPT_FORBID_REUSE, 1},
    {CURLOPT_SSL_SESSIONID_CACHE, 0}, // a resumed session would not show its certificate again
    {CURLOPT_CA_CACHE_TIMEOUT, ANCHORS_AGE_MAX_S},
    {CURLOPT_NOSIGNAL, 1},
    {CURLOPT_BUFFERSIZE, BODY_MAX},
    {CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
    {CURLOPT_PATH_AS_IS, 1},
};

static CURLcode set_request(struct attempt *attempt, CURL *easy)
{
    struct prober_uv *prober = attempt->prober;
    char pin[AUTHORITY_MAX] = "::"; // any host, any port: to the check's address and port
    endpoint_format(&attempt->target, attempt->spec->port, pin + 2);
    attempt->connect_to = curl_slist_append(NULL, pin);
    char *url = request_url(attempt);
    CURLcode bad = attempt->connect_to ? CURLE_OK : CURLE_OUT_OF_MEMORY;
    bad |= curl_easy_setopt(easy, CURLOPT_URL, url);
    free(url);
    bad |= curl_easy_setopt(easy, CURLOPT_CONNECT_TO, attempt->connect_to);
    bad |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(easy, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "signpost/" SIGNPOST_VERSION);
    bad |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, prober->headers);
    bad |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms(attempt->spec));
    for (size_t i = 0; i < ARRAY_SIZE(transfer_options); i++) {
        bad |= curl_easy_setopt(easy, transfer_options[i].option, transfer_options[i].value);
    }
    return bad;
}

static CURLcode set_trust(const struct attempt *attempt, CURL *easy)
{
    const struct check_spec *spec = attempt->spec;
    const char *anchors = spec->ca_path ? spec->ca_path : attempt->prober->system_anchors;
    CURLcode bad = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, spec->verify ? 1L : 0L);
    bad |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, spec->verify ? 2L : 0L);
    // A folder of anchors beside the file would keep libcurl from caching what it parsed.
    bad |= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    bad |= curl_easy_setopt(easy, CURLOPT_CAINFO, anchors);
    return bad;
}

static CURLcode set_callbacks(struct attempt *attempt, CURL *easy)
{
    CURLcode bad = curl_easy_setopt(easy, CURLOPT_PRIVATE, attempt);
    bad |= curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, attempt->error);
    bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    bad |= curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, attempt);
    if (attempt->spec->kind == CHECK_HTTPS) {
        bad |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_begin);
        bad |= curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, attempt);
    }
    bad |= curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    bad |= curl_easy_setopt(easy, CURLOPT_PREREQDATA, attempt);
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    bad |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, attempt);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, attempt);
    return bad;
}

void http_start(struct attempt *attempt)
{
    if (!request_text_good(attempt->spec)) {
        probe_result_set(&attempt->refusal, PROBE_LOCAL_ERROR,
                         "host or path cannot be sent over HTTP");
        attempt_end_soon(attempt);
        return;
    }
    bool own = attempt->spec->kind == CHECK_HTTPS && attempt->spec->ca_path != NULL;
    CURL *easy = curl_easy_init();
    attempt->easy = easy;
    attempt->group = &attempt->prober->groups[own ? GROUP_OWN_ANCHORS : GROUP_SYSTEM];
    if (easy == NULL || set_request(attempt, easy) || set_trust(attempt, easy) ||
        set_callbacks(attempt, easy) || curl_multi_add_handle(attempt->group->multi, easy)) {
        probe_result_set(&attempt->refusal, PROBE_LOCAL_ERROR, "libcurl refused the request");
        attempt_end_soon(attempt);
    }
}

void http_forget(struct attempt *attempt)
{
    if (attempt->easy) {
        curl_multi_remove_handle(attempt->group->multi, attempt->easy);
        curl_easy_cleanup(attempt->easy);
        attempt->easy = NULL;
    }
    curl_slist_free_all(attempt->connect_to);
    attempt->connect_to = NULL;
}

// --- the groups ---

void http_open(struct prober_uv *prober)
{
    const char *anchors = curl_version_info(CURLVERSION_NOW)->cainfo;
    prober->system_anchors = mem_strdup(anchors ? anchors : "/etc/ssl/certs/ca-certificates.crt");
    prober->headers = curl_slist_append(NULL, "Connection: close");
    SP_ASSERT(prober->headers != NULL);
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        struct http_group *group = &prober->groups[i];
        group->prober = prober;
        group->multi = curl_multi_init();
        SP_ASSERT(group->multi != NULL);
        uv_timer_init(prober->loop, &group->timer);
        group->timer.data = group;
        prober->handle_count++;
        curl_multi_setopt(group->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
        curl_multi_setopt(group->multi, CURLMOPT_SOCKETDATA, group);
        curl_multi_setopt(group->multi, CURLMOPT_TIMERFUNCTION, on_timer);
        curl_multi_setopt(group->multi, CURLMOPT_TIMERDATA, group);
    }
}

static void group_timer_closed(uv_handle_t *handle)
{
    struct http_group *group = handle->data;
    prober_handle_closed(group->prober);
}

void http_close(struct prober_uv *prober)
{
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        struct http_group *group = &prober->groups[i];
        curl_multi_cleanup(group->multi);
        uv_close((uv_handle_t *)&group->timer, group_timer_closed);
    }
}
