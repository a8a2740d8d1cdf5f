// SPDX-License-Identifier: GPL-3.0-or-later
//
// What one response may spend on policies of many members and on the way to them: the one that it
// is asked for answers, and others only while the sum is small. What is left out nobody needs, or
// it is asked for on its own; behind an ALIAS, where nobody can ask on, SERVFAIL says so.
#include "ask.h"
#include "answer/respond.h"

#include "../../fuzz/publish.h"

static struct publisher *publisher;
static struct worker *worker;
static struct acquired acquired;

enum { WIDE = 1500, SMALL = 400, LINKS = 7, LINK_MEMBERS = 1200 };

static void add_members(FILE *out, const char *owner, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "%s 60 A 10.0.%u.%u\n", owner, i / 256, i % 256);
    }
}

static void put_yaml(const char *apex_text, char *text)
{
    uint8_t apex[NAME_MAX_SIZE];
    struct diags diags = {0};
    struct zone_reader reader = fuzz_reader(&diags);
    wire_name(apex_text, apex);
    struct zone *zone = zone_yaml_read(fuzz_file(text, strlen(text)), apex, &reader);
    print_diags(&diags);
    assert_non_null(zone);
    struct change *change = change_begin(publisher);
    change_zone(change, zone, fuzz_plan, &acquired);
    publish(change);
    zone_free(zone);
    free(text);
}

// Steered CNAMEs of so many members, each of which leads to the next by way of its wildcard, and
// the last one to an address.
static void put_chain(const char *apex, unsigned count, bool is_loop)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    for (unsigned link = 0; link < LINKS; link++) {
        fprintf(out,
                "'*.k%u': {type: CNAME, ttl: 60, value: w., signpost: {method: sticky}, "
                "dynamic: {rules: [{pool: p}], pools: {p: {values: [",
                link);
        for (unsigned i = 0; i < count; i++) {
            fprintf(out, "{value: x%u.k%u.%s}, ", i, is_loop ? link : link + 1, apex);
        }
        fprintf(out,
                "]}}}}\na%u: {type: ALIAS, value: x.k%u.%s}\nc%u: {type: CNAME, value: a%u.%s}\n"
                "h%u: {type: HTTPS, value: 1 a%u.%s ipv4hint=auto}\n",
                link, link, apex, link, link, apex, link, link, apex);
    }
    fprintf(out,
            "'*.k%u': {type: A, value: 192.0.2.1}\n'': [{type: ALIAS, value: x.k1.%s}, {type: "
            "HTTPS, value: 1 . ipv4hint=auto}]\n",
            LINKS, apex);
    fclose(out);
    put_yaml(apex, text);
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
    put_chain("few.", 3, false);
    put_chain("many.", LINK_MEMBERS, false);
    put_chain("loop.", LINK_MEMBERS, true);
    put_yaml("else.", mem_strdup("'': [{type: ALIAS, value: x.k1.many.}, {type: HTTPS, value: 1 . "
                                 "ipv4hint=auto}]\nfew: {type: ALIAS, value: x.k1.few.}\n"));
    return 0;
}

static int end(void **state)
{
    (void)state;
    publisher_free(publisher);
    worker_free(worker);
    acquired_release(&acquired);
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

// --- behind an ALIAS

static void check_alias(const char *name, unsigned rcode, unsigned answers)
{
    struct question question = {.name = name, .type = TYPE_A, .edns = true};
    struct reply *reply = ask(publisher_current(publisher), worker, &question);
    if (reply->rcode != rcode || reply->counts[0] != answers) {
        fail_msg("%s: rcode %u, %u records", name, reply->rcode, reply->counts[0]);
    }
    assert_int_equal(reply->counts[1], 0);
    reply_free(reply);
}

// Policies of 1,200 members each: three of them fit, more do not, wherever the ALIAS stands. Small
// ones are followed to the end.
static void test_alias(void **state)
{
    (void)state;
    check_alias("a0.few.", 0, 1);
    check_alias("few.", 0, 1);
    check_alias("few.else.", 0, 1);
    for (unsigned link = 0; link < LINKS; link++) {
        const unsigned policies = LINKS - link;
        const bool fits = policies <= 3;
        char name[32];
        snprintf(name, sizeof(name), "a%u.many.", link);
        check_alias(name, fits ? RCODE_NOERROR : RCODE_SERVFAIL, fits);
        snprintf(name, sizeof(name), "c%u.many.", link); // asked on for
        check_alias(name, RCODE_NOERROR, fits ? 2 : 1);
    }
    check_alias("many.", RCODE_SERVFAIL, 0);
    check_alias("else.", RCODE_SERVFAIL, 0);
    check_alias("loop.", RCODE_SERVFAIL, 0);
    check_alias("a6.loop.", RCODE_SERVFAIL, 0);
}

// A hint follows no policy that is wide.
static void test_alias_hints(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool has_hint;
    } table[] = {{"h0.few.", true},   {"few.", true},   {"h6.many.", false}, {"h0.many.", false},
                 {"h0.loop.", false}, {"many.", false}, {"loop.", false},    {"else.", false}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct reply *reply = asked(table[i].name, TYPE_HTTPS);
        assert_int_equal(reply->counts[0], 1);
        assert_int_equal(strstr(reply->lines[0][0], "ipv4hint=192.0.2.1") != NULL,
                         table[i].has_hint);
        reply_free(reply);
    }
}

// What that comes to: members weighed for one answer, by what the plans say of themselves.
static void test_within_the_bound(void **state)
{
    (void)state;
    static const char *const names[] = {"a0.many.", "loop.", "else.", "h0.many.", "h0.loop."};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const bool is_hint = names[i][0] == 'h';
        const uint64_t before = worker_counters(worker)->steered;
        struct question question = {
            .name = names[i], .type = is_hint ? TYPE_HTTPS : TYPE_A, .edns = true};
        reply_free(ask(publisher_current(publisher), worker, &question));
        const uint64_t decisions = worker_counters(worker)->steered - before;
        assert_in_range(decisions, 0, is_hint ? 0 : ANSWER_EFFORT_MAX / LINK_MEMBERS - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),       cmocka_unit_test(test_additional),
        cmocka_unit_test(test_hints),       cmocka_unit_test(test_alias),
        cmocka_unit_test(test_alias_hints), cmocka_unit_test(test_within_the_bound),
    };
    return cmocka_run_group_tests(tests, start, end);
}
