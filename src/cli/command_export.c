// SPDX-License-Identifier: GPL-3.0-or-later
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"

#include "format/writers.h"

#include <stdio.h>
#include <string.h>

static const struct cli_option options[] = {
    {"to", 't', "FORM", "octodns, yaml, rfc1035, csv or json; compulsory"},
    {"output", 'o', "FILE", "write here; to standard output by default"},
    CLI_OPTION_CONFIG,
    {0},
};

enum form { TO_OCTODNS, TO_YAML, TO_RFC1035, TO_CSV, TO_JSON, TO_COUNT };
static const char *const forms[] = {"octodns", "yaml", "rfc1035", "csv", "json"};

static void write_zone(const struct zone *zone, enum form form, const struct zone_writer *writer)
{
    switch (form) {
    case TO_OCTODNS:
        zone_yaml_write(zone, DIALECT_OCTODNS, writer);
        break;
    case TO_YAML:
        zone_yaml_write(zone, DIALECT_SIGNPOST, writer);
        break;
    case TO_RFC1035:
        zone_file_write(zone, writer);
        break;
    default:
        zone_rows_write(zone, form == TO_CSV ? ROWS_CSV : ROWS_JSON, writer);
        break;
    }
}

static struct zone *read_zone(struct documents *documents, const uint8_t *apex)
{
    enum zone_format format;
    char *path = documents_find(documents, apex, &format);
    struct zone *zone = path == NULL ? NULL : documents_read(documents, path, apex, format);
    free(path);
    return zone;
}

static int export(const struct cli_args *args, const uint8_t *apex, enum form form)
{
    struct documents documents;
    struct output output;
    const char *config = cli_value(args, "config");
    bool opened = documents_open(&documents, config ? config : CLI_CONFIG_DEFAULT);
    struct zone *zone = opened ? read_zone(&documents, apex) : NULL;
    bool good = zone != NULL;
    output_begin(&output);
    if (good) {
        // What the reader has to say of the zone is for `signpost check`.
        diags_clear(&documents.diags);
        const struct zone_writer writer = {
            .lines = documents.lines, .out = output.file, .diags = &documents.diags};
        write_zone(zone, form, &writer);
    }
    documents_print(&documents, args->operands[0]);
    if (good) {
        good = output_end(&output, cli_value(args, "output"));
    } else {
        output_drop(&output);
    }
    zone_free(zone);
    documents_close(&documents);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

static int run(const struct cli_args *args)
{
    const char *to = cli_value(args, "to"), *reason;
    uint8_t apex[NAME_MAX_SIZE];
    if (to == NULL) {
        return cli_usage_error(args, "--to FORM is missing");
    }
    if (name_parse(args->operands[0], NULL, apex, &reason) == 0) {
        return cli_usage_error(args, "\"%s\" is no domain name: %s", args->operands[0], reason);
    }
    for (unsigned i = 0; i < TO_COUNT; i++) {
        if (strcmp(to, forms[i]) == 0) {
            return export(args, apex, (enum form)i);
        }
    }
    return cli_usage_error(args, "\"%s\" is none of octodns, yaml, rfc1035, csv and json", to);
}

const struct command command_export = {
    .name = "export",
    .operands = "ZONE",
    .summary = "Write a zone as another program's document",
    .help = "Reads the zone's file; no server is needed. What the form cannot say is a warning.",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .run = run,
};
