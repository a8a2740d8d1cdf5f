// SPDX-License-Identifier: GPL-3.0-or-later
//
// The server's side of the probing process: starts it, sends it probes, takes its results, ends it
// when it misbehaves and starts another.
//
// Made by server/, driven by the registry and the loop, on the loop's thread. Guarantees: exactly
// one report for each start that was not cancelled, never from inside start; nothing
// that the process sends can do more than report a probe that is under way; what is not said in
// time is a local error. A slot is a check as the process knows it; probe->kept has its number from
// the first probe to forget(), and its `life` tells which process has been told its definition.
#include "probe/prober_remote.h"

#include "base/clock.h"
#include "base/memory.h"
#include "probe/probe_wire.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    WATCH_MS = 500,
    PAUSE_FIRST_MS = 100,
    PAUSE_MAX_MS = 30000,
    GOOD_AFTER_MS = 10000,
    END_MS = 1000
};
#define GRACE_NS (2 * NS_PER_SECOND)
#define OUT_MAX  (64U << 20)

// One a check: small, and all in one array.
struct slot {
    struct probe *probe; // under way; NULL: none
    int64_t deadline_ns;
    uint32_t turn; // goes on when the slot gets another check: no late result is taken for its own
    uint32_t life; // of the process that knows the definition; 0: none does
};

struct prober_remote {
    struct prober prober;
    uv_loop_t *loop;
    probe_ended *ended;
    void *ended_context;
    struct prober_remote_options options;
    struct wire_out hello; // for each new process
    struct slot *slots;    // by id
    uint32_t *free_ids;
    size_t slot_count, slot_capacity, free_count, free_capacity;
    // The process; fd -1: there is none to talk to.
    uv_process_t process;
    bool process_open;
    int fd;
    uv_poll_t *poll;
    struct wire_in in;
    struct wire_out out;
    uint32_t life; // counts processes
    int64_t begun_ns;
    unsigned failures;    // in a row
    uv_prepare_t prepare; // sends what has gathered
    uv_timer_t watch;     // looks for probes that never end
    uv_timer_t restart;
    unsigned handles_open;
    bool closing, lost; // lost: probes under way wait to be ended
};

static int64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

// --- handles

static void maybe_free(struct prober_remote *remote)
{
    if (remote->closing && remote->handles_open == 0 && !remote->process_open) {
        free(remote->slots);
        free(remote->free_ids);
        free(remote->hello.bytes);
        free(remote->in.bytes);
        free(remote->out.bytes);
        free((void *)remote->options.program);
        free(remote);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct prober_remote *remote = handle->data;
    remote->handles_open--;
    maybe_free(remote);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct prober_remote *remote = handle->data;
    free(handle);
    remote->handles_open--;
    maybe_free(remote);
}

// --- the process

static void hang_up(struct prober_remote *remote)
{
    if (remote->fd < 0) {
        return;
    }
    uv_close((uv_handle_t *)remote->poll, on_poll_closed);
    close(remote->fd);
    remote->fd = -1;
    remote->poll = NULL;
    remote->in.begin = remote->in.size = 0;
    remote->out.size = remote->out.sent = 0;
    remote->lost = true;
}

// It is not to be trusted any more: the exit is what brings a new one.
static void give_up(struct prober_remote *remote, const char *reason)
{
    hang_up(remote);
    if (remote->process_open) {
        uv_process_kill(&remote->process, SIGKILL);
    }
    remote->options.turned(remote->options.context, false, reason);
}

static void process_start(struct prober_remote *remote);

static void on_restart(uv_timer_t *timer)
{
    process_start(timer->data);
}

uint64_t prober_remote_pause_ms(unsigned failures)
{
    return MIN((uint64_t)PAUSE_FIRST_MS << MIN(failures, 10U), (uint64_t)PAUSE_MAX_MS);
}

static void restart_later(struct prober_remote *remote)
{
    bool lived = now_ns() - remote->begun_ns > GOOD_AFTER_MS * NS_PER_MS;
    remote->failures = lived ? 0 : remote->failures + 1;
    uv_timer_start(&remote->restart, on_restart, prober_remote_pause_ms(remote->failures), 0);
}

static void on_process_closed(uv_handle_t *handle)
{
    struct prober_remote *remote = handle->data;
    remote->process_open = false;
    if (remote->closing) {
        uv_close((uv_handle_t *)&remote->restart, on_closed);
    } else {
        restart_later(remote);
    }
}

static void on_process_exit(uv_process_t *process, int64_t status, int signal)
{
    struct prober_remote *remote = process->data;
    (void)status;
    if (remote->fd >= 0 && !remote->closing) {
        hang_up(remote);
        remote->options.turned(remote->options.context, false,
                               signal != 0 ? "it was killed" : "it ended");
    }
    uv_close((uv_handle_t *)process, on_process_closed);
}

static void result_take(struct prober_remote *remote, const struct wire_result *message)
{
    struct slot *slot = message->id < remote->slot_count ? &remote->slots[message->id] : NULL;
    if (slot != NULL && slot->probe != NULL && slot->turn == message->turn) {
        struct probe *probe = slot->probe;
        slot->probe = NULL;
        remote->ended(remote->ended_context, probe, &message->result);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct prober_remote *remote = poll->data;
    const uint8_t *message;
    ssize_t size = 0;
    struct wire_result result;
    (void)status;
    (void)events;
    if (!wire_fill(&remote->in, remote->fd)) {
        give_up(remote, "it closed the connection");
        return;
    }
    while (remote->fd >= 0 && (size = wire_message(&remote->in, &message)) > 0) {
        if (message[0] != WIRE_RESULT || !wire_get_result(message, (size_t)size, &result)) {
            size = -1;
            break;
        }
        wire_drop(&remote->in, (size_t)size);
        result_take(remote, &result);
    }
    if (size < 0) {
        give_up(remote, "it said what it may not");
    }
}

static int spawn(struct prober_remote *remote, int fd)
{
    char verb[] = "prober", path[] = "PATH=/usr/bin:/bin", locale[] = "LC_ALL=C";
    char *arguments[] = {(char *)remote->options.program, verb, NULL};
    char *environment[] = {path, locale, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_INHERIT_FD, .data.fd = fd},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
    };
    uv_process_options_t options = {
        .exit_cb = on_process_exit,
        .file = remote->options.program,
        .args = arguments,
        .env = environment,
        .cwd = "/",
        .stdio_count = 3,
        .stdio = stdio,
    };
    if (remote->options.uid != (uid_t)-1) {
        options.flags = UV_PROCESS_SETUID | UV_PROCESS_SETGID;
        options.uid = remote->options.uid;
        options.gid = remote->options.gid;
    }
    return uv_spawn(remote->loop, &remote->process, &options);
}

static void process_start(struct prober_remote *remote)
{
    int pair[2];
    remote->begun_ns = now_ns();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        remote->options.turned(remote->options.context, false, "no socket is left");
        restart_later(remote);
        return;
    }
    int error = spawn(remote, pair[1]);
    close(pair[1]);
    remote->process_open = true;
    if (error != 0) {
        close(pair[0]);
        remote->options.turned(remote->options.context, false, uv_strerror(error));
        uv_close((uv_handle_t *)&remote->process, on_process_closed);
        return;
    }
    remote->fd = pair[0];
    remote->life++;
    remote->poll = mem_alloc(sizeof(*remote->poll));
    int failed = uv_poll_init(remote->loop, remote->poll, remote->fd);
    SP_ASSERT(failed == 0);
    remote->poll->data = remote;
    remote->handles_open++;
    uv_poll_start(remote->poll, UV_READABLE, on_readable);
    wire_append(&remote->out, &remote->hello);
    remote->options.turned(remote->options.context, true, "it has begun");
}

// --- probes

static void slot_make(struct prober_remote *remote, struct probe *probe)
{
    size_t id = remote->slot_count;
    if (remote->free_count > 0) {
        id = remote->free_ids[--remote->free_count];
    } else {
        MEM_GROW(remote->slots, remote->slot_count, remote->slot_capacity);
        remote->slots[remote->slot_count++] = (struct slot){0};
    }
    probe->kept = (void *)(uintptr_t)(id + 1);
}

static uint32_t id_of(const struct probe *probe)
{
    return (uint32_t)(uintptr_t)probe->kept - 1;
}

static void start(void *state, struct probe *probe, const struct address *target,
                  const struct check_spec *spec)
{
    struct prober_remote *remote = state;
    if (probe->kept == NULL) {
        slot_make(remote, probe);
    }
    struct slot *slot = &remote->slots[id_of(probe)];
    bool known = slot->life == remote->life && remote->life > 0;
    slot->probe = probe;
    slot->turn++;
    slot->deadline_ns = now_ns() + spec->timeout_ns + GRACE_NS;
    if (remote->fd < 0) {
        remote->lost = true; // ended with the loop's next turn
        return;
    }
    const struct wire_start message = {id_of(probe), slot->turn, *target, known ? NULL : spec};
    slot->life = remote->life;
    wire_put_start(&remote->out, &message);
}

static void cancel(void *state, struct probe *probe)
{
    struct prober_remote *remote = state;
    struct slot *slot = &remote->slots[id_of(probe)];
    slot->probe = NULL;
    if (remote->fd >= 0 && slot->life == remote->life) {
        wire_put_id(&remote->out, WIRE_CANCEL, id_of(probe));
    }
}

static void forget(void *state, struct probe *probe)
{
    struct prober_remote *remote = state;
    struct slot *slot = &remote->slots[id_of(probe)];
    SP_ASSERT(slot->probe == NULL);
    if (remote->fd >= 0 && slot->life == remote->life) {
        wire_put_id(&remote->out, WIRE_FORGET, id_of(probe));
    }
    slot->life = 0;
    MEM_GROW(remote->free_ids, remote->free_count, remote->free_capacity);
    remote->free_ids[remote->free_count++] = id_of(probe);
    probe->kept = NULL;
}

// Ends what no process works on any more.
static void end_lost(struct prober_remote *remote)
{
    struct probe_result result = {.reason = PROBE_LOCAL_ERROR};
    probe_result_set(&result, PROBE_LOCAL_ERROR, "the probing process is not there");
    remote->lost = false;
    for (size_t i = 0; i < remote->slot_count; i++) {
        struct slot *slot = &remote->slots[i];
        if (slot->probe != NULL && (remote->fd < 0 || slot->life != remote->life)) {
            struct probe *probe = slot->probe;
            slot->probe = NULL;
            remote->ended(remote->ended_context, probe, &result);
        }
    }
}

static void on_watch(uv_timer_t *timer)
{
    struct prober_remote *remote = timer->data;
    int64_t now = now_ns();
    if (remote->lost) {
        end_lost(remote);
    }
    for (size_t i = 0; remote->fd >= 0 && i < remote->slot_count; i++) {
        const struct slot *slot = &remote->slots[i];
        if (slot->probe != NULL && slot->deadline_ns < now) {
            give_up(remote, "a probe did not end in time");
        }
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct prober_remote *remote = prepare->data;
    if (remote->fd >= 0 && (remote->out.size > OUT_MAX || !wire_flush(&remote->out, remote->fd))) {
        give_up(remote, "it does not listen");
    }
    if (remote->fd >= 0) {
        int events = UV_READABLE | (remote->out.size > 0 ? UV_WRITABLE : 0);
        uv_poll_start(remote->poll, events, on_readable);
    }
}

// --- the whole

struct prober_remote *prober_remote_new(uv_loop_t *loop,
                                        const struct prober_remote_options *options)
{
    struct prober_remote *remote = mem_alloc(sizeof(*remote));
    remote->prober = (struct prober){start, cancel, forget, remote};
    remote->loop = loop;
    remote->options = *options;
    remote->options.program = mem_strdup(options->program);
    remote->options.probes = (struct prober_options){0};
    remote->fd = -1;
    remote->process.data = remote;
    wire_put_hello(&remote->hello, &options->probes);
    uv_prepare_init(loop, &remote->prepare);
    uv_timer_init(loop, &remote->watch);
    uv_timer_init(loop, &remote->restart);
    remote->prepare.data = remote->watch.data = remote->restart.data = remote;
    remote->handles_open = 3;
    uv_prepare_start(&remote->prepare, on_prepare);
    uv_timer_start(&remote->watch, on_watch, WATCH_MS, WATCH_MS);
    process_start(remote);
    return remote;
}

void prober_remote_report(struct prober_remote *remote, probe_ended *ended, void *context)
{
    remote->ended = ended;
    remote->ended_context = context;
}

const struct prober *prober_remote_prober(const struct prober_remote *remote)
{
    return &remote->prober;
}

bool prober_remote_is_alive(const struct prober_remote *remote)
{
    return remote->fd >= 0;
}

uint64_t prober_remote_starts(const struct prober_remote *remote)
{
    return remote->life;
}

static void on_overdue(uv_timer_t *timer)
{
    struct prober_remote *remote = timer->data;
    uv_process_kill(&remote->process, SIGKILL);
}

void prober_remote_free(struct prober_remote *remote)
{
    if (remote == NULL) {
        return;
    }
    remote->closing = true;
    hang_up(remote); // then it ends by itself; if it hangs, it is made to
    uv_close((uv_handle_t *)&remote->prepare, on_closed);
    uv_close((uv_handle_t *)&remote->watch, on_closed);
    if (remote->process_open) {
        uv_timer_start(&remote->restart, on_overdue, END_MS, 0);
    } else {
        uv_close((uv_handle_t *)&remote->restart, on_closed);
    }
}
