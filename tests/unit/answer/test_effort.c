// SPDX-License-Identifier: GPL-3.0-or-later
//
// What one response may spend on policies of many members: the one that it is asked for answers,
// and others only while the sum is small. What is left out nobody needs, or it is asked for on its
// own.
#include "ask.h"
#include "answer/respond.h"

static struct publisher *publisher;
static struct worker *worker;

enum { WIDE = 1500, SMALL = 400 };

static void add_members(FILE *out, const char *owner, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "%s 60 A 10.0.%u.%u\n", owner, i / 256, i % 256);
    }
}

static int start(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    fputs("link1.w. 60 CNAME wide.w.\nlink2.w. 60 CNAME link1.w.\nlink3.w. 60 CNAME link2.w.\n"
          "small3.w. 60 CNAME small2.w.\nsmall2.w. 60 CNAME small1.w.\nsmall1.w. 60 CNAME "
          "a.w.\nmx.w. 60 MX 1 a.w.\nmx.w. 60 MX 1 b.w.\nmx.w. 60 MX 1 c.w.\nmx.w. 60 MX 1 "
          "wide.w.\nmx.w. 60 MX 1 z.w.\nz.w. 60 A 192.0.2.1\n"
          "hints.w. 60 HTTPS 1 wide.w. ipv4hint=auto\nhints.w. 60 HTTPS 2 a.w. ipv4hint=auto\n",
          out);
    add_members(out, "wide.w.", WIDE);
    add_members(out, "a.w.", SMALL);
    add_members(out, "b.w.", SMALL);
    add_members(out, "c.w.", SMALL);
    fclose(out);
    struct zone *zone = zone_of("w.", text);
    free(text);
    static const char *const steered[] = {"wide.w.", "a.w.", "b.w.", "c.w."};
    for (size_t i = 0; i < ARRAY_SIZE(steered); i++) {
        steer(zone, steered[i], TYPE_A, METHOD_STICKY, 1);
    }
    publisher = publisher_simple();
    worker = worker_new(1);
    put_zone(publisher, zone);
    return 0;
}

static int end(void **state)
{
    (void)state;
    publisher_free(publisher);
    worker_free(worker);
    return 0;
}

// Lines of a section that begin with the owner and the type.
static unsigned count_lines(const struct reply *reply, int section, const char *owner,
                            const char *type)
{
    unsigned found = 0;
    char start_of[64];
    snprintf(start_of, sizeof(start_of), "%s 60 %s ", owner, type);
    for (unsigned i = 0; i < reply->counts[section]; i++) {
        found += strncmp(reply->lines[section][i], start_of, strlen(start_of)) == 0;
    }
    return found;
}

static struct reply *asked(const char *name, uint16_t type)
{
    struct question question = {.name = name, .type = type, .edns = true};
    struct reply *reply = ask(publisher_current(publisher), worker, &question);
    assert_int_equal(reply->rcode, 0);
    assert_true(reply->aa && !reply->tc);
    return reply;
}

// Two links are followed to a wide policy, more are not: the resolver asks on for the last name.
static void test_chain(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned links;
        bool ends_with_address;
    } table[] = {{"wide.w.", 0, true},
                 {"link1.w.", 1, true},
                 {"link2.w.", 2, false},
                 {"link3.w.", 3, false},
                 {"small3.w.", 3, true}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct reply *reply = asked(table[i].name, TYPE_A);
        assert_int_equal(reply->counts[0], table[i].links + table[i].ends_with_address);
        assert_int_equal(reply->counts[1], 0); // no SOA: this is no denial
        reply_free(reply);
    }
}

static void test_additional(void **state)
{
    (void)state;
    struct reply *reply = asked("mx.w.", TYPE_MX);
    assert_int_equal(reply->counts[0], 5);
    assert_int_equal(count_lines(reply, 2, "a.w.", "A") + count_lines(reply, 2, "b.w.", "A") +
                         count_lines(reply, 2, "c.w.", "A"),
                     RESPONSE_EFFORT_MAX / (SMALL + 6 * 32 + 30));
    assert_int_equal(count_lines(reply, 2, "wide.w.", "A"), 0);
    assert_int_equal(count_lines(reply, 2, "z.w.", "A"), 1); // whose turn costs nothing
    reply_free(reply);
}

static void test_hints(void **state)
{
    (void)state;
    struct reply *reply = asked("hints.w.", TYPE_HTTPS);
    assert_int_equal(reply->counts[0], 2);
    for (unsigned i = 0; i < 2; i++) {
        bool is_wide = strstr(reply->lines[0][i], "wide.w.") != NULL;
        assert_true((strstr(reply->lines[0][i], "ipv4hint=10.0.") == NULL) == is_wide);
    }
    reply_free(reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_additional),
        cmocka_unit_test(test_hints),
    };
    return cmocka_run_group_tests(tests, start, end);
}
