// SPDX-License-Identifier: GPL-3.0-or-later
//
// OpenSSL behind the few verbs of tls.h.
//
// Everything of one session happens on the thread that serves TLS; only the SSL_CTX is made
// elsewhere (tls_certificate_read) and handed over (tls_use). Session tickets are encrypted with
// keys of our own (RFC 5077), which outlive a change of certificate, and are renewed by the session
// thread when they are used and old: no timer, no lock.
#include "net/tls.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <string.h>

enum { TICKET_NAME_SIZE = 16, TICKET_IV_SIZE = 16, TICKET_SECRET_SIZE = 32 };

struct ticket_key {
    uint8_t name[TICKET_NAME_SIZE];
    uint8_t cipher[TICKET_SECRET_SIZE], mac[TICKET_SECRET_SIZE];
    int64_t made_ns;
    bool usable;
};

struct tls {
    const struct clock *clock;
    _Atomic(struct tls_certificate *) certificate;
    struct ticket_key current, previous; // of the session thread
};

struct tls_certificate {
    SSL_CTX *context;
};

struct tls_session {
    SSL *ssl;
    bool failed;
};

// --- session tickets

static bool ticket_key_make(struct ticket_key *key, int64_t now_ns)
{
    key->made_ns = now_ns;
    key->usable = RAND_bytes(key->name, sizeof(key->name)) == 1 &&
                  RAND_bytes(key->cipher, sizeof(key->cipher)) == 1 &&
                  RAND_bytes(key->mac, sizeof(key->mac)) == 1;
    return key->usable;
}

static bool ticket_key_is_alive(const struct ticket_key *key, int64_t lives, int64_t now_ns)
{
    return key->usable && now_ns - key->made_ns < lives * TLS_TICKET_KEY_LIFE_S * NS_PER_SECOND;
}

// The key for new tickets. When its life is over it goes on to open old ones for one life more.
static struct ticket_key *ticket_key_current(struct tls *tls)
{
    int64_t now_ns = clock_monotonic_ns(tls->clock);
    if (!ticket_key_is_alive(&tls->current, 1, now_ns)) {
        tls->previous = tls->current;
        if (!ticket_key_make(&tls->current, now_ns)) {
            return NULL;
        }
    }
    return &tls->current;
}

static bool ticket_mac_begin(EVP_MAC_CTX *mac, struct ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

// OpenSSL's callback: 1 good, 2 good but give the client a new one, 0 not ours, -1 error.
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypt)
{
    struct tls *tls = SSL_get_app_data(ssl);
    struct ticket_key *current = ticket_key_current(tls);
    if (current == NULL) {
        return -1;
    }
    if (encrypt) {
        memcpy(name, current->name, TICKET_NAME_SIZE);
        bool good =
            RAND_bytes(iv, TICKET_IV_SIZE) == 1 &&
            EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), current->cipher, iv, NULL) == 1 &&
            ticket_mac_begin(mac, current);
        return good ? 1 : -1;
    }
    struct ticket_key *key = current;
    if (memcmp(name, current->name, TICKET_NAME_SIZE) != 0) {
        key = &tls->previous;
        int64_t now_ns = clock_monotonic_ns(tls->clock);
        if (!ticket_key_is_alive(key, 2, now_ns) ||
            memcmp(name, key->name, TICKET_NAME_SIZE) != 0) {
            return 0;
        }
    }
    bool good = ticket_mac_begin(mac, key) &&
                EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher, iv, NULL) == 1;
    return good ? (key == current ? 1 : 2) : -1;
}

// --- the certificate

// "dot" or no ALPN at all; who asks for other protocols only is refused (RFC 7301, 3.2).
static int on_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                   const unsigned char *offered, unsigned offered_size, void *context)
{
    static const unsigned char dot[] = "\3dot";
    (void)ssl;
    (void)context;
    unsigned char *found;
    if (SSL_select_next_proto(&found, chosen_size, dot, sizeof(dot) - 1, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

// A key that is encrypted is refused: nobody is there to type its pass phrase.
static int on_pass_phrase(char *phrase, int size, int writing, void *context)
{
    (void)phrase, (void)size, (void)writing, (void)context;
    return -1;
}

static SSL_CTX *context_new(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        return NULL;
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); // tickets only
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_max_early_data(context, 0);
    SSL_CTX_set_timeout(context, 2L * TLS_TICKET_KEY_LIFE_S);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    SSL_CTX_set_default_passwd_cb(context, on_pass_phrase);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

// The first thing OpenSSL complained about: the reason at the root.
static void report(struct diags *diags, const char *path, const char *key, const char *what)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_GET_LIB(code) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(code))
                                                          : ERR_reason_error_string(code);
    diags_error(diags, (struct place){.file = path}, key, "%s: %s", what,
                reason != NULL ? reason : "no PEM of this kind in it");
    ERR_clear_error();
}

struct tls_certificate *tls_certificate_read(const char *chain_path, const char *key_path,
                                             struct diags *diags)
{
    ERR_clear_error();
    SSL_CTX *context = context_new();
    if (context == NULL) {
        report(diags, NULL, "tls", "cannot set up TLS");
        return NULL;
    }
    // The key comes first: a certificate that does not fit it drops it, which is told apart from a
    // key that cannot be read.
    bool key = SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) == 1;
    if (!key) {
        report(diags, key_path, "tls.key", "cannot use the key");
    }
    bool chain = SSL_CTX_use_certificate_chain_file(context, chain_path) == 1;
    if (!chain) {
        report(diags, chain_path, "tls.certificate", "cannot read the certificate");
    } else if (key && SSL_CTX_check_private_key(context) != 1) {
        report(diags, key_path, "tls.key", "is not the key of the certificate");
        key = false;
    }
    if (!chain || !key) {
        SSL_CTX_free(context);
        return NULL;
    }
    struct tls_certificate *certificate = mem_alloc(sizeof(*certificate));
    certificate->context = context;
    return certificate;
}

void tls_certificate_free(struct tls_certificate *certificate)
{
    if (certificate != NULL) {
        SSL_CTX_free(certificate->context);
        free(certificate);
    }
}

struct tls *tls_new(const struct clock *clock)
{
    struct tls *tls = mem_alloc(sizeof(*tls));
    tls->clock = clock;
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls != NULL) {
        tls_certificate_free(atomic_load_explicit(&tls->certificate, memory_order_relaxed));
        OPENSSL_cleanse(tls, sizeof(*tls));
        free(tls);
    }
}

void tls_use(struct tls *tls, struct tls_certificate *certificate)
{
    struct tls_certificate *old =
        atomic_exchange_explicit(&tls->certificate, certificate, memory_order_acq_rel);
    if (old != NULL) {
        rcu_wait(); // sessions hold the context by a count of its own
        tls_certificate_free(old);
    }
}

// --- sessions

struct tls_session *tls_accept(struct tls *tls, int fd)
{
    const struct tls_certificate *certificate =
        atomic_load_explicit(&tls->certificate, memory_order_acquire);
    SSL *ssl = certificate == NULL ? NULL : SSL_new(certificate->context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_app_data(ssl, tls);
    SSL_set_accept_state(ssl);
    struct tls_session *session = mem_alloc(sizeof(*session));
    session->ssl = ssl;
    return session;
}

void tls_end(struct tls_session *session)
{
    if (!session->failed && SSL_is_init_finished(session->ssl)) {
        ERR_clear_error();
        SSL_shutdown(session->ssl);
    }
    ERR_clear_error();
    SSL_free(session->ssl);
    free(session);
}

// What a call that did not succeed means.
static enum tls_progress progress_of(struct tls_session *session, int result)
{
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANTS_WRITE;
    default:
        session->failed = true;
        ERR_clear_error();
        return TLS_FAILED;
    }
}

enum tls_progress tls_handshake(struct tls_session *session)
{
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    return result == 1 ? TLS_DONE : progress_of(session, result);
}

bool tls_is_resumed(const struct tls_session *session)
{
    return SSL_session_reused(session->ssl) == 1;
}

static ssize_t stopped(struct tls_session *session, int result)
{
    errno = progress_of(session, result) == TLS_FAILED ? EPROTO : EAGAIN;
    return -1;
}

ssize_t tls_receive(struct tls_session *session, void *bytes, size_t size)
{
    size_t got = 0;
    ERR_clear_error();
    int result = SSL_read_ex(session->ssl, bytes, size, &got);
    if (result == 1) {
        return (ssize_t)got;
    }
    return SSL_get_error(session->ssl, result) == SSL_ERROR_ZERO_RETURN ? 0
                                                                        : stopped(session, result);
}

ssize_t tls_send(struct tls_session *session, const void *bytes, size_t size)
{
    size_t total = 0;
    while (total < size) { // a record at a time
        size_t sent = 0;
        ERR_clear_error();
        int result = SSL_write_ex(session->ssl, (const char *)bytes + total, size - total, &sent);
        if (result != 1) {
            ssize_t why = stopped(session, result);
            return total > 0 && errno == EAGAIN ? (ssize_t)total : why;
        }
        total += sent;
    }
    return (ssize_t)total;
}

bool tls_has_pending(const struct tls_session *session)
{
    return SSL_pending(session->ssl) > 0;
}

bool tls_waits_for_room(const struct tls_session *session)
{
    return SSL_want_write(session->ssl);
}
