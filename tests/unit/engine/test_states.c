// SPDX-License-Identifier: GPL-3.0-or-later
//
// What outlives a restart: states of checks and manual states in files, and times as text. Damage
// anywhere refuses the whole file.
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/time_text.h"
#include "engine/check_states.h"
#include "engine/manual_file.h"
#include "engine/state_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define S NS_PER_SECOND

static char folder[] = "/tmp/signpost-states-XXXXXX";
static char path[80], fresh[80];

static int64_t now_ns = 5000 * S, wall_ns = 1800000000 * S;

static int64_t monotonic(void *state)
{
    (void)state;
    return now_ns;
}

static int64_t wall(void *state)
{
    (void)state;
    return now_ns + wall_ns;
}

static const struct clock fake = {monotonic, wall, NULL};

// --- a registry whose probes end at once

static struct probe *under_way;

static void start(void *state, struct probe *probe, const struct address *target,
                  const struct check_spec *spec)
{
    (void)state;
    (void)target;
    (void)spec;
    under_way = probe;
}

static void cancel(void *state, struct probe *probe)
{
    (void)state;
    (void)probe;
}

static void changed(void *context, int check)
{
    (void)context;
    (void)check;
}

static struct health *registry(int checks)
{
    static const struct prober prober = {start, cancel, NULL, NULL};
    struct health *health = health_new(&fake, &prober, 1, changed, NULL);
    const struct check_spec spec = {.kind = CHECK_TCP,
                                    .port = 80,
                                    .rise = 1,
                                    .fall = 1,
                                    .interval_ns = 10 * S,
                                    .timeout_ns = S};
    for (int i = 0; i < checks; i++) {
        struct address target = {FAMILY_IPV4, {203, 0, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(health_acquire(health, &target, &spec), i);
    }
    return health;
}

static void probe_all(struct health *health)
{
    health_limit(health, 1);
    for (int ended = 0; !health_settled(health);) {
        now_ns = MAX(now_ns, MIN(health_tick(health), now_ns + S));
        health_tick(health);
        if (under_way != NULL) {
            struct probe *probe = under_way;
            struct probe_result result = {.reason = ended++ % 3 ? PROBE_OK : PROBE_L4_REFUSED};
            under_way = NULL;
            health_probe_done(health, probe, &result);
        }
    }
}

static struct beats *beats;

// Lines of others, written down.
static char other_lines[256];
static unsigned other_count;

static bool note_line(void *state, const char *line, int64_t ahead_ns, int64_t at_ns)
{
    (void)state;
    assert_true(at_ns == now_ns && ahead_ns == wall_ns);
    other_count++;
    snprintf(other_lines + strlen(other_lines), sizeof(other_lines) - strlen(other_lines), "%s\n",
             line);
    return strstr(line, "bad") == NULL;
}

static const struct state_lines others = {NULL, note_line};

static struct check_states *parse(const char *text, size_t size, enum check_states_fault *fault)
{
    int64_t age_ns;
    return check_states_parse(text, size, &fake, 600 * S, beats, &others, fault, &age_ns);
}

static void states_come_back_with_their_age(void **state)
{
    (void)state;
    enum { CHECKS = 300 };
    struct health *health = registry(CHECKS), *next = registry(CHECKS + 5);
    probe_all(health);
    int64_t saved_ns = now_ns;
    size_t size;
    enum check_states_fault fault;
    char *text = check_states_format(health, beats, "", &fake, &size);
    now_ns = 7 * S;                       // another boot: the monotonic clock begins anew
    wall_ns += saved_ns - 7 * S + 60 * S; // a minute later
    struct check_states *states = parse(text, size, &fault);
    assert_non_null(states);
    assert_int_equal(check_states_count(states), CHECKS);
    unsigned up = 0;
    for (int i = 0; i < CHECKS + 5; i++) {
        struct check_view before, after;
        assert_true(check_states_recall(states, next, i) == (i < CHECKS));
        health_view(next, i, &after);
        if (i < CHECKS) {
            health_view(health, i, &before);
            assert_int_equal(after.state, before.state);
            assert_true(now_ns - after.since_ns == saved_ns - before.since_ns + 60 * S);
            up += after.state == CHECK_UP;
        } else {
            assert_int_equal(after.state, CHECK_UNKNOWN);
        }
        assert_false(check_states_recall(states, next, i) && i >= CHECKS);
    }
    assert_int_equal(health_doubt(next)->up, up);
    assert_true(up > CHECKS / 2 && up < CHECKS);
    assert_false(health_settled(next)); // they are all probed before the server is ready
    check_states_free(states);
    wall_ns += 541 * S;
    assert_null(parse(text, size, &fault));
    assert_int_equal(fault, CHECK_STATES_TOO_OLD);
    wall_ns -= 541 * S + 7200 * S;
    assert_null(parse(text, size, &fault));
    assert_int_equal(fault, CHECK_STATES_EARLY);
    free(text);
    health_free(health);
    health_free(next);
    now_ns = 5000 * S;
    wall_ns = 1800000000 * S;
}

static void every_cut_and_flip_is_seen(void **state)
{
    (void)state;
    struct health *health = registry(8);
    beats_put(beats, "writer", &(struct beat){.has_load = true, .load = 0.5}, now_ns);
    probe_all(health);
    size_t size;
    enum check_states_fault fault;
    char *text = check_states_format(health, beats, "", &fake, &size);
    for (size_t cut = 0; cut < size; cut++) {
        assert_null(parse(text, cut, &fault));
    }
    for (size_t i = 0; i < size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ 1 << bit);
            struct check_states *states = parse(text, size, &fault);
            // The case of a hexadecimal digit means nothing.
            if (states != NULL && !(bit == 5 && i > size - 18)) {
                fail_msg("bit %u of octet %zu", bit, i);
            }
            check_states_free(states);
            text[i] = (char)(text[i] ^ 1 << bit);
        }
    }
    text[strcspn(text, " ") + 1] = '9'; // another version, with its own checksum
    size_t body = (size_t)(strstr(text, "\nend ") + 1 - text);
    snprintf(strstr(text, "\nend ") + 5, 32, "8 %016llx\n",
             (unsigned long long)hash_bytes(0x7369676e706f7374ULL, text, body));
    assert_null(parse(text, size, &fault));
    assert_int_equal(fault, CHECK_STATES_OTHER_VERSION);
    free(text);
    health_free(health);
}

// A heartbeat grows older by the wall clock, whatever that does.
static void heartbeats_come_back_with_their_age(void **state)
{
    (void)state;
    struct health *health = registry(0);
    enum check_states_fault fault;
    size_t size;
    int64_t boot_ns = now_ns, base_ns = wall_ns;
    beats_put(beats, "writer 1",
              &(struct beat){.ttl_ns = 40 * S, .has_load = true, .load = 0.1, .detail = "42 rows"},
              now_ns);
    beats_put(beats, "caf\xc3\xa9", &(struct beat){.down = true}, now_ns - 9 * S);
    char *text = check_states_format(health, beats, "", &fake, &size);
    static const struct {
        int64_t later_ns, age_ns; // of the wall clock at the restart; of the heartbeat then
    } rows[] = {{0, 0}, {25 * S, 25 * S}, {599 * S, 599 * S}, {-1800 * S, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        beats_free(beats);
        beats = beats_new();
        now_ns = 3 * S; // another boot
        wall_ns = base_ns + boot_ns - now_ns + rows[i].later_ns;
        struct check_states *states = parse(text, size, &fault);
        assert_non_null(states);
        const struct last_beat *beat = beats_find(beats, "writer 1");
        assert_non_null(beat);
        assert_true(now_ns - beat->at_ns == rows[i].age_ns && beat->ttl_ns == 40 * S);
        assert_true(beat->has_load && beat->load > 0.09 && beat->load < 0.11 && !beat->down);
        assert_string_equal(beat->detail, "42 rows");
        beat = beats_find(beats, "caf\xc3\xa9");
        assert_true(beat != NULL && beat->down && !beat->has_load && beat->detail[0] == '\0');
        check_states_free(states);
    }
    free(text);
    health_free(health);
    now_ns = boot_ns;
    wall_ns = base_ns;
}

// Texts of states files: what is written is read again, in at most twice its octets; what version 3
// has written, too; anything else is none.
static void texts_come_back(void **state)
{
    (void)state;
    static const struct {
        const char *text, *written;
    } good[] = {
        {"192.0.2.1", " =192.0.2.1"},
        {"", " ="},
        {"2001:db8::1", " =2001:db8::1"},
        {"50% of a b", " =50%25%20of%20a%20b"},
        {"\xe5\x8c\x97\xe4\xba\xac", " :e58c97e4baac"},
        {"caf\xc3\xa9", " =caf%c3%a9"},
    };
    static const char *const bad[] = {"",    "x",  "=%",     "=%2", "=%zz",     "=%0a",
                                      "=\t", ":6", ":6162g", ":0a", "=\xc3\xa9"};
    char text[32];
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        char *written = NULL;
        size_t size;
        FILE *out = open_memstream(&written, &size);
        state_put_text(out, good[i].text);
        assert_int_equal(fclose(out), 0);
        assert_string_equal(written, good[i].written);
        assert_true(size <= 2 * strlen(good[i].text) + 2);
        const char *at = written + 1;
        assert_true(state_text(&at, text, strlen(good[i].text) + 1) && *at == '\0');
        assert_string_equal(text, good[i].text);
        at = written + 1;
        assert_int_equal(state_text(&at, text, MAX(strlen(good[i].text), (size_t)1)),
                         good[i].text[0] == '\0');
        free(written);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *at = bad[i];
        assert_false(state_text(&at, text, sizeof(text)));
    }
    const char *at = ":6162 =c";
    assert_true(state_text(&at, text, sizeof(text)));
    assert_string_equal(text, "ab");
    assert_true(state_text(&at, text, sizeof(text)));
    assert_string_equal(text, "c");
}

// What the version before has written is taken.
static void states_without_heartbeats_are_read(void **state)
{
    (void)state;
    enum check_states_fault fault;
    char text[256];
    int size = snprintf(text, sizeof(text), "signpost-health 1 %lld\n%016llx up 0 0 0 %lld 0\n",
                        (long long)(now_ns + wall_ns), 77ULL, (long long)wall_ns);
    uint64_t checksum = hash_bytes(0x7369676e706f7374ULL, text, (size_t)size);
    size += snprintf(text + size, sizeof(text) - (size_t)size, "end 1 %016llx\n",
                     (unsigned long long)checksum);
    struct check_states *states = parse(text, (size_t)size, &fault);
    assert_non_null(states);
    assert_int_equal(check_states_count(states), 1);
    check_states_free(states);
}

// They have ages of their own: a file that is too old for checks is read for them.
static void lines_of_others_outlive_checks(void **state)
{
    (void)state;
    struct health *health = registry(3);
    probe_all(health);
    size_t size;
    enum check_states_fault fault;
    char *text = check_states_format(health, beats, "load 1\nrtt 2\n", &fake, &size);
    char *damaged = check_states_format(health, beats, "load bad\n", &fake, &size);
    size = strlen(text);
    for (int old = 0; old < 2; old++) {
        other_lines[0] = '\0';
        struct check_states *states = parse(text, size, &fault);
        assert_int_equal(fault, old ? CHECK_STATES_TOO_OLD : CHECK_STATES_GOOD);
        assert_true((states == NULL) == old);
        assert_string_equal(other_lines, "load 1\nrtt 2\n");
        check_states_free(states);
        assert_null(parse(damaged, strlen(damaged), &fault));
        assert_int_equal(fault, CHECK_STATES_DAMAGED);
        now_ns += 601 * S;
    }
    free(text);
    free(damaged);
    health_free(health);
}

static void manual_states_come_back(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct manual *manual = manual_new(&fake), *again = manual_new(&fake);
    int64_t wall_now = (now_ns + wall_ns) / S * S; // the file keeps seconds
    struct manual_entry entry = {.state = MANUAL_DRAIN,
                                 .pattern = "example.com/*",
                                 .who = "ann",
                                 .why = "caf\xc3\xa9 \"x\"",
                                 .set_ns = wall_now,
                                 .from_ns = wall_now};
    manual_add(manual, &entry);
    entry.state = MANUAL_UP;
    entry.until_ns = wall_now + 3600 * S;
    entry.weekly = true;
    manual_add(manual, &entry);
    assert_true(manual_file_read(path, again, &diags)); // there is none
    assert_true(manual_file_write(path, manual, &diags));
    assert_true(manual_file_read(path, again, &diags));
    assert_int_equal(manual_count(again), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct manual_entry *a = manual_entry(manual, i), *b = manual_entry(again, i);
        assert_string_equal(a->why, b->why);
        assert_true(a->id == b->id && a->state == b->state && a->weekly == b->weekly);
        assert_true(a->until_ns == b->until_ns && a->from_ns == b->from_ns);
    }
    manual_free(manual);
    manual_free(again);
#define ENTRY                                                                                      \
    "{\"id\": 1, \"state\": \"up\", \"pattern\": \"x/*\", \"who\": \"\", \"why\": \"\", \"set\": " \
    "\"2026-11-25T10:00:00Z\", \"from\": \"2026-11-25T10:00:00Z\", \"until\": null, "              \
    "\"weekly\": false}"
    static const char *const damaged[] = {"{",
                                          "[]",
                                          "{\"version\": 2, \"entries\": []}",
                                          "{\"version\": 1}",
                                          "{\"version\": 1, \"entries\": [{}]}",
                                          "{\"version\": 1, \"entries\": [" ENTRY ", {}]}"};
    for (size_t i = 0; i < ARRAY_SIZE(damaged); i++) {
        manual = manual_new(&fake);
        assert_true(durable_state_write(path, damaged[i], strlen(damaged[i]), &diags));
        assert_false(manual_file_read(path, manual, &diags));
        assert_int_equal(diags.error_count, 1);
        assert_int_equal(manual_count(manual), 0);
        diags_clear(&diags);
        manual_free(manual);
    }
    static const char good[] = "{\"version\": 1, \"entries\": [" ENTRY "]}";
    manual = manual_new(&fake);
    assert_true(durable_file_write(path, 0600, good, strlen(good), &diags));
    assert_true(manual_file_read(path, manual, &diags));
    assert_int_equal(manual_count(manual), 1);
    manual_free(manual);
    unlink(path);
}

static void files_are_replaced_whole_or_not(void **state)
{
    (void)state;
    struct diags diags = {0};
    struct stat status;
    char text[8] = {0};
    assert_true(durable_state_write(path, "old", 3, &diags));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(mkdir(fresh, 0700), 0); // the new file cannot be made
    assert_false(durable_state_write(path, "new", 3, &diags));
    assert_int_equal(diags.error_count, 1);
    diags_clear(&diags);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, text, 8), 3);
    close(fd);
    assert_string_equal(text, "old");
    rmdir(fresh);
    unlink(path);
}

static void times_are_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds; // -1: no time
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-25T18:00:00Z", 1795629600},
        {"2026-11-25t18:00:00.5z", 1795629600},
        {"2026-11-26T02:00:00+08:00", 1795629600},
        {"2026-11-25 12:30:00-05:30", 1795629600},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"2106-02-07T06:28:16Z", 4294967296},
        {"2023-02-29T00:00:00Z", -1},
        {"2026-04-31T10:00:00Z", -1},
        {"2026-04-31T23:59:60Z", -1},
        {"2026-11-25T18:00:00", -1},
        {"2026-11-25T18:00Z", -1},
        {"2026-11-25", -1},
        {"2026-13-25T18:00:00Z", -1},
        {"2026-11-25T24:00:00Z", -1},
        {"2026-11-25T18:00:00Zx", -1},
        {"2026-11-25T18:00:00.Z", -1},
        {"2026-11-25T18:00:00+8:00", -1},
        {"-026-11-25T18:00:00Z", -1},
        {"", -1},
        {"now", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t ns = 0;
        char text[TIME_TEXT_MAX];
        if (time_text_parse(cases[i].text, &ns) != (cases[i].seconds >= 0) ||
            (cases[i].seconds >= 0 && ns != cases[i].seconds * S)) {
            fail_msg("%s: %lld", cases[i].text, (long long)(ns / S));
        }
        if (cases[i].seconds >= 0) {
            int64_t again;
            assert_true(time_text_parse(time_text_format(ns, text), &again));
            assert_true(again == ns);
        }
    }
}

static int folder_make(void **state)
{
    (void)state;
    beats = beats_new();
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/file", folder);
    snprintf(fresh, sizeof(fresh), "%s/file.new", folder);
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    beats_free(beats);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_come_back_with_their_age),
        cmocka_unit_test(every_cut_and_flip_is_seen),
        cmocka_unit_test(heartbeats_come_back_with_their_age),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(states_without_heartbeats_are_read),
        cmocka_unit_test(lines_of_others_outlive_checks),
        cmocka_unit_test(manual_states_come_back),
        cmocka_unit_test(files_are_replaced_whole_or_not),
        cmocka_unit_test(times_are_texts),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
