// SPDX-License-Identifier: GPL-3.0-or-later
//
// explain: the answer itself. A query is made as a resolver would make it and given to answer(), on
// the generation that is being served; the message comes back byte for byte, and read out.
//
// The messages read here are our own: their form is not doubted.
#include "engine/explain_parts.h"

#include "base/memory.h"
#include "dns/types.h"
#include "dns/wire.h"
#include "zone/rdata.h"

#include <stdio.h>
#include <string.h>

enum { OPT_FIXED_SIZE = 11, SUBNET_HEAD_SIZE = 8, OPTION_SUBNET = 8, UDP_SIZE = 1232 };

static size_t put_opt(uint8_t *at, const struct address *client)
{
    size_t octets = client->family == FAMILY_IPV4 ? 4 : 16;
    memset(at, 0, OPT_FIXED_SIZE + SUBNET_HEAD_SIZE);
    put_u16(at + 1, TYPE_OPT);
    put_u16(at + 3, UDP_SIZE);
    put_u16(at + 9, (uint16_t)(SUBNET_HEAD_SIZE + octets));
    uint8_t *option = at + OPT_FIXED_SIZE;
    put_u16(option, OPTION_SUBNET);
    put_u16(option + 2, (uint16_t)(4 + octets));
    put_u16(option + 4, client->family == FAMILY_IPV4 ? 1 : 2);
    option[6] = (uint8_t)(8 * octets);
    memcpy(option + SUBNET_HEAD_SIZE, client->bytes, octets);
    return OPT_FIXED_SIZE + SUBNET_HEAD_SIZE + octets;
}

struct explained_answer explain_ask(const struct engine *engine, const uint8_t *name, uint16_t type,
                                    const struct address *client)
{
    struct explained_answer asked = {.query = mem_alloc(512),
                                     .response = mem_alloc(ANSWER_TCP_MAX)};
    uint8_t *at = asked.query + HEADER_SIZE;
    size_t size = name_size(name);
    put_u16(asked.query + AT_QDCOUNT, 1);
    memcpy(at, name, size);
    put_u16(at + size, type);
    put_u16(at + size + 2, CLASS_IN);
    asked.query_size = HEADER_SIZE + size + QUESTION_FIXED_SIZE;
    if (engine->config->ecs) {
        put_u16(asked.query + AT_ARCOUNT, 1);
        asked.query_size += put_opt(asked.query + asked.query_size, client);
    }
    struct worker *worker = worker_new((uint64_t)clock_monotonic_ns(engine->clock));
    struct query_source source = {.address = *client, .port = 53000, .transport = TRANSPORT_TCP};
    asked.response_size = answer(publisher_current(engine->publisher), worker, asked.query,
                                 asked.query_size, &source, asked.response);
    worker_free(worker);
    return asked;
}

void explained_answer_free(struct explained_answer *answer)
{
    free(answer->query);
    free(answer->response);
}

// --- reading it

// The name at `at`, without compression; returns where it ends there.
static size_t name_expand(const uint8_t *message, size_t at, uint8_t name[NAME_MAX_SIZE],
                          size_t *size)
{
    size_t end = 0;
    *size = 0;
    while (message[at] != 0) {
        if (message[at] >= 0xc0) {
            end = end == 0 ? at + 2 : end;
            at = get_u16(message + at) & 0x3fff;
            continue;
        }
        size_t label_size = message[at] + 1U;
        memcpy(name + *size, message + at, label_size);
        *size += label_size;
        at += label_size;
    }
    name[(*size)++] = 0;
    return end == 0 ? at + 1 : end;
}

// The rdata at `at` with its names written out. Returns its size.
static size_t rdata_expand(const uint8_t *message, size_t at, uint16_t type, size_t size,
                           uint8_t *rdata)
{
    const struct rr_type_info *info = rr_type_find(type);
    size_t end = at + size, used = 0;
    if (info != NULL && info->name_count > 0 && info->compressible) {
        memcpy(rdata, message + at, info->name_offset);
        used = info->name_offset;
        at += info->name_offset;
        for (unsigned i = 0; i < info->name_count; i++) {
            size_t name_size;
            at = name_expand(message, at, rdata + used, &name_size);
            used += name_size;
        }
    }
    memcpy(rdata + used, message + at, end - at);
    return used + end - at;
}

// One record; `rdata` holds at least ANSWER_TCP_MAX + 2 names.
struct record_read {
    uint8_t owner[NAME_MAX_SIZE];
    uint16_t type;
    uint32_t ttl;
    uint8_t *rdata;
    size_t rdata_size;
};

static size_t record_read(const uint8_t *message, size_t at, struct record_read *record)
{
    size_t owner_size;
    at = name_expand(message, at, record->owner, &owner_size);
    size_t size = get_u16(message + at + 8);
    record->type = get_u16(message + at);
    record->ttl = get_u32(message + at + 4);
    record->rdata_size =
        rdata_expand(message, at + RR_FIXED_SIZE, record->type, size, record->rdata);
    return at + RR_FIXED_SIZE + size;
}

static size_t answer_begin(const struct explained_answer *answer)
{
    uint8_t name[NAME_MAX_SIZE];
    size_t size;
    return name_expand(answer->response, HEADER_SIZE, name, &size) + QUESTION_FIXED_SIZE;
}

bool explained_alias(const struct explained_answer *answer, const uint8_t *name,
                     uint8_t target[NAME_MAX_SIZE])
{
    struct record_read record = {.rdata = mem_alloc(ANSWER_TCP_MAX + 2 * NAME_MAX_SIZE)};
    size_t at = answer_begin(answer);
    bool found = false;
    for (unsigned left = get_u16(answer->response + AT_ANCOUNT); left > 0 && !found; left--) {
        at = record_read(answer->response, at, &record);
        found = record.type == TYPE_CNAME && name_equal(record.owner, name);
    }
    if (found) {
        memcpy(target, record.rdata, record.rdata_size);
    }
    free(record.rdata);
    return found;
}

static const char *outcome_of(const struct explained_answer *answer)
{
    const uint8_t *message = answer->response;
    const unsigned flags = get_u16(message + AT_FLAGS);
    switch (flags & 15) {
    case RCODE_NOERROR:
        return get_u16(message + AT_ANCOUNT) > 0 ? "answer"
               : flags & FLAG_AA                 ? "nodata"
                                                 : "referral";
    case RCODE_SERVFAIL:
        return "servfail";
    case RCODE_NXDOMAIN:
        return "nxdomain";
    case RCODE_YXDOMAIN: // a DNAME made a name that is too long
        return "yxdomain";
    default:
        return "refused";
    }
}

static json_t *hex_json(const uint8_t *bytes, size_t size)
{
    char *text = mem_alloc(2 * size + 1);
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    json_t *json = json_string(text);
    free(text);
    return json;
}

// The scope of the client subnet in the OPT at the end; `none` when it is not there.
static int scope_of(const uint8_t *message, size_t opt, int none)
{
    size_t end = opt + OPT_FIXED_SIZE + get_u16(message + opt + 9);
    for (size_t at = opt + OPT_FIXED_SIZE; at < end; at += 4U + get_u16(message + at + 2)) {
        if (get_u16(message + at) == OPTION_SUBNET) {
            return message[at + 7];
        }
    }
    return none;
}

// Walks the sections in order.
struct sections {
    const uint8_t *message;
    size_t at;
    json_t *answer;
    json_int_t ttl; // of the first record that says how long the answer holds
    int scope;
};

static void sections_read(struct sections *sections, struct record_read *record)
{
    const uint8_t *message = sections->message;
    unsigned answers = get_u16(message + AT_ANCOUNT), authority = get_u16(message + AT_NSCOUNT);
    unsigned total = answers + authority + get_u16(message + AT_ARCOUNT);
    for (unsigned i = 0; i < total; i++) {
        size_t begin = sections->at;
        sections->at = record_read(message, sections->at, record);
        if (record->type == TYPE_OPT) {
            sections->scope = scope_of(message, begin, 0);
            continue;
        }
        if (sections->ttl < 0) {
            sections->ttl = record->ttl;
        }
        if (i < answers) {
            char text[1024], type[RR_TYPE_TEXT_MAX];
            rdata_format(record->type, record->rdata, record->rdata_size, text, sizeof(text));
            json_array_append_new(sections->answer,
                                  json_pack("{s:s, s:I, s:s}", "type",
                                            rr_type_format(record->type, type), "ttl",
                                            (json_int_t)record->ttl, "value", text));
        }
    }
}

void explain_put_answer(const struct explained_answer *answer, json_t *json)
{
    struct record_read record = {.rdata = mem_alloc(ANSWER_TCP_MAX + 2 * NAME_MAX_SIZE)};
    struct sections sections = {
        .message = answer->response, .at = answer_begin(answer), .answer = json_array(), .ttl = -1};
    sections_read(&sections, &record);
    free(record.rdata);
    json_object_set_new(json, "outcome", json_string(outcome_of(answer)));
    json_object_set_new(json, "answer", sections.answer);
    json_object_set_new(json, "ttl", json_integer(MAX(sections.ttl, 0)));
    json_object_set_new(json, "scope", json_integer(sections.scope));
    json_object_set_new(json, "query", hex_json(answer->query, answer->query_size));
    json_object_set_new(json, "response", hex_json(answer->response, answer->response_size));
}
