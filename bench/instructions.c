// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls answer() a given number of times on prepared packets and does nothing else: to be run under
// callgrind, which counts the instructions inside answer(). Two runs with different counts give
// instructions per query, without those of the self-query at the start (bench/run.py does that).
//
// Usage: instructions CONFIG QUERIES COUNT [ecs]
#include "queries.h"

#include "server/config.h"
#include "server/engine.h"

#include <stdio.h>
#include <string.h>

// No zone of the benchmark has checks, so no probe is ever asked for.
static void probe_start(void *state, struct probe *probe, const struct address *target,
                        const struct check_spec *spec)
{
    (void)state, (void)probe, (void)target, (void)spec;
    SP_ASSERT(!"a probe in a benchmark");
}

static void probe_cancel(void *state, struct probe *probe)
{
    (void)state, (void)probe;
}

static void print_diags(const struct diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        char text[1024];
        fprintf(stderr, "%s\n", diag_format(&diags->items[i], text, sizeof(text)));
    }
}

static struct engine *load_engine(const struct config *config)
{
    static const struct prober prober = {probe_start, probe_cancel, NULL};
    struct engine *engine = engine_new(config, clock_system(), &prober);
    struct load *load = engine_read(engine, true);
    bool good = engine_apply(engine, load);
    print_diags(load_diags(load));
    load_free(load);
    if (!good) {
        engine_free(engine);
        return NULL;
    }
    return engine;
}

// Returns how many queries got an answer with records.
static size_t ask(const struct generation *generation, const struct query_set *set, size_t count)
{
    struct worker *worker = worker_new(1);
    const struct query_source source = {.address = {.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}},
                                        .port = 40000};
    uint8_t packet[ANSWER_UDP_MAX];
    size_t answered = 0, place = 0;
    const struct query_group *group = set->groups;
    for (size_t i = 0; i < count; i++) {
        memcpy(packet, group->bytes + place * group->size, group->size);
        size_t size = answer(generation, worker, packet, group->size, &source, packet);
        answered += size > 12 && (packet[6] | packet[7]) != 0 && (packet[3] & 15) == 0;
        if (++place == group->count) {
            place = 0;
            group = group + 1 < set->groups + set->group_count ? group + 1 : set->groups;
        }
    }
    worker_free(worker);
    return answered;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: instructions CONFIG QUERIES COUNT [ecs]\n");
        return 2;
    }
    struct query_options options = {.edns = true, .ecs_random = argc > 4, .pool = 1000, .seed = 1};
    struct query_set set;
    struct diags diags = {0};
    struct config *config = config_read(argv[1], &diags);
    print_diags(&diags);
    if (config == NULL || !queries_read(&set, argv[2], &options)) {
        return 1;
    }
    struct engine *engine = load_engine(config);
    if (engine == NULL) {
        return 1;
    }
    size_t count = strtoul(argv[3], NULL, 10);
    size_t answered = ask(publisher_current(engine_publisher(engine)), &set, count);
    printf("%zu of %zu answered\n", answered, count);
    engine_free(engine);
    config_free(config);
    queries_free(&set);
    diags_clear(&diags);
    return answered == count ? 0 : 1;
}
