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

// TLS is a stream as TCP is (RFC 7858), and encrypted.
enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS };

struct query_source {
    struct address address; // of the client; for a trusted proxy's, the one it speaks for
    uint16_t port;
    enum transport transport;
    // Streams: how long the connection may stay idle, in units of 100 ms, for edns-tcp-keepalive
    // (RFC 7828); 0: it had better close.
    uint16_t keepalive_ds;
};

// Largest message of each transport; buffers of this size always fit the answer.
enum { ANSWER_UDP_MAX = 1232, ANSWER_TCP_MAX = 65535 };

// Links that a chain of aliases of any kind may have: a resolver asks on from there, and nobody can
// make one question cost many.
enum { CHAIN_MAX = 8 };

// What a worker counts, one row a counter: name, help. Plain adds by one thread, read by another.
#define WORKER_COUNTERS(X)                                                                         \
    X(queries_udp, "Queries received over UDP")                                                    \
    X(queries_tcp, "Queries received over TCP")                                                    \
    X(queries_tls, "Queries received over TLS")                                                    \
    X(noerror, "Responses NOERROR with an answer")                                                 \
    X(nodata, "Responses NOERROR without an answer")                                               \
    X(referrals, "Responses that refer to a delegation")                                           \
    X(nxdomain, "Responses NXDOMAIN")                                                              \
    X(refused, "Responses REFUSED: not our zone")                                                  \
    X(formerr, "Responses FORMERR: malformed query")                                               \
    X(notimp, "Responses NOTIMP: opcode we do not serve")                                          \
    X(servfail, "Responses SERVFAIL")                                                              \
    X(badvers, "Responses BADVERS: EDNS version we do not know")                                   \
    X(badcookie, "Responses BADCOOKIE: a cookie was required")                                     \
    X(dropped, "Packets without an answer: responses, runts, loops")                               \
    X(truncated, "Responses with TC set")                                                          \
    X(edns, "Queries with EDNS")                                                                   \
    X(ecs, "Queries with a client subnet")                                                         \
    X(cookies, "Queries with a cookie")                                                            \
    X(cookies_valid, "Queries with a server cookie of ours")                                       \
    X(steered, "Answers that a policy decided")                                                    \
    X(rrl_dropped, "Answers over UDP withheld by the rate limit")                                  \
    X(rrl_slipped, "Answers over UDP truncated by the rate limit")                                 \
    X(proxied, "Datagrams and connections with a PROXY header")                                    \
    X(proxy_refused, "Datagrams and connections of a proxy without a good PROXY header")           \
    X(tcp_accepted, "Connections accepted, over TCP and TLS")                                      \
    X(tcp_displaced, "Connections closed to make room for others")                                 \
    X(tcp_timed_out, "Connections closed because they were idle or slow")                          \
    X(tcp_put_off, "Answers over TCP and TLS put off, so that smaller ones could pass")            \
    X(tls_handshakes, "TLS handshakes completed")                                                  \
    X(tls_resumed, "TLS handshakes that resumed a session")                                        \
    X(tls_failed, "TLS handshakes that failed")

struct worker_counters {
#define X(name, help) _Atomic uint64_t name;
    WORKER_COUNTERS(X)
#undef X
};

// One data thread's scratch: dice, turns, counters. Never shared between threads (but counters are
// read by others, relaxed).
struct worker;
struct asked;
// `seed` is where its dice begin: another one for each thread. The caller's.
struct worker *worker_new(uint64_t seed);
void worker_free(struct worker *worker); // NULL allowed
const struct worker_counters *worker_counters(const struct worker *worker);
// Clients noted since *seen (answer/samples.h), at most SAMPLE_RING; for one other thread.
size_t worker_samples(struct worker *worker, uint32_t *seen, uint64_t *samples);
// Which plans it has answered from (answer/asked.h); for one other thread.
struct asked *worker_asked(struct worker *worker);
// Counters for the thread that the worker belongs to: transports count what only they see.
struct worker_counters *worker_counters_own(struct worker *worker);
// Seconds since 1970, modulo 2^32, for cookies; its thread sets it whenever it wakes up.
void worker_set_time(struct worker *worker, uint32_t now_s);

// A relaxed add by the only writer: no lock prefix.
static inline void counter_add_many(_Atomic uint64_t *counter, uint64_t count)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + count, memory_order_relaxed);
}

static inline void counter_add(_Atomic uint64_t *counter)
{
    counter_add_many(counter, 1);
}

// Answers one message. `out` may be `query` itself (answered in place); its capacity is
// ANSWER_UDP_MAX or ANSWER_TCP_MAX at least, by transport. Returns the bytes written; 0: send
// nothing.
size_t answer(const struct generation *generation, struct worker *worker, const uint8_t *query,
              size_t query_size, const struct query_source *source, uint8_t *out);

// Makes an answer of our own as small as it can be, in place: the question, TC, and OPT if it had
// one (a cookie in it lets the client come back). Returns the new size.
size_t answer_truncate(uint8_t *message);

enum { ANSWER_BATCH_MAX = 64 };

struct message {
    const uint8_t *query;
    size_t query_size;
    struct query_source source;
    uint8_t *out;
    size_t out_size; // written: bytes of the answer; 0: send nothing
    // Written: the query brought a valid server cookie (RFC 7873), so its source is no forgery.
    bool cookie_valid;
};

// The same for many messages at once: what each will touch is fetched while the others are worked
// on, so that a batch waits for memory together and not one by one. count <= ANSWER_BATCH_MAX; all
// came over one transport.
void answer_batch(const struct generation *generation, struct worker *worker,
                  struct message *messages, size_t count);
