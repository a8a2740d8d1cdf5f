// SPDX-License-Identifier: GPL-3.0-or-later
//
// `signpost check`: all that `serve` would read and compile, without a socket, a probe or an
// answer, and lint on top. It goes through the engine itself, so that what passes here loads there.
#include "cli/commands.h"
#include "cli/print.h"

#include "api/api.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "server/reload.h"
#include "lint/lint.h"

#include <stdio.h>

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    {"strict", 0, NULL, "warnings fail, too"},
    {"failover", 0, NULL, "list how long the failover of each checked name takes at worst"},
    {"lint-list", 0, NULL, "list the rules of lint and end"},
    CLI_OPTION_JSON,
    {0},
};

// Everything that was found.
struct result {
    struct diags diags;    // of the readers and the compiler
    struct diags findings; // of lint; only when there are no errors
    struct generation_summary summary;
    json_t *failovers;
};

// Checks get their places in the registry and are never started.
static void no_probe(void *state, struct probe *probe, const struct address *target,
                     const struct check_spec *spec)
{
    (void)state;
    (void)probe;
    (void)target;
    (void)spec;
}

static void no_cancel(void *state, struct probe *probe)
{
    (void)state;
    (void)probe;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

// Errors refuse; with --strict so do warnings of both kinds. Notes never do.
static bool is_good(const struct cli_args *args, const struct result *result)
{
    bool strict = cli_value(args, "strict") != NULL;
    return result->diags.error_count == 0 &&
           !(strict && result->diags.warning_count + result->findings.warning_count > 0);
}

static void print_text(const struct cli_args *args, const struct result *result)
{
    const struct diags *diags = &result->diags, *findings = &result->findings;
    diags_print(stdout, diags);
    diags_print(stdout, findings);
    if (diags->error_count > 0) {
        printf("refused: %zu error%s, %zu warning%s\n", diags->error_count,
               plural(diags->error_count), diags->warning_count, plural(diags->warning_count));
        return;
    }
    if (cli_value(args, "failover") != NULL && json_array_size(result->failovers) > 0) {
        print_json(result->failovers, 0);
    }
    const struct generation_summary *summary = &result->summary;
    printf("%s: %zu zone%s, %zu name%s, %zu steered RRset%s, %zu warning%s; lint: %zu warning%s, "
           "%zu note%s\n",
           is_good(args, result) ? "good" : "refused as --strict", summary->zone_count,
           plural(summary->zone_count), summary->name_count, plural(summary->name_count),
           summary->plan_count, plural(summary->plan_count), diags->warning_count,
           plural(diags->warning_count), findings->warning_count, plural(findings->warning_count),
           findings->note_count, plural(findings->note_count));
}

static void print_result(const struct cli_args *args, const struct result *result)
{
    if (cli_value(args, "json") == NULL) {
        print_text(args, result);
        return;
    }
    json_t *json = json_pack(
        "{s:b, s:o, s:o, s:o, s:O, s:I, s:I, s:I}", "good", is_good(args, result), "errors",
        diags_json(&result->diags, SEVERITY_ERROR), "warnings",
        diags_json(&result->diags, SEVERITY_WARNING), "findings", findings_json(&result->findings),
        "failover", result->failovers, "zones", (json_int_t)result->summary.zone_count, "names",
        (json_int_t)result->summary.name_count, "plans", (json_int_t)result->summary.plan_count);
    print_raw(json);
    json_decref(json);
}

static void check_documents(const struct config *config, struct result *result)
{
    const struct prober prober = {.start = no_probe, .cancel = no_cancel};
    struct engine *engine = engine_new(config, clock_system(), &prober);
    struct load *load = engine_read(engine, true);
    tls_certificate_free(reload_read_certificate(config, load_diags(load)));
    if (engine_apply(engine, load)) {
        result->summary = generation_summary(publisher_current(engine_publisher(engine)));
        engine_lint(engine, NULL, &result->findings);
        json_decref(result->failovers);
        result->failovers = engine_failovers(engine, NULL);
    }
    diags_move(&result->diags, load_diags(load));
    load_free(load);
    engine_free(engine);
}

static int lint_list(const struct cli_args *args)
{
    json_t *list = json_array();
    for (size_t i = 0; i < lint_rule_count(); i++) {
        const struct lint_rule *rule = lint_rule_at(i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "id", rule->id, "severity",
                                              severity_names[rule->severity], "reason",
                                              rule->reason, "fix", rule->fix));
    }
    if (cli_value(args, "json") == NULL) {
        print_json(list, 0);
    } else {
        print_raw(list);
    }
    json_decref(list);
    return EXIT_GOOD;
}

static int run(const struct cli_args *args)
{
    if (cli_value(args, "lint-list") != NULL) {
        return lint_list(args);
    }
    struct result result = {.failovers = json_array()};
    const char *path = cli_value(args, "config");
    struct config *config = config_read(path == NULL ? CLI_CONFIG_DEFAULT : path, &result.diags);
    if (config != NULL) {
        log_set_level(LOG_ERROR);
        check_documents(config, &result);
    }
    print_result(args, &result);
    bool good = is_good(args, &result);
    diags_clear(&result.diags);
    diags_clear(&result.findings);
    json_decref(result.failovers);
    config_free(config);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

const struct command command_check = {
    .name = "check",
    .operands = "",
    .summary = "Check the configuration, the zones, the lines and the geo data",
    .help =
        "Prints every error and warning with file, line, column and key, and what lint finds: "
        "what is allowed and\nhardly meant (docs/reference/lint.md). Ends with 1 when there are "
        "errors, with --strict also when there\nare warnings; notes never count. Changes "
        "nothing and needs no server.",
    .options = options,
    .run = run,
};
