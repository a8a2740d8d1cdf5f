// SPDX-License-Identifier: GPL-3.0-or-later
//
// Echo requests: all probes of a family share one socket, made at the first of them.
//
// The kernel's ping sockets are taken where they are allowed (net.ipv4.ping_group_range), else raw
// ones (CAP_NET_RAW). A request is known again by its sequence number, which gives the slot, and by
// a random token in its data, which only a host that got it can send back.
#include "probe/prober_parts.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "dns/wire.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ECHO_SIZE = 8 + 24, // header, token, padding
    TOKEN_AT = 8,
    SEQUENCE_AT = 6,
    ID_AT = 4,
    ECHO_COUNT_MAX = 20,
    SLOT_COUNT = 1 << 16,
    SPACING_MAX_MS = 100,
    PACKETS_PER_TURN = 256,
};

struct echo {
    struct attempt *attempt;
    uint64_t token;
    int64_t sent_ns;
    unsigned answers; // replies and errors: 0 or 1
};

// The requests of one attempt.
struct pinging {
    unsigned count, sent, replies, errors;
    uint16_t sequences[ECHO_COUNT_MAX];
    int64_t round_trips_ns; // sum
    int unreachable;        // errno that an ICMP error told, 0: none
};

struct icmp_family {
    struct pinger *pinger;
    int fd; // -1: not made
    bool raw;
    uv_poll_t poll;
    uint16_t next;
    struct echo **slots; // SLOT_COUNT by sequence number
};

struct pinger {
    struct prober_uv *prober;
    uint16_t id; // of raw sockets; ping sockets have the kernel's
    uint64_t random;
    struct icmp_family families[2]; // IPv4, IPv6
    unsigned handle_count;
};

static void pinging_judge(struct attempt *attempt);

// --- the sockets ---

static void family_closed(uv_handle_t *handle)
{
    struct icmp_family *family = handle->data;
    struct pinger *pinger = family->pinger;
    struct prober_uv *prober = pinger->prober;
    pinger->handle_count--;
    if (pinger->handle_count == 0) {
        free(pinger);
    }
    prober_handle_closed(prober);
}

void pinger_close(struct pinger *pinger)
{
    if (pinger == NULL) {
        return;
    }
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(pinger->families); i++) {
        struct icmp_family *family = &pinger->families[i];
        if (family->fd >= 0) {
            any = true;
            uv_close((uv_handle_t *)&family->poll, family_closed);
            close(family->fd);
            free(family->slots);
        }
    }
    if (!any) {
        free(pinger);
    }
}

static struct pinger *pinger_of(struct prober_uv *prober)
{
    if (prober->pinger == NULL) {
        struct pinger *pinger = mem_alloc(sizeof(*pinger));
        pinger->prober = prober;
        pinger->random = random_seed();
        pinger->id = (uint16_t)random_next(&pinger->random);
        for (size_t i = 0; i < ARRAY_SIZE(pinger->families); i++) {
            pinger->families[i].pinger = pinger;
            pinger->families[i].fd = -1;
        }
        prober->pinger = pinger;
    }
    return prober->pinger;
}

// A raw socket gets what every process of the machine gets: only echo replies are let through.
static void filter_set(int fd, bool ipv6)
{
    if (ipv6) {
        struct icmp6_filter filter;
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
        setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
    } else {
        static const int blocked = ~(1 << ICMP_ECHOREPLY), filter_option = 1; // ICMP_FILTER
        setsockopt(fd, SOL_RAW, filter_option, &blocked, sizeof(blocked));
    }
}

static int socket_make(bool ipv6, bool *raw)
{
    static const int on = 1;
    int domain = ipv6 ? AF_INET6 : AF_INET, protocol = ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    int fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    *raw = fd < 0;
    if (*raw) {
        fd = socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
        if (fd >= 0) {
            filter_set(fd, ipv6);
        }
    }
    if (fd >= 0) {
        setsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_RECVERR : IP_RECVERR, &on,
                   sizeof(on));
    }
    return fd;
}

static void family_ready(uv_poll_t *poll, int status, int events);

// NULL with the result set when the system gives no such socket.
static struct icmp_family *family_of(struct attempt *attempt)
{
    bool ipv6 = attempt->target.family == FAMILY_IPV6;
    struct pinger *pinger = pinger_of(attempt->prober);
    struct icmp_family *family = &pinger->families[ipv6];
    if (family->fd >= 0) {
        return family;
    }
    int fd = socket_make(ipv6, &family->raw);
    if (fd < 0) {
        probe_result_set(&attempt->result, PROBE_LOCAL_ERROR,
                         "no ping socket (net.ipv4.ping_group_range) and no raw one: %s",
                         strerror(errno));
        return NULL;
    }
    if (uv_poll_init(attempt->prober->loop, &family->poll, fd) != 0) {
        close(fd);
        probe_result_set(&attempt->result, PROBE_LOCAL_ERROR, "the socket cannot be watched");
        return NULL;
    }
    family->fd = fd;
    family->poll.data = family;
    family->slots = mem_alloc_array(SLOT_COUNT, sizeof(struct echo *));
    family->next = (uint16_t)random_next(&pinger->random);
    pinger->handle_count++;
    prober_handle_opened(attempt->prober);
    uv_poll_start(&family->poll, UV_READABLE, family_ready);
    return family;
}

// --- sending ---

static uint16_t checksum(const uint8_t *octets, size_t count)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < count; i += 2) {
        sum += get_u16(octets + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

// A slot for one more request; NULL when 65,536 are under way.
static struct echo *echo_new(struct icmp_family *family, struct attempt *attempt,
                             uint16_t *sequence)
{
    for (unsigned tries = 0; tries < SLOT_COUNT; tries++) {
        *sequence = family->next++;
        if (family->slots[*sequence] == NULL) {
            struct echo *echo = mem_alloc(sizeof(*echo));
            echo->attempt = attempt;
            echo->token = random_next(&family->pinger->random);
            echo->sent_ns = attempt_now();
            family->slots[*sequence] = echo;
            return echo;
        }
    }
    return NULL;
}

// False with the result set.
static bool echo_send(struct attempt *attempt, struct icmp_family *family)
{
    struct pinging *pinging = attempt->own;
    bool ipv6 = attempt->target.family == FAMILY_IPV6;
    uint16_t sequence;
    struct echo *echo = echo_new(family, attempt, &sequence);
    if (echo == NULL) {
        probe_result_set(&attempt->result, PROBE_LOCAL_ERROR, "too many echo requests under way");
        return false;
    }
    pinging->sequences[pinging->sent++] = sequence;
    uint8_t packet[ECHO_SIZE] = {ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO};
    put_u16(packet + ID_AT, family->pinger->id);
    put_u16(packet + SEQUENCE_AT, sequence);
    memcpy(packet + TOKEN_AT, &echo->token, sizeof(echo->token));
    if (!ipv6) { // of ICMPv6 the kernel computes it
        put_u16(packet + 2, checksum(packet, sizeof(packet)));
    }
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&attempt->target, 0, &to);
    struct probe_result failure = {0};
    if (gate_send(&attempt->prober->gate, family->fd, packet, sizeof(packet),
                  (const struct sockaddr *)&to, size, &failure)) {
        return true;
    }
    attempt->result = failure;
    return false;
}

// --- receiving ---

// The echo with this sequence number, if it is still waited for.
static struct echo *echo_find(const struct icmp_family *family, const uint8_t *packet, size_t size)
{
    if (size < TOKEN_AT) {
        return NULL;
    }
    struct echo *echo = family->slots[get_u16(packet + SEQUENCE_AT)];
    return echo && echo->answers == 0 ? echo : NULL;
}

static void reply_take(struct icmp_family *family, const uint8_t *packet, size_t size,
                       const struct sockaddr *from)
{
    bool ipv6 = family == &family->pinger->families[1];
    struct address address;
    uint16_t port;
    if (!ipv6 && family->raw) { // the IP header is there
        size_t header = size > 0 ? (size_t)(packet[0] & 0x0f) * 4 : 0;
        if (header < sizeof(struct ip) || size < header) {
            return;
        }
        packet += header;
        size -= header;
    }
    struct echo *echo = echo_find(family, packet, size);
    if (echo == NULL || size < TOKEN_AT + sizeof(echo->token) ||
        packet[0] != (ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
        (family->raw && get_u16(packet + ID_AT) != family->pinger->id) ||
        memcmp(packet + TOKEN_AT, &echo->token, sizeof(echo->token)) != 0 ||
        !address_from_sockaddr(from, &address, &port) ||
        !address_equal(&address, &echo->attempt->target)) {
        return;
    }
    struct pinging *pinging = echo->attempt->own;
    echo->answers++;
    pinging->replies++;
    pinging->round_trips_ns += attempt_now() - echo->sent_ns;
    pinging_judge(echo->attempt);
}

// One ICMP error from the queue of the socket; false when there is none.
static bool error_take(struct icmp_family *family)
{
    uint8_t packet[256], control[256];
    struct iovec vector = {packet, sizeof(packet)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t size = recvmsg(family->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (size < 0) {
        return false;
    }
    int error = 0;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(&message); at; at = CMSG_NXTHDR(&message, at)) {
        if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_RECVERR) ||
            (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_RECVERR)) {
            struct sock_extended_err seen;
            memcpy(&seen, CMSG_DATA(at), sizeof(seen));
            error = (int)seen.ee_errno;
        }
    }
    struct echo *echo = echo_find(family, packet, (size_t)size);
    if (echo && error) { // the packet that it quotes is the request itself
        struct pinging *pinging = echo->attempt->own;
        echo->answers++;
        pinging->errors++;
        pinging->unreachable = error;
        pinging_judge(echo->attempt);
    }
    return true;
}

static void family_ready(uv_poll_t *poll, int status, int events)
{
    struct icmp_family *family = poll->data;
    (void)events;
    for (int i = 0; i < PACKETS_PER_TURN; i++) {
        uint8_t packet[1500];
        struct sockaddr_storage from;
        socklen_t from_size = sizeof(from);
        ssize_t size = recvfrom(family->fd, packet, sizeof(packet), MSG_DONTWAIT,
                                (struct sockaddr *)&from, &from_size);
        if (size >= 0) {
            reply_take(family, packet, (size_t)size, (struct sockaddr *)&from);
        } else if (errno == EAGAIN) { // another error was the socket's, and is now read
            break;
        }
    }
    for (int i = 0; i < PACKETS_PER_TURN && error_take(family); i++) {
    }
    if (status < 0) { // libuv stops watching a socket with an error
        uv_poll_start(&family->poll, UV_READABLE, family_ready);
    }
}

// --- attempts ---

static uint64_t spacing_ms(const struct attempt *attempt)
{
    const struct pinging *pinging = attempt->own;
    uint64_t share = timeout_ms(attempt->recipe.spec) / (2 * (uint64_t)pinging->count);
    return MAX(MIN(share, SPACING_MAX_MS), 1U);
}

static void verdict_set(struct attempt *attempt)
{
    const struct check_spec *spec = attempt->recipe.spec;
    const struct pinging *pinging = attempt->own;
    struct probe_result *result = &attempt->result;
    unsigned lost = pinging->count - pinging->replies;
    if (pinging->replies == 0 && pinging->unreachable) {
        gate_errno(result, pinging->unreachable);
        return;
    }
    if (pinging->replies == 0) {
        probe_result_set(result, PROBE_L3_TIMEOUT,
                         "none of %u echo requests answered within %llu ms", pinging->count,
                         (unsigned long long)timeout_ms(spec));
        return;
    }
    int64_t mean_ns = MAX(pinging->round_trips_ns / (int64_t)pinging->replies, 1);
    double mean_ms = (double)mean_ns / (double)NS_PER_MS;
    result->first_byte_ns = mean_ns;
    if (lost * 100 > spec->loss * pinging->count) {
        probe_result_set(result, PROBE_L3_LOSS, "%u of %u echo requests lost", lost,
                         pinging->count);
    } else if (spec->rtt_ns > 0 && mean_ns > spec->rtt_ns) {
        probe_result_set(result, PROBE_L3_SLOW, "mean round trip %.2f ms", mean_ms);
    } else {
        probe_result_set(result, PROBE_OK, "%u of %u answered, mean round trip %.2f ms",
                         pinging->replies, pinging->count, mean_ms);
    }
}

// Ends the attempt when everything that was asked is known.
static void pinging_judge(struct attempt *attempt)
{
    const struct pinging *pinging = attempt->own;
    if (pinging->replies + pinging->errors >= pinging->count) {
        verdict_set(attempt);
        attempt_end(attempt);
    }
}

static void icmp_overdue(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    verdict_set(attempt);
    attempt_end(attempt);
}

static void icmp_timer(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    struct pinging *pinging = attempt->own;
    int64_t left_ns = attempt->started_ns + attempt->recipe.spec->timeout_ns - attempt_now();
    if (left_ns <= 0) {
        attempt_last_look(attempt, icmp_overdue);
        return;
    }
    struct icmp_family *family = family_of(attempt);
    if (pinging->sent < pinging->count && (family == NULL || !echo_send(attempt, family))) {
        attempt_end(attempt);
        return;
    }
    uint64_t left_ms = (uint64_t)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
    uint64_t wait_ms = pinging->sent < pinging->count ? MIN(spacing_ms(attempt), left_ms) : left_ms;
    attempt_timer(attempt, icmp_timer, wait_ms);
}

static void icmp_start(struct attempt *attempt)
{
    struct pinging *pinging = mem_alloc(sizeof(*pinging));
    uint32_t count = attempt->recipe.spec->count;
    pinging->count = count == 0 ? 1 : MIN(count, (uint32_t)ECHO_COUNT_MAX);
    attempt->own = pinging;
    struct icmp_family *family = family_of(attempt);
    if (family == NULL || !echo_send(attempt, family)) {
        attempt_end_soon(attempt);
        return;
    }
    attempt_timer(attempt, icmp_timer,
                  pinging->count > 1 ? spacing_ms(attempt) : timeout_ms(attempt->recipe.spec));
}

static void icmp_forget(struct attempt *attempt)
{
    struct pinging *pinging = attempt->own;
    struct pinger *pinger = attempt->prober->pinger;
    for (unsigned i = 0; pinging && i < pinging->sent; i++) {
        struct icmp_family *family = &pinger->families[attempt->target.family == FAMILY_IPV6];
        free(family->slots[pinging->sequences[i]]);
        family->slots[pinging->sequences[i]] = NULL;
    }
    free(pinging);
    attempt->own = NULL;
}

const struct attempt_kind attempt_icmp = {icmp_start, icmp_forget};
