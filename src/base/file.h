// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is done with every open file: all of it is read, all is written, and who read it wants to
// know that nobody wrote to it meanwhile. Any thread.
#pragma once

#include "base/base.h"

#include <sys/stat.h>

// `size` bytes, however many calls it takes. False with errno; EIO when the file ends before.
bool file_read_all(int fd, void *bytes, size_t size);
bool file_write_all(int fd, const void *bytes, size_t size);

// Whether the file has the size and the time that it had `before`.
bool file_is_unchanged(int fd, const struct stat *before);
#define FILE_CHANGED_TEXT "changed while it was being read; write a new file and rename it"
