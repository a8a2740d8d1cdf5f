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
    json_t *answer = client_call(args, "GET", "/v1/health", NULL, &exit_code);
    if (answer == NULL) {
        return exit_code;
    }
    const json_t *checks = json_object_get(answer, "checks");
    if (cli_value(args, "json") != NULL) {
        print_raw(answer);
    } else if (json_array_size(checks) == 0) {
        printf("no checks\n");
    } else {
        print_json(checks, 0);
    }
    json_decref(answer);
    return EXIT_GOOD;
}

const struct command command_health = {
    .name = "health",
    .operands = "",
    .summary = "List the health checks of the running server and their states",
    .help = "",
    .options = options,
    .run = run,
};
