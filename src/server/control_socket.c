// SPDX-License-Identifier: GPL-3.0-or-later
//
// Opens the control socket; called once at the start, on the control thread.
//
// It never takes the socket of a server that runs, never removes a file that is no socket, and the
// file is at no moment open to more than its owner and group.
#include "server/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, SOCKET_MODE = 0660, FOLDER_MODE = 0755 };

static bool refuse(struct diags *diags, const char *path, const char *reason)
{
    diags_error(diags, (struct place){0}, "control", "cannot listen on %s: %s", path, reason);
    return false;
}

static bool folder_make(const char *path, struct diags *diags)
{
    char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return true;
    }
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    if (mkdir(folder, FOLDER_MODE) == 0 || errno == EEXIST) {
        return true;
    }
    diags_error(diags, (struct place){0}, "control", "cannot make the folder %s: %s", folder,
                strerror(errno));
    return false;
}

// Makes way when a server that ended badly left its socket behind.
static bool stale_remove(const char *path, const struct sockaddr_un *to, struct diags *diags)
{
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT || refuse(diags, path, strerror(errno));
    }
    if (!S_ISSOCK(status.st_mode)) {
        return refuse(diags, path, "a file that is no socket is in the way");
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return refuse(diags, path, strerror(errno));
    }
    int error = connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ? 0 : errno;
    close(fd);
    if (error != ECONNREFUSED) {
        // 0, or EAGAIN for a full backlog: somebody is there. EACCES: we may not know.
        bool there = error == 0 || error == EAGAIN;
        return refuse(diags, path, there ? "another server listens there" : strerror(error));
    }
    return unlink(path) == 0 || refuse(diags, path, strerror(errno));
}

bool control_socket_open(struct control_socket *control, const char *path, struct diags *diags)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct stat status;
    if (strlen(path) >= sizeof(to.sun_path)) {
        return refuse(diags, path, "the path is too long for a Unix socket");
    }
    memcpy(to.sun_path, path, strlen(path));
    if (!folder_make(path, diags) || !stale_remove(path, &to, diags)) {
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // The mode of the descriptor is that of the file to come; the umask may take bits away, which
    // chmod gives back.
    if (fd < 0 || fchmod(fd, SOCKET_MODE) != 0 ||
        bind(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 || chmod(path, SOCKET_MODE) != 0 ||
        listen(fd, BACKLOG) != 0 || lstat(path, &status) != 0) {
        refuse(diags, path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    *control = (struct control_socket){fd, path, status.st_dev, status.st_ino};
    return true;
}

void control_socket_remove(const struct control_socket *control)
{
    struct stat status;
    if (lstat(control->path, &status) == 0 && status.st_dev == control->device &&
        status.st_ino == control->inode) {
        unlink(control->path);
    }
}
