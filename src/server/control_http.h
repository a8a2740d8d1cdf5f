// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct control: HTTP on the control socket, inside the control loop.
#pragma once

#include "api/api.h"
#include "server/control_socket.h"

#include <uv.h>

enum {
    CONTROL_BODY_MAX = 1 << 20,
    CONTROL_HEADERS_MAX = 64,
    CONTROL_HEADER_BYTES_MAX = 16 << 10,
    CONTROL_PARAMS_MAX = 32,
    CONTROL_CLIENTS_MAX = 64,
    CONTROL_IDLE_SECONDS = 30,
};

struct control;

// Serves on the bound socket, which it takes. `backend` must outlive it. NULL with an error in
// `diags`. Control thread, like all of it.
struct control *control_new(uv_loop_t *loop, const struct control_socket *socket,
                            const struct api_backend *backend, struct diags *diags);
// Every answer that is still owed must have been given (api_respond called). Closes all connections
// and the socket, removes its file; the memory goes when the loop has closed the handles. NULL
// allowed.
void control_free(struct control *control);
