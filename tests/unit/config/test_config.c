// SPDX-License-Identifier: GPL-3.0-or-later
//
// signpost.yaml: what is read, what is refused and at which place. The faults of a case are
// compared as the text that an operator sees.
#include "config/config.h"

#include "base/clock.h"
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/signpost-config-XXXXXX";
static char path[64];

static void document_write(const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static struct config *document_read(const char *text, struct diags *diags)
{
    document_write(text, strlen(text));
    return config_read(path, diags);
}

static struct config *sound_read(const char *text)
{
    struct diags diags = {0};
    struct config *config = document_read(text, &diags);
    char line[1024];
    if (config == NULL) {
        fail_msg("refused: %s", diag_format(&diags.items[0], line, sizeof(line)));
    }
    assert_int_equal(diags.count, 0);
    return config;
}

// All diagnostics of a document, each without the path in front, one a line.
static void assert_faults(const char *text, const char *expected)
{
    struct diags diags = {0};
    char all[8192] = "";
    size_t used = 0;
    assert_null(document_read(text, &diags));
    for (size_t i = 0; i < diags.count; i++) {
        char line[1024];
        diag_format(&diags.items[i], line, sizeof(line));
        assert_memory_equal(line, path, strlen(path));
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s\n", line + strlen(path) + 1);
    }
    assert_string_equal(all, expected);
    diags_clear(&diags);
}

static const char *in_folder(const char *name)
{
    static char full[128];
    snprintf(full, sizeof(full), "%s/%s", folder, name);
    return full;
}

static void test_whole(void **state)
{
    (void)state;
    struct config *config =
        sound_read("listen: [\"127.0.0.1:5300\", \"[::1]:5300\"]\n"
                   "workers: 1                                  # default: one a core\n"
                   "store: {driver: files, path: zones}\n"
                   "geo:\n"
                   "  databases: [{path: city.mmdb}, {path: asn.csv}]\n"
                   "  networks: networks.csv\n"
                   "control: run/signpost.sock\n"
                   "health: {allow: [\"127.0.0.0/8\"]}\n"
                   "defaults: {ns: [ns1.example.com, ns2.example.com.], hostmaster: h@example.com, "
                   "ttl: 60}\n");
    char text[SOCKADDR_TEXT_MAX];
    assert_int_equal(config->listen_count, 2);
    assert_string_equal(endpoint_format(&config->listen[0].address, config->listen[0].port, text),
                        "127.0.0.1:5300");
    assert_string_equal(endpoint_format(&config->listen[1].address, config->listen[1].port, text),
                        "[::1]:5300");
    assert_int_equal(config->workers, 1);
    assert_string_equal(config->store_path, in_folder("zones"));
    assert_int_equal(config->geo_database_count, 2);
    assert_string_equal(config->geo_databases[0].path, in_folder("city.mmdb"));
    assert_string_equal(config->geo_databases[1].path, in_folder("asn.csv"));
    assert_string_equal(config->geo_networks, in_folder("networks.csv"));
    assert_string_equal(config->control_path, in_folder("run/signpost.sock"));
    assert_int_equal(config->health_allow_count, 1);
    assert_string_equal(prefix_format(&config->health_allow[0], text), "127.0.0.0/8");
    assert_int_equal(config->default_nameserver_count, 2);
    assert_string_equal(config->default_nameservers[0], "ns1.example.com.");
    assert_string_equal(config->default_nameservers[1], "ns2.example.com.");
    assert_string_equal(config->default_hostmaster, "h@example.com");
    assert_int_equal(config->default_ttl, 60);
    config_free(config);
}

static void test_defaults(void **state)
{
    (void)state;
    static const char *const empties[] = {"", "# nothing\n", "---\n", "{}\n", "geo:\nhealth: {}\n"};
    for (size_t i = 0; i < ARRAY_SIZE(empties); i++) {
        struct config *config = sound_read(empties[i]);
        assert_int_equal(config->listen_count, 2);
        assert_int_equal(config->listen[1].port, 53);
        assert_true(config->workers >= 1);
        assert_int_equal(config->store_driver, STORE_FILES);
        assert_string_equal(config->store_path, in_folder("zones"));
        assert_int_equal(config->geo_database_count, 0);
        assert_null(config->geo_networks);
        assert_string_equal(config->control_path, in_folder("run/signpost.sock"));
        assert_int_equal(config->default_ttl, 3600);
        assert_null(config->default_hostmaster);
        assert_true(config->ecs);
        assert_int_equal(config->udp_payload_max, 1232);
        assert_string_equal(config->chaos_version, "signpost");
        assert_null(config->chaos_id);
        assert_int_equal(config->precedence, PRECEDENCE_ISP_FIRST);
        assert_int_equal(config->sticky_key, hash_bytes(0, "signpost", 8));
        assert_int_equal(config->first_round_ns, 5 * NS_PER_SECOND);
        assert_int_equal(config->tcp_clients_max, 1024);
        assert_int_equal(config->tcp_clients_per_address_max, 128);
        assert_int_equal(config->tcp_idle_ns, 10 * NS_PER_SECOND);
        assert_int_equal(config->log_level, LOG_INFO);
        config_free(config);
    }
}

static void test_other_values(void **state)
{
    (void)state;
    struct config *config = sound_read("listen: 127.0.0.1:0\n"
                                       "geo:\n"
                                       "  watch: 0.5\n"
                                       "  databases:\n"
                                       "    - path: /data/city.mmdb\n"
                                       "      fields: {country: country.iso_code, asn: a.0.b}\n"
                                       "control: off\n"
                                       "health: {first_round: 0.25}\n"
                                       "answer: {ecs: off, chaos_version: off, chaos_id: node-7}\n"
                                       "steering: {precedence: province-first, sticky_key: abc}\n"
                                       "limits:\n  tcp_idle: 1.5\n"
                                       "log: {level: debug}\n");
    assert_int_equal(config->listen_count, 1);
    assert_int_equal(config->listen[0].port, 0);
    assert_string_equal(config->geo_databases[0].path, "/data/city.mmdb");
    assert_string_equal(config->geo_databases[0].fields.country, "country.iso_code");
    assert_string_equal(config->geo_databases[0].fields.asn, "a.0.b");
    assert_null(config->geo_databases[0].fields.region);
    assert_int_equal(config->geo_watch_ns, NS_PER_SECOND / 2);
    assert_null(config->control_path);
    assert_int_equal(config->first_round_ns, NS_PER_SECOND / 4);
    assert_false(config->ecs);
    assert_null(config->chaos_version);
    assert_string_equal(config->chaos_id, "node-7");
    assert_int_equal(config->precedence, PRECEDENCE_PROVINCE_FIRST);
    assert_int_equal(config->sticky_key, hash_bytes(0, "abc", 3));
    assert_int_equal(config->tcp_idle_ns, NS_PER_SECOND * 3 / 2);
    assert_int_equal(config->log_level, LOG_DEBUG);
    config_free(config);
}

static void test_values_refused(void **state)
{
    (void)state;
    assert_faults("listen: [127.0.0.1, \"[::1]:53\", \"[::1]:53\", 127.0.0.1:99999]\n"
                  "workers: many\n",
                  "1:10: error: listen: \"127.0.0.1\" is no endpoint: expected address:port, like "
                  "\"127.0.0.1:53\" or \"[::1]:53\"\n"
                  "1:33: error: listen: \"[::1]:53\" is given twice\n"
                  "1:45: error: listen: \"127.0.0.1:99999\" is no endpoint: expected address:port, "
                  "like \"127.0.0.1:53\" or \"[::1]:53\"\n"
                  "2:10: error: workers: expected a whole number of threads, not \"many\"\n");
    assert_faults(
        "workers: 0\ndefaults: {ttl: -1}\nanswer: {udp_payload_max: 99999999999999999999}\n",
        "1:10: error: workers: 0 is out of range: expected 1..256 threads\n"
        "2:17: error: defaults.ttl: -1 is out of range: expected 0..2147483647 seconds\n"
        "3:27: error: answer.udp_payload_max: 99999999999999999999 is out of range: "
        "expected 512..1232 bytes\n");
    assert_faults("store: {driver: etcd}\nlog: {level: loud}\nanswer: {ecs: perhaps}\n",
                  "1:17: error: store.driver: \"etcd\" is unknown: expected files\n"
                  "2:14: error: log.level: \"loud\" is unknown: expected error | warning | info | "
                  "debug\n"
                  "3:15: error: answer.ecs: expected true or false, not \"perhaps\"\n");
    assert_faults(
        "health: {allow: [10.0.0.1/8, nowhere], first_round: 1e3}\n",
        "1:18: error: health.allow: \"10.0.0.1/8\" has bits set past its length: expected "
        "the first address\n"
        "1:30: error: health.allow: \"nowhere\" is no network: expected CIDR, like "
        "192.0.2.0/24 or 2001:db8::/32\n"
        "1:53: error: health.first_round: expected a number of seconds, not \"1e3\"\n");
    assert_faults("limits: {tcp_idle: 0.5, tcp_clients: 1.5}\n",
                  "1:20: error: limits.tcp_idle: 0.5 is out of range: expected 1..3600 seconds\n"
                  "1:38: error: limits.tcp_clients: expected a whole number of connections, not "
                  "\"1.5\"\n");
    assert_faults("listen: []\n",
                  "1:1: error: listen: is empty: expected at least one address:port\n");
}

static void test_names_refused(void **state)
{
    (void)state;
    struct diags diags = {0};
    assert_null(document_read("defaults: {ns: [a..b], hostmaster: \"@x\"}\n", &diags));
    assert_int_equal(diags.count, 2);
    assert_int_equal(diags.items[0].column, 17);
    assert_string_equal(diags.items[0].key, "defaults.ns");
    assert_int_equal(diags.items[1].column, 36);
    assert_string_equal(diags.items[1].key, "defaults.hostmaster");
    diags_clear(&diags);
}

static void test_kinds_refused(void **state)
{
    (void)state;
    assert_faults("workers: [1]\nlisten: {a: b}\ncontrol:\ngeo: files\n",
                  "1:11: error: workers: expected a whole number or auto, not a list\n"
                  "2:10: error: listen: expected a list of address:port, not a mapping\n"
                  "3:1: error: control: expected a path or off, not nothing\n"
                  "4:6: error: geo: expected a mapping of options\n");
    assert_faults("health: {state: null}\ncontrol: ~\nworkers: Null\n",
                  "1:17: error: health.state: expected a path or off, not nothing\n"
                  "2:10: error: control: expected a path or off, not nothing\n"
                  "3:10: error: workers: expected a whole number or auto, not nothing\n");
    assert_faults(
        "geo:\n  databases:\n    - {path: a, kind: b}\n    - {}\n    - [x]\n",
        "3:17: error: geo.databases: unknown key \"kind\": expected path or fields\n"
        "3:8: error: geo.databases: expected {path: ...}\n"
        "5:8: error: geo.databases: expected a list of {path: ..., fields: ...}, not a list\n");
    assert_faults("- a\n- b\n", "1:3: error: expected a mapping of options\n");
    assert_faults("[a, b]: c\n", "1:2: error: expected the name of an option as key\n");
}

static void test_keys_refused(void **state)
{
    (void)state;
    assert_faults("lisen: x\nstore:\n  pth: zones\nnetworks: n.csv\nstores: {}\nfrobnicate: 1\n"
                  "geo.networks: x\n",
                  "1:1: error: lisen: unknown key: did you mean listen?\n"
                  "3:3: error: store.pth: unknown key: did you mean store.path?\n"
                  "4:1: error: networks: unknown key: did you mean geo.networks?\n"
                  "5:1: error: stores: unknown key: did you mean store?\n"
                  "6:1: error: frobnicate: unknown key\n"
                  "7:1: error: expected the name of an option as key\n");
    assert_faults(
        "geo: {databases: [{path: a, fields: {country: a, country: b}, fields: {asn: c}}]}\n",
        "1:50: error: geo.databases: \"country\" is given twice\n"
        "1:63: error: geo.databases: fields is given twice\n");
    assert_faults("health: {commands: [x=/bin/true, y=/bin/true, x=/bin/false 1]}\n",
                  "1:47: error: health.commands: the command \"x\" is given twice\n");
    assert_faults("webhooks: [{url: 'https://a/', events: []}]\n",
                  "1:32: error: webhooks: events: expected at least one; leave the key out for the "
                  "usual ones\n");
    assert_faults(
        "webhooks: [{url: 'https://a/', secret: b, secret_file: c}]\n",
        "1:43: error: webhooks: secret_file: secret and secret_file exclude each other\n");
    assert_faults("workers: 1\nstore: {path: a, path: b}\nworkers: 2\n",
                  "2:18: error: store.path: the key is given twice\n"
                  "3:1: error: workers: the key is given twice\n");
}

// A zone document given by mistake has many keys: each is a fault, and all together cost little.
static void test_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 20000, MEMORY_MAX_KIB = 1 << 20 };
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < KEYS; i++) {
        fprintf(out, "host%d: {type: A}\n", i);
    }
    fprintf(out, "host7: {}\n");
    assert_int_equal(fclose(out), 0);
    struct diags diags = {0};
    assert_null(document_read(text, &diags));
    assert_int_equal(diags.error_count, KEYS + 1);
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    assert_true(usage.ru_maxrss < MEMORY_MAX_KIB);
    diags_clear(&diags);
    free(text);
}

static void test_syntax_refused(void **state)
{
    (void)state;
    assert_faults("listen: [\"127.0.0.1:53\"\nworkers: 1\n",
                  "2:1: error: wrongly indented flow sequence\n");
    assert_faults("workers: *missing\n",
                  "1:10: error: workers: expected a whole number or auto, not an alias\n");
    assert_faults("workers: 1\n---\nworkers: 2\n",
                  "3:1: error: a second document: expected one only\n");
    struct diags diags = {0};
    document_write("control: \"a\\0b\"\n", 16);
    assert_null(config_read(path, &diags));
    assert_int_equal(diags.error_count, 1);
    diags_clear(&diags);
}

static void test_file_refused(void **state)
{
    (void)state;
    struct diags diags = {0};
    char line[256], expected[256];
    assert_null(config_read(in_folder("missing.yaml"), &diags));
    assert_int_equal(diags.count, 1);
    snprintf(expected, sizeof(expected), "%s: error: No such file or directory",
             in_folder("missing.yaml"));
    assert_string_equal(diag_format(&diags.items[0], line, sizeof(line)), expected);
    diags_clear(&diags);
    assert_null(config_read(folder, &diags)); // a folder opens but cannot be read
    assert_int_equal(diags.count, 1);
    diags_clear(&diags);
    char *large = mem_alloc(((size_t)CONFIG_SIZE_MAX_MIB << 20) + 2);
    memset(large, '#', ((size_t)CONFIG_SIZE_MAX_MIB << 20) + 1);
    document_write(large, ((size_t)CONFIG_SIZE_MAX_MIB << 20) + 1);
    assert_null(config_read(path, &diags));
    assert_int_equal(diags.count, 1);
    assert_string_equal(diags.items[0].message, "the file is larger than 1 MiB");
    diags_clear(&diags);
    free(large);
    static const char latin[] = "workers: 1 # \xe9\nunknown: 1\n"; // the library would end there
    document_write(latin, sizeof(latin) - 1);
    assert_null(config_read(path, &diags));
    assert_string_equal(diags.items[0].message, "not UTF-8 text");
    assert_int_equal(diags.items[0].line, 1);
    assert_int_equal(diags.items[0].column, 14);
    diags_clear(&diags);
}

static void test_compare(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct config *config = sound_read("workers: 1\n");
    config_compare(config, &diags);
    assert_int_equal(diags.count, 0);
    usleep(20000); // the clock of the file system has ticks
    document_write("workers: 2\n", 11);
    config_compare(config, &diags);
    assert_int_equal(diags.warning_count, 1);
    unlink(path);
    config_compare(config, &diags);
    assert_int_equal(diags.warning_count, 2);
    assert_int_equal(diags.error_count, 0);
    diags_clear(&diags);
    config_free(config);
}

// Any cut of a sound document, and any one byte of it changed, is read or refused, never worse.
static void test_mangled(void **state)
{
    (void)state;
    static const char text[] = "listen: [\"127.0.0.1:53\"]\ngeo: {databases: [{path: &a x}, *a]}\n"
                               "defaults:\n  ns: [a.b, c.d]\n  hostmaster: 'x@y'\n  ttl: 60\n";
    char copy[sizeof(text)];
    for (size_t i = 0; i < 3 * sizeof(text); i++) {
        static const char junk[] = {'\0', '{', '\xff'};
        memcpy(copy, text, sizeof(text));
        copy[i / 3] = junk[i % 3];
        struct diags diags = {0};
        document_write(copy, i % 3 == 0 ? i / 3 : sizeof(text) - 1);
        struct config *config = config_read(path, &diags);
        assert_true((config == NULL) == (diags.error_count > 0));
        config_free(config);
        diags_clear(&diags);
    }
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_option_count(); i++) {
        const struct option_info *option = config_option(i);
        char range[128];
        assert_true(strlen(option->help) > 10);
        assert_int_equal(option->help[strlen(option->help) - 1], '.');
        assert_non_null(option_type_text(option->type));
        bool number = option->type == OPTION_COUNT || option->type == OPTION_COUNT_OR_AUTO ||
                      option->type == OPTION_DURATION;
        assert_true(number == (option->unit != NULL));
        bool ranged = number || option->type == OPTION_ENUM;
        assert_true(ranged == (*option_range(option, range, sizeof(range)) != '\0'));
        assert_true((option->type == OPTION_ENUM) == (option->choices != NULL));
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(option->name, config_option(j)->name);
        }
    }
}

static int folder_make(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/signpost.yaml", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),          cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_other_values),   cmocka_unit_test(test_values_refused),
        cmocka_unit_test(test_names_refused),  cmocka_unit_test(test_kinds_refused),
        cmocka_unit_test(test_keys_refused),   cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_syntax_refused), cmocka_unit_test(test_file_refused),
        cmocka_unit_test(test_mangled),        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
