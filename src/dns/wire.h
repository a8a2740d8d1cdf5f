// SPDX-License-Identifier: GPL-3.0-or-later
//
// Big-endian numbers in packets, and the fixed parts of a message (RFC 1035, 4.1).
#pragma once

#include "base/base.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

enum { HEADER_SIZE = 12, QUESTION_FIXED_SIZE = 4, RR_FIXED_SIZE = 10 };

// Bits of the third and fourth header octets, as one number.
enum {
    FLAG_QR = 0x8000,
    FLAG_AA = 0x0400,
    FLAG_TC = 0x0200,
    FLAG_RD = 0x0100,
    MASK_OPCODE = 0x7800,
};

// Offsets in the header.
enum { AT_ID = 0, AT_FLAGS = 2, AT_QDCOUNT = 4, AT_ANCOUNT = 6, AT_NSCOUNT = 8, AT_ARCOUNT = 10 };

static inline uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t get_u64(const uint8_t *at)
{
    uint64_t wire;
    memcpy(&wire, at, sizeof(wire));
    return be64toh(wire);
}

// Stores in one piece: compilers merge single octets when they are read, but not when written.
static inline void put_u16(uint8_t *at, unsigned value)
{
    uint16_t wire = htons((uint16_t)value);
    memcpy(at, &wire, sizeof(wire));
}

static inline void put_u32(uint8_t *at, uint32_t value)
{
    uint32_t wire = htonl(value);
    memcpy(at, &wire, sizeof(wire));
}

static inline void put_u64(uint8_t *at, uint64_t value)
{
    uint64_t wire = htobe64(value);
    memcpy(at, &wire, sizeof(wire));
}
