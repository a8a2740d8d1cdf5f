// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct prober_uv: the prober that really leaves the process, on a libuv loop. Kinds: tcp, http
// and https; any other kind is a mistake of the caller (the zone reader warns of them, nobody
// acquires a check for them).
//
// Thread of the loop only. Each probe is a fresh connection to the literal address of the check,
// past one gate that looks at the socket address (health/target.h); no name is resolved, no proxy
// used, no redirect followed; at most 4 KiB of a body are read and none are kept. HTTPS verifies
// the chain and the name (spec.host, or the address itself) unless the check says otherwise.
//
// To end it: health_free first (it cancels all probes), then prober_uv_free, then let the loop turn
// (uv_run) until it has closed the handles; the memory goes with the last of them.
#pragma once

#include "health/health.h"

#include <uv.h>

struct prober_uv;

// `allow` (copied): networks that may be probed although they are special, from the configuration.
struct prober_uv *prober_uv_new(uv_loop_t *loop, const struct prefix *allow, size_t allow_count);
void prober_uv_free(struct prober_uv *prober); // NULL allowed
// Where results go. Before the first probe starts.
void prober_uv_attach(struct prober_uv *prober, struct health *health);
// For health_new; the prober_uv must outlive the registry.
const struct prober *prober_uv_prober(const struct prober_uv *prober);
