// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>

static const struct cli_option options[] = {CLI_OPTION_JSON, {0}};

static int run(const struct cli_args *args)
{
    if (cli_value(args, "json") != NULL) {
        json_t *json = json_pack("{s:s}", "version", SIGNPOST_VERSION);
        print_raw(json);
        json_decref(json);
    } else {
        printf("signpost %s\n", SIGNPOST_VERSION);
    }
    return EXIT_GOOD;
}

const struct command command_version = {
    .name = "version",
    .operands = "",
    .summary = "Print the version",
    .help = "",
    .options = options,
    .run = run,
};
