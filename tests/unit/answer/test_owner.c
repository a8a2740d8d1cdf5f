// SPDX-License-Identifier: GPL-3.0-or-later
//
// Owners made of nodes say what the zone's model says, of every name; and a zone that was released
// gives them in place of its own.
#include "ask.h"

static const char *const lines = "Example.test. 600 NS ns1.example.test.\n"
                                 "ns1.example.test. 600 A 192.0.2.53\n"
                                 "WWW.example.test. 300 A 192.0.2.1\n"
                                 "www.example.test. 300 A 192.0.2.2\n"
                                 "www.example.test. 60 AAAA 2001:db8::1\n"
                                 "www.example.test. 60 TXT \"one\" \"two\"\n"
                                 "deep.empty.example.test. 300 MX 10 www.example.test.\n"
                                 "*.wild.example.test. 300 CNAME www.example.test.\n"
                                 "sub.example.test. 300 NS ns.sub.example.test.\n"
                                 "ns.sub.example.test. 300 A 192.0.2.54\n";

struct fixture {
    struct publisher *publisher;
    struct zone *zone, *model; // the same twice
    struct arena *arena;
};

static int start(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof(*fixture));
    fixture->publisher = publisher_simple();
    fixture->zone = zone_of("example.test.", lines);
    fixture->model = zone_of("example.test.", lines);
    fixture->arena = arena_new();
    struct change *change = change_begin(fixture->publisher);
    change_zone(change, fixture->zone, plan_simple, NULL);
    publish(change);
    *state = fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    publisher_free(fixture->publisher);
    zone_free(fixture->zone);
    zone_free(fixture->model);
    arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static void check_owner(const struct owner *made, const struct owner *model)
{
    assert_non_null(made);
    assert_int_equal(made->name_size, model->name_size);
    assert_true(name_equal(made->name, model->name));
    const struct rrset *got = made->rrsets;
    for (const struct rrset *rrset = model->rrsets; rrset; rrset = rrset->next, got = got->next) {
        assert_non_null(got);
        assert_int_equal(got->type, rrset->type);
        assert_int_equal(got->ttl, rrset->ttl);
        assert_null(got->policy);
        assert_int_equal(got->record_count, rrset->record_count);
        for (size_t i = 0; i < rrset->record_count; i++) {
            assert_int_equal(got->records[i].rdata_size, rrset->records[i].rdata_size);
            assert_memory_equal(got->records[i].rdata, rrset->records[i].rdata,
                                rrset->records[i].rdata_size);
        }
    }
    assert_null(got);
}

static const struct owner *ask_owner(const struct fixture *fixture, const char *text)
{
    uint8_t name[NAME_MAX_SIZE];
    wire_name(text, name);
    return generation_owner(publisher_current(fixture->publisher), zone_apex(fixture->zone), name,
                            fixture->arena);
}

static void test_owners(void **state)
{
    const struct fixture *fixture = *state;
    const struct generation *generation = publisher_current(fixture->publisher);
    const struct zone *model = fixture->model;
    struct owner_list list = generation_owners(generation, zone_apex(model), fixture->arena);
    assert_int_equal(list.count, zone_owner_count(model));
    for (size_t i = 0; i < list.count; i++) {
        const struct owner *owner = zone_find(model, list.owners[i]->name);
        assert_non_null(owner);
        check_owner(list.owners[i], owner);
        check_owner(generation_owner(generation, zone_apex(model), owner->name, fixture->arena),
                    owner);
    }
    assert_null(ask_owner(fixture, "empty.example.test.")); // it has no records
    assert_null(ask_owner(fixture, "nobody.example.test."));
    assert_null(ask_owner(fixture, "test."));
}

// --- a released zone

static const struct owner *find(void *state, const struct zone *zone, const uint8_t *name)
{
    const struct fixture *fixture = state;
    return generation_owner(publisher_current(fixture->publisher), zone_apex(zone), name,
                            fixture->arena);
}

static const struct owner *at(void *state, const struct zone *zone, size_t index)
{
    const struct fixture *fixture = state;
    return generation_owners(publisher_current(fixture->publisher), zone_apex(zone), fixture->arena)
        .owners[index];
}

static void test_release(void **state)
{
    struct fixture *fixture = *state;
    struct zone *zone = fixture->zone;
    const struct owner_source source = {find, at, fixture};
    zone_set_path(zone, "zones/example.test.zone");
    zone_set_precedence(zone, PRECEDENCE_PROVINCE_FIRST);
    assert_false(zone_is_released(zone));
    zone = zone_release(zone, &source);
    assert_true(zone_is_released(zone));
    fixture->zone = zone;
    assert_string_equal(zone_path(zone), "zones/example.test.zone");
    enum line_precedence precedence;
    assert_true(zone_precedence(zone, &precedence));
    assert_int_equal(precedence, PRECEDENCE_PROVINCE_FIRST);
    assert_false(zone_has_alias(zone));
    assert_true(name_equal(zone_apex(zone), zone_apex(fixture->model)));
    assert_int_equal(zone_owner_count(zone), zone_owner_count(fixture->model));
    for (size_t i = 0; i < zone_owner_count(zone); i++) {
        const struct owner *owner = zone_owner(zone, i);
        check_owner(owner, zone_find(fixture->model, owner->name));
        check_owner(zone_find(zone, owner->name), owner);
    }
}

// A steered zone is not to be released.
static void test_policy(void **state)
{
    (void)state;
    struct zone *zone = zone_of("p.test.", "a.p.test. 300 A 192.0.2.1\n");
    assert_false(zone_has_policy(zone));
    steer(zone, "a.p.test.", TYPE_A, METHOD_ROTATE, 1);
    assert_true(zone_has_policy(zone));
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_owners, start, end),
        cmocka_unit_test_setup_teardown(test_release, start, end),
        cmocka_unit_test(test_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
