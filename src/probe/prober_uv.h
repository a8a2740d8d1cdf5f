// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct prober_uv: the prober that really leaves the process, on a libuv loop. It knows every kind
// that check_kinds[] marks as probed; any other is a mistake of the caller.
//
// Thread of the loop only. Each probe goes to literal addresses only, past one gate that looks at
// the socket address (probe/gate.h); no name is resolved and no proxy used; redirects are followed
// only if the definition says so, and each goes past the gate again. Of an answer no more is read
// than the definition's limit, and nothing of it is kept or reported but numbers.
//
// To end it: health_free first (it cancels all probes), then prober_uv_free, then let the loop turn
// (uv_run) until it has closed the handles; the memory goes with the last of them.
#pragma once

#include "probe/prober.h"

#include <sys/types.h>
#include <uv.h>

struct prober_uv;

// A command that `exec` checks may run by its name. Only the configuration file makes these.
struct probe_command {
    const char *name;
    const char *const *argv; // ends with NULL; argv[0] is an absolute path
    uid_t uid;               // (uid_t)-1: the prober's own
    gid_t gid;
};

struct prober_options {
    const struct prefix *allow; // networks that may be probed although they are special
    size_t allow_count;
    const struct endpoint *own; // where this server listens: never probed
    size_t own_count;
    const struct probe_command *commands;
    size_t command_count;
};

// The options are copied.
struct prober_uv *prober_uv_new(uv_loop_t *loop, const struct prober_options *options);
void prober_uv_free(struct prober_uv *prober); // NULL allowed
// Before the first probe starts: where results go.
void prober_uv_report(struct prober_uv *prober, probe_ended *ended, void *context);
// For health_new; the prober_uv must outlive the registry.
const struct prober *prober_uv_prober(const struct prober_uv *prober);
