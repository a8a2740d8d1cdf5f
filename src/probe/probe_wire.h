// SPDX-License-Identifier: GPL-3.0-or-later
//
// The protocol between the server and its probing process: small binary messages over a socket
// pair, each with its size before it.
//
// Neither side believes the other: sizes are bounded, numbers are checked, texts end where they
// say, and a message that is not exactly right is refused as a whole. Pure; one thread at a time.
#pragma once

#include "probe/prober_uv.h"

enum { WIRE_MESSAGE_MAX = 64 << 10, WIRE_HEAD_SIZE = 4, WIRE_COMMANDS_MAX = 256 };

enum wire_type {
    WIRE_HELLO = 1, // to the prober, once: struct prober_options
    WIRE_START,     // to the prober: a probe; the first of a check brings its definition
    WIRE_CANCEL,    // to the prober
    WIRE_FORGET,    // to the prober: the check ends
    WIRE_RESULT     // to the server
};

// Octets on their way out.
struct wire_out {
    uint8_t *bytes;
    size_t size, capacity, sent;
};

struct wire_start {
    uint32_t id, turn; // which check, and which of its probes: a result names both
    struct address target;
    const struct check_spec *spec; // NULL: as before
};

struct wire_result {
    uint32_t id, turn;
    struct probe_result result;
};

// Append a whole message; texts and lists are copied.
void wire_append(struct wire_out *out, const struct wire_out *more);
void wire_put_hello(struct wire_out *out, const struct prober_options *options);
void wire_put_start(struct wire_out *out, const struct wire_start *start);
void wire_put_id(struct wire_out *out, enum wire_type type, uint32_t id);
void wire_put_result(struct wire_out *out, const struct wire_result *result);
// Writes what the socket takes; false when it is gone.
bool wire_flush(struct wire_out *out, int fd);

// Octets on their way in.
struct wire_in {
    uint8_t *bytes;
    size_t begin, size; // the octets begin..size are not yet taken
};

// Reads what is there; false when the other side is gone.
bool wire_fill(struct wire_in *in, int fd);
// The first whole message: its size without the head, 0 when there is none yet, -1 when it can be
// none. The octets stay until wire_drop.
ssize_t wire_message(const struct wire_in *in, const uint8_t **message);
void wire_drop(struct wire_in *in, size_t size);

// Room for what a message is made into.
struct wire_scratch {
    struct check_spec spec;
    struct prefix allow[1024];
    struct endpoint own[1024];
    struct probe_command commands[WIRE_COMMANDS_MAX];
    const char *argv[4096];
};
// Each reads one message of its type; false when it is not exactly right. What `start` and
// `options` point to is in the message or in `scratch`, which the caller gives.
bool wire_get_hello(const uint8_t *message, size_t size, struct wire_scratch *scratch,
                    struct prober_options *options);
bool wire_get_start(const uint8_t *message, size_t size, struct wire_scratch *scratch,
                    struct wire_start *start);
bool wire_get_id(const uint8_t *message, size_t size, uint32_t *id);
bool wire_get_result(const uint8_t *message, size_t size, struct wire_result *result);
