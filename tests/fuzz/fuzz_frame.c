// SPDX-License-Identifier: GPL-3.0-or-later
//
// Frames from the network: any bytes are refused, or hold a datagram within the frame that turns
// round into another that is read again, with sender and receiver changed.
#include "fuzz.h"
#include "net/frame.h"

enum { ROOM = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame, back;
    if (size > ROOM || !frame_read(data, size, &frame)) {
        return 0;
    }
    SP_ASSERT((size_t)frame.payload_at + frame.payload_size <= size);
    static uint8_t bytes[ROOM];
    memcpy(bytes, data, size);
    size_t payload_size = MIN(frame.payload_size, ROOM - FRAME_HEADERS_MAX);
    size_t turned = frame_turn(bytes, &frame, payload_size, 1);
    SP_ASSERT(turned == frame.payload_at + payload_size);
    // Where the query was sent to may be no host that could be answered, and its port may be 0.
    if (frame_read(bytes, turned, &back)) {
        SP_ASSERT(back.payload_size == payload_size);
        SP_ASSERT(address_equal(&back.source, &frame.destination));
        SP_ASSERT(address_equal(&back.destination, &frame.source));
    }
    return 0;
}
