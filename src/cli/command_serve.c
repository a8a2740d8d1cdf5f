// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/commands.h"

#include "server/serve.h"

static const struct cli_option options[] = {CLI_OPTION_CONFIG, {0}};

static int run(const struct cli_args *args)
{
    const char *config = cli_value(args, "config");
    return serve(config == NULL ? CLI_CONFIG_DEFAULT : config);
}

const struct command command_serve = {
    .name = "serve",
    .operands = "",
    .summary = "Answer queries, in the foreground, until SIGTERM or SIGINT",
    .help =
        "Logs to standard error and says `ready` when it answers. SIGHUP reads all zones, lines "
        "and geo\ndata anew; the configuration itself is read at the start only.",
    .options = options,
    .run = run,
};
