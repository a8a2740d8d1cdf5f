// SPDX-License-Identifier: GPL-3.0-or-later
//
// The event loop of a data thread.
//
// One level-triggered epoll over the TCP listeners and connections, the XDP sockets and the eventfd
// that ends the thread; poll() over the UDP sockets and that epoll. Whoever waits on a socket is
// called for each datagram that leaves it, because there may be room for another: poll() waits only
// while the thread sleeps, epoll would all the time, which costs 4 % of a query. udp.c keeps
// reading while batches are large, so under load poll() is asked once in many batches. While
// nothing comes over UDP nothing leaves that way either, so after QUIET_ROUNDS wake-ups for others
// the UDP sockets move into the epoll, and the thread sleeps in epoll_wait(): a system call less
// for each query over TCP. The first datagram moves them back. A thread without UDP sockets (TLS)
// always sleeps there.
//
// The thread is offline for RCU exactly while it may sleep, hence the writer never waits for an
// idle worker; inside a round no generation is held across batches.
#include "net/worker.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "net/tcp.h"
#include "net/udp.h"
#include "net/xdp.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 32,
    // The sockets' way there and back is two system calls each.
    QUIET_ROUNDS = 64,
    // A flood of handshakes gets what UDP leaves of a core, and a tenth of it at least.
    TLS_NICENESS = 10,
};

struct data_worker {
    struct data_worker_options options;
    struct responder responder;
    struct event_source stop, datagrams; // the second: of all UDP sockets
    struct udp_socket *sockets;          // for UDP
    size_t socket_count;
    struct pollfd *waits;  // the sockets' and, behind them, the epoll's
    unsigned quiet_rounds; // wake-ups in a row without a datagram
    bool sleeps_in_epoll;  // the sockets are in the epoll
    struct epoll_event events[EVENTS_MAX];
    struct udp_batch *batch;
    struct tcp *tcp;
    int epoll_fd;
    pthread_t thread;
    bool started;
};

static void pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((unsigned)core, &set);
    pthread_setaffinity_np(pthread_self(), sizeof(set), &set); // only a matter of speed
}

static void watch(const struct data_worker *data_worker, int fd, struct event_source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    epoll_ctl(data_worker->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void sleep_in_epoll(struct data_worker *data_worker)
{
    for (size_t i = 0; i < data_worker->socket_count; i++) {
        watch(data_worker, data_worker->sockets[i].fd, &data_worker->datagrams);
    }
    data_worker->sleeps_in_epoll = true;
}

static void sleep_in_poll(struct data_worker *data_worker)
{
    for (size_t i = 0; i < data_worker->socket_count; i++) {
        epoll_ctl(data_worker->epoll_fd, EPOLL_CTL_DEL, data_worker->sockets[i].fd, NULL);
    }
    data_worker->sleeps_in_epoll = false;
    data_worker->quiet_rounds = 0;
}

// True when the thread must end.
static bool dispatch(struct data_worker *data_worker, const struct epoll_event *event)
{
    struct event_source *source = event->data.ptr;
    switch (source->kind) {
    case SOURCE_STOP:
        return true;
    case SOURCE_LISTENER:
    case SOURCE_CONNECTION:
        tcp_event(data_worker->tcp, source, event->events);
        break;
    case SOURCE_XDP:
        xdp_serve(xdp_socket_of(source), &data_worker->responder);
        break;
    case SOURCE_DATAGRAMS:
        if (data_worker->sleeps_in_epoll) { // not two of them at once
            sleep_in_poll(data_worker);
        }
        break;
    }
    return false;
}

static int events_take(struct data_worker *data_worker, int timeout_ms)
{
    return epoll_wait(data_worker->epoll_fd, data_worker->events, EVENTS_MAX, timeout_ms);
}

// Sleeps until something comes, then tells the time. Returns how many events of the epoll it took,
// if it waited for nothing else.
static int wait(struct data_worker *data_worker, int timeout_ms)
{
    const struct responder *responder = &data_worker->responder;
    int count = 0;
    rcu_reader_offline();
    if (data_worker->sleeps_in_epoll) {
        count = events_take(data_worker, timeout_ms);
    } else {
        poll(data_worker->waits, data_worker->socket_count + 1, timeout_ms);
    }
    rcu_reader_online();
    worker_set_time(responder->worker,
                    (uint32_t)(clock_wall_ns(responder->net->clock) / NS_PER_SECOND));
    return count;
}

// After poll(): serves the UDP sockets that have something. Returns how many events of the epoll it
// took.
static int serve_udp(struct data_worker *data_worker)
{
    data_worker->quiet_rounds++;
    for (size_t i = 0; i < data_worker->socket_count; i++) {
        if (data_worker->waits[i].revents != 0) {
            udp_serve(data_worker->batch, &data_worker->sockets[i], &data_worker->responder);
            data_worker->quiet_rounds = 0;
        }
    }
    if (data_worker->quiet_rounds >= QUIET_ROUNDS) {
        sleep_in_epoll(data_worker);
    }
    bool others = data_worker->waits[data_worker->socket_count].revents != 0;
    return others ? events_take(data_worker, 0) : 0;
}

// Serves the first `count` events of the epoll. Returns true when the thread must end.
static bool serve_others(struct data_worker *data_worker, int count)
{
    bool stopping = false;
    for (int i = 0; i < count; i++) {
        stopping |= dispatch(data_worker, &data_worker->events[i]);
    }
    return stopping;
}

static void *run(void *argument)
{
    struct data_worker *data_worker = argument;
    if (data_worker->options.core >= 0) {
        pin(data_worker->options.core);
    }
    if (data_worker->options.tls != NULL) {
        setpriority(PRIO_PROCESS, (id_t)gettid(), TLS_NICENESS); // Linux: of this thread
    }
    rcu_reader_register();
    bool stopping = false;
    for (int timeout_ms = -1; !stopping;) {
        bool polls = !data_worker->sleeps_in_epoll;
        int count = wait(data_worker, timeout_ms);
        if (polls) {
            count = serve_udp(data_worker);
        }
        stopping = serve_others(data_worker, count);
        timeout_ms = tcp_tick(data_worker->tcp);
    }
    rcu_reader_unregister();
    return NULL;
}

int data_worker_start(struct data_worker *data_worker, generation_root *root)
{
    data_worker->responder.root = root;
    // Signals are the control thread's: a worker inherits a full mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&data_worker->thread, NULL, run, data_worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    data_worker->started = result == 0;
    if (result == 0) {
        pthread_setname_np(data_worker->thread,
                           data_worker->options.tls != NULL ? "tls-worker" : "data-worker");
    }
    return result;
}

void data_worker_join(struct data_worker *data_worker)
{
    if (data_worker->started) {
        pthread_join(data_worker->thread, NULL);
        data_worker->started = false;
    }
}

const struct worker_counters *data_worker_counters(const struct data_worker *data_worker)
{
    return worker_counters(data_worker->responder.worker);
}

size_t data_worker_samples(struct data_worker *data_worker, uint32_t *seen, uint64_t *samples)
{
    return worker_samples(data_worker->responder.worker, seen, samples);
}

struct asked *data_worker_asked(const struct data_worker *data_worker)
{
    return worker_asked(data_worker->responder.worker);
}

void data_worker_add(struct data_worker *data_worker, struct xdp_socket *socket)
{
    SP_ASSERT(!data_worker->started);
    watch(data_worker, xdp_socket_fd(socket), xdp_socket_source(socket));
}

struct data_worker *data_worker_new(const struct data_worker_options *options,
                                    const struct data_worker_socket *sockets, size_t count)
{
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) {
        return NULL;
    }
    struct data_worker *data_worker = mem_alloc(sizeof(*data_worker));
    data_worker->options = *options;
    data_worker->epoll_fd = epoll_fd;
    data_worker->stop.kind = SOURCE_STOP;
    data_worker->datagrams.kind = SOURCE_DATAGRAMS;
    data_worker->responder.worker = worker_new(random_seed());
    data_worker->responder.net = options->net;
    if (options->net->rrl.rate > 0) {
        struct rrl_options rrl = options->net->rrl;
        rrl.key = random_seed();
        data_worker->responder.rrl = rrl_new(&rrl);
    }
    data_worker->batch = udp_batch_new();
    data_worker->sockets = mem_alloc_array(count, sizeof(*data_worker->sockets));
    data_worker->waits = mem_alloc_array(count + 1, sizeof(*data_worker->waits));
    watch(data_worker, options->stop_fd, &data_worker->stop);
    int *listeners = mem_alloc_array(count, sizeof(*listeners));
    for (size_t i = 0; i < count; i++) {
        const size_t at = data_worker->socket_count;
        data_worker->sockets[at] = (struct udp_socket){sockets[i].udp_fd, sockets[i].wildcard};
        data_worker->waits[at] = (struct pollfd){.fd = sockets[i].udp_fd, .events = POLLIN};
        data_worker->socket_count += sockets[i].udp_fd >= 0;
        listeners[i] = sockets[i].tcp_fd;
    }
    data_worker->waits[data_worker->socket_count] = (struct pollfd){epoll_fd, POLLIN, 0};
    data_worker->sleeps_in_epoll = data_worker->socket_count == 0;
    struct tcp_options tcp_options = {
        .epoll_fd = epoll_fd,
        .net = options->net,
        .responder = &data_worker->responder,
        .tls = options->tls,
    };
    data_worker->tcp = tcp_new(&tcp_options, listeners, count);
    free(listeners);
    return data_worker;
}

void data_worker_free(struct data_worker *data_worker)
{
    tcp_free(data_worker->tcp);
    for (size_t i = 0; i < data_worker->socket_count; i++) {
        close(data_worker->sockets[i].fd);
    }
    close(data_worker->epoll_fd);
    worker_free(data_worker->responder.worker);
    rrl_free(data_worker->responder.rrl);
    udp_batch_free(data_worker->batch);
    free(data_worker->waits);
    free(data_worker->sockets);
    free(data_worker);
}
