// SPDX-License-Identifier: GPL-3.0-or-later
#include "server/notify.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t path_size = path == NULL ? 0 : strlen(path);
    if (path_size < 2 || path_size >= sizeof(to.sun_path) || (*path != '/' && *path != '@')) {
        return false;
    }
    memcpy(to.sun_path, path, path_size);
    if (*path == '@') { // the abstract namespace: a zero byte in front, and no zero byte behind
        to.sun_path[0] = '\0';
    }
    socklen_t to_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_size);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, to_size);
    close(fd);
    return sent == (ssize_t)strlen(state);
}

bool notify_reloading(int64_t monotonic_ns)
{
    char state[64];
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)(monotonic_ns / 1000));
    return notify_send(state);
}
