// SPDX-License-Identifier: GPL-3.0-or-later
//
// What systemd hears: datagrams on a socket with a path and on one in the abstract namespace.
#include "server/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listener_open(const char *name, size_t size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    memcpy(at.sun_path, name, size);
    socklen_t at_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, at_size), 0);
    return fd;
}

static void assert_heard(int fd, const char *expected)
{
    char text[256];
    ssize_t size = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    assert_string_equal(text, expected);
    assert_int_equal(recv(fd, text, sizeof(text), 0), -1); // one datagram only
}

static void test_path(void **state)
{
    (void)state;
    char path[] = "/tmp/signpost-notify-XXXXXX";
    assert_non_null(mkdtemp(path));
    char name[64];
    snprintf(name, sizeof(name), "%s/socket", path);
    int fd = listener_open(name, strlen(name));
    setenv("NOTIFY_SOCKET", name, 1);
    assert_true(notify_send("READY=1"));
    assert_heard(fd, "READY=1");
    assert_true(notify_reloading(1234567890123456LL));
    assert_heard(fd, "RELOADING=1\nMONOTONIC_USEC=1234567890123");
    close(fd);
    assert_false(notify_send("READY=1")); // the listener has gone
    unlink(name);
    assert_false(notify_send("READY=1"));
    rmdir(path);
}

static void test_abstract(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof(name), "@signpost-notify-test-%ld", (long)getpid());
    char bound[64];
    memcpy(bound, name, sizeof(name));
    bound[0] = '\0';
    int fd = listener_open(bound, strlen(name));
    setenv("NOTIFY_SOCKET", name, 1);
    assert_true(notify_send("STOPPING=1"));
    assert_heard(fd, "STOPPING=1");
    close(fd);
}

static void test_nobody_asked(void **state)
{
    (void)state;
    char endless[300];
    memset(endless, 'a', sizeof(endless));
    endless[0] = '/';
    endless[sizeof(endless) - 1] = '\0';
    unsetenv("NOTIFY_SOCKET");
    assert_false(notify_send("READY=1"));
    const char *const wrong[] = {"", "/", "relative/path", "vsock:2:1", endless};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        setenv("NOTIFY_SOCKET", wrong[i], 1);
        assert_false(notify_send("READY=1"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_abstract),
        cmocka_unit_test(test_nobody_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
