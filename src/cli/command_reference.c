// SPDX-License-Identifier: GPL-3.0-or-later
//
// `signpost reference`: the pages of docs/reference/ from the tables that the program itself runs
// by, so that they cannot be out of date (a test regenerates them and fails on a difference).
#include "cli/commands.h"
#include "cli/reference.h"

#include "api/api.h"
#include "base/log.h"
#include "config/config.h"
#include "config/limits.h"
#include "lint/lint.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option no_options[] = {{0}};

static void print_title(const char *title, const char *lead)
{
    printf("<!-- Made by `signpost reference`; do not edit. -->\n# %s\n\n%s\n\n", title, lead);
}

// A cell of a Markdown table: a bar would end it.
static void print_cell(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|') {
            putchar('\\');
        }
        putchar(*text);
    }
}

static void print_option(const struct option_info *option)
{
    char range[256];
    option_range(option, range, sizeof(range));
    printf("## `%s`\n\n%s\n\n| type | range | unit | default |\n|---|---|---|---|\n| ",
           option->name, option->help);
    print_cell(option_type_text(option->type));
    printf(" | ");
    print_cell(*range ? range : "-");
    printf(" | %s | ", option->unit == NULL ? "-" : option->unit);
    if (option->fallback == NULL) {
        printf("none |\n\n");
    } else {
        printf("`");
        print_cell(option->fallback);
        printf("` |\n\n");
    }
}

static void print_options(void)
{
    print_title("Options of signpost.yaml",
                "Names are paths: `geo.networks` is the key `networks` below the key `geo`. "
                "Relative paths are taken\nfrom the folder of the file. A list of one element may "
                "be written without its list. Unknown and\nrepeated keys are errors. The file is "
                "read when the server starts.");
    for (size_t i = 0; i < config_option_count(); i++) {
        print_option(config_option(i));
    }
}

static void print_command(const struct command *command)
{
    printf("## `signpost %s`\n\n%s.\n\n    signpost %s%s%s%s\n\n", command->name, command->summary,
           command->name, command->options->name == NULL ? "" : " [OPTION...]",
           *command->operands ? " " : "", command->operands);
    if (*command->help) {
        printf("%s\n\n", command->help);
    }
    if (command->options->name == NULL) {
        return;
    }
    printf("| option | meaning |\n|---|---|\n");
    for (const struct cli_option *option = command->options; option->name != NULL; option++) {
        printf("| `");
        if (option->letter != 0) {
            printf("-%c, ", option->letter);
        }
        printf("--%s%s%s` | ", option->name, option->argument == NULL ? "" : " ",
               option->argument == NULL ? "" : option->argument);
        print_cell(option->help);
        printf(" |\n");
    }
    printf("\n");
}

static void print_commands(void)
{
    print_title("Commands",
                "Exit codes: 0 good, 1 bad input or failed, 2 wrong usage. `--help` prints the "
                "help of a command.\nCommands that print data take `--json`.");
    for (const struct command *const *command = command_table; *command != NULL; command++) {
        print_command(*command);
    }
}

static void print_params(const struct api_param_info *param)
{
    if (param->name == NULL) {
        return;
    }
    printf("| parameter | compulsory | meaning |\n|---|---|---|\n");
    for (; param->name != NULL; param++) {
        printf("| `%s` | %s | %s |\n", param->name, param->required ? "yes" : "no", param->help);
    }
    printf("\n");
}

static void print_body(const struct api_field_info *field)
{
    if (field == NULL) {
        return;
    }
    printf("| member of the body | type | compulsory | meaning |\n|---|---|---|---|\n");
    for (; field->name != NULL; field++) {
        printf("| `%s` | %s | %s | ", field->name, api_field_type_names[field->type],
               field->required ? "yes" : "no");
        print_cell(field->help);
        printf(" |\n");
    }
    printf("\n");
}

static void print_routes(void)
{
    print_title("Routes of the HTTP API",
                "Spoken over the Unix socket `control`. Answers are JSON; errors are RFC 9457 "
                "problems\n(`application/problem+json`) whose member `errors` lists `{file, line, "
                "column, key, message}`.\nA body is a JSON object of at most 1 MiB and 32 levels, "
                "with `Content-Type: application/json`;\nmembers that are not listed are refused.");
    for (size_t i = 0; i < api_route_count(); i++) {
        const struct api_route *route = api_route(i);
        printf("## `%s %s`\n\n%s. Role: %s.\n\n", route->method, route->pattern, route->summary,
               api_role_names[route->role]);
        print_params(route->params);
        print_body(route->body);
    }
}

static void print_events(void)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    print_title("Log events",
                "One line an event on standard error: `time level event key=value ...`. What comes "
                "more often than\n50 times a second is counted (`suppressed=N`).");
    printf("| event | level | meaning | what to do |\n|---|---|---|---|\n");
    for (size_t i = 0; i < LOG_EVENT_COUNT; i++) {
        const struct log_event_info *event = &log_event_table[i];
        printf("| `%s` | %s | ", event->name, levels[event->level]);
        print_cell(event->meaning);
        printf(" | ");
        print_cell(event->action);
        printf(" |\n");
    }
}

static void print_metrics(void)
{
    print_title("Metrics",
                "`GET /metrics` on the control socket, in the Prometheus text format. The counters "
                "of queries exist\ntwice: summed, as below, and for each worker as "
                "`signpost_worker_NAME_total{worker=\"N\"}`.");
    printf("| metric | type | meaning |\n|---|---|---|\n"
           "| `signpost_build_info` | gauge | The version that runs, as label |\n");
    printf("| `signpost_certificate_days` | gauge | Days until the certificate that a check sees "
           "ends (negative: since), with the labels `check` and `target`; at most %d rows, those "
           "that end first |\n",
           API_CERTIFICATES_MAX);
#define X(name, type, help)                                                                        \
    printf("| `signpost_%s%s` | %s | %s |\n", #name, type[0] == 'c' ? "_total" : "", type, help);
    API_METRICS(X)
#undef X
#define X(name, help) printf("| `signpost_%s_total` | counter | %s |\n", #name, help);
    WORKER_COUNTERS(X)
#undef X
}

static void print_lint(void)
{
    print_title(
        "Lint",
        "What `signpost check` and `GET /v1/lint` say about documents that are allowed and "
        "hardly meant. A rule is\nswitched off by `lint.ignore` in signpost.yaml, or for one "
        "record by `signpost: {lint_ignore: [ID]}`.");
    printf("| rule | severity | why | what to do |\n|---|---|---|---|\n");
    for (size_t i = 0; i < lint_rule_count(); i++) {
        const struct lint_rule *rule = lint_rule_at(i);
        printf("| `%s` | %s | %s | ", rule->id, severity_names[rule->severity], rule->reason);
        print_cell(rule->fix);
        printf(" |\n");
    }
}

static void print_limits(void)
{
    print_title("Limits",
                "Everything that bounds what somebody outside can make the server do: constants, "
                "and options with their\ndefaults. Limits of checks stand with their options.");
    enum limit_group group = LIMIT_GROUP_COUNT;
    for (size_t i = 0; i < limit_count(); i++) {
        const struct limit *limit = limit_at(i);
        if (limit->group != group) {
            group = limit->group;
            printf("%s## %s\n\n| what | limit | beyond it | why |\n|---|---|---|---|\n",
                   i > 0 ? "\n" : "", limit_group_title(group));
        }
        printf("| %s | ", limit->subject);
        const struct option_info *option =
            limit->option == NULL ? NULL : config_option_named(limit->option);
        if (option != NULL) {
            printf("`%s` (%s)", option->name, option->fallback);
        } else {
            printf("%lld%s%s", (long long)limit->value, *limit->unit == '\0' ? "" : " ",
                   limit->unit);
        }
        printf(" | %s | %s |\n", limit->then, limit->reason);
    }
}

static const struct {
    const char *name;
    void (*print)(void);
} pages[] = {
    {"options", print_options},
    {"commands", print_commands},
    {"routes", print_routes},
    {"events", print_events},
    {"metrics", print_metrics},
    {"lint", print_lint},
    {"checks", print_checks},
    {"limits", print_limits},
    {"man-commands", print_manual_commands},
    {"man-options", print_manual_options},
};

static int run(const struct cli_args *args)
{
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        if (strcmp(pages[i].name, args->operands[0]) == 0) {
            pages[i].print();
            return EXIT_GOOD;
        }
    }
    return cli_usage_error(args, "there is no page %s", args->operands[0]);
}

const struct command command_reference = {
    .name = "reference",
    .operands = "PAGE",
    .summary = "Print a page of the reference",
    .help =
        "PAGE is options, commands, routes, events, metrics, lint, checks or limits (Markdown), "
        "man-commands "
        "or man-options\n(manual pages signpost(8) and signpost.yaml(5)).",
    .operands_min = 1,
    .operands_max = 1,
    .options = no_options,
    .run = run,
};
