// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls answer_batch() for a given number of prepared packets, 64 at a time as data workers do, and
// does nothing else: to be run under callgrind, which counts the instructions inside. Two runs with
// different counts give instructions per query, without those of the self-query at the start
// (bench/run.py does that).
//
// Usage: instructions CONFIG QUERIES COUNT [ecs] [nxdomain]
#include "queries.h"

#include "base/memory.h"
#include "dns/types.h"
#include "config/config.h"
#include "engine/engine.h"

#include <stdio.h>
#include <string.h>

// The engine is never ticked, so no probe is ever asked for.
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
    static const struct prober prober = {.start = probe_start, .cancel = probe_cancel};
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

struct asking {
    const struct query_set *set;
    const struct query_group *group; // where the next query comes from
    size_t place;
    uint8_t packets[ANSWER_BATCH_MAX][ANSWER_UDP_MAX];
    struct message messages[ANSWER_BATCH_MAX];
};

static void take_query(struct asking *asking, size_t i)
{
    const struct query_group *group = asking->group;
    memcpy(asking->packets[i], group->bytes + asking->place * group->size, group->size);
    asking->messages[i] = (struct message){
        .query = asking->packets[i],
        .query_size = group->size,
        .source = {.address = {.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}}, .port = 40000},
        .out = asking->packets[i],
    };
    if (++asking->place == group->count) {
        const struct query_set *set = asking->set;
        asking->place = 0;
        asking->group = group + 1 < set->groups + set->group_count ? group + 1 : set->groups;
    }
}

// Returns how many queries got an answer with the rcode: NOERROR with records, or NXDOMAIN.
static size_t ask(const struct generation *generation, const struct query_set *set, size_t count,
                  unsigned rcode)
{
    struct worker *worker = worker_new(1);
    struct asking *asking = mem_alloc(sizeof(*asking));
    asking->set = set;
    asking->group = set->groups;
    size_t answered = 0;
    for (size_t done = 0; done < count;) {
        size_t batch = MIN(count - done, (size_t)ANSWER_BATCH_MAX);
        for (size_t i = 0; i < batch; i++) {
            take_query(asking, i);
        }
        answer_batch(generation, worker, asking->messages, batch);
        for (size_t i = 0; i < batch; i++) {
            const uint8_t *packet = asking->packets[i];
            bool has_records = (packet[6] | packet[7]) != 0;
            answered += asking->messages[i].out_size > 12 && (packet[3] & 15) == rcode &&
                        has_records == (rcode == RCODE_NOERROR);
        }
        done += batch;
    }
    free(asking);
    worker_free(worker);
    return answered;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: instructions CONFIG QUERIES COUNT [ecs] [nxdomain]\n");
        return 2;
    }
    bool ecs = false, nxdomain = false;
    for (int i = 4; i < argc; i++) {
        ecs |= strcmp(argv[i], "ecs") == 0;
        nxdomain |= strcmp(argv[i], "nxdomain") == 0;
    }
    struct query_options options = {.edns = true, .ecs_random = ecs, .pool = 1000, .seed = 1};
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
    size_t answered = ask(publisher_current(engine_publisher(engine)), &set, count,
                          nxdomain ? RCODE_NXDOMAIN : RCODE_NOERROR);
    printf("%zu of %zu answered\n", answered, count);
    engine_free(engine);
    config_free(config);
    queries_free(&set);
    diags_clear(&diags);
    return answered == count ? 0 : 1;
}
