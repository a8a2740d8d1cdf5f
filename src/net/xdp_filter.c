// SPDX-License-Identifier: GPL-3.0-or-later
//
// The filter program, written in the kernel's own instructions, as a table with labels.
//
// It is short enough for that, and a compiler for it would be one more thing that a build needs. A
// frame is taken when it is IPv4 without options and not a fragment, or IPv6 without extension
// headers, with UDP to one of our endpoints; and when a socket serves the queue that it came in by.
// In every other case the kernel has it, among them all that the kernel refuses: its counters and
// its firewall stay true for what is not ours. (Frames that we take pass no firewall of the
// kernel.)
#include "net/xdp_filter.h"

#include "base/memory.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

const char *const xdp_mode_names[] = {"native", "generic"};

struct xdp_filter {
    int endpoints_fd, sockets_fd, program_fd, link_fd;
};

// Key of the endpoints' map, as the program lays it on its stack.
struct endpoint_key {
    uint8_t address[16];
    uint16_t port; // network order
    uint16_t family;
};

_Static_assert(sizeof(struct endpoint_key) == 20, "laid out by the program");

enum {
    KEY = -24,
    KEY_PORT = KEY + (int)offsetof(struct endpoint_key, port),
    KEY_FAMILY = KEY + (int)offsetof(struct endpoint_key, family),
};

// A number of two octets as the program loads it from a frame.
#define NETWORK(number)                                                                            \
    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(number) : (number))

enum label { NEXT, IPV6, FIND, PASS, LABEL_COUNT };

struct row {
    enum label label;  // of this row; NEXT: none
    enum label target; // where it jumps to; NEXT: it does not
    struct bpf_insn code;
};

// clang-format off
#define CODE(operation, to, from, offset, number)                                                  \
    {                                                                                              \
        .code = (operation), .dst_reg = (to), .src_reg = (from), .off = (offset), .imm = (number)  \
    }
#define LOAD(size, to, from, at) {.code = CODE(BPF_LDX | BPF_MEM | (size), to, from, at, 0)}
#define STORE(size, at, from)                                                                      \
    {.code = CODE(BPF_STX | BPF_MEM | (size), BPF_REG_10, from, at, 0)}
#define STORE_NUMBER(size, at, number)                                                             \
    {.code = CODE(BPF_ST | BPF_MEM | (size), BPF_REG_10, 0, at, number)}
#define MOVE(to, from)        {.code = CODE(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)}
#define SET(to, number)       {.code = CODE(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number)}
#define ADD(to, number)       {.code = CODE(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, number)}
#define AND(to, number)       {.code = CODE(BPF_ALU64 | BPF_AND | BPF_K, to, 0, 0, number)}
#define CALL(helper)          {.code = CODE(BPF_JMP | BPF_CALL, 0, 0, 0, helper)}
#define EXIT                  {.code = CODE(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)}
#define JUMP(to)              {.target = (to), .code = CODE(BPF_JMP | BPF_JA, 0, 0, 0, 0)}
#define JUMP_IF(to, a, test, number)                                                               \
    {.target = (to), .code = CODE(BPF_JMP | (test) | BPF_K, a, 0, 0, number)}
#define JUMP_IF_ABOVE(to, a, b)                                                                    \
    {.target = (to), .code = CODE(BPF_JMP | BPF_JGT | BPF_X, a, b, 0, 0)}
// The descriptor is put in when the program is loaded; the instruction takes two places.
#define LOAD_MAP(to, map)                                                                          \
    {.code = CODE(BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_FD, 0, map)}, {.code = {0}}
#define AT(name, ...) {.label = (name), __VA_ARGS__}
// clang-format on

enum { MAP_ENDPOINTS, MAP_SOCKETS };

// r6: the context; r2: the frame; r3: its end; r4, r5: scratch; r10: the stack.
// Offsets count from the start of the frame: Ethernet has 14 bytes, IPv4 20, IPv6 40, UDP 8.
static const struct row program[] = {
    MOVE(BPF_REG_6, BPF_REG_1),
    LOAD(BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, data)),
    LOAD(BPF_W, BPF_REG_3, BPF_REG_6, offsetof(struct xdp_md, data_end)),
    MOVE(BPF_REG_4, BPF_REG_2),
    ADD(BPF_REG_4, 14 + 20 + 8),
    JUMP_IF_ABOVE(PASS, BPF_REG_4, BPF_REG_3),
    STORE_NUMBER(BPF_DW, KEY, 0),
    STORE_NUMBER(BPF_DW, KEY + 8, 0),
    LOAD(BPF_H, BPF_REG_5, BPF_REG_2, 12), // EtherType
    JUMP_IF(IPV6, BPF_REG_5, BPF_JEQ, NETWORK(0x86dd)),
    JUMP_IF(PASS, BPF_REG_5, BPF_JNE, NETWORK(0x0800)),

    LOAD(BPF_B, BPF_REG_5, BPF_REG_2, 14), // version 4, five words of header
    JUMP_IF(PASS, BPF_REG_5, BPF_JNE, 0x45),
    LOAD(BPF_H, BPF_REG_5, BPF_REG_2, 14 + 6), // more fragments, or an offset
    AND(BPF_REG_5, NETWORK(0x3fff)),
    JUMP_IF(PASS, BPF_REG_5, BPF_JNE, 0),
    LOAD(BPF_B, BPF_REG_5, BPF_REG_2, 14 + 9), // protocol
    JUMP_IF(PASS, BPF_REG_5, BPF_JNE, 17),
    LOAD(BPF_W, BPF_REG_5, BPF_REG_2, 14 + 16), // destination
    STORE(BPF_W, KEY, BPF_REG_5),
    LOAD(BPF_H, BPF_REG_5, BPF_REG_2, 14 + 20 + 2), // destination port
    STORE(BPF_H, KEY_PORT, BPF_REG_5),
    STORE_NUMBER(BPF_H, KEY_FAMILY, FAMILY_IPV4),
    JUMP(FIND),

    AT(IPV6, .code = CODE(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_4, BPF_REG_2, 0, 0)),
    ADD(BPF_REG_4, 14 + 40 + 8),
    JUMP_IF_ABOVE(PASS, BPF_REG_4, BPF_REG_3),
    LOAD(BPF_B, BPF_REG_5, BPF_REG_2, 14 + 6), // next header
    JUMP_IF(PASS, BPF_REG_5, BPF_JNE, 17),
    LOAD(BPF_W, BPF_REG_5, BPF_REG_2, 14 + 24), // destination, in four words
    STORE(BPF_W, KEY, BPF_REG_5),
    LOAD(BPF_W, BPF_REG_5, BPF_REG_2, 14 + 28),
    STORE(BPF_W, KEY + 4, BPF_REG_5),
    LOAD(BPF_W, BPF_REG_5, BPF_REG_2, 14 + 32),
    STORE(BPF_W, KEY + 8, BPF_REG_5),
    LOAD(BPF_W, BPF_REG_5, BPF_REG_2, 14 + 36),
    STORE(BPF_W, KEY + 12, BPF_REG_5),
    LOAD(BPF_H, BPF_REG_5, BPF_REG_2, 14 + 40 + 2),
    STORE(BPF_H, KEY_PORT, BPF_REG_5),
    STORE_NUMBER(BPF_H, KEY_FAMILY, FAMILY_IPV6),

    AT(FIND, .code = CODE(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0)),
    ADD(BPF_REG_2, KEY),
    LOAD_MAP(BPF_REG_1, MAP_ENDPOINTS),
    CALL(BPF_FUNC_map_lookup_elem),
    JUMP_IF(PASS, BPF_REG_0, BPF_JEQ, 0),
    LOAD_MAP(BPF_REG_1, MAP_SOCKETS),
    LOAD(BPF_W, BPF_REG_2, BPF_REG_6, offsetof(struct xdp_md, rx_queue_index)),
    SET(BPF_REG_3, XDP_PASS), // when no socket serves the queue
    CALL(BPF_FUNC_redirect_map),
    EXIT,

    AT(PASS, .code = CODE(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS)),
    EXIT,
};

// Puts descriptors and distances into a copy of the table.
static void assemble(const struct xdp_filter *filter, struct bpf_insn code[ARRAY_SIZE(program)])
{
    size_t places[LABEL_COUNT] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(program); i++) {
        places[program[i].label] = i;
    }
    const int maps[] = {[MAP_ENDPOINTS] = filter->endpoints_fd, [MAP_SOCKETS] = filter->sockets_fd};
    for (size_t i = 0; i < ARRAY_SIZE(program); i++) {
        code[i] = program[i].code;
        if (program[i].target != NEXT) {
            code[i].off = (int16_t)(places[program[i].target] - i - 1);
        }
        if (code[i].code == (BPF_LD | BPF_IMM | BPF_DW)) {
            code[i].imm = maps[program[i].code.imm];
        }
    }
}

static bool fill_endpoints(const struct xdp_filter *filter, const struct endpoint *endpoints,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct endpoint_key key = {.port = htons(endpoints[i].port),
                                   .family = endpoints[i].address.family};
        memcpy(key.address, endpoints[i].address.bytes, sizeof(key.address));
        uint8_t there = 1;
        if (bpf_map_update_elem(filter->endpoints_fd, &key, &there, BPF_ANY) < 0) {
            return false;
        }
    }
    return true;
}

struct xdp_filter *xdp_filter_new(const struct endpoint *endpoints, size_t count)
{
    struct xdp_filter *filter = mem_alloc(sizeof(*filter));
    *filter = (struct xdp_filter){-1, -1, -1, -1};
    filter->endpoints_fd =
        bpf_map_create(BPF_MAP_TYPE_HASH, "signpost_where", sizeof(struct endpoint_key),
                       sizeof(uint8_t), (uint32_t)MAX(count, 1), NULL);
    filter->sockets_fd = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "signpost_queues", sizeof(uint32_t),
                                        sizeof(uint32_t), XDP_QUEUES_MAX, NULL);
    if (filter->endpoints_fd >= 0 && filter->sockets_fd >= 0 &&
        fill_endpoints(filter, endpoints, count)) {
        struct bpf_insn code[ARRAY_SIZE(program)];
        assemble(filter, code);
        filter->program_fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "signpost_filter", "GPL", code,
                                           ARRAY_SIZE(code), NULL);
    }
    if (filter->program_fd < 0) {
        int reason = errno;
        xdp_filter_free(filter);
        errno = reason;
        return NULL;
    }
    return filter;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void xdp_filter_free(struct xdp_filter *filter)
{
    if (filter != NULL) {
        close_fd(filter->link_fd); // takes the program off the interface
        close_fd(filter->program_fd);
        close_fd(filter->sockets_fd);
        close_fd(filter->endpoints_fd);
        free(filter);
    }
}

bool xdp_filter_serve(struct xdp_filter *filter, unsigned queue, int socket_fd)
{
    SP_ASSERT(queue < XDP_QUEUES_MAX);
    return bpf_map_update_elem(filter->sockets_fd, &queue, &socket_fd, BPF_ANY) == 0;
}

bool xdp_filter_attach(struct xdp_filter *filter, unsigned interface_index, enum xdp_mode mode)
{
    SP_ASSERT(filter->link_fd < 0);
    LIBBPF_OPTS(bpf_link_create_opts, options,
                .flags = mode == XDP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
    filter->link_fd = bpf_link_create(filter->program_fd, (int)interface_index, BPF_XDP, &options);
    return filter->link_fd >= 0;
}
