// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gate. Called by the probers of all kinds, on the prober's thread. No other file of probe/
// calls connect() or sendto(); tests/tidy enforces it.
#include "probe/gate.h"

#include "base/memory.h"
#include "probe/target.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void gate_open(struct gate *gate, const struct prefix *allow, size_t allow_count,
               const struct endpoint *own, size_t own_count)
{
    gate->allow = mem_alloc_array(MAX(allow_count, 1U), sizeof(*allow));
    gate->allow_count = allow_count;
    for (size_t i = 0; i < allow_count; i++) {
        gate->allow[i] = allow[i];
    }
    gate->own = mem_alloc_array(MAX(own_count, 1U), sizeof(*own));
    gate->own_count = own_count;
    for (size_t i = 0; i < own_count; i++) {
        gate->own[i] = own[i];
    }
}

void gate_close(struct gate *gate)
{
    free(gate->allow);
    free(gate->own);
}

void gate_errno(struct probe_result *result, int error)
{
    enum probe_reason reason;
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        reason = PROBE_L4_REFUSED;
        break;
    case ETIMEDOUT:
        reason = PROBE_L4_TIMEOUT;
        break;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EPROTO: // other kinds of ICMP unreachable
    case ENOPROTOOPT:
        reason = PROBE_L4_UNREACHABLE;
        break;
    case EMFILE: // these: it is this machine that has run out, or forbids it
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EAGAIN: // no route cache entry or no local port left
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EPERM:
        reason = PROBE_LOCAL_ERROR;
        break;
    default:
        reason = PROBE_L4_ERROR;
    }
    probe_result_set(result, reason, "%s", strerror(error));
}

static bool is_any(const struct address *address)
{
    static const uint8_t zeros[sizeof(address->bytes)];
    return memcmp(address->bytes, zeros, sizeof(zeros)) == 0;
}

// Whether the address is one of this machine: loopback, or the kernel would send from it to reach
// it. (Connecting a datagram socket sends nothing.)
static bool is_local(const struct sockaddr *to, socklen_t size)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;
    if (to->sa_family == AF_INET && ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET) {
        return true; // the kernel sends from 127.0.0.1 to all of them
    }
    struct sockaddr_storage own;
    socklen_t own_size = sizeof(own);
    struct address here, there;
    uint16_t port;
    int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool local = fd >= 0 && connect(fd, to, size) == 0 &&
                 getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
                 address_from_sockaddr((struct sockaddr *)&own, &here, &port) &&
                 address_from_sockaddr(to, &there, &port) && address_equal(&here, &there);
    if (fd >= 0) {
        close(fd);
    }
    return local;
}

static bool is_own_listener(const struct gate *gate, const struct address *address, uint16_t port)
{
    for (size_t i = 0; i < gate->own_count; i++) {
        const struct endpoint *own = &gate->own[i];
        if (own->port != port) {
            continue;
        }
        if (address_equal(&own->address, address)) {
            return true;
        }
        struct sockaddr_storage to;
        if (is_any(&own->address)) {
            socklen_t size = address_to_sockaddr(address, port, &to);
            if (is_local((const struct sockaddr *)&to, size)) {
                return true;
            }
        }
    }
    return false;
}

// IPv6 in which something else is hidden: a zone id, which would choose an interface, or an IPv4
// address, which address_from_sockaddr would bring to light and judge as such.
static bool is_disguised(const struct gate *gate, const struct sockaddr *to)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)to;
    if (to->sa_family != AF_INET6) {
        return false;
    }
    struct address raw = {.family = FAMILY_IPV6};
    memcpy(raw.bytes, &in6->sin6_addr, sizeof(raw.bytes));
    return in6->sin6_scope_id || target_denied(&raw, gate->allow, gate->allow_count);
}

bool gate_passes(const struct gate *gate, const struct sockaddr *to, struct probe_result *result)
{
    struct address address;
    uint16_t port;
    if (!is_disguised(gate, to) && address_from_sockaddr(to, &address, &port) &&
        !target_denied(&address, gate->allow, gate->allow_count) &&
        !is_own_listener(gate, &address, port)) {
        return true;
    }
    probe_result_set(result, PROBE_DENIED, "address is not allowed by health.allow");
    return false;
}

int gate_connect(const struct gate *gate, int type, const struct sockaddr *to, socklen_t size,
                 struct probe_result *result)
{
    if (!gate_passes(gate, to, result)) {
        return -1;
    }
    int fd = socket(to->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        probe_result_set(result, PROBE_LOCAL_ERROR, "%s", strerror(errno));
        return -1;
    }
    if (connect(fd, to, size) != 0 && errno != EINPROGRESS) {
        gate_errno(result, errno);
        close(fd);
        return -1;
    }
    return fd;
}

bool gate_send(const struct gate *gate, int fd, const void *octets, size_t count,
               const struct sockaddr *to, socklen_t size, struct probe_result *result)
{
    if (!gate_passes(gate, to, result)) {
        return false;
    }
    if (sendto(fd, octets, count, MSG_NOSIGNAL | MSG_DONTWAIT, to, size) < 0) {
        gate_errno(result, errno);
        return false;
    }
    return true;
}
