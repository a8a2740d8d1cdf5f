// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the targets share. A target is one file with LLVMFuzzerTestOneInput: libFuzzer calls it with
// bytes of its own making (-Dfuzzers=true), replay.c with those of the corpus in every test run.
// Beyond the sanitizers, each target asserts its invariants with SP_ASSERT.
#pragma once

#include "base/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// libfyaml forgets the buffer of a quoted scalar that ends in a syntax error: its own leak, a few
// hundred octets a refused document. libmaxminddb 1.7 forgets some memory when it refuses metadata.
// Read by the leak sanitizer; nobody else calls it.
const char *__lsan_default_suppressions(void);

__attribute__((weak)) const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so\nleak:libmaxminddb.so";
}

// The bytes as a file without a name; its path. Valid until the next call.
static inline const char *fuzz_file(const void *data, size_t size)
{
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        SP_ASSERT(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    }
    SP_ASSERT(ftruncate(fd, 0) == 0);
    SP_ASSERT(pwrite(fd, data, size, 0) == (ssize_t)size);
    return path;
}
