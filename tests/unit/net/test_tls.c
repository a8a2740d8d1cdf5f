// SPDX-License-Identifier: GPL-3.0-or-later
//
// Session tickets over a clock of our own: good for one to two lives of their key, renewed in the
// second, worth nothing afterwards. And faulty pairs of certificate and key.
#include "base/memory.h"
#include "base/rcu.h"
#include "certificate.h"
#include "net/tls.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t now_ns;

static int64_t fake_ns(void *state)
{
    (void)state;
    return now_ns;
}

static const struct clock fake_clock = {fake_ns, fake_ns, NULL};

// --- certificates

static char folder[] = "/tmp/signpost-tls-XXXXXX";
static char chain_path[64], key_path[64], other_key_path[64], locked_key_path[64], rubbish_path[64];

static int setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(mkdtemp(folder));
    snprintf(chain_path, sizeof(chain_path), "%s/chain", folder);
    snprintf(key_path, sizeof(key_path), "%s/key", folder);
    snprintf(other_key_path, sizeof(other_key_path), "%s/other", folder);
    snprintf(locked_key_path, sizeof(locked_key_path), "%s/locked", folder);
    snprintf(rubbish_path, sizeof(rubbish_path), "%s/rubbish", folder);
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    write_certificate(chain_path, key);
    write_key(key_path, key, NULL);
    write_key(other_key_path, other, NULL);
    write_key(locked_key_path, key, "secret");
    FILE *file = fopen(rubbish_path, "w");
    fputs("rubbish\n", file);
    fclose(file);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    const char *const paths[] = {chain_path, key_path, other_key_path, locked_key_path,
                                 rubbish_path};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        unlink(paths[i]);
    }
    return rmdir(folder);
}

static void test_faulty_pairs(void **state)
{
    (void)state;
    const struct {
        const char *chain, *key, *messages[2];
    } cases[] = {
        {chain_path, other_key_path, {"is not the key of the certificate"}},
        {chain_path, locked_key_path, {"cannot use the key"}},
        {chain_path, rubbish_path, {"cannot use the key"}},
        {chain_path, "/nowhere/key", {"cannot use the key: No such file or directory"}},
        {key_path, key_path, {"cannot read the certificate"}},
        {"/nowhere/chain", "/nowhere/key", {"cannot use the key", "cannot read the certificate"}},
        {rubbish_path, rubbish_path, {"cannot use the key", "cannot read the certificate"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct diags diags = {0};
        assert_null(tls_certificate_read(cases[i].chain, cases[i].key, &diags));
        size_t expected = cases[i].messages[1] ? 2 : 1;
        assert_int_equal(diags.error_count, expected);
        for (size_t j = 0; j < expected; j++) {
            if (strncmp(diags.items[j].message, cases[i].messages[j],
                        strlen(cases[i].messages[j])) != 0) {
                fail_msg("case %zu: %s", i, diags.items[j].message);
            }
        }
        diags_clear(&diags);
    }
}

// --- sessions

struct pair {
    int fds[2];
    struct tls_session *server;
    SSL *client;
};

static SSL_CTX *client_context(int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(context, version);
    return context;
}

// A session of a server and a client over a pair of sockets, shaken, one message each way.
static struct pair meet(struct tls *tls, SSL_CTX *context, SSL_SESSION *session)
{
    struct pair pair;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.fds), 0);
    pair.server = tls_accept(tls, pair.fds[0]);
    assert_non_null(pair.server);
    pair.client = SSL_new(context);
    SSL_set_fd(pair.client, pair.fds[1]);
    SSL_set_session(pair.client, session);
    enum tls_progress progress = TLS_WANTS_READ;
    for (int connected = -1; connected != 1 || progress != TLS_DONE;) {
        connected = connected == 1 ? 1 : SSL_connect(pair.client);
        progress = progress == TLS_DONE ? TLS_DONE : tls_handshake(pair.server);
        assert_int_not_equal(progress, TLS_FAILED);
    }
    char text[8];
    assert_int_equal(SSL_write(pair.client, "query", 5), 5);
    assert_int_equal(tls_receive(pair.server, text, 2), 2);
    assert_true(tls_has_pending(pair.server));
    assert_int_equal(tls_receive(pair.server, text + 2, 6), 3);
    assert_memory_equal(text, "query", 5);
    assert_int_equal(tls_receive(pair.server, text, 8), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(tls_send(pair.server, "answer", 6), 6);
    assert_int_equal(SSL_read(pair.client, text, 8), 6); // and the ticket before it
    return pair;
}

// What the client may resume with; the pair ends, politely.
static SSL_SESSION *part(struct pair *pair)
{
    SSL_SESSION *session = SSL_get1_session(pair->client);
    SSL_shutdown(pair->client);
    char text[8];
    assert_int_equal(tls_receive(pair->server, text, 8), 0);
    tls_end(pair->server);
    SSL_free(pair->client);
    close(pair->fds[0]);
    close(pair->fds[1]);
    return session;
}

static struct tls *tls_ready(void)
{
    struct diags diags = {0};
    struct tls *tls = tls_new(&fake_clock);
    assert_null(tls_accept(tls, 0)); // no certificate yet
    struct tls_certificate *certificate = tls_certificate_read(chain_path, key_path, &diags);
    assert_non_null(certificate);
    tls_use(tls, certificate);
    return tls;
}

// Whether a session resumes at that time; the one that follows from it is stored.
static bool resumes(struct tls *tls, SSL_CTX *context, SSL_SESSION *session, int64_t at_s,
                    SSL_SESSION **next)
{
    now_ns = at_s * NS_PER_SECOND;
    struct pair pair = meet(tls, context, session);
    bool resumed = tls_is_resumed(pair.server);
    *next = part(&pair);
    return resumed;
}

static void test_ticket_keys(void **state)
{
    (void)state;
    enum { LIFE = TLS_TICKET_KEY_LIFE_S };
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        struct tls *tls = tls_ready();
        SSL_CTX *context = client_context(versions[i]);
        SSL_SESSION *first, *second, *third, *lost;
        assert_false(resumes(tls, context, NULL, 1000, &first));
        // Within the life of the key, then in the next life, where the ticket is renewed.
        SSL_SESSION *same;
        assert_true(resumes(tls, context, first, 1000 + LIFE - 1, &same));
        assert_true(resumes(tls, context, first, 1000 + LIFE + 1, &second));
        assert_true(resumes(tls, context, first, 1000 + 2 * LIFE - 1, &third));
        // The first key is gone now; what it had sealed opens no more, what was renewed does.
        assert_false(resumes(tls, context, first, 1000 + 2 * LIFE + 2, &lost));
        SSL_SESSION_free(lost);
        assert_true(resumes(tls, context, second, 1000 + 2 * LIFE + 3, &lost));
        SSL_SESSION_free(lost);
        // After a long silence no key is left.
        assert_false(resumes(tls, context, third, 1000 + 10 * LIFE, &lost));
        // Nor is the last one, though no other has come between.
        SSL_SESSION *late;
        assert_false(resumes(tls, context, lost, 1000 + 12 * LIFE, &late));
        SSL_SESSION *const all[] = {first, same, second, third, lost, late};
        for (size_t j = 0; j < ARRAY_SIZE(all); j++) {
            SSL_SESSION_free(all[j]);
        }
        SSL_CTX_free(context);
        tls_free(tls);
    }
}

// Another server's tickets, and changed ones, are no error: a full handshake follows.
static void test_foreign_tickets(void **state)
{
    (void)state;
    struct tls *ours = tls_ready(), *theirs = tls_ready();
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    SSL_SESSION *session, *next;
    assert_false(resumes(theirs, context, NULL, 1000, &session));
    assert_false(resumes(ours, context, session, 1001, &next));
    SSL_SESSION_free(session);
    SSL_SESSION_free(next);
    SSL_CTX_free(context);
    tls_free(ours);
    tls_free(theirs);
}

// Sessions that run when the certificate changes go on with the old one.
static void test_change_of_certificate(void **state)
{
    (void)state;
    struct tls *tls = tls_ready();
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    struct pair pair = meet(tls, context, NULL);
    struct diags diags = {0};
    tls_use(tls, tls_certificate_read(chain_path, key_path, &diags));
    char text[8];
    assert_int_equal(tls_send(pair.server, "more", 4), 4);
    assert_int_equal(SSL_read(pair.client, text, 8), 4);
    SSL_SESSION *session = part(&pair), *next;
    assert_true(resumes(tls, context, session, 1000, &next));
    SSL_SESSION_free(session);
    SSL_SESSION_free(next);
    SSL_CTX_free(context);
    tls_free(tls);
}

// A peer that does not read: what was taken, was; the rest is given again and arrives whole.
static void test_blocked(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    static char sent[SIZE], received[SIZE];
    for (size_t i = 0; i < SIZE; i++) {
        sent[i] = (char)(i * 31 >> 3);
    }
    struct tls *tls = tls_ready();
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    struct pair pair = meet(tls, context, NULL);
    size_t out = 0, in = 0, stops = 0;
    while (in < SIZE) {
        char *copy = mem_copy(sent + out, SIZE - out); // from another place each time
        ssize_t taken = out < SIZE ? tls_send(pair.server, copy, SIZE - out) : 0;
        free(copy);
        assert_true(taken >= 0 || errno == EAGAIN);
        stops += taken < (ssize_t)(SIZE - out);
        out += taken > 0 ? (size_t)taken : 0;
        for (int got; (got = SSL_read(pair.client, received + in, SIZE)) > 0;) {
            in += (size_t)got;
        }
    }
    assert_int_equal(out, SIZE);
    assert_true(stops > 1);
    assert_memory_equal(sent, received, SIZE);
    SSL_SESSION_free(part(&pair));
    SSL_CTX_free(context);
    tls_free(tls);
}

// A client that demands new keys and never reads the answer to that: reading stops for want of room
// to send, and says so, for the socket goes on being readable.
static void test_demanding_client(void **state)
{
    (void)state;
    struct tls *tls = tls_ready();
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    struct pair pair = meet(tls, context, NULL);
    char text[8];
    unsigned demands = 0, waiting = 0;
    while (waiting == 0) {
        assert_true(demands++ < 1000000);
        assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(pair.client), 1);
        assert_int_equal(tls_receive(pair.server, text, sizeof(text)), -1);
        assert_int_equal(errno, EAGAIN);
        waiting += tls_waits_for_room(pair.server);
    }
    print_message("%u demands\n", demands);
    // The client reads, and all goes on.
    assert_int_equal(SSL_write(pair.client, "query", 5), 5);
    ssize_t got = -1;
    while (got < 0) {
        assert_int_equal(SSL_read(pair.client, text, sizeof(text)), -1);
        got = tls_receive(pair.server, text, sizeof(text));
    }
    assert_int_equal(got, 5);
    assert_false(tls_waits_for_room(pair.server));
    SSL_SESSION_free(part(&pair));
    SSL_CTX_free(context);
    tls_free(tls);
}

static unsigned tickets;

static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    (void)session;
    tickets++;
    return 0; // the session stays OpenSSL's
}

// One ticket a handshake, good for as long as keys live; and an end that is no cut: who reads on
// knows that nothing is missing (RFC 8446, 6.1).
static void test_ticket_and_goodbye(void **state)
{
    (void)state;
    struct tls *tls = tls_ready();
    SSL_CTX *context = client_context(TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
    tickets = 0;
    struct pair pair = meet(tls, context, NULL);
    assert_int_equal(tickets, 1);
    assert_int_equal(SSL_SESSION_get_ticket_lifetime_hint(SSL_get0_session(pair.client)),
                     2 * TLS_TICKET_KEY_LIFE_S);
    tls_end(pair.server);
    close(pair.fds[0]);
    char text[8];
    int got = SSL_read(pair.client, text, sizeof(text));
    assert_int_equal(SSL_get_error(pair.client, got), SSL_ERROR_ZERO_RETURN);
    SSL_free(pair.client);
    close(pair.fds[1]);
    SSL_CTX_free(context);
    tls_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faulty_pairs),
        cmocka_unit_test(test_ticket_keys),
        cmocka_unit_test(test_foreign_tickets),
        cmocka_unit_test(test_change_of_certificate),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_demanding_client),
        cmocka_unit_test(test_ticket_and_goodbye),
    };
    return cmocka_run_group_tests_name("net/tls", tests, setup, teardown);
}
