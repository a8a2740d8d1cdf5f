// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct xdp_filter: the program in the driver of one network interface that decides which frames
// come to our XDP sockets: whole UDP datagrams to an address and port that we listen on. Everything
// else goes on to the kernel as if we were not there.
//
// Made and ended by the control thread. The kernel takes the program off the interface when the
// process ends, however it ends.
#pragma once

#include "base/address.h"

struct xdp_filter;

// In which way the kernel runs the program: in the driver, or, slower, behind it for any driver.
enum xdp_mode { XDP_MODE_NATIVE, XDP_MODE_GENERIC };
extern const char *const xdp_mode_names[];

// The most receive queues of one interface that are served.
enum { XDP_QUEUES_MAX = 64 };

// Loads the program for these endpoints (no wildcards among them), without attaching it. NULL with
// errno: EPERM without CAP_BPF and CAP_NET_ADMIN.
struct xdp_filter *xdp_filter_new(const struct endpoint *endpoints, size_t count);
void xdp_filter_free(struct xdp_filter *filter); // detaches; NULL allowed

// Frames of this receive queue go to the XDP socket from now on. False with errno.
bool xdp_filter_serve(struct xdp_filter *filter, unsigned queue, int socket_fd);
// Attaches it. False with errno: EOPNOTSUPP when the driver cannot, EBUSY or EEXIST when another
// program is there.
bool xdp_filter_attach(struct xdp_filter *filter, unsigned interface_index, enum xdp_mode mode);
