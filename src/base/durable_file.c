// SPDX-License-Identifier: GPL-3.0-or-later
//
// Owns the temporary file for the length of one call, and removes it where the call fails; nothing
// is kept between calls. Commands write output files with it, the server its states and ramps.
#include "base/durable_file.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0755, STATE_MODE = 0600 };

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

// Whoever could read the old file can read the new one, and nobody else. Not every file system has
// owners, and not everybody may give files away: then it is ours.
static bool access_copy(int fd, const char *path)
{
    struct stat old;
    if (stat(path, &old) != 0) {
        return errno == ENOENT;
    }
    (void)!fchown(fd, old.st_uid, old.st_gid);
    return fchmod(fd, old.st_mode & 0777) == 0;
}

// With the access of the file `like`; NULL: that of `mode` alone.
static bool fill(const char *fresh, const char *like, unsigned mode, const char *bytes, size_t size)
{
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return false;
    }
    bool good = (like == NULL || access_copy(fd, like)) && file_write_all(fd, bytes, size) &&
                fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && good) {
        return false;
    }
    errno = error;
    return good;
}

static bool folder_sync(const char *path, struct diags *diags)
{
    char *folder = folder_of(path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = (fd >= 0 && fsync(fd) == 0) || refuse(diags, folder, "sync", errno);
    if (fd >= 0) {
        close(fd);
    }
    free(folder);
    return good;
}

static bool write_over(const char *path, const char *like, unsigned mode, const char *bytes,
                       size_t size, struct diags *diags)
{
    char *fresh = mem_printf("%s.new", path);
    bool good = fill(fresh, like, mode, bytes, size) && rename(fresh, path) == 0;
    if (good) {
        good = folder_sync(path, diags);
    } else {
        refuse(diags, path, "write", errno);
        unlink(fresh);
    }
    free(fresh);
    return good;
}

bool durable_file_write(const char *path, unsigned mode, const char *bytes, size_t size,
                        struct diags *diags)
{
    return write_over(path, path, mode, bytes, size, diags);
}

bool durable_state_write(const char *path, const char *bytes, size_t size, struct diags *diags)
{
    char *folder = folder_of(path);
    bool good = mkdir(folder, FOLDER_MODE) == 0 || errno == EEXIST ||
                refuse(diags, folder, "make the folder", errno);
    free(folder);
    return good && write_over(path, NULL, STATE_MODE, bytes, size, diags);
}
