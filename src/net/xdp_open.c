// SPDX-License-Identifier: GPL-3.0-or-later
//
// Opening and closing the XDP side of an interface. Control thread, before the data threads start
// and after they have ended.
//
// Every way in which it can fail ends in one warning and in an interface that the kernel's sockets
// serve: XDP is a matter of speed and never of service.
#include "net/xdp_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "net/socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_TRIES_MAX = 100, BUSY_WAIT_NS = 20 * NS_PER_MS };

struct xdp_interface {
    char name[IF_NAMESIZE];
    unsigned index;
    enum xdp_mode mode;
    struct xdp_filter *filter;
    struct xdp_socket **sockets;
    unsigned socket_count;
};

static const struct place no_place;

// Receive queues of the interface; 1 when its driver does not say.
static unsigned count_queues(const char *name)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request = {.ifr_data = (void *)&channels};
    memcpy(request.ifr_name, name, strnlen(name, IF_NAMESIZE - 1));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unsigned queues = 1;
    if (fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0) {
        queues = MAX(channels.combined_count + channels.rx_count, 1U);
    }
    if (fd >= 0) {
        close(fd);
    }
    return queues;
}

struct endpoints {
    struct endpoint *items;
    size_t count, capacity;
};

static void endpoints_add(struct endpoints *list, struct address address, uint16_t port)
{
    MEM_GROW(list->items, list->count, list->capacity);
    list->items[list->count++] = (struct endpoint){address, port};
}

// The endpoints as single addresses: a wildcard becomes all that this machine has in its family.
static struct endpoints endpoints_expand(const struct endpoint *endpoints, size_t count)
{
    struct endpoints list = {0};
    struct ifaddrs *interfaces = NULL;
    if (getifaddrs(&interfaces) != 0) {
        interfaces = NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!endpoint_wildcard(&endpoints[i])) {
            endpoints_add(&list, endpoints[i].address, endpoints[i].port);
            continue;
        }
        for (struct ifaddrs *at = interfaces; at != NULL; at = at->ifa_next) {
            struct address address;
            uint16_t port;
            if (at->ifa_addr != NULL && address_from_sockaddr(at->ifa_addr, &address, &port) &&
                address.family == endpoints[i].address.family) {
                endpoints_add(&list, address, endpoints[i].port);
            }
        }
    }
    if (interfaces != NULL) {
        freeifaddrs(interfaces);
    }
    return list;
}

static void socket_free(struct xdp_socket *socket)
{
    if (socket->socket != NULL) {
        xsk_socket__delete(socket->socket);
    }
    if (socket->umem != NULL) {
        xsk_umem__delete(socket->umem);
    }
    if (socket->memory != NULL) {
        munmap(socket->memory, XDP_MEMORY_SIZE);
    }
    free(socket);
}

// Every frame begins in the fill ring.
static void fill_all(struct xdp_socket *socket)
{
    uint32_t at = 0;
    unsigned got = xsk_ring_prod__reserve(&socket->fill, XDP_FRAMES, &at);
    SP_ASSERT(got == XDP_FRAMES);
    for (unsigned i = 0; i < XDP_FRAMES; i++) {
        *xsk_ring_prod__fill_addr(&socket->fill, at + i) = (uint64_t)i * XDP_FRAME_SIZE;
    }
    xsk_ring_prod__submit(&socket->fill, XDP_FRAMES);
}

// NULL with errno. libxdp returns its errors as negative numbers.
static struct xdp_socket *socket_open(const char *interface, unsigned queue)
{
    struct xdp_socket *socket = mem_alloc(sizeof(*socket));
    socket->source.kind = SOURCE_XDP;
    void *memory = mmap(NULL, XDP_MEMORY_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    int reason = memory == MAP_FAILED ? -errno : 0;
    socket->memory = memory == MAP_FAILED ? NULL : memory;
    struct xsk_umem_config umem = {
        .fill_size = XDP_FRAMES, .comp_size = XDP_FRAMES, .frame_size = XDP_FRAME_SIZE};
    if (reason == 0) {
        reason = xsk_umem__create(&socket->umem, memory, XDP_MEMORY_SIZE, &socket->fill,
                                  &socket->complete, &umem);
    }
    struct xsk_socket_config config = {.rx_size = XDP_RECEIVE_RING,
                                       .tx_size = XDP_SEND_RING,
                                       .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
                                       .bind_flags = XDP_USE_NEED_WAKEUP};
    if (reason == 0) {
        fill_all(socket);
        reason = xsk_socket__create(&socket->socket, interface, queue, socket->umem,
                                    &socket->receive, &socket->send, &config);
    }
    if (reason != 0) {
        socket_free(socket);
        errno = -reason;
        return NULL;
    }
    return socket;
}

// The kernel gives a queue back some milliseconds after the process that had it has ended: who
// comes at once, as after a restart, waits for that.
static struct xdp_socket *socket_open_patiently(const char *interface, unsigned queue)
{
    struct xdp_socket *socket = NULL;
    for (unsigned tries = 0; socket == NULL && tries < BUSY_TRIES_MAX; tries++) {
        socket = socket_open(interface, queue);
        if (socket == NULL && errno != EBUSY) {
            break;
        }
        if (socket == NULL) {
            nanosleep(&(struct timespec){.tv_nsec = BUSY_WAIT_NS}, NULL);
            errno = EBUSY;
        }
    }
    return socket;
}

static bool open_sockets(struct xdp_interface *interface, unsigned queues)
{
    interface->sockets = mem_alloc_array(queues, sizeof(struct xdp_socket *));
    while (interface->socket_count < queues) {
        struct xdp_socket *socket = socket_open_patiently(interface->name, interface->socket_count);
        if (socket == NULL) {
            return false;
        }
        interface->sockets[interface->socket_count] = socket;
        unsigned queue = interface->socket_count++;
        if (!xdp_filter_serve(interface->filter, queue, xdp_socket_fd(socket))) {
            return false;
        }
    }
    return true;
}

// The kernel counts the frames' memory as locked.
static void raise_memory_limit(void)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &limit); // where it may not be raised, opening says so
}

static bool attach(struct xdp_interface *interface, enum xdp_wish wish)
{
    for (enum xdp_mode mode = XDP_MODE_NATIVE; mode <= XDP_MODE_GENERIC; mode++) {
        bool wished =
            wish == XDP_WISH_AUTO || (wish == XDP_WISH_NATIVE) == (mode == XDP_MODE_NATIVE);
        if (wished && xdp_filter_attach(interface->filter, interface->index, mode)) {
            interface->mode = mode;
            return true;
        }
    }
    return false;
}

// Each step in its order; NULL when all went well, else the one that failed, with errno.
static const char *open_steps(struct xdp_interface *interface, enum xdp_wish wish,
                              const struct endpoints *endpoints, unsigned queues)
{
    interface->index = if_nametoindex(interface->name);
    if (interface->index == 0) {
        return "find the interface";
    }
    interface->filter = xdp_filter_new(endpoints->items, endpoints->count);
    if (interface->filter == NULL) {
        return "load the filter";
    }
    // Before the sockets: a driver may give a queue only where a program is.
    if (!attach(interface, wish)) {
        return "attach the filter";
    }
    return open_sockets(interface, queues) ? NULL : "open a socket";
}

struct xdp_interface *xdp_open(const char *name, enum xdp_wish wish,
                               const struct endpoint *endpoints, size_t count, struct diags *diags)
{
    struct xdp_interface *interface = mem_alloc(sizeof(*interface));
    memcpy(interface->name, name, strnlen(name, IF_NAMESIZE - 1));
    unsigned queues = count_queues(name);
    if (queues > XDP_QUEUES_MAX) {
        diags_warning(diags, no_place, "xdp.interfaces",
                      "%s has %u receive queues; the first %d are served by XDP sockets", name,
                      queues, XDP_QUEUES_MAX);
        queues = XDP_QUEUES_MAX;
    }
    raise_memory_limit();
    struct endpoints expanded = endpoints_expand(endpoints, count);
    const char *failed = open_steps(interface, wish, &expanded, queues);
    free(expanded.items);
    if (failed != NULL) {
        diags_warning(diags, no_place, "xdp.interfaces",
                      "%s is served without XDP sockets: cannot %s: %s%s", name, failed,
                      strerror(errno),
                      errno == EPERM ? "; it needs CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW" : "");
        xdp_close(interface);
        return NULL;
    }
    return interface;
}

void xdp_close(struct xdp_interface *interface)
{
    if (interface == NULL) {
        return;
    }
    xdp_filter_free(interface->filter); // first: no more frames come
    for (unsigned i = 0; i < interface->socket_count; i++) {
        socket_free(interface->sockets[i]);
    }
    free(interface->sockets);
    free(interface);
}

const char *xdp_name(const struct xdp_interface *interface)
{
    return interface->name;
}

enum xdp_mode xdp_mode(const struct xdp_interface *interface)
{
    return interface->mode;
}

unsigned xdp_queue_count(const struct xdp_interface *interface)
{
    return interface->socket_count;
}

struct xdp_socket *xdp_queue(const struct xdp_interface *interface, unsigned queue)
{
    SP_ASSERT(queue < interface->socket_count);
    return interface->sockets[queue];
}
