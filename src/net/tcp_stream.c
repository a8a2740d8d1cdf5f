// SPDX-License-Identifier: GPL-3.0-or-later
//
// One connection's bytes: length-prefixed queries in, length-prefixed answers out.
//
// Called by tcp.c on the data thread. Bytes come into the thread's own buffer; only an incomplete
// message, or what waits for a peer that does not read, is copied to the connection, so an idle one
// holds nothing. A message grows in the connection's buffer as it arrives, never by what its prefix
// claims. While answers are blocked, nothing is read: the peer's own window pushes back.
//
// While a peer takes what it gets, its answers go out in the order of its questions: each is made
// in microseconds, so none waits for another. When the kernel leaves a rest, the peer is behind,
// and a small answer would wait for all large ones before it. RFC 7766 asks for better: queries are
// to be worked on concurrently though they come one behind the other (6.2.1.1), and their answers
// may come in another order (7). So whenever the peer has taken the rest, and as long as anything
// waits, answers go out in rounds: the small ones to what is at hand, TCP_FLUSH_SIZE of them at
// most, while the questions with larger ones are put off; then the answer to the question that has
// been put off for longest. Hence a small answer waits for one large one and not for all of them;
// one that was put off is passed by at most TCP_FLUSH_SIZE octets for each that was put off before
// it, and for itself; large ones keep their order among themselves, and so do small ones; and what
// is kept of it are questions, a few dozen octets each, whose answers are made twice at most.
//
// A message that deserves no answer (a response, a runt) ends the connection after the answers
// before it: over TCP the source is no forgery, it is a peer that does not speak DNS. What it has
// sent behind that message is drained before the socket is closed, or the kernel would reset the
// stream and drop the answers that are still on their way (RFC 1122, 4.2.2.13).
#include "net/connection.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { IN_CAPACITY_MIN = 256 };

// Octets that a peer may send after it was left; it has had time to see the end. To read on would
// be work for nobody: one that never stops took a core for as long as it was waited for.
enum { DRAIN_MAX = 1 << 20 };

static size_t message_size(const uint8_t *prefix)
{
    return (size_t)prefix[0] << 8 | prefix[1];
}

static ssize_t stream_receive(const struct connection *connection, void *bytes, size_t size)
{
    return connection->tls == NULL ? recv(connection->fd, bytes, size, 0)
                                   : tls_receive(connection->tls, bytes, size);
}

static ssize_t stream_send(const struct connection *connection, const void *bytes, size_t size)
{
    return connection->tls == NULL ? send(connection->fd, bytes, size, MSG_NOSIGNAL)
                                   : tls_send(connection->tls, bytes, size);
}

// Whether a whole message stands at the beginning of these bytes; its size with the prefix.
static bool is_whole(const uint8_t *bytes, size_t size, size_t *framed_size)
{
    if (size < TCP_PREFIX_SIZE) {
        return false;
    }
    *framed_size = TCP_PREFIX_SIZE + message_size(bytes);
    return *framed_size <= size;
}

// All has been said. The peer is told so, and may take its time to read it.
static void leave(struct tcp *tcp, struct connection *connection)
{
    if (connection->tls != NULL) {
        tls_end(connection->tls);
        connection->tls = NULL;
    }
    connection_turn(tcp, connection, CONNECTION_LEAVING);
    shutdown(connection->fd, SHUT_WR);
    connection_mark(tcp, connection);
}

// Sends what has gathered. What the kernel does not take moves to the connection, which waits in
// `state` until the peer has taken it.
static void flush(struct tcp *tcp, struct connection *connection, enum connection_state state)
{
    ssize_t sent = 0;
    if (tcp->out_size > 0) {
        sent = stream_send(connection, tcp->out, tcp->out_size);
    }
    size_t rest = tcp->out_size - (size_t)MAX(sent, 0);
    tcp->out_size = 0;
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        connection_close(tcp, connection);
    } else if (rest > 0) {
        connection->out = mem_copy(tcp->out + MAX(sent, 0), rest);
        connection->out_size = rest;
        connection->out_at = 0;
        if (connection->state != state) {
            connection_turn(tcp, connection, state);
        }
    }
}

// Answers one message into the thread's buffer; false: it deserves none.
static ALWAYS_INLINE bool respond(struct tcp *tcp, const struct connection *connection,
                                  struct worker *worker, const struct generation *generation,
                                  const uint8_t *message, size_t size)
{
    uint8_t *out = tcp->out + tcp->out_size;
    size_t written =
        answer(generation, worker, message, size, &connection->peer, out + TCP_PREFIX_SIZE);
    out[0] = (uint8_t)(written >> 8);
    out[1] = (uint8_t)written;
    tcp->out_size += written > 0 ? TCP_PREFIX_SIZE + written : 0;
    return written > 0;
}

// Keeps the last `size` bytes of the input, which begin at `rest`: in the thread's buffer or in the
// connection's own.
static void keep_rest(struct connection *connection, const uint8_t *rest, size_t size)
{
    if (size == 0) {
        free(connection->in);
        connection->in = NULL;
        connection->in_size = connection->in_capacity = 0;
        return;
    }
    if (rest == connection->in && size < connection->in_capacity) {
        connection->in_size = size; // a message that comes in drips is not copied at each
        return;
    }
    // Room for one more byte at least, twice as much each time, at most one message.
    size_t wanted = MAX(2 * size, (size_t)IN_CAPACITY_MIN);
    if (size >= TCP_PREFIX_SIZE) {
        wanted = MIN(wanted, TCP_PREFIX_SIZE + message_size(rest));
    }
    size_t capacity = MAX(wanted, size);
    if (connection->in) {
        memmove(connection->in, rest, size);
        connection->in = mem_resize(connection->in, capacity, 1);
    } else {
        connection->in = mem_alloc(capacity);
        memcpy(connection->in, rest, size);
    }
    connection->in_size = size;
    connection->in_capacity = capacity;
}

// Answers the complete messages of the input in order, until the peer no longer takes the answers;
// keeps the rest. True when at least one message was complete.
static bool process(struct tcp *tcp, struct connection *connection, const uint8_t *bytes,
                    size_t size)
{
    const struct generation *generation =
        atomic_load_explicit(tcp->options.responder->root, memory_order_acquire);
    connection->peer.keepalive_ds = tcp_keepalive_ds(tcp);
    size_t used = 0;
    while (connection->state == CONNECTION_READING && size - used >= TCP_PREFIX_SIZE) {
        const uint8_t *message = bytes + used + TCP_PREFIX_SIZE;
        size_t length = message_size(bytes + used);
        if (size - used - TCP_PREFIX_SIZE < length) {
            break;
        }
        used += TCP_PREFIX_SIZE + length;
        bool answered =
            respond(tcp, connection, tcp->options.responder->worker, generation, message, length);
        if (!answered || tcp->out_size >= TCP_FLUSH_SIZE) {
            flush(tcp, connection, answered ? CONNECTION_BLOCKED : CONNECTION_ENDING);
            if (!answered && connection->state == CONNECTION_READING) {
                leave(tcp, connection);
            }
        }
    }
    rcu_quiescent();
    if (connection->state == CONNECTION_READING) {
        flush(tcp, connection, CONNECTION_BLOCKED);
    }
    if (connection->state != CONNECTION_CLOSED) {
        bool reads_on =
            connection->state == CONNECTION_READING || connection->state == CONNECTION_BLOCKED;
        size_t rest = reads_on ? size - used : 0;
        keep_rest(connection, bytes + used, rest);
        connection_count_held(tcp, connection);
    }
    return used > 0;
}

// Reads once, behind what is kept of an incomplete message, into *bytes. False: nothing came. At
// the peer's end, or a failure, the connection is closed; it is ENDING while questions are put off.
static ALWAYS_INLINE bool take(struct tcp *tcp, struct connection *connection,
                               const uint8_t **bytes, size_t *size)
{
    bool begun = connection->in != NULL;
    uint8_t *into = begun ? connection->in + connection->in_size : tcp->in;
    size_t room = begun ? connection->in_capacity - connection->in_size : sizeof(tcp->in);
    ssize_t got = stream_receive(connection, into, room);
    if (got > 0) {
        *bytes = begun ? connection->in : tcp->in;
        *size = (begun ? connection->in_size : 0) + (size_t)got;
        return true;
    }
    if (got == 0 && connection->later_size > 0) {
        connection_turn(tcp, connection, CONNECTION_ENDING);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        connection_close(tcp, connection); // its answers were all sent
    } else if (connection->tls != NULL && tls_waits_for_room(connection->tls) &&
               connection->state == CONNECTION_READING) {
        // Not marked: it is still the next query that is waited for.
        connection_turn(tcp, connection, CONNECTION_BLOCKED);
    }
    return false;
}

// False: there was nothing to read.
static bool read_once(struct tcp *tcp, struct connection *connection)
{
    bool begun = connection->in != NULL;
    const uint8_t *bytes;
    size_t size;
    if (!take(tcp, connection, &bytes, &size)) {
        return false;
    }
    bool complete = process(tcp, connection, bytes, size);
    if (connection->state != CONNECTION_CLOSED && (complete || !begun)) {
        connection_mark(tcp, connection);
    }
    return true;
}

// What TLS has decrypted already the socket does not announce again.
void connection_read(struct tcp *tcp, struct connection *connection)
{
    bool more = true;
    while (more) {
        more = read_once(tcp, connection) && connection->state == CONNECTION_READING &&
               connection->tls != NULL && tls_has_pending(connection->tls);
    }
}

// --- rounds: answers to a peer that was behind

static void put_off(const struct tcp *tcp, struct connection *connection, const uint8_t *question,
                    size_t size)
{
    if (connection->later == NULL) {
        connection->later = mem_alloc(TCP_LATER_MAX);
    }
    memcpy(connection->later + connection->later_size, question, size);
    connection->later_size += size;
    counter_add(&tcp->counters->tcp_put_off);
}

// Gathers the small answers to the questions of the input, puts the others off, and keeps the rest.
// A question that could not be put off waits until none is, and is answered in its place then.
static void gather_small(struct tcp *tcp, struct connection *connection,
                         const struct generation *generation, const uint8_t *bytes, size_t size)
{
    size_t used = 0, framed_size;
    while (connection->state == CONNECTION_BLOCKED &&
           is_whole(bytes + used, size - used, &framed_size) &&
           tcp->out_size + TCP_PREFIX_SIZE + TCP_PASSING_MAX <= TCP_FLUSH_SIZE) {
        bool fits = connection->later_size + framed_size <= TCP_LATER_MAX;
        if (!fits && connection->later_size > 0) {
            break;
        }
        const uint8_t *question = bytes + used;
        size_t before = tcp->out_size;
        used += framed_size;
        if (!respond(tcp, connection, tcp->options.responder->worker, generation,
                     question + TCP_PREFIX_SIZE, framed_size - TCP_PREFIX_SIZE)) {
            connection_turn(tcp, connection, CONNECTION_ENDING);
        } else if (fits && tcp->out_size - before > TCP_PREFIX_SIZE + TCP_PASSING_MAX) {
            tcp->out_size = before;
            put_off(tcp, connection, question, framed_size);
        }
    }
    keep_rest(connection, bytes + used, connection->state == CONNECTION_BLOCKED ? size - used : 0);
}

// Gathers the answer to what has been put off for longest. It was counted when it was put off, so a
// worker makes it whose counters nobody reads.
static void gather_oldest(struct tcp *tcp, struct connection *connection,
                          const struct generation *generation)
{
    if (tcp->again == NULL) {
        tcp->again = worker_new(random_seed());
    }
    worker_set_time(tcp->again, (uint32_t)(clock_wall_ns(tcp->options.net->clock) / NS_PER_SECOND));
    size_t size = message_size(connection->later);
    SP_ASSERT(tcp->out_size <= TCP_FLUSH_SIZE);
    respond(tcp, connection, tcp->again, generation, connection->later + TCP_PREFIX_SIZE, size);
    connection->later_size -= TCP_PREFIX_SIZE + size;
    memmove(connection->later, connection->later + TCP_PREFIX_SIZE + size, connection->later_size);
    if (connection->later_size == 0) {
        free(connection->later);
        connection->later = NULL;
    }
}

// Whether a whole message is kept.
static bool keeps_whole(const struct connection *connection)
{
    size_t framed_size;
    return connection->in != NULL && is_whole(connection->in, connection->in_size, &framed_size);
}

// The questions at hand are those that were kept and, in the first round of an event, what has come
// since: a small one among that need not wait for those that are put off.
static void go_round(struct tcp *tcp, struct connection *connection, bool first)
{
    const struct generation *generation =
        atomic_load_explicit(tcp->options.responder->root, memory_order_acquire);
    const uint8_t *bytes;
    size_t size;
    if (connection->in != NULL) {
        gather_small(tcp, connection, generation, connection->in, connection->in_size);
    }
    if (first && connection->state == CONNECTION_BLOCKED && connection->later_size > 0 &&
        !keeps_whole(connection) && take(tcp, connection, &bytes, &size)) {
        gather_small(tcp, connection, generation, bytes, size);
    }
    if (connection->later_size > 0) {
        gather_oldest(tcp, connection, generation);
    }
    rcu_quiescent();
    if (connection->state == CONNECTION_CLOSED) {
        tcp->out_size = 0; // the read has failed
        return;
    }
    flush(tcp, connection, connection->state);
}

// Goes round until the peer is behind again or nothing waits.
static void go_on(struct tcp *tcp, struct connection *connection)
{
    connection->peer.keepalive_ds = tcp_keepalive_ds(tcp);
    bool first = true;
    do {
        go_round(tcp, connection, first);
        first = false;
    } while (connection->state != CONNECTION_CLOSED && connection->out == NULL &&
             (connection->later_size > 0 || keeps_whole(connection)));
    if (connection->state != CONNECTION_CLOSED && connection->out == NULL) {
        if (connection->state == CONNECTION_ENDING) {
            leave(tcp, connection);
        } else {
            connection_turn(tcp, connection, CONNECTION_READING);
        }
    }
}

void connection_write(struct tcp *tcp, struct connection *connection)
{
    size_t left = connection->out_size - connection->out_at;
    if (left == 0) { // it was TLS that wanted the room
        connection_turn(tcp, connection, CONNECTION_READING);
        connection_read(tcp, connection);
        return;
    }
    ssize_t sent = stream_send(connection, connection->out + connection->out_at, left);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) {
            connection_close(tcp, connection);
        }
        return;
    }
    connection->out_at += (size_t)sent;
    if ((size_t)sent < left) {
        return;
    }
    free(connection->out);
    connection->out = NULL;
    connection->out_size = connection->out_at = 0;
    go_on(tcp, connection);
    if (connection->state != CONNECTION_CLOSED) {
        connection_count_held(tcp, connection); // which may close it
    }
    if (connection->state == CONNECTION_CLOSED) {
        return;
    }
    connection_mark(tcp, connection);
    if (connection->state == CONNECTION_READING && connection->tls != NULL &&
        tls_has_pending(connection->tls)) {
        connection_read(tcp, connection);
    }
}

void connection_drain(struct tcp *tcp, struct connection *connection)
{
    ssize_t got = recv(connection->fd, tcp->in, sizeof(tcp->in), 0);
    connection->drained += got > 0 ? (size_t)got : 0;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) ||
        connection->drained > DRAIN_MAX) {
        connection_close(tcp, connection);
    }
}
