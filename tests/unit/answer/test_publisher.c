// SPDX-License-Identifier: GPL-3.0-or-later
//
// Changes: what they keep, what they free (the sanitizers watch), and zones within zones.
#include "room.h"

#include "answer/generation_internal.h"

static void remove_zone(const char *apex_text)
{
    uint8_t apex[NAME_MAX_SIZE];
    wire_name(apex_text, apex);
    struct change *change = change_begin(publisher);
    change_zone_remove(change, apex);
    publish(change);
}

static const struct node *node_of(const char *text)
{
    uint8_t name[NAME_MAX_SIZE], folded[NAME_MAX_SIZE];
    size_t size = wire_name(text, name);
    name_fold(name, size, folded);
    return generation_node(current(), folded, size);
}

static void test_empty(void **state)
{
    (void)state;
    struct generation_summary summary = generation_summary(current());
    assert_int_equal(summary.zone_count + summary.name_count + summary.plan_count, 0);
    expect(current(), worker, "example.com.", "A", "REFUSED | | |");
    expect(current(), worker, ".", "NS", "REFUSED | | |");
    remove_zone("example.com."); // is not there: nothing happens
    assert_int_equal(generation_number(current()), 1);
}

// A zone that is put again keeps the memory of what did not change.
static void test_replace_keeps_unchanged_nodes(void **state)
{
    (void)state;
    static const char first[] = "a.example. 60 A 192.0.2.1\n"
                                "b.example. 60 A 192.0.2.2\n"
                                "b.example. 60 A 192.0.2.3\n"
                                "x.gone.example. 60 A 192.0.2.4\n"
                                "c.example. 60 TXT \"old\"\n";
    static const char second[] = "c.example. 60 TXT \"new\"\n"
                                 "b.example. 60 A 192.0.2.2\n"
                                 "b.example. 60 A 192.0.2.3\n"
                                 "new.example. 60 A 192.0.2.5\n"
                                 "A.example. 60 A 192.0.2.1\n";
    put_zone(publisher, zone_of("example.", first));
    const struct node *a = node_of("a.example."), *b = node_of("b.example."),
                      *apex = node_of("example.");
    assert_non_null(node_of("gone.example.")); // the empty non-terminal
    assert_int_equal(generation_summary(current()).name_count, 6);
    put_zone(publisher, zone_of("example.", second));
    assert_ptr_equal(node_of("a.example."), a);
    assert_ptr_equal(node_of("b.example."), b);
    assert_ptr_equal(node_of("example."), apex);
    assert_null(node_of("gone.example."));
    assert_null(node_of("x.gone.example."));
    assert_int_equal(generation_summary(current()).name_count, 5);
    assert_int_equal(generation_summary(current()).zone_count, 1);
    expect(current(), worker, "c.example.", "TXT", "NOERROR aa | c.example. 60 TXT \"new\" | |");
    expect(current(), worker, "new.example.", "A", "NOERROR aa | new.example. 60 A 192.0.2.5 | |");
    size_t size = generation_summary(current()).memory_size;
    for (int i = 0; i < 20; i++) { // there and back leaves nothing behind
        put_zone(publisher, zone_of("example.", i & 1 ? second : first));
    }
    assert_int_equal(generation_summary(current()).memory_size, size);
}

static void test_remove(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("one.example.", "www.one.example. 60 A 192.0.2.1\n"));
    put_zone(publisher, zone_of("two.example.", "www.two.example. 60 A 192.0.2.2\n"));
    remove_zone("ONE.example.");
    expect(current(), worker, "www.one.example.", "A", "REFUSED | | |");
    expect(current(), worker, "one.example.", "SOA", "REFUSED | | |");
    expect(current(), worker, "www.two.example.", "A",
           "NOERROR aa | www.two.example. 60 A 192.0.2.2 | |");
    struct generation_summary summary = generation_summary(current());
    assert_int_equal(summary.zone_count, 1);
    assert_int_equal(summary.name_count, 2);
    remove_zone("two.example.");
    summary = generation_summary(current());
    assert_int_equal(summary.zone_count + summary.name_count, 0);
    // The slot is used again.
    put_zone(publisher, zone_of("three.example.", ""));
    assert_in_range(node_of("three.example.")->zone, 0, 1);
}

// --- zones within zones

#define SOA_OF(apex)                                                                               \
    apex " 300 SOA ns.nowhere.invalid. hostmaster.nowhere.invalid. 1 7200 900 1209600 300"

static const char parent_lines[] = "www.p.test. 60 A 192.0.2.1\n"
                                   "*.p.test. 60 TXT \"wild\"\n"
                                   "a.c.p.test. 60 A 192.0.2.66\n"
                                   "*.c.p.test. 60 A 192.0.2.67\n"
                                   "x.y.c.p.test. 60 A 192.0.2.68\n"
                                   "al.p.test. 60 CNAME b.c.p.test.\n";
static const char child_lines[] = "b.c.p.test. 60 A 192.0.2.2\n"
                                  "up.c.p.test. 60 CNAME www.p.test.\n";

// The child answers for all names below its apex, also those that the parent has without a
// delegation.
static void expect_child(void)
{
    expect(current(), worker, "b.c.p.test.", "A", "NOERROR aa | b.c.p.test. 60 A 192.0.2.2 | |");
    expect(current(), worker, "a.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "q.a.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "zz.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "*.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "x.y.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "x.y.c.p.test.", "DS", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "y.c.p.test.", "MX", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "c.p.test.", "SOA", "NOERROR aa | " SOA_OF("c.p.test.") " | |");
    expect(current(), worker, "c.p.test.", "TXT", "NOERROR aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "www.p.test.", "A", "NOERROR aa | www.p.test. 60 A 192.0.2.1 | |");
    expect(current(), worker, "q.p.test.", "TXT", "NOERROR aa | q.p.test. 60 TXT \"wild\" | |");
    // Chains end where they leave their zone.
    expect(current(), worker, "al.p.test.", "A",
           "NOERROR aa | al.p.test. 60 CNAME b.c.p.test. | |");
    expect(current(), worker, "up.c.p.test.", "A",
           "NOERROR aa | up.c.p.test. 60 CNAME www.p.test. | |");
    // The parent's side answers for DS.
    expect(current(), worker, "c.p.test.", "DS", "NOERROR aa | | " SOA_OF("p.test.") " |");
}

static void expect_parent_alone(void)
{
    expect(current(), worker, "a.c.p.test.", "A", "NOERROR aa | a.c.p.test. 60 A 192.0.2.66 | |");
    expect(current(), worker, "b.c.p.test.", "A", "NOERROR aa | b.c.p.test. 60 A 192.0.2.67 | |");
    expect(current(), worker, "y.c.p.test.", "MX", "NOERROR aa | | " SOA_OF("p.test.") " |");
    expect(current(), worker, "c.p.test.", "SOA", "NOERROR aa | | " SOA_OF("p.test.") " |");
    expect(current(), worker, "al.p.test.", "A",
           "NOERROR aa | al.p.test. 60 CNAME b.c.p.test.; b.c.p.test. 60 A 192.0.2.67 | |");
}

static void test_nested_zones(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("p.test.", parent_lines));
    expect_parent_alone();
    put_zone(publisher, zone_of("c.p.test.", child_lines));
    expect_child();
    // Putting the parent again: its names below the child are not asked for.
    put_zone(publisher, zone_of("p.test.", "other.p.test. 60 A 192.0.2.9\n"
                                           "a.c.p.test. 60 A 192.0.2.77\n"));
    put_zone(publisher, zone_of("p.test.", parent_lines));
    expect_child();
    remove_zone("c.p.test.");
    expect_parent_alone();
    put_zone(publisher, zone_of("c.p.test.", child_lines));
    remove_zone("p.test.");
    expect(current(), worker, "b.c.p.test.", "A", "NOERROR aa | b.c.p.test. 60 A 192.0.2.2 | |");
    expect(current(), worker, "www.p.test.", "A", "REFUSED | | |");
    put_zone(publisher, zone_of("p.test.", parent_lines)); // the child came first
    expect_child();
}

// With a delegation in the parent, and three zones deep.
static void test_nested_with_delegation(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("g.c.p.test.", "deep.g.c.p.test. 60 A 192.0.2.3\n"));
    put_zone(publisher,
             zone_of("p.test.", "c.p.test. 60 NS ns.c.p.test.\n"
                                "c.p.test. 60 DS 1 13 2 "
                                "00112233445566778899aabbccddeeff00112233445566778899aabb"
                                "ccddeeff\n"
                                "ns.c.p.test. 60 A 192.0.2.4\n"));
    expect(current(), worker, "a.c.p.test.", "A",
           "NOERROR | | c.p.test. 60 NS ns.c.p.test. | ns.c.p.test. 60 A 192.0.2.4");
    expect(current(), worker, "x.g.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("g.c.p.test.") " |");
    put_zone(publisher, zone_of("c.p.test.", "a.c.p.test. 60 A 192.0.2.5\n"));
    expect(current(), worker, "a.c.p.test.", "A", "NOERROR aa | a.c.p.test. 60 A 192.0.2.5 | |");
    expect(current(), worker, "ns.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "c.p.test.", "NS",
           "NOERROR aa | c.p.test. 300 NS ns.nowhere.invalid. | |");
    expect(current(), worker, "c.p.test.", "DS",
           "NOERROR aa | c.p.test. 60 DS 1 13 2 "
           "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff | |");
    expect(current(), worker, "deep.g.c.p.test.", "A",
           "NOERROR aa | deep.g.c.p.test. 60 A 192.0.2.3 | |");
    expect(current(), worker, "b.c.p.test.", "DS", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
}

// --- plans

static struct zone *steered_zone(unsigned names)
{
    char lines[8192] = "";
    size_t used = 0;
    for (unsigned i = 0; i < names; i++) {
        used += (size_t)snprintf(lines + used, sizeof(lines) - used,
                                 "s%u.example. 60 A 192.0.2.%u\ns%u.example. 60 A 198.51.100.%u\n",
                                 i, i, i, i);
    }
    struct zone *zone = zone_of("example.", lines);
    for (unsigned i = 0; i < names; i++) {
        char owner[32];
        snprintf(owner, sizeof(owner), "s%u.example.", i);
        steer(zone, owner, TYPE_A, METHOD_ORDERED, 1);
    }
    return zone;
}

static uint32_t slot_of(const struct slots *slots, const char *owner)
{
    for (size_t i = slots->count; i > 0; i--) {
        if (strcmp(slots->items[i - 1].owner, owner) == 0) {
            return slots->items[i - 1].slot;
        }
    }
    fail();
    return 0;
}

static void put_steered(unsigned names, struct slots *slots)
{
    struct zone *zone = steered_zone(names);
    struct change *change = change_begin(publisher);
    change_zone(change, zone, plan_simple, slots);
    publish(change);
    zone_free(zone);
}

static void test_plan_slots(void **state)
{
    (void)state;
    struct slots slots = {0};
    put_steered(5, &slots);
    assert_int_equal(generation_summary(current()).plan_count, 5);
    uint32_t third = slot_of(&slots, "s2.example."), fourth = slot_of(&slots, "s3.example.");
    put_steered(5, &slots); // the same RRsets keep their slots
    assert_int_equal(slot_of(&slots, "s2.example."), third);
    put_steered(2, &slots);
    assert_int_equal(generation_summary(current()).plan_count, 2);
    slots.count = 0;
    put_steered(4, &slots); // slots that came free are taken again
    assert_int_equal(generation_summary(current()).plan_count, 4);
    uint32_t again = slot_of(&slots, "s2.example.");
    assert_true(again == third || again == fourth || again == 4 || again < 5);
    for (size_t i = 0; i < slots.count; i++) {
        assert_true(slots.items[i].slot < 5);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(slots.items[i].slot, slots.items[k].slot);
        }
    }
    for (int i = 0; i < 50; i++) {
        put_steered((unsigned)i % 7, NULL);
    }
    slots.count = 0;
    put_steered(7, &slots);
    for (size_t i = 0; i < slots.count; i++) {
        assert_true(slots.items[i].slot < 7); // nothing leaked
    }
    // From steered to static and back.
    put_zone(publisher, zone_of("example.", "s0.example. 60 A 192.0.2.200\n"));
    assert_int_equal(generation_summary(current()).plan_count, 0);
    expect(current(), worker, "s0.example.", "A", "NOERROR aa | s0.example. 60 A 192.0.2.200 | |");
    put_steered(1, NULL);
    expect(current(), worker, "s0.example.", "A", "NOERROR aa | s0.example. 60 A 192.0.2.0 | |");
}

// Another plan for one slot: what a health change does.
static void test_change_plan(void **state)
{
    (void)state;
    struct slots slots = {0};
    put_steered(3, &slots);
    const struct node *node = node_of("s1.example.");
    uint8_t owner[NAME_MAX_SIZE];
    wire_name("S1.example.", owner);
    const struct plan *before = generation_plan(current(), owner, TYPE_A);
    assert_non_null(before);
    assert_null(generation_plan(current(), owner, TYPE_AAAA));
    struct zone *zone = steered_zone(3);
    const struct owner *model = zone_find(zone, owner);
    struct rrset *rrset = model->rrsets;
    rrset->policy->pools[0].members[0].status = STATUS_DOWN;
    for (int i = 0; i < 3; i++) {
        struct change *change = change_begin(publisher);
        uint32_t slot = slot_of(&slots, "s1.example.");
        change_plan(change, slot, plan_simple(NULL, model, rrset, slot));
        change_plan(change, slot, plan_simple(NULL, model, rrset, slot)); // twice in one change
        if (i == 1) {
            change_drop(change);
        } else {
            publish(change);
        }
    }
    zone_free(zone);
    assert_ptr_equal(node_of("s1.example."), node);
    expect(current(), worker, "s1.example.", "A", "NOERROR aa | s1.example. 60 A 198.51.100.1 | |");
    expect(current(), worker, "s2.example.", "A", "NOERROR aa | s2.example. 60 A 192.0.2.2 | |");
    assert_int_equal(generation_summary(current()).plan_count, 3);
}

// --- changes that come to nothing

static void make_a_mess(struct change *change)
{
    struct zone *zones[] = {steered_zone(6),
                            zone_of("fresh.test.", "a.fresh.test. 1 A 192.0.2.1\n"),
                            zone_of("p.test.", "q.p.test. 60 A 192.0.2.1\n"), steered_zone(3)};
    for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
        change_zone(change, zones[i], plan_simple, NULL);
        zone_free(zones[i]);
    }
    static const uint8_t child[] = "\1c\1p\4test", fresh[] = "\5fresh\4test";
    change_zone_remove(change, child);
    change_zone_remove(change, fresh);
    struct zone *again = zone_of("c.p.test.", "n.c.p.test. 60 A 192.0.2.1\n");
    change_zone(change, again, plan_simple, NULL);
    zone_free(again);
}

static void test_drop_leaves_all_intact(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("p.test.", parent_lines));
    put_zone(publisher, zone_of("c.p.test.", child_lines));
    struct slots slots = {0};
    put_steered(4, &slots);
    struct generation_summary before = generation_summary(current());
    uint64_t number = generation_number(current());
    const struct generation *generation = current();
    for (int i = 0; i < 3; i++) {
        struct change *change = change_begin(publisher);
        make_a_mess(change);
        change_drop(change);
        assert_ptr_equal(current(), generation);
        assert_int_equal(generation_number(current()), number);
        struct generation_summary after = generation_summary(current());
        assert_memory_equal(&before, &after, sizeof(before));
        expect_child();
        expect(current(), worker, "s3.example.", "A",
               "NOERROR aa | s3.example. 60 A 192.0.2.3 | |");
        expect(current(), worker, "s4.example.", "A", "NXDOMAIN aa | | " SOA_OF("example.") " |");
    }
    struct change *change = change_begin(publisher);
    make_a_mess(change);
    publish(change);
    expect(current(), worker, "n.c.p.test.", "A", "NOERROR aa | n.c.p.test. 60 A 192.0.2.1 | |");
    expect(current(), worker, "b.c.p.test.", "A", "NXDOMAIN aa | | " SOA_OF("c.p.test.") " |");
    expect(current(), worker, "s3.example.", "A", "NXDOMAIN aa | | " SOA_OF("example.") " |");
    expect(current(), worker, "a.fresh.test.", "A", "REFUSED | | |");
    assert_int_equal(generation_summary(current()).plan_count, 3);
    assert_int_equal(generation_summary(current()).zone_count, 3);
    assert_int_equal(generation_number(current()), number + 1);
}

// An RRset that no message can hold is refused by the self-query, and the old answers go on.
static void test_self_query_refuses(void **state)
{
    (void)state;
    put_zone(publisher, zone_of("big.test.", "t.big.test. 60 TXT \"small\"\n"));
    uint8_t owner[NAME_MAX_SIZE];
    wire_name("t.big.test.", owner);
    uint8_t *rdata = mem_alloc(65535);
    for (size_t at = 0; at < 65535; at += 256) {
        rdata[at] = 255;
    }
    rdata[65280] = 254;
    for (size_t size = 65535; size >= 65535 - 20; size -= 4) { // around where 16 bits overflow
        rdata[65280] = (uint8_t)(size - 65281);
        struct diags diags = {0};
        struct zone *copy = zone_of("big.test.", "a.big.test. 60 A 192.0.2.1\n");
        const struct zone_record record = {owner, TYPE_TXT, 60, rdata, size, {0}};
        assert_true(zone_add(copy, &record, &diags));
        struct change *change = change_begin(publisher);
        change_zone(change, copy, plan_simple, NULL);
        assert_false(change_publish(change, &diags));
        assert_int_equal(diags.error_count, 1);
        assert_non_null(strstr(diags.items[0].message, "self-query for TXT"));
        assert_string_equal(diags.items[0].key, "t.big.test.");
        diags_clear(&diags);
        // The same as a steered RRset.
        steer(copy, "t.big.test.", TYPE_TXT, METHOD_ROTATE, 0);
        change = change_begin(publisher);
        change_zone(change, copy, plan_simple, NULL);
        assert_false(change_publish(change, &diags));
        diags_clear(&diags);
        zone_free(copy);
    }
    free(rdata);
    expect(current(), worker, "t.big.test.", "TXT",
           "NOERROR aa | t.big.test. 60 TXT \"small\" | |");
}

// Apexes so deep that no name, or no other, fits below them.
static void test_deepest_apex(void **state)
{
    (void)state;
    for (unsigned labels = 125; labels <= 127; labels++) {
        char apex[NAME_TEXT_MAX] = "", expected[2 * NAME_TEXT_MAX];
        for (unsigned i = 0; i < labels; i++) {
            strcat(apex, "a.");
        }
        put_zone(publisher, zone_of(apex, ""));
        snprintf(expected, sizeof(expected),
                 "NOERROR aa | | %s 300 SOA ns.nowhere.invalid. hostmaster.nowhere.invalid. 1 7200 "
                 "900 1209600 300 |",
                 apex);
        expect(current(), worker, apex, "A", expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_replace_keeps_unchanged_nodes, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_remove, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_nested_zones, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_nested_with_delegation, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_plan_slots, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_change_plan, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_drop_leaves_all_intact, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_self_query_refuses, room_begin, room_end),
        cmocka_unit_test_setup_teardown(test_deepest_apex, room_begin, room_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
