// SPDX-License-Identifier: GPL-3.0-or-later
//
// What comes before the first query of a connection: the header of the PROXY protocol, where one is
// due, then the TLS handshake, where one is due. Both within limits of time that single bytes do
// not renew.
#include "net/connection.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/socket.h>

// The header is read from the socket and nothing behind it: that belongs to TLS or to the stream.
static void read_header(struct tcp *tcp, struct connection *connection)
{
    size_t wanted = connection->in_capacity - connection->in_size;
    ssize_t got = recv(connection->fd, connection->in + connection->in_size, wanted, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            connection_close(tcp, connection);
        }
        return;
    }
    connection->in_size += (size_t)got;
    size_t header_size;
    switch (proxy_client(&tcp->options.net->proxy, connection->in, connection->in_size,
                         &connection->peer, &header_size)) {
    case PROXY_MORE:
        connection->in = mem_resize(connection->in, header_size, 1);
        connection->in_capacity = header_size;
        break;
    case PROXY_BAD:
        counter_add(&tcp->counters->proxy_refused);
        connection_close(tcp, connection);
        break;
    case PROXY_DONE:
        counter_add(&tcp->counters->proxied);
        free(connection->in);
        connection->in = NULL;
        connection->in_size = connection->in_capacity = 0;
        connection_begin(tcp, connection);
        break;
    }
}

static void shake(struct tcp *tcp, struct connection *connection)
{
    enum connection_state state = CONNECTION_READING;
    switch (tls_handshake(connection->tls)) {
    case TLS_FAILED:
        counter_add(&tcp->counters->tls_failed);
        connection_close(tcp, connection);
        return;
    case TLS_WANTS_READ:
        state = CONNECTION_SHAKES_READS;
        break;
    case TLS_WANTS_WRITE:
        state = CONNECTION_SHAKES_SENDS;
        break;
    case TLS_DONE:
        break;
    }
    if (state != connection->state) {
        connection_turn(tcp, connection, state);
    }
    if (state == CONNECTION_READING) {
        counter_add(&tcp->counters->tls_handshakes);
        if (tls_is_resumed(connection->tls)) {
            counter_add(&tcp->counters->tls_resumed);
        }
        connection_mark(tcp, connection);
        connection_read(tcp, connection); // the first query may have come with the end of it
    }
}

void connection_begin(struct tcp *tcp, struct connection *connection)
{
    connection_settle(tcp, connection);
    if (tcp->options.tls == NULL) {
        if (connection->state != CONNECTION_READING) {
            connection_turn(tcp, connection, CONNECTION_READING);
        }
        connection_mark(tcp, connection);
        return;
    }
    connection->tls = tls_accept(tcp->options.tls, connection->fd);
    if (connection->tls == NULL) {
        counter_add(&tcp->counters->tls_failed);
        connection_close(tcp, connection);
        return;
    }
    if (connection->state != CONNECTION_SHAKES_READS) {
        connection_turn(tcp, connection, CONNECTION_SHAKES_READS);
    }
    connection_mark(tcp, connection);
    tcp_limit_handshakes(tcp);
}

void connection_begin_more(struct tcp *tcp, struct connection *connection)
{
    if (connection->state == CONNECTION_PROXIED) {
        read_header(tcp, connection);
    } else {
        shake(tcp, connection);
    }
}
