// SPDX-License-Identifier: GPL-3.0-or-later
//
// A client is looked for on a map once a question, whatever decides the answer. The linker puts a
// count in the place of the look-up's second step, which the map here always takes, and of that of
// many look-ups.
#include "ask.h"

#include "../../fuzz/publish.h"
#include "geo/lpm.h"

static struct publisher *publisher;
static struct worker *worker;
static struct acquired acquired;
static unsigned lookups;

uint32_t __real_lpm_leaf_below(const struct lpm *map, uint64_t key, uint32_t number);
uint32_t __wrap_lpm_leaf_below(const struct lpm *map, uint64_t key, uint32_t number);

uint32_t __wrap_lpm_leaf_below(const struct lpm *map, uint64_t key, uint32_t number)
{
    lookups++;
    return __real_lpm_leaf_below(map, key, number);
}

void __real_lpm_seek_end(struct lpm_seek *seeks, size_t count);
void __wrap_lpm_seek_end(struct lpm_seek *seeks, size_t count);

void __wrap_lpm_seek_end(struct lpm_seek *seeks, size_t count)
{
    lookups += (unsigned)count;
    __real_lpm_seek_end(seeks, count);
}

// A name whose policy looks at networks; `rule` is more of its first rule.
static void put_steered(FILE *out, const char *name, const char *rule, const char *signpost)
{
    fprintf(out,
            "%s: {type: A, ttl: 60, value: 192.0.2.1, signpost: {%s}, dynamic: {rules: [{subnets: "
            "[203.0.113.0/29], pool: p%s}, {pool: q}], pools: {p: {values: [{value: 192.0.2.1}, "
            "{value: 192.0.2.2}]}, q: {values: [{value: 192.0.2.3}, {value: 192.0.2.4}]}}}}\n",
            name, signpost, rule);
}

static void put_zone_text(FILE *out)
{
    put_steered(out, "one", "", "method: ordered, answers: 1");
    put_steered(out, "two", "", "method: rotate");
    put_steered(out, "draw", "", "method: weighted");
    put_steered(out, "sticky", "", "method: sticky");
    put_steered(out, "share", ", share: 5%", "method: ordered, answers: 1");
    fputs("cn: {type: CNAME, ttl: 60, value: one.w., dynamic: {rules: [{subnets: "
          "[203.0.113.0/29], pool: p}, {pool: q}], pools: {p: {values: [{value: one.w.}]}, q: "
          "{values: [{value: two.w.}]}}}}\n"
          "al: {type: ALIAS, value: cn.w.}\n"
          "mx: {type: MX, values: [1 one.w., 2 two.w., 3 sticky.w.]}\n"
          "svc: {type: HTTPS, values: [1 al.w. ipv4hint=auto, 2 two.w. ipv4hint=auto]}\n",
          out);
}

static int start(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    put_zone_text(out);
    fclose(out);
    struct diags diags = {0};
    struct zone_reader reader = fuzz_reader(&diags);
    struct zone *zone = zone_yaml_read(fuzz_file(text, size), (const uint8_t *)"\1w", &reader);
    print_diags(&diags);
    assert_non_null(zone);
    publisher = publisher_simple();
    worker = worker_new(1);
    struct change *change = change_begin(publisher);
    change_zone(change, zone, fuzz_plan, &acquired);
    publish(change);
    zone_free(zone);
    free(text);
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

static void check(const char *name, uint16_t type, const struct question *like)
{
    struct question question = *like;
    question.name = name;
    question.type = type;
    lookups = 0;
    struct reply *reply = ask(publisher_current(publisher), worker, &question);
    assert_int_equal(reply->rcode, 0);
    assert_true(reply->counts[0] > 0);
    reply_free(reply);
    if (lookups != 1) {
        fail_msg("%s %u: %u look-ups", name, type, lookups);
    }
}

static void test_once(void **state)
{
    (void)state;
    static const uint8_t nsid[] = {0, 3, 0, 0};
    static const struct question likes[] = {
        {.source = "203.0.113.1"},
        {.source = "203.0.113.1", .edns = true},
        {.source = "203.0.113.1", .tcp = true},
        {.source = "203.0.113.1", .edns = true, .options = nsid, .options_size = sizeof(nsid)},
        {.source = "192.0.2.9", .subnet = "203.0.113.0/32"},
    };
    static const struct {
        const char *name;
        uint16_t type;
    } table[] = {{"one.w.", TYPE_A},    {"two.w.", TYPE_A},   {"draw.w.", TYPE_A},
                 {"sticky.w.", TYPE_A}, {"share.w.", TYPE_A}, {"cn.w.", TYPE_CNAME},
                 {"cn.w.", TYPE_A},     {"al.w.", TYPE_A},    {"mx.w.", TYPE_MX},
                 {"svc.w.", TYPE_HTTPS}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        for (size_t k = 0; k < ARRAY_SIZE(likes); k++) {
            check(table[i].name, table[i].type, &likes[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_once)};
    return cmocka_run_group_tests(tests, start, end);
}
