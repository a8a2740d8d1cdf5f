// SPDX-License-Identifier: GPL-3.0-or-later
//
// The UDP loop: recvmmsg, answer in place, sendmmsg.
//
// One struct udp_batch belongs to one data thread. Under load this is two system calls for 48
// queries; nothing is allocated, locked or logged, and what stays the same from batch to batch is
// set once. Each answer is written over its query; the messages to send are a second, dense array
// over the same slots, so a query without an answer leaves no hole. They point to their slots from
// the start and are pointed elsewhere only behind a hole.
//
// A datagram longer than a slot is cut by the kernel: no query of that size is well-formed,
// answer() sees a message that ends too early.
#include "net/udp.h"

#include "base/memory.h"
#include "net/net.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    SLOT_SIZE = 2048,
    // Slots begin in different cache sets: the headers of a batch would else share two of them.
    SLOT_STRIDE = SLOT_SIZE + 64,
    // A batch this full is likely to be followed by more: read again without asking epoll.
    BATCH_BUSY = UDP_BATCH_MAX / 4,
    // Batches before other descriptors have their turn.
    ROUNDS_MAX = 32,
    SEND_RETRIES_MAX = 3,
    SEND_WAIT_MS = 1,
    // What every path of IPv6 carries in one piece (RFC 8200, 5), and the two headers of it.
    IPV6_MTU_MIN = 1280,
    IPV6_HEADERS_SIZE = 40 + 8,
};

_Static_assert((int)UDP_BATCH_MAX <= (int)ANSWER_BATCH_MAX, "a batch is answered at once");
_Static_assert((int)SLOT_SIZE >= (int)ANSWER_UDP_MAX + (int)PROXY_HEADER_UDP_MAX,
               "answers are written over the query");
_Static_assert((int)ANSWER_UDP_MAX + (int)IPV6_HEADERS_SIZE <= (int)IPV6_MTU_MIN,
               "over IPv6 no answer is cut into fragments");

union peer {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

union control {
    struct cmsghdr align;
    uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct udp_batch {
    int fd; // of the socket that it is ready for; -1: none
    struct mmsghdr in[UDP_BATCH_MAX], out[UDP_BATCH_MAX];
    struct iovec in_parts[UDP_BATCH_MAX], out_parts[UDP_BATCH_MAX];
    union peer peers[UDP_BATCH_MAX];
    union control controls[UDP_BATCH_MAX];
    struct message messages[UDP_BATCH_MAX];
    uint8_t slots[UDP_BATCH_MAX][SLOT_STRIDE];
};

// Makes out[at] the answer of slot i: nearly always they are the same.
static void out_point(struct udp_batch *batch, unsigned at, unsigned i)
{
    batch->out_parts[at].iov_base = batch->slots[i];
    batch->out[at].msg_hdr = (struct msghdr){
        .msg_name = &batch->peers[i],
        .msg_namelen = sizeof(batch->peers[i]), // of an IPv4 address the kernel takes its part
        .msg_iov = &batch->out_parts[at],
        .msg_iovlen = 1,
        .msg_control = &batch->controls[i],
    };
}

struct udp_batch *udp_batch_new(void)
{
    struct udp_batch *batch = mem_alloc(sizeof(*batch));
    batch->fd = -1;
    for (unsigned i = 0; i < UDP_BATCH_MAX; i++) {
        batch->in_parts[i] = (struct iovec){batch->slots[i], SLOT_SIZE};
        batch->in[i].msg_hdr = (struct msghdr){
            .msg_name = &batch->peers[i],
            .msg_iov = &batch->in_parts[i],
            .msg_iovlen = 1,
            .msg_control = &batch->controls[i],
        };
        out_point(batch, i, i);
        batch->messages[i] = (struct message){
            .query = batch->slots[i],
            .source.transport = TRANSPORT_UDP,
            .out = batch->slots[i],
        };
    }
    return batch;
}

// Readies the batch for another socket. recvmmsg makes the sizes of addresses smaller, but no
// smaller than those of the socket's family, and those of control messages without any stay 0.
static void batch_turn(struct udp_batch *batch, const struct udp_socket *socket)
{
    batch->fd = socket->fd;
    for (unsigned i = 0; i < UDP_BATCH_MAX; i++) {
        batch->in[i].msg_hdr.msg_namelen = sizeof(batch->peers[i]);
        batch->in[i].msg_hdr.msg_controllen = socket->wildcard ? sizeof(batch->controls[i]) : 0;
        batch->out[i].msg_hdr.msg_controllen = 0;
    }
}

void udp_batch_free(struct udp_batch *batch)
{
    free(batch);
}

// The packet information that came with a query becomes that of its answer: same local address, but
// the route is free to choose the interface (only link-local addresses are bound to theirs).
static void control_turn(struct msghdr *message)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(part);
            info->ipi_ifindex = 0;
        } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(part);
            if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) {
                info->ipi6_ifindex = 0;
            }
        }
    }
}

static inline bool peer_read(const union peer *peer, struct query_source *source)
{
    if (LIKELY(peer->any.sa_family == AF_INET)) {
        source->address = (struct address){.family = FAMILY_IPV4};
        memcpy(source->address.bytes, &peer->in.sin_addr, sizeof(peer->in.sin_addr));
        source->port = ntohs(peer->in.sin_port);
        return true;
    }
    return address_from_sockaddr(&peer->any, &source->address, &source->port);
}

// Makes the messages of a received batch; those from no address that we know stay empty.
static void messages_make(struct udp_batch *batch, unsigned count)
{
    const struct mmsghdr *in = batch->in;
    const union peer *peer = batch->peers;
    struct message *message = batch->messages, *const end = message + count;
    for (; message < end; message++, in++, peer++) {
        message->query_size = in->msg_len;
        if (UNLIKELY(!peer_read(peer, &message->source))) {
            message->query_size = 0;
        }
    }
}

// Makes out[] of the answers, densely. Returns how many there are; *moved when some do not stand in
// their own place.
static unsigned answers_make(struct udp_batch *batch, unsigned count, bool *moved)
{
    struct iovec *part = batch->out_parts;
    const struct message *message = batch->messages, *const end = message + count;
    for (; message < end; message++) {
        if (UNLIKELY(message->out_size == 0)) {
            *moved = true;
            continue;
        }
        if (UNLIKELY(*moved)) {
            out_point(batch, (unsigned)(part - batch->out_parts),
                      (unsigned)(message - batch->messages));
        }
        part++->iov_len = message->out_size;
    }
    return (unsigned)(part - batch->out_parts);
}

// The same for the control messages of a wildcard socket; those received are made ready again.
static void controls_make(struct udp_batch *batch, unsigned count)
{
    unsigned at = 0;
    for (unsigned i = 0; i < count; i++) {
        struct msghdr *in = &batch->in[i].msg_hdr;
        if (batch->messages[i].out_size > 0) {
            control_turn(in);
            batch->out[at++].msg_hdr.msg_controllen = in->msg_controllen;
        }
        in->msg_controllen = sizeof(batch->controls[i]);
    }
}

// sendmmsg fails only for its first message (unreachable, refused, forbidden by a firewall): that
// one is dropped and the rest go on. A full send buffer is waited for, a few times a batch.
static void send_all(int fd, struct mmsghdr *messages, unsigned count)
{
    unsigned retries = 0;
    for (unsigned at = 0; at < count;) {
        int sent = sendmmsg(fd, messages + at, count - at, MSG_DONTWAIT);
        if (LIKELY(sent > 0)) {
            at += (unsigned)sent;
            continue;
        }
        bool full = errno == EAGAIN || errno == ENOBUFS;
        if (full && retries++ < SEND_RETRIES_MAX) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, SEND_WAIT_MS);
        } else if (errno != EINTR) {
            at++;
        }
    }
}

static unsigned serve_batch(struct udp_batch *batch, const struct udp_socket *socket,
                            const struct responder *responder)
{
    if (UNLIKELY(batch->fd != socket->fd)) {
        batch_turn(batch, socket);
    }
    int received = recvmmsg(socket->fd, batch->in, UDP_BATCH_MAX, MSG_DONTWAIT, NULL);
    if (received <= 0) {
        return 0;
    }
    messages_make(batch, (unsigned)received);
    responder_answer(responder, batch->messages, (unsigned)received);
    bool moved = false;
    unsigned count = answers_make(batch, (unsigned)received, &moved);
    if (socket->wildcard) {
        controls_make(batch, (unsigned)received);
    }
    if (count > 0) {
        send_all(socket->fd, batch->out, count);
    }
    for (unsigned i = 0; moved && i < count; i++) {
        out_point(batch, i, i);
    }
    return (unsigned)received;
}

void udp_serve(struct udp_batch *batch, const struct udp_socket *socket,
               const struct responder *responder)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (serve_batch(batch, socket, responder) < BATCH_BUSY) {
            return;
        }
    }
}
