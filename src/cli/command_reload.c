// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG, CLI_OPTION_SOCKET, CLI_OPTION_JSON, {0}};

static int run(const struct cli_args *args)
{
    int exit_code;
    json_t *answer = client_call(args, "POST", "/v1/reload", NULL, &exit_code);
    if (answer == NULL) {
        return exit_code;
    }
    if (cli_value(args, "json") != NULL) {
        print_raw(answer);
    } else {
        client_print_faults(answer);
        printf("reloaded: generation %lld answers\n",
               (long long)json_integer_value(json_object_get(answer, "generation")));
    }
    json_decref(answer);
    return EXIT_GOOD;
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
