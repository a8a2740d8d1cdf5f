// SPDX-License-Identifier: GPL-3.0-or-later
//
// Looks for the packet that costs most: libFuzzer whose feedback is how much answer() executes for
// it over world.h. The server's code is that of a release but for one call a basic block, which
// counts (-Dcost_fuzzer=true).
//
// A cost that was not seen before, in steps of some percent and for each kind of answer, is a new
// feature: what is dear is kept and made dearer. Inputs are those of fuzz_query.c, over UDP. Blocks
// only lead the search: `./dev fuzz cost` ends by counting the instructions of all that was found.
#include "world.h"

#include "answer/answer.h"
#include "base/hash.h"
#include "dns/query.h"
#include "dns/wire.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

// --- the count

static uint64_t blocks;

// Called where each basic block of the server begins: the linker puts it in the place of the hook
// that libFuzzer has for that.
void __wrap___sanitizer_cov_trace_pc(void);

__attribute__((no_sanitize("coverage"))) void __wrap___sanitizer_cov_trace_pc(void)
{
    blocks++;
}

static size_t ask_counted(struct worker *worker, const uint8_t *query, size_t size, uint8_t *out)
{
    const struct query_source source = {
        .address = {.family = FAMILY_IPV4, .bytes = {203, 0, 113, 1}},
        .port = 53000,
        .transport = TRANSPORT_UDP,
    };
    const struct generation *generation = world();
    blocks = 0;
    return answer(generation, worker, query, size, &source, out);
}

// --- the feedback

enum { COST_STEPS = 512, STEPS_AN_OCTAVE = 24, KINDS = 16 };

// One a kind of answer and a step of the cost.
__attribute__((
    used, section("__libfuzzer_extra_counters"))) static volatile uint8_t seen[KINDS * COST_STEPS];

// 24 times the logarithm to the base of 2, near enough.
static unsigned cost_step(uint64_t cost)
{
    const unsigned octave = 63 - (unsigned)__builtin_clzll(cost | 1);
    const uint64_t rest = (cost << (63 - octave) << 1) >> 32;
    const unsigned step = octave * STEPS_AN_OCTAVE + (unsigned)(rest * STEPS_AN_OCTAVE >> 32);
    return MIN(step, (unsigned)COST_STEPS - 1);
}

static unsigned kind_of(const uint8_t *out, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const unsigned flags = get_u16(out + AT_FLAGS), code = flags & 15;
    return 1 + MIN(code, 6U) + (flags & FLAG_TC ? 7 : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct worker *worker;
    static uint8_t out[ANSWER_UDP_MAX];
    static uint64_t dearest;
    if (worker == NULL) {
        worker = worker_new(1);
        worker_set_time(worker, 1700000000);
    }
    if (size < 1 || size > ANSWER_UDP_MAX || data[0] != 0) {
        return -1; // not over UDP, or no packet that gets here
    }
    uint8_t query[ANSWER_UDP_MAX + 64] = {0};
    memcpy(query, data + 1, size - 1);
    const size_t written = ask_counted(worker, query, size - 1, out);
    const uint64_t cost = blocks;
    seen[kind_of(out, written) * COST_STEPS + cost_step(cost)] = 1;
    if (cost > dearest) {
        dearest = cost;
        fprintf(stderr, "dearest so far: %llu basic blocks\n", (unsigned long long)dearest);
    }
    return 0;
}

// --- the mutator: questions about the names that are there, as long as they may be

static const char *const suffixes[] = {
    "\1w",
    "\1s\1w",
    "\3cut\1w",
    "\7cutmany\1w",
    "\2d0\1w",
    "\2d3\1w",
    "\2d7\1w",
    "\2e0\1w",
    "\2e4\1w",
    "\4deep\1w",
    "\1a\4deep\1w",
    "\2c0\1w",
    "\2c5\1w",
    "\2la\1w",
    "\1a\1w",
    "\2mx\1w",
    "\4mx10\1w",
    "\4mx40\1w",
    "\4mx70\1w",
    "\5mxfar\1w",
    "\3srv\1w",
    "\5srv10\1w",
    "\3svc\1w",
    "\4svc8\1w",
    "\10svcplain\1w",
    "\7grown32\1w",
    "\7grown16\1w",
    "\7svcmany\1w",
    "\5alias\1w",
    "\11aliasmany\1w",
    "\6sticky\1w",
    "\10sticky64\1w",
    "\6random\1w",
    "\10weighted\1w",
    "\10alias-k1\1w",
    "\10alias-k3\1w",
    "\10alias-k4\1w",
    "\10alias-k8\1w",
    "\11alias-kf1\1w",
    "\11alias-kf3\1w",
    "\11alias-kf7\1w",
    "\10alias-y1\1w",
    "\10alias-y2\1w",
    "\10alias-y7\1w",
    "\10alias-kl\1w",
    "\2k0\1w",
    "\2k5\1w",
    "\2kl\1w",
    "\3kf0\1w",
    "\3kf8\1w",
    "\3kf9\1w",
    "\2y0\1w",
    "\2y7\1w",
    "\2y9\1w",
    "\5svc-k\1w",
    "\6svc-kl\1w",
    "\6svc-kf\1w",
    "\5svc-y\1w",
    "\4mode\1w",
    "\1v",
    "\4wild\1w",
    "\4many\1w",
    "\5wide1\1w",
    "\5wide2\1w",
    "\5wide3\1w",
    "\10mxwidest\1w",
    "\11svcwidest\1w",
    "\15widest-sticky\1w",
    "\17widest-sticky64\1w",
    "\21widest-weighted64\1w",
    "\17widest-random64\1w",
    "\15many-sticky64\1w",
    "\1z\1z\1z\1z\1z\1z\1z\1z",
    "\2st\7example\3com",
    "\1d\7example\3com",
};
static const uint16_t types[] = {TYPE_A,    TYPE_NS,  TYPE_CNAME, TYPE_SOA,   TYPE_MX,   TYPE_TXT,
                                 TYPE_AAAA, TYPE_SRV, TYPE_DS,    TYPE_HTTPS, TYPE_SVCB, TYPE_ANY};

static size_t make_name(uint64_t *dice, uint8_t name[NAME_MAX_SIZE])
{
    const char *suffix = suffixes[random_below(dice, ARRAY_SIZE(suffixes))];
    const size_t suffix_size = strlen(suffix) + 1;
    const unsigned longest = random_below(dice, 4) == 0 ? 1 + random_below(dice, 20) : 1;
    size_t room = NAME_MAX_SIZE - suffix_size, size = 0;
    room = random_below(dice, 3) == 0 ? random_below(dice, (uint32_t)room) : room;
    while (size + longest + 1 <= room) {
        name[size++] = (uint8_t)longest;
        memset(name + size, "abz*"[random_below(dice, 16) ? 0 : random_below(dice, 4)], longest);
        size += longest;
    }
    size = random_below(dice, 3) == 0 ? 0 : size;
    memcpy(name + size, suffix, suffix_size);
    return size + suffix_size;
}

static size_t put_option(uint64_t *dice, uint8_t *at)
{
    static const struct {
        uint8_t code, size;
    } options[] = {{EDNS_NSID, 0}, {EDNS_COOKIE, 8}, {EDNS_COOKIE, 24}, {8, 7}, {65, 0}};
    const size_t which = random_below(dice, ARRAY_SIZE(options));
    put_u16(at, options[which].code);
    put_u16(at + 2, options[which].size);
    memset(at + 4, 0, options[which].size);
    if (options[which].code == 8) {
        memcpy(at + 4, "\0\1\30\0\313\0\161", 7); // 203.0.113.0/24
    }
    return 4U + options[which].size;
}

static size_t make_query(uint64_t *dice, uint8_t *at)
{
    size_t size = HEADER_SIZE, options = 0;
    memset(at, 0, HEADER_SIZE);
    put_u16(at + AT_QDCOUNT, 1);
    size += make_name(dice, at + size);
    put_u16(at + size, types[random_below(dice, ARRAY_SIZE(types))]);
    put_u16(at + size + 2, CLASS_IN);
    size += QUESTION_FIXED_SIZE;
    put_u16(at + AT_ARCOUNT, 1);
    memset(at + size, 0, 11);
    put_u16(at + size + 1, TYPE_OPT);
    put_u16(at + size + 3, 512 + random_below(dice, 1024));
    for (unsigned left = random_below(dice, 4); left > 0; left--) {
        options += put_option(dice, at + size + 11 + options);
    }
    put_u16(at + size + 9, (unsigned)options);
    return size + 11 + options;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    uint64_t dice = seed;
    enum { QUERY_MAX = 512 };
    if (size_max <= QUERY_MAX || random_below(&dice, 2) == 0) {
        size = LLVMFuzzerMutate(data, size, size_max);
    } else {
        size = 1 + make_query(&dice, data + 1);
    }
    data[0] = 0;
    return size;
}
