// SPDX-License-Identifier: GPL-3.0-or-later
//
// An engine over files of its own and a prober that probes nothing: what it says before anything is
// loaded, of data that is no UTF-8, and what may not grow.
#include "engine/engine_internal.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/signpost-engine-XXXXXX";
static const char *const files[] = {"s.yaml", "zones/example.com.yaml", "zones/large.example.zone",
                                    "asn.csv"};

static void put_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static int set_up(void **state)
{
    (void)state;
    char path[128];
    log_set_level(LOG_ERROR);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/zones", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file("s.yaml", "listen: ['127.0.0.1:5300']\nstore: {path: zones}\n"
                       "geo: {databases: [{path: asn.csv}]}\nhealth: {state: off}\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char path[128];
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/zones", folder);
    rmdir(path);
    return rmdir(folder);
}

static void no_probe(void *state, struct probe *probe, const struct address *target,
                     const struct check_spec *spec)
{
    (void)state, (void)probe, (void)target, (void)spec;
}

static void no_cancel(void *state, struct probe *probe)
{
    (void)state, (void)probe;
}

static const struct prober prober = {.start = no_probe, .cancel = no_cancel};

struct running {
    struct config *config;
    struct engine *engine;
};

static struct running begin(void)
{
    char path[128], text[512];
    struct diags diags = {0};
    snprintf(path, sizeof(path), "%s/s.yaml", folder);
    struct running running = {.config = config_read(path, &diags)};
    if (running.config == NULL) {
        fail_msg("%s", diag_format(&diags.items[0], text, sizeof(text)));
    }
    diags_clear(&diags);
    running.engine = engine_new(running.config, clock_system(), &prober);
    return running;
}

static struct running begin_loaded(void)
{
    struct running running = begin();
    struct load *load = engine_read(running.engine, true);
    char text[512];
    if (!engine_apply(running.engine, load)) {
        fail_msg("%s", diag_format(&load_diags(load)->items[0], text, sizeof(text)));
    }
    load_free(load);
    return running;
}

static void end(struct running *running)
{
    engine_free(running->engine);
    config_free(running->config);
}

static const struct address client = {FAMILY_IPV4, {192, 0, 2, 1}};

static json_t *explain(struct engine *engine, const char *text, uint16_t type)
{
    uint8_t name[NAME_MAX_SIZE];
    const char *error;
    assert_true(name_parse(text, NULL, name, NULL) > 0);
    return engine_explain(engine, name, type, &client, &error);
}

static json_t *simulate_name(struct engine *engine, const char *name)
{
    struct diags faults = {0};
    json_t *body = json_pack("{s:s}", "name", name);
    json_t *json = engine_simulate(engine, body, &faults);
    assert_true(json != NULL || faults.error_count > 0);
    diags_clear(&faults);
    json_decref(body);
    return json;
}

// The API answers while the first load is read.
static void nothing_is_loaded_yet(void **state)
{
    (void)state;
    struct running running = begin();
    struct engine *engine = running.engine;
    assert_null(engine_locate(engine, &client));
    assert_null(explain(engine, "www.example.com.", TYPE_A));
    assert_null(simulate_name(engine, "www.example.com."));
    json_t *all[] = {
        engine_geo(engine),           engine_status(engine),          engine_zones(engine),
        engine_health_status(engine), engine_lint_json(engine, NULL), engine_ramps_list(engine),
        engine_manual_list(engine),   engine_loads_list(engine)};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        assert_non_null(all[i]);
        json_decref(all[i]);
    }
    end(&running);
}

static const char *text_at(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    return text ? text : "";
}

// Databases bring what they like; a step that cannot be said is no reason to leave it out.
static void organisations_of_any_octets(void **state)
{
    (void)state;
    put_file("asn.csv", "192.0.2.0,192.0.2.255,64500,S\xe3o Paulo\n");
    put_file("zones/example.com.yaml", "'': {type: NS, value: ns.example.net.}\n"
                                       "w: {type: A, value: 192.0.2.7}\n");
    struct running running = begin_loaded();
    json_t *json = explain(running.engine, "w.example.com.", TYPE_A);
    const json_t *who = json_array_get(json_object_get(json, "steps"), 0);
    assert_string_equal(text_at(who, "title"), "Who");
    assert_string_equal(text_at(json_object_get(who, "details"), "organisation"), "S?o Paulo");
    json_decref(json);
    json = engine_locate(running.engine, &client);
    assert_string_equal(text_at(json, "organisation"), "S?o Paulo");
    json_decref(json);
    end(&running);
}

// Every way an answer can end has a word of its own.
static void outcomes_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        const char *outcome;
    } rows[] = {
        {"w.example.com.", TYPE_A, "answer"},
        {"w.example.com.", TYPE_AAAA, "nodata"},
        {"x.example.com.", TYPE_A, "nxdomain"},
        {"x.cut.example.com.", TYPE_A, "referral"},
        {"all.down.example.com.", TYPE_A, "servfail"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.long.example.com.",
         TYPE_A, "yxdomain"},
        {"w.example.com.", TYPE_AXFR, "refused"},
    };
    char label[64], target[256], zone[1024];
    memset(label, 'a', 63);
    label[63] = '\0';
    snprintf(target, sizeof(target), "%s.%s.%s.%.40s.", label, label, label, label);
    snprintf(zone, sizeof(zone),
             "'': {type: NS, value: ns.example.net.}\n"
             "w: {type: A, value: 192.0.2.7}\n"
             "cut: {type: NS, value: ns.example.net.}\n"
             "all.down: {type: A, value: 192.0.2.1, signpost: {all_down: servfail}, dynamic: "
             "{pools: {p: {values: [{value: 192.0.2.1, status: down}]}}, rules: [{pool: p}]}}\n"
             "long: {type: DNAME, value: %s}\n",
             target);
    put_file("asn.csv", "192.0.2.0,192.0.2.255,64500,x\n");
    put_file("zones/example.com.yaml", zone);
    struct running running = begin_loaded();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_t *json = explain(running.engine, rows[i].name, rows[i].type);
        assert_string_equal(text_at(json, "outcome"), rows[i].outcome);
        json_decref(json);
    }
    end(&running);
}

static void set_manual(struct engine *engine, const char *pattern)
{
    struct diags diags = {0};
    const struct manual_entry entry = {
        .state = MANUAL_DOWN, .pattern = pattern, .who = "", .why = ""};
    json_t *json = engine_manual_set(engine, &entry, 0, &diags);
    assert_non_null(json);
    json_decref(json);
}

// A plan over a territory too large to be projected at once waits for its turn; once, however often
// it is compiled meanwhile.
static void plans_wait_once(void **state)
{
    (void)state;
    enum { NETWORKS = 6000, TURNS = 20 };
    char *zone = mem_alloc(NETWORKS * 24 + 1024), *at = zone;
    at += sprintf(at, "'': {type: NS, value: ns.example.net.}\n"
                      "w: {type: A, value: 192.0.2.1, dynamic: {pools: {a: {values: [192.0.2.1, "
                      "192.0.2.2]}, b: {values: [192.0.2.1, 192.0.2.2]}, c: {values: "
                      "[192.0.2.3]}}, rules: [{pool: a, asns: [64500]}, {pool: b, subnets: [");
    for (int i = 0; i < NETWORKS; i++) {
        at += sprintf(at, "%s10.%d.%d.0/24", i > 0 ? ", " : "", i >> 7, 2 * i & 255);
    }
    sprintf(at, "]}, {pool: c}]}}\n");
    put_file("asn.csv", "192.0.2.0,192.0.2.255,64500,x\n");
    put_file("zones/example.com.yaml", zone);
    free(zone);
    struct running running = begin_loaded();
    for (int i = 0; i < TURNS; i++) {
        size_t removed;
        struct diags diags = {0};
        set_manual(running.engine, "*/*/*/a/192.0.2.1");
        assert_true(engine_manual_clear(running.engine, "*/*/*/a/192.0.2.1", &removed, &diags));
    }
    assert_int_equal(running.engine->refine.count, 1);
    engine_tick(running.engine);
    assert_int_equal(running.engine->refine.count, 0);
    end(&running);
}

// What is made of a zone without a document is dropped before the next operation looks at one.
static void models_do_not_pile_up(void **state)
{
    (void)state;
    enum { NAMES = 100001, QUESTIONS = 2000, BYTES_MAX = 64 << 10 };
    char *zone = mem_alloc(NAMES * 24 + 1024), *at = zone;
    at += sprintf(at, "$TTL 60\n@ NS ns.example.net.\n");
    for (int i = 0; i < NAMES; i++) {
        at += sprintf(at, "n%d A 192.0.2.1\n", i);
    }
    put_file("asn.csv", "192.0.2.0,192.0.2.255,64500,x\n");
    put_file("zones/example.com.yaml", "'': {type: NS, value: ns.example.net.}\n");
    put_file("zones/large.example.zone", zone);
    free(zone);
    struct running running = begin_loaded();
    engine_release_models(running.engine);
    size_t before = 0;
    for (int i = 0; i < QUESTIONS; i++) {
        assert_null(simulate_name(running.engine, "n77.large.example."));
        before = i == 0 ? mallinfo2().uordblks : before;
    }
    assert_true(mallinfo2().uordblks < before + BYTES_MAX);
    end(&running);
    put_file("zones/large.example.zone", "$TTL 60\n@ NS ns.example.net.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_loaded_yet),   cmocka_unit_test(organisations_of_any_octets),
        cmocka_unit_test(outcomes_are_told_apart), cmocka_unit_test(plans_wait_once),
        cmocka_unit_test(models_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
