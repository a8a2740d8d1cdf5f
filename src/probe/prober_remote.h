// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct prober_remote: probes made by a process of their own, which has none of the server's
// files, memory and secrets, and may have another user.
//
// It implements struct prober (probe/prober.h). When the process ends, hangs or says something
// that it may not, it is ended; probes under way end with a local error, which moves no state, and
// a new process is started after a pause that grows. Control thread, on its loop.
#pragma once

#include "probe/prober_uv.h"

struct prober_remote;

// Called when the process has begun (alive) or ended; it may only look.
typedef void prober_remote_turned(void *context, bool alive, const char *reason);

struct prober_remote_options {
    const char *program; // started as `program prober`
    struct prober_options probes;
    uid_t uid; // (uid_t)-1: the server's own
    gid_t gid;
    prober_remote_turned *turned;
    void *context;
};

// The options are copied.
struct prober_remote *prober_remote_new(uv_loop_t *loop,
                                        const struct prober_remote_options *options);
// As prober_uv_free: after health_free; the memory goes when the loop has closed the handles and
// the process has ended. NULL allowed.
void prober_remote_free(struct prober_remote *remote);
// Before the first probe starts: where results go.
void prober_remote_report(struct prober_remote *remote, probe_ended *ended, void *context);
const struct prober *prober_remote_prober(const struct prober_remote *remote);
bool prober_remote_is_alive(const struct prober_remote *remote);
uint64_t prober_remote_starts(const struct prober_remote *remote);
// The pause before a process is started again, in ms: after so many in a row that did not live for
// ten seconds.
uint64_t prober_remote_pause_ms(unsigned failures);

// The other side: makes probes for the server at the other end of `fd` until that end is closed.
// The exit code of the process.
int prober_child(int fd);
