// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_SOCKET,
    {"force", 'f', NULL, "update: also take data that knows far less than what is in use"},
    CLI_OPTION_JSON,
    {0},
};

static void print_update(const json_t *answer)
{
    client_print_faults(answer);
    printf("updated: generation %lld answers\n",
           (long long)json_integer_value(json_object_get(answer, "generation")));
}

static void print_answer(const json_t *answer)
{
    print_json(answer, 0);
}

static int run(const struct cli_args *args)
{
    const char *what = args->operand_count > 0 ? args->operands[0] : "status";
    bool update = strcmp(what, "update") == 0, locate = strcmp(what, "locate") == 0;
    if (!update && !locate && strcmp(what, "status") != 0) {
        return cli_usage_error(args, "\"%s\" is none of status, locate and update", what);
    }
    if ((args->operand_count == 2) != locate) {
        return cli_usage_error(args, locate ? "locate takes an address" : "too many arguments");
    }
    if (cli_value(args, "force") != NULL && !update) {
        return cli_usage_error(args, "--force goes with update");
    }
    int exit_code;
    json_t *answer;
    if (locate) {
        char *query = client_query("address", args->operands[1], (const char *)NULL);
        answer = client_call(args, "GET", "/v1/geo/locate", query, &exit_code);
        free(query);
    } else if (update) {
        answer = client_call(args, "POST", "/v1/geo/update",
                             cli_value(args, "force") != NULL ? "force=true" : NULL, &exit_code);
    } else {
        answer = client_call(args, "GET", "/v1/geo", NULL, &exit_code);
    }
    return client_show(args, answer, exit_code, update ? print_update : print_answer);
}

const struct command command_geo = {
    .name = "geo",
    .operands = "[status | update | locate ADDRESS]",
    .summary = "Show the geo data of the running server, read it anew, ask it for an address",
    .help = "`update` returns when the new data answers. A file that is broken, cut short or gone "
            "is refused\nwith the reason, and the old data keeps serving. `locate` prints what is "
            "known about an address\nand the lines that it is in.",
    .operands_min = 0,
    .operands_max = 2,
    .options = options,
    .run = run,
};
