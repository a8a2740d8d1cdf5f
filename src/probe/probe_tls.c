// SPDX-License-Identifier: GPL-3.0-or-later
//
// TLS for probes, over OpenSSL. Called by prober_stream.c on the prober's thread. Guarantees: a
// handshake that verifies does so against the anchors of its definition and for exactly one name;
// what is resumed was verified in full within the last FULL_AGE_MAX_NS.
#include "probe/probe_tls.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define CONTEXT_AGE_MAX_NS (600 * NS_PER_SECOND)
#define FULL_AGE_MAX_NS    (600 * NS_PER_SECOND)
enum { SESSION_SIZE_MAX = 4096, DAY_SECONDS = 86400 };

struct context {
    struct context *next;
    char *path; // NULL: the system's
    SSL_CTX *ssl;
    int64_t made_ns;
    struct timespec changed; // of the file, when it was read
    ino_t inode;
    off_t size;
};

struct probe_tls {
    struct context *contexts;
};

struct probe_tls *probe_tls_new(void)
{
    return mem_alloc(sizeof(struct probe_tls));
}

static void context_free(struct context *context)
{
    SSL_CTX_free(context->ssl);
    free(context->path);
    free(context);
}

void probe_tls_free(struct probe_tls *tls)
{
    while (tls && tls->contexts) {
        struct context *next = tls->contexts->next;
        context_free(tls->contexts);
        tls->contexts = next;
    }
    free(tls);
}

static int64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

// --- contexts ---

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_link *link = SSL_get_app_data(ssl);
    SSL_SESSION_free(link->session);
    link->session = session;
    return 1; // ours now
}

static SSL_CTX *ssl_context_new(const char *path)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
    if (ssl == NULL) {
        return NULL;
    }
    bool anchors = path ? SSL_CTX_load_verify_file(ssl, path) == 1
                        : SSL_CTX_set_default_verify_paths(ssl) == 1;
    if (!anchors) {
        SSL_CTX_free(ssl);
        return NULL;
    }
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, on_session);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    return ssl;
}

static bool context_fresh(const struct context *context, const struct stat *file)
{
    bool same = file == NULL || (context->changed.tv_sec == file->st_mtim.tv_sec &&
                                 context->changed.tv_nsec == file->st_mtim.tv_nsec &&
                                 context->inode == file->st_ino && context->size == file->st_size);
    return same && now_ns() - context->made_ns < CONTEXT_AGE_MAX_NS;
}

static struct context *context_make(const char *path, const struct stat *file)
{
    SSL_CTX *ssl = ssl_context_new(path);
    if (ssl == NULL) {
        return NULL;
    }
    struct context *context = mem_alloc(sizeof(*context));
    context->path = path ? mem_strdup(path) : NULL;
    context->ssl = ssl;
    context->made_ns = now_ns();
    if (file) {
        context->changed = file->st_mtim;
        context->inode = file->st_ino;
        context->size = file->st_size;
    }
    return context;
}

static bool path_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

// NULL when the anchors cannot be read.
static SSL_CTX *context_of(struct probe_tls *tls, const char *path)
{
    struct stat file;
    if (path && stat(path, &file) != 0) {
        return NULL;
    }
    struct context **link = &tls->contexts;
    while (*link && !path_equal((*link)->path, path)) {
        link = &(*link)->next;
    }
    if (*link && context_fresh(*link, path ? &file : NULL)) {
        return (*link)->ssl;
    }
    if (*link) { // links under way keep what they need of it
        struct context *old = *link;
        *link = old->next;
        context_free(old);
    }
    struct context *made = context_make(path, path ? &file : NULL);
    if (made == NULL) {
        return NULL;
    }
    made->next = tls->contexts;
    tls->contexts = made;
    return made->ssl;
}

// --- memory ---

void tls_memory_clear(struct tls_memory *memory)
{
    free(memory->session);
    memory->session = NULL;
    memory->session_size = 0;
}

// The header of one DER element: its whole size, 0 if it does not fit.
static size_t der_size(const uint8_t *at, size_t room, size_t *header)
{
    if (room < 2) {
        return 0;
    }
    size_t length = at[1], octets = 0;
    if (length >= 0x80) {
        octets = length & 0x7f;
        length = 0;
        if (octets > 3 || room < 2 + octets) {
            return 0;
        }
        for (size_t i = 0; i < octets; i++) {
            length = length << 8 | at[2 + i];
        }
    }
    *header = 2 + octets;
    return length <= room - *header ? *header + length : 0;
}

// Takes the peer's certificate, element [3], out of a session in DER: it is most of its octets, and
// was judged when it was seen. The new size, 0 when the octets are not as expected.
static size_t certificate_drop(uint8_t *der, size_t size)
{
    size_t header, element;
    enum { SEQUENCE = 0x30, PEER = 0xa3, LONG_HEADER = 4 };
    if (der_size(der, size, &header) != size || der[0] != SEQUENCE || header != LONG_HEADER) {
        return size; // short ones hold no certificate
    }
    for (size_t at = header; at < size; at += element) {
        size_t inner;
        element = der_size(der + at, size - at, &inner);
        if (element == 0) {
            return 0;
        }
        if (der[at] == PEER) {
            memmove(der + at, der + at + element, size - at - element);
            size -= element;
            der[2] = (uint8_t)((size - LONG_HEADER) >> 8);
            der[3] = (uint8_t)(size - LONG_HEADER);
            return size;
        }
    }
    return size;
}

// A length of three octets where two or one would do is no DER, but OpenSSL reads it.
static void session_keep(struct tls_memory *memory, SSL_SESSION *session)
{
    unsigned char *der = NULL;
    int size = i2d_SSL_SESSION(session, &der);
    tls_memory_clear(memory);
    if (size > 0) {
        size_t kept = certificate_drop(der, (size_t)size);
        if (kept > 0 && kept <= SESSION_SIZE_MAX) {
            memory->session = mem_copy(der, kept);
            memory->session_size = kept;
        }
    }
    OPENSSL_free(der);
}

static void session_offer(struct tls_link *link)
{
    struct tls_memory *memory = link->memory;
    if (memory->session && now_ns() - memory->full_ns >= FULL_AGE_MAX_NS) {
        tls_memory_clear(memory);
    }
    const unsigned char *at = memory->session;
    SSL_SESSION *session = at ? d2i_SSL_SESSION(NULL, &at, (long)memory->session_size) : NULL;
    if (session) {
        SSL_set_session(link->ssl, session);
        SSL_SESSION_free(session);
    }
}

void tls_remember(struct tls_link *link, bool good)
{
    struct tls_memory *memory = link->memory;
    if (!good) {
        tls_memory_clear(memory);
        return;
    }
    if (!SSL_session_reused(link->ssl)) {
        memory->full_ns = now_ns();
    }
    memory->not_after = link->not_after;
    if (link->session) {
        session_keep(memory, link->session);
    }
}

// --- links ---

static bool names_set(SSL *ssl, const struct tls_peer *peer)
{
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (peer->name) {
        return SSL_set1_host(ssl, peer->name) == 1 &&
               SSL_set_tlsext_host_name(ssl, peer->name) == 1;
    }
    size_t size = peer->address->family == FAMILY_IPV4 ? 4 : 16;
    return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), peer->address->bytes, size) == 1;
}

bool tls_link_open(struct probe_tls *tls, struct tls_link *link, struct tls_memory *memory, int fd,
                   const struct tls_peer *peer, struct probe_result *result)
{
    const struct check_spec *spec = peer->spec;
    SSL_CTX *context = context_of(tls, spec->ca_path);
    ERR_clear_error();
    if (context == NULL) {
        probe_result_set(result, PROBE_LOCAL_ERROR, "the trust anchors cannot be read");
        return false;
    }
    *link = (struct tls_link){.ssl = SSL_new(context), .memory = memory, .spec = spec};
    if (link->ssl == NULL || !names_set(link->ssl, peer) || SSL_set_fd(link->ssl, fd) != 1 ||
        (peer->alpn_size > 0 &&
         SSL_set_alpn_protos(link->ssl, peer->alpn, (unsigned)peer->alpn_size) != 0)) {
        probe_result_set(result, PROBE_LOCAL_ERROR, "OpenSSL refused the connection");
        tls_link_close(link);
        return false;
    }
    SSL_set_app_data(link->ssl, link);
    SSL_set_verify(link->ssl, spec->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    session_offer(link);
    SSL_set_connect_state(link->ssl);
    return true;
}

void tls_link_close(struct tls_link *link)
{
    SSL_SESSION_free(link->session);
    SSL_free(link->ssl);
    *link = (struct tls_link){0};
    ERR_clear_error();
}

// --- the handshake ---

static enum probe_reason reason_of_certificate(long code)
{
    switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return PROBE_L6_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return PROBE_L6_EXPIRED;
    default:
        return PROBE_L6_CERTIFICATE;
    }
}

static bool ends_at(const X509 *certificate, int64_t *not_after)
{
    struct tm tm;
    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1) {
        return false;
    }
    *not_after = (int64_t)timegm(&tm);
    return true;
}

// Fills in the days that a certificate has left, rounded down.
static void days_tell(int64_t not_after, struct probe_result *result)
{
    int64_t left = not_after - clock_wall_ns(clock_system()) / NS_PER_SECOND;
    int64_t days = left >= 0 ? left / DAY_SECONDS : -(-left / DAY_SECONDS) - 1;
    result->has_certificate = true;
    result->certificate_days = (int32_t)MAX(MIN(days, INT32_MAX), INT32_MIN);
}

// A certificate that was refused is not the peer's yet, only the first of what it sent.
static void refused_days_tell(const struct tls_link *link, struct probe_result *result)
{
    const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(link->ssl);
    int64_t not_after;
    if (chain && ends_at(sk_X509_value(chain, 0), &not_after)) {
        days_tell(not_after, result);
    }
}

static void handshake_failed(struct tls_link *link, int error, int system,
                             struct probe_result *result)
{
    long verdict = SSL_get_verify_result(link->ssl);
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH && link->spec->verify) {
        const char *name = SSL_get_servername(link->ssl, TLSEXT_NAMETYPE_host_name);
        probe_result_set(result, PROBE_L6_NAME, "the certificate does not cover %.64s",
                         name ? name : "the name");
    } else if (link->spec->verify && verdict != X509_V_OK) {
        probe_result_set(result, reason_of_certificate(verdict), "certificate: %s",
                         X509_verify_cert_error_string(verdict));
        refused_days_tell(link, result);
    } else if (reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL) {
        probe_result_set(result, PROBE_L6_ALPN, "the server knows none of the wanted protocols");
    } else if (error == SSL_ERROR_SSL && code && reason != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        const char *text = ERR_reason_error_string(code);
        probe_result_set(result, PROBE_L6_HANDSHAKE, "TLS: %s", text ? text : "failed");
    } else if (error == SSL_ERROR_SYSCALL && system) {
        probe_result_set(result, PROBE_L6_HANDSHAKE, "during the handshake: %s", strerror(system));
    } else {
        probe_result_set(result, PROBE_L6_HANDSHAKE, "closed during the TLS handshake");
    }
}

static enum tls_step step_of(int error)
{
    switch (error) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    default:
        return TLS_FAILED;
    }
}

enum tls_step tls_shake(struct tls_link *link, struct probe_result *result)
{
    ERR_clear_error();
    errno = 0;
    int done = SSL_do_handshake(link->ssl);
    if (done == 1) {
        return TLS_DONE;
    }
    int system = errno, error = SSL_get_error(link->ssl, done);
    enum tls_step step = step_of(error);
    if (step == TLS_FAILED) {
        handshake_failed(link, error, system, result);
    }
    return step;
}

// When the certificate ends: from the certificate, or as it was remembered when none is sent.
static void not_after_take(struct tls_link *link)
{
    link->has_not_after = ends_at(SSL_get0_peer_certificate(link->ssl), &link->not_after);
    if (!link->has_not_after && SSL_session_reused(link->ssl)) {
        link->not_after = link->memory->not_after;
        link->has_not_after = link->not_after != 0;
    }
}

static bool days_good(struct tls_link *link, struct probe_result *result)
{
    not_after_take(link);
    if (!link->has_not_after) {
        return true;
    }
    days_tell(link->not_after, result);
    const struct check_spec *spec = link->spec;
    const int64_t days = result->certificate_days;
    if ((spec->verify && days < 0) || (spec->days_fail > 0 && days < (int64_t)spec->days_fail)) {
        probe_result_set(result, PROBE_L6_EXPIRED, "the certificate %s",
                         days < 0 ? "has expired" : "ends too soon");
        if (days >= 0) {
            probe_result_set(result, PROBE_L6_EXPIRED, "the certificate ends in %lld days",
                             (long long)days);
        }
        return false;
    }
    result->warning = days < (int64_t)spec->days_warn;
    return true;
}

bool tls_judge(struct tls_link *link, bool need_alpn, struct probe_result *result)
{
    const unsigned char *protocol = NULL;
    unsigned size = 0;
    result->resumed = SSL_session_reused(link->ssl);
    if (!days_good(link, result)) {
        return false;
    }
    SSL_get0_alpn_selected(link->ssl, &protocol, &size);
    if (need_alpn && size == 0) {
        probe_result_set(result, PROBE_L6_ALPN, "the server chose none of the wanted protocols");
        return false;
    }
    return true;
}

// --- octets ---

bool tls_complaint(struct probe_result *result)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    if (text == NULL || ERR_GET_LIB(code) != ERR_LIB_SSL) {
        return false;
    }
    probe_result_set(result, PROBE_L6_HANDSHAKE, "TLS: %s", text);
    return true;
}

int tls_read(struct tls_link *link, void *octets, size_t room, enum tls_step *step)
{
    ERR_clear_error();
    errno = 0;
    int got = SSL_read(link->ssl, octets, (int)MIN(room, (size_t)INT_MAX));
    if (got > 0) {
        return got;
    }
    int error = SSL_get_error(link->ssl, got);
    if (error == SSL_ERROR_ZERO_RETURN) {
        return 0;
    }
    *step = step_of(error);
    return -1;
}

int tls_write(struct tls_link *link, const void *octets, size_t count, enum tls_step *step)
{
    ERR_clear_error();
    errno = 0;
    int put = SSL_write(link->ssl, octets, (int)MIN(count, (size_t)INT_MAX));
    if (put > 0) {
        return put;
    }
    *step = step_of(SSL_get_error(link->ssl, put));
    return -1;
}
