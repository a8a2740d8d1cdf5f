// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gate: the one place where a probe leaves for an address. Every kind of probe connects or
// sends through it and through nothing else, so what it refuses is never contacted, whatever a
// document, an API call or a redirect says. Thread of the prober.
#pragma once

#include "base/address.h"
#include "probe/result.h"

struct gate {
    struct prefix *allow; // networks that may be probed although they are special
    size_t allow_count;
    struct endpoint *own; // where this server listens: never probed
    size_t own_count;
};

// Both lists are copied.
void gate_open(struct gate *gate, const struct prefix *allow, size_t allow_count,
               const struct endpoint *own, size_t own_count);
void gate_close(struct gate *gate);

// Whether probes may go there: judged on the socket address itself. False sets the result, with the
// same words for every reason, so that nothing about what is there can be learned.
bool gate_passes(const struct gate *gate, const struct sockaddr *to, struct probe_result *result);

// A non-blocking socket that is connected, or about to be, to `to`. -1 with the result set when the
// gate refuses it, the system has no socket, or connect() fails at once.
int gate_connect(const struct gate *gate, int type, const struct sockaddr *to, socklen_t size,
                 struct probe_result *result);
// One datagram on an unconnected socket (echo requests). False with the result set.
bool gate_send(const struct gate *gate, int fd, const void *octets, size_t count,
               const struct sockaddr *to, socklen_t size, struct probe_result *result);

// What an errno of connect, send or receive says.
void gate_errno(struct probe_result *result, int error);
