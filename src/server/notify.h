// SPDX-License-Identifier: GPL-3.0-or-later
//
// What systemd is told (sd_notify(3)): assignments, one a line, in a datagram to $NOTIFY_SOCKET.
#pragma once

#include "base/base.h"

// Sends "READY=1" and the like. False when nobody asked (no $NOTIFY_SOCKET) or it could not be
// sent; nothing depends on it. Control thread.
bool notify_send(const char *state);
// "RELOADING=1" with the moment, as Type=notify-reload wants.
bool notify_reloading(int64_t monotonic_ns);
