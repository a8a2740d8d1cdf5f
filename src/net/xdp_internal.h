// SPDX-License-Identifier: GPL-3.0-or-later
//
// The inside of an XDP socket, for xdp_open.c (makes and ends it) and xdp.c (serves it).
#pragma once

#include "net/frame.h"
#include "net/xdp.h"

#include <xdp/xsk.h>

enum {
    XDP_FRAME_SIZE = 2048,
    XDP_FRAME_MASK = XDP_FRAME_SIZE - 1,
    XDP_RECEIVE_RING = 2048,
    XDP_SEND_RING = 1024,
    // As many frames as the fill ring has places (see xdp.c).
    XDP_FRAMES = 4096,
    // Words may be read past the last frame's payload.
    XDP_MEMORY_SIZE = XDP_FRAMES * XDP_FRAME_SIZE,
};

struct xdp_socket {
    struct event_source source; // SOURCE_XDP
    struct xsk_socket *socket;
    struct xsk_umem *umem;
    uint8_t *memory;
    struct xsk_ring_prod fill, send;
    struct xsk_ring_cons receive, complete;
    unsigned sending; // frames in the send ring or with the kernel
    uint16_t next_id; // IPv4 identification
    struct xdp_counters counters;
    // The batch at hand: message i came in the frame at addresses[i].
    uint64_t addresses[ANSWER_BATCH_MAX];
    struct frame frames[ANSWER_BATCH_MAX];
    struct message messages[ANSWER_BATCH_MAX];
};
