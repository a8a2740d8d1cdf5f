// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading a document's file: into memory, because a mapped file that is cut short while it is read
// would kill the process, and only if it is text. The YAML library takes bytes that are no UTF-8,
// and NULs, for the end of the file and says nothing: half a zone would be served.
#include "base/text_file.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct text_file {
    const char *path;
    struct diags *diags;
    char *bytes;
    size_t size;
    unsigned size_max_mib;
};

static bool fault(const struct text_file *file, unsigned line, unsigned column, const char *text)
{
    diags_error(file->diags, (struct place){file->path, line, column}, NULL, "%s", text);
    return false;
}

// Octets of the UTF-8 character at `at`; 0 when there is none (RFC 3629) or it is a NUL.
static size_t character_size(const uint8_t *at, size_t left)
{
    if (at[0] < 0x80) {
        return at[0] != 0;
    }
    size_t size = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || size > left) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool outside = (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f);
    return overlong || outside ? 0 : size;
}

static bool text_check(const struct text_file *file)
{
    const uint8_t *bytes = (const uint8_t *)file->bytes;
    unsigned line = 1, column = 1;
    for (size_t at = 0; at < file->size;) {
        size_t size = character_size(bytes + at, file->size - at);
        if (size == 0) {
            return fault(file, line, column,
                         bytes[at] == 0 ? "a NUL; expected text" : "not UTF-8 text");
        }
        bool newline = bytes[at] == '\n';
        line += newline;
        column = newline ? 1 : column + 1;
        at += size;
    }
    return true;
}

static bool file_read(struct text_file *file, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return fault(file, 0, 0, "not a regular file");
    }
    if (status.st_size > (int64_t)file->size_max_mib << 20) {
        char text[64];
        snprintf(text, sizeof(text), "the file is larger than %u MiB", file->size_max_mib);
        return fault(file, 0, 0, text);
    }
    file->size = (size_t)status.st_size;
    file->bytes = mem_resize(NULL, file->size + 1, 1);
    bool good = file_read_all(fd, file->bytes, file->size);
    int error = errno;
    if (!file_is_unchanged(fd, &status)) { // half of a document may be a document
        return fault(file, 0, 0, FILE_CHANGED_TEXT);
    }
    if (!good) {
        return fault(file, 0, 0, strerror(error));
    }
    file->bytes[file->size] = '\0';
    return text_check(file);
}

char *text_file_read(const char *path, unsigned size_max_mib, bool missing_ok, struct diags *diags,
                     size_t *size)
{
    struct text_file file = {.path = path, .diags = diags, .size_max_mib = size_max_mib};
    bool good;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        good = file_read(&file, fd);
        close(fd);
    } else if (errno == ENOENT && missing_ok) {
        file.bytes = mem_alloc(1);
        good = true;
    } else {
        good = fault(&file, 0, 0, strerror(errno));
    }
    if (!good) {
        free(file.bytes);
        return NULL;
    }
    *size = file.size;
    return file.bytes;
}
