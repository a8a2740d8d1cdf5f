// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/commands.h"

#include "probe/prober_remote.h"

#include <unistd.h>

static const struct cli_option options[] = {{0}};

static int run(const struct cli_args *args)
{
    (void)args;
    return prober_child(STDIN_FILENO);
}

const struct command command_prober = {
    .name = "prober",
    .operands = "",
    .summary = "Make probes for a server: started by `serve`, not by people",
    .help = "See the option health.process.",
    .options = options,
    .run = run,
};
