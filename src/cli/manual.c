// SPDX-License-Identifier: GPL-3.0-or-later
//
// Manual pages (man(7) macros) from the command table and the option table.
#include "cli/cli.h"
#include "cli/reference.h"

#include "config/config.h"

#include <stdio.h>

// Text in the source of a page: backslashes and dashes escaped, the backticks of Markdown made
// bold, no line that begins with a dot.
static void print_text(const char *text)
{
    bool bold = false, begin = true;
    for (; *text != '\0'; text++) {
        if (begin && (*text == '.' || *text == '\'')) {
            fputs("\\&", stdout);
        }
        begin = *text == '\n';
        if (*text == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", stdout);
        } else if (*text == '\\') {
            fputs("\\e", stdout);
        } else if (*text == '-') {
            fputs("\\-", stdout);
        } else {
            putchar(*text);
        }
    }
}

static void print_head(const char *name, unsigned section, const char *about)
{
    printf(".\\\" Made by `signpost reference`; do not edit.\n"
           ".TH %s %u \"\" \"Signpost %s\"\n.SH NAME\n%s \\- %s\n",
           name, section, SIGNPOST_VERSION, name, about);
}

static void print_cli_options(const struct command *command)
{
    for (const struct cli_option *option = command->options; option->name != NULL; option++) {
        printf(".TP\n");
        if (option->letter != 0) {
            printf("\\fB\\-%c\\fR, ", option->letter);
        }
        printf("\\fB\\-\\-%s\\fR", option->name);
        if (option->argument != NULL) {
            printf(" \\fI%s\\fR", option->argument);
        }
        printf("\n");
        print_text(option->help);
        printf("\n");
    }
}

void print_manual_commands(void)
{
    print_head("signpost", 8, "authoritative DNS for names with more than one address");
    printf(".SH SYNOPSIS\n\\fBsignpost\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] "
           "[\\fIARGUMENT\\fR...]\n.SH COMMANDS\n");
    for (const struct command *const *at = command_table; *at != NULL; at++) {
        const struct command *command = *at;
        printf(".SS \"signpost %s%s%s\"\n", command->name, *command->operands ? " " : "",
               command->operands);
        print_text(command->summary);
        printf(".\n");
        print_text(command->help);
        printf("%s", *command->help ? "\n" : "");
        print_cli_options(command);
    }
    printf(".SH EXIT STATUS\n0 good, 1 bad input or failed, 2 wrong usage.\n"
           ".SH SIGNALS OF \\fBsignpost serve\\fR\n"
           ".TP\nSIGHUP\nreads zones, lines and geo data anew\n"
           ".TP\nSIGTERM, SIGINT\nend the server within 5 seconds\n"
           ".SH SEE ALSO\n\\fBsignpost.yaml\\fR(5)\n");
}

void print_manual_options(void)
{
    print_head("signpost.yaml", 5, "configuration of signpost(8)");
    printf(".SH DESCRIPTION\nA YAML document. Names below are paths: \\fBgeo.networks\\fR is the "
           "key \\fBnetworks\\fR below the key\n\\fBgeo\\fR. Relative paths are taken from the "
           "folder of the file. The file is read when the server starts.\n.SH OPTIONS\n");
    for (size_t i = 0; i < config_option_count(); i++) {
        const struct option_info *option = config_option(i);
        char range[256];
        option_range(option, range, sizeof(range));
        printf(".TP\n\\fB%s\\fR: %s%s%s%s%s\n", option->name, option_type_text(option->type),
               *range ? ", " : "", range, option->unit ? " " : "",
               option->unit ? option->unit : "");
        print_text(option->help);
        printf(" Default: ");
        print_text(option->fallback ? option->fallback : "none");
        printf(".\n");
    }
    printf(".SH SEE ALSO\n\\fBsignpost\\fR(8)\n");
}
