// SPDX-License-Identifier: GPL-3.0-or-later
//
// Probes by UDP: one datagram out of the dialog of the kind, then whatever comes back from there.
// The socket is connected, so only the target's datagrams arrive, and its ICMP errors are seen.
#include "probe/prober_parts.h"

#include <errno.h>
#include <sys/socket.h>

enum { DATAGRAM_MAX = 65536, DATAGRAMS_PER_TURN = 16 };

static void datagram_forget(struct attempt *attempt)
{
    dialog_forget(&attempt->dialog);
}

static void datagram_timeout(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    probe_result_set(&attempt->result, PROBE_L7_TIMEOUT, "no %s within %llu ms",
                     attempt->dialog.kind->missing,
                     (unsigned long long)timeout_ms(attempt->recipe.spec));
    attempt_end(attempt);
}

static void datagram_ready(struct attempt *attempt, bool failed)
{
    uint8_t octets[DATAGRAM_MAX];
    (void)failed; // what is wrong, the socket says
    for (int i = 0; i < DATAGRAMS_PER_TURN && !attempt->dialog.ended; i++) {
        ssize_t got = recv(attempt->fd, octets, sizeof(octets), 0);
        if (got < 0 && errno == EAGAIN) {
            break;
        }
        if (got < 0) {
            gate_errno(&attempt->result, errno);
            attempt_end(attempt);
            return;
        }
        if (attempt->result.first_byte_ns == 0) {
            attempt->result.first_byte_ns = attempt_lap(&attempt->layer_ns);
        }
        dialog_feed(&attempt->dialog, octets, (size_t)got);
    }
    if (attempt->dialog.ended || !attempt_watch(attempt, EPOLLIN, datagram_ready)) {
        attempt_end(attempt);
    }
}

// False with the result set.
static bool datagram_send(struct attempt *attempt)
{
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&attempt->target, attempt->port, &to);
    attempt->fd = gate_connect(&attempt->prober->gate, SOCK_DGRAM, (const struct sockaddr *)&to,
                               size, &attempt->result);
    if (attempt->fd < 0) {
        return false;
    }
    dialog_begin(&attempt->dialog);
    if (attempt->dialog.ended) {
        return false;
    }
    if (send(attempt->fd, attempt->dialog.out.at, attempt->dialog.out.count, MSG_NOSIGNAL) < 0) {
        gate_errno(&attempt->result, errno);
        return false;
    }
    attempt->layer_ns = attempt_now();
    return attempt_watch(attempt, EPOLLIN, datagram_ready);
}

static void datagram_start(struct attempt *attempt)
{
    attempt->dialog = (struct dialog){
        .kind = dialog_kind_of(attempt->recipe.spec),
        .recipe = &attempt->recipe,
        .result = &attempt->result,
        .datagrams = true,
    };
    if (datagram_send(attempt)) {
        attempt_deadline(attempt, datagram_timeout);
    } else {
        attempt_end_soon(attempt);
    }
}

const struct attempt_kind attempt_datagram = {datagram_start, datagram_forget};
