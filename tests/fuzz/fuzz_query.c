// SPDX-License-Identifier: GPL-3.0-or-later
//
// answer() over one generation that has everything: static and steered names, wildcards, aliases,
// DNAME, delegations, a zone within a zone. The first octet says transport and source, the rest is
// the packet.
#include "publish.h"

#include "answer/answer.h"
#include "dns/types.h"
#include "dns/wire.h"

static const char parent_text[] =
    "'': [{type: A, values: [192.0.2.1, 192.0.2.2]}, {type: MX, value: {preference: 10, exchange: "
    "mail.example.com.}}]\n"
    "a: {type: TXT, value: text}\n"
    "mail: [{type: A, value: 192.0.2.3}, {type: AAAA, value: '2001:db8::3'}]\n"
    "'*': {type: A, value: 192.0.2.4}\n"
    "al: {type: CNAME, value: a.example.com.}\n"
    "la: {type: CNAME, value: lb.example.com.}\n"
    "lb: {type: CNAME, value: la.example.com.}\n"
    "d: {type: DNAME, value: example.com.}\n"
    "cut: {type: NS, values: [ns.cut.example.com.]}\n"
    "ns.cut: {type: A, value: 192.0.2.5}\n"
    "x.s: {type: A, value: 192.0.2.6}\n"
    "f: {type: A, ttl: 60, records: [{value: 192.0.2.7, line: cn-telecom}, {value: 192.0.2.8, "
    "line: default}]}\n"
    "y: {type: A, ttl: 60, value: 192.0.2.9, dynamic: {pools: {n: {values: [{value: "
    "192.0.2.10}]}, o: {values: [{value: 192.0.2.11}, {value: 192.0.2.12}]}}, rules: [{share: "
    "5%, pool: n}, {geos: [AS-CN], pool: n}, {pool: o}]}, signpost: {method: sticky}}\n"
    "sc: {type: CNAME, ttl: 60, value: a.example.com., dynamic: {pools: {p: {values: [{value: "
    "a.example.com.}, {value: f.example.com.}]}}, rules: [{pool: p}]}}\n"
    "st: [{type: ALIAS, value: y.example.com.}, {type: HTTPS, value: '1 . ipv4hint=auto "
    "ipv6hint=auto'}, {type: SVCB, value: 0 sv.example.com.}]\n"
    "sv: [{type: SVCB, value: 1 f.example.com. alpn=h2 ipv4hint=auto}, {type: A, value: "
    "192.0.2.13}]\n"
    "far: {type: ALIAS, value: x.w.s.example.com.}\n"
    "round: {type: ALIAS, value: dnuor.example.com.}\n"
    "dnuor: {type: ALIAS, value: round.example.com.}\n"
    "srv: {type: SRV, values: [{priority: 1, weight: 1, port: 1, target: f.example.com.}, "
    "{priority: 1, weight: 1, port: 1, target: mail.example.com.}]}\n";
static const char child_text[] = "in: {type: A, value: 192.0.2.20}\n"
                                 "'*.w': {type: CNAME, value: in.s.example.com.}\n";

static void put_document(struct change *change, const char *text, const uint8_t *apex)
{
    static struct acquired acquired; // for as long as the process
    struct diags diags = {0};
    struct zone_reader reader = fuzz_reader(&diags);
    struct zone *zone = zone_yaml_read(fuzz_file(text, strlen(text)), apex, &reader);
    for (size_t i = 0; i < diags.count; i++) {
        char line[512];
        fprintf(stderr, "%s\n", diag_format(&diags.items[i], line, sizeof(line)));
    }
    SP_ASSERT(zone != NULL);
    change_zone(change, zone, fuzz_plan, &acquired);
    zone_free(zone);
    diags_clear(&diags);
}

static const struct generation *generation(void)
{
    static struct publisher *publisher;
    if (publisher == NULL) {
        struct answer_options options = {
            .udp_payload_max = 1232,
            .chaos_version = "fuzz",
            .chaos_id = "id",
            .ecs = true,
            .nsid = "fuzzed",
            .nsid_size = 6,
            .cookies = {1, {{1, 2, 3}}},
        };
        publisher = publisher_new(&options);
        struct change *change = change_begin(publisher);
        put_document(change, parent_text, (const uint8_t *)"\7example\3com");
        put_document(change, child_text, (const uint8_t *)"\1s\7example\3com");
        struct diags diags = {0};
        SP_ASSERT(change_publish(change, &diags));
    }
    return publisher_current(publisher);
}

// --- reading the answer back

// The end of a name whose pointers lead backwards only; 0 when it is malformed.
static size_t name_end(const uint8_t *message, size_t size, size_t at)
{
    size_t end = 0, lowest = at, length = 0;
    while (at < size) {
        unsigned label = message[at];
        if (label >= 0xc0) {
            size_t target = at + 1 < size ? (label & 0x3fU) << 8 | message[at + 1] : size;
            end = end ? end : at + 2;
            if (target >= lowest || target < HEADER_SIZE) {
                return 0;
            }
            at = lowest = target;
            continue;
        }
        length += label + 1;
        at += label + 1;
        if (label > 63 || length > NAME_MAX_SIZE) {
            return 0;
        }
        if (label == 0) {
            return end ? end : at;
        }
    }
    return 0;
}

static void check_records(const uint8_t *message, size_t size, size_t at)
{
    unsigned opts = 0;
    for (unsigned section = 0; section < 3; section++) {
        for (unsigned left = get_u16(message + AT_ANCOUNT + 2 * section); left > 0; left--) {
            at = name_end(message, size, at);
            SP_ASSERT(at != 0 && at + RR_FIXED_SIZE <= size);
            uint16_t type = get_u16(message + at);
            size_t end = at + RR_FIXED_SIZE + get_u16(message + at + 8);
            const struct rr_type_info *info = rr_type_find(type);
            SP_ASSERT(end <= size);
            size_t name = at + RR_FIXED_SIZE + (info ? info->name_offset : 0);
            for (unsigned i = 0; info != NULL && i < info->name_count; i++) {
                name = name_end(message, end, name);
                SP_ASSERT(name != 0 && name <= end);
            }
            opts += type == TYPE_OPT;
            SP_ASSERT(type != TYPE_OPT || section == 2);
            at = end;
        }
    }
    SP_ASSERT(at == size && opts <= 1);
}

static void check_answer(const uint8_t *query, size_t query_size, const uint8_t *message,
                         size_t size, size_t capacity)
{
    SP_ASSERT(size >= HEADER_SIZE && size <= capacity);
    unsigned flags = get_u16(message + AT_FLAGS), asked = get_u16(query + AT_FLAGS);
    SP_ASSERT(memcmp(message, query, 2) == 0);
    SP_ASSERT(flags & FLAG_QR && !(asked & FLAG_QR));
    SP_ASSERT((flags & MASK_OPCODE) == (asked & MASK_OPCODE));
    SP_ASSERT((flags & FLAG_RD) == (asked & FLAG_RD));
    SP_ASSERT((flags & 0x00f0) == 0);
    SP_ASSERT(get_u16(message + AT_QDCOUNT) <= 1);
    size_t at = HEADER_SIZE;
    if (get_u16(message + AT_QDCOUNT) == 1) {
        at = name_end(message, size, at);
        SP_ASSERT(at != 0 && at + QUESTION_FIXED_SIZE <= size);
        at += QUESTION_FIXED_SIZE;
        SP_ASSERT(at <= query_size && memcmp(message + 12, query + 12, at - 12) == 0);
    }
    SP_ASSERT(!(flags & FLAG_TC) || get_u16(message + AT_ANCOUNT) == 0);
    unsigned error = flags & 15;
    SP_ASSERT(error == RCODE_NOERROR || error == RCODE_NXDOMAIN || error == 6 ||
              get_u16(message + AT_ANCOUNT) == 0);
    check_records(message, size, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct worker *worker;
    if (size < 1 || size > 65536) {
        return 0;
    }
    worker = worker ? worker : worker_new(1);
    bool tcp = data[0] & 1;
    worker_set_time(worker, 1700000000);
    struct query_source source = {
        .address = {.family = data[0] & 2 ? FAMILY_IPV6 : FAMILY_IPV4, .bytes = {203, 0, 113, 1}},
        .port = (uint16_t)(data[0] & 4 ? data[0] : 53000),
        .transport = tcp ? (data[0] & 8 ? TRANSPORT_TLS : TRANSPORT_TCP) : TRANSPORT_UDP,
    };
    size_t capacity = tcp ? ANSWER_TCP_MAX : ANSWER_UDP_MAX;
    uint8_t *query = mem_copy(data + 1, size - 1), *out[3];
    struct message batch[2];
    for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
        out[i] = mem_alloc(capacity);
    }
    size_t written = answer(generation(), worker, query, size - 1, &source, out[0]);
    for (size_t i = 0; i < ARRAY_SIZE(batch); i++) {
        batch[i] = (struct message){
            .query = query, .query_size = size - 1, .source = source, .out = out[i + 1]};
    }
    answer_batch(generation(), worker, batch, ARRAY_SIZE(batch));
    if (written > 0) {
        check_answer(query, size - 1, out[0], written, capacity);
        check_answer(query, size - 1, out[1], batch[0].out_size, capacity);
        check_answer(query, size - 1, out[2], batch[1].out_size, capacity);
    } else {
        SP_ASSERT(size - 1 < HEADER_SIZE || query[2] & 0x80 || (!tcp && source.port < 1024));
        SP_ASSERT(batch[0].out_size == 0 && batch[1].out_size == 0);
    }
    free(query);
    for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
        free(out[i]);
    }
    return 0;
}
