// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG, CLI_OPTION_SOCKET, CLI_OPTION_JSON, {0}};

static void print_status(const json_t *answer)
{
    print_json(answer, 0);
}

static int run(const struct cli_args *args)
{
    int exit_code;
    json_t *answer = client_call(args, "GET", "/v1/status", NULL, &exit_code);
    return client_show(args, answer, exit_code, print_status);
}

const struct command command_status = {
    .name = "status",
    .operands = "",
    .summary = "Show what the running server serves",
    .help = "",
    .options = options,
    .run = run,
};
