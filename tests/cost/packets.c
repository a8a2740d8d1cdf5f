// SPDX-License-Identifier: GPL-3.0-or-later
//
// Asks answer() packets, one a call, over tests/fuzz/world.h: the files of corpora, and the worst
// that we can think of, made by hand. To be run under callgrind, which counts the instructions of
// each question (tests/cost/count.py does, and holds the bars).
//
// Writes a line a packet, in the order of the calls: transport, size of the answer, rcode, "TC" or
// "-", what it is.
//
// Usage: cost-packets FOLDER...
#include "../fuzz/world.h"

#include "answer/answer.h"
#include "dns/query.h"
#include "dns/wire.h"

#include <dirent.h>
#include <valgrind/callgrind.h>

enum { PACKET_MAX = 4096 };

// What callgrind counts, by this name: not the questions that a change asks itself.
size_t counted_answer(struct worker *worker, const uint8_t *packet, size_t size,
                      const struct query_source *source, uint8_t *out);

NOT_INLINE size_t counted_answer(struct worker *worker, const uint8_t *packet, size_t size,
                                 const struct query_source *source, uint8_t *out)
{
    return answer(world(), worker, packet, size, source, out);
}

static void ask(const char *what, const uint8_t *packet, size_t size, enum transport transport)
{
    static struct worker *worker;
    static uint8_t out[ANSWER_TCP_MAX];
    const struct query_source source = {
        .address = {.family = FAMILY_IPV4, .bytes = {203, 0, 113, 1}},
        .port = 53000,
        .transport = transport};
    if (worker == NULL) {
        worker = worker_new(1);
        world(); // made before anything is looked at: it would take a minute, and be in every file
        CALLGRIND_START_INSTRUMENTATION;
    }
    worker_set_time(worker, 1700000000);
    size_t written = counted_answer(worker, packet, size, &source, out);
    bool truncated = written > 0 && get_u16(out + AT_FLAGS) & FLAG_TC;
    printf("%s %zu %u %s %s\n", transport == TRANSPORT_UDP ? "udp" : "tcp", written,
           written > 0 ? out[3] & 15U : 0U, truncated ? "TC" : "-", what);
}

// --- made by hand

// A query with OPT; `options` stand in it.
static void ask_name(const char *what, const uint8_t *name, uint16_t type, const uint8_t *options,
                     size_t options_size)
{
    uint8_t packet[PACKET_MAX] = {0};
    size_t size = HEADER_SIZE, length = name_size(name);
    put_u16(packet + AT_QDCOUNT, 1);
    put_u16(packet + AT_ARCOUNT, 1);
    memcpy(packet + size, name, length);
    size += length;
    put_u16(packet + size, type);
    put_u16(packet + size + 2, CLASS_IN);
    size += QUESTION_FIXED_SIZE;
    put_u16(packet + size + 1, TYPE_OPT);
    put_u16(packet + size + 3, 1232);
    put_u16(packet + size + 9, (unsigned)options_size);
    size += 11;
    if (options_size > 0) {
        memcpy(packet + size, options, options_size);
    }
    ask(what, packet, size + options_size, TRANSPORT_UDP);
    ask(what, packet, size + options_size, TRANSPORT_TCP);
}

static void ask_text(const char *text, uint16_t type)
{
    uint8_t name[NAME_MAX_SIZE];
    char what[NAME_TEXT_MAX + 32], type_text[RR_TYPE_TEXT_MAX];
    SP_ASSERT(name_parse(text, NULL, name, NULL) != 0);
    snprintf(what, sizeof(what), "%s %s", text, rr_type_format(type, type_text));
    ask_name(what, name, type, NULL, 0);
}

// One-octet labels above `suffix`, as many as a name may have.
static void ask_longest(const char *suffix, uint16_t type, char octet)
{
    uint8_t end[NAME_MAX_SIZE], name[NAME_MAX_SIZE];
    size_t size = name_parse(suffix, NULL, end, NULL), labels = (NAME_MAX_SIZE - size) / 2;
    char what[NAME_TEXT_MAX + 32], type_text[RR_TYPE_TEXT_MAX];
    for (size_t i = 0; i < labels; i++) {
        name[2 * i] = 1;
        name[2 * i + 1] = (uint8_t)octet;
    }
    memcpy(name + 2 * labels, end, size);
    snprintf(what, sizeof(what), "%c.%c. ... %c.%s %s", octet, octet, octet, suffix,
             rr_type_format(type, type_text));
    ask_name(what, name, type, NULL, 0);
}

static void ask_options(void)
{
    uint8_t options[512];
    size_t size = 0;
    for (unsigned i = 0; i < EDNS_OPTIONS_MAX - 2; i++) { // unknown ones; NSID and a cookie
        put_u32(options + size, (65001 + i) << 16 | 8);
        memset(options + size + 4, 0x5a, 8);
        size += 12;
    }
    put_u32(options + size, EDNS_NSID << 16);
    put_u32(options + size + 4, EDNS_COOKIE << 16 | 24);
    memset(options + size + 8, 0, 24);
    options[size + 16] = 1; // the version of a server cookie that no secret has made
    put_u32(options + size + 20, 1700000000);
    ask_name("16 options, wrong cookie", (const uint8_t *)"\1w", TYPE_A, options, size + 32);
}

static void ask_widest(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(world_widest); i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s.w.", world_widest[i].name);
        ask_text(name, TYPE_A);
    }
    for (size_t i = 0; i < ARRAY_SIZE(world_nested); i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s.w.", world_nested[i]);
        ask_text(name, TYPE_A);
    }
}

static void ask_chains(void)
{
    static const char *const kinds[] = {"k", "kf", "y"};
    static const unsigned lengths[] = {1, 4, 7, 8};
    for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
            char name[32];
            snprintf(name, sizeof(name), "alias-%s%u.w.", kinds[kind], lengths[i]);
            ask_text(name, TYPE_A);
        }
    }
}

static const struct {
    const char *name;
    uint16_t type;
} asked[] = {
    {"w.", TYPE_A},
    {"w.", TYPE_SOA},
    {"w.", TYPE_NS},
    {"w.", TYPE_ANY},
    {"nothing.w.", TYPE_A},
    {"c0.w.", TYPE_A},
    {"c8.w.", TYPE_A},
    {"la.w.", TYPE_A},
    {"x.d0.w.", TYPE_A},
    {"x.e0.w.", TYPE_A},
    {"a.w.", TYPE_A},
    {"mx.w.", TYPE_MX},
    {"mx10.w.", TYPE_MX},
    {"mx40.w.", TYPE_MX},
    {"mx70.w.", TYPE_MX},
    {"mxfar.w.", TYPE_MX},
    {"srv.w.", TYPE_SRV},
    {"srv10.w.", TYPE_SRV},
    {"x.cut.w.", TYPE_A},
    {"x.cutmany.w.", TYPE_A},
    {"svc.w.", TYPE_HTTPS},
    {"svc8.w.", TYPE_HTTPS},
    {"svcplain.w.", TYPE_HTTPS},
    {"svcmany.w.", TYPE_HTTPS},
    {"alias.w.", TYPE_A},
    {"aliasmany.w.", TYPE_A},
    {"sticky.w.", TYPE_A},
    {"sticky64.w.", TYPE_A},
    {"random.w.", TYPE_A},
    {"weighted.w.", TYPE_A},
    {"m1.w.", TYPE_A},
    {"cut.w.", TYPE_DS},
    {"mx.w.", TYPE_ANY},
    {"mxwidest.w.", TYPE_MX},
    {"svcwidest.w.", TYPE_HTTPS},
    {"wide1.w.", TYPE_A},
    {"wide2.w.", TYPE_A},
    {"x.wide3.w.", TYPE_A},
    {"alias-kl.w.", TYPE_A},
    {"x.kl.w.", TYPE_A},
    {"svc-k.w.", TYPE_HTTPS},
    {"svc-kl.w.", TYPE_HTTPS},
    {"svc-kf.w.", TYPE_HTTPS},
    {"svc-y.w.", TYPE_HTTPS},
    {"mode.w.", TYPE_HTTPS},
    {"v.", TYPE_A},
    {"v.", TYPE_HTTPS},
};

static void ask_by_hand(void)
{
    static const char *const below[] = {
        "w.",     "s.w.",    "cut.w.", "cutmany.w.",       "d0.w.", "d8.w.",   "e0.w.",
        "e1.w.",  "deep.w.", "a.w.",   "z.z.z.z.z.z.z.z.", "z.",    "nobody.", "wild.w.",
        "many.w."};
    for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
        ask_longest(below[i], TYPE_A, 'a');
        ask_longest(below[i], TYPE_A, 'b');
        ask_longest(below[i], TYPE_DS, 'z');
    }
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        ask_text(asked[i].name, asked[i].type);
    }
    ask_options();
    ask_widest();
    ask_chains();
    for (unsigned count = WORLD_GROWN_MIN; count <= WORLD_GROWN_MAX; count *= 2) {
        static const uint16_t types[] = {TYPE_A, TYPE_MX, TYPE_SRV, TYPE_HTTPS};
        char name[32];
        snprintf(name, sizeof(name), "grown%u.w.", count);
        for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
            ask_text(name, types[i]);
        }
        snprintf(name, sizeof(name), "sticky-of%u.w.", count);
        ask_text(name, TYPE_A);
    }
}

// --- corpora: an octet of flags, of which the lowest says TCP, and a packet

static void ask_file(const char *folder, const char *name)
{
    char path[4096];
    uint8_t bytes[PACKET_MAX];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    SP_ASSERT(file != NULL);
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    if (size > 0) {
        ask(name, bytes + 1, size - 1, bytes[0] & 1 ? TRANSPORT_TCP : TRANSPORT_UDP);
    }
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    ask_by_hand();
    for (int i = 1; i < argc; i++) {
        struct dirent **files;
        int count = scandir(argv[i], &files, is_shown, alphasort);
        if (count < 0) {
            perror(argv[i]);
            return 1;
        }
        for (int at = 0; at < count; at++) {
            ask_file(argv[i], files[at]->d_name);
            free(files[at]);
        }
        free(files);
    }
    return 0;
}
