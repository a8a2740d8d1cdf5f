// SPDX-License-Identifier: GPL-3.0-or-later
//
// The prober as the configuration wants it: networks that may be probed, commands that may be run,
// and the server's own endpoints, which may not. Control thread.
#pragma once

#include "health/prober_uv.h"
#include "net/net.h"
#include "server/config.h"

// The caller frees it (prober_uv_free).
struct prober_uv *probers_open(uv_loop_t *loop, const struct config *config, const struct net *net);
