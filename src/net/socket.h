// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bound sockets with every option that serving DNS wants. Control thread.
#pragma once

#include "answer/answer.h"
#include "base/address.h"

enum socket_use {
    SOCKET_PROBE, // asks whether the port is free: bound without SO_REUSEPORT, never served
    SOCKET_SERVE, // one of a group that shares the port; TCP: listening
};

enum { SOCKET_RECEIVE_BUFFER_SIZE = 4 << 20 };

// A non-blocking socket bound to the endpoint; -1 with errno.
int socket_bind(const struct endpoint *endpoint, enum transport transport, enum socket_use use);
uint16_t socket_port(int fd);
// Makes a probe one of the group that shares its port: it holds the port until that group is bound.
void socket_share(int fd);
// Lets a listening socket take data with the first packet (RFC 7413), for so many connections that
// are not complete yet. Without effect where the kernel does not have it or is told not to.
void socket_fast_open(int fd, unsigned queue_max);
// Bytes that may queue before datagrams are lost, as granted by the kernel.
size_t socket_receive_buffer_size(int fd);
// 0.0.0.0 or ::, where the address that was asked must be learnt from each packet.
bool endpoint_wildcard(const struct endpoint *endpoint);
