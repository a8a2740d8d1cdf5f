// SPDX-License-Identifier: GPL-3.0-or-later
//
// The control socket and HTTP on it: a client in a thread of its own against the real loop, with a
// fake backend behind.
#include "../fake_backend.h"

#include "server/control_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[] = "/tmp/signpost-control-XXXXXX";
static char path[80];

enum { REPLY_MAX = 65536 };

// One request, sent as it is; the reply up to the end of the connection.
struct client {
    const char *request;
    size_t request_size;
    char reply[REPLY_MAX];
    uv_async_t *done;
};

static void *client_main(void *context)
{
    struct client *client = context;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t used = 0;
    ssize_t size;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        for (size_t sent = 0; sent < client->request_size; sent += (size_t)size) {
            size = send(fd, client->request + sent, client->request_size - sent, MSG_NOSIGNAL);
            if (size <= 0) {
                break;
            }
        }
        while (used < REPLY_MAX - 1 &&
               (size = recv(fd, client->reply + used, REPLY_MAX - 1 - used, 0)) > 0) {
            used += (size_t)size;
        }
    }
    client->reply[used] = '\0';
    close(fd);
    uv_async_send(client->done);
    return NULL;
}

struct scene {
    uv_loop_t loop;
    uv_async_t done;
    uv_timer_t timer;
    struct fake fake;
    struct api_backend backend;
    struct control *control;
};

static void on_done(uv_async_t *async)
{
    struct scene *scene = async->data;
    uv_stop(&scene->loop);
}

// Ends the reloads that the fake holds, a while after they were asked for: the timer goes on, for
// who asks may be late.
static void on_timer(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    struct diags none = {0};
    const struct api_reload_result result = {.taken = true, .diags = &none, .generation = 99};
    fake_reloads_end(&scene->fake, &result);
}

static void scene_open(struct scene *scene)
{
    struct diags diags = {0};
    struct control_socket control;
    *scene = (struct scene){0};
    scene->backend = fake_backend(&scene->fake);
    assert_int_equal(uv_loop_init(&scene->loop), 0);
    uv_async_init(&scene->loop, &scene->done, on_done);
    uv_timer_init(&scene->loop, &scene->timer);
    scene->done.data = scene;
    scene->timer.data = scene;
    assert_true(control_socket_open(&control, path, &diags));
    scene->control = control_new(&scene->loop, &control, &scene->backend, &diags);
    assert_non_null(scene->control);
}

static void scene_close(struct scene *scene)
{
    control_free(scene->control);
    uv_close((uv_handle_t *)&scene->done, NULL);
    uv_close((uv_handle_t *)&scene->timer, NULL);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&scene->loop), 0);
    assert_int_equal(access(path, F_OK), -1);
}

static struct client client;

static const char *ask_bytes(struct scene *scene, const char *request, size_t size)
{
    pthread_t thread;
    client.request = request;
    client.request_size = size;
    client.done = &scene->done;
    assert_int_equal(pthread_create(&thread, NULL, client_main, &client), 0);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    return client.reply;
}

static const char *ask(struct scene *scene, const char *request)
{
    return ask_bytes(scene, request, strlen(request));
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void assert_status(const char *reply, unsigned status)
{
    unsigned found = 0;
    sscanf(reply, "HTTP/1.1 %u", &found);
    if (found != status) {
        fail_msg("expected status %u in: %.200s", status, reply);
    }
}

static void test_requests(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    const char *reply = ask(&scene, "GET /v1/status HTTP/1.1\r\n" CLOSE "\r\n");
    assert_status(reply, 200);
    assert_non_null(strstr(reply, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(reply, "\r\n\r\n{\n  \"fake\": \"status\"\n}\n"));
    reply = ask(&scene, "HEAD /v1/status HTTP/1.1\r\n" CLOSE "\r\n");
    assert_status(reply, 200);
    assert_null(strstr(reply, "fake"));
    reply = ask(&scene, "DELETE /v1/status HTTP/1.1\r\n" CLOSE "\r\n");
    assert_status(reply, 405);
    assert_non_null(strstr(reply, "\r\nAllow: GET, HEAD\r\n"));
    reply = ask(&scene,
                "GET /v1/explain?name=a%2Eb&client=2001:db8::1&type=TXT HTTP/1.1\r\n" CLOSE "\r\n");
    assert_status(reply, 200);
    assert_non_null(strstr(reply, "\"name\": \"a.b.\""));
    scene_close(&scene);
}

static void test_late_answer(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    uv_timer_start(&scene.timer, on_timer, 100, 100);
    const char *reply =
        ask(&scene, "POST /v1/reload HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n");
    uv_timer_stop(&scene.timer);
    assert_status(reply, 200);
    assert_non_null(strstr(reply, "\"generation\": 99"));
    // The client goes away while it waits: the answer finds nobody, and nothing leaks.
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    static const char request[] = "POST /v1/reload HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
    while (scene.fake.reload_count == 0) {
        uv_run(&scene.loop, UV_RUN_ONCE);
    }
    close(fd);
    on_timer(&scene.timer);
    assert_status(ask(&scene, "GET /v1/status HTTP/1.1\r\n" CLOSE "\r\n"), 200);
    scene_close(&scene);
}

static void test_limits(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    size_t size = 2 << 20, used;
    char *request = malloc(size);
    assert_non_null(request);

    assert_status(
        ask(&scene, "POST /v1/reload HTTP/1.1\r\n" CLOSE "Content-Length: 1048577\r\n\r\n"), 413);
    used = (size_t)snprintf(request, size,
                            "POST /v1/reload HTTP/1.1\r\n" CLOSE
                            "Transfer-Encoding: chunked\r\n\r\n%x\r\n",
                            CONTROL_BODY_MAX + 1);
    memset(request + used, 'x', CONTROL_BODY_MAX + 1);
    used += CONTROL_BODY_MAX + 1;
    used += (size_t)snprintf(request + used, size - used, "\r\n0\r\n\r\n");
    assert_status(ask_bytes(&scene, request, used), 413);
    assert_non_null(strstr(client.reply, "application/problem+json"));
    assert_int_equal(scene.fake.reload_count, 0);

    used = (size_t)snprintf(request, size, "GET /v1/status HTTP/1.1\r\n" CLOSE);
    for (int i = 0; i < CONTROL_HEADERS_MAX; i++) {
        used += (size_t)snprintf(request + used, size - used, "X-%d: y\r\n", i);
    }
    used += (size_t)snprintf(request + used, size - used, "\r\n");
    assert_status(ask_bytes(&scene, request, used), 431);

    used = (size_t)snprintf(request, size, "GET /v1/status?a=0");
    for (int i = 0; i < CONTROL_PARAMS_MAX; i++) {
        used += (size_t)snprintf(request + used, size - used, "&b%d=1", i);
    }
    used += (size_t)snprintf(request + used, size - used, " HTTP/1.1\r\n" CLOSE "\r\n");
    assert_status(ask_bytes(&scene, request, used), 400);
    assert_status(ask(&scene, "GET /v1/explain?name=a%00b HTTP/1.1\r\n" CLOSE "\r\n"), 400);
    free(request);
    scene_close(&scene);
}

// A body in pieces of any size arrives whole; one that is packed is refused before it is read.
static void test_bodies(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    size_t size = 2 << 20, used;
    char *request = malloc(size);
    assert_non_null(request);
    used =
        (size_t)snprintf(request, size,
                         "POST /v1/reload HTTP/1.1\r\n" CLOSE "Content-Type: application/json\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++) {
        used += (size_t)snprintf(request + used, size - used, "%x\r\n%0*d\r\n", 1 + i, 1 + i, i);
    }
    used += (size_t)snprintf(request + used, size - used, "0\r\n\r\n");
    assert_status(ask_bytes(&scene, request, used), 400);
    assert_non_null(strstr(client.reply, "this route takes no body"));
    used = (size_t)snprintf(request, size,
                            "POST /v1/reload HTTP/1.1\r\n" CLOSE
                            "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}");
    assert_status(ask_bytes(&scene, request, used), 415);
    assert_int_equal(scene.fake.reload_count, 0);
    free(request);
    scene_close(&scene);
}

// Bytes that are no HTTP, and connections that end early, leave a server that still answers.
static void test_noise(void **state)
{
    (void)state;
    struct scene scene;
    scene_open(&scene);
    uint64_t random = 20261123;
    print_message("seed 20261123\n");
    for (int i = 0; i < 50; i++) {
        char bytes[512];
        for (size_t j = 0; j < sizeof(bytes); j++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[j] = (char)(random >> 56);
        }
        memcpy(bytes + sizeof(bytes) - 4, "\r\n\r\n", 4);
        ask_bytes(&scene, bytes, sizeof(bytes));
    }
    assert_status(ask(&scene, "GET /v1/status HTTP/1.1\r\n" CLOSE "\r\n"), 200);
    scene_close(&scene);
}

static void assert_refused(const char *at, const char *reason)
{
    struct control_socket control;
    struct diags diags = {0};
    assert_false(control_socket_open(&control, at, &diags));
    assert_int_equal(diags.count, 1);
    assert_non_null(strstr(diags.items[0].message, reason));
    diags_clear(&diags);
}

static void test_socket_file(void **state)
{
    (void)state;
    struct control_socket first, second;
    struct diags diags = {0};
    struct stat status;
    char endless[200], nested[100];
    umask(0077);
    assert_true(control_socket_open(&first, path, &diags));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660);
    assert_refused(path, "another server listens there");
    unlink(path);
    assert_true(control_socket_open(&second, path, &diags));
    control_socket_remove(&first); // not its file any more
    assert_int_equal(access(path, F_OK), 0);
    close(first.fd);
    close(second.fd); // as after a crash: the file stays, nobody listens
    assert_int_equal(access(path, F_OK), 0);
    assert_true(control_socket_open(&first, path, &diags));
    control_socket_remove(&first);
    assert_int_equal(access(path, F_OK), -1);
    close(first.fd);

    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    assert_refused(path, "no socket");
    unlink(path);
    memset(endless, 'x', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    assert_refused(endless, "too long");
    snprintf(nested, sizeof(nested), "%s/a/b/socket", folder);
    assert_refused(nested, "cannot make the folder");
    assert_int_equal(diags.count, 0);
}

static int folder_make(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/run/socket", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "%s/run", folder);
    rmdir(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),    cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_noise),
        cmocka_unit_test(test_socket_file), cmocka_unit_test(test_bodies),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
