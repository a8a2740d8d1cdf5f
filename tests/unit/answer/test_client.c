// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who the client is: by its subnet, where that says something, else by its source (RFC 7871).
#include "room.h"

static const struct {
    const char *subnet;
    unsigned family, source, scope;
} subnet_table[] = {
    {"203.0.113.0/24", 1, 24, 24},
    {"203.0.0.0/16", 1, 16, 24},
    {"203.0.113.7", 1, 32, 24},
    {"0.0.0.0/0", 1, 0, 0},
    {"2001:db8::/56", 2, 56, 56},
    {"2001:db8::/32", 2, 32, 56},
    {"::/0", 2, 0, 0},
    {"127.0.0.0/8", 1, 8, 0},
    {"169.254.0.0/16", 1, 16, 0},
    {"::1", 2, 128, 0},
    {"fe80::/10", 2, 10, 0},
    {"febf:ffff::/32", 2, 32, 0},
    {"fec0::/10", 2, 10, 56},
    {"ff02::/16", 2, 16, 0},
    {"feff::/16", 2, 16, 56},
    {"0.255.0.0/16", 1, 16, 0},
    {"1.0.0.0/8", 1, 8, 24},
    {"126.0.0.0/8", 1, 8, 24},
    {"128.0.0.0/8", 1, 8, 24},
    {"169.253.0.0/16", 1, 16, 24},
    {"169.255.0.0/16", 1, 16, 24},
    {"223.0.0.0/8", 1, 8, 24},
    {"255.255.255.255", 1, 32, 0},
    {"224.0.0.0/4", 1, 4, 0},
    {"10.0.0.0/8", 1, 8, 24},
};

// Echoed, with the scope of what was decided; unroutable subnets count as none.
static void test_client_subnets(void **state)
{
    (void)state;
    struct zone *zone = zone_of("x.test.", "s.x.test. 60 A 192.0.2.1\n"
                                           "s.x.test. 60 A 192.0.2.2\n"
                                           "s.x.test. 60 A 192.0.2.3\n"
                                           "plain.x.test. 60 A 192.0.2.4\n"
                                           "al.x.test. 60 CNAME s.x.test.\n");
    steer(zone, "s.x.test.", TYPE_A, METHOD_STICKY, 1);
    put_zone(publisher, zone);
    static const char *const names[] = {"s.x.test.", "al.x.test.", "plain.x.test.", "no.x.test."};
    for (size_t i = 0; i < ARRAY_SIZE(subnet_table); i++) {
        for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
            struct question question = {
                .name = names[n], .type = TYPE_A, .subnet = subnet_table[i].subnet};
            print_message("%s for %s\n", names[n], question.subnet);
            struct reply *reply = ask(current(), worker, &question);
            assert_true(reply->subnet);
            assert_int_equal(reply->subnet_family, subnet_table[i].family);
            assert_int_equal(reply->subnet_source, subnet_table[i].source);
            assert_int_equal(reply->subnet_scope, n < 2 ? subnet_table[i].scope : 0);
            reply_free(reply);
        }
    }
}

// The subnet decides, not the source; a source counts where there is no usable subnet.
static void test_who_is_the_client(void **state)
{
    (void)state;
    struct zone *zone = zone_of("x.test.", "s.x.test. 60 A 192.0.2.1\ns.x.test. 60 A 192.0.2.2\n"
                                           "s.x.test. 60 A 192.0.2.3\ns.x.test. 60 A 192.0.2.4\n");
    steer(zone, "s.x.test.", TYPE_A, METHOD_STICKY, 1);
    put_zone(publisher, zone);
    unsigned differ = 0;
    for (unsigned i = 1; i < 100; i++) {
        char source[32], subnet[40];
        snprintf(source, sizeof(source), "198.18.%u.77", i);
        snprintf(subnet, sizeof(subnet), "198.18.%u.0/24", i);
        struct question by_source = {.name = "s.x.test.", .type = TYPE_A, .source = source};
        struct question by_subnet = {.name = "s.x.test.", .type = TYPE_A, .subnet = subnet};
        struct question opted_out = {
            .name = "s.x.test.", .type = TYPE_A, .source = source, .subnet = "0.0.0.0/0"};
        struct question plain = {.name = "s.x.test.", .type = TYPE_A};
        struct reply *a = ask(current(), worker, &by_source),
                     *b = ask(current(), worker, &by_subnet),
                     *c = ask(current(), worker, &opted_out), *d = ask(current(), worker, &plain);
        assert_string_equal(a->lines[0][0], b->lines[0][0]);
        assert_string_equal(a->lines[0][0], c->lines[0][0]);
        differ += strcmp(a->lines[0][0], d->lines[0][0]) != 0;
        reply_free(a);
        reply_free(b);
        reply_free(c);
        reply_free(d);
    }
    assert_in_range(differ, 40, 95);
}

// Where client subnets are switched off, none is echoed (RFC 7871, 7.2.1), and the source decides.
static void test_subnets_switched_off(void **state)
{
    (void)state;
    struct answer_options options = {.udp_payload_max = 1232};
    struct publisher *other = publisher_new(&options);
    struct zone *zone = zone_of("x.test.", "s.x.test. 60 A 192.0.2.1\ns.x.test. 60 A 192.0.2.2\n"
                                           "s.x.test. 60 A 192.0.2.3\ns.x.test. 60 A 192.0.2.4\n");
    steer(zone, "s.x.test.", TYPE_A, METHOD_STICKY, 1);
    put_zone(other, zone);
    static const char *const names[] = {"s.x.test.", "no.x.test.", "x.test.", "elsewhere."};
    for (size_t i = 0; i < 40 * ARRAY_SIZE(names); i++) {
        char subnet[40];
        snprintf(subnet, sizeof(subnet), "198.18.%zu.0/24", i);
        struct question question = {.name = names[i % 4], .type = TYPE_A, .edns = true};
        struct reply *by_source = ask(publisher_current(other), worker, &question);
        question.subnet = subnet;
        struct reply *reply = ask(publisher_current(other), worker, &question);
        assert_false(reply->subnet);
        assert_int_equal(reply->size, by_source->size);
        assert_memory_equal(reply->message, by_source->message, reply->size);
        reply_free(by_source);
        reply_free(reply);
    }
    publisher_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_subnets, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_who_is_the_client, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_subnets_switched_off, room_begin, room_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
