// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who may be connected, and for how long.
//
// One struct tcp belongs to one data thread and shares its epoll with the UDP sockets. Bounds, all
// per worker: connections (the newcomer displaces the one that has done nothing for longest),
// connections of one address (its own oldest goes), TLS handshakes under way (the oldest goes),
// time (one limit for each kind of waiting; a quarter of it while more than half of the places are
// taken) and memory held (TCP_HELD_MAX). No peer can use more, whatever it sends, and none can keep
// an honest newcomer out.
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

enum { ACCEPTS_MAX = 32, ACCEPT_REST_MS = 100, CROWDED_DIVISOR = 4 };

// What each state waits for, and where it may go.
static const struct {
    uint32_t events;
    unsigned next; // bit set of states
    enum patience patience;
} state_table[CONNECTION_STATE_COUNT] = {
    [CONNECTION_PROXIED] = {EPOLLIN,
                            1U << CONNECTION_SHAKES_READS | 1U << CONNECTION_READING |
                                1U << CONNECTION_CLOSED,
                            PATIENCE_PROGRESS},
    [CONNECTION_SHAKES_READS] = {EPOLLIN,
                                 1U << CONNECTION_SHAKES_SENDS | 1U << CONNECTION_READING |
                                     1U << CONNECTION_CLOSED,
                                 PATIENCE_HANDSHAKE},
    [CONNECTION_SHAKES_SENDS] = {EPOLLOUT,
                                 1U << CONNECTION_SHAKES_READS | 1U << CONNECTION_READING |
                                     1U << CONNECTION_CLOSED,
                                 PATIENCE_HANDSHAKE},
    [CONNECTION_READING] = {EPOLLIN,
                            1U << CONNECTION_BLOCKED | 1U << CONNECTION_ENDING |
                                1U << CONNECTION_LEAVING | 1U << CONNECTION_CLOSED,
                            PATIENCE_QUERY},
    [CONNECTION_BLOCKED] = {EPOLLOUT,
                            1U << CONNECTION_READING | 1U << CONNECTION_ENDING |
                                1U << CONNECTION_CLOSED,
                            PATIENCE_PROGRESS},
    [CONNECTION_ENDING] = {EPOLLOUT, 1U << CONNECTION_LEAVING | 1U << CONNECTION_CLOSED,
                           PATIENCE_PROGRESS},
    [CONNECTION_LEAVING] = {EPOLLIN, 1U << CONNECTION_CLOSED, PATIENCE_PROGRESS},
    [CONNECTION_CLOSED] = {0, 0, PATIENCE_COUNT},
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
    uint32_t events = state_table[state].events;
    bool differs = events != state_table[connection->state].events;
    connection->state = state;
    if (differs && state != CONNECTION_CLOSED) {
        watch(tcp, EPOLL_CTL_MOD, connection->fd, &connection->source, events);
    }
}

void connection_mark(struct tcp *tcp, struct connection *connection)
{
    enum patience patience = state_table[connection->state].patience;
    if (patience == PATIENCE_QUERY && connection->in_size > 0) {
        patience = PATIENCE_PROGRESS; // it has begun
    }
    tcp->handshake_count += patience == PATIENCE_HANDSHAKE;
    tcp->handshake_count -= connection->patience == PATIENCE_HANDSHAKE;
    connection->patience = patience;
    connection->mark_ns = clock_monotonic_ns(tcp->options.net->clock);
    list_remove(&connection->by_mark);
    list_append(&tcp->waiting[patience], &connection->by_mark);
}

void connection_close(struct tcp *tcp, struct connection *connection)
{
    SP_ASSERT(connection->state != CONNECTION_CLOSED);
    connection_turn(tcp, connection, CONNECTION_CLOSED);
    if (connection->tls != NULL) {
        tls_end(connection->tls);
    }
    close(connection->fd);
    tcp->handshake_count -= connection->patience == PATIENCE_HANDSHAKE;
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
    if (connection->later != NULL) {
        free(connection->later);
        connection->later = NULL;
        connection->later_size = 0;
    }
}

void connection_count_held(struct tcp *tcp, struct connection *connection)
{
    size_t held_size = connection->in_capacity + connection->out_size +
                       (connection->later != NULL ? TCP_LATER_MAX : 0);
    if (held_size == connection->held_size) {
        return; // the usual case: nothing is held, and nothing was
    }
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

static struct connection *longest_of(const struct tcp *tcp, enum patience patience)
{
    const struct list *waiting = &tcp->waiting[patience];
    return list_empty(waiting) ? NULL : container_of(waiting->next, struct connection, by_mark);
}

static struct connection *longest_idle(const struct tcp *tcp)
{
    struct connection *longest = NULL;
    for (enum patience patience = 0; patience < PATIENCE_COUNT; patience++) {
        struct connection *other = longest_of(tcp, patience);
        if (longest == NULL || (other != NULL && other->mark_ns < longest->mark_ns)) {
            longest = other;
        }
    }
    return longest;
}

static void displace(struct tcp *tcp, struct connection *connection)
{
    counter_add(&tcp->counters->tcp_displaced);
    connection_close(tcp, connection);
}

// The network that counts as one client: an IPv4 address, an IPv6 /64.
static uint64_t client_key(const struct address *address)
{
    return address_key(address) ^ address->family;
}

void connection_settle(struct tcp *tcp, struct connection *connection)
{
    uint64_t key = client_key(&connection->peer.address);
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
    unsigned same_max = tcp->options.net->tcp_clients_per_address_max;
    if (same_max > 0 && same >= same_max) {
        displace(tcp, oldest);
    }
    list_append(bucket, &connection->by_address);
}

void tcp_limit_handshakes(struct tcp *tcp)
{
    while (tcp->handshake_count > tcp->options.net->tls_handshakes_max) {
        displace(tcp, longest_of(tcp, PATIENCE_HANDSHAKE));
    }
}

// A newcomer is let in always. When its address has its share, that makes the room it needs; else
// the longest idle of all does.
static void make_room(struct tcp *tcp)
{
    if (tcp->count > tcp->options.net->tcp_clients_max) {
        displace(tcp, longest_idle(tcp));
    }
}

static void admit(struct tcp *tcp, int fd, const struct sockaddr *from)
{
    struct query_source peer = {.transport =
                                    tcp->options.tls != NULL ? TRANSPORT_TLS : TRANSPORT_TCP};
    if (!address_from_sockaddr(from, &peer.address, &peer.port)) {
        close(fd);
        return;
    }
    bool proxied = proxy_expected(&tcp->options.net->proxy, &peer.address);
    struct connection *connection = mem_alloc(sizeof(*connection));
    connection->source.kind = SOURCE_CONNECTION;
    connection->state = proxied                    ? CONNECTION_PROXIED
                        : tcp->options.tls != NULL ? CONNECTION_SHAKES_READS
                                                   : CONNECTION_READING;
    connection->patience = PATIENCE_COUNT;
    connection->fd = fd;
    connection->peer = peer;
    list_init(&connection->by_mark);
    list_init(&connection->by_address);
    list_init(&connection->by_holding);
    tcp->count++;
    counter_add(&tcp->counters->tcp_accepted);
    watch(tcp, EPOLL_CTL_ADD, fd, &connection->source, state_table[connection->state].events);
    if (proxied) {
        connection->in = mem_alloc(PROXY_HEADER_MIN);
        connection->in_capacity = PROXY_HEADER_MIN;
        connection_mark(tcp, connection);
    } else {
        connection_begin(tcp, connection);
    }
    make_room(tcp);
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
        displace(tcp, oldest);
        return true;
    }
    tcp->accept_resume_ns =
        clock_monotonic_ns(tcp->options.net->clock) + ACCEPT_REST_MS * NS_PER_MS;
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
    // Who is left has been told the end: with the peer's own end that is a hang-up, behind which
    // bytes may wait.
    bool leaving = connection->state == CONNECTION_LEAVING;
    if (events & EPOLLERR || (events & EPOLLHUP && !leaving)) {
        connection_close(tcp, connection);
        return;
    }
    switch (connection->state) {
    case CONNECTION_LEAVING:
        connection_drain(tcp, connection);
        break;
    case CONNECTION_READING:
        connection_read(tcp, connection);
        break;
    case CONNECTION_BLOCKED:
    case CONNECTION_ENDING:
        connection_write(tcp, connection);
        break;
    default:
        connection_begin_more(tcp, connection);
    }
}

static bool is_crowded(const struct tcp *tcp)
{
    return tcp->count > tcp->options.net->tcp_clients_max / 2;
}

uint16_t tcp_keepalive_ds(const struct tcp *tcp)
{
    enum { UNIT_MS = 100 };
    int64_t idle_ds = tcp->options.net->tcp_idle_ns / (UNIT_MS * NS_PER_MS);
    return is_crowded(tcp) ? 0 : (uint16_t)MIN(idle_ds, UINT16_MAX);
}

static int64_t patience_ns(const struct tcp *tcp, enum patience patience)
{
    const struct net_options *net = tcp->options.net;
    const int64_t limits_ns[] = {
        [PATIENCE_QUERY] = net->tcp_idle_ns,
        [PATIENCE_PROGRESS] = net->tcp_message_ns,
        [PATIENCE_HANDSHAKE] = net->tls_handshake_ns,
    };
    return is_crowded(tcp) ? limits_ns[patience] / CROWDED_DIVISOR : limits_ns[patience];
}

// Closes the overdue ones of a kind; the moment when the next one will be, or `next_ns` when that
// is earlier.
static int64_t close_overdue(struct tcp *tcp, enum patience patience, int64_t now_ns,
                             int64_t next_ns)
{
    for (struct connection *oldest; (oldest = longest_of(tcp, patience));) {
        int64_t due_ns = oldest->mark_ns + patience_ns(tcp, patience);
        if (now_ns < due_ns) {
            return MIN(next_ns, due_ns);
        }
        counter_add(&tcp->counters->tcp_timed_out);
        connection_close(tcp, oldest);
    }
    return next_ns;
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
    int64_t now = clock_monotonic_ns(tcp->options.net->clock);
    int64_t next = INT64_MAX;
    if (tcp->accept_resume_ns != 0 && now >= tcp->accept_resume_ns) {
        tcp->accept_resume_ns = 0;
        listeners_watch(tcp, EPOLLIN);
    } else if (tcp->accept_resume_ns != 0) {
        next = tcp->accept_resume_ns;
    }
    for (enum patience patience = 0; patience < PATIENCE_COUNT; patience++) {
        next = close_overdue(tcp, patience, now, next);
    }
    free_closed(tcp);
    return next == INT64_MAX ? -1 : (int)MIN((next - now) / NS_PER_MS + 1, INT32_MAX);
}

struct tcp *tcp_new(const struct tcp_options *options, const int *listeners, size_t listener_count)
{
    unsigned clients_max = options->net->tcp_clients_max;
    SP_ASSERT(clients_max > 0);
    struct tcp *tcp = mem_alloc(sizeof(*tcp));
    tcp->options = *options;
    tcp->counters = worker_counters_own(options->responder->worker);
    for (enum patience patience = 0; patience < PATIENCE_COUNT; patience++) {
        list_init(&tcp->waiting[patience]);
    }
    list_init(&tcp->holders);
    size_t bucket_count = 16;
    while (bucket_count < clients_max) {
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
    worker_free(tcp->again);
    free(tcp->listeners);
    free(tcp->buckets);
    free(tcp);
}
