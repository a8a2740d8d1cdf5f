// SPDX-License-Identifier: GPL-3.0-or-later
//
// answer(): judges the query, takes the fast path or calls resolve.c, and closes the message.
//
// The fast path is a question whose owner name exists and whose RRset holds no names: the records
// stand ready behind the pointer 0xC00C, so the answer is one or two copies. Called by data workers
// (and by everything that wants to know what they would say); see answer.h for the guarantees.
#include "answer/options.h"
#include "base/memory.h"

#include <string.h>

enum { OPT_SIZE = 11, PAYLOAD_WITHOUT_EDNS = 512 };

struct worker *worker_new(uint64_t seed)
{
    struct worker *worker = mem_alloc(sizeof(*worker));
    worker->random = seed;
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

void worker_set_time(struct worker *worker, uint32_t now_s)
{
    worker->now_s = now_s;
}

// --- the client

// Addresses that say nothing about where a client is: the source counts instead.
static bool subnet_is_usable(const struct client_subnet *subnet)
{
    const uint8_t *b = subnet->address.bytes;
    if (subnet->source_length == 0) {
        return false; // the client asks not to be located (RFC 7871, 7.1.2)
    }
    if (subnet->address.family == FAMILY_IPV4) {
        return b[0] != 0 && b[0] != 127 && b[0] < 224 && !(b[0] == 169 && b[1] == 254);
    }
    bool zeros = true; // ::/64 holds :: and ::1
    for (int i = 0; i < 8; i++) {
        zeros &= b[i] == 0;
    }
    return !zeros && b[0] != 0xff && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

static bool is_located(const struct query *query, const struct answer_options *options)
{
    return query->subnet.present && options->ecs && subnet_is_usable(&query->subnet);
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
        put_u16(at + 11, EDNS_ECS);
        put_u16(at + 13, (unsigned)option_size - 4);
        put_u16(at + 15, subnet->address.family == FAMILY_IPV4 ? 1 : 2);
        at[17] = subnet->source_length;
        at[18] = response->located ? response->scope : 0;
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

// --- the fast path

// Types whose rdata holds no domain name and asks for no additional records.
static bool is_plain(uint16_t type)
{
    switch (type) {
    case TYPE_A:
    case TYPE_AAAA:
    case TYPE_TXT:
    case TYPE_CAA:
    case TYPE_TLSA:
    case TYPE_SSHFP:
    case TYPE_SPF:
    case TYPE_HINFO:
    case TYPE_OPENPGPKEY:
        return true;
    default:
        return false;
    }
}

static size_t put_static(struct response *response, const struct node *node,
                         const struct node_rrset *rrset)
{
    const uint8_t *records = node_records(node, rrset);
    uint8_t *at = response->message + response->question_end;
    size_t head = 0;
    if (rrset->turn != 0) {
        head = response_rotation(response, rrset);
    }
    memcpy(at, records + head, rrset->size - head);
    memcpy(at + rrset->size - head, records, head);
    response->answer_count = rrset->count;
    return response->question_end + rrset->size;
}

// 0 when the answer needs the slow path (it does not fit, or is empty by policy).
static size_t put_steered(struct response *response, const struct node_rrset *rrset)
{
    struct pick pick;
    response_pick(response, rrset, &pick);
    size_t size = response->question_end;
    for (size_t i = 0; i < pick.count; i++) {
        if (response->limit - size < pick.sizes[i]) {
            return 0;
        }
        memcpy(response->message + size, pick.records[i], pick.sizes[i]);
        size += pick.sizes[i];
    }
    response->answer_count = (uint16_t)pick.count;
    return pick.count > 0 ? size : 0;
}

// Whether a zone below the node's own answers for its name. Costs nothing while no zone's apex is
// that deep.
static bool is_in_child_zone(const struct generation *generation, const struct query *query,
                             const struct node *node)
{
    unsigned labels = node->apex_label_count;
    return generation->apex_labels_max > labels && node->label_count > labels + 1 &&
           generation_apex_between(generation, query->folded, query->name_size, labels) != NULL;
}

static size_t fast_path(struct response *response, const struct node *node)
{
    const struct query *query = response->query;
    const struct generation *generation = response->generation;
    if (node == NULL || !is_plain(query->type) || node->flags & NODE_CUT ||
        is_in_child_zone(generation, query, node)) {
        return 0;
    }
    const struct node_rrset *rrset = node_rrset(node, query->type);
    if (rrset == NULL) {
        return 0;
    }
    response->flags = FLAG_AA;
    if (rrset->plan != 0) {
        return put_steered(response, rrset);
    }
    return response->limit - response->question_end >= rrset->size
               ? put_static(response, node, rrset)
               : 0;
}

static size_t respond_in(struct response *response, const struct node *node)
{
    size_t size = fast_path(response, node);
    if (LIKELY(size > 0)) {
        counter_add(&response->worker->counters.noerror);
        return size;
    }
    response->answer_count = 0;
    response->flags = 0;
    return response_resolve(response);
}

static size_t respond_good(struct response *response, const struct node *node)
{
    struct worker_counters *counters = &response->worker->counters;
    switch (response->query->class) {
    case CLASS_IN:
        return respond_in(response, node);
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

// Services that answer anything with a packet of their own; a reply to them may never end.
static bool source_may_loop(const struct query_source *source)
{
    static const uint16_t ports[] = {0, 7, 13, 17, 19, 37, 464};
    if (LIKELY(source->port >= 1024)) {
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
    if (source->transport != TRANSPORT_UDP) {
        return ANSWER_TCP_MAX;
    }
    size_t offered = query->edns ? query->udp_payload : PAYLOAD_WITHOUT_EDNS;
    size_t ours = MIN((size_t)generation->options.udp_payload_max, (size_t)ANSWER_UDP_MAX);
    return MIN(offered, MAX(ours, (size_t)PAYLOAD_WITHOUT_EDNS));
}

// --- the stages of a message

static void pending_parse(struct pending *pending, const struct generation *generation,
                          const uint8_t *message, size_t size)
{
    struct query *query = &pending->query;
    pending->verdict = query_parse(message, size, query);
    pending->node = NULL;
    pending->plan = NULL;
    pending->cookie_valid = false;
    if (LIKELY(pending->verdict == QUERY_GOOD)) {
        pending->hash = generation_hash_padded(generation, query->folded, query->name_size);
    }
}

// Looks the name up for the fast path; resolve.c looks for itself.
static void pending_find(struct pending *pending, const struct generation *generation)
{
    const struct query *query = &pending->query;
    if (pending->verdict != QUERY_GOOD) {
        return;
    }
    pending->node = index_find(generation->names, pending->hash, query->folded, query->name_size,
                               NODE_OCCLUDED);
    const struct node_rrset *rrset = pending->node ? node_rrset(pending->node, query->type) : NULL;
    if (rrset != NULL && rrset->plan != 0) {
        pending->plan = vector_get(generation->plans, rrset->plan - 1);
    }
}

static size_t pending_answer(struct pending *pending, const struct generation *generation,
                             struct worker *worker, const uint8_t *message,
                             const struct query_source *source, uint8_t *out)
{
    struct query *query = &pending->query;
    if (pending->verdict == QUERY_SILENCE || source_may_loop(source)) {
        counter_add(&worker->counters.dropped);
        return 0;
    }
    count_query(&worker->counters, query, source);
    struct response response = {.generation = generation,
                                .worker = worker,
                                .query = query,
                                .located = is_located(query, &generation->options),
                                .message = out,
                                .question_end = HEADER_SIZE};
    response.client = response.located ? query->subnet.address : source->address;
    if (query->name != NULL && pending->verdict != QUERY_NOTIMP) {
        response.question_end += query->name_size + QUESTION_FIXED_SIZE;
    }
    if (out != message) {
        memcpy(out, message, response.question_end);
    }
    if (pending->verdict == QUERY_FORMERR) { // they may be what was malformed
        query->subnet.present = false;
        query->options.asked = 0;
    }
    response.limit = limit_of(generation, query, source) - opt_size(&response);
    if (UNLIKELY(query->options.asked != 0) && response_options_begin(&response, source)) {
        pending->verdict = QUERY_COOKIE;
        response.rcode = RCODE_BADCOOKIE;
        counter_add(&worker->counters.badcookie);
    }
    pending->cookie_valid = response.cookie_valid;
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
        size = respond_good(&response, pending->node);
    }
    return finish(&response, size);
}

size_t answer(const struct generation *generation, struct worker *worker, const uint8_t *query,
              size_t query_size, const struct query_source *source, uint8_t *out)
{
    struct pending pending;
    pending_parse(&pending, generation, query, query_size);
    pending_find(&pending, generation);
    return pending_answer(&pending, generation, worker, query, source, out);
}

void answer_batch(const struct generation *generation, struct worker *worker,
                  struct message *messages, size_t count)
{
    enum { TABLES_AHEAD = 2 }; // messages between a plan's tables and their use
    struct pending *pending = worker->pending;
    SP_ASSERT(count <= ANSWER_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        pending_parse(&pending[i], generation, messages[i].query, messages[i].query_size);
        if (pending[i].verdict == QUERY_GOOD) {
            index_prefetch(generation->names, pending[i].hash);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (pending[i].verdict == QUERY_GOOD) {
            index_prefetch_node(generation->names, pending[i].hash);
        }
    }
    for (size_t i = 0; i < count; i++) {
        pending_find(&pending[i], generation);
        if (pending[i].plan != NULL) {
            plan_prefetch(pending[i].plan);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (i + TABLES_AHEAD < count && pending[i + TABLES_AHEAD].plan != NULL) {
            plan_prefetch_tables(pending[i + TABLES_AHEAD].plan);
        }
        struct message *message = &messages[i];
        message->out_size = pending_answer(&pending[i], generation, worker, message->query,
                                           &message->source, message->out);
        message->cookie_valid = pending[i].cookie_valid;
    }
}
