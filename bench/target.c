// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the checks of bench/health.py find: a port on which every address of 127.0.0.0/8 takes
// connections and closes them, and a port on which none is answered, because its queue is full.
//
// One thread. Prints both ports; then for each octet on standard input one line of JSON: how many
// connections came since the last one, to how many addresses, and how long the gaps between two
// connections to the same address were, as counted here and not as the checker believes. Ends at
// the end of standard input.
#include "base/address.h"
#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESSES = 1 << 18, QUEUE = 4096, BATCH = 256, FILLERS = 4, GAPS = 20000 };

struct target {
    int good, hole, fillers[FILLERS];
    uint64_t taken, addresses;
    uint64_t gaps_ms[GAPS + 1]; // how many gaps were so many milliseconds long
    int64_t last_ns[ADDRESSES]; // 0: no connection yet
    bool seen[ADDRESSES];
};

static int64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

static int listener(int queue, uint16_t *port)
{
    const int on = 1;
    struct sockaddr_storage own = {.ss_family = AF_INET};
    socklen_t size = sizeof(struct sockaddr_in);
    struct address address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&own, size) != 0 || listen(fd, queue) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &size) != 0 ||
        !address_from_sockaddr((struct sockaddr *)&own, &address, port)) {
        perror("bench-target: listen");
        exit(1);
    }
    return fd;
}

// Connections that are never taken: what comes after them is dropped.
static void fill(struct target *target, uint16_t port)
{
    const struct address loopback = {.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}};
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&loopback, port, &to);
    for (int i = 0; i < FILLERS; i++) {
        target->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (target->fillers[i] < 0 ||
            (connect(target->fillers[i], (struct sockaddr *)&to, size) && errno != EINPROGRESS)) {
            perror("bench-target: connect");
            exit(1);
        }
    }
}

static void count(struct target *target, const struct sockaddr *here, int64_t now)
{
    struct address address;
    uint16_t port;
    if (!address_from_sockaddr(here, &address, &port) || address.family != FAMILY_IPV4) {
        return;
    }
    const uint8_t *at = address.bytes;
    size_t place = ((size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3]) % ADDRESSES;
    if (target->last_ns[place] != 0) {
        int64_t gap_ms = (now - target->last_ns[place]) / NS_PER_MS;
        target->gaps_ms[MIN(gap_ms, GAPS)]++;
    }
    target->last_ns[place] = now;
    target->addresses += !target->seen[place];
    target->seen[place] = true;
    target->taken++;
}

static void take(struct target *target)
{
    for (int i = 0; i < BATCH; i++) {
        struct sockaddr_storage here;
        socklen_t size = sizeof(here);
        int fd = accept4(target->good, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        if (getsockname(fd, (struct sockaddr *)&here, &size) == 0) {
            count(target, (struct sockaddr *)&here, now_ns());
        }
        close(fd);
    }
}

static int64_t gap_percentile(const struct target *target, uint64_t permille)
{
    uint64_t sum = 0, passed = 0;
    for (int i = 0; i <= GAPS; i++) {
        sum += target->gaps_ms[i];
    }
    for (int i = 0; i <= GAPS; i++) {
        passed += target->gaps_ms[i];
        if (sum > 0 && passed * 1000 >= sum * permille) {
            return i;
        }
    }
    return 0;
}

static void tell(struct target *target)
{
    printf("{\"taken\": %" PRIu64 ", \"addresses\": %" PRIu64 ", \"gap_p50_ms\": %" PRId64
           ", \"gap_p99_ms\": %" PRId64 ", \"gap_p999_ms\": %" PRId64 "}\n",
           target->taken, target->addresses, gap_percentile(target, 500),
           gap_percentile(target, 990), gap_percentile(target, 999));
    fflush(stdout);
    target->taken = target->addresses = 0;
    memset(target->gaps_ms, 0, sizeof(target->gaps_ms));
    memset(target->seen, 0, sizeof(target->seen));
}

int main(void)
{
    struct target *target = mem_alloc(sizeof(*target));
    uint16_t good, hole;
    target->good = listener(QUEUE, &good);
    target->hole = listener(0, &hole);
    fill(target, hole);
    printf("%u %u\n", good, hole);
    fflush(stdout);
    struct pollfd polled[] = {{.fd = target->good, .events = POLLIN},
                              {.fd = STDIN_FILENO, .events = POLLIN}};
    char octet;
    while (poll(polled, ARRAY_SIZE(polled), -1) >= 0 || errno == EINTR) {
        take(target);
        if (polled[1].revents != 0) {
            if (read(STDIN_FILENO, &octet, 1) != 1) {
                break;
            }
            tell(target);
        }
    }
    free(target);
    return 0;
}
