// SPDX-License-Identifier: GPL-3.0-or-later
//
// The UDP side of one data thread. Worker only.
#pragma once

#include "net/responder.h"

struct udp_socket {
    int fd;        // -1: none
    bool wildcard; // answers must leave from the address that was asked
};

// Queries that are read at once. More cost more: what the kernel holds for them leaves its caches.
enum { UDP_BATCH_MAX = 48 };

// The buffers of one thread, shared by its sockets.
struct udp_batch;
// The caller's.
struct udp_batch *udp_batch_new(void);
void udp_batch_free(struct udp_batch *batch); // NULL allowed

// Reads what waits on the socket, a batch at a time, answers and sends. Returns when little is left
// or when other descriptors should have their turn. Passes a quiescent state after each batch.
void udp_serve(struct udp_batch *batch, const struct udp_socket *socket,
               const struct responder *responder);
