// SPDX-License-Identifier: GPL-3.0-or-later
//
// Databases that were damaged: they may be refused or misread, but loading them ends, soon and
// well.
#include "../seed.h"
#include "fixture.h"

// libmaxminddb 1.7 forgets some memory when it refuses metadata.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libmaxminddb";
}

// A small database of both families to be damaged.
static uint8_t *sample_mmdb(size_t *size)
{
    struct mmdb_writer w = mmdb_begin(6, 28);
    mmdb_insert(&w, "192.0.2.0/25", mmdb_nested(&w, "CN", "GD", 23, 113));
    mmdb_insert(&w, "192.0.2.128/25", mmdb_flat(&w, "US", "California", 37, -122));
    mmdb_insert(&w, "2001:db8::/32", mmdb_asn(&w, 64500, "Example"));
    mmdb_insert(&w, "2001:db9::1/128", mmdb_flat(&w, "JP", "", 35, 139));
    return mmdb_bytes(&w, size);
}

static void test_loops_in_the_tree(void **state)
{
    (void)state;
    // Both sides of a node near the bottom point back to a node near the top.
    for (int64_t target = 1; target < 20; target += 9) {
        struct mmdb_writer w = mmdb_begin(6, 28);
        mmdb_insert(&w, "2001:db8::/32", mmdb_flat(&w, "JP", "", 35, 139));
        *mmdb_side(&w, "2001:db9::/32") = target;
        *mmdb_side(&w, "2001:dba::/32") = target;
        *mmdb_side(&w, "192.0.2.0/32") = target;
        const char *path = mmdb_save(&w, "loop.mmdb");
        struct diags diags = {0};
        struct geo *geo = fixture_load(&path, 1, NULL, &diags);
        assert_true(diags.error_count >= 1);
        assert_non_null(strstr(diags.items[0].message, "search tree is damaged"));
        diags_clear(&diags);
        geo_free(geo);
    }
}

static void test_cut_short(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes = sample_mmdb(&size);
    for (size_t cut = 0; cut < size; cut++) {
        const char *path = fixture_bytes("cut.mmdb", bytes, cut);
        struct diags diags = {0};
        struct geo *geo = fixture_load(&path, 1, NULL, &diags);
        assert_true(diags.error_count >= 1);
        diags_clear(&diags);
        geo_free(geo);
    }
    free(bytes);
}

// Every location that a map leads to is there.
static void visit_any(void *context, uint64_t first, uint64_t last, uint32_t value)
{
    assert_true(first <= last);
    assert_non_null(geo_location(context, value));
}

static void test_damaged_bytes(void **state)
{
    (void)state;
    uint64_t dice = test_seed();
    size_t size;
    uint8_t *good = sample_mmdb(&size), *bytes = mem_alloc(size);
    for (int round = 0; round < 3000; round++) {
        memcpy(bytes, good, size);
        for (unsigned i = 0; i <= random_below(&dice, 3); i++) {
            bytes[random_below(&dice, (uint32_t)size)] = (uint8_t)random_next(&dice);
        }
        const char *path = fixture_bytes("damaged.mmdb", bytes, size);
        struct diags diags = {0};
        struct geo *geo = fixture_load(&path, 1, NULL, &diags);
        geo_walk_locations(geo, FAMILY_IPV6, visit_any, geo);
        diags_clear(&diags);
        geo_free(geo);
    }
    free(good);
    free(bytes);
}

static void test_garbage_csv(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789.,:\"\n\rafAS/-";
    uint64_t dice = test_seed();
    for (int round = 0; round < 1000; round++) {
        char text[512] = "192.0.2.0,192.0.2.255,64500,Good\n";
        size_t start = strlen(text), size = start + random_below(&dice, 400);
        for (size_t i = start; i < size; i++) {
            text[i] = alphabet[random_below(&dice, sizeof(alphabet))]; // the NUL as well
        }
        const char *path = fixture_bytes("garbage.csv", text, size);
        struct diags diags = {0};
        struct geo *geo = fixture_load(&path, 1, path, &diags);
        assert_int_equal(fixture_locate(geo, "192.0.2.1").asn, 64500);
        diags_clear(&diags);
        geo_free(geo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loops_in_the_tree),
        cmocka_unit_test(test_cut_short),
        cmocka_unit_test(test_damaged_bytes),
        cmocka_unit_test(test_garbage_csv),
    };
    return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
