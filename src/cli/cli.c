// SPDX-License-Identifier: GPL-3.0-or-later
//
// The way from argv to a command: finds it in the command table, reads its options from its own
// option table (getopt_long), and prints help from both. Called by main().
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_overview(FILE *out)
{
    fprintf(out, "signpost - authoritative DNS for names with more than one address\n\n"
                 "Usage: signpost COMMAND [OPTION...] [ARGUMENT...]\n\nCommands:\n");
    for (const struct command *const *command = command_table; *command != NULL; command++) {
        fprintf(out, "  %-11s %s\n", (*command)->name, (*command)->summary);
    }
    fprintf(out, "\n`signpost COMMAND --help` tells more.\n"
                 "Exit codes: 0 good, 1 bad input or failed, 2 wrong usage.\n");
}

static void print_help(const struct command *command)
{
    printf("Usage: signpost %s%s%s%s\n\n%s.\n", command->name,
           command->options->name == NULL ? "" : " [OPTION...]", *command->operands ? " " : "",
           command->operands, command->summary);
    if (*command->help) {
        printf("\n%s\n", command->help);
    }
    printf("\nOptions:\n");
    for (const struct cli_option *option = command->options; option->name != NULL; option++) {
        char left[64], letter[8] = "    ";
        if (option->letter != 0) {
            snprintf(letter, sizeof(letter), "-%c, ", option->letter);
        }
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, option->name,
                 option->argument == NULL ? "" : " ",
                 option->argument == NULL ? "" : option->argument);
        printf("  %-22s %s\n", left, option->help);
    }
    printf("  %-22s %s\n", "-h, --help", "print this");
}

static const struct command *command_find(const char *name)
{
    for (const struct command *const *command = command_table; *command != NULL; command++) {
        if (strcmp((*command)->name, name) == 0) {
            return *command;
        }
    }
    return NULL;
}

const char *cli_value(const struct cli_args *args, const char *name)
{
    for (size_t i = 0; args->command->options[i].name != NULL; i++) {
        if (strcmp(args->command->options[i].name, name) == 0) {
            return args->values[i];
        }
    }
    SP_ASSERT(!"the command's option table has this option");
    return NULL;
}

int cli_usage_error(const struct cli_args *args, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "signpost %s: ", args->command->name);
    vfprintf(stderr, format, list);
    fprintf(stderr, "; see signpost %s --help\n", args->command->name);
    va_end(list);
    return EXIT_USAGE;
}

int cli_failure(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("signpost: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return EXIT_FAILED;
}

// The tables of getopt_long, made from the command's option table.
struct getopt_tables {
    struct option names[CLI_OPTIONS_MAX + 2];
    char letters[3 * CLI_OPTIONS_MAX + 4];
};

enum { GETOPT_FIRST = 256, GETOPT_HELP = 'h' };

static void getopt_tables_make(const struct command *command, struct getopt_tables *tables)
{
    size_t count = 0, used = 0;
    *tables = (struct getopt_tables){0};
    tables->letters[used++] = ':'; // a missing argument is told from an unknown option
    for (; command->options[count].name != NULL; count++) {
        const struct cli_option *option = &command->options[count];
        SP_ASSERT(count < CLI_OPTIONS_MAX);
        tables->names[count] = (struct option){
            option->name, option->argument == NULL ? no_argument : required_argument, NULL,
            GETOPT_FIRST + (int)count};
        if (option->letter != 0) {
            tables->letters[used++] = option->letter;
            if (option->argument != NULL) {
                tables->letters[used++] = ':';
            }
        }
    }
    tables->names[count] = (struct option){"help", no_argument, NULL, GETOPT_HELP};
    tables->letters[used] = GETOPT_HELP;
}

static size_t option_of(const struct command *command, int found)
{
    if (found >= GETOPT_FIRST) {
        return (size_t)(found - GETOPT_FIRST);
    }
    size_t index = 0;
    while (command->options[index].letter != found) {
        index++;
        SP_ASSERT(command->options[index].name != NULL);
    }
    return index;
}

// What getopt_long found wrong. It names the culprit in three ways: by the letter, by the value of
// the long option, or (0) as the word that it has just stepped over.
static int option_refuse(const struct cli_args *args, int found, const char *word)
{
    const char *what = found == ':' ? "needs a value" : "is no option of this command";
    if (optopt == 0) {
        return cli_usage_error(args, "%s %s", word, what);
    }
    if (found == '?' && (optopt >= GETOPT_FIRST || optopt == GETOPT_HELP)) {
        return cli_usage_error(args, "%s: the option takes no value", word);
    }
    if (optopt >= GETOPT_FIRST) {
        size_t index = option_of(args->command, optopt);
        return cli_usage_error(args, "--%s %s", args->command->options[index].name, what);
    }
    return cli_usage_error(args, "-%c %s", optopt, what);
}

static bool operands_take(struct cli_args *args, size_t count, char **words, int *exit_code)
{
    const struct command *command = args->command;
    if (count < command->operands_min || count > command->operands_max) {
        *exit_code = cli_usage_error(args, "expected %s",
                                     *command->operands ? command->operands : "no argument");
        return false;
    }
    SP_ASSERT(count <= CLI_OPERANDS_MAX);
    for (; args->operand_count < count; args->operand_count++) {
        args->operands[args->operand_count] = words[args->operand_count];
    }
    return true;
}

// True when the command may run; else *exit_code is what the process ends with.
static bool args_parse(struct cli_args *args, int argc, char **argv, int *exit_code)
{
    struct getopt_tables tables;
    getopt_tables_make(args->command, &tables);
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, tables.letters, tables.names, NULL)) != -1) {
        if (found == GETOPT_HELP) {
            print_help(args->command);
            *exit_code = EXIT_GOOD;
            return false;
        }
        if (found == '?' || found == ':') {
            *exit_code = option_refuse(args, found, argv[optind - 1]);
            return false;
        }
        args->values[option_of(args->command, found)] = optarg == NULL ? "" : optarg;
    }
    return operands_take(args, (size_t)(argc - optind), argv + optind, exit_code);
}

static int command_unknown(const char *name)
{
    fprintf(stderr, "signpost: there is no command \"%s\"; see signpost --help\n", name);
    return EXIT_USAGE;
}

static int help_main(const char *topic)
{
    const struct command *command = topic == NULL ? NULL : command_find(topic);
    if (topic == NULL) {
        print_overview(stdout);
    } else if (command == NULL) {
        return command_unknown(topic);
    } else {
        print_help(command);
    }
    return EXIT_GOOD;
}

// Who starts us without standard input, output or error would have a socket or a file of ours take
// the number, and what is printed or logged would go there. Output that was closed cannot be
// written to; a log that nobody wants is no fault.
static void standard_files_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) { // open() takes the lowest number that is free: this one
            (void)!open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
        }
    }
}

static int run(int argc, char **argv)
{
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return help_main(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        name = "version";
    }
    struct cli_args args = {.command = command_find(name)};
    int exit_code;
    if (args.command == NULL) {
        return command_unknown(name);
    }
    return args_parse(&args, argc - 1, argv + 1, &exit_code) ? args.command->run(&args) : exit_code;
}

int cli_main(int argc, char **argv)
{
    standard_files_open();
    if (argc < 2) {
        print_overview(stderr);
        return EXIT_USAGE;
    }
    int exit_code = run(argc, argv);
    errno = 0; // a fault of an earlier write has left its mark, but not its reason
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_failure("standard output cannot be written%s%s", errno ? ": " : "",
                    errno ? strerror(errno) : "");
        return MAX(exit_code, EXIT_FAILED);
    }
    return exit_code;
}
