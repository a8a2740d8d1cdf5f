// SPDX-License-Identifier: GPL-3.0-or-later
//
// EDNS options of responses: who gets them, what they say, and that they always fit.
#include "ask.h"

#include "dns/cookie.h"

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50

static const char zone_text[] = "www.example.com. 60 A 192.0.2.1\n"
                                "big.example.com. 60 TXT \"" X200 "\" \"" X200 "\" \"" X200 "\"\n"
                                "down.example.com. 60 A 192.0.2.2\n"
                                "none.example.com. 60 A 192.0.2.3\n"
                                "open.example.com. 60 A 192.0.2.4\n"
                                "stale.example.com. 60 A 192.0.2.5\n"
                                "awaited.example.com. 60 A 192.0.2.6\n"
                                "long.example.com. 60 TXT \"" X200 "\"\n"
                                "long.example.com. 60 TXT \"" X200 X50 "\"\n";

struct world {
    struct publisher *publisher;
    struct worker *worker;
};

static const struct generation *now(const struct world *world)
{
    return publisher_current(world->publisher);
}

static struct answer_options options_full(void)
{
    return (struct answer_options){.udp_payload_max = 1232,
                                   .chaos_version = "v",
                                   .ecs = true,
                                   .nsid = "ns1.fra",
                                   .nsid_size = 7,
                                   .cookies = {2, {{1}, {2}}}};
}

static struct member_view view_down(void *state, const struct member *member)
{
    (void)state; // of one there is no result yet
    bool awaited = member->rdata[member->rdata_size - 1] == 6;
    return (struct member_view){.health = awaited ? HEALTH_UNKNOWN : HEALTH_DOWN, .since_ns = 1};
}

static struct plan *plan_of_down(void *context, const struct owner *owner,
                                 const struct rrset *rrset, uint32_t slot)
{
    (void)context, (void)owner, (void)slot;
    static const struct health_source health = {.view = view_down};
    return plan_compile(rrset->policy, rrset->type, rrset->ttl, NULL, &health, 7);
}

static struct world world_make(const struct answer_options *options)
{
    struct world world = {publisher_new(options), worker_new(1)};
    struct zone *zone = zone_of("example.com.", zone_text);
    steer(zone, "down.example.com.", TYPE_A, METHOD_ROTATE, 0)->all_down = ALL_DOWN_SERVFAIL;
    steer(zone, "none.example.com.", TYPE_A, METHOD_ROTATE, 0)->all_down = ALL_DOWN_NONE;
    uint8_t name[NAME_MAX_SIZE];
    wire_name("down.example.com.", name);
    zone_rrset(zone, name, TYPE_A)->policy->pools[0].members[0].status = STATUS_DOWN;
    wire_name("none.example.com.", name);
    zone_rrset(zone, name, TYPE_A)->policy->pools[0].members[0].status = STATUS_DOWN;
    steer(zone, "open.example.com.", TYPE_A, METHOD_ROTATE, 1)->all_down = ALL_DOWN_ALL;
    steer(zone, "stale.example.com.", TYPE_A, METHOD_ROTATE, 1)->all_down = ALL_DOWN_LAST_GOOD;
    steer(zone, "awaited.example.com.", TYPE_A, METHOD_ROTATE, 1);
    steer(zone, "long.example.com.", TYPE_TXT, METHOD_ROTATE, 0)->all_down = ALL_DOWN_ALL;
    struct change *change = change_begin(world.publisher);
    change_zone(change, zone, plan_of_down, NULL);
    publish(change);
    zone_free(zone);
    worker_set_time(world.worker, 100000);
    return world;
}

static void world_end(struct world *world)
{
    publisher_free(world->publisher);
    worker_free(world->worker);
}

static const uint8_t *option_find(const struct reply *reply, unsigned code, unsigned *size)
{
    for (unsigned i = 0; i < reply->option_count; i++) {
        if (reply->options[i].code == code) {
            *size = reply->options[i].size;
            return reply->options[i].data;
        }
    }
    return NULL;
}

// NSID, a client cookie, keepalive and padding, each twice, and one of tomorrow.
static const uint8_t everything[] = {
    0,    3,    0, 0, 0, 10, 0,  8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 11, 0,  0, 0, 12, 0,  3, 0, 0,
    0,    0,    3, 0, 0, 0,  10, 0, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0,  11, 0, 0, 0,  12, 0, 0, //
    0xff, 0xfe, 0, 1, 7};

static void test_who_gets_what(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    struct world world = world_make(&options);
    for (unsigned transport = TRANSPORT_UDP; transport <= TRANSPORT_TLS; transport++) {
        struct question question = {.name = "www.example.com.",
                                    .type = TYPE_A,
                                    .edns = true,
                                    .tcp = transport == TRANSPORT_TCP,
                                    .tls = transport == TRANSPORT_TLS,
                                    .options = everything,
                                    .options_size = sizeof(everything)};
        struct reply *reply = ask(now(&world), world.worker, &question);
        unsigned size = 0;
        assert_int_equal(reply->rcode, RCODE_NOERROR);
        const uint8_t *nsid = option_find(reply, EDNS_NSID, &size);
        assert_non_null(nsid);
        assert_int_equal(size, 7);
        assert_memory_equal(nsid, "ns1.fra", 7);
        const uint8_t *cookie = option_find(reply, EDNS_COOKIE, &size);
        assert_non_null(cookie);
        assert_int_equal(size, 24);
        assert_memory_equal(cookie, everything + 8, 8); // the first one
        const uint8_t *keepalive = option_find(reply, EDNS_KEEPALIVE, &size);
        assert_int_equal(keepalive != NULL, transport != TRANSPORT_UDP);
        assert_true(keepalive == NULL || (size == 2 && get_u16(keepalive) == 150));
        const uint8_t *padding = option_find(reply, EDNS_PADDING, &size);
        assert_int_equal(padding != NULL, transport == TRANSPORT_TLS);
        assert_true(padding == NULL || reply->size == 468);
        for (unsigned i = 0; padding != NULL && i < size; i++) {
            assert_int_equal(padding[i], 0);
        }
        assert_null(option_find(reply, EDNS_EDE, &size));
        reply_free(reply);
    }
    // Who asks for nothing gets nothing.
    struct question question = {.name = "www.example.com.", .type = TYPE_A, .edns = true};
    struct reply *reply = ask(now(&world), world.worker, &question);
    assert_int_equal(reply->option_count, 0);
    reply_free(reply);
    world_end(&world);
}

static void test_nothing_is_configured(void **state)
{
    (void)state;
    struct answer_options options = {.udp_payload_max = 1232, .ecs = true};
    struct world world = world_make(&options);
    struct question question = {.name = "www.example.com.",
                                .type = TYPE_A,
                                .edns = true,
                                .options = everything,
                                .options_size = sizeof(everything)};
    struct reply *reply = ask(now(&world), world.worker, &question);
    assert_int_equal(reply->rcode, RCODE_NOERROR);
    assert_int_equal(reply->option_count, 0);
    reply_free(reply);
    world_end(&world);
}

static void expect_error(struct world *world, const struct question *question, unsigned rcode,
                         int code, const char *text)
{
    struct reply *reply = ask(now(world), world->worker, question);
    unsigned size = 0;
    const uint8_t *error = option_find(reply, EDNS_EDE, &size);
    assert_int_equal(reply->rcode, rcode);
    assert_int_equal(error != NULL, code >= 0);
    if (error != NULL) {
        assert_int_equal(get_u16(error), code);
        assert_int_equal(size - 2, strlen(text));
        assert_memory_equal(error + 2, text, size - 2);
    }
    reply_free(reply);
}

static void test_errors(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    struct world world = world_make(&options);
    static const struct {
        struct question question;
        unsigned rcode;
        int code;
        const char *text;
    } table[] = {
        {{.name = "www.example.org.", .type = TYPE_A}, RCODE_REFUSED, EDE_NOT_AUTHORITATIVE, ""},
        {{.name = "www.example.com.", .type = TYPE_A, .class = CLASS_ANY},
         RCODE_REFUSED,
         EDE_NOT_AUTHORITATIVE,
         ""},
        {{.name = "id.server.", .type = TYPE_TXT, .class = CLASS_CH},
         RCODE_REFUSED,
         EDE_PROHIBITED,
         ""},
        {{.name = "example.com.", .type = TYPE_AXFR}, RCODE_REFUSED, EDE_PROHIBITED, ""},
        {{.name = "down.example.com.", .type = TYPE_A},
         RCODE_SERVFAIL,
         EDE_OTHER,
         "no member is up"},
        {{.name = "none.example.com.", .type = TYPE_A},
         RCODE_NOERROR,
         EDE_OTHER,
         "no member is up"},
        {{.name = "open.example.com.", .type = TYPE_A},
         RCODE_NOERROR,
         EDE_OTHER,
         "no member is usable"},
        {{.name = "stale.example.com.", .type = TYPE_A},
         RCODE_NOERROR,
         EDE_STALE_ANSWER,
         "no member is usable"},
        {{.name = "awaited.example.com.", .type = TYPE_A}, RCODE_NOERROR, -1, ""},
        {{.name = "www.example.com.", .type = TYPE_A}, RCODE_NOERROR, -1, ""},
        {{.name = "nix.example.com.", .type = TYPE_A}, RCODE_NXDOMAIN, -1, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct question question = table[i].question;
        expect_error(&world, &question, table[i].rcode, -1, ""); // without EDNS: just the rcode
        question.edns = true;
        expect_error(&world, &question, table[i].rcode, table[i].code, table[i].text);
    }
    world_end(&world);
}

// The largest name, NSID, cookie, client subnet and error in 512 octets; every payload there is.
static void test_they_fit(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    char nsid[NSID_MAX_SIZE];
    memset(nsid, 'n', sizeof(nsid));
    options.nsid = nsid;
    options.nsid_size = sizeof(nsid);
    struct world world = world_make(&options);
    char longest[NAME_TEXT_MAX] = "";
    for (unsigned i = 0; i < 3; i++) {
        memset(longest + 64 * i, 'a', 63);
        longest[64 * i + 63] = '.';
    }
    snprintf(longest + 192, sizeof(longest) - 192, "%s.down.example.com.",
             "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    const char *const names[] = {"www.example.com.", "big.example.com.", "down.example.com.",
                                 "www.example.org.", longest};
    unsigned cut = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        for (unsigned payload = 0; payload < 1400; payload++) {
            struct question question = {.name = names[i],
                                        .type = i == 1 ? TYPE_TXT : TYPE_A,
                                        .payload = payload ? payload : 1,
                                        .subnet = "2001:db8::1/128",
                                        .options = everything,
                                        .options_size = sizeof(everything)};
            struct reply *reply = ask(now(&world), world.worker, &question);
            unsigned size = 0;
            assert_true(reply->size <= MIN(MAX(payload, 512U), 1232U));
            assert_non_null(option_find(reply, EDNS_NSID, &size));
            assert_int_equal(size, sizeof(nsid));
            assert_non_null(option_find(reply, EDNS_COOKIE, &size));
            assert_true(reply->subnet);
            cut += reply->tc;
            reply_free(reply);
        }
    }
    assert_true(cut > 0);
    world_end(&world);
}

// An extended error is never the cause of truncation (RFC 8914, 3): it takes what room is left, and
// first its text goes, then all of it.
static void test_error_takes_no_room(void **state)
{
    (void)state;
    enum { BARE_SIZE = EDNS_OPTION_HEAD_SIZE + 2, PAYLOAD_MIN = 512, PAYLOAD_MAX = 700 };
    static const char text[] = "no member is usable";
    const unsigned text_size = sizeof(text) - 1;
    unsigned cut = 0, whole = 2; // the two that tell the sizes
    struct answer_options options = options_full();
    struct world world = world_make(&options);
    static const uint8_t nsid[] = {0, EDNS_NSID, 0, 0};
    for (size_t options_size = 0; options_size <= sizeof(nsid); options_size += sizeof(nsid)) {
        struct question question = {.name = "long.example.com.",
                                    .type = TYPE_TXT,
                                    .edns = true,
                                    .options = nsid,
                                    .options_size = options_size};
        struct reply *reply = ask(now(&world), world.worker, &question);
        const unsigned plain = (unsigned)reply->size - BARE_SIZE - text_size;
        reply_free(reply);
        assert_in_range(plain, PAYLOAD_MIN + 1, PAYLOAD_MAX - BARE_SIZE - text_size);
        for (unsigned payload = PAYLOAD_MIN; payload <= PAYLOAD_MAX; payload++) {
            const unsigned room = payload < plain ? payload : payload - plain; // TC leaves plenty
            const unsigned expected = room < BARE_SIZE               ? 0
                                      : room < BARE_SIZE + text_size ? BARE_SIZE
                                                                     : BARE_SIZE + text_size;
            unsigned size = 0;
            question.payload = payload;
            reply = ask(now(&world), world.worker, &question);
            const uint8_t *error = option_find(reply, EDNS_EDE, &size);
            assert_int_equal(reply->tc, payload < plain);
            cut += reply->tc;
            whole += !reply->tc;
            assert_int_equal(reply->counts[0], payload < plain ? 0 : 2);
            assert_int_equal(error != NULL ? size + EDNS_OPTION_HEAD_SIZE : 0, expected);
            assert_true(error == NULL || get_u16(error) == EDE_OTHER);
            assert_true(payload < plain || reply->size == plain + expected);
            reply_free(reply);
        }
    }
    assert_int_equal(worker_counters(world.worker)->truncated, cut);
    assert_int_equal(worker_counters(world.worker)->noerror, whole);
    world_end(&world);
}

// The largest message that there is, over TLS with all options: at every size around it the answer
// is whole or cut, all that was asked for is there, and padding goes as far as there is room.
static void test_they_fit_in_the_largest(void **state)
{
    (void)state;
    enum { TEXTS = 248, RECORD_SIZE = 12 + 251, OPTIONS_SIZE = (4 + 7) + (4 + 24) + (4 + 2) };
    enum { BLOCK = 468, HEAD = EDNS_OPTION_HEAD_SIZE, LABEL_MIN = 10, LABEL_MAX = 63 };
    // Whole blocks end 15 octets before a message does.
    const size_t fixed = HEADER_SIZE + sizeof("\4huge\7example\3com") + QUESTION_FIXED_SIZE +
                         (size_t)TEXTS * RECORD_SIZE + 11 + OPTIONS_SIZE;
    const size_t filler = ANSWER_TCP_MAX - fixed - 12 - 1 - LABEL_MIN - 40;
    struct answer_options options = options_full();
    struct world world = world_make(&options);
    struct zone *zone = zone_of("huge.example.com.", "");
    struct diags diags = {0};
    uint8_t owner[NAME_MAX_SIZE], rdata[512];
    wire_name("*.huge.example.com.", owner);
    assert_in_range(filler, 2, 250);
    for (unsigned i = 0; i <= TEXTS; i++) {
        size_t size = i < TEXTS ? RECORD_SIZE - 12 : filler;
        memset(rdata, 'x', size);
        rdata[0] = (uint8_t)(size - 1);
        rdata[1] = (uint8_t)i;
        struct zone_record record = {
            .owner = owner, .type = TYPE_TXT, .ttl = 60, .rdata = rdata, .rdata_size = size};
        assert_true(zone_add(zone, &record, &diags));
    }
    put_zone(world.publisher, zone);
    bool cut = false, padded = false, bare = false;
    for (unsigned label = LABEL_MIN; label <= LABEL_MAX; label++) {
        char name[NAME_TEXT_MAX];
        snprintf(name, sizeof(name), "%.*s.huge.example.com.", (int)label, X50 X50);
        const size_t plain = fixed + 12 + filler + 1 + label;
        struct question question = {.name = name,
                                    .type = TYPE_TXT,
                                    .edns = true,
                                    .tls = true,
                                    .options = everything,
                                    .options_size = sizeof(everything)};
        struct reply *reply = ask(now(&world), world.worker, &question);
        unsigned size = 0;
        assert_int_equal(reply->tc, plain > ANSWER_TCP_MAX);
        assert_non_null(option_find(reply, EDNS_NSID, &size));
        assert_non_null(option_find(reply, EDNS_COOKIE, &size));
        assert_non_null(option_find(reply, EDNS_KEEPALIVE, &size));
        assert_int_equal(option_find(reply, EDNS_PADDING, &size) != NULL,
                         reply->tc || plain + HEAD <= ANSWER_TCP_MAX);
        if (reply->tc) {
            assert_int_equal(reply->size, BLOCK);
        } else if (plain + HEAD <= ANSWER_TCP_MAX) {
            const size_t block_end = (plain + HEAD + BLOCK - 1) / BLOCK * BLOCK;
            assert_int_equal(reply->size, MIN(block_end, (size_t)ANSWER_TCP_MAX));
        } else {
            assert_int_equal(reply->size, plain);
        }
        cut |= reply->tc;
        padded |= plain + HEAD == ANSWER_TCP_MAX / BLOCK * BLOCK; // a whole block as it is
        bare |= plain == ANSWER_TCP_MAX;
        reply_free(reply);
    }
    assert_true(cut && padded && bare);
    world_end(&world);
}

// Padded to whole blocks, whatever the size.
static void test_padding(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    struct world world = world_make(&options);
    char name[NAME_TEXT_MAX];
    for (unsigned length = 1; length < 240; length++) {
        size_t at = 0;
        for (unsigned i = 0; i < length; i++) {
            name[at++] = i % 40 == 39 ? '.' : 'a';
        }
        at -= name[at - 1] == '.';
        snprintf(name + at, sizeof(name) - at, ".example.com.");
        uint8_t wire[NAME_MAX_SIZE];
        if (name_parse(name, NULL, wire, NULL) == 0) {
            continue;
        }
        static const uint8_t padding[] = {0, 12, 0, 0};
        struct question question = {.name = name,
                                    .type = TYPE_A,
                                    .edns = true,
                                    .tls = true,
                                    .options = padding,
                                    .options_size = sizeof(padding)};
        struct reply *reply = ask(now(&world), world.worker, &question);
        assert_int_equal(reply->size % 468, 0);
        reply_free(reply);
    }
    world_end(&world);
}

// Who sends what is malformed gets an OPT that says nothing: its options may be what is wrong.
static void test_malformed(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    struct world world = world_make(&options);
    struct question question = {.name = "www.example.com.",
                                .type = TYPE_A,
                                .subnet = "203.0.113.0/24",
                                .options = everything,
                                .options_size = sizeof(everything)};
    uint8_t query[512], out[ANSWER_UDP_MAX];
    size_t size = query_make(&question, 1, query);
    query[size++] = 0; // an octet behind the end
    struct query_source source = {.address.family = FAMILY_IPV4, .port = 53000};
    const size_t question_end = HEADER_SIZE + 17 + QUESTION_FIXED_SIZE;
    assert_int_equal(answer(now(&world), world.worker, query, size, &source, out),
                     question_end + 11);
    assert_int_equal(get_u16(out + AT_FLAGS), FLAG_QR | FLAG_RD | RCODE_FORMERR);
    assert_int_equal(get_u16(out + question_end + 9), 0);
    world_end(&world);
}

// The life of a cookie: learned, shown, stale, gone; required over UDP only.
static void test_cookies(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    options.cookies_required = true;
    struct world world = world_make(&options);
    uint8_t shown[28] = {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    struct question question = {.name = "www.example.com.",
                                .type = TYPE_A,
                                .edns = true,
                                .options = shown,
                                .options_size = 12};
    unsigned size = 0;
    struct reply *reply = ask(now(&world), world.worker, &question);
    assert_int_equal(reply->rcode, RCODE_BADCOOKIE);
    assert_int_equal(reply->counts[0], 0);
    const uint8_t *cookie = option_find(reply, EDNS_COOKIE, &size);
    assert_non_null(cookie);
    shown[3] = 24;
    memcpy(shown + 4, cookie, 24);
    question.options_size = sizeof(shown);
    reply_free(reply);
    static const struct {
        uint32_t age_s;
        unsigned rcode;
        bool same;
    } table[] = {{0, RCODE_NOERROR, true},
                 {1800, RCODE_NOERROR, true},
                 {1801, RCODE_NOERROR, false},
                 {3600, RCODE_NOERROR, false},
                 {3601, RCODE_BADCOOKIE, false}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        worker_set_time(world.worker, 100000 + table[i].age_s);
        reply = ask(now(&world), world.worker, &question);
        cookie = option_find(reply, EDNS_COOKIE, &size);
        assert_non_null(cookie);
        assert_int_equal(reply->rcode, table[i].rcode);
        assert_int_equal(memcmp(cookie, shown + 4, 24) == 0, table[i].same);
        reply_free(reply);
    }
    question.tcp = true; // the handshake has shown the address
    reply = ask(now(&world), world.worker, &question);
    assert_int_equal(reply->rcode, RCODE_NOERROR);
    reply_free(reply);
    question = (struct question){.name = "www.example.com.", .type = TYPE_A, .edns = true};
    reply = ask(now(&world), world.worker, &question); // who has no cookie is served
    assert_int_equal(reply->rcode, RCODE_NOERROR);
    reply_free(reply);
    const struct worker_counters *counters = worker_counters(world.worker);
    assert_int_equal(counters->cookies, 7);
    assert_int_equal(counters->cookies_valid, 4);
    assert_int_equal(counters->badcookie, 2);
    world_end(&world);
}

// No question: the cookie is what the client wants (RFC 7873, 5.4).
static void test_cookie_without_question(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    options.cookies_required = true;
    struct world world = world_make(&options);
    uint8_t query[] = {0x47, 0x11, 1, 0, 0,  0, 0,  0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0,
                       0,    0,    0, 0, 12, 0, 10, 0, 8, 1, 2, 3, 4, 5, 6,  7, 8};
    struct message message = {.query = query, .query_size = sizeof(query)};
    message.source = (struct query_source){.port = 53000, .transport = TRANSPORT_UDP};
    message.source.address.family = FAMILY_IPV4;
    uint8_t out[ANSWER_UDP_MAX];
    message.out = out;
    answer_batch(now(&world), world.worker, &message, 1);
    assert_int_equal(message.out_size, HEADER_SIZE + 11 + 28);
    assert_false(message.cookie_valid);
    assert_int_equal(get_u16(out + AT_FLAGS), FLAG_QR | FLAG_RD);
    assert_int_equal(get_u16(out + AT_QDCOUNT), 0);
    assert_int_equal(get_u16(out + AT_ARCOUNT), 1);
    assert_memory_equal(out + 27, query + 27, 8);
    // Shown again, as the transport is told.
    uint8_t again[sizeof(query) + 16];
    memcpy(again, query, sizeof(query));
    put_u16(again + 21, 28);
    put_u16(again + 25, 24);
    memcpy(again + 35, out + 35, 16);
    message.query = again;
    message.query_size = sizeof(again);
    answer_batch(now(&world), world.worker, &message, 1);
    assert_true(message.cookie_valid);
    assert_memory_equal(out + 27, again + 27, 24);
    assert_int_equal((out[3] & 15) | out[HEADER_SIZE + 5] << 4, RCODE_NOERROR);
    // A wrong one is told, over any transport, and a good one given.
    for (enum transport transport = TRANSPORT_UDP; transport <= TRANSPORT_TLS; transport++) {
        again[sizeof(again) - 1] ^= 1;
        message.source.transport = transport;
        answer_batch(now(&world), world.worker, &message, 1);
        assert_false(message.cookie_valid);
        assert_int_equal((out[3] & 15) | out[HEADER_SIZE + 5] << 4, RCODE_BADCOOKIE);
        assert_memory_equal(out + 27, again + 27, 23);
        again[sizeof(again) - 1] ^= 1;
    }
    message.source.transport = TRANSPORT_UDP;
    // Without a cookie, no question is a fault.
    put_u16(query + 23, 3);
    message.query = query;
    message.query_size = sizeof(query);
    answer_batch(now(&world), world.worker, &message, 1);
    assert_int_equal(out[3] & 15, RCODE_FORMERR);
    assert_false(message.cookie_valid);
    world_end(&world);
}

static void test_change_of_secrets(void **state)
{
    (void)state;
    struct answer_options options = options_full();
    struct world world = world_make(&options);
    struct cookie_secrets next = {1, {{7}}};
    struct change *change = change_begin(world.publisher);
    change_cookies(change, &next);
    publish(change);
    uint8_t shown[28] = {0, 10, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8};
    struct address source;
    assert_true(address_parse("192.0.2.9", &source));
    cookie_make(next.secrets[0], shown + 4, &source, 100000, shown + 12);
    struct question question = {.name = "www.example.com.",
                                .type = TYPE_A,
                                .edns = true,
                                .options = shown,
                                .options_size = sizeof(shown)};
    struct reply *reply = ask(now(&world), world.worker, &question);
    unsigned size = 0;
    assert_memory_equal(option_find(reply, EDNS_COOKIE, &size), shown + 4, 24);
    reply_free(reply);
    assert_int_equal(worker_counters(world.worker)->cookies_valid, 1);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_gets_what),
        cmocka_unit_test(test_nothing_is_configured),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_they_fit),
        cmocka_unit_test(test_error_takes_no_room),
        cmocka_unit_test(test_they_fit_in_the_largest),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_cookie_without_question),
        cmocka_unit_test(test_change_of_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
