// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the files of the prober share: prober_uv.c (attempts, the seam), prober_watch.c (their
// sockets), prober_stream.c (TCP and TLS), prober_datagram.c (UDP), prober_icmp.c, prober_exec.c.
// Nobody else includes it.
#pragma once

#include "probe/dialog.h"
#include "probe/gate.h"
#include "probe/prober_uv.h"
#include "probe/probe_tls.h"

#include <sys/epoll.h>

struct pinger;
struct attempt;

// The sockets of attempts under way, by descriptor. Zero-initialise; made at first use.
struct watch {
    int fd;          // an epoll set
    uv_poll_t *poll; // of the set; NULL: there is none yet
    struct watched {
        struct attempt *attempt; // NULL: none
        uint32_t serial;         // of uses of the descriptor
    } * slots;
    size_t slot_count;
};

// Something can be done on the socket; `failed`: it has an error, or both directions have ended.
typedef void attempt_ready(struct attempt *attempt, bool failed);

struct prober_uv {
    struct prober prober;
    uv_loop_t *loop;
    struct watch watch;
    probe_ended *ended;
    void *ended_context;
    struct gate gate;
    struct regexes *regexes;
    struct probe_tls *tls;
    struct pinger *pinger; // made at first use
    struct probe_command *commands;
    size_t command_count;
    size_t handle_count; // uv handles that are not yet closed
    size_t handle_peak;  // the most since memory was given back
    bool closing;
};

// What is kept of a check from one probe to the next: made by the first that uses TLS.
struct kept {
    struct tls_memory tls;
};

enum { AUTHORITY_MAX = 300 };

enum phase { PHASE_CONNECT, PHASE_SHAKE, PHASE_TALK };

// A kind of prober: how an attempt begins, and how it gives back what is its own.
struct attempt_kind {
    void (*start)(struct attempt *attempt);
    void (*forget)(struct attempt *attempt); // NULL: nothing of its own
};

// One probe under way. Ends with attempt_end, or with cancel.
struct attempt {
    struct prober_uv *prober;
    struct probe *probe;
    const struct attempt_kind *kind;
    struct recipe recipe;
    struct address target; // where this connection goes; a redirect may change it
    uint16_t port;
    struct probe_result result;
    int64_t started_ns, layer_ns; // when the probe, and when the layer under way began
    bool has_timer;
    uv_timer_t timer;
    uv_timer_cb overdue;
    int fd;          // -1: none
    unsigned events; // of epoll, that `fd` is watched for; 0: not watched
    attempt_ready *ready;
    // Streams.
    enum phase phase;
    bool tls;
    struct tls_link link;
    struct tls_memory scratch; // of redirected connections: nothing of them is kept
    struct dialog dialog;
    size_t sent;
    unsigned redirect_count;
    char *authority;     // AUTHORITY_MAX, owned; NULL: not needed yet
    const char *name;    // verified and sent as SNI; NULL: the target itself
    char *redirect_path; // owned
    void *own;           // of icmp and exec
};

extern const struct attempt_kind attempt_stream, attempt_datagram, attempt_icmp, attempt_exec;

// Monotonic, ns.
int64_t attempt_now(void);
// Nanoseconds since *since, at least 1; *since moves to now.
int64_t attempt_lap(int64_t *since);
// The deadline of a probe in whole milliseconds, rounded up.
uint64_t timeout_ms(const struct check_spec *spec);

// Reports attempt->result and forgets the attempt.
void attempt_end(struct attempt *attempt);
// Reports it on the loop's next turn: start() must not report itself.
void attempt_end_soon(struct attempt *attempt);
// One timer an attempt.
void attempt_timer(struct attempt *attempt, uv_timer_cb callback, uint64_t delay_ms);
// Calls when the time of the probe is over and nothing that came in time waits to be looked at.
void attempt_deadline(struct attempt *attempt, uv_timer_cb overdue);
void attempt_last_look(struct attempt *attempt, uv_timer_cb overdue);
// Watches attempt->fd for these events (EPOLLIN, EPOLLOUT); false with the result set when it
// cannot be watched.
bool attempt_watch(struct attempt *attempt, unsigned events, attempt_ready *ready);
void attempt_unwatch(struct attempt *attempt); // closes attempt->fd
void watch_close(struct prober_uv *prober);

// Handles of the prober itself.
void prober_handle_opened(struct prober_uv *prober);
void prober_handle_closed(struct prober_uv *prober);

void pinger_close(struct pinger *pinger); // NULL allowed
