// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include <stdio.h>
#include <stdlib.h>

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_SOCKET,
    {"client", 0, "ADDR", "the client's address; compulsory"},
    CLI_OPTION_JSON,
    {0},
};

static void print_steps(const json_t *steps)
{
    size_t i;
    json_t *step;
    json_array_foreach(steps, i, step)
    {
        const json_t *details = json_object_get(step, "details");
        printf("\n%lld. %s: %s\n", (long long)json_integer_value(json_object_get(step, "step")),
               text_of(step, "title"), text_of(step, "summary"));
        if (json_object_size(details) > 0 || json_array_size(details) > 0) {
            print_json(details, 3);
        }
    }
}

// Whatever else the server says of the answer: its outcome, its TTL, its scope.
static void print_rest(const json_t *answer)
{
    static const char *const shown[] = {"name",  "type",  "client", "steps",   "answer",
                                        "chain", "found", "query",  "response"};
    json_t *rest = json_copy((json_t *)(uintptr_t)answer);
    for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
        json_object_del(rest, shown[i]);
    }
    print_json(rest, 3);
    json_decref(rest);
}

// The names that an alias leads to.
static void print_chain(const json_t *chain)
{
    size_t i;
    json_t *link;
    json_array_foreach(chain, i, link)
    {
        const json_t *steps = json_object_get(link, "steps");
        printf("\nwhich leads to %s %s\n", text_of(link, "name"), text_of(link, "type"));
        if (steps != NULL) {
            print_steps(steps);
        } else {
            printf("\n   no zone here holds the name: the resolver asks on elsewhere\n");
        }
    }
}

static void print_explanation(const json_t *answer)
{
    const json_t *records = json_object_get(answer, "answer");
    printf("%s %s for the client %s\n", text_of(answer, "name"), text_of(answer, "type"),
           text_of(answer, "client"));
    print_steps(json_object_get(answer, "steps"));
    print_chain(json_object_get(answer, "chain"));
    printf("\nAnswer\n");
    if (json_array_size(records) > 0) {
        print_json(records, 3);
        putchar('\n');
    } else {
        printf("   no records\n\n");
    }
    print_rest(answer);
}

static int run(const struct cli_args *args)
{
    const char *client = cli_value(args, "client");
    if (client == NULL) {
        return cli_usage_error(args, "--client ADDR is missing");
    }
    char *query = client_query("name", args->operands[0], "type",
                               args->operand_count > 1 ? args->operands[1] : "A", "client", client,
                               (const char *)NULL);
    int exit_code;
    json_t *answer = client_call(args, "GET", "/v1/explain", query, &exit_code);
    free(query);
    return client_show(args, answer, exit_code, print_explanation);
}

const struct command command_explain = {
    .name = "explain",
    .operands = "NAME [TYPE]",
    .summary = "Show the five steps by which a client gets its answer",
    .help = "Walks the tables that answer queries in the running server, and follows aliases "
            "within its "
            "zones. TYPE is A\nby default. docs/reference/explain.md says what each step tells.",
    .operands_min = 1,
    .operands_max = 2,
    .options = options,
    .run = run,
};
