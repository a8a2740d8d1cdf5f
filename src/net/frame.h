// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ethernet frames with a UDP datagram in them, as XDP sockets carry them: what is in one, and how
// it turns round to go back where it came from.
//
// Pure; any thread; total over all bytes. Only frames that the filter lets through get here
// (net/xdp_filter.h), but nothing of that is relied on.
#pragma once

#include "base/address.h"

enum {
    FRAME_ETHERNET_SIZE = 14,
    FRAME_IPV4_SIZE = 20,
    FRAME_IPV6_SIZE = 40,
    FRAME_UDP_SIZE = 8,
    // The largest headers in front of a payload.
    FRAME_HEADERS_MAX = FRAME_ETHERNET_SIZE + FRAME_IPV6_SIZE + FRAME_UDP_SIZE,
};

struct frame {
    uint16_t payload_at;   // within the frame
    uint16_t payload_size; // as UDP says: padding is no payload
    uint16_t port;         // of the sender
    struct address source, destination;
};

// False when it is not one whole UDP datagram (no VLAN tag, no IPv4 options, no fragment, no IPv6
// extension header: RFC 791, RFC 8200, RFC 768), when its lengths contradict each other, or when
// its sender is no host that could be answered: unspecified, loopback, multicast or port 0. An IPv6
// datagram without a checksum is none (RFC 8200, 8.1). The checksum itself is left to the network
// interface: over a virtual one it is never filled in.
bool frame_read(const uint8_t *bytes, size_t size, struct frame *frame);

// Turns the frame round, in place: `payload_size` bytes at payload_at go back to the sender, with
// fresh lengths and checksums, without a traffic class or a flow label. `id` is the IPv4
// identification (RFC 6864). Returns the size of the whole frame. The buffer holds it.
size_t frame_turn(uint8_t *bytes, const struct frame *frame, size_t payload_size, uint16_t id);
