// SPDX-License-Identifier: GPL-3.0-or-later
//
// `signpost simulate`: the options into a request, the answer into tables. What is computed, and
// how, is the server's (engine/engine_simulate.c); changed documents travel as text, so that the
// file need not be readable by the server.
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/print.h"

#include "base/memory.h"
#include "base/text_file.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    CLI_OPTION_CONFIG,
    CLI_OPTION_SOCKET,
    {"down", 0, "PATTERN,...", "what if these members, sites or pools were down"},
    {"weight", 0, "MEMBER=N,...", "what if these members had these weights"},
    {"rule-file", 0, "FILE", "what if this were the zone's document (YAML, up to 1 MB)"},
    {"by", 0, "WHAT", "tables for each line, country or continent, too"},
    {"line", 0, "LINE,...", "for each of these lines, instead of those that the rules name"},
    {"clients", 0, "NETWORK,...", "only these networks, weighed by their addresses"},
    {"queries", 0, NULL, "weigh networks by how much the server was asked from them"},
    CLI_OPTION_JSON,
    {0},
};

// Puts the parts of a list with commas; no list, nothing. False after a line.
static bool put_list(const struct cli_args *args, json_t *body, const char *option, const char *key)
{
    const char *text = cli_value(args, option);
    json_t *list = json_array();
    bool good = true;
    for (const char *at = text; at != NULL && *at != '\0' && good;) {
        size_t size = strcspn(at, ",");
        good = json_array_append_new(list, json_stringn(at, size)) == 0;
        at += size + (at[size] == ',');
    }
    if (!good) {
        cli_usage_error(args, "--%s: expected UTF-8 text", option);
    } else if (text != NULL) {
        json_object_set(body, key, list);
    }
    json_decref(list);
    return good;
}

// "MEMBER=N": IPv6 addresses and names hold no "=".
static bool put_weight(json_t *weights, const char *text)
{
    const char *sign = strrchr(text, '=');
    char *end = NULL;
    long long number = sign == NULL ? 0 : strtoll(sign + 1, &end, 10);
    if (sign == NULL || end == sign + 1 || *end != '\0') {
        return false;
    }
    char *pattern = mem_printf("%.*s", (int)(sign - text), text);
    json_object_set_new(weights, pattern, json_integer(number));
    free(pattern);
    return true;
}

static bool put_weights(const struct cli_args *args, json_t *body)
{
    json_t *parts, *part, *weights = json_object();
    bool good = put_list(args, body, "weight", "weights");
    size_t i;
    parts = json_incref(json_object_get(body, "weights"));
    json_array_foreach(parts, i, part)
    {
        if (good && !put_weight(weights, json_string_value(part))) {
            cli_usage_error(args, "--weight \"%s\": expected MEMBER=N", json_string_value(part));
            good = false;
        }
    }
    if (parts != NULL) {
        json_object_set(body, "weights", weights);
    }
    json_decref(parts);
    json_decref(weights);
    return good;
}

// False after a line.
static bool put_document(const struct cli_args *args, json_t *body)
{
    const char *path = cli_value(args, "rule-file");
    if (path == NULL) {
        return true;
    }
    struct diags diags = {0};
    size_t size;
    char *text = text_file_read(path, 1, false, &diags, &size);
    diags_print(stderr, &diags);
    diags_clear(&diags);
    if (text != NULL) {
        json_object_set_new(body, "document", json_stringn(text, size));
        json_object_set_new(body, "document_name", json_string(path));
    }
    free(text);
    return text != NULL;
}

static void print_family(json_t *family)
{
    json_t *groups = json_incref(json_object_get(family, "groups")), *group;
    size_t i;
    printf("\n%s: %.0f %s\n", json_string_value(json_object_get(family, "family")),
           json_number_value(json_object_get(family, "clients")),
           json_string_value(json_object_get(family, "unit")));
    static const char *const tables[] = {"pools", "sites", "members"};
    for (i = 0; i < ARRAY_SIZE(tables); i++) {
        const json_t *table = json_object_get(family, tables[i]);
        if (json_array_size(table) > 0) {
            printf("\n");
            print_json(table, 2);
        }
    }
    json_array_foreach(groups, i, group)
    {
        printf("\n  %s: %.0f\n", json_string_value(json_object_get(group, "group")),
               json_number_value(json_object_get(group, "clients")));
        print_json(json_object_get(group, "members"), 4);
    }
    json_decref(groups);
}

static void print_simulation(const json_t *answer)
{
    json_t *family, *families = json_object_get(answer, "families");
    json_t *what_if = json_object_get(answer, "what_if");
    size_t i;
    printf("%s %s, method %s, clients weighed by %s\n",
           json_string_value(json_object_get(answer, "name")),
           json_string_value(json_object_get(answer, "type")),
           json_string_value(json_object_get(answer, "method")),
           json_string_value(json_object_get(answer, "weigh_by")));
    if (json_array_size(what_if) > 0) {
        printf("\nWhat if\n");
        print_json(what_if, 2);
    }
    json_array_foreach(families, i, family)
    {
        print_family(family);
    }
    if (json_array_size(families) == 0) {
        printf("\nno clients\n");
    }
}

static bool request_make(const struct cli_args *args, json_t *body)
{
    return client_put(args, body, "name", args->operands[0]) &&
           client_put(args, body, "type", args->operand_count > 1 ? args->operands[1] : "A") &&
           client_put(args, body, "weigh_by",
                      cli_value(args, "queries") ? "queries" : "addresses") &&
           client_put(args, body, "by", cli_value(args, "by")) &&
           put_list(args, body, "down", "down") && put_list(args, body, "line", "lines") &&
           put_list(args, body, "clients", "clients") && put_weights(args, body);
}

static int run(const struct cli_args *args)
{
    json_t *body = json_object(), *answer = NULL;
    int exit_code = EXIT_FAILED;
    if (!request_make(args, body)) {
        exit_code = EXIT_USAGE;
    } else if (put_document(args, body)) {
        answer = client_send(args, "POST", "/v1/simulate", NULL, body, &exit_code);
    }
    json_decref(body);
    return client_show(args, answer, exit_code, print_simulation);
}

const struct command command_simulate = {
    .name = "simulate",
    .operands = "NAME [TYPE]",
    .summary = "Show where the traffic of a name goes, and where it would go",
    .help =
        "Walks the tables of the running server over all clients, prefix by prefix: the share of "
        "each pool, site and\nmember, exact and not drawn. With --down, --weight or --rule-file: "
        "before and after. PATTERN and MEMBER are\nshell patterns such as 192.0.2.* or fra. TYPE "
        "is A by default. docs/reference/simulate.md says what is counted.",
    .operands_min = 1,
    .operands_max = 2,
    .options = options,
    .run = run,
};
