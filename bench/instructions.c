// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sends a given number of prepared packets to a socket of its own, a batch at a time, lets
// udp_serve() answer them as a data worker does, and looks at the answers: to be run under
// callgrind, which counts the instructions inside udp_serve(), or inside its answer_batch(). Two
// runs with different counts give instructions per query (bench/counting.py does that).
//
// Usage: instructions CONFIG QUERIES COUNT [ecs] [nxdomain]
#include "queries.h"

#include "base/hash.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "dns/types.h"
#include "net/net.h"
#include "net/socket.h"
#include "net/udp.h"
#include "config/config.h"
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Instead of the library's: one key of the index for all runs, because how often a look-up steps
// over another name depends on it.
uint64_t random_seed(void)
{
    return 1;
}

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
    int client, server; // sockets; the client's is connected to the server's
};

static const struct query_group *next_group(const struct asking *asking)
{
    const struct query_set *set = asking->set;
    const struct query_group *next = asking->group + 1;
    return next < set->groups + set->group_count ? next : set->groups;
}

static bool send_query(struct asking *asking)
{
    const struct query_group *group = asking->group;
    const uint8_t *query = group->bytes + asking->place * group->size;
    if (++asking->place == group->count) {
        asking->place = 0;
        asking->group = next_group(asking);
    }
    return send(asking->client, query, group->size, 0) == (ssize_t)group->size;
}

// Whether the next answer has the rcode: NOERROR with records, or NXDOMAIN.
static bool receive_answer(const struct asking *asking, unsigned rcode)
{
    uint8_t packet[ANSWER_UDP_MAX];
    bool arrived = recv(asking->client, packet, sizeof(packet), MSG_DONTWAIT) > 12;
    bool has_records = (packet[6] | packet[7]) != 0;
    return arrived && (packet[3] & 15) == rcode && has_records == (rcode == RCODE_NOERROR);
}

// Opens both sockets on loopback. False with errno.
static bool open_sockets(struct asking *asking)
{
    struct endpoint endpoint = {.address = {.family = FAMILY_IPV4, .bytes = {127, 0, 0, 1}}};
    struct sockaddr_storage to;
    asking->server = socket_bind(&endpoint, TRANSPORT_UDP, SOCKET_SERVE);
    asking->client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (asking->server < 0 || asking->client < 0) {
        return false;
    }
    socklen_t size = address_to_sockaddr(&endpoint.address, socket_port(asking->server), &to);
    return connect(asking->client, (struct sockaddr *)&to, size) == 0;
}

// Returns how many queries got an answer with the rcode.
static size_t ask(struct asking *asking, generation_root *root, size_t count, unsigned rcode)
{
    struct net_options net = {.clock = clock_system()};
    struct responder responder = {.root = root, .worker = worker_new(1), .net = &net};
    struct udp_socket served = {.fd = asking->server};
    struct udp_batch *batch = udp_batch_new();
    size_t answered = 0;
    rcu_reader_register();
    for (size_t done = 0; done < count;) {
        size_t sent = 0;
        while (sent < MIN(count - done, (size_t)UDP_BATCH_MAX) && send_query(asking)) {
            sent++;
        }
        if (sent == 0) {
            break;
        }
        udp_serve(batch, &served, &responder);
        for (size_t i = 0; i < sent; i++) {
            answered += receive_answer(asking, rcode);
        }
        done += sent;
    }
    rcu_reader_unregister();
    udp_batch_free(batch);
    worker_free(responder.worker);
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
    struct asking asking = {.set = &set, .group = set.groups};
    if (!open_sockets(&asking)) {
        fprintf(stderr, "instructions: %s\n", strerror(errno));
        return 1;
    }
    size_t count = strtoul(argv[3], NULL, 10);
    size_t answered = ask(&asking, publisher_root(engine_publisher(engine)), count,
                          nxdomain ? RCODE_NXDOMAIN : RCODE_NOERROR);
    printf("%zu of %zu answered\n", answered, count);
    close(asking.client);
    close(asking.server);
    engine_free(engine);
    config_free(config);
    queries_free(&set);
    diags_clear(&diags);
    return answered == count ? 0 : 1;
}
