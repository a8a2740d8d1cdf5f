// SPDX-License-Identifier: GPL-3.0-or-later
//
// Opening and closing: ports, limits of the process, cores, threads. Control thread.
//
// Every port is probed before it is bound: SO_REUSEPORT, which lets our workers share a port, would
// also let a second daemon of the same user share it in silence, and each would get part of the
// queries. The probe binds without it, so it meets whoever has the port. All endpoints are probed
// before the first is bound, because 0.0.0.0 and 127.0.0.1 may stand side by side in one
// configuration. (Two daemons that start within the same millisecond can still both pass.) A port
// that the kernel chose is held by its probe until our own sockets have it: in between nobody else
// can be given it.
#include "net/net.h"

#include "base/memory.h"
#include "net/socket.h"
#include "net/worker.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    PORT_TRIES_MAX = 32,
    RECEIVE_BUFFER_WARN_SIZE = 1 << 20,
    // What the rest of the process needs besides our sockets: files, probes, control connections.
    DESCRIPTORS_OTHER = 256,
};

struct net {
    struct net_options options;
    struct endpoint *endpoints; // for UDP and TCP, then for TLS
    size_t endpoint_count, plain_count;
    struct tls *tls;              // NULL: none
    struct data_worker **workers; // the one for TLS comes last
    unsigned worker_count;        // made so far
    struct xdp_interface **xdp;   // those that could be opened
    size_t xdp_count;
    int *held; // the probes of chosen ports, while ours are being opened
    size_t held_count;
    int stop_fd;
};

static const struct place no_place;

// The system's reason, and what to do about the usual ones.
static void report_listen(struct diags *diags, const struct endpoint *endpoint,
                          enum transport transport, int reason)
{
    static const struct {
        int reason;
        const char *hint;
    } hints[] = {
        {EADDRINUSE, "; another program has this port, or signpost runs already"},
        {EACCES, "; ports below 1024 need root or CAP_NET_BIND_SERVICE"},
        {EADDRNOTAVAIL, "; no interface of this machine has this address"},
    };
    const char *hint = "";
    for (size_t i = 0; i < ARRAY_SIZE(hints); i++) {
        hint = hints[i].reason == reason ? hints[i].hint : hint;
    }
    char text[SOCKADDR_TEXT_MAX];
    diags_error(diags, no_place, "listen", "cannot listen on %s: %s (%s)%s",
                endpoint_format(&endpoint->address, endpoint->port, text), strerror(reason),
                transport == TRANSPORT_UDP ? "UDP" : "TCP", hint);
}

// 0 when all transports from *transport to TCP are free; the first one that is not, with its errno.
static int probe(const struct endpoint *endpoint, enum transport *transport)
{
    for (; *transport <= TRANSPORT_TCP; (*transport)++) {
        int fd = socket_bind(endpoint, *transport, SOCKET_PROBE);
        if (fd < 0) {
            return errno;
        }
        close(fd);
    }
    return 0;
}

// Gives the endpoint a port that is free for TCP, and for UDP when it comes first, and holds it.
static bool choose_port(struct net *net, struct endpoint *endpoint, enum transport first)
{
    for (unsigned try = 0; try < PORT_TRIES_MAX; try++) {
        int tcp_fd = socket_bind(endpoint, TRANSPORT_TCP, SOCKET_PROBE);
        if (tcp_fd < 0) {
            return false;
        }
        struct endpoint chosen = {endpoint->address, socket_port(tcp_fd)};
        int udp_fd =
            first == TRANSPORT_UDP ? socket_bind(&chosen, TRANSPORT_UDP, SOCKET_PROBE) : -1;
        if (first == TRANSPORT_UDP && udp_fd < 0) {
            close(tcp_fd);
            continue;
        }
        net->held[net->held_count++] = tcp_fd;
        if (udp_fd >= 0) {
            net->held[net->held_count++] = udp_fd;
        }
        endpoint->port = chosen.port;
        return true;
    }
    return false;
}

static void release_held(struct net *net)
{
    for (size_t i = 0; i < net->held_count; i++) {
        close(net->held[i]);
    }
    free(net->held);
    net->held = NULL;
    net->held_count = 0;
}

static bool probe_all(struct net *net, struct diags *diags)
{
    for (size_t i = 0; i < net->endpoint_count; i++) {
        struct endpoint *endpoint = &net->endpoints[i];
        enum transport transport = net_endpoint_is_tls(net, i) ? TRANSPORT_TCP : TRANSPORT_UDP;
        if (endpoint->port == 0) {
            if (!choose_port(net, endpoint, transport)) {
                report_listen(diags, endpoint, TRANSPORT_TCP, errno);
                return false;
            }
            continue;
        }
        int reason = probe(endpoint, &transport);
        if (reason != 0) {
            report_listen(diags, endpoint, transport, reason);
            return false;
        }
    }
    for (size_t i = 0; i < net->held_count; i++) {
        socket_share(net->held[i]);
    }
    return true;
}

static void close_sockets(const struct data_worker_socket *sockets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sockets[i].udp_fd >= 0) {
            close(sockets[i].udp_fd);
        }
        if (sockets[i].tcp_fd >= 0) {
            close(sockets[i].tcp_fd);
        }
    }
}

static bool bind_one(const struct net *net, size_t index, struct data_worker_socket *made,
                     struct diags *diags)
{
    const struct endpoint *endpoint = &net->endpoints[index];
    *made = (struct data_worker_socket){-1, -1, endpoint_wildcard(endpoint)};
    if (!net_endpoint_is_tls(net, index)) {
        made->udp_fd = socket_bind(endpoint, TRANSPORT_UDP, SOCKET_SERVE);
        if (made->udp_fd < 0) {
            report_listen(diags, endpoint, TRANSPORT_UDP, errno);
            return false;
        }
    }
    made->tcp_fd = socket_bind(endpoint, TRANSPORT_TCP, SOCKET_SERVE);
    if (made->tcp_fd < 0) {
        report_listen(diags, endpoint, TRANSPORT_TCP, errno);
        return false;
    }
    if (net->options.tcp_fast_open_max > 0) {
        socket_fast_open(made->tcp_fd, net->options.tcp_fast_open_max);
    }
    return true;
}

// One worker's share of the endpoints from `first` on.
static bool bind_all(const struct net *net, size_t first, size_t count,
                     struct data_worker_socket *sockets, struct diags *diags)
{
    for (size_t i = 0; i < count; i++) {
        if (!bind_one(net, first + i, &sockets[i], diags)) {
            close_sockets(sockets, i + 1);
            return false;
        }
    }
    return true;
}

// The core for a worker, of those that the process may use; -1 when there are fewer than workers.
static int choose_core(unsigned worker, unsigned worker_count)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 ||
        (unsigned)CPU_COUNT(&allowed) < worker_count) {
        return -1;
    }
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (CPU_ISSET((unsigned)core, &allowed) && worker-- == 0) {
            return core;
        }
    }
    return -1;
}

static struct data_worker *make_worker(const struct net *net, struct tls *tls,
                                       struct data_worker_socket *sockets, struct diags *diags)
{
    size_t first = tls != NULL ? net->plain_count : 0;
    size_t count = tls != NULL ? net->endpoint_count - net->plain_count : net->plain_count;
    if (!bind_all(net, first, count, sockets, diags)) {
        return NULL;
    }
    struct data_worker_options options = {
        .stop_fd = net->stop_fd,
        .core = tls != NULL ? -1 : choose_core(net->worker_count, net->options.workers),
        .tls = tls,
        .net = &net->options,
    };
    struct data_worker *data_worker = data_worker_new(&options, sockets, count);
    if (data_worker == NULL) {
        diags_error(diags, no_place, "workers", "cannot make worker %u: %s", net->worker_count,
                    strerror(errno));
        close_sockets(sockets, count);
    }
    return data_worker;
}

// `tls` NULL: one for UDP and TCP.
static bool add_worker(struct net *net, struct tls *tls, struct diags *diags)
{
    struct data_worker_socket *sockets = mem_alloc_array(net->endpoint_count, sizeof(*sockets));
    struct data_worker *data_worker = make_worker(net, tls, sockets, diags);
    if (data_worker != NULL) {
        net->workers[net->worker_count++] = data_worker;
    }
    bool first = data_worker != NULL && tls == NULL && net->worker_count == 1;
    size_t granted = first ? socket_receive_buffer_size(sockets[0].udp_fd) : 0;
    if (first && granted < RECEIVE_BUFFER_WARN_SIZE) {
        diags_warning(diags, no_place, "listen",
                      "UDP receive buffers have %zu KiB of the wanted %d; bursts may be lost: "
                      "raise net.core.rmem_max",
                      granted >> 10, SOCKET_RECEIVE_BUFFER_SIZE >> 10);
    }
    free(sockets);
    return data_worker != NULL;
}

// Connections must not run into the soft limit that a shell happens to have.
static void raise_descriptor_limit(const struct net *net, struct diags *diags)
{
    rlim_t threads = net->options.workers + (net->tls != NULL ? 1 : 0);
    rlim_t wanted =
        threads * (net->options.tcp_clients_max + 2 * net->endpoint_count + 1) + DESCRIPTORS_OTHER;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = MIN(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted) {
        diags_warning(diags, no_place, "listen",
                      "this process may open %llu descriptors, %llu are wanted for all TCP "
                      "clients: raise its limit (LimitNOFILE)",
                      (unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
    }
}

// Deals the queues of each interface out to the workers. What cannot be opened is left to sockets.
static void open_xdp(struct net *net, struct diags *diags)
{
    const struct net_options *options = &net->options;
    net->xdp = mem_alloc_array(options->xdp_interface_count, sizeof(struct xdp_interface *));
    for (size_t i = 0; i < options->xdp_interface_count; i++) {
        struct xdp_interface *interface = xdp_open(options->xdp_interfaces[i], options->xdp_wish,
                                                   net->endpoints, net->endpoint_count, diags);
        if (interface == NULL) {
            continue;
        }
        for (unsigned queue = 0; queue < xdp_queue_count(interface); queue++) {
            data_worker_add(net->workers[queue % net->worker_count], xdp_queue(interface, queue));
        }
        net->xdp[net->xdp_count++] = interface;
    }
}

struct net *net_open(const struct net_options *options, struct diags *diags)
{
    SP_ASSERT(options->listen_count > 0 && options->workers > 0);
    struct net *net = mem_alloc(sizeof(*net));
    net->options = *options;
    net->plain_count = options->listen_count;
    net->endpoint_count = options->listen_count + options->listen_tls_count;
    net->endpoints = mem_alloc_array(net->endpoint_count, sizeof(*net->endpoints));
    for (size_t i = 0; i < net->endpoint_count; i++) {
        net->endpoints[i] =
            i < net->plain_count ? options->listen[i] : options->listen_tls[i - net->plain_count];
    }
    net->options.listen = net->endpoints;
    net->options.listen_tls = net->endpoints + net->plain_count;
    net->tls = options->listen_tls_count > 0 ? tls_new(options->clock) : NULL;
    net->workers = mem_alloc_array(options->workers + 1, sizeof(struct data_worker *));
    net->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool good = net->stop_fd >= 0;
    if (!good) {
        diags_error(diags, no_place, "workers", "cannot make an eventfd: %s", strerror(errno));
    }
    raise_descriptor_limit(net, diags);
    net->held = mem_alloc_array(2 * net->endpoint_count, sizeof(*net->held));
    good = good && probe_all(net, diags);
    while (good && net->worker_count < options->workers) {
        good = add_worker(net, NULL, diags);
    }
    if (good && net->tls != NULL) {
        good = add_worker(net, net->tls, diags);
    }
    release_held(net);
    if (good) {
        open_xdp(net, diags);
    }
    if (!good) {
        net_close(net);
        return NULL;
    }
    return net;
}

void net_use_certificate(struct net *net, struct tls_certificate *certificate)
{
    if (net->tls != NULL) {
        tls_use(net->tls, certificate);
    } else {
        tls_certificate_free(certificate);
    }
}

bool net_start(struct net *net, generation_root *root)
{
    for (unsigned i = 0; i < net->worker_count; i++) {
        int reason = data_worker_start(net->workers[i], root);
        if (reason != 0) {
            errno = reason;
            return false;
        }
    }
    return true;
}

void net_close(struct net *net)
{
    if (net == NULL) {
        return;
    }
    if (net->stop_fd >= 0) {
        eventfd_write(net->stop_fd, 1);
    }
    for (unsigned i = 0; i < net->worker_count; i++) {
        data_worker_join(net->workers[i]);
        data_worker_free(net->workers[i]);
    }
    if (net->stop_fd >= 0) {
        close(net->stop_fd);
    }
    for (size_t i = 0; i < net->xdp_count; i++) {
        xdp_close(net->xdp[i]);
    }
    free(net->xdp);
    tls_free(net->tls);
    free(net->workers);
    free(net->endpoints);
    free(net);
}

unsigned net_worker_count(const struct net *net)
{
    return net->worker_count;
}

const struct worker_counters *net_worker_counters(const struct net *net, unsigned worker)
{
    SP_ASSERT(worker < net->worker_count);
    return data_worker_counters(net->workers[worker]);
}

size_t net_worker_samples(struct net *net, unsigned worker, uint32_t *seen, uint64_t *samples)
{
    SP_ASSERT(worker < net->worker_count);
    return data_worker_samples(net->workers[worker], seen, samples);
}

struct asked *net_worker_asked(const struct net *net, unsigned worker)
{
    SP_ASSERT(worker < net->worker_count);
    return data_worker_asked(net->workers[worker]);
}

size_t net_xdp_count(const struct net *net)
{
    return net->xdp_count;
}

const struct xdp_interface *net_xdp(const struct net *net, size_t index)
{
    SP_ASSERT(index < net->xdp_count);
    return net->xdp[index];
}

size_t net_endpoint_count(const struct net *net)
{
    return net->endpoint_count;
}

struct endpoint net_endpoint(const struct net *net, size_t index)
{
    SP_ASSERT(index < net->endpoint_count);
    return net->endpoints[index];
}

bool net_endpoint_is_tls(const struct net *net, size_t index)
{
    return index >= net->plain_count;
}
