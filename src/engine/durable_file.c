// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/durable_file.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0755, FILE_MODE = 0600 };

static bool refuse(struct diags *diags, const char *path, const char *what, int error)
{
    diags_error(diags, (struct place){.file = path}, NULL, "cannot %s: %s", what, strerror(error));
    return false;
}

// The folder of the path in memory of the caller.
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return mem_strdup(".");
    }
    return slash == path ? mem_strdup("/") : mem_printf("%.*s", (int)(slash - path), path);
}

static bool fill(const char *fresh, const char *bytes, size_t size)
{
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
    if (fd < 0) {
        return false;
    }
    bool good = file_write_all(fd, bytes, size) && fsync(fd) == 0;
    int error = errno;
    good = close(fd) == 0 && good;
    errno = good ? errno : error;
    return good;
}

static bool replace(const char *path, const char *folder, const char *fresh, struct diags *diags)
{
    if (rename(fresh, path) != 0) {
        return refuse(diags, path, "rename", errno);
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return refuse(diags, folder, "sync", error);
    }
    close(fd);
    return true;
}

bool durable_file_write(const char *path, const char *bytes, size_t size, struct diags *diags)
{
    char *folder = folder_of(path);
    char *fresh = mem_printf("%s.new", path);
    bool good = true;
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST) {
        good = refuse(diags, folder, "make the folder", errno);
    } else if (!fill(fresh, bytes, size)) {
        good = refuse(diags, fresh, "write", errno);
        unlink(fresh);
    } else {
        good = replace(path, folder, fresh, diags);
    }
    free(fresh);
    free(folder);
    return good;
}
