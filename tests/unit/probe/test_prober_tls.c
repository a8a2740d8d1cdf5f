// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTPS probes against openssl's own server, with certificates made for the occasion: a chain that
// is good, a name that does not match, a signer that nobody knows, a certificate that has expired.
#include "prober_bench.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static char folder[] = "/tmp/signpost-tls-XXXXXX";

static void run(const char *command)
{
    char line[1000];
    snprintf(line, sizeof(line), "cd %s && { %s; } >log 2>&1 || { cat log >&2; false; }", folder,
             command);
    assert_int_equal(system(line), 0);
}

static int make_certificates(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    const char *const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    char line[600];
    static const char *const files[][2] = {
        {"ca", "-x509 -subj /CN=Test-CA -addext basicConstraints=critical,CA:TRUE"},
        {"other", "-x509 -subj /CN=Other-CA -addext basicConstraints=critical,CA:TRUE"},
        {"self", "-x509 -subj /CN=www.example.com -addext subjectAltName=DNS:www.example.com"},
        {"good", "-CA ca.pem -CAkey ca.key -subj /CN=good "
                 "-addext subjectAltName=DNS:www.example.com,IP:127.0.0.1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(line, sizeof(line), "openssl req %s %s -keyout %s.key -out %s.pem", files[i][1],
                 key, files[i][0], files[i][0]);
        run(line);
    }
    snprintf(line, sizeof(line), "openssl req %s -subj /CN=old -keyout old.key -out old.csr", key);
    run(line);
    run("echo subjectAltName=DNS:www.example.com >ext; openssl x509 -req -in old.csr -CA ca.pem "
        "-CAkey ca.key -CAcreateserial -days -1 -extfile ext -out old.pem");
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    run("rm -f ./*.pem ./*.key ./*.csr ./*.srl ext");
    char line[100];
    snprintf(line, sizeof(line), "rm -r %s", folder);
    return system(line);
}

static const char *file(const char *name)
{
    static char path[2][100];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
    return path[turn];
}

struct tls_server {
    pid_t pid;
    uint16_t port;
};

// `openssl s_server -www`, which answers every request with 200. With SNI www.example.com it shows
// `named`, else `otherwise`.
static struct tls_server tls_start(const char *otherwise, const char *named)
{
    char line[600], output[2000];
    int pipes[2];
    struct tls_server server = {0};
    snprintf(line, sizeof(line),
             "cd %s && exec openssl s_server -accept 127.0.0.1:0 -www -servername www.example.com "
             "-cert %s.pem -key %s.key -cert2 %s.pem -key2 %s.key 2>&1",
             folder, otherwise, otherwise, named, named);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, line, NULL};
    assert_int_equal(posix_spawn(&server.pid, "/bin/sh", &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    size_t size = 0;
    while (server.port == 0) {
        ssize_t got = read(pipes[0], output + size, sizeof(output) - 1 - size);
        if (got <= 0) {
            fail_msg("openssl s_server did not start: %.*s", (int)size, output);
        }
        size += (size_t)got;
        output[size] = '\0';
        const char *said = strstr(output, "ACCEPT 127.0.0.1:");
        if (said && strchr(said, '\n')) {
            server.port = (uint16_t)strtoul(said + strlen("ACCEPT 127.0.0.1:"), NULL, 10);
        }
    }
    close(pipes[0]);
    return server;
}

static void tls_stop(struct tls_server *server)
{
    kill(server->pid, SIGTERM);
    waitpid(server->pid, NULL, 0);
}

static struct check_spec https_spec(uint16_t port, const char *host, const char *ca_path)
{
    struct check_spec spec = http_spec(port);
    spec.kind = CHECK_HTTPS;
    spec.host = host;
    spec.ca_path = ca_path;
    return spec;
}

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

static void chain_and_name_are_verified(void **state)
{
    (void)state;
    static const struct {
        const char *host, *anchors;
        bool verify;
        enum probe_reason result;
        const char *detail;
    } rows[] = {
        {"www.example.com", "ca.pem", true, PROBE_OK, "HTTP 200"},
        {NULL, "ca.pem", true, PROBE_OK, "HTTP 200"}, // the certificate covers 127.0.0.1
        {"www.example.net", "ca.pem", true, PROBE_L6_NAME, "does not cover www.example.net"},
        {"example.com", "ca.pem", true, PROBE_L6_NAME, "does not cover example.com"},
        {"www.example.com", "other.pem", true, PROBE_L6_CERTIFICATE, "certificate"},
        {"www.example.com", NULL, true, PROBE_L6_CERTIFICATE, "certificate"},
        {"www.example.net", NULL, false, PROBE_OK, "HTTP 200"},
        {"www.example.com", "missing.pem", true, PROBE_LOCAL_ERROR, ""},
    };
    struct tls_server server = tls_start("good", "good");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct check_spec spec =
            https_spec(server.port, rows[i].host, rows[i].anchors ? file(rows[i].anchors) : NULL);
        spec.verify = rows[i].verify;
        expect(&spec, rows[i].result, rows[i].detail);
    }
    tls_stop(&server);
}

static void self_signed_is_refused(void **state)
{
    (void)state;
    struct tls_server server = tls_start("self", "self");
    struct check_spec spec = https_spec(server.port, "www.example.com", file("ca.pem"));
    expect(&spec, PROBE_L6_CERTIFICATE, "self");
    spec.ca_path = NULL;
    expect(&spec, PROBE_L6_CERTIFICATE, "self");
    spec.ca_path = file("self.pem"); // unless it is the anchor
    expect(&spec, PROBE_OK, "HTTP 200");
    tls_stop(&server);
}

static void expired_is_refused(void **state)
{
    (void)state;
    struct tls_server server = tls_start("old", "old");
    struct check_spec spec = https_spec(server.port, "www.example.com", file("ca.pem"));
    expect(&spec, PROBE_L6_EXPIRED, "expired");
    struct outcome outcome = probe_address("127.0.0.1", &spec); // and since when is told
    assert_int_equal(outcome.result, PROBE_L6_EXPIRED);
    assert_true(outcome.has_certificate);
    assert_in_range(-outcome.certificate_days, 1, 2);
    tls_stop(&server);
}

static void the_name_is_sent(void **state)
{
    (void)state;
    struct tls_server server = tls_start("self", "good");
    struct check_spec spec = https_spec(server.port, "www.example.com", file("ca.pem"));
    expect(&spec, PROBE_OK, "HTTP 200");
    spec.host = NULL;
    expect(&spec, PROBE_L6_CERTIFICATE, "");
    tls_stop(&server);
}

static void what_is_not_tls_is_told(void **state)
{
    (void)state;
    struct server *plain = server_start(ANSWER, "HTTP/1.1 400 Bad Request\r\n\r\n");
    struct check_spec spec = https_spec(plain->port, "www.example.com", NULL);
    expect(&spec, PROBE_L6_HANDSHAKE, "");
    server_stop(plain);
    struct server *silent = server_start(HOLD, NULL);
    spec.port = silent->port;
    expect_timeout(&spec, PROBE_L6_TIMEOUT, "no TLS handshake");
    server_stop(silent);
    struct tls_server server = tls_start("good", "good");
    spec = http_spec(server.port); // and the other way round
    struct outcome outcome = probe_address("127.0.0.1", &spec);
    assert_true(outcome.result == PROBE_L7_INVALID || outcome.result == PROBE_L7_STATUS ||
                outcome.result == PROBE_L7_CLOSED);
    tls_stop(&server);
}

// The system's anchors take 40 ms to parse: not once a probe, also when checks with anchors of
// their own come between.
static void anchors_are_parsed_once(void **state)
{
    (void)state;
    enum { PROBES = 20 };
    struct tls_server server = tls_start("good", "good");
    struct check_spec theirs = https_spec(server.port, "www.example.com", NULL);
    struct check_spec own = https_spec(server.port, "www.example.com", file("ca.pem"));
    clock_t begin = clock();
    expect(&theirs, PROBE_L6_CERTIFICATE, "certificate");
    double first = (double)(clock() - begin) / CLOCKS_PER_SEC;
    begin = clock();
    for (int i = 0; i < PROBES; i++) {
        expect(&own, PROBE_OK, "HTTP 200");
        expect(&theirs, PROBE_L6_CERTIFICATE, "certificate");
    }
    double others = (double)(clock() - begin) / CLOCKS_PER_SEC / PROBES;
    print_message("CPU: first %.1f ms, then %.1f ms for a pair\n", first * 1e3, others * 1e3);
    assert_true(others < 0.02);
    tls_stop(&server);
}

#define LOOP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOP_TEST(chain_and_name_are_verified), LOOP_TEST(self_signed_is_refused),
        LOOP_TEST(expired_is_refused),          LOOP_TEST(the_name_is_sent),
        LOOP_TEST(what_is_not_tls_is_told),     LOOP_TEST(anchors_are_parsed_once),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
