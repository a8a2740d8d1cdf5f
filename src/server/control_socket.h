// SPDX-License-Identifier: GPL-3.0-or-later
//
// The Unix socket of the control API: who may open it is decided by the file system (mode 0660).
#pragma once

#include "base/diag.h"

#include <sys/types.h>

struct control_socket {
    int fd;
    const char *path; // borrowed
    dev_t device;     // of the file, so that only our own is removed
    ino_t inode;
};

// Binds and listens. A socket file that nobody listens on any more is replaced; the folder is made
// when it is missing. False with one clear error in `diags`.
bool control_socket_open(struct control_socket *control, const char *path, struct diags *diags);
// Removes the file. The descriptor belongs to whoever accepts on it.
void control_socket_remove(const struct control_socket *control);
