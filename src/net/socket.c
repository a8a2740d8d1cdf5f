// SPDX-License-Identifier: GPL-3.0-or-later
//
// Options of each socket, as one table a transport. An option that only improves things may be
// refused by the kernel without harm; one that correctness rests on may not.
#include "net/socket.h"

#include "net/connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LISTEN_BACKLOG = 1024,
    // A peer that never reads may pin this much of the kernel's memory, not what autotuning gives.
    TCP_SEND_BUFFER_SIZE = 128 << 10,
};

enum { FOR_UDP = 1, FOR_TCP = 2, FOR_IPV4 = 4, FOR_IPV6 = 8, FOR_PROBE = 16, FOR_WILDCARD = 32 };

// An option applies when the socket has all bits of `when`.
static const struct socket_option {
    unsigned when;
    int level, name, value;
    bool required;
} option_table[] = {
    {FOR_IPV6 | FOR_PROBE, IPPROTO_IPV6, IPV6_V6ONLY, 1, true},
    // TIME_WAIT of an earlier life must not keep the port; UDP has none, and there the option
    // would let two servers share it.
    {FOR_TCP | FOR_PROBE, SOL_SOCKET, SO_REUSEADDR, 1, true},
    {0, SOL_SOCKET, SO_REUSEPORT, 1, true},
    {FOR_UDP | FOR_IPV4 | FOR_WILDCARD, IPPROTO_IP, IP_PKTINFO, 1, true},
    {FOR_UDP | FOR_IPV6 | FOR_WILDCARD, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, true},
    // No path discovery that a forged ICMP could drive; over IPv6 answers fit every path (udp.c).
    {FOR_UDP | FOR_IPV4, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, false},
    {FOR_UDP | FOR_IPV6, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT, false},
    {FOR_UDP, SOL_SOCKET, SO_RCVBUF, SOCKET_RECEIVE_BUFFER_SIZE, false},
    {FOR_UDP, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_RECEIVE_BUFFER_SIZE, false},
    // Accepted connections inherit all three.
    {FOR_TCP, SOL_SOCKET, SO_SNDBUF, TCP_SEND_BUFFER_SIZE, false},
    {FOR_TCP, IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_UNSENT_MAX, false},
    {FOR_TCP, IPPROTO_TCP, TCP_NODELAY, 1, false},
};

static bool set_options(int fd, unsigned traits, bool probe)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        const struct socket_option *option = &option_table[i];
        if ((option->when & ~(traits | FOR_PROBE)) != 0 || (probe && !(option->when & FOR_PROBE))) {
            continue;
        }
        if (setsockopt(fd, option->level, option->name, &option->value, sizeof(option->value)) <
                0 &&
            option->required) {
            return false;
        }
    }
    return true;
}

static unsigned endpoint_traits(const struct endpoint *endpoint, enum transport transport)
{
    return (transport == TRANSPORT_UDP ? FOR_UDP : FOR_TCP) |
           (endpoint->address.family == FAMILY_IPV4 ? FOR_IPV4 : FOR_IPV6) |
           (endpoint_wildcard(endpoint) ? FOR_WILDCARD : 0);
}

int socket_bind(const struct endpoint *endpoint, enum transport transport, enum socket_use use)
{
    struct sockaddr_storage where;
    socklen_t where_size = address_to_sockaddr(&endpoint->address, endpoint->port, &where);
    int type = transport == TRANSPORT_UDP ? SOCK_DGRAM : SOCK_STREAM;
    int fd = socket(where.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    bool listening = transport == TRANSPORT_TCP && use == SOCKET_SERVE;
    if (!set_options(fd, endpoint_traits(endpoint, transport), use == SOCKET_PROBE) ||
        bind(fd, (struct sockaddr *)&where, where_size) < 0 ||
        (listening && listen(fd, LISTEN_BACKLOG) < 0)) {
        int reason = errno;
        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

void socket_share(int fd)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

void socket_fast_open(int fd, unsigned queue_max)
{
    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue_max, sizeof(queue_max));
}

uint16_t socket_port(int fd)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof(bound);
    struct address address;
    uint16_t port = 0;
    if (getsockname(fd, (struct sockaddr *)&bound, &size) == 0) {
        address_from_sockaddr((struct sockaddr *)&bound, &address, &port);
    }
    return port;
}

size_t socket_receive_buffer_size(int fd)
{
    int size = 0;
    socklen_t length = sizeof(size);
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length);
    return (size_t)size / 2; // the kernel doubles what is asked, for its own book-keeping
}

bool endpoint_wildcard(const struct endpoint *endpoint)
{
    static const uint8_t zero[16];
    return __builtin_memcmp(endpoint->address.bytes, zero, sizeof(zero)) == 0;
}
