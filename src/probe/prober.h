// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct prober: how probes leave the process, whoever wants them and whoever makes them.
//
// The registry of checks (health/health.h) wants them; probe/prober_uv.h and
// probe/prober_remote.h make them, a simulation pretends to. Neither side knows the other. One
// thread.
#pragma once

#include "base/address.h"
#include "probe/result.h"
#include "zone/check.h"

// One execution of a check. `state` is free for the prober between start() and the end; `kept` is
// what it keeps of the check from one probe to the next (NULL at first), until forget().
struct probe {
    void *state;
    void *kept;
};

// start() begins one probe of `target`, which must end in exactly one report later (never from
// inside start()), within the definition's timeout; or in none if cancel() was called for it.
struct prober {
    void (*start)(void *state, struct probe *probe, const struct address *target,
                  const struct check_spec *spec);
    void (*cancel)(void *state, struct probe *probe);
    // The check ends, and no probe of it is under way: release probe->kept. Called only when it is
    // not NULL.
    void (*forget)(void *state, struct probe *probe);
    void *state;
};

// The report of a probe's end. The result is the prober's, for the time of the call.
typedef void probe_ended(void *context, struct probe *probe, const struct probe_result *result);
