// SPDX-License-Identifier: GPL-3.0-or-later
//
// A load generator that fills the core of a DNS server from another core.
//
// One thread. Each socket keeps a window of unanswered queries (a closed loop), so the server is
// always busy and nothing is lost to full queues; what is not answered within the timeout counts as
// lost. Queries go out in groups of equal size as one UDP GSO send, which costs the sender a
// fraction of single sends; they still arrive as single datagrams. Answers are read by recvmmsg.
//
// Identifiers: the low bits are the place in the window, the high bits change at each use, so a
// late answer is not taken for a new one.
#include "queries.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RECEIVE_BATCH = 64,
    ANSWER_SIZE = 2048,
    WINDOW_MAX = 4096,
    GROUP_MAX = 64,
    SEND_SIZE_MAX = 65000,
    LATENCY_MAX_US = 200000,
    TIMEOUT_SCAN_NS = 20 * NS_PER_MS,
};

struct options {
    struct address address;
    uint16_t port;
    const char *path;
    struct query_options queries;
    unsigned window, sockets, group;
    int64_t duration_ns, warmup_ns, timeout_ns;
};

struct slot {
    int64_t sent_ns; // 0: free
    uint16_t id;
};

struct flow {
    int fd;
    unsigned in_flight;
    struct slot *slots;
    uint16_t *free; // a stack of free places
};

struct tally {
    uint64_t sent, answered, lost, late, noerror, nxdomain, other_rcode, without_records, truncated;
    uint64_t bytes_in, bytes_out;
    uint32_t latency_us[LATENCY_MAX_US + 1];
};

struct load {
    struct options options;
    struct query_set set;
    uint64_t random;
    struct flow *flows;
    bool gso;
    uint64_t answered_in_all; // with those of the warm-up
    struct tally tally;
    uint8_t out[SEND_SIZE_MAX];
    struct mmsghdr in[RECEIVE_BATCH];
    struct iovec in_parts[RECEIVE_BATCH];
    uint8_t answers[RECEIVE_BATCH][ANSWER_SIZE + 64];
};

static int64_t now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

// A group by its share of all packets, so the mix of the file is kept.
static struct query_group *choose_group(struct load *load)
{
    size_t at = random_below(&load->random, (uint32_t)load->set.count);
    struct query_group *group = load->set.groups;
    while (at >= group->count) {
        at -= group->count;
        group++;
    }
    return group;
}

// Copies `count` queries of one size into the send buffer, each under an identifier of its own.
static void fill(struct load *load, struct flow *flow, struct query_group *group, unsigned count)
{
    int64_t now = now_ns();
    uint8_t *at = load->out;
    for (unsigned i = 0; i < count; i++, at += group->size) {
        memcpy(at, group->bytes + group->next * group->size, group->size);
        group->next = group->next + 1 == group->count ? 0 : group->next + 1;
        uint16_t place = flow->free[load->options.window - 1 - flow->in_flight++];
        struct slot *slot = &flow->slots[place];
        slot->id = (uint16_t)(slot->id + WINDOW_MAX);
        slot->sent_ns = now;
        at[0] = (uint8_t)(slot->id >> 8);
        at[1] = (uint8_t)slot->id;
    }
}

static void send_group(struct load *load, struct flow *flow, unsigned count)
{
    struct query_group *group = choose_group(load);
    count = (unsigned)MIN(count, SEND_SIZE_MAX / group->size);
    fill(load, flow, group, count);
    struct mmsghdr messages[GROUP_MAX] = {0};
    struct iovec parts[GROUP_MAX];
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
    } control = {0};
    unsigned message_count = load->gso ? 1 : count;
    for (unsigned i = 0; i < message_count; i++) {
        parts[i] = (struct iovec){load->out + i * group->size,
                                  load->gso ? count * group->size : group->size};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    if (load->gso && count > 1) {
        control.header = (struct cmsghdr){.cmsg_level = SOL_UDP,
                                          .cmsg_type = UDP_SEGMENT,
                                          .cmsg_len = CMSG_LEN(sizeof(uint16_t))};
        uint16_t size = (uint16_t)group->size;
        memcpy(CMSG_DATA(&control.header), &size, sizeof(size));
        messages[0].msg_hdr.msg_control = &control;
        messages[0].msg_hdr.msg_controllen = sizeof(control);
    }
    for (unsigned at = 0; at < message_count;) {
        int sent = sendmmsg(flow->fd, messages + at, message_count - at, 0);
        at += sent > 0 ? (unsigned)sent : 1; // what could not be sent will count as lost
    }
    load->tally.sent += count;
    load->tally.bytes_out += count * group->size;
}

static void release(struct load *load, struct flow *flow, uint16_t place)
{
    flow->slots[place].sent_ns = 0;
    flow->free[load->options.window - flow->in_flight--] = place;
}

static void take_answer(struct load *load, struct flow *flow, const uint8_t *answer, size_t size,
                        int64_t now)
{
    struct tally *tally = &load->tally;
    uint16_t id = (uint16_t)(answer[0] << 8 | answer[1]), place = id % WINDOW_MAX;
    if (size < 12 || !(answer[2] & 0x80) || place >= load->options.window ||
        flow->slots[place].sent_ns == 0 || flow->slots[place].id != id) {
        tally->late++;
        return;
    }
    int64_t latency_us = (now - flow->slots[place].sent_ns) / 1000;
    tally->latency_us[MIN(latency_us, LATENCY_MAX_US)]++;
    release(load, flow, place);
    unsigned rcode = answer[3] & 15;
    tally->answered++;
    tally->bytes_in += size;
    tally->noerror += rcode == 0;
    tally->nxdomain += rcode == 3;
    tally->other_rcode += rcode != 0 && rcode != 3;
    tally->without_records += answer[6] == 0 && answer[7] == 0;
    tally->truncated += (answer[2] & 2) != 0;
}

static unsigned receive(struct load *load, struct flow *flow)
{
    int count = recvmmsg(flow->fd, load->in, RECEIVE_BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) {
        return 0;
    }
    int64_t now = now_ns();
    for (int i = 0; i < count; i++) {
        take_answer(load, flow, load->answers[i], load->in[i].msg_len, now);
    }
    return (unsigned)count;
}

static void give_up_overdue(struct load *load, int64_t now)
{
    for (unsigned i = 0; i < load->options.sockets; i++) {
        struct flow *flow = &load->flows[i];
        for (unsigned place = 0; place < load->options.window; place++) {
            int64_t sent_ns = flow->slots[place].sent_ns;
            if (sent_ns != 0 && now - sent_ns > load->options.timeout_ns) {
                release(load, flow, (uint16_t)place);
                load->tally.lost++;
            }
        }
    }
}

// Keeps the windows full until `until_ns`; with `sending` false only waits for what is in flight.
static void run(struct load *load, int64_t until_ns, bool sending)
{
    const struct options *options = &load->options;
    int64_t scan_ns = now_ns();
    for (int64_t now = scan_ns; now < until_ns; now = now_ns()) {
        unsigned in_flight = 0;
        for (unsigned i = 0; i < options->sockets; i++) {
            struct flow *flow = &load->flows[i];
            while (sending && options->window - flow->in_flight >= options->group) {
                send_group(load, flow, options->group);
            }
            while (receive(load, flow) == RECEIVE_BATCH) {
            }
            in_flight += flow->in_flight;
        }
        if (!sending && in_flight == 0) {
            return;
        }
        if (now - scan_ns > TIMEOUT_SCAN_NS) {
            scan_ns = now;
            give_up_overdue(load, now);
        }
    }
}

static double percentile_us(const struct tally *tally, double part)
{
    uint64_t wanted = (uint64_t)((double)tally->answered * part), seen = 0;
    for (unsigned i = 0; i <= LATENCY_MAX_US; i++) {
        seen += tally->latency_us[i];
        if (seen > wanted) {
            return i + 0.5;
        }
    }
    return 0;
}

static void report(const struct load *load, double seconds, uint64_t in_time)
{
    const struct tally *tally = &load->tally;
    printf("{\"seconds\": %.3f, \"qps\": %.0f, \"sent\": %llu, \"answered\": %llu, "
           "\"answered_in_all\": %llu, \"lost\": %llu, \"late\": %llu, \"noerror\": %llu, "
           "\"nxdomain\": %llu, "
           "\"other_rcode\": %llu, \"without_records\": %llu, \"truncated\": %llu, "
           "\"query_bytes\": %.1f, \"answer_bytes\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
           "\"gso\": %s}\n",
           seconds, (double)in_time / seconds, (unsigned long long)tally->sent,
           (unsigned long long)tally->answered, (unsigned long long)load->answered_in_all,
           (unsigned long long)tally->lost, (unsigned long long)tally->late,
           (unsigned long long)tally->noerror, (unsigned long long)tally->nxdomain,
           (unsigned long long)tally->other_rcode, (unsigned long long)tally->without_records,
           (unsigned long long)tally->truncated,
           tally->sent ? (double)tally->bytes_out / (double)tally->sent : 0,
           tally->answered ? (double)tally->bytes_in / (double)tally->answered : 0,
           percentile_us(tally, 0.5), percentile_us(tally, 0.99), load->gso ? "true" : "false");
}

static bool flow_open(struct load *load, struct flow *flow)
{
    const struct options *options = &load->options;
    struct sockaddr_storage to;
    socklen_t size = address_to_sockaddr(&options->address, options->port, &to);
    int receive_size = 8 << 20;
    flow->fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (flow->fd < 0 || connect(flow->fd, (struct sockaddr *)&to, size) < 0) {
        fprintf(stderr, "load: %s\n", strerror(errno));
        return false;
    }
    setsockopt(flow->fd, SOL_SOCKET, SO_RCVBUF, &receive_size, sizeof(receive_size));
    setsockopt(flow->fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_size, sizeof(receive_size));
    flow->slots = mem_alloc_array(options->window, sizeof(*flow->slots));
    flow->free = mem_alloc_array(options->window, sizeof(*flow->free));
    for (unsigned i = 0; i < options->window; i++) {
        flow->slots[i].id = (uint16_t)i;
        flow->free[i] = (uint16_t)i;
    }
    return true;
}

// Whether this kernel can send many datagrams at once.
static bool gso_available(int fd)
{
    int size = 0;
    socklen_t length = sizeof(size);
    return getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &length) == 0;
}

static bool load_open(struct load *load)
{
    load->random = load->options.queries.seed;
    load->flows = mem_alloc_array(load->options.sockets, sizeof(*load->flows));
    for (unsigned i = 0; i < load->options.sockets; i++) {
        if (!flow_open(load, &load->flows[i])) {
            return false;
        }
    }
    load->gso = load->options.group > 1 && gso_available(load->flows[0].fd);
    for (unsigned i = 0; i < RECEIVE_BATCH; i++) {
        load->in_parts[i] = (struct iovec){load->answers[i], ANSWER_SIZE};
        load->in[i].msg_hdr = (struct msghdr){.msg_iov = &load->in_parts[i], .msg_iovlen = 1};
    }
    return true;
}

static void measure(struct load *load)
{
    run(load, now_ns() + load->options.warmup_ns, true);
    load->answered_in_all = load->tally.answered;
    load->tally = (struct tally){0};
    int64_t start_ns = now_ns();
    run(load, start_ns + load->options.duration_ns, true);
    double seconds = (double)(now_ns() - start_ns) / NS_PER_SECOND;
    uint64_t in_time = load->tally.answered;
    run(load, now_ns() + load->options.timeout_ns + 2 * TIMEOUT_SCAN_NS, false);
    give_up_overdue(load, INT64_MAX);
    load->answered_in_all += load->tally.answered;
    report(load, seconds, in_time);
}

static const char usage[] =
    "usage: load [OPTION...] ADDRESS:PORT QUERIES\n"
    "Asks the server the questions of the file QUERIES (lines \"name type [client-subnet]\").\n"
    "  --duration S    seconds to measure (3)\n"
    "  --warmup S      seconds before that (0.3)\n"
    "  --window N      unanswered queries a socket may have, at most 4096 (128)\n"
    "  --sockets N     sockets, each with its own source port (1)\n"
    "  --group N       queries sent at once by UDP GSO, 1..64; 1: without (16)\n"
    "  --timeout S     when a query counts as lost (0.5)\n"
    "  --edns          an OPT record in each query\n"
    "  --ecs-random    a random IPv4 /24 as client subnet in each query\n"
    "  --pool N        packets to prepare (16384)\n"
    "  --seed N        of everything random (1)\n";

static bool number(const char *text, double low, double high, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && *value >= low && *value <= high;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"duration", required_argument, NULL, 'd'},
                                          {"warmup", required_argument, NULL, 'w'},
                                          {"window", required_argument, NULL, 'n'},
                                          {"sockets", required_argument, NULL, 's'},
                                          {"group", required_argument, NULL, 'g'},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"edns", no_argument, NULL, 'e'},
                                          {"ecs-random", no_argument, NULL, 'c'},
                                          {"pool", required_argument, NULL, 'p'},
                                          {"seed", required_argument, NULL, 'r'},
                                          {0}};
    double value = 0;
    bool good = true;
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'd':
            good &= number(optarg, 0.01, 3600, &value);
            options->duration_ns = (int64_t)(value * NS_PER_SECOND);
            break;
        case 'w':
            good &= number(optarg, 0, 3600, &value);
            options->warmup_ns = (int64_t)(value * NS_PER_SECOND);
            break;
        case 't':
            good &= number(optarg, 0.001, 60, &value);
            options->timeout_ns = (int64_t)(value * NS_PER_SECOND);
            break;
        case 'n':
            good &= number(optarg, 1, WINDOW_MAX, &value);
            options->window = (unsigned)value;
            break;
        case 's':
            good &= number(optarg, 1, 1024, &value);
            options->sockets = (unsigned)value;
            break;
        case 'g':
            good &= number(optarg, 1, GROUP_MAX, &value);
            options->group = (unsigned)value;
            break;
        case 'p':
            good &= number(optarg, 1, 1e7, &value);
            options->queries.pool = (size_t)value;
            break;
        case 'r':
            good &= number(optarg, 0, 1e15, &value);
            options->queries.seed = (uint64_t)value;
            break;
        case 'e':
            options->queries.edns = true;
            break;
        case 'c':
            options->queries.ecs_random = true;
            break;
        default:
            return false;
        }
    }
    options->path = argc - optind == 2 ? argv[optind + 1] : NULL;
    return good && options->path && options->group <= options->window &&
           endpoint_parse(argv[optind], false, &options->address, &options->port);
}

int main(int argc, char **argv)
{
    struct load *load = mem_alloc(sizeof(*load));
    load->options = (struct options){.queries = {.pool = 16384, .seed = 1},
                                     .window = 128,
                                     .sockets = 1,
                                     .group = 16,
                                     .duration_ns = 3 * NS_PER_SECOND,
                                     .warmup_ns = 300 * NS_PER_MS,
                                     .timeout_ns = 500 * NS_PER_MS};
    if (!parse_options(argc, argv, &load->options)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!queries_read(&load->set, load->options.path, &load->options.queries) || !load_open(load)) {
        return 1;
    }
    measure(load);
    return 0;
}
