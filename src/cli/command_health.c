// SPDX-License-Identifier: GPL-3.0-or-later
//
// `signpost health` and `signpost drain`: the table of checks, and what operators say over them.
//
// Each verb is a row of `verbs`. Talks to the control socket through cli/client.h; main thread.
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/health_table.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define WATCH_PERIOD_S 1

// What `set` and `drain` take.
// clang-format off
#define OPTIONS_OF_SET                                                                             \
    {"why", 0, "TEXT", "the reason, kept with the entry"},                                         \
    {"who", 0, "TEXT", "who says so; the login name by default"},                                  \
    {"for", 0, "TIME", "for how long: 90s, 30m, 2h, 7d"},                                          \
    {"from", 0, "TIME", "when it begins: 2026-11-25T18:00:00Z"},                                   \
    {"until", 0, "TIME", "when it ends"},                                                          \
    {"weekly", 0, NULL, "every week again from --from to --until"}
// clang-format on

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG, CLI_OPTION_SOCKET,
    CLI_OPTION_JSON,   {"watch", 'w', NULL, "print the table again every second"},
    OPTIONS_OF_SET,    {0},
};

static const struct cli_option drain_options[] = {
    CLI_OPTION_CONFIG, CLI_OPTION_SOCKET, CLI_OPTION_JSON, OPTIONS_OF_SET, {0}};

// 90, 90s, 30m, 2h, 7d in seconds; -1: none of these.
static json_int_t length_parse(const char *text)
{
    static const struct {
        const char *unit;
        json_int_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    char *end;
    long number = strtol(text, &end, 10);
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (end != text && strcmp(end, units[i].unit) == 0 && number > 0 && number < 1000000000) {
            return number * units[i].seconds;
        }
    }
    return -1;
}

// As client_show; `format` takes the number that is a member of the answer, and its plural.
static int finish(const struct cli_args *args, json_t *answer, int exit_code, const char *format,
                  const char *member)
{
    if (answer == NULL) {
        return exit_code;
    }
    if (cli_value(args, "json") != NULL) {
        print_raw(answer);
    } else {
        long long count = (long long)json_integer_value(json_object_get(answer, member));
        printf(format, count, count == 1 ? "" : "s");
    }
    json_decref(answer);
    return EXIT_GOOD;
}

static bool put_length(const struct cli_args *args, json_t *body)
{
    const char *length = cli_value(args, "for");
    json_int_t seconds = length == NULL ? 0 : length_parse(length);
    if (seconds < 0) {
        cli_usage_error(args, "\"%s\" is no length: expected one like 90s, 30m, 2h, 7d", length);
    } else if (length != NULL) {
        json_object_set_new(body, "for", json_integer(seconds));
    }
    return seconds >= 0;
}

static const char *operator_name(const struct cli_args *args)
{
    const char *who = cli_value(args, "who");
    who = who != NULL ? who : getenv("SUDO_USER");
    who = who != NULL ? who : getenv("LOGNAME");
    return who != NULL ? who : "root";
}

static int set_state(const struct cli_args *args, const char *pattern, const char *state)
{
    json_t *body = json_object();
    int exit_code = EXIT_USAGE;
    bool good = client_put(args, body, "pattern", pattern) &&
                client_put(args, body, "state", state) &&
                client_put(args, body, "who", operator_name(args)) &&
                client_put(args, body, "why", cli_value(args, "why")) &&
                client_put(args, body, "from", cli_value(args, "from")) &&
                client_put(args, body, "until", cli_value(args, "until")) && put_length(args, body);
    if (cli_value(args, "weekly") != NULL) {
        json_object_set_new(body, "weekly", json_true());
    }
    json_t *answer =
        good ? client_send(args, "POST", "/v1/health/manual", NULL, body, &exit_code) : NULL;
    json_decref(body);
    return finish(args, answer, exit_code, "set: it holds %lld member%s\n", "members");
}

static int verb_set(const struct cli_args *args)
{
    return set_state(args, args->operands[1], args->operands[2]);
}

static int verb_clear(const struct cli_args *args)
{
    int exit_code;
    char *query = client_query("pattern", args->operands[1], (char *)NULL);
    json_t *answer = client_call(args, "DELETE", "/v1/health/manual", query, &exit_code);
    free(query);
    return finish(args, answer, exit_code, "cleared: %lld setting%s\n", "cleared");
}

static int verb_release(const struct cli_args *args)
{
    int exit_code = EXIT_USAGE;
    json_t *body = json_object(), *answer = NULL;
    if (client_put(args, body, "pattern", args->operands[1])) {
        answer = client_send(args, "POST", "/v1/health/release", NULL, body, &exit_code);
    }
    json_decref(body);
    return finish(args, answer, exit_code, "released: %lld member%s\n", "released");
}

static void print_trusted(const json_t *answer)
{
    (void)answer;
    puts("trusted: states follow the checks again");
}

static int verb_trust(const struct cli_args *args)
{
    int exit_code;
    json_t *answer = client_call(args, "POST", "/v1/health/trust", NULL, &exit_code);
    return client_show(args, answer, exit_code, print_trusted);
}

static void print_layer(const json_t *answer, const char *name, const char *label)
{
    const json_t *value = json_object_get(answer, name);
    if (value != NULL) {
        printf("%-14s %.2f ms\n", label, json_number_value(value));
    }
}

static void print_test(const json_t *answer)
{
    const json_t *days = json_object_get(answer, "certificate_days");
    const json_t *load = json_object_get(answer, "load");
    print_layer(answer, "connect_ms", "connected");
    print_layer(answer, "tls_ms", "TLS");
    print_layer(answer, "first_byte_ms", "first octet");
    print_layer(answer, "total_ms", "in all");
    if (days != NULL) {
        printf("%-14s ends in %lld days\n", "certificate", (long long)json_integer_value(days));
    }
    if (load != NULL) {
        printf("%-14s %g\n", "load", json_number_value(load));
    }
    char detail[TEXT_PLAIN_MAX];
    printf("%-14s %s: %s\n%-14s %s (counts as %s)\n", "result", text_of(answer, "result"),
           text_plain(text_of(answer, "detail"), detail), "", text_of(answer, "meaning"),
           text_of(answer, "counts_as"));
}

// One probe now: what it saw, layer by layer.
static int verb_test(const struct cli_args *args)
{
    int exit_code;
    char *end;
    long check = strtol(args->operands[1], &end, 10);
    if (*end != '\0' || *args->operands[1] == '\0') {
        return cli_usage_error(args, "\"%s\" is no number of a check", args->operands[1]);
    }
    json_t *body = json_pack("{s:I}", "check", (json_int_t)check);
    json_t *answer = client_send(args, "POST", "/v1/health/test", NULL, body, &exit_code);
    json_decref(body);
    return client_show(args, answer, exit_code, print_test);
}

static void print_manual(const json_t *answer)
{
    print_json_list(json_object_get(answer, "entries"), "nothing is set");
}

static int verb_manual(const struct cli_args *args)
{
    int exit_code;
    json_t *answer = client_call(args, "GET", "/v1/health/manual", NULL, &exit_code);
    return client_show(args, answer, exit_code, print_manual);
}

static void print_table(const json_t *answer)
{
    health_table_print(answer, 0);
}

// What a screen holds beside the lines around the table; what is down stands first.
static void print_screen(const json_t *answer)
{
    enum { LINES_AROUND = 7 };
    struct winsize size = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    fputs("\x1b[H\x1b[J", stdout);
    health_table_print(answer, (size_t)MAX(size.ws_row - LINES_AROUND, 0));
}

static int show_once(const struct cli_args *args, bool watch)
{
    int exit_code;
    json_t *answer = client_call(args, "GET", "/v1/health", NULL, &exit_code);
    bool screen = watch && isatty(STDOUT_FILENO);
    return client_show(args, answer, exit_code, screen ? print_screen : print_table);
}

static int verb_show(const struct cli_args *args)
{
    bool watch = cli_value(args, "watch") != NULL;
    int exit_code = show_once(args, watch);
    while (watch && exit_code == EXIT_GOOD && !ferror(stdout)) {
        const struct timespec period = {.tv_sec = WATCH_PERIOD_S};
        nanosleep(&period, NULL);
        exit_code = show_once(args, true);
    }
    return exit_code;
}

static const struct verb {
    const char *name; // "": none
    size_t operands;  // with the verb
    const char *options;
    int (*run)(const struct cli_args *args);
} verbs[] = {
    {"", 0, "watch", verb_show},      {"set", 3, "why who for from until weekly", verb_set},
    {"clear", 2, "", verb_clear},     {"manual", 1, "", verb_manual},
    {"release", 2, "", verb_release}, {"trust", 1, "", verb_trust},
    {"test", 2, "", verb_test},
};

static bool has_word(const char *words, const char *word)
{
    size_t size = strlen(word);
    for (; *words != '\0'; words += strcspn(words, " "), words += strspn(words, " ")) {
        if (strcspn(words, " ") == size && strncmp(words, word, size) == 0) {
            return true;
        }
    }
    return false;
}

// An option that the verb does not take: it would be left out of account. NULL: none.
static const char *option_beside(const struct cli_args *args, const struct verb *verb)
{
    for (size_t i = 0; options[i].name != NULL; i++) {
        if (args->values[i] != NULL && !has_word("config socket json", options[i].name) &&
            !has_word(verb->options, options[i].name)) {
            return options[i].name;
        }
    }
    return NULL;
}

static int verb_run(const struct cli_args *args, const struct verb *verb)
{
    const char *beside = option_beside(args, verb);
    if (args->operand_count != verb->operands) {
        size_t wanted = verb->operands - 1;
        return cli_usage_error(args, "%s takes %zu argument%s", verb->name, wanted,
                               wanted == 1 ? "" : "s");
    }
    if (beside != NULL) {
        return cli_usage_error(args, "--%s does not go with %s", beside,
                               *verb->name ? verb->name : "the table");
    }
    return verb->run(args);
}

static int run(const struct cli_args *args)
{
    const char *name = args->operand_count > 0 ? args->operands[0] : "";
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (strcmp(name, verbs[i].name) == 0 && (*name != '\0' || args->operand_count == 0)) {
            return verb_run(args, &verbs[i]);
        }
    }
    return cli_usage_error(args, "\"%s\" is none of set, clear, manual, release, trust and test",
                           name);
}

const struct command command_health = {
    .name = "health",
    .operands = "[VERB ARGUMENT...]",
    .summary = "Show the health checks, or say what holds over them",
    .help = "Without a verb: the table of checks, what is down first; --watch goes with it.\n\n"
            "set PATTERN STATE: says that members are up, down or in drain (no new clients, "
            "unless all\nothers are down), whatever their checks say; --why to --weekly go with "
            "it. clear PATTERN: takes that\nback. manual: lists what\nis set. release PATTERN: "
            "lets members come back whose check "
            "waits for an operator. trust: ends\nthe checker's doubt of itself. test CHECK: probes "
            "that check's target now and prints what\nit saw, layer by layer.\n\n"
            "PATTERN is zone/owner/type/pool/value, each part a glob; parts at the end may be left "
            "out. Or\nsite:GLOB, pool:GLOB, value:GLOB.",
    .operands_max = 3,
    .options = options,
    .run = run,
};

static int run_drain(const struct cli_args *args)
{
    return set_state(args, args->operands[0], "drain");
}

const struct command command_drain = {
    .name = "drain",
    .operands = "PATTERN",
    .summary = "Send no new clients to members: short for `health set PATTERN drain`",
    .help = "`signpost health clear PATTERN` ends it. PATTERN: see signpost health --help.",
    .operands_min = 1,
    .operands_max = 1,
    .options = drain_options,
    .run = run_drain,
};
