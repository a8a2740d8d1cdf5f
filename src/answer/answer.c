// SPDX-License-Identifier: GPL-3.0-or-later
//
// answer(): judges the query, takes the fast path or calls resolve.c, and closes the message.
//
// The fast path is a question whose owner name exists and whose RRset holds no names: the records
// stand ready behind the pointer 0xC00C, so the answer is one or two copies. Called by data workers
// (and by everything that wants to know what they would say); see answer.h for the guarantees.
#include "answer/fast.h"
#include "answer/options.h"
#include "base/memory.h"
#include "dns/query_common.h"

#include <string.h>

struct worker *worker_new(uint64_t seed)
{
    struct worker *worker = mem_alloc_aligned(sizeof(*worker), _Alignof(struct worker));
    worker->random = seed;
    worker->dice = (struct dice){.random = &worker->random, .turns = worker->turns};
    return worker;
}

void worker_free(struct worker *worker)
{
    free(worker);
}

const struct worker_counters *worker_counters(const struct worker *worker)
{
    return &worker->counters;
}

struct worker_counters *worker_counters_own(struct worker *worker)
{
    return &worker->counters;
}

size_t worker_samples(struct worker *worker, uint32_t *seen, uint64_t *samples)
{
    return sampler_collect(&worker->sampler, seen, samples);
}

struct asked *worker_asked(struct worker *worker)
{
    return &worker->asked;
}

void worker_set_time(struct worker *worker, uint32_t now_s)
{
    worker->now_s = now_s;
}

// --- closing the message

static size_t subnet_option_size(const struct response *response)
{
    const struct client_subnet *subnet = &response->query->subnet;
    bool echoed = subnet->present && response->generation->options.ecs;
    return echoed ? 8U + (subnet->source_length + 7U) / 8 : 0;
}

static size_t opt_size(const struct response *response)
{
    return response->query->edns ? OPT_SIZE + subnet_option_size(response) : 0;
}

static size_t put_opt(struct response *response, size_t size)
{
    const struct query *query = response->query;
    size_t option_size = subnet_option_size(response);
    uint8_t *at = response->message + size;
    at[0] = 0;
    put_u16(at + 1, TYPE_OPT);
    put_u16(at + 3, response->generation->options.udp_payload_max);
    at[5] = (uint8_t)(response->rcode >> 4);
    at[6] = 0;
    put_u16(at + 7, query->dnssec_ok ? 0x8000 : 0);
    put_u16(at + 9, (unsigned)option_size);
    if (option_size > 0) {
        const struct client_subnet *subnet = &query->subnet;
        put_u64(at + OPT_SIZE, subnet->head | (response->located ? response->scope : 0));
        memcpy(at + 19, subnet->address.bytes, option_size - 8);
    }
    response->additional_count++;
    return size + OPT_SIZE + option_size;
}

static size_t finish(struct response *response, size_t size)
{
    uint8_t *message = response->message;
    if (response->query->edns) {
        size_t opt = size;
        size = put_opt(response, size);
        if (UNLIKELY(response_has_options(response))) {
            size = response_options_put(response, opt, size);
        }
    }
    unsigned kept = response->query->flags & (MASK_OPCODE | FLAG_RD);
    put_u16(message + AT_FLAGS, FLAG_QR | kept | response->flags | (response->rcode & 15));
    put_u16(message + AT_QDCOUNT, response->question_end > HEADER_SIZE);
    put_u16(message + AT_ANCOUNT, response->answer_count);
    put_u16(message + AT_NSCOUNT, response->authority_count);
    put_u16(message + AT_ARCOUNT, response->additional_count);
    return size;
}

static size_t respond_in(struct response *response, const struct pending *pending)
{
    size_t size = fast_section(response, pending);
    if (size > 0) {
        struct worker_counters *counters = &response->worker->counters;
        counter_add(response->flags & FLAG_TC ? &counters->truncated : &counters->noerror);
        return size;
    }
    response->answer_count = 0;
    response->flags = 0;
    return response_resolve(response);
}

static size_t respond_good(struct response *response, const struct pending *pending)
{
    struct worker_counters *counters = &response->worker->counters;
    switch (response->query->class) {
    case CLASS_IN:
        return respond_in(response, pending);
    case CLASS_CH:
        return response_chaos(response);
    default:
        response->rcode = RCODE_REFUSED;
        response_error(response, EDE_NOT_AUTHORITATIVE, NULL);
        counter_add(&counters->refused);
        return response->question_end;
    }
}

// --- the verdict

enum { PORT_MAY_LOOP_BELOW = 1024 };

// Services that answer anything with a packet of their own; a reply to them may never end.
static bool source_may_loop(const struct query_source *source)
{
    static const uint16_t ports[] = {0, 7, 13, 17, 19, 37, 464};
    if (LIKELY(source->port >= PORT_MAY_LOOP_BELOW)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        if (source->port == ports[i]) {
            return source->transport == TRANSPORT_UDP;
        }
    }
    return false;
}

static void count_query(struct worker_counters *counters, const struct query *query,
                        const struct query_source *source)
{
    switch (source->transport) {
    case TRANSPORT_UDP:
        counter_add(&counters->queries_udp);
        break;
    case TRANSPORT_TCP:
        counter_add(&counters->queries_tcp);
        break;
    case TRANSPORT_TLS:
        counter_add(&counters->queries_tls);
        break;
    }
    if (query->edns) {
        counter_add(&counters->edns);
    }
    if (query->subnet.present) {
        counter_add(&counters->ecs);
    }
}

static size_t limit_of(const struct generation *generation, const struct query *query,
                       const struct query_source *source)
{
    return source->transport == TRANSPORT_UDP
               ? MIN(MAX(query->udp_payload, QUERY_PAYLOAD_MIN), generation->udp_limit)
               : ANSWER_TCP_MAX;
}

// --- the stages of a message

// Where the index has nothing for any hash.
static const uint64_t no_slot;

// Reads the query and fetches the place of its name in the index.
static inline void pending_parse(struct pending *pending, const struct generation *generation,
                                 const struct message *message)
{
    struct query *query = &pending->query;
    const uint8_t *bytes = message->query;
    const size_t size = message->query_size;
    bool is_common = query_parse_common(bytes, size, query);
    pending->verdict = LIKELY(is_common) ? QUERY_GOOD : query_parse(bytes, size, query);
    if (LIKELY(pending->verdict == QUERY_GOOD)) {
        // Without OPT there must be no other additional record either: its count would stay.
        bool is_bare = !query->edns && get_u16(bytes + AT_ARCOUNT) == 0;
        pending->is_simple = (is_common || is_bare) && query->class == CLASS_IN &&
                             message->source.port >= PORT_MAY_LOOP_BELOW;
        pending->hash = generation_hash_padded(generation, query->folded, query->name_size);
        pending->run = index_run(generation->names, pending->hash);
        __builtin_prefetch(pending->run);
    } else {
        pending->is_simple = false;
        pending->hash = 0;
        pending->run = &no_slot;
    }
}

// Finds what stands there and fetches the node.
static inline void pending_probe(struct pending *pending, const struct generation *generation)
{
    pending->slot = index_probe(generation->names, pending->hash, pending->run);
    uintptr_t node = (uintptr_t)slot_node(pending->slot); // may be nowhere
    __builtin_prefetch((const void *)node);
    __builtin_prefetch((const void *)(node + 64)); // a name and an address or two end here
}

// Makes sure that it is the name's, and finds the RRset.
static inline struct found pending_find(const struct pending *pending,
                                        const struct generation *generation)
{
    const struct query *query = &pending->query;
    const struct node *node = slot_node(pending->slot);
    if (UNLIKELY(pending->slot & SLOT_SPECIAL ||
                 !is_named(node, query->folded, query->name_size))) {
        node = index_find(generation->names, pending->hash, query->folded, query->name_size,
                          NODE_OCCLUDED);
    }
    if (node == NULL) {
        return (struct found){0};
    }
    return (struct found){node, node_rrset(node, query->type), node_name(node) + query->name_size};
}

// The long way: any query, any answer.
NOT_INLINE static size_t answer_slowly(struct pending *pending, const struct generation *generation,
                                       struct worker *worker, struct message *message)
{
    struct query *query = &pending->query;
    const struct query_source *source = &message->source;
    if (pending->verdict == QUERY_SILENCE || source_may_loop(source)) {
        counter_add(&worker->counters.dropped);
        return 0;
    }
    count_query(&worker->counters, query, source);
    struct response response = {.generation = generation,
                                .worker = worker,
                                .query = query,
                                .located = query_is_located(query, generation),
                                .message = message->out,
                                .question_end = HEADER_SIZE};
    response.client = response.located ? query->subnet.address : source->address;
    if (pending->plan != NULL) {
        response.territory = pending->plan->territory;
        response.match = pending->match;
    }
    if (query->name != NULL) {
        response.question_end += query->name_size + QUESTION_FIXED_SIZE;
    }
    if (message->out != message->query) {
        memcpy(message->out, message->query, response.question_end);
    }
    if (pending->verdict == QUERY_FORMERR) { // they may be what was malformed
        query->subnet.present = false;
        query->options.asked = 0;
    }
    response.limit = limit_of(generation, query, source) - opt_size(&response);
    if (UNLIKELY(query->options.asked != 0) &&
        response_options_begin(&response, source, pending->verdict)) {
        pending->verdict = QUERY_COOKIE;
        response.rcode = RCODE_BADCOOKIE;
        counter_add(&worker->counters.badcookie);
    }
    message->cookie_valid = response.cookie_valid;
    size_t size = response.question_end;
    switch (pending->verdict) {
    case QUERY_FORMERR:
        response.rcode = RCODE_FORMERR;
        counter_add(&worker->counters.formerr);
        break;
    case QUERY_NOTIMP:
        response.rcode = RCODE_NOTIMP;
        counter_add(&worker->counters.notimp);
        break;
    case QUERY_BADVERS:
        response.rcode = RCODE_BADVERS;
        counter_add(&worker->counters.badvers);
        break;
    case QUERY_COOKIE: // the cookie is the answer
        break;
    default:
        size = respond_good(&response, pending);
    }
    return finish(&response, size);
}

// Answers at once, unless a plan decides: then true, and the plan is fetched for pending_steer.
// (All of those wait, so that they take their turns in the order in which they came.)
static inline bool pending_answer(const struct generation *generation, struct worker *worker,
                                  struct pending *pending, struct message *message,
                                  struct tally *tally)
{
    const struct query *query = &pending->query;
    struct found found = {0};
    size_t size = 0;
    if (pending->slot != 0) {
        found = pending_find(pending, generation);
    }
    if (found.rrset == NULL) {
        if (UNLIKELY(!pending->is_simple)) {
            size = 0;
        } else if (found.node != NULL) {
            size = fast_nodata(generation, query, found.node, message, tally);
        } else {
            size = fast_nxdomain(generation, query, message, tally);
        }
    } else if (found.rrset->plan == 0) {
        bool fast = LIKELY(pending->is_simple) && is_ready(generation, query, &found);
        size = fast ? fast_static(generation, worker, query, &found, message, tally) : 0;
    } else {
        pending->plan = vector_get(generation->plans, found.rrset->plan - 1);
        asked_note(&worker->asked, found.rrset->plan);
        pending->found = found;
        pending->message = message;
        if (UNLIKELY(!is_ready(generation, query, &found))) {
            pending->is_simple = false;
        }
        plan_prefetch(pending->plan);
        return true;
    }
    if (UNLIKELY(size == 0)) {
        pending->plan = NULL;
        pending->found = found;
        size = answer_slowly(pending, generation, worker, message);
    }
    message->out_size = size;
    return false;
}

static inline void pending_steer(const struct generation *generation, struct worker *worker,
                                 struct pending *pending, struct tally *tally)
{
    struct message *message = pending->message;
    size_t size =
        LIKELY(pending->is_simple) ? fast_steered(generation, worker, pending, message, tally) : 0;
    if (UNLIKELY(size == 0)) {
        size = answer_slowly(pending, generation, worker, message);
    }
    message->out_size = size;
}

// Every so many steered answers, who got one is noted.
static inline void sample_steered(struct worker *worker, const struct generation *generation,
                                  struct pending *const *steered, size_t count)
{
    if (LIKELY(worker->sampler.left > count)) {
        worker->sampler.left -= (uint32_t)count;
        return;
    }
    if (count > 0) {
        const struct pending *pending = steered[MAX(worker->sampler.left, 1U) - 1];
        const struct query *query = &pending->query;
        sampler_note(&worker->sampler, query_is_located(query, generation)
                                           ? &query->subnet.address
                                           : &pending->message->source.address);
    }
}

// Counters of queries stand in the order of enum transport.
#define QUERIES_AT(name) (offsetof(struct worker_counters, name) / sizeof(_Atomic uint64_t))
_Static_assert(QUERIES_AT(queries_tcp) - QUERIES_AT(queries_udp) == TRANSPORT_TCP, "tally_end");
_Static_assert(QUERIES_AT(queries_tls) - QUERIES_AT(queries_udp) == TRANSPORT_TLS, "tally_end");

static void tally_end(const struct tally *tally, struct worker_counters *counters,
                      enum transport transport)
{
    const unsigned answers = tally->fixed + tally->steered;
    const unsigned queries = answers + tally->nodata + tally->nxdomain;
    counter_add_many(&counters->queries_udp + transport, queries);
    counter_add_many(&counters->noerror, answers);
    counter_add_many(&counters->nodata, tally->nodata);
    counter_add_many(&counters->nxdomain, tally->nxdomain);
    counter_add_many(&counters->edns, queries - tally->plain);
    counter_add_many(&counters->ecs, tally->ecs);
    counter_add_many(&counters->steered, tally->steered);
}

_Static_assert((int)LPM_SEEK_MAX >= (int)ANSWER_BATCH_MAX, "clients of a batch are found at once");

void answer_batch(const struct generation *generation, struct worker *worker,
                  struct message *messages, size_t count)
{
    enum { TABLES_AHEAD = 2 }; // messages between a plan's tables and their use
    struct pending *pending = worker->pending;
    struct tally tally = {0};
    struct pending *steered[ANSWER_BATCH_MAX];
    struct lpm_seek seeks[ANSWER_BATCH_MAX];
    size_t steered_count = 0;
    SP_ASSERT(count <= ANSWER_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        pending_parse(&pending[i], generation, &messages[i]);
    }
    for (size_t i = 0; i < count; i++) {
        pending_probe(&pending[i], generation);
    }
    for (size_t i = 0; i < count; i++) {
        messages[i].cookie_valid = false;
        if (pending_answer(generation, worker, &pending[i], &messages[i], &tally)) {
            steered[steered_count++] = &pending[i];
        }
    }
    for (size_t i = 0; i < steered_count; i++) {
        fast_seek(generation, steered[i], &seeks[i]);
    }
    if (steered_count > 0) {
        lpm_seek_end(seeks, steered_count);
    }
    for (size_t i = 0; i < steered_count; i++) {
        if (i + TABLES_AHEAD < steered_count) {
            plan_prefetch_tables(steered[i + TABLES_AHEAD]->plan);
        }
        fast_found(steered[i], &seeks[i]);
        pending_steer(generation, worker, steered[i], &tally);
    }
    sample_steered(worker, generation, steered, steered_count);
    if (count > 0) {
        tally_end(&tally, &worker->counters, messages[0].source.transport);
    }
}

size_t answer(const struct generation *generation, struct worker *worker, const uint8_t *query,
              size_t query_size, const struct query_source *source, uint8_t *out)
{
    struct message message = {
        .query = query, .query_size = query_size, .source = *source, .out = out};
    answer_batch(generation, worker, &message, 1);
    return message.out_size;
}
