// SPDX-License-Identifier: GPL-3.0-or-later
//
// The fast path: a simple query (answer/respond.h) for a name that exists and an RRset whose
// records stand ready behind the pointer 0xC00C. The answer is their copy between a header and an
// OPT that are made of a few words.
//
// Inline in answer.c, which runs it on data workers. Everything that is not simple gives 0 and goes
// to resolve.c, which answers the same questions with the same bytes. The query may lie where the
// answer goes: behind its question nothing of it is read, only what the parser has taken out of it.
#pragma once

#include "answer/respond.h"
#include "steer/plan_pick_one.h"

// What every client takes: a shorter answer needs no look at anybody's limit.
enum { FAST_SIZE_MAX = QUERY_PAYLOAD_MIN };

// Whether a zone below the node's own answers for its name. Costs nothing while no zone's apex is
// that deep.
static inline bool is_in_child_zone(const struct generation *generation, const struct query *query,
                                    const struct node *node)
{
    const unsigned labels = node->apex_label_count;
    return UNLIKELY(generation->apex_labels_max > labels) && node->label_count > labels + 1 &&
           generation_apex_between(generation, query->folded, query->name_size, labels) != NULL;
}

static inline bool is_ready(const struct generation *generation, const struct query *query,
                            const struct found *found)
{
    return found->rrset != NULL && found->rrset->is_ready &&
           !is_in_child_zone(generation, query, found->node);
}

// Copies the records of a static RRset, from the one whose turn it is.
static inline void put_static(struct worker *worker, const struct found *found, uint8_t *at)
{
    const struct node_rrset *rrset = found->rrset;
    const uint8_t *records = node_records_from(found->node, rrset, found->records);
    const size_t size = rrset->size;
    if (rrset->turn == 0) {
        bytes_copy(at, records, size);
        return;
    }
    struct dice dice = {&worker->random, worker->turns, rrset->turn};
    const size_t head = (size_t)(dice_turn(&dice, 0) % rrset->count) * rrset->record_size;
    bytes_copy(at, records + head, size - head);
    if (head > 0) {
        bytes_copy(at + (size - head), records, head);
    }
}

// Copies the records that the policy picks for the client into `room` bytes. Returns their size; 0:
// they do not fit, or the answer is none.
static ALWAYS_INLINE size_t put_steered(struct worker *worker, const struct pending *pending,
                                        const struct address *client, uint8_t *at, size_t room,
                                        struct pick *pick)
{
    struct dice dice = {&worker->random, worker->turns, pending->found.rrset->turn};
    plan_pick_located(pending->plan, client, pending->match, &dice, pick);
    size_t size = 0;
    for (size_t i = 0; i < pick->count; i++) {
        const size_t record_size = pick->sizes[i];
        if (room - size < record_size) {
            return 0;
        }
        bytes_copy(at + size, pick->records[i], record_size);
        size += record_size;
    }
    return size;
}

// Writes a client subnet option (RFC 7871, section 6); up to 7 bytes more are overwritten.
static inline size_t fast_subnet(uint8_t *at, const struct client_subnet *subnet, unsigned scope)
{
    const unsigned octets = (subnet->source_length + 7U) / 8;
    put_u64(at, subnet->head | scope);
    memcpy(at + 8, subnet->address.bytes, 8);
    return 8 + octets;
}

// Writes OPT (RFC 6891, 6.1.2), as query_parse_common reads it; up to OPT_REACH bytes are
// overwritten.
static inline size_t fast_opt(uint8_t *at, const struct generation *generation,
                              const struct query *query, unsigned scope, struct tally *tally)
{
    size_t options_size = 0;
    block_store(at, block_load(generation->opt));
    at[7] = (uint8_t)(query->dnssec_ok << 7);
    if (query->subnet.present) {
        tally->ecs++;
        if (generation->options.ecs) {
            options_size = fast_subnet(at + OPT_SIZE, &query->subnet, scope);
            put_u16(at + 9, (unsigned)options_size);
        }
    }
    return OPT_SIZE + options_size;
}

// Puts header, question and OPT around the one section that there is, of `count` records; it begins
// where the question ends and ends at `size`. In place, most of that is there already: the counts
// of one question and its OPT.
static inline size_t fast_close(const struct generation *generation, const struct query *query,
                                struct message *message, size_t size, unsigned at_count,
                                unsigned count, unsigned rcode, unsigned scope, struct tally *tally)
{
    uint8_t *out = message->out;
    if (UNLIKELY(out != message->query)) {
        memcpy(out, message->query, HEADER_SIZE + query->name_size + QUESTION_FIXED_SIZE);
    }
    put_u16(out + AT_FLAGS, FLAG_QR | FLAG_AA | (query->flags & FLAG_RD) | rcode);
    put_u16(out + at_count, count);
    if (UNLIKELY(!query->edns)) {
        tally->plain++;
        return size;
    }
    return size + fast_opt(out + size, generation, query, scope, tally);
}

// The whole answer to a simple query from a static RRset that is ready, or 0: take the long way.
static inline size_t fast_static(const struct generation *generation, struct worker *worker,
                                 const struct query *query, const struct found *found,
                                 struct message *message, struct tally *tally)
{
    const size_t question_end = HEADER_SIZE + query->name_size + QUESTION_FIXED_SIZE;
    const size_t size = question_end + found->rrset->size;
    if (size > FAST_SIZE_MAX - OPT_REACH) {
        return 0;
    }
    put_static(worker, found, message->out + question_end);
    tally->fixed++;
    return fast_close(generation, query, message, size, AT_ANCOUNT, found->rrset->count,
                      RCODE_NOERROR, 0, tally);
}

// Begins to look for the client on the map of the plan: those of a batch are found together.
static inline void fast_seek(const struct generation *generation, struct pending *pending,
                             struct lpm_seek *seek)
{
    pending->located = query_is_located(&pending->query, generation);
    plan_seek(seek, pending->plan,
              pending->located ? &pending->query.subnet.address
                               : &pending->message->source.address);
}

// Where it was found.
static inline void fast_found(struct pending *pending, const struct lpm_seek *seek)
{
    pending->match = territory_match_of(*seek->leaf);
    pending->match.scope = pending->located ? pending->match.scope : 0;
}

// The same from a plan that answers with one record.
static inline size_t fast_steered(const struct generation *generation, struct worker *worker,
                                  const struct pending *pending, struct message *message,
                                  struct tally *tally)
{
    const struct query *query = &pending->query;
    const size_t question_end = HEADER_SIZE + query->name_size + QUESTION_FIXED_SIZE;
    worker->dice.turn_base = pending->found.rrset->turn;
    struct picked picked = plan_pick_one(pending->plan, pending->match, &worker->dice);
    const size_t size = question_end + picked.size;
    if (size > FAST_SIZE_MAX - OPT_REACH) { // or there is none
        return 0;
    }
    bytes_copy(message->out + question_end, picked.record, picked.size);
    tally->steered++;
    return fast_close(generation, query, message, size, AT_ANCOUNT, 1, RCODE_NOERROR, picked.scope,
                      tally);
}

// The closest node above a name that does not exist, if it is one or two labels up and nothing
// about it is special; else NULL: resolve.c goes all the way.
static inline const struct node *fast_encloser(const struct generation *generation,
                                               const struct query *query, struct tally *tally)
{
    enum { STEPS_MAX = 2 };
    const uint8_t *at = query->folded, *end = at + query->name_size;
    for (unsigned step = 0; step < STEPS_MAX && *at != 0; step++) {
        at += *at + 1U;
        const size_t size = (size_t)(end - at);
        if (LIKELY(tally->encloser != NULL && is_named(tally->encloser, at, size))) {
            return tally->encloser;
        }
        const uint64_t hash = generation_hash_padded(generation, at, size);
        const uint64_t slot =
            index_probe(generation->names, hash, index_run(generation->names, hash));
        if (slot != 0) {
            const struct node *node = slot_node(slot);
            if (slot & SLOT_SPECIAL || !is_named(node, at, size)) {
                return NULL;
            }
            tally->encloser = node;
            return node;
        }
    }
    return NULL;
}

// Types that a name without records of that type has nothing to say about. (DS is the parent's
// business, ANY and transfers are no types.)
static inline bool is_deniable(unsigned type)
{
    return type != TYPE_DS && type - TYPE_TSIG > TYPE_ANY - TYPE_TSIG && type != TYPE_ALIAS;
}

// The answer that the zone of `encloser`, the name's node or the closest above it, has nothing to
// say; 0: take the long way.
static ALWAYS_INLINE size_t fast_denial(const struct generation *generation,
                                        const struct query *query, const struct node *encloser,
                                        struct message *message, unsigned rcode,
                                        struct tally *tally)
{
    if (!is_deniable(query->type)) {
        return 0;
    }
    if (UNLIKELY(generation->apex_labels_max > encloser->apex_label_count) &&
        encloser->label_count > encloser->apex_label_count) {
        return 0; // a zone between the two may be the one that answers
    }
    const struct denial *denial = &generation_zone(generation, encloser)->denial;
    const size_t question_end = HEADER_SIZE + query->name_size + QUESTION_FIXED_SIZE;
    const size_t size = question_end + denial->size;
    uint8_t *at = message->out + question_end;
    if (denial->size < BLOCK_SIZE || size > FAST_SIZE_MAX - OPT_REACH) {
        return 0;
    }
    block_copy(at, denial->bytes, denial->size);
    for (unsigned i = 0; i < ARRAY_SIZE(denial->pointers); i++) { // spare ones land in OPT's place
        const struct denial_pointer *pointer = &denial->pointers[i];
        put_u16(at + pointer->at, pointer->value + (unsigned)question_end);
    }
    return fast_close(generation, query, message, size, AT_NSCOUNT, 1, rcode, 0, tally);
}

// The whole NODATA of a name that is there, or 0.
static inline size_t fast_nodata(const struct generation *generation, const struct query *query,
                                 const struct node *node, struct message *message,
                                 struct tally *tally)
{
    if (node->flags & (NODE_CUT | NODE_HAS_DNAME | NODE_HAS_CNAME | NODE_HAS_ALIAS)) {
        return 0;
    }
    size_t size = fast_denial(generation, query, node, message, RCODE_NOERROR, tally);
    tally->nodata += size > 0;
    return size;
}

// The whole NXDOMAIN of one that is not, or 0.
static inline size_t fast_nxdomain(const struct generation *generation, const struct query *query,
                                   struct message *message, struct tally *tally)
{
    const struct node *encloser = fast_encloser(generation, query, tally);
    if (encloser == NULL || encloser->flags & (NODE_CUT | NODE_HAS_DNAME | NODE_HAS_WILDCARD)) {
        return 0;
    }
    size_t size = fast_denial(generation, query, encloser, message, RCODE_NXDOMAIN, tally);
    tally->nxdomain += size > 0;
    return size;
}

// The answer section alone, of any size, of a query that is not simple; 0: take the long way.
static inline size_t fast_section(struct response *response, const struct pending *pending)
{
    const struct found *found = &pending->found;
    uint8_t *at = response->message + response->question_end;
    const size_t room = response->limit - response->question_end;
    if (!is_ready(response->generation, response->query, found)) {
        return 0;
    }
    size_t size = found->rrset->size;
    response->answer_count = found->rrset->count;
    if (pending->plan != NULL) {
        struct pick pick;
        size = put_steered(response->worker, pending, &response->client, at, room, &pick);
        response->answer_count = (uint16_t)pick.count;
        response->scope = pick.scope;
        response_failed_open(response, pick.failed_open);
        counter_add(&response->worker->counters.steered);
        if (size == 0 && pick.kind == PICK_MEMBERS) { // what was picked does not fit
            response->answer_count = 0;
            response->flags = FLAG_AA | FLAG_TC;
            return response->question_end;
        }
    } else if (size <= room) {
        put_static(response->worker, found, at);
    }
    if (size == 0 || size > room) {
        return 0;
    }
    response->flags = FLAG_AA;
    return response->question_end + size;
}
