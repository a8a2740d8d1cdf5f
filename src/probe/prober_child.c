// SPDX-License-Identifier: GPL-3.0-or-later
//
// The probing process: takes messages from the server, makes probes with prober_uv, sends results.
//
// Started by prober_remote.c through the command `prober`, with the socket as its standard input
// and nothing else open. It has one loop and one thread. It ends when the server does, or when the
// server says something that is not of the protocol.
#include "probe/prober_remote.h"

#include "base/memory.h"
#include "probe/definition.h"
#include "probe/probe_wire.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { CHECKS_MAX = 1 << 24, CROWD = 256 };

// A check of the server, by its number.
struct remote_check {
    struct probe probe;
    uint32_t id, turn;
    bool running;
    struct address target;
    const struct check_spec *spec;
};

struct child {
    uv_loop_t loop;
    uv_poll_t poll;
    uv_prepare_t prepare;
    int fd;
    struct prober_uv *prober; // NULL before the hello
    struct definitions *definitions;
    struct remote_check **checks; // by id; NULL where there is none
    size_t count;
    size_t running, running_most; // most: since memory was given back
    struct wire_in in;
    struct wire_out out;
    struct wire_scratch scratch;
    bool failed;
};

// A first round has many probes under way, and the rounds after it few: what they took goes back.
static void check_ended(struct child *child, struct remote_check *check)
{
    check->running = false;
    child->running--;
    if (child->running_most > CROWD && child->running < child->running_most / 8) {
        child->running_most = child->running;
        mem_trim();
    }
}

static void on_ended(void *context, struct probe *probe, const struct probe_result *result)
{
    struct child *child = context;
    struct remote_check *check = container_of(probe, struct remote_check, probe);
    const struct wire_result message = {check->id, check->turn, *result};
    check_ended(child, check);
    wire_put_result(&child->out, &message);
}

static struct remote_check *check_of(const struct child *child, uint32_t id)
{
    return id < child->count ? child->checks[id] : NULL;
}

static struct remote_check *check_make(struct child *child, uint32_t id)
{
    if (id >= child->count) {
        size_t count = MAX((size_t)id + 1, child->count * 2);
        child->checks = mem_resize(child->checks, count, sizeof(struct remote_check *));
        for (size_t i = child->count; i < count; i++) {
            child->checks[i] = NULL;
        }
        child->count = count;
    }
    struct remote_check *check = mem_alloc(sizeof(*check));
    check->id = id;
    child->checks[id] = check;
    return check;
}

static bool take_start(struct child *child, const uint8_t *message, size_t size)
{
    const struct prober *prober = prober_uv_prober(child->prober);
    struct wire_start start;
    if (!wire_get_start(message, size, &child->scratch, &start) || start.id >= CHECKS_MAX) {
        return false;
    }
    struct remote_check *check = check_of(child, start.id);
    if (check == NULL && start.spec != NULL) {
        check = check_make(child, start.id);
        check->target = start.target;
        check->spec = definition_keep(child->definitions, start.spec);
    }
    if (check == NULL || check->running) {
        return false;
    }
    check->turn = start.turn;
    check->running = true;
    child->running++;
    child->running_most = MAX(child->running_most, child->running);
    prober->start(prober->state, &check->probe, &check->target, check->spec);
    return true;
}

static void check_stop(struct child *child, struct remote_check *check)
{
    const struct prober *prober = prober_uv_prober(child->prober);
    if (check->running) {
        prober->cancel(prober->state, &check->probe);
        check_ended(child, check);
    }
}

static void check_forget(struct child *child, struct remote_check *check)
{
    const struct prober *prober = prober_uv_prober(child->prober);
    check_stop(child, check);
    if (check->probe.kept != NULL) {
        prober->forget(prober->state, &check->probe);
    }
    definition_drop(child->definitions, check->spec);
    child->checks[check->id] = NULL;
    free(check);
}

static bool take_id(struct child *child, const uint8_t *message, size_t size)
{
    uint32_t id;
    if (!wire_get_id(message, size, &id)) {
        return false;
    }
    struct remote_check *check = check_of(child, id);
    if (check != NULL && message[0] == WIRE_CANCEL) {
        check_stop(child, check);
    } else if (check != NULL) {
        check_forget(child, check);
    }
    return true;
}

static bool take_hello(struct child *child, const uint8_t *message, size_t size)
{
    struct prober_options options;
    if (child->prober != NULL || !wire_get_hello(message, size, &child->scratch, &options)) {
        return false;
    }
    child->prober = prober_uv_new(&child->loop, &options);
    prober_uv_report(child->prober, on_ended, child);
    return true;
}

static bool take_message(struct child *child, const uint8_t *message, size_t size)
{
    switch (message[0]) {
    case WIRE_HELLO:
        return take_hello(child, message, size);
    case WIRE_START:
        return child->prober != NULL && take_start(child, message, size);
    case WIRE_CANCEL:
    case WIRE_FORGET:
        return child->prober != NULL && take_id(child, message, size);
    default:
        return false;
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct child *child = poll->data;
    const uint8_t *message;
    ssize_t size = 0;
    (void)status;
    (void)events;
    if (!wire_fill(&child->in, child->fd)) {
        uv_stop(&child->loop); // the server has gone
        return;
    }
    while ((size = wire_message(&child->in, &message)) > 0) {
        if (!take_message(child, message, (size_t)size)) {
            size = -1;
            break;
        }
        wire_drop(&child->in, (size_t)size);
    }
    if (size < 0) {
        child->failed = true;
        uv_stop(&child->loop);
    }
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct child *child = prepare->data;
    if (!wire_flush(&child->out, child->fd)) {
        uv_stop(&child->loop);
    }
    int events = UV_READABLE | (child->out.size > 0 ? UV_WRITABLE : 0);
    uv_poll_start(&child->poll, events, on_readable);
}

// What this process will never need.
static void confine(void)
{
    struct rlimit limit;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); // the server says when it is over
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void child_close(struct child *child)
{
    for (size_t i = 0; i < child->count; i++) {
        if (child->checks[i] != NULL) {
            check_forget(child, child->checks[i]);
        }
    }
    uv_close((uv_handle_t *)&child->poll, NULL);
    uv_close((uv_handle_t *)&child->prepare, NULL);
    prober_uv_free(child->prober);
    uv_run(&child->loop, UV_RUN_DEFAULT);
    uv_loop_close(&child->loop);
    definitions_free(child->definitions);
    free(child->checks);
    free(child->in.bytes);
    free(child->out.bytes);
}

int prober_child(int fd)
{
    struct child *child = mem_alloc(sizeof(*child));
    confine();
    child->fd = fd;
    child->definitions = definitions_new();
    if (uv_loop_init(&child->loop) != 0) {
        free(child);
        return 1;
    }
    if (uv_poll_init(&child->loop, &child->poll, fd) != 0) {
        fprintf(stderr, "signpost prober: it is started by signpost serve, with a socket\n");
        free(child);
        return 2;
    }
    uv_prepare_init(&child->loop, &child->prepare);
    child->poll.data = child->prepare.data = child;
    uv_prepare_start(&child->prepare, on_prepare);
    uv_run(&child->loop, UV_RUN_DEFAULT);
    int exit_code = child->failed ? 1 : 0;
    child_close(child);
    free(child);
    return exit_code;
}
