// SPDX-License-Identifier: GPL-3.0-or-later
//
// The real prober: attempts and the seam to the registry. What is done in them is in
// prober_stream.c, prober_datagram.c, prober_icmp.c and prober_exec.c.
//
// Owned by server/, driven by the registry (start, cancel, forget) and by the loop, all on the
// loop's thread. Guarantees: exactly one report for each start that was not cancelled, never from
// inside start; nothing of an attempt is touched by the loop after its end but the closing of its
// handles, which free it.
#include "probe/prober_parts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <string.h>

int64_t attempt_now(void)
{
    return clock_monotonic_ns(clock_system());
}

int64_t attempt_lap(int64_t *since)
{
    int64_t now = attempt_now(), took = now - *since;
    *since = now;
    return MAX(took, 1);
}

uint64_t timeout_ms(const struct check_spec *spec)
{
    return (uint64_t)((spec->timeout_ns + NS_PER_MS - 1) / NS_PER_MS);
}

// --- handles ---

static void commands_free(struct prober_uv *prober)
{
    for (size_t i = 0; i < prober->command_count; i++) {
        struct probe_command *command = &prober->commands[i];
        for (size_t k = 0; command->argv[k]; k++) {
            free((void *)command->argv[k]);
        }
        free((void *)command->argv);
        free((void *)command->name);
    }
    free(prober->commands);
}

enum { BURST_HANDLES = 512 };

void prober_handle_opened(struct prober_uv *prober)
{
    prober->handle_count++;
    prober->handle_peak = MAX(prober->handle_peak, prober->handle_count);
}

// After a burst of probes, as when all checks begin, the memory that it took is given back.
static void burst_over(struct prober_uv *prober)
{
    if (prober->handle_peak >= BURST_HANDLES && prober->handle_count < prober->handle_peak / 2) {
        prober->handle_peak = prober->handle_count;
        mem_trim();
    }
}

void prober_handle_closed(struct prober_uv *prober)
{
    prober->handle_count--;
    if (prober->closing && prober->handle_count == 0) {
        gate_close(&prober->gate);
        regexes_free(prober->regexes);
        probe_tls_free(prober->tls);
        commands_free(prober);
        free(prober);
        return;
    }
    burst_over(prober);
}

static void timer_closed(uv_handle_t *handle)
{
    struct attempt *attempt = handle->data;
    struct prober_uv *prober = attempt->prober;
    free(attempt);
    prober_handle_closed(prober);
}

void attempt_timer(struct attempt *attempt, uv_timer_cb callback, uint64_t delay_ms)
{
    if (!attempt->has_timer) {
        uv_timer_init(attempt->prober->loop, &attempt->timer);
        attempt->timer.data = attempt;
        prober_handle_opened(attempt->prober);
        attempt->has_timer = true;
    }
    uv_timer_start(&attempt->timer, callback, delay_ms, 0);
}

// The loop runs timers before it looks at sockets. When it comes late to both, for the process was
// off its core, what the target did in time must come first: one turn is in between.
void attempt_last_look(struct attempt *attempt, uv_timer_cb overdue)
{
    attempt_timer(attempt, overdue, 1);
}

static void time_is_over(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    attempt_last_look(attempt, attempt->overdue);
}

void attempt_deadline(struct attempt *attempt, uv_timer_cb overdue)
{
    attempt->overdue = overdue;
    attempt_timer(attempt, time_is_over, timeout_ms(attempt->recipe.spec));
}

// --- attempts ---

// Gives back what the attempt holds; its memory goes with its timer.
static void attempt_forget(struct attempt *attempt)
{
    if (attempt->kind && attempt->kind->forget) {
        attempt->kind->forget(attempt);
    }
    attempt->probe->state = NULL;
    attempt->probe = NULL;
    attempt_unwatch(attempt);
    recipe_close(&attempt->recipe);
    free(attempt->redirect_path);
    if (attempt->has_timer) {
        uv_close((uv_handle_t *)&attempt->timer, timer_closed);
    } else {
        free(attempt);
    }
}

void attempt_end(struct attempt *attempt)
{
    struct prober_uv *prober = attempt->prober;
    struct probe *probe = attempt->probe;
    struct probe_result result = attempt->result;
    int64_t started_ns = attempt->started_ns;
    result.total_ns = attempt_lap(&started_ns);
    attempt_forget(attempt);
    prober->ended(prober->ended_context, probe, &result);
}

static void end_now(uv_timer_t *timer)
{
    attempt_end(timer->data);
}

void attempt_end_soon(struct attempt *attempt)
{
    attempt_timer(attempt, end_now, 0);
}

// --- the seam (probe/prober.h, struct prober) ---

static const struct attempt_kind *kind_of(const struct check_spec *spec)
{
    switch (spec->kind) {
    case CHECK_TCP:
    case CHECK_HTTP:
    case CHECK_HTTPS:
    case CHECK_TLS:
    case CHECK_SMTP:
    case CHECK_GRPC:
        return &attempt_stream;
    case CHECK_UDP:
        return &attempt_datagram;
    case CHECK_DNS:
        return spec->tcp ? &attempt_stream : &attempt_datagram;
    case CHECK_ICMP:
        return &attempt_icmp;
    case CHECK_EXEC:
        return &attempt_exec;
    default:
        SP_ASSERT(!"a check of a kind that has no prober");
        return NULL;
    }
}

static void start(void *state, struct probe *probe, const struct address *target,
                  const struct check_spec *spec)
{
    struct prober_uv *prober = state;
    SP_ASSERT(prober->ended != NULL && !prober->closing);
    struct attempt *attempt = mem_alloc(sizeof(*attempt));
    attempt->prober = prober;
    attempt->probe = probe;
    attempt->target = *target;
    attempt->port = (uint16_t)spec->port;
    attempt->fd = -1;
    attempt->started_ns = attempt->layer_ns = attempt_now();
    probe->state = attempt;
    uv_update_time(prober->loop); // deadlines count from now, not from the loop's last turn
    recipe_open(&attempt->recipe, spec, prober->regexes);
    if (attempt->recipe.fault) {
        probe_result_set(&attempt->result, PROBE_LOCAL_ERROR, "%s", attempt->recipe.fault);
        attempt_end_soon(attempt);
        return;
    }
    attempt->kind = kind_of(spec);
    attempt->kind->start(attempt);
}

static void cancel(void *state, struct probe *probe)
{
    (void)state;
    attempt_forget(probe->state);
}

static void forget(void *state, struct probe *probe)
{
    (void)state;
    struct kept *kept = probe->kept;
    tls_memory_clear(&kept->tls);
    free(kept);
    probe->kept = NULL;
}

static void commands_copy(struct prober_uv *prober, const struct prober_options *options)
{
    prober->command_count = options->command_count;
    prober->commands = mem_alloc_array(MAX(options->command_count, 1U), sizeof(*prober->commands));
    for (size_t i = 0; i < options->command_count; i++) {
        struct probe_command *command = &prober->commands[i];
        size_t count = 0;
        *command = options->commands[i];
        while (command->argv[count]) {
            count++;
        }
        const char **argv = mem_alloc_array(count + 1, sizeof(*argv));
        for (size_t k = 0; k < count; k++) {
            argv[k] = mem_strdup(command->argv[k]);
        }
        command->argv = argv;
        command->name = mem_strdup(command->name);
    }
}

struct prober_uv *prober_uv_new(uv_loop_t *loop, const struct prober_options *options)
{
    struct prober_uv *prober = mem_alloc(sizeof(*prober));
    prober->prober = (struct prober){start, cancel, forget, prober};
    prober->loop = loop;
    gate_open(&prober->gate, options->allow, options->allow_count, options->own,
              options->own_count);
    prober->regexes = regexes_new();
    prober->tls = probe_tls_new();
    commands_copy(prober, options);
    return prober;
}

void prober_uv_report(struct prober_uv *prober, probe_ended *ended, void *context)
{
    prober->ended = ended;
    prober->ended_context = context;
}

const struct prober *prober_uv_prober(const struct prober_uv *prober)
{
    return &prober->prober;
}

void prober_uv_free(struct prober_uv *prober)
{
    if (prober == NULL) {
        return;
    }
    prober->handle_count++; // held until here, so that it ends once even without any handle
    prober->closing = true;
    watch_close(prober);
    pinger_close(prober->pinger);
    prober->pinger = NULL;
    prober_handle_closed(prober);
}
