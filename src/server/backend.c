// SPDX-License-Identifier: GPL-3.0-or-later
//
// struct api_backend over the running server: the only bridge from the API's handlers to the
// engine, the reload queue and the data workers. Control thread; the workers' counters are read
// while they count (relaxed atomics).
#include "server/server.h"

#include "answer/samples.h"
#include "base/clock.h"
#include "base/memory.h"

#include <string.h>

static json_t *backend_status(void *state)
{
    struct server *server = state;
    return engine_status(server->engine);
}

static json_t *backend_health(void *state)
{
    struct server *server = state;
    return engine_health_status(server->engine);
}

static json_t *backend_zones(void *state)
{
    struct server *server = state;
    return engine_zones(server->engine);
}

static json_t *backend_explain(void *state, const uint8_t *name, uint16_t type,
                               const struct address *client, const char **error)
{
    struct server *server = state;
    return engine_explain(server->engine, name, type, client, error);
}

static json_t *backend_lint(void *state, const uint8_t *apex)
{
    struct server *server = state;
    return engine_lint_json(server->engine, apex);
}

void server_collect_samples(struct server *server)
{
    uint64_t samples[SAMPLE_RING];
    for (unsigned i = 0; i < net_worker_count(server->net); i++) {
        size_t count = net_worker_samples(server->net, i, &server->samples_seen[i], samples);
        engine_add_samples(server->engine, samples, count);
    }
}

static json_t *backend_simulate(void *state, const json_t *body, struct diags *faults)
{
    struct server *server = state;
    server_collect_samples(server);
    return engine_simulate(server->engine, body, faults);
}

static json_t *backend_rtt(void *state)
{
    const struct server *server = state;
    return engine_rtt_summary(server->engine);
}

static bool backend_rtt_report(void *state, const struct address *client, const char *place,
                               double ms, unsigned samples)
{
    const struct server *server = state;
    return engine_rtt_report(server->engine, client, place, ms, samples);
}

static json_t *backend_loads(void *state)
{
    const struct server *server = state;
    return engine_loads_list(server->engine);
}

static bool backend_load_report(void *state, const char *name, bool is_site, double load)
{
    const struct server *server = state;
    return engine_loads_report(server->engine, name, is_site, load);
}

static json_t *backend_ramps(void *state)
{
    const struct server *server = state;
    return engine_ramps_list(server->engine);
}

static bool backend_ramp_set(void *state, const char *ramp, const char *mode, struct diags *diags)
{
    const struct server *server = state;
    for (int i = 0; i < RAMP_MODE_COUNT; i++) {
        if (strcmp(ramp_mode_names[i], mode) == 0) {
            return engine_ramps_set(server->engine, ramp, (enum ramp_mode)i, diags);
        }
    }
    return false;
}

static void backend_reload(void *state, api_reloaded *done, void *context)
{
    struct server *server = state;
    reload_request(server->reload, RELOAD_ALL, done, context);
}

static void backend_geo_update(void *state, bool force, api_reloaded *done, void *context)
{
    struct server *server = state;
    reload_request(server->reload, force ? RELOAD_GEO_FORCED : RELOAD_GEO, done, context);
}

static json_t *backend_geo(void *state)
{
    struct server *server = state;
    return engine_geo(server->engine);
}

static json_t *backend_locate(void *state, const struct address *address)
{
    struct server *server = state;
    return engine_locate(server->engine, address);
}

static json_t *backend_health_check(void *state, int check)
{
    struct server *server = state;
    return engine_health_check(server->engine, check);
}

static json_t *backend_doubt(void *state)
{
    struct server *server = state;
    return engine_doubt(server->engine);
}

static bool backend_health_trust(void *state)
{
    struct server *server = state;
    return engine_health_trust(server->engine);
}

static json_t *backend_manual(void *state)
{
    struct server *server = state;
    return engine_manual_list(server->engine);
}

static json_t *backend_manual_set(void *state, const struct manual_entry *entry, int64_t for_ns,
                                  struct diags *diags)
{
    struct server *server = state;
    return engine_manual_set(server->engine, entry, for_ns, diags);
}

static bool backend_manual_clear(void *state, const char *pattern, size_t *removed,
                                 struct diags *diags)
{
    struct server *server = state;
    return engine_manual_clear(server->engine, pattern, removed, diags);
}

static bool backend_health_release(void *state, const char *pattern, size_t *released,
                                   struct diags *diags)
{
    struct server *server = state;
    return engine_health_release(server->engine, pattern, released, diags);
}

static struct api_stream *backend_events(void *state, uint64_t after)
{
    struct server *server = state;
    struct api_stream *stream = mem_alloc(sizeof(*stream));
    if (!events_stream(engine_events(server->engine), after, stream)) {
        free(stream);
        return NULL;
    }
    return stream;
}

static bool backend_health_test(void *state, int check, checker_tested *done, void *context)
{
    struct server *server = state;
    struct check_view view;
    return health_view(engine_health(server->engine), check, &view) &&
           checker_test(server->checker, &view.target, view.spec, done, context);
}

static bool backend_health_beat(void *state, const char *name, const struct beat *beat)
{
    struct server *server = state;
    return checker_beat(server->checker, name, beat);
}

static void count_checks(const struct health *health, struct api_metrics *metrics)
{
    int32_t first_end = INT32_MAX; // days
    for (int check = 0; check < health_count(health); check++) {
        struct check_view view;
        if (!health_view(health, check, &view)) {
            continue;
        }
        metrics->checks_up += view.state == CHECK_UP;
        metrics->checks_down += view.state == CHECK_DOWN;
        metrics->checks_unknown += view.state == CHECK_UNKNOWN;
        metrics->checks_held += view.state == CHECK_DOWN && view.run > 0;
        first_end = view.has_certificate ? MIN(first_end, view.certificate_days) : first_end;
        metrics->probes += view.probe_count;
        metrics->probe_failures += view.failure_count;
    }
    metrics->certificate_days_min = first_end == INT32_MAX ? 0 : (uint64_t)MAX(first_end, 0);
}

static int ends_before(const void *one, const void *other)
{
    const struct api_certificate *a = one, *b = other;
    return a->days != b->days ? (a->days > b->days) - (a->days < b->days) : a->check - b->check;
}

static size_t backend_certificates(void *state, struct api_certificate *rows, size_t max)
{
    struct server *server = state;
    const struct health *health = engine_health(server->engine);
    struct api_certificate *all = NULL;
    size_t count = 0, capacity = 0;
    for (int check = 0; check < health_count(health); check++) {
        struct check_view view;
        if (health_view(health, check, &view) && view.has_certificate) {
            MEM_GROW(all, count, capacity);
            all[count] = (struct api_certificate){check, view.certificate_days, ""};
            check_view_target(&view, all[count].target);
            count++;
        }
    }
    if (count > 0) {
        qsort(all, count, sizeof(*all), ends_before);
        count = MIN(count, max);
        memcpy(rows, all, count * sizeof(*rows));
    }
    free(all);
    return count;
}

static void count_frames(const struct net *net, struct api_metrics *metrics)
{
    for (size_t i = 0; i < net_xdp_count(net); i++) {
        const struct xdp_interface *interface = net_xdp(net, i);
        for (unsigned queue = 0; queue < xdp_queue_count(interface); queue++) {
            const struct xdp_counters *counters = xdp_socket_counters(xdp_queue(interface, queue));
#define X(name, help)                                                                              \
    metrics->xdp_##name += atomic_load_explicit(&counters->name, memory_order_relaxed);
            XDP_COUNTERS(X)
#undef X
        }
    }
}

static void backend_metrics(void *state, struct api_metrics *metrics)
{
    struct server *server = state;
    const struct generation *generation = publisher_current(engine_publisher(server->engine));
    struct generation_summary summary = generation_summary(generation);
    metrics->generation = generation_number(generation);
    metrics->zones = summary.zone_count;
    metrics->names = summary.name_count;
    metrics->plans = summary.plan_count;
    metrics->generation_bytes = summary.memory_size;
    metrics->reloads = server->reloads;
    metrics->reloads_refused = server->reloads_refused;
    metrics->geo_age_seconds = engine_geo_age(server->engine);
    metrics->geo_updates = server->geo_updates;
    metrics->geo_updates_refused = server->geo_updates_refused;
    metrics->uptime_seconds =
        (uint64_t)((clock_monotonic_ns(server->clock) - server->begun_ns) / NS_PER_SECOND);
    const struct prober_remote *remote = server->probers.remote;
    metrics->prober_alive = remote == NULL || prober_remote_is_alive(remote);
    metrics->prober_starts = remote == NULL ? 0 : prober_remote_starts(remote);
    struct webhook_counts hooks = webhooks_counts(server->webhooks);
    metrics->webhooks_sent = hooks.sent;
    metrics->webhooks_failed = hooks.failed;
    metrics->webhook_events_dropped = hooks.dropped;
    struct health_lateness lateness = health_lateness(engine_health(server->engine));
    for (unsigned bar = 0; bar <= LATENESS_BARS; bar++) {
        if (bar == LATENESS_BARS || lateness_bounds_permille[bar] > 50) {
            metrics->probes_late += lateness.bars[bar];
        }
    }
    const struct doubt *doubt = health_doubt(engine_health(server->engine));
    metrics->checks_suspect = doubt_frozen(doubt);
    metrics->doubts = doubt->raised_count;
    metrics->check_falls = engine_turns(server->engine)->falls;
    metrics->check_rises = engine_turns(server->engine)->rises;
    metrics->manual_entries = engine_manual_count(server->engine);
    count_checks(engine_health(server->engine), metrics);
    count_frames(server->net, metrics);
}

static unsigned backend_worker_count(void *state)
{
    const struct server *server = state;
    return net_worker_count(server->net);
}

static const struct worker_counters *backend_worker(void *state, unsigned index)
{
    const struct server *server = state;
    return net_worker_counters(server->net, index);
}

struct api_backend server_backend(struct server *server)
{
    return (struct api_backend){
        .status = backend_status,
        .health = backend_health,
        .zones = backend_zones,
        .explain = backend_explain,
        .lint = backend_lint,
        .simulate = backend_simulate,
        .reload = backend_reload,
        .rtt = backend_rtt,
        .rtt_report = backend_rtt_report,
        .loads = backend_loads,
        .load_report = backend_load_report,
        .ramps = backend_ramps,
        .ramp_set = backend_ramp_set,
        .geo_update = backend_geo_update,
        .geo = backend_geo,
        .locate = backend_locate,
        .metrics = backend_metrics,
        .certificates = backend_certificates,
        .worker_count = backend_worker_count,
        .worker = backend_worker,
        .health_check = backend_health_check,
        .doubt = backend_doubt,
        .health_trust = backend_health_trust,
        .manual = backend_manual,
        .manual_set = backend_manual_set,
        .manual_clear = backend_manual_clear,
        .health_release = backend_health_release,
        .events = backend_events,
        .health_test = backend_health_test,
        .health_beat = backend_health_beat,
        .state = server,
    };
}
