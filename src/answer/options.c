// SPDX-License-Identifier: GPL-3.0-or-later
//
// Options of a response, in two steps: response_options_begin reserves the room of those that must
// be there; response_options_put writes them when the sections are done, then what may be there if
// there is room, and last the padding, which counts everything before it.
//
// Called by answer.c for queries that carry options or are answered with an error. Each option is
// written once at most, whatever the query repeats, and its size is known before.
#include "answer/options.h"

#include "dns/cookie.h"

#include <string.h>

enum {
    PADDING_BLOCK = 468, // RFC 8467, 4.1
    COOKIE_DATA_SIZE = COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE,
    KEEPALIVE_DATA_SIZE = 2,
    EDE_CODE_SIZE = 2,
    OPT_LENGTH_AT = 9, // of OPT's RDLENGTH, from its owner
};

// Options that this server does not give, or not on this transport, were not asked for.
static void drop_useless(struct edns_request *request, const struct answer_options *options,
                         enum transport transport)
{
    unsigned useless = 0;
    if (options->nsid == NULL) {
        useless |= EDNS_ASKED_NSID;
    }
    if (options->cookies.count == 0) {
        useless |= EDNS_ASKED_COOKIE;
    }
    if (transport == TRANSPORT_UDP) { // RFC 7828, 3.3.1: it means nothing there
        useless |= EDNS_ASKED_KEEPALIVE;
    }
    if (transport != TRANSPORT_TLS) { // RFC 7830, 6: no use where everybody can read
        useless |= EDNS_ASKED_PADDING;
    }
    request->asked &= (uint8_t)~useless;
}

// Replaces the server's part of the cookie by a new one where it is due.
static enum cookie_verdict judge_cookie(struct response *response,
                                        const struct query_source *source)
{
    const struct cookie_secrets *secrets = &response->generation->options.cookies;
    struct edns_request *request = &response->query->options;
    struct worker *worker = response->worker;
    enum cookie_verdict verdict = cookie_check(secrets, request, &source->address, worker->now_s);
    if (verdict != COOKIE_VALID) {
        cookie_make(secrets->secrets[0], request->cookie, &source->address, worker->now_s,
                    request->cookie + COOKIE_CLIENT_SIZE);
    }
    counter_add(&worker->counters.cookies);
    if (verdict != COOKIE_WRONG) {
        counter_add(&worker->counters.cookies_valid);
    }
    return verdict;
}

// Who asks for nothing but a cookie hears that the one it has is no good (RFC 7873, 5.4); who asks
// for more, only where one is required, and not where the connection proves the address (5.2.3).
static bool is_bad_cookie(const struct response *response, const struct query_source *source,
                          enum query_verdict verdict)
{
    const struct query *query = response->query;
    if (response->cookie_valid) {
        return false;
    }
    if (verdict == QUERY_COOKIE) {
        return query->options.cookie_size > COOKIE_CLIENT_SIZE;
    }
    return verdict == QUERY_GOOD && response->generation->options.cookies_required &&
           source->transport == TRANSPORT_UDP;
}

bool response_options_begin(struct response *response, const struct query_source *source,
                            enum query_verdict verdict)
{
    const struct answer_options *options = &response->generation->options;
    struct edns_request *request = &response->query->options;
    size_t room = 0;
    drop_useless(request, options, source->transport);
    if (request->asked & EDNS_ASKED_NSID) {
        room += EDNS_OPTION_HEAD_SIZE + options->nsid_size;
    }
    if (request->asked & EDNS_ASKED_KEEPALIVE) {
        room += EDNS_OPTION_HEAD_SIZE + KEEPALIVE_DATA_SIZE;
    }
    bool badcookie = false;
    if (request->asked & EDNS_ASKED_COOKIE) {
        room += EDNS_OPTION_HEAD_SIZE + COOKIE_DATA_SIZE;
        response->cookie_valid = judge_cookie(response, source) != COOKIE_WRONG;
        badcookie = is_bad_cookie(response, source, verdict);
    }
    response->keepalive_ds = source->keepalive_ds;
    response->limit -= room;
    response->options_room = (uint16_t)room;
    return badcookie;
}

void response_error(struct response *response, enum ede code, const char *text)
{
    response->ede = (uint16_t)(code + 1);
    response->ede_text = text;
}

static size_t put_option(uint8_t *at, unsigned code, const void *data, size_t size)
{
    put_u16(at, code);
    put_u16(at + 2, (unsigned)size);
    memcpy(at + EDNS_OPTION_HEAD_SIZE, data, size);
    return EDNS_OPTION_HEAD_SIZE + size;
}

// The text only when it fits too; RFC 8914, 3: an error may never be the cause of truncation.
static size_t put_error(const struct response *response, uint8_t *at, size_t room)
{
    uint8_t data[128];
    const char *text = response->ede_text ? response->ede_text : "";
    size_t text_size = MIN(strlen(text), sizeof(data) - EDE_CODE_SIZE);
    if (room < EDNS_OPTION_HEAD_SIZE + EDE_CODE_SIZE) {
        return 0;
    }
    if (room < EDNS_OPTION_HEAD_SIZE + EDE_CODE_SIZE + text_size) {
        text_size = 0;
    }
    put_u16(data, response->ede - 1U);
    memcpy(data + EDE_CODE_SIZE, text, text_size);
    return put_option(at, EDNS_EDE, data, EDE_CODE_SIZE + text_size);
}

// Zeros up to the next whole block of the message, or as far as there is room (RFC 8467, 4.1).
static size_t put_padding(uint8_t *at, size_t message_size, size_t room)
{
    if (room < EDNS_OPTION_HEAD_SIZE) {
        return 0;
    }
    size_t size = message_size + EDNS_OPTION_HEAD_SIZE;
    size_t padding = (PADDING_BLOCK - size % PADDING_BLOCK) % PADDING_BLOCK;
    padding = MIN(padding, room - EDNS_OPTION_HEAD_SIZE);
    put_u16(at, EDNS_PADDING);
    put_u16(at + 2, (unsigned)padding);
    memset(at + EDNS_OPTION_HEAD_SIZE, 0, padding);
    return EDNS_OPTION_HEAD_SIZE + padding;
}

size_t response_options_put(struct response *response, size_t opt, size_t size)
{
    const struct answer_options *options = &response->generation->options;
    const struct edns_request *request = &response->query->options;
    uint8_t *message = response->message;
    size_t begin = size;
    // The sections and OPT keep to `limit` plus what OPT took off it: what is left is ours.
    size_t end = response->limit + (size - opt) + response->options_room;
    if (request->asked & EDNS_ASKED_NSID) {
        size += put_option(message + size, EDNS_NSID, options->nsid, options->nsid_size);
    }
    if (request->asked & EDNS_ASKED_COOKIE) {
        size += put_option(message + size, EDNS_COOKIE, request->cookie, COOKIE_DATA_SIZE);
    }
    if (request->asked & EDNS_ASKED_KEEPALIVE) {
        uint8_t timeout[KEEPALIVE_DATA_SIZE];
        put_u16(timeout, response->keepalive_ds);
        size += put_option(message + size, EDNS_KEEPALIVE, timeout, sizeof(timeout));
    }
    SP_DEBUG_ASSERT(size <= end);
    if (response->ede != 0) {
        size += put_error(response, message + size, end - size);
    }
    if (request->asked & EDNS_ASKED_PADDING) {
        size += put_padding(message + size, size, end - size);
    }
    uint8_t *length = message + opt + OPT_LENGTH_AT;
    put_u16(length, (unsigned)(get_u16(length) + size - begin));
    return size;
}
