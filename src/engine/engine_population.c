// SPDX-License-Identifier: GPL-3.0-or-later
//
// The populations that simulate weighs by. Control thread.
//
// All addresses: walked out of the geo data once and kept until that changes. Queries: the networks
// that steered names are asked from, counted from samples of the data workers (answer/samples.h),
// /24s and /48s, in a table of bounded size. When the table is full every count is halved and what
// falls to zero makes room, so the counts lean towards the recent and towards networks that ask
// much: what simulate wants to weigh by.
#include "engine/engine_internal.h"

#include "base/hash.h"
#include "base/memory.h"

enum { SAMPLES_MAX = 1 << 16, SLOTS = 2 * SAMPLES_MAX };

struct query_samples {
    struct {
        uint64_t sample; // 0: free
        uint64_t count;
    } slots[SLOTS];
    size_t used;
};

struct query_samples *query_samples_new(void)
{
    return mem_alloc(sizeof(struct query_samples));
}

void query_samples_free(struct query_samples *samples)
{
    free(samples);
}

static size_t slot_of(const struct query_samples *samples, uint64_t sample)
{
    size_t at = hash_u64(0, sample) & (SLOTS - 1);
    while (samples->slots[at].sample != 0 && samples->slots[at].sample != sample) {
        at = (at + 1) & (SLOTS - 1);
    }
    return at;
}

static void halve(struct query_samples *samples)
{
    struct query_samples *old = mem_copy(samples, sizeof(*samples));
    *samples = (struct query_samples){0};
    for (size_t i = 0; i < SLOTS; i++) {
        uint64_t count = old->slots[i].count / 2;
        if (count > 0) {
            size_t at = slot_of(samples, old->slots[i].sample);
            samples->slots[at].sample = old->slots[i].sample;
            samples->slots[at].count = count;
            samples->used++;
        }
    }
    free(old);
}

void engine_add_samples(struct engine *engine, const uint64_t *list, size_t count)
{
    struct query_samples *samples = engine->samples;
    for (size_t i = 0; i < count; i++) {
        if (samples->used == SAMPLES_MAX) {
            halve(samples);
        }
        size_t at = slot_of(samples, list[i]);
        samples->used += samples->slots[at].sample == 0;
        samples->slots[at].sample = list[i];
        samples->slots[at].count++;
    }
}

const struct population *engine_population_of_addresses(struct engine *engine, enum family family)
{
    struct population *kept = &engine->populations[family == FAMILY_IPV6];
    if (engine->populations_of != engine->geo) {
        engine_populations_drop(engine);
    }
    if (kept->count == 0) {
        *kept = population_of_addresses(engine->geo, family);
    }
    engine->populations_of = engine->geo;
    return kept;
}

void engine_populations_drop(struct engine *engine)
{
    for (size_t i = 0; i < ARRAY_SIZE(engine->populations); i++) {
        population_free(&engine->populations[i]);
        engine->populations[i] = (struct population){0};
    }
    engine->populations_of = NULL;
}

struct population engine_population_of_queries(const struct engine *engine, enum family family)
{
    const struct query_samples *samples = engine->samples;
    struct prefix *networks = mem_alloc_array(samples->used, sizeof(*networks));
    double *weights = mem_alloc_array(samples->used, sizeof(*weights));
    size_t count = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (samples->slots[i].sample != 0 && sample_family(samples->slots[i].sample) == family) {
            networks[count].address =
                address_from_key(family, samples->slots[i].sample & ~(uint64_t)SAMPLE_FAMILY);
            networks[count].length =
                family == FAMILY_IPV4 ? SAMPLE_IPV4_LENGTH : SAMPLE_IPV6_LENGTH;
            weights[count++] = (double)samples->slots[i].count * SAMPLE_EVERY;
        }
    }
    struct population population = population_of_networks(family, networks, weights, count);
    free(networks);
    free(weights);
    return population;
}
