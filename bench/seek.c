// SPDX-License-Identifier: GPL-3.0-or-later
//
// What it costs to find a client on a map: one after the other (lpm_leaf), and a batch of 48 side
// by side (lpm_seek_begin, lpm_seek_end), over random networks of /14 to /24 and random clients.
//
// Usage: bench-seek SEGMENTS KIB     KIB of other memory are touched between two batches, as the
//                                    kernel does: what the caches keep of the map is what is left
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "geo/lpm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 48, BATCHES = 2000, ROUNDS = 15, VALUES = 47 };

struct bench {
    struct lpm *map;
    unsigned char *other;
    size_t other_size;
    uint64_t random;
    uint64_t sum; // of what was found, so that it has to be found
};

static int by_first(const void *a, const void *b)
{
    const struct lpm_segment *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static struct lpm *random_map(uint64_t *random, size_t count)
{
    struct lpm_segment *segments = mem_alloc_array(count, sizeof(*segments));
    for (size_t i = 1; i < count; i++) {
        const unsigned length = 14 + random_below(random, 11);
        segments[i] = (struct lpm_segment){random_next(random) & ~(UINT64_MAX >> length),
                                           random_below(random, VALUES)};
    }
    qsort(segments, count, sizeof(*segments), by_first);
    size_t used = 1;
    for (size_t i = 1; i < count; i++) {
        if (segments[i].first != segments[used - 1].first) {
            segments[used++] = segments[i];
        }
    }
    struct lpm *map = lpm_build(segments, used);
    free(segments);
    return map;
}

static void batch_alone(struct bench *bench, const uint64_t *keys)
{
    for (size_t i = 0; i < BATCH; i++) {
        bench->sum += lpm_leaf(bench->map, keys[i]);
    }
}

static void batch_together(struct bench *bench, const uint64_t *keys)
{
    struct lpm_seek seeks[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        lpm_seek_begin(&seeks[i], bench->map, keys[i]);
    }
    lpm_seek_end(seeks, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        bench->sum += *seeks[i].leaf;
    }
}

// Nanoseconds a client.
static double round_of(struct bench *bench, void (*batch)(struct bench *, const uint64_t *))
{
    const struct clock *clock = clock_system();
    int64_t taken_ns = 0;
    for (size_t i = 0; i < BATCHES; i++) {
        uint64_t keys[BATCH];
        for (size_t k = 0; k < BATCH; k++) {
            keys[k] = random_next(&bench->random);
        }
        for (size_t at = 0; at < bench->other_size; at += CACHE_LINE) {
            bench->other[at]++;
        }
        const int64_t begun_ns = clock_monotonic_ns(clock);
        batch(bench, keys);
        taken_ns += clock_monotonic_ns(clock) - begun_ns;
    }
    return (double)taken_ns / (BATCHES * BATCH);
}

int main(int argc, char **argv)
{
    if (argc != 3 || atoi(argv[1]) < 1 || atoi(argv[2]) < 0) {
        fprintf(stderr, "usage: bench-seek SEGMENTS KIB\n");
        return 2;
    }
    struct bench bench = {.random = 7, .other_size = (size_t)atoi(argv[2]) * 1024};
    bench.map = random_map(&bench.random, (size_t)atoi(argv[1]));
    bench.other = mem_alloc(bench.other_size);
    double alone_ns = 1e18, together_ns = 1e18;
    for (size_t i = 0; i < ROUNDS; i++) {
        const double alone = round_of(&bench, batch_alone);
        const double together = round_of(&bench, batch_together);
        alone_ns = MIN(alone_ns, alone);
        together_ns = MIN(together_ns, together);
    }
    printf("%zu bytes: %.1f ns a client alone, %.1f ns in a batch (sum %" PRIx64 ")\n",
           lpm_size(bench.map), alone_ns, together_ns, bench.sum);
    lpm_free(bench.map);
    free(bench.other);
}
