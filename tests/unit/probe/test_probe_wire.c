// SPDX-License-Identifier: GPL-3.0-or-later
//
// Messages between the server and its probing process: there and back, and what is not exactly
// right is refused.
#include "probe/probe_wire.h"
#include "probe/prober_remote.h"

#include "base/hash.h"
#include "base/clock.h"
#include "base/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct wire_scratch scratch;

// The only message of `out`, in a block of exactly its size, so that sanitizers see its end.
static uint8_t *message_of(struct wire_out *out, size_t *size)
{
    struct wire_in in = {.bytes = out->bytes, .size = out->size};
    const uint8_t *message;
    ssize_t whole = wire_message(&in, &message);
    assert_true(whole > 0 && (size_t)whole + WIRE_HEAD_SIZE == out->size);
    *size = (size_t)whole;
    uint8_t *copy = mem_copy(message, *size);
    free(out->bytes);
    *out = (struct wire_out){0};
    return copy;
}

static bool read_any(const uint8_t *message, size_t size)
{
    struct prober_options options;
    struct wire_start start;
    struct wire_result result;
    uint32_t id;
    switch (message[0]) {
    case WIRE_HELLO:
        return wire_get_hello(message, size, &scratch, &options);
    case WIRE_START:
        return wire_get_start(message, size, &scratch, &start);
    case WIRE_RESULT:
        return wire_get_result(message, size, &result);
    default:
        return wire_get_id(message, size, &id);
    }
}

// Every cut is refused; flipped bits are refused or read, but never more than the message is.
static void damage(uint8_t *message, size_t size)
{
    assert_true(read_any(message, size));
    for (size_t cut = 1; cut < size; cut++) {
        uint8_t *part = mem_copy(message, cut);
        assert_false(read_any(part, cut));
        free(part);
    }
    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            message[i] ^= (uint8_t)(1U << bit);
            read_any(message, size);
            message[i] ^= (uint8_t)(1U << bit);
        }
    }
    free(message);
}

static void definitions_arrive_whole(void **state)
{
    (void)state;
    struct wire_out out = {0};
    size_t size;
    uint8_t *message;
    for (int kind = 0; kind < CHECK_KIND_COUNT; kind++) {
        struct wire_start start;
        struct check_spec spec;
        if (!check_kinds[kind].probed) {
            continue;
        }
        check_spec_begin(&spec, (enum check_kind)kind);
        spec.interval_ns = 7 * NS_PER_SECOND;
        spec.timeout_ns = NS_PER_SECOND;
        spec.host = "www.example.com";
        spec.body = "";
        spec.target = (struct address){FAMILY_IPV6, {0x20, 1}};
        const struct wire_start sent = {
            .id = 77, .turn = 4000000000, .target = {FAMILY_IPV4, {203, 0, 113, 9}}, .spec = &spec};
        wire_put_start(&out, &sent);
        message = message_of(&out, &size);
        assert_true(wire_get_start(message, size, &scratch, &start));
        assert_true(start.id == 77 && start.turn == 4000000000);
        assert_true(address_equal(&start.target, &sent.target));
        assert_true(check_spec_equal(start.spec, &spec));
        damage(message, size);
    }
    wire_put_start(&out, &(struct wire_start){.id = 5, .turn = 6});
    message = message_of(&out, &size);
    damage(message, size);
    wire_put_id(&out, WIRE_CANCEL, 9);
    message = message_of(&out, &size);
    damage(message, size);
}

static void results_arrive_whole(void **state)
{
    (void)state;
    struct wire_out out = {0};
    struct wire_result back;
    size_t size;
    struct wire_result sent = {.id = 1,
                               .turn = 2,
                               .result = {.reason = PROBE_L6_EXPIRED,
                                          .warning = true,
                                          .has_certificate = true,
                                          .certificate_days = -3,
                                          .has_load = true,
                                          .load = 0.25,
                                          .connect_ns = 1,
                                          .tls_ns = 2,
                                          .first_byte_ns = 3,
                                          .total_ns = INT64_MAX}};
    strcpy(sent.result.detail, "it ended 3 days ago");
    wire_put_result(&out, &sent);
    uint8_t *message = message_of(&out, &size);
    assert_true(wire_get_result(message, size, &back));
    assert_memory_equal(&back.result.detail, &sent.result.detail, sizeof(back.result.detail));
    assert_true(back.result.reason == sent.result.reason && back.result.warning);
    assert_true(back.result.certificate_days == -3 && back.result.load == 0.25);
    assert_true(back.result.total_ns == INT64_MAX && !back.result.resumed);
    damage(message, size);
    const double bad[] = {NAN, INFINITY, -1};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        sent.result.load = bad[i];
        wire_put_result(&out, &sent);
        message = message_of(&out, &size);
        assert_false(wire_get_result(message, size, &back));
        free(message);
    }
    sent.result.load = 0;
    static const char *const unprintable[] = {"\xff", "a\nb", "\x7f", "caf\xc3\xa9", "\x1b[0m"};
    for (size_t i = 0; i < ARRAY_SIZE(unprintable); i++) {
        strcpy(sent.result.detail, unprintable[i]);
        wire_put_result(&out, &sent);
        message = message_of(&out, &size);
        assert_false(wire_get_result(message, size, &back));
        free(message);
    }
}

static void options_arrive_whole(void **state)
{
    (void)state;
    struct wire_out out = {0};
    size_t size;
    struct prober_options back;
    const struct prefix allow[] = {{{FAMILY_IPV4, {127}}, 8}, {{FAMILY_IPV6, {0xfc}}, 7}};
    const struct endpoint own[] = {{{FAMILY_IPV4, {127, 0, 0, 1}}, 53}};
    const char *const argv[] = {"/bin/true", "", "x y", NULL};
    const struct probe_command commands[] = {{"one", argv, 5, 6}, {"two", argv, (uid_t)-1, 0}};
    const struct prober_options options = {allow, 2, own, 1, commands, 2};
    wire_put_hello(&out, &options);
    uint8_t *message = message_of(&out, &size);
    assert_true(wire_get_hello(message, size, &scratch, &back));
    assert_true(back.allow_count == 2 && back.own_count == 1 && back.command_count == 2);
    assert_int_equal(back.allow[1].length, 7);
    assert_int_equal(back.own[0].port, 53);
    assert_string_equal(back.commands[1].name, "two");
    assert_string_equal(back.commands[1].argv[2], "x y");
    assert_null(back.commands[1].argv[3]);
    assert_true(back.commands[0].uid == 5 && back.commands[1].uid == (uid_t)-1);
    damage(message, size);
}

// Sizes that no message has end the talk; parts wait for the rest.
static void heads_are_checked(void **state)
{
    (void)state;
    const uint8_t *message;
    uint8_t bytes[16] = {0};
    struct wire_in in = {.bytes = bytes, .size = 3};
    assert_int_equal(wire_message(&in, &message), 0);
    in.size = 16;
    assert_int_equal(wire_message(&in, &message), -1); // empty
    uint32_t size = WIRE_MESSAGE_MAX + 1;
    memcpy(bytes, &size, sizeof(size));
    assert_int_equal(wire_message(&in, &message), -1);
    size = 13;
    memcpy(bytes, &size, sizeof(size));
    assert_int_equal(wire_message(&in, &message), 0);
    size = 12;
    memcpy(bytes, &size, sizeof(size));
    assert_int_equal(wire_message(&in, &message), 12);
    wire_drop(&in, 12);
    assert_int_equal(wire_message(&in, &message), 0);
}

// A process that dies at once must not take the machine with it.
static void processes_are_started_ever_later(void **state)
{
    (void)state;
    static const uint64_t pauses_ms[] = {100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000};
    for (unsigned i = 0; i < ARRAY_SIZE(pauses_ms); i++) {
        assert_int_equal(prober_remote_pause_ms(i), pauses_ms[i]);
    }
    assert_int_equal(prober_remote_pause_ms(UINT32_MAX), 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_arrive_whole),
        cmocka_unit_test(results_arrive_whole),
        cmocka_unit_test(options_arrive_whole),
        cmocka_unit_test(heads_are_checked),
        cmocka_unit_test(processes_are_started_ever_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
