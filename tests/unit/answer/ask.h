// SPDX-License-Identifier: GPL-3.0-or-later
//
// Zones from text, and answers back as text: what the tests of answer/ share. The decoder is its
// own: it knows nothing of the writer.
#pragma once

#include "../seed.h"
#include "answer/answer.h"
#include "base/memory.h"
#include "base/rcu.h"
#include "dns/types.h"
#include "dns/wire.h"
#include "zone/rdata.h"
#include "format/readers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static inline size_t wire_name(const char *text, uint8_t wire[NAME_MAX_SIZE])
{
    size_t size = name_parse(text, NULL, wire, NULL);
    if (size == 0) {
        fail_msg("bad name %s", text);
    }
    return size;
}

static inline void print_diags(struct diags *diags)
{
    for (size_t i = 0; i < diags->count; i++) {
        char text[1024];
        print_message("%s\n", diag_format(&diags->items[i], text, sizeof(text)));
    }
}

// --- zones

// Lines of "owner ttl TYPE rdata", owners absolute; SOA and NS are added when there are none.
static inline struct zone *zone_of(const char *apex_text, const char *lines)
{
    uint8_t apex[NAME_MAX_SIZE], owner[NAME_MAX_SIZE], rdata[4096];
    wire_name(apex_text, apex);
    struct zone *zone = zone_new(apex);
    struct diags diags = {0};
    char *copy = mem_strdup(lines), *rest = NULL;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char owner_text[NAME_TEXT_MAX], type_text[16];
        unsigned ttl;
        int at = 0;
        assert_int_equal(sscanf(line, "%1023s %u %15s %n", owner_text, &ttl, type_text, &at), 3);
        uint16_t type;
        assert_true(rr_type_parse(type_text, &type));
        wire_name(owner_text, owner);
        const char *reason = NULL;
        size_t size = rdata_parse(type, line + at, apex, rdata, sizeof(rdata), &reason);
        if (size == 0) {
            fail_msg("%s: %s", line, reason);
        }
        const struct zone_record record = {owner, type, ttl, rdata, size, {0}};
        zone_add(zone, &record, &diags);
    }
    free(copy);
    const char *const nameservers[] = {"ns.nowhere.invalid."};
    struct zone_defaults defaults = {nameservers, 1, "hostmaster.nowhere.invalid.", 1, 300};
    bool good = zone_finish(zone, &defaults, &diags);
    if (!good || diags.error_count > 0) {
        print_diags(&diags);
        fail_msg("zone %s has faults", apex_text);
    }
    diags_clear(&diags);
    return zone;
}

// Compiles a plan for whoever asks, without looking at health: everything is up unless the member
// says otherwise. The slots of the RRsets are noted in `slots` when `context` is one.
struct slots {
    struct {
        char owner[NAME_TEXT_MAX];
        uint16_t type;
        uint32_t slot;
    } items[64];
    size_t count;
};

static inline struct plan *plan_simple(void *context, const struct owner *owner,
                                       const struct rrset *rrset, uint32_t slot)
{
    struct slots *slots = context;
    if (slots != NULL) {
        assert_true(slots->count < ARRAY_SIZE(slots->items));
        name_format(owner->name, slots->items[slots->count].owner);
        slots->items[slots->count].type = rrset->type;
        slots->items[slots->count++].slot = slot;
    }
    return plan_compile(rrset->policy, rrset->type, rrset->ttl, NULL, NULL, 7);
}

// Steers an RRset that is in the zone: all its records in one pool, for everybody.
static inline struct policy *steer(struct zone *zone, const char *owner_text, uint16_t type,
                                   enum method method, unsigned answers)
{
    uint8_t owner[NAME_MAX_SIZE];
    wire_name(owner_text, owner);
    struct arena *arena = zone_arena(zone);
    struct rrset *rrset = zone_rrset(zone, owner, type);
    struct policy *policy = arena_alloc(arena, sizeof(*policy));
    *policy = (struct policy){.method = method, .answers = answers};
    policy->pools = arena_alloc(arena, sizeof(*policy->pools));
    policy->rules = arena_alloc(arena, sizeof(*policy->rules));
    policy->pool_count = policy->rule_count = 1;
    policy->rules[0].share_ppm = 1000000;
    struct pool *pool = &policy->pools[0];
    *pool = (struct pool){.name = "default", .fallback = -1, .min_up = 1};
    pool->members = arena_alloc(arena, rrset->record_count * sizeof(*pool->members));
    pool->member_count = rrset->record_count;
    for (size_t i = 0; i < rrset->record_count; i++) {
        pool->members[i] = (struct member){.rdata = rrset->records[i].rdata,
                                           .rdata_size = rrset->records[i].rdata_size,
                                           .weight = 1,
                                           .check = -1};
    }
    rrset->policy = policy;
    return policy;
}

static inline struct publisher *publisher_simple(void)
{
    struct answer_options options = {.udp_payload_max = 1232,
                                     .chaos_version = "Signpost test",
                                     .chaos_id = "node \"1\"",
                                     .ecs = true};
    return publisher_new(&options);
}

static inline void publish(struct change *change)
{
    struct diags diags = {0};
    bool good = change_publish(change, &diags);
    print_diags(&diags);
    assert_true(good);
    assert_int_equal(diags.count, 0);
}

// Puts and publishes one zone, and frees it: a generation keeps nothing of it.
static inline void put_zone(struct publisher *publisher, struct zone *zone)
{
    struct change *change = change_begin(publisher);
    change_zone(change, zone, plan_simple, NULL);
    publish(change);
    zone_free(zone);
}

// --- questions

struct question {
    const char *name;
    uint16_t type;
    uint16_t class; // 0: IN
    bool tcp, edns, dnssec_ok;
    unsigned payload;       // 0: 1232
    const char *subnet;     // client subnet, or NULL
    const char *source;     // NULL: 192.0.2.9
    unsigned capacity;      // of the output; 0: the transport's
    bool tls, no_recursion; // RD is set but for that
    const uint8_t *options; // more EDNS options, as they stand in the query
    size_t options_size;
};

static inline size_t put_option_subnet(uint8_t *at, const char *text)
{
    struct prefix prefix;
    assert_true(prefix_parse(text, &prefix, NULL));
    size_t octets = (prefix.length + 7U) / 8;
    put_u16(at, 8);
    put_u16(at + 2, (unsigned)octets + 4);
    put_u16(at + 4, prefix.address.family == FAMILY_IPV4 ? 1 : 2);
    at[6] = prefix.length;
    at[7] = 0;
    memcpy(at + 8, prefix.address.bytes, octets);
    return 8 + octets;
}

static inline size_t query_make(const struct question *question, uint16_t id, uint8_t *message)
{
    memset(message, 0, HEADER_SIZE);
    put_u16(message + AT_ID, id);
    put_u16(message + AT_FLAGS, question->no_recursion ? 0 : FLAG_RD);
    put_u16(message + AT_QDCOUNT, 1);
    size_t size = HEADER_SIZE + wire_name(question->name, message + HEADER_SIZE);
    put_u16(message + size, question->type);
    put_u16(message + size + 2, question->class ? question->class : CLASS_IN);
    size += 4;
    if (!question->edns && question->subnet == NULL) {
        return size;
    }
    put_u16(message + AT_ARCOUNT, 1);
    message[size] = 0;
    put_u16(message + size + 1, TYPE_OPT);
    put_u16(message + size + 3, question->payload ? question->payload : 1232);
    put_u32(message + size + 5, question->dnssec_ok ? 0x8000 : 0);
    size_t option = question->subnet ? put_option_subnet(message + size + 11, question->subnet) : 0;
    if (question->options_size > 0) {
        memcpy(message + size + 11 + option, question->options, question->options_size);
        option += question->options_size;
    }
    put_u16(message + size + 9, (unsigned)option);
    return size + 11 + option;
}

// --- replies

enum { SECTIONS = 3, LINES_MAX = 1500 };

struct reply {
    size_t size;
    unsigned rcode;
    bool aa, tc;
    unsigned counts[SECTIONS]; // answer, authority, additional without OPT
    char *lines[SECTIONS][LINES_MAX];
    bool edns, dnssec_ok;
    unsigned payload, subnet_family, subnet_source, subnet_scope;
    bool subnet;
    struct {
        unsigned code, size;
        const uint8_t *data;
    } options[8]; // but the client subnet
    unsigned option_count;
    uint8_t message[ANSWER_TCP_MAX];
};

static inline size_t decode_name(const struct reply *reply, size_t *at, uint8_t *name)
{
    size_t from = *at, used = 0, lowest = *at, after = 0;
    for (;;) {
        assert_true(from < reply->size);
        unsigned length = reply->message[from];
        if (length >= 0xc0) {
            assert_true(from + 1 < reply->size);
            size_t target = (length & 0x3f) << 8 | reply->message[from + 1];
            after = after ? after : from + 2;
            assert_true(target >= HEADER_SIZE && target < lowest);
            from = lowest = target;
            continue;
        }
        assert_true(length <= 63 && from + length < reply->size);
        assert_true(used + length + 1 <= NAME_MAX_SIZE);
        memcpy(name + used, reply->message + from, length + 1);
        used += length + 1;
        from += length + 1;
        if (length == 0) {
            *at = after ? after : from;
            return used;
        }
    }
}

// Rdata with its names written out.
static inline size_t decode_rdata(const struct reply *reply, uint16_t type, size_t at, size_t end,
                                  uint8_t *rdata)
{
    const struct rr_type_info *info = rr_type_find(type);
    size_t used = 0;
    if (info != NULL && info->name_count > 0) {
        memcpy(rdata, reply->message + at, info->name_offset);
        used = info->name_offset;
        at += info->name_offset;
        for (unsigned i = 0; i < info->name_count; i++) {
            used += decode_name(reply, &at, rdata + used);
        }
    }
    assert_true(at <= end);
    memcpy(rdata + used, reply->message + at, end - at);
    return used + end - at;
}

static inline void decode_opt(struct reply *reply, size_t fixed, size_t at, size_t end)
{
    assert_false(reply->edns); // one OPT at most
    reply->edns = true;
    reply->payload = get_u16(reply->message + fixed + 2);
    reply->rcode |= (unsigned)reply->message[fixed + 4] << 4;
    assert_int_equal(reply->message[fixed + 5], 0); // version
    reply->dnssec_ok = get_u16(reply->message + fixed + 6) == 0x8000;
    assert_int_equal(get_u16(reply->message + fixed + 6) & 0x7fff, 0);
    while (at < end) {
        unsigned code = get_u16(reply->message + at), size = get_u16(reply->message + at + 2);
        assert_true(at + 4 + size <= end);
        if (code != 8) {
            assert_true(reply->option_count < ARRAY_SIZE(reply->options));
            for (unsigned i = 0; i < reply->option_count; i++) {
                assert_int_not_equal(reply->options[i].code, code);
            }
            reply->options[reply->option_count].code = code;
            reply->options[reply->option_count].size = size;
            reply->options[reply->option_count++].data = reply->message + at + 4;
            at += 4 + size;
            continue;
        }
        reply->subnet = true;
        reply->subnet_family = get_u16(reply->message + at + 4);
        reply->subnet_source = reply->message[at + 6];
        reply->subnet_scope = reply->message[at + 7];
        assert_int_equal(size - 4, (reply->subnet_source + 7) / 8);
        at += 4 + size;
    }
}

static inline void decode_record(struct reply *reply, size_t *at, int section)
{
    uint8_t owner[NAME_MAX_SIZE];
    static _Thread_local uint8_t rdata[ANSWER_TCP_MAX];
    static _Thread_local char rdata_text[4 * ANSWER_TCP_MAX];
    size_t owner_size = decode_name(reply, at, owner), fixed = *at;
    assert_true(fixed + RR_FIXED_SIZE <= reply->size);
    uint16_t type = get_u16(reply->message + fixed);
    size_t start = fixed + RR_FIXED_SIZE, end = start + get_u16(reply->message + fixed + 8);
    assert_true(end <= reply->size);
    *at = end;
    if (type == TYPE_OPT) {
        assert_int_equal(section, 2);
        assert_int_equal(owner_size, 1);
        decode_opt(reply, fixed, start, end);
        return;
    }
    size_t size = decode_rdata(reply, type, start, end, rdata);
    char name[NAME_TEXT_MAX], type_text[RR_TYPE_TEXT_MAX];
    rdata_format(type, rdata, size, rdata_text, sizeof(rdata_text));
    int needed =
        snprintf(NULL, 0, "%s %u %s %s", name_format(owner, name),
                 get_u32(reply->message + fixed + 4), rr_type_format(type, type_text), rdata_text);
    char *line = mem_alloc((size_t)needed + 1);
    snprintf(line, (size_t)needed + 1, "%s %u %s %s", name, get_u32(reply->message + fixed + 4),
             type_text, rdata_text);
    assert_true(reply->counts[section] < LINES_MAX);
    reply->lines[section][reply->counts[section]++] = line;
}

// Takes apart what stands in reply->message.
static inline void decode(struct reply *reply, const uint8_t *query)
{
    assert_true(reply->size >= HEADER_SIZE);
    unsigned flags = get_u16(reply->message + AT_FLAGS);
    assert_memory_equal(reply->message, query, 2);
    assert_true(flags & FLAG_QR);
    assert_int_equal(flags & 0x00f0, 0); // RA, Z, AD, CD
    const unsigned kept = MASK_OPCODE | FLAG_RD;
    assert_int_equal(flags & kept, get_u16(query + AT_FLAGS) & kept);
    reply->rcode = flags & 15;
    reply->aa = flags & FLAG_AA;
    reply->tc = flags & FLAG_TC;
    size_t at = HEADER_SIZE;
    if (get_u16(reply->message + AT_QDCOUNT) > 0) {
        assert_int_equal(get_u16(reply->message + AT_QDCOUNT), 1);
        uint8_t name[NAME_MAX_SIZE];
        size_t size = decode_name(reply, &at, name);
        assert_memory_equal(reply->message + HEADER_SIZE, query + HEADER_SIZE, size + 4);
        at += 4;
    }
    for (int section = 0; section < SECTIONS; section++) {
        unsigned count = get_u16(reply->message + AT_ANCOUNT + 2 * section);
        while (count-- > 0) {
            decode_record(reply, &at, section);
        }
    }
    assert_int_equal(at, reply->size);
}

static inline void reply_free(struct reply *reply)
{
    for (int section = 0; section < SECTIONS; section++) {
        for (unsigned i = 0; i < reply->counts[section]; i++) {
            free(reply->lines[section][i]);
        }
    }
    free(reply);
}

// Asks; the answer is checked for its form. NULL when there was none.
static inline struct reply *ask(const struct generation *generation, struct worker *worker,
                                const struct question *question)
{
    uint8_t query[1024];
    size_t size = query_make(question, 0x4711, query);
    struct query_source source = {.port = 53000,
                                  .keepalive_ds = 150,
                                  .transport = question->tls   ? TRANSPORT_TLS
                                               : question->tcp ? TRANSPORT_TCP
                                                               : TRANSPORT_UDP};
    assert_true(address_parse(question->source ? question->source : "192.0.2.9", &source.address));
    struct reply *reply = mem_alloc(sizeof(*reply));
    size_t capacity = question->tcp || question->tls ? ANSWER_TCP_MAX : ANSWER_UDP_MAX;
    uint8_t *out = mem_alloc(capacity); // exactly: a sanitizer sees a write past it
    reply->size = answer(generation, worker, query, size, &source, out);
    assert_true(reply->size <= capacity);
    memcpy(reply->message, out, reply->size);
    free(out);
    if (reply->size == 0) {
        free(reply);
        return NULL;
    }
    // In place must give the same size (the draws may differ, the form not).
    decode(reply, query);
    assert_int_equal(reply->edns, question->edns || question->subnet);
    return reply;
}

// --- comparison

static inline int line_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// One text of the whole: "NOERROR aa | answers | authority | additional", lines sorted within a
// section and joined with "; ".
static inline char *reply_text(struct reply *reply, char *text, size_t capacity)
{
    static const char *const rcodes[32] = {"NOERROR",  "FORMERR",        "SERVFAIL",
                                           "NXDOMAIN", "NOTIMP",         "REFUSED",
                                           "YXDOMAIN", [16] = "BADVERS", [23] = "BADCOOKIE"};
    size_t used = (size_t)snprintf(text, capacity, "%s%s%s", rcodes[reply->rcode],
                                   reply->aa ? " aa" : "", reply->tc ? " tc" : "");
    for (int section = 0; section < SECTIONS; section++) {
        qsort(reply->lines[section], reply->counts[section], sizeof(char *), line_compare);
        used += (size_t)snprintf(text + used, capacity - used, " |");
        for (unsigned i = 0; i < reply->counts[section]; i++) {
            used += (size_t)snprintf(text + used, capacity - used, "%s %s", i ? ";" : "",
                                     reply->lines[section][i]);
            assert_true(used < capacity);
        }
    }
    return text;
}

// Asks over TCP without EDNS and compares; sections without records are just "|".
static inline void expect(const struct generation *generation, struct worker *worker,
                          const char *name, const char *type, const char *expected)
{
    struct question question = {.name = name, .tcp = true};
    assert_true(rr_type_parse(type, &question.type));
    struct reply *reply = ask(generation, worker, &question);
    assert_non_null(reply);
    static char text[65536];
    reply_text(reply, text, sizeof(text));
    if (strcmp(text, expected) != 0) {
        print_message("%s %s\n  expected %s\n  got      %s\n", name, type, expected, text);
        fail();
    }
    reply_free(reply);
}
