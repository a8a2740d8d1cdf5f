// SPDX-License-Identifier: GPL-3.0-or-later
//
// A load generator for servers on XDP sockets, over a veth pair: the kernel sends, and the kernel
// counts, so that one core fills the core of a server that passes the network stack by.
//
// Two programs in the kernel's own instructions. The sender is run by BPF_PROG_TEST_RUN with live
// frames: each run of it copies the next prepared frame over a page and sends that through the
// interface, without a socket buffer. The counter sits at the interface's receiving end, reads a
// few octets of each answer, and drops it. They share one array in memory: the loop is closed,
// because the sender drops its frame instead while `window` queries are unanswered.
#include "queries.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/memory.h"
#include "dns/wire.h"
#include "net/frame.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    HEADERS = FRAME_ETHERNET_SIZE + FRAME_IPV4_SIZE + FRAME_UDP_SIZE,
    FRAME_SIZE_MAX = 256,
    PORT = 4053,      // ours
    RUNS = INT32_MAX, // of the sender a call: a timer ends it before
    SETTLE_MS = 200,
    RANDOM_LABEL_SIZE = 16,
    BURST_DEFAULT = 32,
    CODE_MAX = 128,
};

// What the two programs and this process share. Each word has one writer.
struct shared {
    uint64_t window;     // this process
    uint64_t lost;       // this process
    uint64_t sent;       // the sender
    uint64_t apart_1[5]; // the lines of memory after this one are the counter's
    uint64_t answered;
    uint64_t answer_bytes;
    uint64_t wrong; // another code than NOERROR, or no record in the answer
    uint64_t apart_2[5];
};

struct options {
    const char *interface, *path;
    uint8_t mac[6];
    struct address from, address;
    uint16_t port;
    unsigned window, burst;
    bool random_names;
    int64_t duration_ns, warmup_ns;
    struct query_options queries;
};

struct flood {
    struct options options;
    unsigned interface_index;
    size_t frame_size, frame_count;
    int shared_fd, frames_fd, sender_fd, counter_fd, link_fd;
    volatile struct shared *shared;
    uint8_t first[FRAME_SIZE_MAX];
};

// --- programs

struct code {
    struct bpf_insn rows[CODE_MAX];
    size_t count;
};

static void emit(struct code *code, unsigned operation, unsigned to, unsigned from, int offset,
                 int32_t number)
{
    SP_ASSERT(code->count < CODE_MAX);
    code->rows[code->count++] = (struct bpf_insn){.code = (uint8_t)operation,
                                                  .dst_reg = to & 15,
                                                  .src_reg = from & 15,
                                                  .off = (int16_t)offset,
                                                  .imm = number};
}

static void load(struct code *code, unsigned size, unsigned to, unsigned from, int at)
{
    emit(code, BPF_LDX | BPF_MEM | size, to, from, at, 0);
}

static void store(struct code *code, unsigned size, unsigned to, int at, unsigned from)
{
    emit(code, BPF_STX | BPF_MEM | size, to, from, at, 0);
}

static void arithmetic(struct code *code, unsigned operation, unsigned to, int32_t number)
{
    emit(code, BPF_ALU64 | operation | BPF_K, to, 0, 0, number);
}

static void move(struct code *code, unsigned to, unsigned from)
{
    emit(code, BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}

// The address of the shared words, or a map.
static void load_map(struct code *code, unsigned to, unsigned kind, int fd)
{
    emit(code, BPF_LD | BPF_IMM | BPF_DW, to, kind, 0, fd);
    emit(code, 0, 0, 0, 0, 0);
}

static void leave(struct code *code, int verdict)
{
    arithmetic(code, BPF_MOV, BPF_REG_0, verdict);
    emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

// Leaves with the verdict unless the comparison holds.
static void require(struct code *code, unsigned test, unsigned to, int32_t number, int verdict)
{
    emit(code, BPF_JMP | test | BPF_K, to, 0, 2, number);
    leave(code, verdict);
}

// r8: the frame, with `size` octets at least.
static void begin(struct code *code, int32_t size, int verdict)
{
    load(code, BPF_W, BPF_REG_8, BPF_REG_1, offsetof(struct xdp_md, data));
    load(code, BPF_W, BPF_REG_3, BPF_REG_1, offsetof(struct xdp_md, data_end));
    move(code, BPF_REG_4, BPF_REG_8);
    arithmetic(code, BPF_ADD, BPF_REG_4, size);
    emit(code, BPF_JMP | BPF_JLE | BPF_X, BPF_REG_4, BPF_REG_3, 2, 0);
    leave(code, verdict);
}

static void add_to(struct code *code, size_t at, unsigned more)
{
    load(code, BPF_DW, BPF_REG_1, BPF_REG_7, (int)at);
    emit(code, BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_1, more, 0, 0);
    store(code, BPF_DW, BPF_REG_7, (int)at, BPF_REG_1);
}

static int program_load(const struct code *code, const char *name)
{
    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, name, "GPL", code->rows, code->count, NULL);
    if (fd < 0) {
        fprintf(stderr, "flood: cannot load %s: %s\n", name, strerror(errno));
    }
    return fd;
}

// Writes 16 octets, ASCII from 0x60 to 0x6f, over the first label: 64 random bits.
static void random_label(struct code *code)
{
    for (int at = 0; at < RANDOM_LABEL_SIZE; at += 4) {
        emit(code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32);
        arithmetic(code, BPF_AND, BPF_REG_0, 0x0f0f0f0f);
        arithmetic(code, BPF_OR, BPF_REG_0, 0x60606060);
        store(code, BPF_W, BPF_REG_8, HEADERS + HEADER_SIZE + 1 + at, BPF_REG_0);
    }
}

static int sender_load(const struct flood *flood)
{
    struct code code = {0};
    begin(&code, (int32_t)flood->frame_size, XDP_DROP);
    load_map(&code, BPF_REG_7, BPF_PSEUDO_MAP_VALUE, flood->shared_fd);
    load(&code, BPF_DW, BPF_REG_6, BPF_REG_7, offsetof(struct shared, sent));
    // In flight: sent - answered - lost.
    move(&code, BPF_REG_1, BPF_REG_6);
    load(&code, BPF_DW, BPF_REG_2, BPF_REG_7, offsetof(struct shared, answered));
    emit(&code, BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0);
    load(&code, BPF_DW, BPF_REG_2, BPF_REG_7, offsetof(struct shared, lost));
    emit(&code, BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_1, BPF_REG_2, 0, 0);
    load(&code, BPF_DW, BPF_REG_2, BPF_REG_7, offsetof(struct shared, window));
    emit(&code, BPF_JMP | BPF_JSLT | BPF_X, BPF_REG_1, BPF_REG_2, 2, 0);
    leave(&code, XDP_DROP);
    // The next frame.
    move(&code, BPF_REG_1, BPF_REG_6);
    arithmetic(&code, BPF_MOD, BPF_REG_1, (int32_t)flood->frame_count);
    store(&code, BPF_W, BPF_REG_10, -4, BPF_REG_1);
    load_map(&code, BPF_REG_1, BPF_PSEUDO_MAP_FD, flood->frames_fd);
    move(&code, BPF_REG_2, BPF_REG_10);
    arithmetic(&code, BPF_ADD, BPF_REG_2, -4);
    emit(&code, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
    require(&code, BPF_JNE, BPF_REG_0, 0, XDP_DROP);
    size_t at = 0;
    for (; at + 8 <= flood->frame_size; at += 8) {
        load(&code, BPF_DW, BPF_REG_1, BPF_REG_0, (int)at);
        store(&code, BPF_DW, BPF_REG_8, (int)at, BPF_REG_1);
    }
    for (; at < flood->frame_size; at++) {
        load(&code, BPF_B, BPF_REG_1, BPF_REG_0, (int)at);
        store(&code, BPF_B, BPF_REG_8, (int)at, BPF_REG_1);
    }
    if (flood->options.random_names) {
        random_label(&code);
    }
    arithmetic(&code, BPF_ADD, BPF_REG_6, 1);
    store(&code, BPF_DW, BPF_REG_7, offsetof(struct shared, sent), BPF_REG_6);
    leave(&code, XDP_TX);
    return program_load(&code, "flood_sender");
}

// Answers are what comes by UDP to our port; everything else is the kernel's.
static int counter_load(const struct flood *flood)
{
    struct code code = {0};
    move(&code, BPF_REG_9, BPF_REG_1);
    begin(&code, HEADERS + HEADER_SIZE, XDP_PASS);
    load(&code, BPF_H, BPF_REG_1, BPF_REG_8, 12);
    require(&code, BPF_JEQ, BPF_REG_1, htons(0x0800), XDP_PASS);
    load(&code, BPF_B, BPF_REG_1, BPF_REG_8, FRAME_ETHERNET_SIZE + 9);
    require(&code, BPF_JEQ, BPF_REG_1, IPPROTO_UDP, XDP_PASS);
    load(&code, BPF_H, BPF_REG_1, BPF_REG_8, FRAME_ETHERNET_SIZE + FRAME_IPV4_SIZE + 2);
    require(&code, BPF_JEQ, BPF_REG_1, htons(PORT), XDP_PASS);
    load_map(&code, BPF_REG_7, BPF_PSEUDO_MAP_VALUE, flood->shared_fd);
    // Octets: from the end of the frame.
    load(&code, BPF_W, BPF_REG_2, BPF_REG_9, offsetof(struct xdp_md, data_end));
    emit(&code, BPF_ALU64 | BPF_SUB | BPF_X, BPF_REG_2, BPF_REG_8, 0, 0);
    arithmetic(&code, BPF_SUB, BPF_REG_2, HEADERS);
    add_to(&code, offsetof(struct shared, answer_bytes), BPF_REG_2);
    // Good: no error code, and records. (A jump over the three instructions of add_to.)
    load(&code, BPF_B, BPF_REG_2, BPF_REG_8, HEADERS + 3);
    arithmetic(&code, BPF_AND, BPF_REG_2, 15);
    load(&code, BPF_H, BPF_REG_3, BPF_REG_8, HEADERS + 6);
    emit(&code, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 1, 0);
    emit(&code, BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, 4, 0);
    arithmetic(&code, BPF_MOV, BPF_REG_2, 1);
    add_to(&code, offsetof(struct shared, wrong), BPF_REG_2);
    arithmetic(&code, BPF_MOV, BPF_REG_2, 1);
    add_to(&code, offsetof(struct shared, answered), BPF_REG_2);
    leave(&code, XDP_DROP);
    return program_load(&code, "flood_counter");
}

// --- frames

static bool own_mac(const char *interface, uint8_t mac[6])
{
    struct ifreq request = {0};
    memcpy(request.ifr_name, interface, strnlen(interface, IF_NAMESIZE - 1));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0;
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

// A frame as if it had come from the server, turned round: that fills in lengths and checksums.
static void frame_make(const struct flood *flood, const uint8_t own[6], const uint8_t *query,
                       size_t size, uint16_t id, uint8_t frame[FRAME_SIZE_MAX])
{
    const struct options *options = &flood->options;
    memset(frame, 0, FRAME_SIZE_MAX);
    memcpy(frame, own, 6);
    memcpy(frame + 6, options->mac, 6);
    put_u16(frame + 12, 0x0800);
    uint8_t *ip = frame + FRAME_ETHERNET_SIZE, *udp = ip + FRAME_IPV4_SIZE;
    ip[0] = 0x45;
    ip[9] = IPPROTO_UDP;
    memcpy(ip + 12, options->address.bytes, 4);
    memcpy(ip + 16, options->from.bytes, 4);
    put_u16(udp, options->port);
    put_u16(udp + 2, PORT);
    memcpy(udp + FRAME_UDP_SIZE, query, size);
    put_u16(udp + FRAME_UDP_SIZE, id);
    struct frame turned = {.source.family = FAMILY_IPV4, .payload_at = HEADERS};
    frame_turn(frame, &turned, size, id);
    if (options->random_names) {
        put_u16(udp + 6, 0); // no checksum (RFC 768): the name will change
    }
}

static bool frames_load(struct flood *flood)
{
    struct query_set set;
    uint8_t own[6];
    if (!queries_read(&set, flood->options.path, &flood->options.queries)) {
        return false;
    }
    size_t size = set.groups[0].size;
    if (set.group_count != 1 || HEADERS + size > FRAME_SIZE_MAX ||
        !own_mac(flood->options.interface, own)) {
        fprintf(stderr, "flood: the queries must be of one size, at most %d octets\n",
                FRAME_SIZE_MAX - HEADERS);
        queries_free(&set);
        return false;
    }
    if (flood->options.random_names && set.groups[0].bytes[HEADER_SIZE] != RANDOM_LABEL_SIZE) {
        fprintf(stderr, "flood: a label of %d octets must come first\n", RANDOM_LABEL_SIZE);
        queries_free(&set);
        return false;
    }
    flood->frame_size = HEADERS + size;
    flood->frame_count = set.count;
    flood->frames_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "flood_frames", sizeof(uint32_t),
                                      FRAME_SIZE_MAX, (uint32_t)set.count, NULL);
    bool good = flood->frames_fd >= 0;
    for (uint32_t i = 0; good && i < set.count; i++) {
        uint8_t frame[FRAME_SIZE_MAX];
        frame_make(flood, own, set.groups[0].bytes + i * size, size, (uint16_t)i, frame);
        memcpy(flood->first, frame, sizeof(frame));
        good = bpf_map_update_elem(flood->frames_fd, &i, frame, BPF_ANY) == 0;
    }
    queries_free(&set);
    return good;
}

static bool flood_open(struct flood *flood)
{
    LIBBPF_OPTS(bpf_map_create_opts, mapped, .map_flags = BPF_F_MMAPABLE);
    flood->shared_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "flood_shared", sizeof(uint32_t),
                                      sizeof(struct shared), 1, &mapped);
    flood->interface_index = if_nametoindex(flood->options.interface);
    if (flood->shared_fd < 0 || flood->interface_index == 0) {
        fprintf(stderr, "flood: %s\n", strerror(errno));
        return false;
    }
    void *memory = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
                        flood->shared_fd, 0);
    if (memory == MAP_FAILED || !frames_load(flood)) {
        return false;
    }
    flood->shared = memory;
    flood->shared->window = flood->options.window;
    flood->sender_fd = sender_load(flood);
    flood->counter_fd = counter_load(flood);
    if (flood->sender_fd < 0 || flood->counter_fd < 0) {
        return false;
    }
    LIBBPF_OPTS(bpf_link_create_opts, native, .flags = XDP_FLAGS_DRV_MODE);
    flood->link_fd =
        bpf_link_create(flood->counter_fd, (int)flood->interface_index, BPF_XDP, &native);
    if (flood->link_fd < 0) {
        fprintf(stderr, "flood: cannot attach to %s: %s\n", flood->options.interface,
                strerror(errno));
    }
    return flood->link_fd >= 0;
}

// --- measuring

static void ticked(int number)
{
    (void)number; // that it came is what ends the call
}

// One call for the whole time: to begin one takes the kernel some 20 ms.
static bool send_for(const struct flood *flood, int64_t duration_ns)
{
    struct xdp_md where = {.data_end = (uint32_t)flood->frame_size,
                           .ingress_ifindex = flood->interface_index};
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = flood->first,
                .data_size_in = (uint32_t)flood->frame_size, .ctx_in = &where,
                .ctx_size_in = sizeof(where), .repeat = RUNS, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
                .batch_size = flood->options.burst);
    struct sigaction action = {.sa_handler = ticked};
    struct itimerval end = {
        .it_value = {duration_ns / NS_PER_SECOND, duration_ns % NS_PER_SECOND / 1000}};
    if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &end, NULL) < 0) {
        fprintf(stderr, "flood: %s\n", strerror(errno));
        return false;
    }
    if (bpf_prog_test_run_opts(flood->sender_fd, &run) < 0 && errno != EINTR) {
        fprintf(stderr, "flood: cannot send: %s\n", strerror(errno));
        return false;
    }
    return true;
}

// What has no answer after a while is lost, and leaves the window.
static void settle(struct flood *flood)
{
    volatile struct shared *shared = flood->shared;
    const struct timespec moment = {.tv_nsec = NS_PER_MS};
    for (unsigned tries = 0; tries < SETTLE_MS; tries++) {
        if (shared->answered + shared->lost >= shared->sent) {
            return;
        }
        nanosleep(&moment, NULL);
    }
    shared->lost = shared->sent - shared->answered;
}

static bool measure(struct flood *flood)
{
    volatile struct shared *shared = flood->shared;
    if (!send_for(flood, flood->options.warmup_ns)) {
        return false;
    }
    settle(flood);
    int64_t start_ns = clock_monotonic_ns(clock_system());
    uint64_t answered = shared->answered, bytes = shared->answer_bytes;
    if (!send_for(flood, flood->options.duration_ns)) {
        return false;
    }
    int64_t end_ns = clock_monotonic_ns(clock_system());
    answered = shared->answered - answered;
    bytes = shared->answer_bytes - bytes;
    settle(flood);
    double seconds = (double)(end_ns - start_ns) / NS_PER_SECOND;
    printf("{\"seconds\": %.3f, \"qps\": %.0f, \"answered\": %llu, \"sent_in_all\": %llu, "
           "\"answered_in_all\": %llu, \"lost\": %llu, \"wrong\": %llu, \"query_bytes\": %zu, "
           "\"answer_bytes\": %.1f}\n",
           seconds, (double)answered / seconds, (unsigned long long)answered,
           (unsigned long long)shared->sent, (unsigned long long)shared->answered,
           (unsigned long long)shared->lost, (unsigned long long)shared->wrong,
           flood->frame_size - HEADERS, answered ? (double)bytes / (double)answered : 0);
    return true;
}

// --- options

static const char usage[] =
    "usage: flood [OPTION...] ADDRESS:PORT QUERIES\n"
    "Asks the server at the other end of a veth pair the questions of the file QUERIES (lines\n"
    "\"name type\", all of one length).\n"
    "  --interface I   our end of the pair (wire)\n"
    "  --mac M         the server's address on the wire\n"
    "  --from A        our IPv4 address (198.18.0.2)\n"
    "  --duration S    seconds to measure (2)\n"
    "  --warmup S      seconds before that (0.3)\n"
    "  --window N      unanswered queries, at most 60000 (512)\n"
    "  --burst N       frames sent together, at most 256 (32)\n"
    "  --edns          an OPT record in each query\n"
    "  --random-names  other letters in the first label, of 16 octets, of each query\n";

static bool number(const char *text, double low, double high, double *value)
{
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && *value >= low && *value <= high;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    for (int i = 0; i < 6; i++) {
        char *end;
        unsigned long octet = strtoul(text, &end, 16);
        if (end != text + 2 || octet > 255 || *end != (i < 5 ? ':' : '\0')) {
            return false;
        }
        mac[i] = (uint8_t)octet;
        text = end + 1;
    }
    return true;
}

static bool parse_option(int name, struct options *options)
{
    double value = 0;
    bool good;
    switch (name) {
    case 'i':
        options->interface = optarg;
        return true;
    case 'm':
        return parse_mac(optarg, options->mac);
    case 'f':
        return address_parse(optarg, &options->from) && options->from.family == FAMILY_IPV4;
    case 'd':
        good = number(optarg, 0.01, 600, &value);
        options->duration_ns = (int64_t)(value * NS_PER_SECOND);
        return good;
    case 'w':
        good = number(optarg, 0.01, 600, &value);
        options->warmup_ns = (int64_t)(value * NS_PER_SECOND);
        return good;
    case 'n':
        good = number(optarg, 1, 60000, &value);
        options->window = (unsigned)value;
        return good;
    case 'b':
        good = number(optarg, 1, 256, &value);
        options->burst = (unsigned)value;
        return good;
    case 'e':
        options->queries.edns = true;
        return true;
    case 'r':
        options->random_names = true;
        return true;
    default:
        return false;
    }
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"interface", required_argument, NULL, 'i'}, {"mac", required_argument, NULL, 'm'},
        {"from", required_argument, NULL, 'f'},      {"duration", required_argument, NULL, 'd'},
        {"warmup", required_argument, NULL, 'w'},    {"window", required_argument, NULL, 'n'},
        {"burst", required_argument, NULL, 'b'},     {"edns", no_argument, NULL, 'e'},
        {"random-names", no_argument, NULL, 'r'},    {0}};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (!parse_option(name, options)) {
            return false;
        }
    }
    if (argc - optind != 2 ||
        !endpoint_parse(argv[optind], false, &options->address, &options->port) ||
        options->address.family != FAMILY_IPV4) {
        return false;
    }
    options->path = argv[optind + 1];
    return true;
}

int main(int argc, char **argv)
{
    struct flood flood = {
        .options = {.interface = "wire",
                    .from = {.family = FAMILY_IPV4, .bytes = {198, 18, 0, 2}},
                    .window = 512,
                    .burst = BURST_DEFAULT,
                    .duration_ns = 2 * NS_PER_SECOND,
                    .warmup_ns = 300 * NS_PER_MS},
        .link_fd = -1,
    };
    if (!parse_options(argc, argv, &flood.options)) {
        fputs(usage, stderr);
        return 2;
    }
    // What the process holds goes with it: the programs, the maps, the link.
    return flood_open(&flood) && measure(&flood) ? 0 : 1;
}
