// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ethernet II, IPv4 and IPv6, UDP: read once, written once.
//
// Called by the XDP side of a data thread for each frame. Offsets are those of the headers without
// options; a frame that is built otherwise is refused and has gone the kernel's way before (the
// filter passes it on).
#include "net/frame.h"

#include "dns/wire.h"

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_IPV6 = 0x86dd,
    PROTOCOL_UDP = 17,
    HOPS = 64,
    IPV4_NO_OPTIONS = 0x45,
    IPV6_VERSION = 6,
    IPV4_FRAGMENT_MASK = 0x3fff, // MF and the offset; DF may be set
};

// Offsets within the Ethernet and the IP header.
enum { AT_ETHERNET_SOURCE = 6, AT_ETHERNET_TYPE = 12, ETHERNET_ADDRESS_SIZE = 6 };
enum {
    AT_IPV4_LENGTH = 2,
    AT_IPV4_ID = 4,
    AT_IPV4_FRAGMENT = 6,
    AT_IPV4_TTL = 8,
    AT_IPV4_PROTOCOL = 9,
    AT_IPV4_CHECKSUM = 10,
    AT_IPV4_SOURCE = 12,
    AT_IPV4_DESTINATION = 16,
};
enum { AT_IPV6_LENGTH = 4, AT_IPV6_NEXT = 6, AT_IPV6_HOPS = 7, AT_IPV6_SOURCE = 8 };
enum { AT_IPV6_DESTINATION = 24, IPV6_ADDRESS_SIZE = 16 };
enum { AT_UDP_SOURCE = 0, AT_UDP_DESTINATION = 2, AT_UDP_LENGTH = 4, AT_UDP_CHECKSUM = 6 };

// A host that an answer can go to. Broadcast and reserved addresses are within 224.0.0.0/3.
static bool answerable(const struct address *address)
{
    const uint8_t *b = address->bytes;
    if (address->family == FAMILY_IPV4) {
        return b[0] != 0 && b[0] != 127 && b[0] < 224;
    }
    // ::/64 holds the unspecified address, loopback and the IPv4-mapped ones.
    uint64_t high;
    memcpy(&high, b, sizeof(high));
    return high != 0 && b[0] != 0xff;
}

// The UDP header and what follows; `size` bytes are the datagram's by the IP header.
static bool read_udp(const uint8_t *udp, size_t size, struct frame *frame)
{
    size_t length = get_u16(udp + AT_UDP_LENGTH);
    frame->port = get_u16(udp + AT_UDP_SOURCE);
    frame->payload_size = (uint16_t)(length - FRAME_UDP_SIZE);
    return length >= FRAME_UDP_SIZE && length <= size && frame->port != 0;
}

static bool read_ipv4(const uint8_t *ip, size_t size, struct frame *frame)
{
    size_t length = get_u16(ip + AT_IPV4_LENGTH);
    if (ip[0] != IPV4_NO_OPTIONS || (get_u16(ip + AT_IPV4_FRAGMENT) & IPV4_FRAGMENT_MASK) != 0 ||
        ip[AT_IPV4_PROTOCOL] != PROTOCOL_UDP || length > size ||
        length < FRAME_IPV4_SIZE + FRAME_UDP_SIZE) {
        return false;
    }
    frame->source = frame->destination = (struct address){.family = FAMILY_IPV4};
    memcpy(frame->source.bytes, ip + AT_IPV4_SOURCE, 4);
    memcpy(frame->destination.bytes, ip + AT_IPV4_DESTINATION, 4);
    frame->payload_at = FRAME_ETHERNET_SIZE + FRAME_IPV4_SIZE + FRAME_UDP_SIZE;
    return read_udp(ip + FRAME_IPV4_SIZE, length - FRAME_IPV4_SIZE, frame);
}

static bool read_ipv6(const uint8_t *ip, size_t size, struct frame *frame)
{
    if (size < FRAME_IPV6_SIZE + FRAME_UDP_SIZE) {
        return false;
    }
    size_t length = get_u16(ip + AT_IPV6_LENGTH);
    const uint8_t *udp = ip + FRAME_IPV6_SIZE;
    if (ip[0] >> 4 != IPV6_VERSION || ip[AT_IPV6_NEXT] != PROTOCOL_UDP ||
        length > size - FRAME_IPV6_SIZE || get_u16(udp + AT_UDP_CHECKSUM) == 0) {
        return false;
    }
    frame->source.family = frame->destination.family = FAMILY_IPV6;
    memcpy(frame->source.bytes, ip + AT_IPV6_SOURCE, IPV6_ADDRESS_SIZE);
    memcpy(frame->destination.bytes, ip + AT_IPV6_DESTINATION, IPV6_ADDRESS_SIZE);
    frame->payload_at = FRAME_HEADERS_MAX;
    return read_udp(udp, length, frame);
}

bool frame_read(const uint8_t *bytes, size_t size, struct frame *frame)
{
    if (size < FRAME_ETHERNET_SIZE + FRAME_IPV4_SIZE + FRAME_UDP_SIZE) {
        return false;
    }
    const uint8_t *ip = bytes + FRAME_ETHERNET_SIZE;
    size -= FRAME_ETHERNET_SIZE;
    unsigned type = get_u16(bytes + AT_ETHERNET_TYPE);
    bool good = type == TYPE_IPV4   ? read_ipv4(ip, size, frame)
                : type == TYPE_IPV6 ? read_ipv6(ip, size, frame)
                                    : false;
    return good && answerable(&frame->source);
}

// One's complement sum (RFC 1071), in words of the machine's own order: the order of the octets
// carries through, so the folded sum is stored as it is.
static uint64_t sum_add(uint64_t sum, const uint8_t *bytes, size_t size)
{
    for (; size >= sizeof(uint32_t); bytes += sizeof(uint32_t), size -= sizeof(uint32_t)) {
        uint32_t word;
        memcpy(&word, bytes, sizeof(word));
        sum += word;
    }
    uint8_t rest[sizeof(uint32_t)] = {0};
    uint32_t word;
    memcpy(rest, bytes, size);
    memcpy(&word, rest, sizeof(word));
    return sum + word;
}

static uint16_t sum_fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    uint8_t kept[IPV6_ADDRESS_SIZE];
    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

// The checksum over pseudo-header, header and payload (RFC 768; RFC 8200, 8.1). The two addresses
// stand one behind the other, at `addresses`.
static void turn_udp(uint8_t *udp, size_t payload_size, const uint8_t *addresses,
                     size_t addresses_size)
{
    size_t size = FRAME_UDP_SIZE + payload_size;
    swap(udp + AT_UDP_SOURCE, udp + AT_UDP_DESTINATION, sizeof(uint16_t));
    put_u16(udp + AT_UDP_LENGTH, (unsigned)size);
    put_u16(udp + AT_UDP_CHECKSUM, 0);
    uint64_t sum = sum_add(0, addresses, addresses_size);
    sum += htons(PROTOCOL_UDP);
    sum += htons((uint16_t)size);
    uint16_t checksum = sum_fold(sum_add(sum, udp, size));
    // Zero would say that there is none.
    checksum = checksum == 0 ? UINT16_MAX : checksum;
    memcpy(udp + AT_UDP_CHECKSUM, &checksum, sizeof(checksum));
}

static void turn_ipv4(uint8_t *ip, size_t size, uint16_t id)
{
    put_u16(ip, IPV4_NO_OPTIONS << 8); // no traffic class, whatever the query had
    put_u16(ip + AT_IPV4_LENGTH, (unsigned)size);
    put_u16(ip + AT_IPV4_ID, id);
    put_u16(ip + AT_IPV4_FRAGMENT, 0);
    ip[AT_IPV4_TTL] = HOPS;
    put_u16(ip + AT_IPV4_CHECKSUM, 0);
    swap(ip + AT_IPV4_SOURCE, ip + AT_IPV4_DESTINATION, sizeof(uint32_t));
    uint16_t checksum = sum_fold(sum_add(0, ip, FRAME_IPV4_SIZE));
    memcpy(ip + AT_IPV4_CHECKSUM, &checksum, sizeof(checksum));
}

size_t frame_turn(uint8_t *bytes, const struct frame *frame, size_t payload_size, uint16_t id)
{
    uint8_t *ip = bytes + FRAME_ETHERNET_SIZE;
    uint8_t *udp = bytes + frame->payload_at - FRAME_UDP_SIZE;
    size_t size = frame->payload_at + payload_size;
    swap(bytes, bytes + AT_ETHERNET_SOURCE, ETHERNET_ADDRESS_SIZE);
    if (frame->source.family == FAMILY_IPV4) {
        turn_ipv4(ip, size - FRAME_ETHERNET_SIZE, id);
        turn_udp(udp, payload_size, ip + AT_IPV4_SOURCE, 2 * sizeof(uint32_t));
    } else {
        put_u32(ip, IPV6_VERSION << 28); // no traffic class and no flow, whatever the query had
        put_u16(ip + AT_IPV6_LENGTH, (unsigned)(FRAME_UDP_SIZE + payload_size));
        ip[AT_IPV6_HOPS] = HOPS;
        swap(ip + AT_IPV6_SOURCE, ip + AT_IPV6_DESTINATION, IPV6_ADDRESS_SIZE);
        turn_udp(udp, payload_size, ip + AT_IPV6_SOURCE, (size_t)2 * IPV6_ADDRESS_SIZE);
    }
    return size;
}
