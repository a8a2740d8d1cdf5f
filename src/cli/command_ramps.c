// SPDX-License-Identifier: GPL-3.0-or-later
//
// signpost ramps: shows the ramps of canaries over the control socket; holds, resumes, aborts one.
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <string.h>

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG, CLI_OPTION_SOCKET, CLI_OPTION_JSON, {0}};

static void print_ramps(const json_t *answer)
{
    print_json_list(json_object_get(answer, "ramps"), "no ramps");
}

static int run(const struct cli_args *args)
{
    static const char *const routes[][2] = {
        {"hold", "/v1/ramps/hold"}, {"resume", "/v1/ramps/resume"}, {"abort", "/v1/ramps/abort"}};
    int exit_code;
    if (args->operand_count == 0) {
        json_t *answer = client_call(args, "GET", "/v1/ramps", NULL, &exit_code);
        return client_show(args, answer, exit_code, print_ramps);
    }
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        if (strcmp(args->operands[0], routes[i][0]) != 0) {
            continue;
        }
        if (args->operand_count != 2) {
            return cli_usage_error(args, "%s takes the ramp, like www.example.com:new",
                                   routes[i][0]);
        }
        char *query = client_query("ramp", args->operands[1], (const char *)NULL);
        json_t *answer = client_call(args, "POST", routes[i][1], query, &exit_code);
        free(query);
        return client_show(args, answer, exit_code, print_ramps);
    }
    return cli_usage_error(args, "\"%s\" is none of hold, resume and abort", args->operands[0]);
}

const struct command command_ramps = {
    .name = "ramps",
    .operands = "[hold | resume | abort RAMP]",
    .summary = "Show the ramps of the running server, stop one, let it go on",
    .help = "RAMP is an owner name and a pool, like www.example.com:new. `hold` keeps the share "
            "that it has, `abort`\ntakes it to zero, `resume` lets it go on, after an abort from "
            "the first step. All of that outlives reloads,\nand restarts too where the server "
            "keeps its state (health.state).",
    .operands_min = 0,
    .operands_max = 2,
    .options = options,
    .run = run,
};
