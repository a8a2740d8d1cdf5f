// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who may be connected, and for how long.
//
// One struct tcp belongs to one data thread and shares its epoll with the UDP sockets. Bounds, all
// per worker: connections (the newcomer displaces the one that has done nothing for longest),
// connections of one address (its own oldest goes), time (the idle time; a quarter of it while more
// than half of the places are taken) and memory held (TCP_HELD_MAX). No peer can use more, whatever
// it sends, and none can keep an honest newcomer out.
//
// A closed connection is released only at the end of the round: later events of the same
// epoll_wait may still point to it.
#include "net/connection.h"

#include "base/hash.h"
#include "base/memory.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_MAX = 32, ACCEPT_REST_MS = 100, CROWDED_IDLE_DIVISOR = 4 };

// What each state waits for, and where it may go.
static const struct {
    uint32_t events;
    unsigned next; // bit set of states
} state_table[CONNECTION_STATE_COUNT] = {
    [CONNECTION_READING] = {EPOLLIN, 1U << CONNECTION_BLOCKED | 1U << CONNECTION_ENDING |
                                         1U << CONNECTION_CLOSED},
    [CONNECTION_BLOCKED] = {EPOLLOUT, 1U << CONNECTION_READING | 1U << CONNECTION_CLOSED},
    [CONNECTION_ENDING] = {EPOLLOUT, 1U << CONNECTION_CLOSED},
    [CONNECTION_CLOSED] = {0, 0},
};

static void watch(const struct tcp *tcp, int operation, int fd, struct event_source *source,
                  uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    epoll_ctl(tcp->options.epoll_fd, operation, fd, &event);
}

void connection_turn(struct tcp *tcp, struct connection *connection, enum connection_state state)
{
    SP_ASSERT(state_table[connection->state].next & 1U << state);
    connection->state = state;
    if (state != CONNECTION_CLOSED) {
        watch(tcp, EPOLL_CTL_MOD, connection->fd, &connection->source, state_table[state].events);
    }
}

void connection_mark(struct tcp *tcp, struct connection *connection)
{
    connection->mark_ns = clock_monotonic_ns(tcp->options.clock);
    list_remove(&connection->by_mark);
    list_append(&tcp->connections, &connection->by_mark);
}

void connection_close(struct tcp *tcp, struct connection *connection)
{
    SP_ASSERT(connection->state != CONNECTION_CLOSED);
    connection_turn(tcp, connection, CONNECTION_CLOSED);
    close(connection->fd);
    list_remove(&connection->by_mark);
    list_remove(&connection->by_address);
    list_remove(&connection->by_holding);
    connection->next_closed = tcp->closed;
    tcp->closed = connection;
    tcp->held_size -= connection->held_size;
    tcp->count--;
    free(connection->in);
    free(connection->out);
    connection->in = connection->out = NULL;
}

void connection_count_held(struct tcp *tcp, struct connection *connection)
{
    size_t held_size = connection->in_capacity + connection->out_size;
    tcp->held_size += held_size - connection->held_size;
    connection->held_size = held_size;
    if (held_size <= TCP_HELD_SMALL) {
        list_remove(&connection->by_holding);
    } else if (list_empty(&connection->by_holding)) {
        list_append(&tcp->holders, &connection->by_holding);
    }
    while (tcp->held_size > TCP_HELD_MAX && !list_empty(&tcp->holders)) {
        connection_close(tcp, container_of(tcp->holders.next, struct connection, by_holding));
    }
}

static struct connection *longest_idle(const struct tcp *tcp)
{
    return list_empty(&tcp->connections)
               ? NULL
               : container_of(tcp->connections.next, struct connection, by_mark);
}

// The network that counts as one client: an IPv4 address, an IPv6 /64.
static uint64_t client_key(const struct address *address)
{
    return address_key(address) ^ address->family;
}

// The newest of an address is let in; when the address has its share, its longest idle leaves.
static struct list *make_room_for(struct tcp *tcp, const struct address *address)
{
    uint64_t key = client_key(address);
    struct list *bucket = &tcp->buckets[hash_u64(0, key) & tcp->bucket_mask];
    struct connection *oldest = NULL;
    unsigned same = 0;
    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct connection *other = container_of(at, struct connection, by_address);
        if (client_key(&other->peer.address) == key) {
            same++;
            oldest = oldest && oldest->mark_ns <= other->mark_ns ? oldest : other;
        }
    }
    unsigned same_max = tcp->options.clients_per_address_max;
    if (same_max > 0 && same >= same_max) {
        connection_close(tcp, oldest);
    } else if (tcp->count >= tcp->options.clients_max) {
        connection_close(tcp, longest_idle(tcp));
    }
    return bucket;
}

static void admit(struct tcp *tcp, int fd, const struct sockaddr *from)
{
    struct query_source peer = {.transport = TRANSPORT_TCP};
    if (!address_from_sockaddr(from, &peer.address, &peer.port)) {
        close(fd);
        return;
    }
    struct list *bucket = make_room_for(tcp, &peer.address);
    struct connection *connection = mem_alloc(sizeof(*connection));
    *connection = (struct connection){
        .source.kind = SOURCE_CONNECTION, .state = CONNECTION_READING, .fd = fd, .peer = peer};
    list_init(&connection->by_mark);
    list_init(&connection->by_holding);
    list_append(bucket, &connection->by_address);
    connection_mark(tcp, connection);
    tcp->count++;
    watch(tcp, EPOLL_CTL_ADD, fd, &connection->source, state_table[CONNECTION_READING].events);
}

static void listeners_watch(struct tcp *tcp, uint32_t events)
{
    for (size_t i = 0; i < tcp->listener_count; i++) {
        watch(tcp, EPOLL_CTL_MOD, tcp->listeners[i].fd, &tcp->listeners[i].source, events);
    }
}

// No descriptor or memory for another connection: our own longest idle makes room; if there is
// none, the listeners rest for a moment instead of spinning.
static bool accept_recover(struct tcp *tcp)
{
    struct connection *oldest = longest_idle(tcp);
    if (oldest) {
        connection_close(tcp, oldest);
        return true;
    }
    tcp->accept_resume_ns = clock_monotonic_ns(tcp->options.clock) + ACCEPT_REST_MS * NS_PER_MS;
    listeners_watch(tcp, 0);
    return false;
}

static void accept_some(struct tcp *tcp, int listener)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage from;
        socklen_t from_size = sizeof(from);
        int fd =
            accept4(listener, (struct sockaddr *)&from, &from_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(tcp, fd, (struct sockaddr *)&from);
            continue;
        }
        if (errno == EAGAIN) {
            return;
        }
        bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        if (exhausted && !accept_recover(tcp)) {
            return;
        }
        // Everything else is the fate of one connection that ended before it was accepted.
    }
}

void tcp_event(struct tcp *tcp, struct event_source *source, uint32_t events)
{
    if (source->kind == SOURCE_LISTENER) {
        accept_some(tcp, container_of(source, struct listener, source)->fd);
        return;
    }
    struct connection *connection = container_of(source, struct connection, source);
    if (connection->state == CONNECTION_CLOSED) {
        return;
    }
    if (events & (EPOLLERR | EPOLLHUP)) {
        connection_close(tcp, connection);
    } else if (connection->state == CONNECTION_READING) {
        connection_read(tcp, connection);
    } else {
        connection_write(tcp, connection);
    }
}

static int64_t idle_ns(const struct tcp *tcp)
{
    bool crowded = tcp->count > tcp->options.clients_max / 2;
    return crowded ? tcp->options.idle_ns / CROWDED_IDLE_DIVISOR : tcp->options.idle_ns;
}

static void free_closed(struct tcp *tcp)
{
    for (struct connection *next; tcp->closed; tcp->closed = next) {
        next = tcp->closed->next_closed;
        free(tcp->closed);
    }
}

int tcp_tick(struct tcp *tcp)
{
    if (tcp->count == 0 && tcp->accept_resume_ns == 0 && tcp->closed == NULL) {
        return -1; // the usual case costs no clock
    }
    int64_t now = clock_monotonic_ns(tcp->options.clock);
    int64_t next = INT64_MAX;
    if (tcp->accept_resume_ns != 0 && now >= tcp->accept_resume_ns) {
        tcp->accept_resume_ns = 0;
        listeners_watch(tcp, EPOLLIN);
    } else if (tcp->accept_resume_ns != 0) {
        next = tcp->accept_resume_ns;
    }
    for (struct connection *oldest; (oldest = longest_idle(tcp));) {
        int64_t due = oldest->mark_ns + idle_ns(tcp);
        if (now < due) {
            next = MIN(next, due);
            break;
        }
        connection_close(tcp, oldest);
    }
    free_closed(tcp);
    return next == INT64_MAX ? -1 : (int)MIN((next - now) / NS_PER_MS + 1, INT32_MAX);
}

struct tcp *tcp_new(const struct tcp_options *options, const int *listeners, size_t listener_count)
{
    SP_ASSERT(options->clients_max > 0);
    struct tcp *tcp = mem_alloc(sizeof(*tcp));
    tcp->options = *options;
    list_init(&tcp->connections);
    list_init(&tcp->holders);
    size_t bucket_count = 16;
    while (bucket_count < options->clients_max) {
        bucket_count *= 2;
    }
    tcp->buckets = mem_alloc_array(bucket_count, sizeof(*tcp->buckets));
    for (size_t i = 0; i < bucket_count; i++) {
        list_init(&tcp->buckets[i]);
    }
    tcp->bucket_mask = bucket_count - 1;
    tcp->listeners = mem_alloc_array(listener_count, sizeof(*tcp->listeners));
    tcp->listener_count = listener_count;
    for (size_t i = 0; i < listener_count; i++) {
        tcp->listeners[i] = (struct listener){{SOURCE_LISTENER}, listeners[i]};
        watch(tcp, EPOLL_CTL_ADD, listeners[i], &tcp->listeners[i].source, EPOLLIN);
    }
    return tcp;
}

void tcp_free(struct tcp *tcp)
{
    if (tcp == NULL) {
        return;
    }
    for (struct connection *oldest; (oldest = longest_idle(tcp));) {
        connection_close(tcp, oldest);
    }
    free_closed(tcp);
    for (size_t i = 0; i < tcp->listener_count; i++) {
        close(tcp->listeners[i].fd);
    }
    free(tcp->listeners);
    free(tcp->buckets);
    free(tcp);
}
