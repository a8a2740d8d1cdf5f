// SPDX-License-Identifier: GPL-3.0-or-later
//
// Inside of server/: what serve.c owns and backend.c shows to the API.
#pragma once

#include "health/checker.h"
#include "net/net.h"
#include "config/config.h"
#include "server/control_http.h"
#include "engine/engine.h"
#include "server/geo_watch.h"
#include "server/probers.h"
#include "server/reload.h"
#include "server/saver.h"
#include "server/webhook.h"

// From top to bottom, one step at a time; any phase may go to STOPPING (serve.c, phase_table).
enum phase { PHASE_LOADING, PHASE_CHECKING, PHASE_SERVING, PHASE_STOPPING, PHASE_COUNT };

struct server {
    uv_loop_t loop;
    const struct clock *clock;
    struct config *config;
    struct net *net;
    struct probers probers;
    struct checker *checker; // between the registry and the prober
    struct engine *engine;
    struct reload *reload;
    struct saver *saver;
    struct geo_watch *geo_watch;
    struct webhooks *webhooks;
    struct control *control; // NULL: switched off
    struct api_backend backend;
    enum phase phase;
    int exit_code;
    int64_t begun_ns;
    uint64_t reloads, reloads_refused, geo_updates, geo_updates_refused;
    unsigned announced_reloads; // under way, of which systemd was told RELOADING=1
    uv_signal_t signal_term, signal_int, signal_hup;
    uv_prepare_t prepare;
    uv_timer_t tick;        // wakes the loop when the engine wants to be called
    uv_timer_t collect;     // samples of who asks
    uint32_t *samples_seen; // of each worker
    uv_timer_t deadline;    // of the first round of checks, later of the stop
    uv_timer_t beat;        // lets streams of events find clients that have gone
};

// Takes the samples of all data workers to the engine.
void server_collect_samples(struct server *server);

// The API's view of the server; valid while the server is.
struct api_backend server_backend(struct server *server);
