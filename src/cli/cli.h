// SPDX-License-Identifier: GPL-3.0-or-later
//
// Commands: one file and one row of command_table each; parsing, help and the reference page follow
// from the table. Main thread.
#pragma once

#include "base/base.h"

enum exit_code { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

// An option of a command. `argument` names its value in the help; NULL: a flag.
struct cli_option {
    const char *name;
    char letter; // 0: no short form
    const char *argument;
    const char *help;
};

enum { CLI_OPTIONS_MAX = 16, CLI_OPERANDS_MAX = 8 };

struct command;

struct cli_args {
    const struct command *command;
    const char *values[CLI_OPTIONS_MAX]; // as the command's options; "" for a flag that is set
    const char *operands[CLI_OPERANDS_MAX];
    size_t operand_count;
};

struct command {
    const char *name;
    const char *operands; // "NAME TYPE", for the help; "" for none
    const char *summary;  // one line
    const char *help;     // what a user needs to know besides; may be ""
    size_t operands_min, operands_max;
    const struct cli_option *options; // ends with a NULL name
    int (*run)(const struct cli_args *args);
};

// Ends with NULL.
extern const struct command *const command_table[];

// Shared rows of option tables.
#define CLI_OPTION_CONFIG                                                                          \
    {                                                                                              \
        "config", 'c', "FILE", "the configuration; signpost.yaml by default"                       \
    }
#define CLI_OPTION_SOCKET                                                                          \
    {                                                                                              \
        "socket", 's', "PATH", "the control socket; that of the configuration by default"          \
    }
#define CLI_OPTION_JSON                                                                            \
    {                                                                                              \
        "json", 0, NULL, "print JSON"                                                              \
    }

#define CLI_CONFIG_DEFAULT "signpost.yaml"

// The value of an option, or NULL when it was not given.
const char *cli_value(const struct cli_args *args, const char *name);
// Prints one line to standard error and returns EXIT_USAGE.
int cli_usage_error(const struct cli_args *args, const char *format, ...) PRINTF_LIKE(2, 3);
// Prints one line to standard error and returns EXIT_FAILED.
int cli_failure(const char *format, ...) PRINTF_LIKE(1, 2);

// Parses and runs. Returns the exit code of the process.
int cli_main(int argc, char **argv);
