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
    plan_pick(pending->plan, client, &dice, pick);
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
    memcpy(at, generation->opt_start, 8);
    at[7] = (uint8_t)(query->dnssec_ok << 7);
    at[8] = 0;
    if (query->subnet.present) {
        tally->ecs++;
        if (generation->options.ecs) {
            options_size = fast_subnet(at + OPT_SIZE, &query->subnet, scope);
        }
    }
    put_u16(at + 9, (unsigned)options_size);
    return OPT_SIZE + options_size;
}

// Puts header, question and OPT around an answer section that ends at `size` and begins where the
// question ends. In place, most of that is there already: the counts of one question and its OPT.
static inline size_t fast_close(const struct generation *generation, const struct query *query,
                                struct message *message, size_t size, unsigned count,
                                unsigned scope, struct tally *tally)
{
    uint8_t *out = message->out;
    if (UNLIKELY(out != message->query)) {
        memcpy(out, message->query, HEADER_SIZE + query->name_size + QUESTION_FIXED_SIZE);
    }
    put_u16(out + AT_FLAGS, FLAG_QR | FLAG_AA | (query->flags & FLAG_RD));
    put_u16(out + AT_ANCOUNT, count);
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
    return fast_close(generation, query, message, size, found->rrset->count, 0, tally);
}

// The same from a plan that answers with one record.
static inline size_t fast_steered(const struct generation *generation, struct worker *worker,
                                  const struct pending *pending, struct message *message,
                                  struct tally *tally)
{
    const struct query *query = &pending->query;
    const size_t question_end = HEADER_SIZE + query->name_size + QUESTION_FIXED_SIZE;
    const bool located = query_is_located(query, generation);
    struct dice dice = {&worker->random, worker->turns, pending->found.rrset->turn};
    struct picked picked = plan_pick_one(
        pending->plan, located ? &query->subnet.address : &message->source.address, &dice);
    const size_t size = question_end + picked.size;
    if (picked.record == NULL || size > FAST_SIZE_MAX - OPT_REACH) {
        return 0;
    }
    bytes_copy(message->out + question_end, picked.record, picked.size);
    tally->steered++;
    return fast_close(generation, query, message, size, 1, located ? picked.scope : 0, tally);
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
    } else if (size <= room) {
        put_static(response->worker, found, at);
    }
    if (size == 0 || size > room) {
        return 0;
    }
    if (pending->plan != NULL) {
        counter_add(&response->worker->counters.steered);
    }
    response->flags = FLAG_AA;
    return response->question_end + size;
}
