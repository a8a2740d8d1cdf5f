// SPDX-License-Identifier: GPL-3.0-or-later
//
// The full algorithm of RFC 1034, section 4.3.2, for what the fast path leaves: names that do not
// exist, wildcards (RFC 4592), delegations, CNAME chains, DNAME (RFC 6672), records with names.
//
// Bounded whatever the data: a chain has at most CHAIN_MAX links, additional names at most
// ANSWER_ADDITIONAL_NAMES_MAX. A chain is followed inside its zone only; where it leaves it the
// answer ends and the resolver asks on (docs/architecture.md). When the answer or authority section
// does not fit, both are left empty and TC says so; additional records that do not fit are left
// out, but for glue that the resolver cannot do without (RFC 9471).
#include "answer/follow.h"
#include "answer/options.h"
#include "answer/service.h"
#include "dns/svcb.h"

#include <string.h>

enum { ANY_TTL_S = 3600 };

struct walk {
    struct response *response;
    struct writer writer;
    const uint8_t *name; // the name that the chain has come to, folded and padded
    size_t name_size;
    const struct name_labels *labels;         // where its labels begin
    struct writer_owner owner;                // the same as it is written out
    const struct zone_entry *zone;            // of the first name
    uint64_t followed[CHAIN_MAX + 1];         // hashes of the names that were aliases
    const struct node *dnames[CHAIN_MAX + 1]; // that have been written
    unsigned links, followed_count, dname_count;
    uint32_t negative_ttl_max; // a NODATA by policy may be a matter of seconds
    uint32_t ttl_max;          // of the answer: what stands behind an ALIAS lives no longer than it
    bool truncated;
    // Where the message has the names in the RRset that was written last.
    uint16_t named[ANSWER_ADDITIONAL_NAMES_MAX];
    struct name_labels labels_store; // these three: of a name that was moved to
    uint8_t owner_store[NAME_MAX_SIZE], name_store[NAME_PADDED_SIZE];
};

// --- writing

static size_t record_size(const uint8_t *record)
{
    return 12U + get_u16(record + 10);
}

// A record of a service whose hints follow is filled in.
static bool put_service(struct walk *walk, struct writer_owner *owner, const uint8_t *record)
{
    uint32_t ttl = MIN(get_u32(record + 6), walk->ttl_max);
    uint8_t filled[SERVICE_RDATA_MAX];
    size_t size = response_service(walk->response, owner->name, record + 12, get_u16(record + 10),
                                   filled, &ttl);
    return writer_put(&walk->writer, owner, get_u16(record + 2), CLASS_IN, ttl, filled, size);
}

static bool put_record(struct walk *walk, struct writer_owner *owner, const uint8_t *record)
{
    const uint16_t type = get_u16(record + 2);
    const size_t size = get_u16(record + 10);
    if (type_is_service(type) && svcb_follows(record + 12, size)) {
        return put_service(walk, owner, record);
    }
    return writer_put(&walk->writer, owner, type, CLASS_IN, MIN(get_u32(record + 6), walk->ttl_max),
                      record + 12, size);
}

// Whether it is certain before anything is written that an RRset does not fit: its records have an
// owner of one octet at least in the place of two; a compressed name has one octet at least; a hint
// that follows may be left out.
static bool is_too_large(const struct walk *walk, const struct node_rrset *rrset)
{
    enum { HINTS_SIZE = 2 * SVCB_PARAM_HEAD_SIZE };
    const size_t room = walk->writer.limit - walk->writer.size, count = rrset->count;
    const struct rr_type_info *info = rrset->is_ready ? NULL : rr_type_find(rrset->type);
    if (info != NULL && info->compressible) {
        return count * (1U + RR_FIXED_SIZE + info->name_offset + info->name_count) > room;
    }
    return rrset->size - count * (1U + (type_is_service(rrset->type) ? HINTS_SIZE : 0)) > room;
}

// All records of a static RRset, from the one whose turn it is; false when one did not fit.
static bool put_rrset(struct walk *walk, struct writer_owner *owner, const struct node *node,
                      const struct node_rrset *rrset, uint16_t *count)
{
    const uint8_t *first = node_records(node, rrset), *end = first + rrset->size;
    const uint8_t *at = first;
    if (is_too_large(walk, rrset)) {
        return false;
    }
    if (rrset->turn != 0 && rrset->plan == 0) {
        at += response_rotation_once(walk->response, rrset);
    }
    // What is ready is copied, if its TTL stays.
    const bool is_copied = rrset->is_ready && get_u32(at + 6) <= walk->ttl_max;
    for (unsigned i = 0; i < rrset->count; i++) {
        if (is_copied ? !writer_copy(&walk->writer, owner, at, record_size(at))
                      : !put_record(walk, owner, at)) {
            return false;
        }
        if (i < ANSWER_ADDITIONAL_NAMES_MAX) {
            walk->named[i] = walk->writer.last_name;
        }
        *count += 1;
        at += record_size(at);
        at = at == end ? first : at;
    }
    return true;
}

static void put_negative(struct walk *walk)
{
    const struct zone_entry *zone = walk->zone;
    const uint8_t *record = zone->negative_soa;
    struct writer_owner apex = {.name = zone->apex};
    uint32_t ttl = MIN(get_u32(record + 6), walk->negative_ttl_max);
    if (!writer_put(&walk->writer, &apex, TYPE_SOA, CLASS_IN, ttl, record + 12,
                    get_u16(record + 10))) {
        walk->truncated = true;
        return;
    }
    walk->response->authority_count++;
}

// --- additional section

static bool put_steered_additional(struct walk *walk, struct writer_owner *host,
                                   const struct node_rrset *rrset, uint16_t *count)
{
    struct pick own;
    const struct pick *pick = &own;
    if (!response_may_pick(walk->response, rrset, NEED_EXTRA)) {
        return true; // nobody needs what is additional
    }
    if (rrset->type == TYPE_A || rrset->type == TYPE_AAAA) {
        pick = response_pick_once(walk->response, rrset);
    } else { // writing it may pick addresses for its hints
        response_pick(walk->response, rrset, &own);
    }
    for (size_t i = 0; i < pick->count; i++) {
        if (!put_record(walk, host, pick->records[i])) {
            return false;
        }
        *count += 1;
    }
    return true;
}

// An RRset of a host as a whole, or nothing of it.
static bool put_additional_rrset(struct walk *walk, struct writer_owner *host,
                                 const struct node *node, const struct node_rrset *rrset)
{
    const struct writer_mark before = writer_mark(&walk->writer);
    const struct writer_owner host_before = *host;
    uint16_t count = 0;
    bool fits = rrset->plan != 0 ? put_steered_additional(walk, host, rrset, &count)
                                 : put_rrset(walk, host, node, rrset, &count);
    if (fits) {
        walk->response->additional_count += count;
    } else {
        writer_back(&walk->writer, &before);
        *host = host_before;
    }
    return fits;
}

// Address records of a host of this zone, glue included; steered ones as this client gets them. And
// records of type `also` (0: none). False when something did not fit.
static bool put_host(struct walk *walk, struct writer_owner *host, const struct node *node,
                     uint16_t also)
{
    bool fits = true;
    for (unsigned i = 0; node != NULL && i < node->rrset_count; i++) {
        const struct node_rrset *rrset = &node->rrsets[i];
        bool wanted =
            rrset->type == TYPE_A || rrset->type == TYPE_AAAA || (also != 0 && rrset->type == also);
        if (wanted) {
            fits &= put_additional_rrset(walk, host, node, rrset);
        }
    }
    return fits;
}

// Hosts that records have named, by the hashes of their names.
struct hosts {
    uint64_t hashes[ANSWER_ADDITIONAL_NAMES_MAX];
    unsigned count;
};

// The node of a host in this zone; NULL when there is none, or another record has named it before.
static const struct node *find_host(struct walk *walk, const uint8_t *name, struct hosts *known)
{
    const struct generation *generation = walk->response->generation;
    uint8_t folded[NAME_PADDED_SIZE];
    const size_t size = name_size(name);
    name_fold_and_pad(name, size, folded);
    const uint64_t hash = generation_hash_padded(generation, folded, size);
    for (unsigned i = 0; i < known->count; i++) {
        if (known->hashes[i] == hash) {
            return NULL;
        }
    }
    known->hashes[known->count++] = hash;
    return index_find_in_zone(generation->names, hash, folded, size, walk->zone->slot);
}

static bool has_room_for_address(const struct walk *walk)
{
    enum { SMALLEST = 2 + RR_FIXED_SIZE + 4 };
    return walk->writer.limit - walk->writer.size >= SMALLEST;
}

// What the names in an RRset of `owner` lead to. `required`: names at or below this one must fit
// (glue).
static void put_additional(struct walk *walk, const uint8_t *owner, const struct node *node,
                           const struct node_rrset *rrset, const uint8_t *required)
{
    const struct rr_type_info *info = rr_type_find(rrset->type);
    if (info == NULL || !info->wants_additional) {
        return;
    }
    const uint8_t *at = node_records(node, rrset), *end = at + rrset->size;
    struct hosts known = {.count = 0};
    for (unsigned i = 0; at < end && i < ANSWER_ADDITIONAL_NAMES_MAX; i++) {
        if (required == NULL && !has_room_for_address(walk)) {
            return;
        }
        struct writer_owner host = {at + 12U + info->name_offset, walk->named[i]};
        uint16_t also = 0;
        if (type_is_service(rrset->type)) { // RFC 9460, 4.1; "." is the owner itself (2.5)
            bool alias_mode = get_u16(at + 12) == 0;
            also = alias_mode && !name_is_root(host.name) ? rrset->type : 0;
            host.name = !alias_mode && name_is_root(host.name) ? owner : host.name;
        }
        const struct node *found = find_host(walk, host.name, &known);
        if (found != NULL && !put_host(walk, &host, found, also) && required != NULL &&
            name_within(host.name, required)) {
            walk->truncated = true;
            return;
        }
        at += record_size(at);
    }
}

// --- the steps of the algorithm

// What is found decides the response, or the chain goes on.
enum step { STEP_DONE, STEP_ON };

// Decided, and counted as what it is; a response that did not fit is counted at the end.
static enum step done(const struct walk *walk, _Atomic uint64_t *counter)
{
    if (!walk->truncated) {
        counter_add(counter);
    }
    return STEP_DONE;
}

static enum step refer(struct walk *walk, const struct node *cut)
{
    struct response *response = walk->response;
    const struct node_rrset *ns = node_rrset(cut, TYPE_NS);
    SP_ASSERT(ns != NULL);
    if (response->answer_count == 0) {
        response->flags &= (uint16_t)~FLAG_AA;
    }
    struct writer_owner owner = {.name = node_name(cut)};
    if (!put_rrset(walk, &owner, cut, ns, &response->authority_count)) {
        walk->truncated = true;
        return STEP_DONE;
    }
    put_additional(walk, node_name(cut), cut, ns, node_name(cut));
    return done(walk, &response->worker->counters.referrals);
}

static enum step deny(struct walk *walk, bool name_exists)
{
    struct worker_counters *counters = &walk->response->worker->counters;
    // RFC 6604: of the last name.
    walk->response->rcode = name_exists ? RCODE_NOERROR : RCODE_NXDOMAIN;
    put_negative(walk);
    return done(walk, name_exists ? &counters->nodata : &counters->nxdomain);
}

// The answer so far is all there is: the resolver asks on where the chain has come to.
static enum step end_of_chain(struct walk *walk)
{
    return done(walk, &walk->response->worker->counters.noerror);
}

// Whether the chain is better asked on for: what comes next takes an effort to decide, and two
// links or another such decision have led here, or long names.
static bool is_too_much(const struct walk *walk, const struct node_rrset *rrset)
{
    enum { LINKS_BEFORE = 2 };
    const struct response *response = walk->response;
    const bool is_far = walk->links >= LINKS_BEFORE || response->effort > 0;
    return walk->links > 0 && (!response_may_pick(response, rrset, NEED_ANSWER) ||
                               (is_far && !response_may_pick(response, rrset, NEED_EXTRA)));
}

// Goes on with another name, which the record that was written last ends with.
static void move_to(struct walk *walk, const uint8_t *target, size_t size)
{
    walk->labels_store = walk->writer.own;
    walk->labels = &walk->labels_store;
    memmove(walk->owner_store, target, size);
    walk->owner = (struct writer_owner){walk->owner_store, walk->writer.last_name};
    walk->name_size = size;
    walk->name = walk->name_store;
    name_fold_and_pad(target, size, walk->name_store);
}

// Whether the chain has been at this name before: a loop, and the answer ends.
static bool is_followed(struct walk *walk)
{
    uint64_t hash = generation_hash_padded(walk->response->generation, walk->name, walk->name_size);
    for (unsigned i = 0; i < walk->followed_count; i++) {
        if (walk->followed[i] == hash) {
            return true;
        }
    }
    walk->followed[walk->followed_count++] = hash;
    return false;
}

// The DNAME itself, once an answer.
static bool put_dname(struct walk *walk, const struct node *node, const uint8_t *record)
{
    for (unsigned i = 0; i < walk->dname_count; i++) {
        if (walk->dnames[i] == node) {
            return true;
        }
    }
    walk->dnames[walk->dname_count++] = node;
    walk->response->answer_count++;
    struct writer_owner owner = {.name = node_name(node)};
    return put_record(walk, &owner, record);
}

static enum step fail(struct walk *walk)
{
    walk->response->rcode = RCODE_SERVFAIL;
    return done(walk, &walk->response->worker->counters.servfail);
}

static enum step finish_steered(struct walk *walk, const struct pick *pick)
{
    response_error(walk->response, EDE_OTHER, "no member is up");
    if (pick->kind == PICK_SERVFAIL) {
        return fail(walk);
    }
    walk->negative_ttl_max = pick->ttl;
    return deny(walk, true);
}

static enum step follow_cname(struct walk *walk, const struct node *node)
{
    const struct node_rrset *rrset = node_rrset(node, TYPE_CNAME);
    struct response *response = walk->response;
    const uint8_t *record = node_records(node, rrset);
    struct pick pick;
    if (is_followed(walk) || is_too_much(walk, rrset)) {
        return end_of_chain(walk);
    }
    if (rrset->plan != 0) {
        response_pick(response, rrset, &pick);
        if (pick.kind != PICK_MEMBERS) {
            return finish_steered(walk, &pick);
        }
        record = pick.records[0];
    }
    if (!put_record(walk, &walk->owner, record)) {
        walk->truncated = true;
        return STEP_DONE;
    }
    response->answer_count++;
    walk->links++;
    if (response->query->type == TYPE_ANY) { // it matches the alias itself (RFC 1034, 4.3.2, 3a)
        return end_of_chain(walk);
    }
    const uint8_t *target = record + 12;
    move_to(walk, target, name_size(target));
    return STEP_ON;
}

// RFC 6672: the DNAME itself, and a CNAME made from it with the same TTL. YXDOMAIN when the new
// name would be too long.
static enum step follow_dname(struct walk *walk, const struct node *node)
{
    struct response *response = walk->response;
    const struct node_rrset *rrset = node_rrset(node, TYPE_DNAME);
    const uint8_t *record = node_records(node, rrset), *target = record + 12;
    if (is_followed(walk)) {
        return end_of_chain(walk);
    }
    if (!put_dname(walk, node, record)) {
        walk->truncated = true;
        return STEP_DONE;
    }
    size_t prefix = walk->name_size - node->name_size, target_size = name_size(target);
    uint8_t name[NAME_MAX_SIZE];
    if (prefix + target_size > NAME_MAX_SIZE) {
        response->rcode = RCODE_YXDOMAIN;
        return STEP_DONE;
    }
    memcpy(name, walk->owner.name, prefix);
    memcpy(name + prefix, target, target_size);
    if (!writer_put(&walk->writer, &walk->owner, TYPE_CNAME, CLASS_IN, get_u32(record + 6), name,
                    prefix + target_size)) {
        walk->truncated = true;
        return STEP_DONE;
    }
    response->answer_count++;
    walk->links += DNAME_LINKS;
    if (response->query->type == TYPE_CNAME) { // this is what was asked for
        return end_of_chain(walk);
    }
    move_to(walk, name, prefix + target_size);
    return STEP_ON;
}

static enum step put_steered(struct walk *walk, const struct node_rrset *rrset)
{
    struct response *response = walk->response;
    struct pick pick;
    if (is_too_much(walk, rrset)) {
        return end_of_chain(walk);
    }
    response_pick(response, rrset, &pick);
    if (pick.kind != PICK_MEMBERS) {
        return finish_steered(walk, &pick);
    }
    const bool is_copied = rrset->is_ready && pick.ttl <= walk->ttl_max;
    for (size_t i = 0; i < pick.count; i++) {
        if (is_copied ? !writer_copy(&walk->writer, &walk->owner, pick.records[i], pick.sizes[i])
                      : !put_record(walk, &walk->owner, pick.records[i])) {
            walk->truncated = true;
            return STEP_DONE;
        }
        response->answer_count++;
    }
    return done(walk, &response->worker->counters.noerror);
}

// RFC 8482, 4.2: a question for ANY gets one small made-up HINFO, where there is no alias.
static enum step put_any(struct walk *walk)
{
    static const uint8_t rdata[] = {7, 'R', 'F', 'C', '8', '4', '8', '2', 0};
    struct response *response = walk->response;
    if (writer_put(&walk->writer, &walk->owner, TYPE_HINFO, CLASS_IN, ANY_TTL_S, rdata,
                   sizeof(rdata))) {
        response->answer_count++;
    } else {
        walk->truncated = true;
    }
    return done(walk, &response->worker->counters.noerror);
}

// The addresses of the target as if they were the name's own; none there, none here.
static enum step put_alias(struct walk *walk, const struct node *node)
{
    struct response *response = walk->response;
    const uint8_t *record = node_records(node, node_rrset(node, TYPE_ALIAS));
    struct followed found;
    enum follow_end end =
        response_follow(response, record + 12, response->query->type, NEED_ANSWER, &found);
    if (end == FOLLOWED_NONE) {
        return deny(walk, true);
    }
    if (end == FOLLOWED_TOO_MUCH || !response_may_pick(response, found.rrset, NEED_ANSWER)) {
        if (walk->links > 0) { // a resolver asks for the ALIAS itself, but never behind it
            return end_of_chain(walk);
        }
        response_error(response, EDE_OTHER, "the alias leads too far");
        return fail(walk);
    }
    walk->ttl_max = MIN(found.ttl_max, get_u32(record + 6));
    if (found.rrset->plan != 0) {
        return put_steered(walk, found.rrset);
    }
    walk->truncated =
        !put_rrset(walk, &walk->owner, found.node, found.rrset, &response->answer_count);
    return done(walk, &response->worker->counters.noerror);
}

// The name has no RRset of the type.
static enum step answer_without(struct walk *walk, const struct node *node, uint16_t type)
{
    if (node->flags & NODE_HAS_CNAME) {
        return follow_cname(walk, node);
    }
    bool address = type == TYPE_A || type == TYPE_AAAA;
    return node->flags & NODE_HAS_ALIAS && address ? put_alias(walk, node) : deny(walk, true);
}

// Answers from a node: the name's own, or the wildcard that stands for it.
static enum step answer_from(struct walk *walk, const struct node *node)
{
    struct response *response = walk->response;
    uint16_t type = response->query->type;
    if (type == TYPE_ANY && node->rrset_count > 0) {
        return node->flags & NODE_HAS_CNAME ? follow_cname(walk, node) : put_any(walk);
    }
    const struct node_rrset *rrset = node_rrset(node, type);
    if (rrset == NULL || type == TYPE_ALIAS) { // an ALIAS is nobody's business
        return answer_without(walk, node, type);
    }
    if (rrset->plan != 0) {
        return put_steered(walk, rrset);
    }
    if (!put_rrset(walk, &walk->owner, node, rrset, &response->answer_count)) {
        walk->truncated = true;
        return STEP_DONE;
    }
    put_additional(walk, walk->owner.name, node, rrset, NULL);
    return done(walk, &response->worker->counters.noerror);
}

static enum step refuse(struct walk *walk, enum ede why)
{
    walk->response->rcode = RCODE_REFUSED;
    response_error(walk->response, why, NULL);
    return done(walk, &walk->response->worker->counters.refused);
}

static enum step take_step(struct walk *walk, bool first)
{
    struct response *response = walk->response;
    uint16_t type = response->query->type;
    if (type == TYPE_AXFR || type == TYPE_IXFR) {
        return refuse(walk, EDE_PROHIBITED); // no zone is handed out
    }
    struct place_found found =
        response_find(response->generation, walk->name, walk->name_size, walk->labels, type);
    if (found.encloser == NULL && first) {
        return refuse(walk, EDE_NOT_AUTHORITATIVE); // nobody's zone
    }
    if (!first && (found.encloser == NULL ||
                   generation_zone(response->generation, found.encloser) != walk->zone)) {
        return end_of_chain(walk); // the chain has left the zone
    }
    if (first) {
        walk->zone = generation_zone(response->generation, found.encloser);
        response->flags |= FLAG_AA;
    }
    response_looked(response, &found, first);
    if (found.encloser->flags & NODE_CUT && !(found.node != NULL && type == TYPE_DS)) {
        return refer(walk, found.encloser);
    }
    if (found.node != NULL) {
        return answer_from(walk, found.node);
    }
    if (found.encloser->flags & NODE_HAS_DNAME) {
        return follow_dname(walk, found.encloser);
    }
    const struct node *wildcard = response_wildcard(response->generation, found.encloser);
    return wildcard ? answer_from(walk, wildcard) : deny(walk, false);
}

static void walk_begin(struct walk *walk, struct response *response)
{
    const struct query *query = response->query;
    walk->response = response;
    walk->name = query->folded;
    walk->name_size = query->name_size;
    walk->owner = (struct writer_owner){query->name, query->name_size > 1 ? HEADER_SIZE : 0};
    walk->zone = NULL;
    walk->followed_count = walk->dname_count = 0;
    walk->negative_ttl_max = walk->ttl_max = UINT32_MAX;
    walk->truncated = false;
    walk->links = 0;
    walk->labels = &walk->writer.question;
    writer_begin(&walk->writer, response->message, response->question_end, response->limit);
    for (size_t i = 0; i < ARRAY_SIZE(response->worker->decided); i++) {
        response->worker->decided[i].picked = response->worker->decided[i].rotated = NULL;
    }
}

size_t response_resolve(struct response *response)
{
    struct walk walk; // large: what counts is set
    walk_begin(&walk, response);
    enum step step = STEP_ON;
    while (step == STEP_ON && walk.links <= CHAIN_MAX && !walk.truncated) {
        step = take_step(&walk, walk.links == 0);
    }
    if (step == STEP_ON && !walk.truncated) { // longer than we follow
        end_of_chain(&walk);
    }
    if (walk.truncated) {
        response->flags |= FLAG_TC;
        response->answer_count = response->authority_count = response->additional_count = 0;
        counter_add(&response->worker->counters.truncated);
        return response->question_end;
    }
    return walk.writer.size;
}
