// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole reads and writes over a pipe, which takes and gives in pieces, and files that change.
#include "base/file.h"

#include "base/memory.h"
#include "base/text_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 1 << 20 };

static uint8_t *numbers(void)
{
    uint8_t *bytes = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i * 7 >> 3);
    }
    return bytes;
}

struct writing {
    int fd;
    const uint8_t *bytes;
    bool good;
};

static void *write_out(void *argument)
{
    struct writing *writing = argument;
    writing->good = file_write_all(writing->fd, writing->bytes, SIZE);
    close(writing->fd);
    return NULL;
}

static void test_pieces(void **state)
{
    (void)state;
    int ends[2];
    pthread_t writer;
    uint8_t *bytes = numbers(), *got = mem_alloc(SIZE), byte;
    assert_int_equal(pipe(ends), 0);
    struct writing writing = {.fd = ends[1], .bytes = bytes};
    assert_int_equal(pthread_create(&writer, NULL, write_out, &writing), 0);
    assert_true(file_read_all(ends[0], got, SIZE));
    assert_memory_equal(got, bytes, SIZE);
    errno = 0;
    assert_false(file_read_all(ends[0], &byte, 1)); // it ends
    assert_int_equal(errno, EIO);
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_true(writing.good);
    close(ends[0]);
    free(got);
    free(bytes);
}

static void test_errors(void **state)
{
    (void)state;
    int ends[2];
    uint8_t byte = 0;
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_false(file_write_all(ends[1], &byte, 1));
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
    assert_false(file_read_all(ends[1], &byte, 1));
    assert_int_equal(errno, EBADF);
    assert_true(file_read_all(-1, NULL, 0)); // nothing is asked for
}

static void test_changes(void **state)
{
    (void)state;
    struct stat before;
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(file_write_all(fd, "zone", 4));
    assert_int_equal(fstat(fd, &before), 0);
    assert_true(file_is_unchanged(fd, &before));
    assert_true(file_write_all(fd, "s", 1));
    assert_false(file_is_unchanged(fd, &before)); // its size
    assert_int_equal(fstat(fd, &before), 0);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(futimens(fd, times), 0);
    assert_false(file_is_unchanged(fd, &before)); // its time
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
