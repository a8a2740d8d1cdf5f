// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names that stand for others without saying so: ALIAS, the hints of services, AliasMode, and what
// goes into the additional section when the target is steered.
#include "room.h"

#include "answer/follow.h"

static const char com_text[] = "example.com. 300 ALIAS www.example.com.\n"
                               "example.com. 300 MX 10 www.example.com.\n"
                               "www.example.com. 60 A 192.0.2.1\n"
                               "www.example.com. 60 AAAA 2001:db8::1\n"
                               "www.example.com. 60 TXT \"not what an ALIAS gives\"\n"
                               "steered.example.com. 40 A 192.0.2.11\n"
                               "steered.example.com. 40 A 192.0.2.12\n"
                               "a1.example.com. 500 ALIAS steered.example.com.\n"
                               "a2.example.com. 20 ALIAS a1.example.com.\n"
                               "toc.example.com. 300 ALIAS c1.example.com.\n"
                               "c1.example.com. 30 CNAME a1.example.com.\n"
                               "net.example.com. 300 ALIAS www.example.net.\n"
                               "d.example.com. 300 ALIAS x.dn.example.com.\n"
                               "dn.example.com. 50 DNAME wild.example.net.\n"
                               "*.w.example.com. 300 ALIAS www.example.com.\n"
                               "loop1.example.com. 300 ALIAS loop2.example.com.\n"
                               "loop2.example.com. 300 ALIAS loop1.example.com.\n"
                               "gone.example.com. 300 ALIAS nothing.example.com.\n"
                               "out.example.com. 300 ALIAS www.example.org.\n"
                               "cut.example.com. 300 NS ns.example.org.\n"
                               "below.example.com. 300 ALIAS x.cut.example.com.\n"
                               "self.example.com. 300 NS self.example.com.\n"
                               "self.example.com. 300 A 192.0.2.66\n"
                               "glue.example.com. 300 ALIAS self.example.com.\n"
                               "c2.example.com. 300 CNAME example.com.\n"
                               "down.example.com. 40 A 192.0.2.21\n"
                               "todown.example.com. 40 ALIAS down.example.com.\n";
static const char net_text[] = "www.example.net. 70 A 198.51.100.1\n"
                               "*.wild.example.net. 80 A 198.51.100.2\n";

#define SOA_COM                                                                                    \
    "example.com. 300 SOA ns.nowhere.invalid. hostmaster.nowhere.invalid. 1 7200 900 1209600 300"

static int start(void **state)
{
    room_begin(state);
    struct zone *com = zone_of("example.com.", com_text);
    steer(com, "steered.example.com.", TYPE_A, METHOD_ORDERED, 1);
    struct policy *down = steer(com, "down.example.com.", TYPE_A, METHOD_ORDERED, 0);
    down->all_down = ALL_DOWN_SERVFAIL;
    down->pools[0].members[0].status = STATUS_DOWN;
    put_zone(publisher, com);
    put_zone(publisher, zone_of("example.net.", net_text));
    return 0;
}

static void test_alias(void **state)
{
    (void)state;
    static const struct {
        const char *name, *type, *reply;
    } table[] = {
        {"example.com.", "A", "NOERROR aa | example.com. 60 A 192.0.2.1 | |"},
        {"example.com.", "AAAA", "NOERROR aa | example.com. 60 AAAA 2001:db8::1 | |"},
        {"EXAMPLE.com.", "A", "NOERROR aa | EXAMPLE.com. 60 A 192.0.2.1 | |"},
        {"example.com.", "TXT", "NOERROR aa | | " SOA_COM " |"},
        {"example.com.", "ALIAS", "NOERROR aa | | " SOA_COM " |"},
        {"example.com.", "SOA", "NOERROR aa | " SOA_COM " | |"},
        // chains: the least TTL, the owner of the question
        {"a1.example.com.", "A", "NOERROR aa | a1.example.com. 40 A 192.0.2.11 | |"},
        {"a1.example.com.", "AAAA", "NOERROR aa | | " SOA_COM " |"},
        {"a2.example.com.", "A", "NOERROR aa | a2.example.com. 20 A 192.0.2.11 | |"},
        {"toc.example.com.", "A", "NOERROR aa | toc.example.com. 30 A 192.0.2.11 | |"},
        {"c2.example.com.", "A",
         "NOERROR aa | c2.example.com. 300 CNAME example.com.; example.com. 60 A 192.0.2.1 | |"},
        {"x.w.example.com.", "A", "NOERROR aa | x.w.example.com. 60 A 192.0.2.1 | |"},
        // another zone, a wildcard there, behind a DNAME
        {"net.example.com.", "A", "NOERROR aa | net.example.com. 70 A 198.51.100.1 | |"},
        {"d.example.com.", "A", "NOERROR aa | d.example.com. 50 A 198.51.100.2 | |"},
        // nothing there, nothing here
        {"gone.example.com.", "A", "NOERROR aa | | " SOA_COM " |"},
        {"out.example.com.", "A", "NOERROR aa | | " SOA_COM " |"},
        {"loop1.example.com.", "A", "NOERROR aa | | " SOA_COM " |"},
        {"below.example.com.", "A", "NOERROR aa | | " SOA_COM " |"},
        {"glue.example.com.", "A", "NOERROR aa | | " SOA_COM " |"}, // no answer of ours
        {"todown.example.com.", "A", "SERVFAIL aa | | |"},
        // the additional section knows what an ALIAS stands for only by its own name
        {"example.com.", "MX",
         "NOERROR aa | example.com. 300 MX 10 www.example.com. | | www.example.com. 60 A "
         "192.0.2.1; www.example.com. 60 AAAA 2001:db8::1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        expect(current(), worker, table[i].name, table[i].type, table[i].reply);
    }
}

// --- services

static const char service_text[] =
    "example.org. 300 HTTPS 1 . alpn=h2 ipv4hint=auto no-default-alpn ipv6hint=auto\n"
    "example.org. 300 ALIAS pool.example.org.\n"
    "pool.example.org. 40 A 192.0.2.11\n"
    "pool.example.org. 40 A 192.0.2.12\n"
    "pool.example.org. 45 AAAA 2001:db8::11\n"
    "many.example.org. 300 HTTPS 1 big.example.org. ipv4hint=auto\n"
    "big.example.org. 60 A 192.0.2.1\nbig.example.org. 60 A 192.0.2.2\n"
    "big.example.org. 60 A 192.0.2.3\nbig.example.org. 60 A 192.0.2.4\n"
    "big.example.org. 60 A 192.0.2.5\nbig.example.org. 60 A 192.0.2.6\n"
    "big.example.org. 60 A 192.0.2.7\nbig.example.org. 60 A 192.0.2.8\n"
    "big.example.org. 60 A 192.0.2.9\nbig.example.org. 60 A 192.0.2.10\n"
    "none.example.org. 300 HTTPS 1 else.example.invalid. ipv4hint=auto port=53 ipv6hint=auto\n"
    "fixed.example.org. 300 SVCB 1 pool.example.org. ipv4hint=192.0.2.99\n"
    "mode.example.org. 300 HTTPS 0 svc.example.org.\n"
    "svc.example.org. 100 HTTPS 1 . ipv6hint=auto\n"
    "svc.example.org. 30 AAAA 2001:db8::5\n"
    "void.example.org. 300 SVCB 0 .\n"
    "on.example.org. 300 HTTPS 1 svc.example.org.\n"
    "_sip.example.org. 300 SRV 0 0 5060 pool.example.org.\n";

static void test_services(void **state)
{
    (void)state;
    struct zone *zone = zone_of("example.org.", service_text);
    steer(zone, "pool.example.org.", TYPE_A, METHOD_ORDERED, 1);
    put_zone(publisher, zone);
    static const struct {
        const char *name, *type, *reply;
    } table[] = {
        {"example.org.", "HTTPS",
         "NOERROR aa | example.org. 40 HTTPS 1 . alpn=h2 no-default-alpn ipv4hint=192.0.2.11 "
         "ipv6hint=2001:db8::11 | |"},
        {"none.example.org.", "HTTPS",
         "NOERROR aa | none.example.org. 300 HTTPS 1 else.example.invalid. port=53 | |"},
        {"fixed.example.org.", "SVCB",
         "NOERROR aa | fixed.example.org. 300 SVCB 1 pool.example.org. ipv4hint=192.0.2.99 | | "
         "pool.example.org. 40 A 192.0.2.11; pool.example.org. 45 AAAA 2001:db8::11"},
        {"mode.example.org.", "HTTPS",
         "NOERROR aa | mode.example.org. 300 HTTPS 0 svc.example.org. | | svc.example.org. 30 AAAA "
         "2001:db8::5; svc.example.org. 30 HTTPS 1 . ipv6hint=2001:db8::5"},
        {"on.example.org.", "HTTPS", // no alias: the target's own services are no part of it
         "NOERROR aa | on.example.org. 300 HTTPS 1 svc.example.org. | | svc.example.org. 30 AAAA "
         "2001:db8::5"},
        {"void.example.org.", "SVCB", "NOERROR aa | void.example.org. 300 SVCB 0 . | |"},
        {"svc.example.org.", "HTTPS",
         "NOERROR aa | svc.example.org. 30 HTTPS 1 . ipv6hint=2001:db8::5 | | svc.example.org. 30 "
         "AAAA "
         "2001:db8::5"},
        {"_sip.example.org.", "SRV",
         "NOERROR aa | _sip.example.org. 300 SRV 0 0 5060 pool.example.org. | | pool.example.org. "
         "40 A 192.0.2.11; pool.example.org. 45 AAAA 2001:db8::11"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        expect(current(), worker, table[i].name, table[i].type, table[i].reply);
    }
    // At most eight hints, from the address whose turn it is.
    unsigned firsts = 0;
    for (unsigned i = 0; i < 10; i++) {
        struct question question = {.name = "many.example.org.", .type = TYPE_HTTPS, .tcp = true};
        struct reply *reply = ask(current(), worker, &question);
        const char *hints = strstr(reply->lines[0][0], "ipv4hint=192.0.2.");
        assert_non_null(hints);
        unsigned first, commas = 0;
        assert_int_equal(sscanf(hints, "ipv4hint=192.0.2.%u", &first), 1);
        for (const char *at = hints; *at != '\0'; at++) {
            commas += *at == ',';
        }
        assert_int_equal(commas, 7);
        firsts |= 1U << first;
        reply_free(reply);
    }
    assert_int_equal(firsts, 0x7fe); // each of the ten was first once
}

// Hints and additional records of one answer agree, and one question takes one turn.
static void test_one_turn(void **state)
{
    (void)state;
    enum { ADDRESSES = 3, ROUNDS = 4 };
    struct zone *zone = zone_of("example.biz.", "pool.example.biz. 40 A 192.0.2.11\n"
                                                "pool.example.biz. 40 A 192.0.2.12\n"
                                                "pool.example.biz. 40 A 192.0.2.13\n"
                                                "h.example.biz. 300 HTTPS 1 pool.example.biz. "
                                                "ipv4hint=auto\n");
    steer(zone, "pool.example.biz.", TYPE_A, METHOD_ROTATE, 1);
    put_zone(publisher, zone);
    unsigned counts[ADDRESSES] = {0};
    for (unsigned i = 0; i < ADDRESSES * ROUNDS; i++) {
        struct question question = {.name = "h.example.biz.", .type = TYPE_HTTPS, .tcp = true};
        struct reply *reply = ask(current(), worker, &question);
        unsigned hint, additional;
        assert_int_equal(reply->counts[2], 1);
        assert_int_equal(
            sscanf(strstr(reply->lines[0][0], "ipv4hint="), "ipv4hint=192.0.2.%u", &hint), 1);
        assert_int_equal(
            sscanf(reply->lines[2][0], "pool.example.biz. 40 A 192.0.2.%u", &additional), 1);
        assert_int_equal(hint, additional);
        assert_in_range(hint, 11, 10 + ADDRESSES);
        counts[hint - 11]++;
        reply_free(reply);
    }
    for (unsigned i = 0; i < ADDRESSES; i++) {
        assert_int_equal(counts[i], ROUNDS);
    }
}

// Client networks decide the target's addresses: ALIAS, hints and additional records follow, and
// the scope with them.
static void test_scope(void **state)
{
    (void)state;
    struct zone *zone = zone_of("example.info.", "pool.example.info. 40 A 192.0.2.11\n"
                                                 "pool.example.info. 40 A 192.0.2.12\n"
                                                 "pool.example.info. 40 A 192.0.2.13\n"
                                                 "example.info. 300 ALIAS pool.example.info.\n"
                                                 "example.info. 300 MX 1 pool.example.info.\n"
                                                 "h.example.info. 300 HTTPS 1 pool.example.info. "
                                                 "ipv4hint=auto\n"
                                                 "example.info. 300 TXT \"t\"\n");
    steer(zone, "pool.example.info.", TYPE_A, METHOD_STICKY, 1);
    put_zone(publisher, zone);
    static const struct {
        const char *name;
        uint16_t type;
        unsigned scope;
    } table[] = {{"pool.example.info.", TYPE_A, 24},
                 {"example.info.", TYPE_A, 24},
                 {"example.info.", TYPE_MX, 24},
                 {"h.example.info.", TYPE_HTTPS, 24},
                 {"example.info.", TYPE_TXT, 0}};
    unsigned seen = 0;
    for (unsigned client = 0; client < 32; client++) {
        char subnet[64];
        snprintf(subnet, sizeof(subnet), "198.51.%u.0/24", client);
        const char *chosen = NULL;
        struct reply *replies[ARRAY_SIZE(table)];
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
            struct question question = {
                .name = table[i].name, .type = table[i].type, .subnet = subnet};
            replies[i] = ask(current(), worker, &question);
            assert_int_equal(replies[i]->subnet_scope, table[i].scope);
        }
        chosen = strrchr(replies[0]->lines[0][0], ' ');
        unsigned last = (unsigned)strtoul(strrchr(chosen, '.') + 1, NULL, 10);
        seen |= 1U << last;
        assert_string_equal(strrchr(replies[1]->lines[0][0], ' '), chosen);
        assert_string_equal(strrchr(replies[2]->lines[2][0], ' '), chosen);
        char hint[32];
        snprintf(hint, sizeof(hint), "ipv4hint=192.0.2.%u", last);
        assert_non_null(strstr(replies[3]->lines[0][0], hint));
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
            reply_free(replies[i]);
        }
    }
    assert_int_equal(seen, 0xe << 10);
}

// What is followed silently is bounded as well: a chain, and all chains of an answer.
static void test_bounds_of_following(void **state)
{
    (void)state;
    enum { LINKS = CHAIN_MAX + 4, SERVICES = 15 };
    char text[8192];
    size_t used = (size_t)snprintf(text, sizeof(text),
                                   "a0.example.biz. 60 A 192.0.2.1\n"
                                   "c0.example.biz. 60 A 192.0.2.1\n");
    for (unsigned i = 1; i <= LINKS; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "a%u.example.biz. 60 ALIAS a%u.example.biz.\n"
                                 "c%u.example.biz. 60 CNAME c%u.example.biz.\n",
                                 i, i - 1, i, i - 1);
    }
    for (unsigned i = 1; i <= SERVICES; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "h.example.biz. 60 HTTPS %u c%u.example.biz. ipv4hint=auto\n", i,
                                 (unsigned)CHAIN_MAX);
    }
    snprintf(text + used, sizeof(text) - used, // one look-up would do, and is one too many
             "h.example.biz. 60 HTTPS 99 c0.example.biz. ipv4hint=auto\n");
    put_zone(publisher, zone_of("example.biz.", text));
    for (unsigned i = 1; i <= LINKS; i++) { // the first ALIAS leads to a name, which has a chain
        char name[64];
        snprintf(name, sizeof(name), "a%u.example.biz.", i);
        struct question question = {.name = name, .type = TYPE_A, .tcp = true};
        struct reply *reply = ask(current(), worker, &question);
        assert_int_equal(reply->counts[0], i <= CHAIN_MAX + 1);
        reply_free(reply);
    }
    struct question question = {.name = "h.example.biz.", .type = TYPE_HTTPS, .tcp = true};
    struct reply *reply = ask(current(), worker, &question);
    unsigned hints = 0;
    assert_int_equal(reply->counts[0], SERVICES + 1);
    for (unsigned i = 0; i <= SERVICES; i++) {
        hints += strstr(reply->lines[0][i], "ipv4hint=192.0.2.1") != NULL;
    }
    assert_int_equal(hints, FOLLOWED_MAX / (FOLLOWED_NAME * (CHAIN_MAX + 1)));
    reply_free(reply);
}

// Thirteen names of an RRset are looked up, and what does not fit is left out without TC.
static void test_additional_limits(void **state)
{
    (void)state;
    char *text = mem_alloc(65536);
    size_t used = 0;
    for (unsigned i = 0; i < 20; i++) {
        used += (size_t)snprintf(text + used, 65536 - used,
                                 "example.biz. 300 MX %u m%u.example.biz.\n"
                                 "m%u.example.biz. 300 A 192.0.2.%u\n"
                                 "m%u.example.biz. 300 AAAA 2001:db8::%u\n",
                                 i, i, i, i + 1, i, i + 1);
    }
    put_zone(publisher, zone_of("example.biz.", text));
    free(text);
    struct question question = {.name = "example.biz.", .type = TYPE_MX, .tcp = true};
    struct reply *reply = ask(current(), worker, &question);
    assert_int_equal(reply->counts[0], 20);
    assert_int_equal(reply->counts[2], 26);
    reply_free(reply);
    question.tcp = false;
    reply = ask(current(), worker, &question);
    assert_false(reply->tc);
    assert_int_equal(reply->counts[0], 20);
    assert_true(reply->counts[2] < 26 && reply->size <= 512);
    reply_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alias, start, room_end),
        cmocka_unit_test_setup_teardown(test_services, start, room_end),
        cmocka_unit_test_setup_teardown(test_one_turn, start, room_end),
        cmocka_unit_test_setup_teardown(test_scope, start, room_end),
        cmocka_unit_test_setup_teardown(test_bounds_of_following, start, room_end),
        cmocka_unit_test_setup_teardown(test_additional_limits, start, room_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
