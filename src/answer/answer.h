// SPDX-License-Identifier: GPL-3.0-or-later
//
// answer(): query bytes in, response bytes out. The one function that every transport, the
// simulator, the fuzzers and the benchmarks call.
//
// Pure: it reads one immutable generation and one worker's own scratch; no system call, no lock, no
// allocation, no log. Nothing in the packet can make it fail: bytes that deserve no answer give 0.
#pragma once

#include "base/address.h"
#include "answer/generation.h"

enum transport { TRANSPORT_UDP, TRANSPORT_TCP };

struct query_source {
    struct address address;
    uint16_t port;
    enum transport transport;
};

// Largest message of each transport; buffers of this size always fit the answer.
enum { ANSWER_UDP_MAX = 1232, ANSWER_TCP_MAX = 65535 };

// What a worker counts, one row a counter: name, help. Plain adds by one thread, read by another.
#define WORKER_COUNTERS(X)                                                                         \
    X(queries_udp, "Queries received over UDP")                                                    \
    X(queries_tcp, "Queries received over TCP")                                                    \
    X(noerror, "Responses NOERROR with an answer")                                                 \
    X(nodata, "Responses NOERROR without an answer")                                               \
    X(referrals, "Responses that refer to a delegation")                                           \
    X(nxdomain, "Responses NXDOMAIN")                                                              \
    X(refused, "Responses REFUSED: not our zone")                                                  \
    X(formerr, "Responses FORMERR: malformed query")                                               \
    X(notimp, "Responses NOTIMP: opcode we do not serve")                                          \
    X(servfail, "Responses SERVFAIL")                                                              \
    X(badvers, "Responses BADVERS: EDNS version we do not know")                                   \
    X(dropped, "Packets without an answer: responses, runts, loops")                               \
    X(truncated, "Responses with TC set")                                                          \
    X(edns, "Queries with EDNS")                                                                   \
    X(ecs, "Queries with a client subnet")                                                         \
    X(steered, "Answers that a policy decided")

struct worker_counters {
#define X(name, help) _Atomic uint64_t name;
    WORKER_COUNTERS(X)
#undef X
};

// One data thread's scratch: dice, turns, counters. Never shared between threads (but counters are
// read by others, relaxed).
struct worker;
struct worker *worker_new(uint64_t seed);
void worker_free(struct worker *worker);
const struct worker_counters *worker_counters(const struct worker *worker);

// Answers one message. `out` may be `query` itself (answered in place); its capacity is
// ANSWER_UDP_MAX or ANSWER_TCP_MAX at least, by transport. Returns the bytes written; 0: send
// nothing.
size_t answer(const struct generation *generation, struct worker *worker, const uint8_t *query,
              size_t query_size, const struct query_source *source, uint8_t *out);

enum { ANSWER_BATCH_MAX = 64 };

struct message {
    const uint8_t *query;
    size_t query_size;
    struct query_source source;
    uint8_t *out;
    size_t out_size; // written: bytes of the answer; 0: send nothing
};

// The same for many messages at once: what each will touch is fetched while the others are worked
// on, so that a batch waits for memory together and not one by one. count <= ANSWER_BATCH_MAX.
void answer_batch(const struct generation *generation, struct worker *worker,
                  struct message *messages, size_t count);
