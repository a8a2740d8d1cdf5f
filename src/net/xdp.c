// SPDX-License-Identifier: GPL-3.0-or-later
//
// The frames of one receive queue, and the four rings that they go round in.
//
// A socket owns its memory, cut into frames of 2 KB. A frame is in exactly one place: in the fill
// ring (the kernel may put a packet there), in the receive ring (we read it), in the send ring (the
// kernel sends it), or in the completion ring (sent: ours again). An answer is written over its
// query, so a frame moves on and is never copied; one without an answer goes straight back to the
// fill ring. There are as many frames as the fill ring has places: it can never be too full to take
// one back, which is what keeps frames from being lost.
//
// The data thread that serves the socket is the only one that touches the rings. Opening and
// closing is the control thread's (xdp_open.c).
#include "net/xdp_internal.h"

#include "net/frame.h"
#include "net/net.h"

#include <errno.h>
#include <sys/socket.h>

enum {
    BATCH_MAX = ANSWER_BATCH_MAX,
    // A batch this full is likely to be followed by more: read again without asking epoll.
    BATCH_BUSY = BATCH_MAX / 4,
    // Batches before other descriptors have their turn.
    ROUNDS_MAX = 32,
    // The kernel copies and sends so many frames a call, at most; more calls than this for a batch
    // mean that the interface is full.
    SEND_CALLS_MAX = 4,
};

_Static_assert((int)XDP_FRAME_SIZE - XDP_PACKET_HEADROOM - FRAME_HEADERS_MAX >=
                   (int)ANSWER_UDP_MAX + (int)PROXY_HEADER_UDP_MAX,
               "an answer fits the frame of its query");

int xdp_socket_fd(const struct xdp_socket *socket)
{
    return xsk_socket__fd(socket->socket);
}

struct event_source *xdp_socket_source(struct xdp_socket *socket)
{
    return &socket->source;
}

struct xdp_socket *xdp_socket_of(struct event_source *source)
{
    return container_of(source, struct xdp_socket, source);
}

const struct xdp_counters *xdp_socket_counters(const struct xdp_socket *socket)
{
    return &socket->counters;
}

static void count(_Atomic uint64_t *counter, unsigned more)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + more, memory_order_relaxed);
}

static uint8_t *frame_bytes(const struct xdp_socket *socket, uint64_t at)
{
    return socket->memory + at;
}

// Gives frames to the kernel to receive into.
static void fill(struct xdp_socket *socket, const uint64_t *frames, unsigned frame_count)
{
    uint32_t at;
    if (frame_count == 0) {
        return;
    }
    unsigned got = xsk_ring_prod__reserve(&socket->fill, frame_count, &at);
    SP_ASSERT(got == frame_count); // as many places as frames
    for (unsigned i = 0; i < frame_count; i++) {
        *xsk_ring_prod__fill_addr(&socket->fill, at + i) = frames[i] & ~(uint64_t)XDP_FRAME_MASK;
    }
    xsk_ring_prod__submit(&socket->fill, frame_count);
    if (xsk_ring_prod__needs_wakeup(&socket->fill)) {
        recvfrom(xdp_socket_fd(socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
    }
}

// Takes back what has been sent.
static void reap(struct xdp_socket *socket)
{
    uint64_t frames[BATCH_MAX];
    uint32_t at;
    unsigned done = xsk_ring_cons__peek(&socket->complete, BATCH_MAX, &at);
    for (unsigned i = 0; i < done; i++) {
        frames[i] = *xsk_ring_cons__comp_addr(&socket->complete, at + i);
    }
    if (done > 0) {
        xsk_ring_cons__release(&socket->complete, done);
        socket->sending -= done;
        fill(socket, frames, done);
    }
}

// Asks the kernel to send what is in the ring. It takes some frames a call, and says EAGAIN or
// EBUSY when there is more.
static void kick(struct xdp_socket *socket)
{
    for (unsigned calls = 0; calls < SEND_CALLS_MAX && socket->sending > 0; calls++) {
        if (!xsk_ring_prod__needs_wakeup(&socket->send)) {
            return;
        }
        ssize_t result = sendto(xdp_socket_fd(socket), NULL, 0, MSG_DONTWAIT, NULL, 0);
        bool more = result < 0 && (errno == EAGAIN || errno == EBUSY);
        reap(socket);
        if (!more) {
            return;
        }
    }
}

// Reads up to a batch of frames into messages; those that hold no datagram go back at once.
static unsigned receive(struct xdp_socket *socket)
{
    uint64_t refused[BATCH_MAX];
    uint32_t at;
    unsigned refused_count = 0, good = 0;
    unsigned waiting = xsk_ring_cons__peek(&socket->receive, BATCH_MAX, &at);
    for (unsigned i = 0; i < waiting; i++) {
        const struct xdp_desc *packet = xsk_ring_cons__rx_desc(&socket->receive, at + i);
        uint8_t *bytes = frame_bytes(socket, packet->addr);
        struct frame *frame = &socket->frames[good];
        if (!frame_read(bytes, packet->len, frame)) {
            refused[refused_count++] = packet->addr;
            continue;
        }
        struct message *message = &socket->messages[good];
        message->query = message->out = bytes + frame->payload_at;
        message->query_size = frame->payload_size;
        message->source = (struct query_source){
            .address = frame->source, .port = frame->port, .transport = TRANSPORT_UDP};
        socket->addresses[good++] = packet->addr;
    }
    if (waiting > 0) {
        xsk_ring_cons__release(&socket->receive, waiting);
        count(&socket->counters.received, waiting);
        count(&socket->counters.refused, refused_count);
        fill(socket, refused, refused_count);
    }
    return good;
}

// Puts the answers into the send ring, and frames without one (or without room there) back.
static void respond(struct xdp_socket *socket, unsigned message_count)
{
    uint64_t idle[BATCH_MAX];
    unsigned idle_count = 0, sent = 0, lost = 0;
    for (unsigned i = 0; i < message_count; i++) {
        uint32_t at;
        size_t size = socket->messages[i].out_size;
        if (size == 0 || xsk_ring_prod__reserve(&socket->send, 1, &at) == 0) {
            lost += size > 0;
            idle[idle_count++] = socket->addresses[i];
            continue;
        }
        struct xdp_desc *packet = xsk_ring_prod__tx_desc(&socket->send, at);
        packet->addr = socket->addresses[i];
        packet->len = (uint32_t)frame_turn(frame_bytes(socket, socket->addresses[i]),
                                           &socket->frames[i], size, socket->next_id++);
        packet->options = 0;
        sent++;
    }
    if (sent > 0) {
        xsk_ring_prod__submit(&socket->send, sent);
        socket->sending += sent;
    }
    count(&socket->counters.sent, sent);
    count(&socket->counters.lost, lost);
    fill(socket, idle, idle_count);
}

static unsigned serve_batch(struct xdp_socket *socket, const struct responder *responder)
{
    reap(socket);
    unsigned message_count = receive(socket);
    if (message_count > 0) {
        responder_answer(responder, socket->messages, message_count);
        respond(socket, message_count);
    }
    kick(socket);
    return message_count;
}

void xdp_serve(struct xdp_socket *socket, const struct responder *responder)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (serve_batch(socket, responder) < BATCH_BUSY) {
            return;
        }
    }
}
