// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/client.h"
#include "cli/commands.h"

#include <stdio.h>

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG, CLI_OPTION_SOCKET, CLI_OPTION_JSON, {0}};

static void print_result(const json_t *answer)
{
    client_print_faults(answer);
    printf("reloaded: generation %lld answers\n",
           (long long)json_integer_value(json_object_get(answer, "generation")));
}

static int run(const struct cli_args *args)
{
    int exit_code;
    json_t *answer = client_call(args, "POST", "/v1/reload", NULL, &exit_code);
    return client_show(args, answer, exit_code, print_result);
}

const struct command command_reload = {
    .name = "reload",
    .operands = "",
    .summary = "Make the running server read its files anew",
    .help = "Returns when the new data answers. Files with errors are refused as a whole: every "
            "error is\nprinted with its place, and the old data keeps serving.",
    .options = options,
    .run = run,
};
