// SPDX-License-Identifier: GPL-3.0-or-later
//
// The daemon's life: read the configuration, bind, load, wait for the first round of checks,
// answer, reload, stop.
//
// Called by the command `serve` on the main thread, which becomes the control thread: it runs the
// libuv loop that owns the engine, the probes, the control socket and the signals. The data workers
// (net/), the pool that reads files and those that libcurl has for a webhook's host name are the
// only other threads. Whatever fails before the first answer ends the process with exit code 1 and
// one line a fault; afterwards nothing but a signal ends it.
//
// Every wake-up of the loop passes through on_prepare, which gives the engine its turn: what a
// probe, a reload or a timer changed is published before the loop sleeps again.
#include "server/serve.h"

#include "base/memory.h"
#include "server/faults.h"
#include "server/notify.h"
#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// A stop takes 5 s at most; file reading that goes on longer is abandoned.
enum { STOP_MAX_MS = 3500, EVENT_BEAT_MS = 15000 };

// How often the samples of the data workers are collected.
enum { COLLECT_MS = 1000 };

// Which phases may follow which, as a bit set.
static const unsigned phase_table[PHASE_COUNT] = {
    [PHASE_LOADING] = 1U << PHASE_CHECKING | 1U << PHASE_STOPPING,
    [PHASE_CHECKING] = 1U << PHASE_SERVING | 1U << PHASE_STOPPING,
    [PHASE_SERVING] = 1U << PHASE_STOPPING,
    [PHASE_STOPPING] = 0,
};

static void phase_move(struct server *server, enum phase phase)
{
    SP_ASSERT(phase_table[server->phase] & 1U << phase);
    server->phase = phase;
}

static void log_failure(enum log_event event, const char *what, const char *error)
{
    char quoted[512];
    log_event(event, "what=%s error=%s", what, log_quote(error, quoted, sizeof(quoted)));
}

static void on_abandon(uv_timer_t *timer)
{
    const struct server *server = timer->data;
    _exit(server->exit_code); // a pool thread still reads files; it holds nothing worth keeping
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

static void handles_close(struct server *server)
{
    uv_handle_t *handles[] = {
        (uv_handle_t *)&server->signal_term, (uv_handle_t *)&server->signal_int,
        (uv_handle_t *)&server->signal_hup,  (uv_handle_t *)&server->prepare,
        (uv_handle_t *)&server->tick,        (uv_handle_t *)&server->deadline,
        (uv_handle_t *)&server->collect,     (uv_handle_t *)&server->beat,
    };
    for (size_t i = 0; i < ARRAY_SIZE(handles); i++) {
        uv_close(handles[i], on_closed);
    }
}

// What comes while the loop does not listen must not end the process, as it would by default: not
// before (its socket would be left behind), and not after (with another exit code). All threads are
// made while signals are held, so the main thread speaks for all.
static void signals_hold(bool hold)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

// Nothing reads the engine any more: it ends, and with it all handles of the loop, which returns.
static void stop_finish(struct server *server)
{
    geo_watch_free(server->geo_watch);
    reload_free(server->reload);
    saver_free(server->saver);
    webhooks_free(server->webhooks);
    engine_free(server->engine);
    checker_free(server->checker);
    probers_close(&server->probers);
    server->geo_watch = NULL;
    server->reload = NULL;
    server->saver = NULL;
    server->webhooks = NULL;
    server->engine = NULL;
    server->checker = NULL;
    signals_hold(true);
    handles_close(server);
}

// The end begins: everybody who waits is told; on_prepare goes on with it when no file is read.
static void stop_begin(struct server *server, int exit_code)
{
    if (server->phase == PHASE_STOPPING) {
        return;
    }
    phase_move(server, PHASE_STOPPING);
    server->exit_code = exit_code;
    notify_send("STOPPING=1");
    uv_timer_stop(&server->tick);
    uv_timer_stop(&server->collect);
    uv_timer_start(&server->deadline, on_abandon, STOP_MAX_MS, 0);
    reload_stop(server->reload);
    saver_stop(server->saver);
    checker_end_tests(server->checker);
    control_free(server->control);
    net_close(server->net);
    server->control = NULL;
    server->net = NULL;
}

static void format_endpoints(const struct net *net, bool tls, char *text, size_t size)
{
    char endpoint[SOCKADDR_TEXT_MAX];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < net_endpoint_count(net) && used < size; i++) {
        struct endpoint at = net_endpoint(net, i);
        if (net_endpoint_is_tls(net, i) == tls) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? "," : "",
                                     endpoint_format(&at.address, at.port, endpoint));
        }
    }
}

static void on_collect(uv_timer_t *timer)
{
    server_collect_samples(timer->data);
}

static void serve_begin(struct server *server)
{
    phase_move(server, PHASE_SERVING);
    uv_timer_stop(&server->deadline);
    if (!net_start(server->net, publisher_root(engine_publisher(server->engine)))) {
        log_failure(LOG_EVENT_START_FAILED, "threads", strerror(errno));
        stop_begin(server, 1);
        return;
    }
    const struct generation *generation = publisher_current(engine_publisher(server->engine));
    struct generation_summary summary = generation_summary(generation);
    char listen[512], listen_tls[512];
    format_endpoints(server->net, false, listen, sizeof(listen));
    format_endpoints(server->net, true, listen_tls, sizeof(listen_tls));
    log_event(LOG_EVENT_READY, "listen=%s%s%s workers=%u zones=%zu names=%zu generation=%llu",
              listen, *listen_tls != '\0' ? " listen_tls=" : "", listen_tls,
              server->config->workers, summary.zone_count, summary.name_count,
              (unsigned long long)generation_number(generation));
    for (size_t i = 0; i < net_xdp_count(server->net); i++) {
        const struct xdp_interface *interface = net_xdp(server->net, i);
        log_event(LOG_EVENT_XDP_SERVING, "interface=%s mode=%s queues=%u", xdp_name(interface),
                  xdp_mode_names[xdp_mode(interface)], xdp_queue_count(interface));
    }
    uv_timer_start(&server->collect, on_collect, COLLECT_MS, COLLECT_MS);
    mem_trim(); // loading took more than serving will
    notify_send("READY=1");
}

static void on_first_round_over(uv_timer_t *timer)
{
    serve_begin(timer->data);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer; // on_prepare does the work
}

static void engine_turn(struct server *server)
{
    int64_t next_ns = engine_tick(server->engine);
    if (server->phase == PHASE_CHECKING && health_settled(engine_health(server->engine))) {
        serve_begin(server);
    }
    if (next_ns == INT64_MAX) {
        uv_timer_stop(&server->tick);
        return;
    }
    int64_t wait_ns = MAX(next_ns - clock_monotonic_ns(server->clock), 0);
    uv_update_time(&server->loop);
    uv_timer_start(&server->tick, on_tick, (uint64_t)((wait_ns + NS_PER_MS - 1) / NS_PER_MS), 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;
    if (server->phase == PHASE_CHECKING || server->phase == PHASE_SERVING) {
        engine_turn(server);
        reload_settle(server->reload);
    }
    if (server->phase == PHASE_STOPPING && !reload_is_running(server->reload) &&
        !saver_is_running(server->saver)) {
        stop_finish(server);
    }
}

static void initial_load_end(struct server *server, const struct api_reload_result *result)
{
    if (!result->taken) {
        diags_print(stderr, result->diags);
        stop_begin(server, 1);
        return;
    }
    faults_log(result->diags);
    phase_move(server, PHASE_CHECKING);
    uint64_t wait_ms = (uint64_t)(server->config->first_round_ns / NS_PER_MS);
    uv_update_time(&server->loop);
    uv_timer_start(&server->deadline, on_first_round_over, wait_ms, 0);
}

static void geo_update_end(struct server *server, const struct api_reload_result *result)
{
    faults_log(result->diags);
    if (result->taken) {
        server->geo_updates++; // engine_apply said what was read
    } else {
        server->geo_updates_refused++;
        log_event(LOG_EVENT_GEO_REFUSED, "errors=%zu", result->diags->error_count);
    }
}

static void reload_end(struct server *server, const struct api_reload_result *result)
{
    faults_log(result->diags);
    if (result->taken) {
        server->reloads++;
        log_event(LOG_EVENT_RELOADED, "generation=%llu warnings=%zu",
                  (unsigned long long)result->generation, result->diags->warning_count);
    } else {
        server->reloads_refused++;
        log_event(LOG_EVENT_RELOAD_REFUSED, "generation=%llu errors=%zu",
                  (unsigned long long)result->generation, result->diags->error_count);
    }
}

// At the end of every run of the reload queue; the first is the initial load.
static void on_reloaded(void *context, const struct api_reload_result *result)
{
    struct server *server = context;
    switch (server->phase) {
    case PHASE_LOADING:
        initial_load_end(server, result);
        break;
    case PHASE_CHECKING:
    case PHASE_SERVING:
        (result->geo_only ? geo_update_end : reload_end)(server, result);
        break;
    default:
        break; // on_prepare ends the stop
    }
}

// The run that a signal asked for has ended. Another run may have been under way when it came.
static void on_announced_end(void *context, const struct api_reload_result *result)
{
    struct server *server = context;
    if (--server->announced_reloads == 0 && !result->stopping) {
        notify_send("READY=1");
    }
}

static void reload_announced(struct server *server)
{
    server->announced_reloads++;
    notify_reloading(clock_monotonic_ns(server->clock));
    reload_request(server->reload, RELOAD_ALL, on_announced_end, server);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    if (number == SIGHUP && server->phase == PHASE_SERVING) {
        reload_announced(server);
        return;
    }
    if (number == SIGHUP) { // systemd still waits for the start, or for the end
        reload_request(server->reload, RELOAD_ALL, NULL, NULL);
        return;
    }
    log_event(LOG_EVENT_STOPPING, "signal=%s", number == SIGINT ? "SIGINT" : "SIGTERM");
    stop_begin(server, 0);
}

static void signal_begin(struct server *server, uv_signal_t *handle, int number)
{
    uv_signal_init(&server->loop, handle);
    handle->data = server;
    int failed = uv_signal_start(handle, on_signal, number);
    SP_ASSERT(failed == 0);
}

static void on_beat(uv_timer_t *timer)
{
    const struct server *server = timer->data;
    if (server->phase != PHASE_STOPPING) {
        events_beat(engine_events(server->engine));
    }
}

static void handles_open(struct server *server)
{
    signal_begin(server, &server->signal_term, SIGTERM);
    signal_begin(server, &server->signal_int, SIGINT);
    signal_begin(server, &server->signal_hup, SIGHUP);
    uv_timer_init(&server->loop, &server->tick);
    uv_timer_init(&server->loop, &server->beat);
    server->beat.data = server;
    uv_timer_start(&server->beat, on_beat, EVENT_BEAT_MS, EVENT_BEAT_MS);
    uv_timer_init(&server->loop, &server->deadline);
    uv_timer_init(&server->loop, &server->collect);
    server->collect.data = server;
    server->deadline.data = server;
    uv_prepare_init(&server->loop, &server->prepare);
    server->prepare.data = server;
    uv_prepare_start(&server->prepare, on_prepare);
}

static struct net_options net_options_of(const struct config *config, const struct clock *clock)
{
    return (struct net_options){
        .listen = config->listen,
        .listen_count = config->listen_count,
        .workers = config->workers,
        .tcp_clients_max = config->tcp_clients_max,
        .tcp_clients_per_address_max = config->tcp_clients_per_address_max,
        .listen_tls = config->listen_tls,
        .listen_tls_count = config->listen_tls_count,
        .tcp_idle_ns = config->tcp_idle_ns,
        .tcp_message_ns = config->tcp_message_ns,
        .tcp_fast_open_max = config->tcp_fast_open_max,
        .tls_handshake_ns = config->tls_handshake_ns,
        .tls_handshakes_max = config->tls_handshakes_max,
        .proxy = {config->proxies, config->proxy_count},
        .rrl = {.rate = config->rrl_rate,
                .burst = config->rrl_burst,
                .slip = config->rrl_slip,
                .table_size = config->rrl_table_size,
                .exempt = config->rrl_exempt,
                .exempt_count = config->rrl_exempt_count},
        .clock = clock,
        .xdp_interfaces = config->xdp_interfaces,
        .xdp_interface_count = config->xdp_interface_count,
        .xdp_wish = config->xdp_wish,
    };
}

static bool open_sockets(struct server *server, struct diags *diags)
{
    const struct config *config = server->config;
    struct net_options options = net_options_of(config, server->clock);
    struct control_socket socket;
    server->net = net_open(&options, diags);
    if (server->net == NULL) {
        return false;
    }
    server->samples_seen =
        mem_alloc_array(net_worker_count(server->net), sizeof(*server->samples_seen));
    if (config->control_path == NULL) {
        return true;
    }
    server->backend = server_backend(server);
    if (control_socket_open(&socket, config->control_path, diags)) {
        server->control = control_new(&server->loop, &socket, &server->backend, diags);
    }
    return server->control != NULL;
}

static void on_check_changed(void *context)
{
    struct server *server = context;
    checker_changed(server->checker);
}

static void listen_to_workers(struct server *server)
{
    size_t count = net_worker_count(server->net);
    struct asked **asked = mem_alloc_array(count, sizeof(asked[0]));
    for (unsigned i = 0; i < count; i++) {
        asked[i] = net_worker_asked(server->net, i);
    }
    engine_listen(server->engine, asked, count);
    free(asked);
}

// Everything up to the first turn of the loop. On false nothing is left open but the loop.
static bool start(struct server *server, struct diags *diags)
{
    const struct config *config = server->config;
    if (!open_sockets(server, diags) ||
        !probers_open(&server->probers, &server->loop, config, server->net, diags)) {
        control_free(server->control);
        net_close(server->net);
        return false;
    }
    faults_log(diags);
    log_event(LOG_EVENT_STARTING, "version=%s pid=%ld", SIGNPOST_VERSION, (long)getpid());
    server->checker = checker_new(&server->loop, probers_prober(&server->probers));
    server->engine = engine_new(config, server->clock, checker_prober(server->checker));
    health_limit(engine_health(server->engine), probers_room(&server->probers));
    checker_attach(server->checker, engine_health(server->engine), engine_beats(server->engine));
    probers_report(&server->probers, checker_report, server->checker);
    probers_tell(&server->probers, engine_events(server->engine));
    engine_watch(server->engine, on_check_changed, server);
    listen_to_workers(server);
    server->reload =
        reload_new(&server->loop, server->engine, config, server->net, on_reloaded, server);
    server->saver = saver_new(&server->loop, server->engine);
    server->geo_watch = geo_watch_new(&server->loop, config, server->reload);
    server->webhooks = webhooks_new(&server->loop, config, engine_events(server->engine));
    handles_open(server);
    reload_request(server->reload, RELOAD_ALL, NULL, NULL); // makes the threads of the pool
    signals_hold(false);
    return true;
}

static int run(struct server *server)
{
    struct diags diags = {0};
    if (uv_loop_init(&server->loop) != 0) {
        log_failure(LOG_EVENT_START_FAILED, "loop", strerror(errno));
        return 1;
    }
    bool started = start(server, &diags);
    if (!started) {
        diags_print(stderr, &diags);
        server->exit_code = 1;
    }
    diags_clear(&diags);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&server->loop);
    SP_ASSERT(busy == 0);
    return server->exit_code;
}

int serve(const char *config_path)
{
    struct diags diags = {0};
    struct server server = {.clock = clock_system()};
    server.begun_ns = clock_monotonic_ns(server.clock);
    server.config = config_read(config_path, &diags);
    diags_print(stderr, &diags);
    diags_clear(&diags);
    if (server.config == NULL) {
        return 1;
    }
    log_set_level(server.config->log_level);
    signal(SIGPIPE, SIG_IGN);
    mem_give_back_early();
    signals_hold(true);
    json_object_seed(0); // before any other thread could be the first to ask for it
    int exit_code = run(&server);
    free(server.samples_seen);
    config_free(server.config);
    return exit_code;
}
