// SPDX-License-Identifier: GPL-3.0-or-later
//
// R8: two clients inside one returned scope get the same answers. A resolver that keeps an answer
// for its scope gives it to the second client without asking.
//
// SIGNPOST_GEO names geo databases (separated by colons), SIGNPOST_PAIRS the number of pairs;
// without the former the built-in networks alone decide. Prints the mean scope of each name, which
// a server that answers by /24 would have at 24.
#include "../zone_test.h"

#include "../seed.h"
#include "steer/plan.h"

static uint64_t dice;

static const char document[] =
    "isps: {type: A, records: [{value: 10.0.0.1, line: cn-telecom}, {value: 10.0.0.2, line: "
    "cn-unicom}, {value: 10.0.0.3, line: cn-mobile}, {value: 10.0.0.4, line: cn-edu}, {value: "
    "10.0.0.5, line: default}]}\n"
    "provinces: {type: A, records: [{value: 10.0.0.1, line: cn-gd}, {value: 10.0.0.2, line: "
    "cn-bj}, "
    "{value: 10.0.0.3, line: cn-telecom-sh}, {value: 10.0.0.4, line: overseas}, {value: 10.0.0.5, "
    "line: default}]}\n"
    "equal: {type: A, records: [{value: 10.0.0.1, line: cn-telecom}, {value: 10.0.0.1, line: "
    "cn-unicom}, {value: 10.0.0.1, line: cn-mobile}, {value: 10.0.0.1, line: cn}, {value: "
    "10.0.0.5, line: default}]}\n"
    "narrow: {type: A, records: [{value: 10.0.0.1, line: cn}]}\n"
    "countries:\n"
    "  type: A\n"
    "  value: 10.0.0.9\n"
    "  dynamic:\n"
    "    pools: {eu: {values: [10.0.0.1]}, us: {values: [10.0.0.2]}, as: {values: [10.0.0.3]}, de: "
    "{values: [10.0.0.4]}, all: {values: [10.0.0.5]}}\n"
    "    rules: [{geos: [EU-DE, NA-US-CA], pool: de}, {geos: [EU], pool: eu}, {geos: [NA-US], "
    "pool: "
    "us}, {geos: [AS], pool: as}, {pool: all}]\n"
    "mixed:\n"
    "  type: A\n"
    "  value: 10.0.0.9\n"
    "  dynamic:\n"
    "    pools: {a: {values: [10.0.0.1]}, b: {values: [10.0.0.2]}, c: {values: [10.0.0.3]}}\n"
    "    rules: [{subnets: [1.0.0.0/8, 8.8.8.0/24, '2400::/12'], asns: [4134, 3320, 15169], pool: "
    "a}, {geos: [SA, AF], asns: [7922], pool: b}, {pool: c}]\n"
    "canary:\n"
    "  type: A\n"
    "  value: 10.0.0.9\n"
    "  dynamic:\n"
    "    pools: {a: {values: [10.0.0.1]}, b: {values: [10.0.0.2]}}\n"
    "    rules: [{geos: [EU], share: 20%, pool: a}, {pool: b}]\n"
    "sticky: {type: A, signpost: {method: sticky}, records: [{value: 10.0.0.1, line: cn}, {value: "
    "10.0.0.2, line: cn}, {value: 10.0.0.3, line: default}, {value: 10.0.0.4, line: default}]}\n"
    "nearest: {type: A, signpost: {method: nearest}, records: [{value: 10.0.0.1, site: fra}, "
    "{value: 10.0.0.2, site: nyc}]}\n"
    "everybody: {type: A, signpost: {method: weighted}, values: [10.0.0.1, 10.0.0.2]}\n";

struct subject {
    const char *name;
    struct territory *base, *projection;
    struct plan *plan;
    uint64_t scope_sum[2], count[2]; // by family: IPv4, IPv6
};

static struct geo *load_geo(const struct lines *lines)
{
    const char *paths[8];
    struct geo_config config = {.database_paths = paths};
    char *list = mem_strdup(getenv("SIGNPOST_GEO") ? getenv("SIGNPOST_GEO") : ""), *rest;
    for (char *path = strtok_r(list, ":", &rest); path && config.database_count < ARRAY_SIZE(paths);
         path = strtok_r(NULL, ":", &rest)) {
        paths[config.database_count++] = path;
    }
    struct diags diags = {0};
    struct geo *geo = geo_load(&config, lines, &diags);
    assert_int_equal(diags.error_count, 0);
    diags_clear(&diags);
    free(list);
    return geo;
}

static void subject_make(struct subject *subject, struct territories *set,
                         const struct outcome *outcome, const struct geo *geo, size_t index)
{
    const struct owner *owner = zone_owner(outcome->zone, index);
    const struct rrset *rrset = owner_rrset(owner, TYPE_A);
    subject->base = territory_acquire(set, rrset->policy, outcome->lines, geo);
    subject->plan = plan_compile(rrset->policy, TYPE_A, 60, subject->base, NULL, 1);
    if (subject->base != NULL) {
        uint32_t *groups = mem_alloc_array(territory_class_count(subject->base), sizeof(*groups));
        size_t count = plan_groups(subject->plan, groups);
        subject->projection =
            count > 1 ? territory_project(set, subject->base, groups, count, true) : NULL;
        plan_project(subject->plan, subject->projection);
        free(groups);
    }
}

static struct address random_client(void)
{
    uint64_t key = random_next(&dice);
    if (random_below(&dice, 3) == 0) {
        return address_from_key(FAMILY_IPV6, key >> 3 | UINT64_C(1) << 61); // 2000::/3
    }
    return address_from_key(FAMILY_IPV4, key & UINT64_MAX << 32);
}

static struct address neighbour(const struct address *client, unsigned scope)
{
    uint64_t rest = scope >= 64 ? 0 : UINT64_MAX >> scope;
    uint64_t mask = client->family == FAMILY_IPV4 ? UINT64_MAX << 32 : UINT64_MAX;
    uint64_t key = (address_key(client) & ~rest) | (random_next(&dice) & rest & mask);
    return address_from_key(client->family, key);
}

static struct pick pick_of(const struct plan *plan, const struct address *client, uint64_t seed)
{
    static uint32_t turns[TURNS_COUNT];
    memset(turns, 0, sizeof(turns[0]) * 4);
    struct dice throw = {&seed, turns, 0};
    struct pick pick;
    plan_pick(plan, client, &throw, &pick);
    return pick;
}

static void check_pair(struct subject *subject)
{
    struct address a = random_client();
    uint64_t seed = random_next(&dice);
    struct pick x = pick_of(subject->plan, &a, seed);
    struct address b = neighbour(&a, x.scope);
    struct pick y = pick_of(subject->plan, &b, seed);
    bool same = x.kind == y.kind && x.ttl == y.ttl && x.scope == y.scope && x.count == y.count;
    for (size_t i = 0; same && i < x.count; i++) {
        same = x.records[i] == y.records[i];
    }
    if (!same) {
        char left[ADDRESS_TEXT_MAX], right[ADDRESS_TEXT_MAX];
        fail_msg("%s: %s and %s differ within /%u", subject->name, address_format(&a, left),
                 address_format(&b, right), x.scope);
    }
    subject->scope_sum[a.family == FAMILY_IPV6] += x.scope;
    subject->count[a.family == FAMILY_IPV6]++;
}

static void test_pairs(void **state)
{
    (void)state;
    struct outcome outcome = read_yaml(document);
    assert_int_equal(outcome.diags.error_count, 0);
    struct geo *geo = load_geo(outcome.lines);
    struct territories *set = territories_new();
    size_t steered = 0, pairs = test_count("SIGNPOST_PAIRS", 300000);
    struct subject subjects[16] = {0};
    for (size_t i = 0; i < zone_owner_count(outcome.zone); i++) {
        const struct rrset *rrset = owner_rrset(zone_owner(outcome.zone, i), TYPE_A);
        if (rrset != NULL && rrset->policy != NULL) {
            subject_make(&subjects[steered], set, &outcome, geo, i);
            subjects[steered++].name = (const char *)zone_owner(outcome.zone, i)->name + 1;
        }
    }
    assert_int_equal(steered, 10);
    for (size_t i = 0; i < pairs; i++) {
        check_pair(&subjects[i % steered]);
    }
    for (size_t i = 0; i < steered; i++) {
        struct subject *subject = &subjects[i];
        double ipv4 = (double)subject->scope_sum[0] / (double)MAX(subject->count[0], 1U);
        double ipv6 = (double)subject->scope_sum[1] / (double)MAX(subject->count[1], 1U);
        print_message("%-10.*s mean scope /%.2f (IPv4), /%.2f (IPv6)\n", subject->name[-1],
                      subject->name, ipv4, ipv6);
        plan_free(subject->plan);
        territory_release(set, subject->projection);
        territory_release(set, subject->base);
    }
    territories_free(set);
    geo_free(geo);
    outcome_end(&outcome);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs)};
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
