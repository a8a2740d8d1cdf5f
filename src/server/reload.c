// SPDX-License-Identifier: GPL-3.0-or-later
//
// The reload queue: two lists of those who wait, one for the run under way and one for the next.
//
// Called by serve.c (start, SIGHUP) and by the API's backend, on the control thread; only
// engine_read runs on a thread of the libuv pool, and it touches nothing that the control thread
// changes. The load passes from thread to thread with the work item, never shared.
#include "server/reload.h"

#include "base/memory.h"

struct waiter {
    api_reloaded *done;
    void *context;
    struct waiter *next;
};

struct reload {
    uv_loop_t *loop;
    struct engine *engine;
    const struct config *config;
    struct net *net;
    api_reloaded *observer;
    void *context;
    uv_work_t work;
    struct load *load;
    struct tls_certificate *certificate;  // that was read with it
    struct waiter *current, *next;        // who waits for this run, and for the one after
    unsigned current_scopes, next_scopes; // bits 1 << enum reload_scope of what they asked for
    bool running, again, stopping;
    bool unsettled; // models of the last run are still whole
};

struct reload *reload_new(uv_loop_t *loop, struct engine *engine, const struct config *config,
                          struct net *net, api_reloaded *observer, void *context)
{
    struct reload *reload = mem_alloc(sizeof(*reload));
    reload->loop = loop;
    reload->engine = engine;
    reload->config = config;
    reload->net = net;
    reload->observer = observer;
    reload->context = context;
    reload->work.data = reload;
    return reload;
}

void reload_free(struct reload *reload)
{
    if (reload != NULL) {
        SP_ASSERT(!reload->running && reload->current == NULL && reload->next == NULL);
        free(reload);
    }
}

bool reload_is_running(const struct reload *reload)
{
    return reload->running;
}

static void waiters_tell(struct waiter *waiters, const struct api_reload_result *result)
{
    while (waiters != NULL) {
        struct waiter *waiter = waiters;
        waiters = waiter->next;
        waiter->done(waiter->context, result);
        free(waiter);
    }
}

void reload_settle(struct reload *reload)
{
    if (reload->unsettled && !reload->running) { // a run looks at the zones
        reload->unsettled = false;
        engine_release_models(reload->engine);
    }
}

static void run_begin(struct reload *reload);

static void run_end(struct reload *reload, const struct api_reload_result *result)
{
    struct waiter *waiters = reload->current;
    reload->current = NULL;
    reload->running = false;
    reload->unsettled = true;
    reload->observer(reload->context, result);
    waiters_tell(waiters, result);
    if (reload->again && !reload->stopping) {
        reload_settle(reload);
        run_begin(reload);
    }
}

struct tls_certificate *reload_read_certificate(const struct config *config, struct diags *diags)
{
    return config->listen_tls_count == 0
               ? NULL
               : tls_certificate_read(config->tls_certificate, config->tls_key, diags);
}

static void on_read(uv_work_t *work)
{
    struct reload *reload = work->data;
    bool all = reload->current_scopes & 1U << RELOAD_ALL;
    bool forced = reload->current_scopes & 1U << RELOAD_GEO_FORCED;
    bool geo = forced || (reload->current_scopes & 1U << RELOAD_GEO);
    reload->load = all ? engine_read(reload->engine, geo) : engine_read_geo(reload->engine, forced);
    if (all) {
        reload->certificate = reload_read_certificate(reload->config, load_diags(reload->load));
    }
}

static void on_read_done(uv_work_t *work, int status)
{
    struct reload *reload = work->data;
    const struct diags none = {0};
    struct api_reload_result result = {.stopping = reload->stopping, .diags = &none};
    result.geo_only = !(reload->current_scopes & 1U << RELOAD_ALL);
    struct load *load = reload->load;
    struct tls_certificate *certificate = reload->certificate;
    reload->load = NULL;
    reload->certificate = NULL;
    if (load != NULL && !reload->stopping) {
        config_compare(reload->config, load_diags(load));
        result.taken = engine_apply(reload->engine, load);
        result.diags = load_diags(load);
    }
    if (result.taken && certificate != NULL) {
        net_use_certificate(reload->net, certificate);
    } else {
        tls_certificate_free(certificate);
    }
    SP_ASSERT(load != NULL || status == UV_ECANCELED);
    result.generation = generation_number(publisher_current(engine_publisher(reload->engine)));
    run_end(reload, &result);
    load_free(load);
}

static void run_begin(struct reload *reload)
{
    SP_ASSERT(!reload->running);
    reload->running = true;
    reload->again = false;
    reload->current = reload->next;
    reload->current_scopes = reload->next_scopes;
    reload->next = NULL;
    reload->next_scopes = 0;
    int failed = uv_queue_work(reload->loop, &reload->work, on_read, on_read_done);
    SP_ASSERT(failed == 0); // it fails only for a missing callback
}

static const struct diags no_diags;
static const struct api_reload_result stopping_result = {.stopping = true, .diags = &no_diags};

void reload_request(struct reload *reload, enum reload_scope scope, api_reloaded *done,
                    void *context)
{
    if (reload->stopping) {
        if (done != NULL) {
            done(context, &stopping_result);
        }
        return;
    }
    if (done != NULL) {
        struct waiter *waiter = mem_alloc(sizeof(*waiter));
        *waiter = (struct waiter){done, context, reload->next};
        reload->next = waiter;
    }
    reload->again = true;
    reload->next_scopes |= 1U << scope;
    if (!reload->running) {
        run_begin(reload);
    }
}

void reload_stop(struct reload *reload)
{
    struct waiter *current = reload->current, *next = reload->next;
    reload->stopping = true;
    reload->current = reload->next = NULL;
    waiters_tell(current, &stopping_result);
    waiters_tell(next, &stopping_result);
    if (reload->running) {
        uv_cancel((uv_req_t *)&reload->work); // works only when no thread has taken it up
    }
}
