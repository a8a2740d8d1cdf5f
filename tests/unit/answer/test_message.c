// SPDX-License-Identifier: GPL-3.0-or-later
//
// The message around the answer: EDNS, sizes and truncation, verdicts, counters.
#include "room.h"

// --- truncation

static void put_sized_zone(void)
{
    char lines[16384] = "x.test. 60 NS ns.x.test.\n"
                        "ns.x.test. 60 A 192.0.2.250\n"
                        "alias.x.test. 60 CNAME many.x.test.\n"
                        "cut.x.test. 60 NS far.invalid.\n"
                        "cut.x.test. 60 NS in.cut.x.test.\n"
                        "two.x.test. 60 NS a.two.x.test.\n"
                        "two.x.test. 60 NS b.two.x.test.\n"
                        "a.two.x.test. 60 A 192.0.2.251\n"
                        "mx.x.test. 60 MX 10 many.x.test.\n";
    size_t used = strlen(lines);
    for (unsigned i = 1; i <= 80; i++) {
        used +=
            (size_t)snprintf(lines + used, sizeof(lines) - used,
                             "many.x.test. 60 A 192.0.2.%u\ns.x.test. 60 A 198.51.100.%u\n", i, i);
    }
    for (unsigned i = 1; i <= 25; i++) {
        used += (size_t)snprintf(lines + used, sizeof(lines) - used,
                                 "in.cut.x.test. 60 AAAA 2001:db8::%x\n"
                                 "b.two.x.test. 60 AAAA 2001:db8::%x\n",
                                 i, i);
    }
    struct zone *zone = zone_of("x.test.", lines);
    steer(zone, "s.x.test.", TYPE_A, METHOD_ROTATE, 40);
    put_zone(publisher, zone);
}

static size_t size_of_reply(const struct question *question, bool *truncated)
{
    struct reply *reply = ask(current(), worker, question);
    assert_non_null(reply);
    size_t size = reply->size;
    *truncated = reply->tc;
    if (reply->tc) { // nothing but the question and OPT
        assert_int_equal(reply->counts[0] + reply->counts[1] + reply->counts[2], 0);
    }
    reply_free(reply);
    return size;
}

// Whole when it fits, TC when not, at every size that a client may offer.
static void check_sizes(const char *name, uint16_t type)
{
    struct question question = {.name = name, .type = type, .tcp = true, .edns = true};
    bool truncated;
    size_t whole = size_of_reply(&question, &truncated);
    assert_false(truncated);
    question.tcp = false;
    for (unsigned payload = 0; payload <= 1500; payload++) {
        question.payload = payload ? payload : 1;
        size_t size = size_of_reply(&question, &truncated);
        size_t limit = MIN(MAX(payload, 512U), (unsigned)ANSWER_UDP_MAX);
        assert_true(size <= limit);
        if (truncated != (whole > limit)) {
            fail_msg("%s: %zu octets, limit %zu, truncated %d", name, whole, limit, truncated);
        }
        assert_true(truncated || size == whole);
    }
    question.edns = false; // 512 without EDNS
    size_t size = size_of_reply(&question, &truncated);
    assert_true(size <= 512);
    assert_int_equal(truncated, whole - 11 > 512);
}

static void test_truncation_at_every_size(void **state)
{
    (void)state;
    put_sized_zone();
    check_sizes("many.x.test.", TYPE_A);  // prepared records
    check_sizes("s.x.test.", TYPE_A);     // steered
    check_sizes("alias.x.test.", TYPE_A); // through the writer
    check_sizes("cut.x.test.", TYPE_A);   // glue within the delegation must fit (RFC 9471)
    check_sizes("two.x.test.", TYPE_A);   // the first one's fits, and goes with the other's
    check_sizes("ns.x.test.", TYPE_A);    // always fits
}

// The largest answer over UDP, to the octet: text records of every size around it.
static void test_largest_udp_answer(void **state)
{
    (void)state;
    bool cut = false, whole = false;
    for (size_t size = 1150; size < 1230; size++) {
        uint8_t rdata[1300], owner[NAME_MAX_SIZE];
        for (size_t at = 0, left = size; left > 0; at += rdata[at] + 1U) {
            rdata[at] = (uint8_t)MIN(left - 1, 200U);
            memset(rdata + at + 1, 't', rdata[at]);
            left -= rdata[at] + 1U;
        }
        struct zone *zone = zone_of("x.test.", "");
        struct diags diags = {0};
        wire_name("t.x.test.", owner);
        const struct zone_record record = {owner, TYPE_TXT, 60, rdata, size, {0}};
        assert_true(zone_add(zone, &record, &diags));
        put_zone(publisher, zone);
        struct question question = {
            .name = "t.x.test.", .type = TYPE_TXT, .edns = true, .payload = 4096};
        struct reply *reply = ask(current(), worker, &question);
        size_t full = HEADER_SIZE + 10 + QUESTION_FIXED_SIZE + 12 + size + 11;
        assert_int_equal(reply->tc, full > ANSWER_UDP_MAX);
        assert_true(reply->tc || reply->size == full);
        cut |= full == ANSWER_UDP_MAX + 1;
        whole |= full == ANSWER_UDP_MAX;
        reply_free(reply);
    }
    assert_true(cut && whole);
}

// Additional records that only help are left out without TC.
static void test_additional_is_optional(void **state)
{
    (void)state;
    put_sized_zone();
    struct question question = {.name = "mx.x.test.", .type = TYPE_MX};
    struct reply *reply = ask(current(), worker, &question);
    assert_false(reply->tc);
    assert_int_equal(reply->counts[0], 1);
    assert_int_equal(reply->counts[2], 0); // all of an RRset or nothing
    reply_free(reply);
    question.tcp = true;
    reply = ask(current(), worker, &question);
    assert_int_equal(reply->counts[2], 80);
    reply_free(reply);
}

static void test_same_host_twice(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("x.test.", "_s._udp.x.test. 60 SRV 1 1 1 h.x.test.\n"
                                           "_s._udp.x.test. 60 SRV 1 1 2 H.x.test.\n"
                                           "h.x.test. 60 A 192.0.2.1\n"));
    struct question question = {.name = "_s._udp.x.test.", .type = TYPE_SRV};
    struct reply *reply = ask(current(), worker, &question);
    assert_int_equal(reply->counts[0], 2);
    assert_int_equal(reply->counts[2], 1);
    reply_free(reply);
}

// More records than 16-bit pointers reach, over TCP.
static void test_large_over_tcp(void **state)
{
    (void)state;
    char *lines = mem_alloc(200000);
    size_t used = 0;
    for (unsigned i = 0; i < 1000; i++) {
        used += (size_t)snprintf(lines + used, 200,
                                 "big.test. 60 MX %u m%u.some-longer-label-%u.big.test.\n", i, i,
                                 i % 37);
    }
    put_zone(publisher, zone_of("big.test.", lines));
    free(lines);
    struct question question = {.name = "big.test.", .type = TYPE_MX, .tcp = true};
    struct reply *reply = ask(current(), worker, &question);
    assert_true(reply->size > 0x4000);
    assert_int_equal(reply->counts[0], 1000);
    for (unsigned i = 0; i < 1000; i++) {
        char expected[128];
        snprintf(expected, sizeof(expected),
                 "big.test. 60 MX %u m%u.some-longer-label-%u.big.test.", i, i, i % 37);
        assert_string_equal(reply->lines[0][i], expected);
    }
    reply_free(reply);
}

// --- EDNS

// What OPT says, by whatever way the answer is made. DO is copied (RFC 3225, 3), and so is RD:
// ask() looks at it.
static void test_edns(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("x.test.", "a.x.test. 60 A 192.0.2.1\n"));
    static const struct {
        const char *name;
        uint16_t type, class;
    } table[] = {
        {"a.x.test.", TYPE_A, 0},
        {"a.x.test.", TYPE_MX, 0},
        {"no.x.test.", TYPE_A, 0},
        {"x.test.", TYPE_NS, 0},
        {"elsewhere.", TYPE_A, 0},
        {"a.x.test.", TYPE_A, CLASS_ANY},
        {"version.bind.", TYPE_TXT, CLASS_CH},
    };
    for (size_t i = 0; i < 2 * ARRAY_SIZE(table); i++) {
        struct question question = {.name = table[i / 2].name,
                                    .type = table[i / 2].type,
                                    .class = table[i / 2].class,
                                    .edns = true,
                                    .dnssec_ok = i & 1,
                                    .no_recursion = i & 1};
        struct reply *reply = ask(current(), worker, &question);
        assert_int_equal(reply->payload, 1232);
        assert_int_equal(reply->dnssec_ok, i & 1);
        assert_false(reply->subnet);
        reply_free(reply);
    }
}

// --- policies that answer nothing

static void test_nodata_and_servfail_by_policy(void **state)
{
    (void)state;
    static const uint16_t types[] = {TYPE_A, TYPE_CNAME};
    static const char *const rdata[] = {"192.0.2.1", "a.x.test."};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        for (int servfail = 0; servfail < 2; servfail++) {
            char lines[128], type[RR_TYPE_TEXT_MAX];
            snprintf(lines, sizeof(lines), "s.x.test. 60 %s %s\n", rr_type_format(types[i], type),
                     rdata[i]);
            struct zone *zone = zone_of("x.test.", lines);
            struct policy *policy = steer(zone, "s.x.test.", types[i], METHOD_ROTATE, 0);
            policy->all_down = servfail ? ALL_DOWN_SERVFAIL : ALL_DOWN_NONE;
            policy->pools[0].members[0].status = STATUS_DOWN;
            put_zone(publisher, zone);
            struct question question = {.name = "s.x.test.", .type = TYPE_A};
            struct reply *reply = ask(current(), worker, &question);
            assert_int_equal(reply->rcode, servfail ? RCODE_SERVFAIL : RCODE_NOERROR);
            assert_int_equal(reply->counts[0], 0);
            // NODATA is remembered by resolvers for the policy's TTL, not the zone's 300 s.
            assert_int_equal(reply->counts[1], !servfail);
            assert_true(servfail || strncmp(reply->lines[1][0], "x.test. 10 SOA ", 15) == 0);
            reply_free(reply);
        }
    }
}

// --- rotation through answer()

static void check_rotation(const char *name, unsigned count)
{
    char last[64] = "", first[64] = "";
    unsigned changes = 0;
    for (unsigned i = 0; i < 30 * count; i++) {
        struct question question = {.name = name, .type = TYPE_A, .tcp = i & 1};
        struct reply *reply = ask(current(), worker, &question);
        assert_int_equal(reply->counts[0], count);
        changes += strcmp(last, reply->lines[0][0]) != 0;
        snprintf(last, sizeof(last), "%s", reply->lines[0][0]);
        if (i == 0) {
            snprintf(first, sizeof(first), "%s", last);
        }
        assert_int_equal(strcmp(first, last) == 0, i % count == 0); // comes round exactly
        reply_free(reply);
    }
    assert_int_equal(changes, 30 * count);
}

// Static and steered RRsets go round evenly, also when they are asked for by turns.
static void test_rotation(void **state)
{
    (void)state;
    struct zone *zone = zone_of("x.test.", "st.x.test. 60 A 192.0.2.1\nst.x.test. 60 A 192.0.2.2\n"
                                           "st.x.test. 60 A 192.0.2.3\ndy.x.test. 60 A 192.0.2.4\n"
                                           "dy.x.test. 60 A 192.0.2.5\nal.x.test. 60 CNAME "
                                           "st.x.test.\n");
    steer(zone, "dy.x.test.", TYPE_A, METHOD_ROTATE, 0);
    put_zone(publisher, zone);
    check_rotation("st.x.test.", 3);
    check_rotation("dy.x.test.", 2);
    unsigned firsts[2][6] = {0};
    for (unsigned i = 0; i < 600; i++) {
        struct question question = {.name = i & 1 ? "st.x.test." : "dy.x.test.", .type = TYPE_A};
        struct reply *reply = ask(current(), worker, &question);
        firsts[i & 1][reply->lines[0][0][strlen(reply->lines[0][0]) - 1] - '0']++;
        reply_free(reply);
    }
    assert_int_equal(firsts[1][1], 100);
    assert_int_equal(firsts[1][2], 100);
    assert_int_equal(firsts[0][4], 150);
    struct question question = {.name = "al.x.test.", .type = TYPE_A}; // behind an alias too
    unsigned behind[6] = {0};
    for (unsigned i = 0; i < 300; i++) {
        struct reply *reply = ask(current(), worker, &question);
        behind[reply->lines[0][1][strlen(reply->lines[0][1]) - 1] - '0']++;
        reply_free(reply);
    }
    assert_int_equal(behind[1], 100);
}

// --- CHAOS

static void test_chaos(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        const char *reply;
    } table[] = {
        {"version.bind.", TYPE_TXT, "NOERROR aa | version.bind. 0 TXT \"Signpost test\" | |"},
        {"VERSION.server.", TYPE_TXT, "NOERROR aa | VERSION.server. 0 TXT \"Signpost test\" | |"},
        {"id.server.", TYPE_ANY, "NOERROR aa | id.server. 0 TXT \"node \\\"1\\\"\" | |"},
        {"hostname.bind.", TYPE_TXT, "NOERROR aa | hostname.bind. 0 TXT \"node \\\"1\\\"\" | |"},
        {"id.server.", TYPE_A, "NOERROR aa | | |"},
        {"x.test.", TYPE_TXT, "REFUSED | | |"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct question question = {
            .name = table[i].name, .type = table[i].type, .class = CLASS_CH, .edns = i & 1};
        struct reply *reply = ask(current(), worker, &question);
        char text[512];
        assert_string_equal(reply_text(reply, text, sizeof(text)), table[i].reply);
        reply_free(reply);
    }
    // A text is one string of 255 octets at most.
    char text[300];
    memset(text, 'v', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct answer_options wordy = {.udp_payload_max = 1232, .chaos_version = text};
    struct publisher *wordy_publisher = publisher_new(&wordy);
    struct question long_question = {
        .name = "version.bind.", .type = TYPE_TXT, .class = CLASS_CH, .tcp = true};
    struct reply *long_reply = ask(publisher_current(wordy_publisher), worker, &long_question);
    assert_int_equal(strlen(long_reply->lines[0][0]), strlen("version.bind. 0 TXT \"\"") + 255);
    reply_free(long_reply);
    publisher_free(wordy_publisher);
    struct answer_options silent = {.udp_payload_max = 1232, .ecs = true};
    struct publisher *other = publisher_new(&silent);
    struct question question = {.name = "version.bind.", .type = TYPE_TXT, .class = CLASS_CH};
    struct reply *reply = ask(publisher_current(other), worker, &question);
    assert_int_equal(reply->rcode, RCODE_REFUSED);
    reply_free(reply);
    publisher_free(other);
}

// --- verdicts

// What asks from the port of a service that answers anything may answer our answer, for ever; over
// TCP nobody does.
static void test_ports_that_loop(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("x.test.", "a.x.test. 60 A 192.0.2.1\n"));
    for (unsigned i = 0; i < 4; i++) { // by the fast path, and by the long one
        struct question question = {
            .name = "a.x.test.", .type = i & 1 ? TYPE_A : TYPE_ANY, .edns = true};
        uint8_t query[512], out[ANSWER_UDP_MAX];
        size_t size = query_make(&question, 1, query);
        struct query_source source = {.address = {.family = FAMILY_IPV4, .bytes = {192, 0, 2, 9}},
                                      .transport = i & 2 ? TRANSPORT_TCP : TRANSPORT_UDP};
        for (unsigned port = 0; port <= UINT16_MAX; port++) {
            bool loops = port == 0 || port == 7 || port == 13 || port == 17 || port == 19 ||
                         port == 37 || port == 464;
            source.port = (uint16_t)port;
            size_t got = answer(current(), worker, query, size, &source, out);
            assert_int_equal(got == 0, loops && source.transport == TRANSPORT_UDP);
        }
    }
}

static size_t answer_bytes(const uint8_t *query, size_t size, uint16_t port, struct reply *reply)
{
    struct query_source source = {.address = {.family = FAMILY_IPV4, .bytes = {192, 0, 2, 9}},
                                  .port = port,
                                  .transport = TRANSPORT_UDP};
    memset(reply, 0, sizeof(*reply));
    reply->size = answer(current(), worker, query, size, &source, reply->message);
    if (reply->size > 0) {
        decode(reply, query);
    }
    return reply->size;
}

static void test_verdicts(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("x.test.", "a.x.test. 60 TXT \"t\"\n"));
    struct reply *reply = mem_alloc(sizeof(*reply));
    struct question question = {.name = "a.x.test.", .type = TYPE_TXT, .edns = true};
    uint8_t query[512], broken[512];
    size_t size = query_make(&question, 0xbeef, query), opt = size - 11;

    memcpy(broken, query, size);
    broken[2] |= 0x80; // a response is never answered
    assert_int_equal(answer_bytes(broken, size, 53, reply), 0);
    assert_int_equal(answer_bytes(query, 11, 53, reply), 0); // nor is a runt
    memcpy(broken, query, size);
    broken[2] = 0x28; // opcode UPDATE: header and OPT, opcode kept
    assert_int_equal(answer_bytes(broken, size, 53, reply), HEADER_SIZE + 11);
    assert_int_equal(reply->rcode, RCODE_NOTIMP);
    assert_int_equal(reply->message[2], 0xa8);
    assert_true(reply->edns);
    assert_int_equal(answer_bytes(broken, size - 1, 53, reply), HEADER_SIZE); // cut OPT
    assert_int_equal(reply->rcode, RCODE_NOTIMP);

    memcpy(broken, query, size);
    broken[opt + 6] = 1; // EDNS version 1
    assert_int_equal(answer_bytes(broken, size, 53, reply), size);
    assert_int_equal(reply->rcode, RCODE_BADVERS);
    assert_true(reply->edns);

    assert_int_equal(answer_bytes(query, size - 1, 53, reply), size - 11); // cut OPT
    assert_int_equal(reply->rcode, RCODE_FORMERR);
    assert_false(reply->edns);
    memcpy(broken, query, size);
    put_u16(broken + AT_QDCOUNT, 2);
    assert_int_equal(answer_bytes(broken, size, 53, reply), HEADER_SIZE);
    assert_int_equal(reply->rcode, RCODE_FORMERR);

    question.class = CLASS_ANY; // no class of ours
    size = query_make(&question, 1, query);
    assert_int_equal(answer_bytes(query, size, 53, reply), size + 6); // and an extended error
    assert_int_equal(reply->rcode, RCODE_REFUSED);
    free(reply);
}

// The answer may be written over the query.
static void test_in_place(void **state)
{
    (void)state;
    put_sized_zone();
    static const char *const names[] = {"ns.x.test.", "cut.x.test.", "mx.x.test.", "no.x.test."};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct question question = {
            .name = names[i], .type = TYPE_MX, .subnet = "203.0.113.0/24", .dnssec_ok = true};
        uint8_t message[ANSWER_UDP_MAX], apart[ANSWER_UDP_MAX];
        size_t size = query_make(&question, 7, message);
        struct query_source source = {.address = {.family = FAMILY_IPV4}, .port = 53000};
        struct worker *twins[] = {worker_new(5), worker_new(5)}; // the same dice and turns
        size_t apart_size = answer(current(), twins[0], message, size, &source, apart);
        size = answer(current(), twins[1], message, size, &source, message);
        worker_free(twins[0]);
        worker_free(twins[1]);
        assert_int_equal(size, apart_size);
        assert_memory_equal(message, apart, size);
    }
}

static void test_counters(void **state)
{
    (void)state;
    struct zone *zone = zone_of("x.test.", "a.x.test. 60 A 192.0.2.1\ns.x.test. 60 A 192.0.2.2\n");
    steer(zone, "s.x.test.", TYPE_A, METHOD_ROTATE, 0);
    put_zone(publisher, zone);
    static const char *const names[] = {"a.x.test.", "s.x.test.", "no.x.test.", "elsewhere."};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct question question = {.name = names[i], .type = TYPE_A, .edns = i & 1};
        reply_free(ask(current(), worker, &question));
    }
    struct question question = {.name = "a.x.test.", .type = TYPE_MX, .tcp = true};
    reply_free(ask(current(), worker, &question));
    const struct worker_counters *c = worker_counters(worker);
    assert_int_equal(c->queries_udp, 4);
    assert_int_equal(c->queries_tcp, 1);
    assert_int_equal(c->noerror, 2);
    assert_int_equal(c->steered, 1);
    assert_int_equal(c->nodata, 1);
    assert_int_equal(c->nxdomain, 1);
    assert_int_equal(c->refused, 1);
    assert_int_equal(c->edns, 2);
}

// A response is one thing: what is truncated is not an answer or a referral as well.
static void test_truncated_is_counted_once(void **state)
{
    (void)state;
    enum { MANY = 60 };
    char *lines = mem_alloc(MANY * 128), *at = lines;
    at += sprintf(at, "alias.x.test. 60 ALIAS many.x.test.\ncname.x.test. 60 CNAME many.x.test.\n"
                      "cut.x.test. 60 NS ns.cut.x.test.\n");
    for (int i = 0; i < MANY; i++) {
        at += sprintf(at, "many.x.test. 60 A 192.0.2.%d\nns.cut.x.test. 60 A 192.0.2.%d\n", i, i);
    }
    put_zone(publisher, zone_of("x.test.", lines));
    free(lines);
    static const char *const names[] = {"many.x.test.", "alias.x.test.", "cname.x.test.",
                                        "cut.x.test."};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct question question = {.name = names[i], .type = TYPE_A};
        struct reply *reply = ask(current(), worker, &question);
        assert_true(reply->tc);
        reply_free(reply);
    }
    const struct worker_counters *c = worker_counters(worker);
    assert_int_equal(c->truncated, ARRAY_SIZE(names));
    assert_int_equal(c->noerror + c->nodata + c->referrals + c->nxdomain, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_truncation_at_every_size, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_largest_udp_answer, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_additional_is_optional, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_same_host_twice, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_large_over_tcp, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_edns, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_nodata_and_servfail_by_policy, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_rotation, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_chaos, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_ports_that_loop, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_verdicts, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_in_place, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_counters, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_truncated_is_counted_once, room_begin, room_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
