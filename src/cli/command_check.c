// SPDX-License-Identifier: GPL-3.0-or-later
//
// `signpost check`: all that `serve` would read and compile, without a socket, a probe or an
// answer. It goes through the engine itself, so that what passes here loads there.
#include "cli/commands.h"
#include "cli/print.h"

#include "api/api.h"
#include "base/clock.h"
#include "server/engine.h"

#include <stdio.h>

static const struct cli_option options[] = {CLI_OPTION_CONFIG, CLI_OPTION_JSON, {0}};

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

static void print_text(const struct diags *diags, const struct generation_summary *summary)
{
    char line[1024];
    for (size_t i = 0; i < diags->count; i++) {
        printf("%s\n", diag_format(&diags->items[i], line, sizeof(line)));
    }
    if (diags->error_count > 0) {
        printf("refused: %zu error%s, %zu warning%s\n", diags->error_count,
               diags->error_count == 1 ? "" : "s", diags->warning_count,
               diags->warning_count == 1 ? "" : "s");
    } else {
        printf("good: %zu zones, %zu names, %zu steered RRsets, %zu warning%s\n",
               summary->zone_count, summary->name_count, summary->plan_count, diags->warning_count,
               diags->warning_count == 1 ? "" : "s");
    }
}

static void print_result(const struct cli_args *args, const struct diags *diags,
                         const struct generation_summary *summary)
{
    if (cli_value(args, "json") == NULL) {
        print_text(diags, summary);
        return;
    }
    json_t *json = json_pack(
        "{s:b, s:o, s:o, s:I, s:I, s:I}", "good", diags->error_count == 0, "errors",
        diags_json(diags, SEVERITY_ERROR), "warnings", diags_json(diags, SEVERITY_WARNING), "zones",
        (json_int_t)summary->zone_count, "names", (json_int_t)summary->name_count, "plans",
        (json_int_t)summary->plan_count);
    print_raw(json);
    json_decref(json);
}

static void check_documents(const struct config *config, struct diags *diags,
                            struct generation_summary *summary)
{
    const struct prober prober = {.start = no_probe, .cancel = no_cancel};
    struct engine *engine = engine_new(config, clock_system(), &prober);
    struct load *load = engine_read(engine, true);
    if (engine_apply(engine, load)) {
        *summary = generation_summary(publisher_current(engine_publisher(engine)));
    }
    diags_move(diags, load_diags(load));
    load_free(load);
    engine_free(engine);
}

static int run(const struct cli_args *args)
{
    struct diags diags = {0};
    struct generation_summary summary = {0};
    const char *path = cli_value(args, "config");
    struct config *config = config_read(path == NULL ? CLI_CONFIG_DEFAULT : path, &diags);
    if (config != NULL) {
        log_set_level(LOG_ERROR);
        check_documents(config, &diags, &summary);
    }
    print_result(args, &diags, &summary);
    bool good = diags.error_count == 0;
    diags_clear(&diags);
    config_free(config);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

const struct command command_check = {
    .name = "check",
    .operands = "",
    .summary = "Check the configuration, the zones, the lines and the geo data",
    .help = "Prints every error and warning with file, line, column and key. Changes nothing and "
            "needs no server.",
    .options = options,
    .run = run,
};
