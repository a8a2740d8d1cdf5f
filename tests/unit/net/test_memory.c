// SPDX-License-Identifier: GPL-3.0-or-later
//
// What peers can make a worker hold: bounded, whatever they send and claim.
#include "fixture.h"

static const char *const loopback[] = {"127.0.0.1", NULL};

// Many large messages that never end: the memory of a worker is bounded, the oldest give way.
static void test_memory_bound(void **state)
{
    (void)state;
    enum { HOARDERS = 250 };
    struct server *server = server_start((struct net_options){0}, loopback);
    static uint8_t part[60000] = {0xff, 0xff};
    static int fds[HOARDERS];
    for (unsigned i = 0; i < HOARDERS; i++) {
        fds[i] = client(server, SOCK_STREAM);
        send_all_bytes(fds[i], part, sizeof(part));
    }
    int honest = client(server, SOCK_STREAM);
    assert_true(exchange(honest, 1));
    // 7 MiB hold 112 messages of 65,535; those with less than 60,000 so far do not matter here.
    enum { OPEN_MIN = 90, OPEN_MAX = 125 };
    unsigned open = HOARDERS;
    for (int waited_ms = 0; open > OPEN_MAX && waited_ms < PATIENCE_MS; waited_ms += 10) {
        sleep_ms(10);
        open = 0;
        for (unsigned i = 0; i < HOARDERS; i++) {
            open += !closed_within(fds[i], 0);
        }
    }
    assert_in_range(open, OPEN_MIN, OPEN_MAX);
    assert_false(closed_within(fds[HOARDERS - 1], 0));
    assert_true(exchange(honest, 2));
    for (unsigned i = 0; i < HOARDERS; i++) {
        close(fds[i]);
    }
    close(honest);
    server_stop(server);
}

// What a prefix claims takes no memory: many that begin the largest message leave room for all.
static void test_claims_take_no_memory(void **state)
{
    (void)state;
    enum { CLAIMANTS = 250 };
    struct server *server = server_start((struct net_options){0}, loopback);
    static const uint8_t begun[16] = {0xff, 0xff};
    static int fds[CLAIMANTS];
    for (unsigned i = 0; i < CLAIMANTS; i++) {
        fds[i] = client(server, SOCK_STREAM);
        send_all_bytes(fds[i], begun, sizeof(begun));
    }
    int honest = client(server, SOCK_STREAM);
    for (uint32_t i = 0; i < 20; i++) { // by then all have been read
        assert_true(exchange(honest, i));
    }
    for (unsigned i = 0; i < CLAIMANTS; i++) {
        assert_false(closed_within(fds[i], 0));
        close(fds[i]);
    }
    close(honest);
    server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_bound),
        cmocka_unit_test(test_claims_take_no_memory),
    };
    return cmocka_run_group_tests_name("net/memory", tests, NULL, NULL);
}
