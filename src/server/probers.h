// SPDX-License-Identifier: GPL-3.0-or-later
//
// The prober as the configuration wants it: inside the server or as a process of its own, with the
// networks that may be probed, the commands that may be run, and the server's own endpoints, which
// may not. Control thread.
#pragma once

#include "probe/prober_remote.h"
#include "probe/prober_uv.h"
#include "net/net.h"
#include "config/config.h"
#include "api/events.h"

// One of the two is there. It stays where it was opened.
struct probers {
    struct prober_uv *inside;
    struct prober_remote *remote;
    struct events *events; // NULL until it is attached
};

// False with the fault in `diags`.
bool probers_open(struct probers *probers, uv_loop_t *loop, const struct config *config,
                  const struct net *net, struct diags *diags);
const struct prober *probers_prober(const struct probers *probers);
// Before the first probe starts: where results go; and who hears of the process.
void probers_report(struct probers *probers, probe_ended *ended, void *context);
void probers_tell(struct probers *probers, struct events *events);
// How many probes may be under way at a time: as many as there are descriptors for. A process of
// its own has all of them; in the server half of them are for clients and files.
unsigned probers_room(const struct probers *probers);
// After health_free; the memory goes when the loop has closed the handles.
void probers_close(struct probers *probers);
