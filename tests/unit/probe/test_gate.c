// SPDX-License-Identifier: GPL-3.0-or-later
//
// What passes the gate, by the socket address that a connection would go to.
#include "probe/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <arpa/inet.h>
#include <string.h>
#include <cmocka.h>

static struct sockaddr_storage to_of(const char *text, uint16_t port, unsigned scope)
{
    struct sockaddr_storage to = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        in6->sin6_scope_id = scope;
    }
    return to;
}

static struct prefix network(const char *text, uint8_t length)
{
    struct prefix prefix = {.length = length};
    assert_true(address_parse(text, &prefix.address));
    return prefix;
}

static void disguises_are_seen_through(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        unsigned scope;
        bool passes;
    } rows[] = {
        {"192.0.2.1", 0, true},
        {"2001:db8::1", 0, true},
        {"2001:db8::1", 2, false}, // a zone would choose the interface
        {"10.1.2.3", 0, true},     // named by the configuration
        {"10.2.2.3", 0, false},
        {"::ffff:192.0.2.1", 0, false},
        {"::ffff:10.1.2.3", 0, false}, // as itself it would pass, not in a mask
        {"::192.0.2.1", 0, false},
        {"::ffff:0:192.0.2.1", 0, false},
        {"64:ff9b::192.0.2.1", 0, false},
        {"64:ff9b::a01:203", 0, false},
        {"2002:a01:203::1", 0, false},
        {"2002:c000:201::1", 0, false},
        {"2001:0:a01:203::1", 0, false},
        {"fe80::1", 0, false},
        {"fe80::1", 2, false},
        {"fd00::1", 0, true}, // named
        {"fd00::1", 2, false},
        {"fd01::1", 0, false},
        {"::1", 0, false},
        {"169.254.169.254", 0, false},
    };
    const struct prefix allow[] = {network("10.1.0.0", 16), network("fd00::", 16)};
    struct gate gate;
    gate_open(&gate, allow, ARRAY_SIZE(allow), NULL, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct probe_result result = {.reason = PROBE_OK};
        struct sockaddr_storage to = to_of(rows[i].address, 80, rows[i].scope);
        bool passes = gate_passes(&gate, (struct sockaddr *)&to, &result);
        if (passes != rows[i].passes) {
            fail_msg("%s%%%u", rows[i].address, rows[i].scope);
        }
        assert_int_equal(result.reason, passes ? PROBE_OK : PROBE_DENIED);
    }
    gate_close(&gate);
}

static void own_listeners_are_told_by_address_and_port(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        uint16_t port;
        bool passes;
    } rows[] = {
        {"127.0.0.1", 53, false},  {"127.0.0.1", 54, true},  {"127.0.0.2", 53, true},
        {"127.0.0.2", 853, false}, // a wildcard listener has every address of this machine
        {"127.0.0.1", 853, false}, {"192.0.2.1", 853, true},
    };
    const struct prefix allow[] = {network("127.0.0.0", 8)};
    struct endpoint own[2] = {{.port = 53}, {.port = 853}};
    assert_true(address_parse("127.0.0.1", &own[0].address));
    assert_true(address_parse("0.0.0.0", &own[1].address));
    struct gate gate;
    gate_open(&gate, allow, ARRAY_SIZE(allow), own, ARRAY_SIZE(own));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct probe_result result = {.reason = PROBE_OK};
        struct sockaddr_storage to = to_of(rows[i].address, rows[i].port, 0);
        if (gate_passes(&gate, (struct sockaddr *)&to, &result) != rows[i].passes) {
            fail_msg("%s:%u", rows[i].address, rows[i].port);
        }
    }
    gate_close(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disguises_are_seen_through),
        cmocka_unit_test(own_listeners_are_told_by_address_and_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
