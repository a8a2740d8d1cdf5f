// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dual stack: A and AAAA of one name keep a client to the same server, and to the same side of a
// share. Read from documents, as partners are found there.
#include "../zone_test.h"

#include "../seed.h"
#include "steer/plan.h"

static uint64_t dice;

static const struct policy *policy_of(const struct outcome *outcome, uint16_t type)
{
    uint8_t name[NAME_MAX_SIZE];
    name_parse("w.example.com.", NULL, name, NULL);
    const struct owner *owner = zone_find(outcome->zone, name);
    assert_non_null(owner);
    return owner_rrset(owner, type)->policy;
}

// The last octet of the address that the client gets.
static unsigned server_of(const struct plan *plan, const struct address *client)
{
    static uint32_t turns[TURNS_COUNT];
    struct dice throw = {&dice, turns, 0};
    struct pick pick;
    plan_pick(plan, client, &throw, &pick);
    assert_int_equal(pick.count, 1);
    return pick.records[0][pick.sizes[0] - 1];
}

// The part of clients, in percent, that get servers of one number in both families.
static unsigned agreement(const char *text)
{
    struct outcome outcome = read_yaml(text);
    assert_string_equal(diags_text(&outcome.diags), "");
    uint64_t key = random_next(&dice);
    struct plan *ipv4 = plan_compile(policy_of(&outcome, TYPE_A), TYPE_A, 60, NULL, NULL, key);
    struct plan *ipv6 =
        plan_compile(policy_of(&outcome, TYPE_AAAA), TYPE_AAAA, 60, NULL, NULL, key);
    unsigned same = 0;
    for (int i = 0; i < 10000; i++) {
        enum family family = i % 2 ? FAMILY_IPV4 : FAMILY_IPV6;
        struct address client = address_from_key(family, random_next(&dice));
        same += server_of(ipv4, &client) == server_of(ipv6, &client);
    }
    plan_free(ipv4);
    plan_free(ipv6);
    outcome_end(&outcome);
    return same / 100;
}

static void test_by_place(void **state)
{
    (void)state;
    assert_int_equal(agreement("w:\n"
                               "  - {type: A, values: [10.0.0.1, 10.0.0.2, 10.0.0.3], signpost: "
                               "{method: sticky}}\n"
                               "  - {type: AAAA, values: ['2001:db8::1', '2001:db8::2', "
                               "'2001:db8::3'], signpost: {method: sticky}}\n"),
                     100);
    assert_int_equal(agreement("w:\n"
                               "  - {type: A, signpost: {method: sticky}, records: [{value: "
                               "10.0.0.1, weight: 5}, {value: 10.0.0.2}]}\n"
                               "  - {type: AAAA, signpost: {method: sticky}, records: [{value: "
                               "'2001:db8::1', weight: 5}, {value: '2001:db8::2'}]}\n"),
                     100);
    // Not of equal number: each family for itself.
    assert_in_range(agreement("w:\n"
                              "  - {type: A, values: [10.0.0.1, 10.0.0.2, 10.0.0.3], signpost: "
                              "{method: sticky}}\n"
                              "  - {type: AAAA, values: ['2001:db8::1', '2001:db8::2'], signpost: "
                              "{method: sticky}}\n"),
                    20, 50);
}

static void test_by_name_and_site(void **state)
{
    (void)state;
    assert_int_equal(agreement("w:\n"
                               "  - {type: A, signpost: {method: sticky}, records: [{value: "
                               "10.0.0.1, name: one}, {value: 10.0.0.2, name: two}]}\n"
                               "  - {type: AAAA, signpost: {method: sticky}, records: [{value: "
                               "'2001:db8::2', name: two}, {value: '2001:db8::1', name: one}]}\n"),
                     100);
    assert_int_equal(agreement("w:\n"
                               "  - {type: A, signpost: {method: sticky}, records: [{value: "
                               "10.0.0.1, site: fra}, {value: 10.0.0.2, site: nyc}]}\n"
                               "  - {type: AAAA, signpost: {method: sticky}, records: [{value: "
                               "'2001:db8::2', site: nyc}, {value: '2001:db8::1', site: fra}]}\n"),
                     100);
}

// Shares are of the name: 1 is the canary in both families. Its members need no partners.
static void test_shares(void **state)
{
    (void)state;
    const char *form =
        "%s{type: %s, value: %s, dynamic: {pools: {new: {values: [%s]}, old: {values: "
        "[%s]}}, rules: [{share: 30%%, pool: new}, {pool: old}]}}\n";
    char text[1024] = "w:\n";
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, sizeof(text) - used, form, "  - ", "A", "10.0.0.2",
                             "10.0.0.1", "10.0.0.2");
    snprintf(text + used, sizeof(text) - used, form, "  - ", "AAAA", "'2001:db8::2'",
             "'2001:db8::1'", "'2001:db8::2'");
    assert_int_equal(agreement(text), 100);
}

int main(void)
{
    dice = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_place),
        cmocka_unit_test(test_by_name_and_site),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
