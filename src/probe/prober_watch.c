// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sockets of attempts in one epoll set of the prober's own, which the loop watches as a whole.
//
// A handle of libuv for each socket costs five system calls a probe (its own checks, adding and
// removing); a set of our own costs one, because closing a socket takes it out. A socket can stay
// in the set beyond its close as long as a child that is about to exec holds it, so events name the
// descriptor and a serial number, never an attempt: what does not match is of the past.
#include "probe/prober_parts.h"

#include "base/memory.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READY_MAX = 64, SLOTS_MIN = 64 };

static struct attempt *attempt_of(const struct watch *watch, uint64_t name)
{
    size_t fd = (size_t)(name & UINT32_MAX);
    if (fd >= watch->slot_count || watch->slots[fd].serial != (uint32_t)(name >> 32)) {
        return NULL;
    }
    return watch->slots[fd].attempt;
}

static void set_ready(uv_poll_t *poll, int status, int events)
{
    struct prober_uv *prober = poll->data;
    struct epoll_event ready[READY_MAX];
    (void)status;
    (void)events;
    int count = epoll_wait(prober->watch.fd, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++) {
        // Asked anew for each: the end of one attempt may be the end of others.
        struct attempt *attempt = attempt_of(&prober->watch, ready[i].data.u64);
        if (attempt != NULL) {
            attempt->ready(attempt, (ready[i].events & (EPOLLERR | EPOLLHUP)) != 0);
        }
    }
}

static void set_closed(uv_handle_t *handle)
{
    struct prober_uv *prober = handle->data;
    free(handle);
    prober_handle_closed(prober);
}

static int set_open(struct prober_uv *prober)
{
    struct watch *watch = &prober->watch;
    watch->fd = epoll_create1(EPOLL_CLOEXEC);
    if (watch->fd < 0) {
        return -errno;
    }
    uv_poll_t *poll = mem_alloc(sizeof(*poll));
    int error = uv_poll_init(prober->loop, poll, watch->fd);
    if (error) {
        free(poll);
        close(watch->fd);
        return error;
    }
    poll->data = prober;
    uv_poll_start(poll, UV_READABLE, set_ready);
    uv_unref((uv_handle_t *)poll); // what keeps the loop going is the deadlines of attempts
    prober_handle_opened(prober);
    watch->poll = poll;
    return 0;
}

void watch_close(struct prober_uv *prober)
{
    struct watch *watch = &prober->watch;
    if (watch->poll) {
        uv_close((uv_handle_t *)watch->poll, set_closed);
        close(watch->fd);
    }
    free(watch->slots);
    *watch = (struct watch){.poll = NULL};
}

static void slot_take(struct watch *watch, struct attempt *attempt)
{
    size_t fd = (size_t)attempt->fd;
    if (fd >= watch->slot_count) {
        size_t count = MAX(2 * fd, (size_t)SLOTS_MIN);
        watch->slots = mem_resize(watch->slots, count, sizeof(*watch->slots));
        for (size_t i = watch->slot_count; i < count; i++) {
            watch->slots[i] = (struct watched){.attempt = NULL};
        }
        watch->slot_count = count;
    }
    watch->slots[fd].attempt = attempt;
    watch->slots[fd].serial++;
}

bool attempt_watch(struct attempt *attempt, unsigned events, attempt_ready *ready)
{
    struct prober_uv *prober = attempt->prober;
    struct watch *watch = &prober->watch;
    attempt->ready = ready;
    if (attempt->events == events) {
        return true;
    }
    int error = watch->poll ? 0 : set_open(prober);
    if (error == 0) {
        bool is_new = attempt->events == 0;
        if (is_new) {
            slot_take(watch, attempt);
        }
        struct epoll_event event = {.events = events};
        event.data.u64 = (uint64_t)watch->slots[attempt->fd].serial << 32 | (uint32_t)attempt->fd;
        error = epoll_ctl(watch->fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, attempt->fd, &event)
                    ? -errno
                    : 0;
    }
    if (error) {
        probe_result_set(&attempt->result, PROBE_LOCAL_ERROR, "%s", uv_strerror(error));
        return false;
    }
    attempt->events = events;
    return true;
}

void attempt_unwatch(struct attempt *attempt)
{
    struct watch *watch = &attempt->prober->watch;
    if (attempt->fd < 0) {
        return;
    }
    if ((size_t)attempt->fd < watch->slot_count && watch->slots[attempt->fd].attempt == attempt) {
        watch->slots[attempt->fd].attempt = NULL;
    }
    attempt->events = 0;
    close(attempt->fd);
    attempt->fd = -1;
}
