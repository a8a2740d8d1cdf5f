// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct reload: reads the files on a pool thread, then publishes on the control thread.
//
// One run at a time. Whoever asks while one runs shares the next: the running one may have read
// the old files already. Control thread.
#pragma once

#include "api/api.h"
#include "net/net.h"
#include "engine/engine.h"

#include <uv.h>

struct reload;

// `config` is what the engine was made with: a run warns when its file has changed since. `net`
// gets the certificate of TLS, which is read with the rest and refused with the rest; it may be
// closed once reload_stop has been called. `observer` is called at the end of each run, before
// those who asked.
struct reload *reload_new(uv_loop_t *loop, struct engine *engine, const struct config *config,
                          struct net *net, api_reloaded *observer, void *context);
// No run may be under way.
void reload_free(struct reload *reload);

// What a run reads: everything that changed, or the geo data alone, whether it changed or not. A
// run does all that those who share it asked for.
enum reload_scope { RELOAD_ALL, RELOAD_GEO, RELOAD_GEO_FORCED };

// `done` may be NULL: nobody waits for the answer.
void reload_request(struct reload *reload, enum reload_scope scope, api_reloaded *done,
                    void *context);
// The certificate; NULL when none is configured, or when it is faulty. Any thread.
struct tls_certificate *reload_read_certificate(const struct config *config, struct diags *diags);

// Gives back what the last run needed and serving does not (engine_release_models). To be called
// when what it loaded answers already: it takes a while with a million names.
void reload_settle(struct reload *reload);
bool reload_is_running(const struct reload *reload);
// Nothing more is published; everybody who waits, now or later, is told that the server stops. A
// run that cannot be called back still ends, with a call of the observer (result.stopping).
void reload_stop(struct reload *reload);
