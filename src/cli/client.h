// SPDX-License-Identifier: GPL-3.0-or-later
//
// A client of the control socket, for the commands that talk to a running server.
#pragma once

#include "cli/cli.h"

#include <jansson.h>

// Calls one route and prints what goes wrong to standard error. `query` is NULL or already encoded
// ("name=a&type=b", see client_query). The body (owned by the caller), or NULL after a failure or a
// problem: then *exit_code says how to end.
json_t *client_call(const struct cli_args *args, const char *method, const char *path,
                    const char *query, int *exit_code);

// The same with a JSON object as the body, which is the caller's; NULL: none.
json_t *client_send(const struct cli_args *args, const char *method, const char *path,
                    const char *query, const json_t *body, int *exit_code);

// How most commands end: prints the answer, as it came with --json, else by `print`, and releases
// it. Without an answer the exit code is the call's.
int client_show(const struct cli_args *args, json_t *answer, int exit_code,
                void (*print)(const json_t *answer));

// Prints the members `errors` and `warnings` of an answer to standard error, one a line.
void client_print_faults(const json_t *answer);

// Puts a text of the command line into a body; NULL: nothing. False after a line when it is no
// UTF-8, which is all that JSON has.
bool client_put(const struct cli_args *args, json_t *body, const char *name, const char *text);

// Pairs of name and value, ending with NULL, to an encoded query. Released with free().
char *client_query(const char *name, ...) __attribute__((sentinel));
