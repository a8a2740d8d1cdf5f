// SPDX-License-Identifier: GPL-3.0-or-later
//
// `signpost import`: what another program or provider has, as a zone document. The result is read
// back before it is written: what import gives, the server takes.
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/output.h"

#include "format/import.h"
#include "format/writers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option options[] = {
    {"from", 'f', "FORM", "dnspod, alidns, huawei, rows, octodns or rfc1035; compulsory"},
    {"zone", 'z', "NAME", "the zone; by default what the file is named after"},
    {"output", 'o', "FILE", "write here; to standard output by default"},
    {"config", 'c', "FILE", "the configuration, when lines, sites or checks of your own are used"},
    {0},
};

enum form { FORM_DUMP, FORM_OCTODNS, FORM_RFC1035 };

static bool form_parse(const char *text, enum form *form, enum dump_provider *provider)
{
    for (size_t i = 0; i < DUMP_PROVIDER_COUNT; i++) {
        if (strcmp(text, dump_provider_names[i]) == 0) {
            *form = FORM_DUMP;
            *provider = (enum dump_provider)i;
            return true;
        }
    }
    *form = strcmp(text, "octodns") == 0 ? FORM_OCTODNS : FORM_RFC1035;
    return *form == FORM_OCTODNS || strcmp(text, "rfc1035") == 0;
}

// False after a line.
static bool apex_find(const struct cli_args *args, uint8_t apex[NAME_MAX_SIZE])
{
    enum zone_format format;
    const char *name = cli_value(args, "zone"), *reason;
    if (name != NULL && name_parse(name, NULL, apex, &reason) == 0) {
        cli_usage_error(args, "--zone \"%s\" is no domain name: %s", name, reason);
        return false;
    }
    if (name == NULL && !zone_path_apex(args->operands[0], apex, &format)) {
        cli_usage_error(args, "--zone NAME is missing: the file is not named after a zone");
        return false;
    }
    return true;
}

static bool convert(struct documents *documents, enum form form, enum dump_provider provider,
                    const char *path, const uint8_t *apex, FILE *out)
{
    if (form == FORM_DUMP) {
        const struct import import = {
            .provider = provider, .path = path, .apex = apex, .lines = documents->lines};
        return import_dump(&import, out, &documents->diags);
    }
    struct zone *zone = documents_read(
        documents, path, apex, form == FORM_OCTODNS ? ZONE_FORMAT_YAML : ZONE_FORMAT_MASTER);
    if (zone != NULL) {
        const struct zone_writer writer = {
            .lines = documents->lines, .out = out, .diags = &documents->diags};
        zone_yaml_write(zone, DIALECT_SIGNPOST, &writer);
        zone_free(zone);
        return true;
    }
    return false;
}

// The server's reader has the last word; its warnings are about the document, not about the import.
static bool is_taken(struct documents *documents, struct output *output, const uint8_t *apex)
{
    char path[OUTPUT_PATH_MAX];
    int fd = output_peek(output, path);
    if (fd < 0) {
        return false;
    }
    struct diags before = documents->diags;
    documents->diags = (struct diags){0};
    struct zone *zone = documents_read(documents, path, apex, ZONE_FORMAT_YAML);
    if (zone == NULL) {
        documents_print(documents, "the result");
    }
    diags_clear(&documents->diags);
    documents->diags = before;
    zone_free(zone);
    close(fd);
    return zone != NULL;
}

static int import(const struct cli_args *args, enum form form, enum dump_provider provider,
                  const uint8_t *apex)
{
    struct documents documents;
    struct output output;
    bool good = documents_open(&documents, cli_value(args, "config"));
    output_begin(&output);
    good = good && convert(&documents, form, provider, args->operands[0], apex, output.file);
    documents_print(&documents, args->operands[0]);
    if (good) {
        good = is_taken(&documents, &output, apex);
    }
    if (good) {
        good = output_end(&output, cli_value(args, "output"));
    } else {
        output_drop(&output);
        cli_failure("nothing was imported");
    }
    documents_close(&documents);
    return good ? EXIT_GOOD : EXIT_FAILED;
}

static int run(const struct cli_args *args)
{
    uint8_t apex[NAME_MAX_SIZE];
    const char *from = cli_value(args, "from");
    enum form form;
    enum dump_provider provider = DUMP_ROWS;
    if (from == NULL) {
        return cli_usage_error(args, "--from FORM is missing");
    }
    if (!form_parse(from, &form, &provider)) {
        return cli_usage_error(
            args, "\"%s\" is none of dnspod, alidns, huawei, rows, octodns and rfc1035", from);
    }
    return apex_find(args, apex) ? import(args, form, provider, apex) : EXIT_USAGE;
}

const struct command command_import = {
    .name = "import",
    .operands = "FILE",
    .summary = "Make a zone document of another provider's or program's records",
    .help = "Dumps of DNSPod, alidns and Huawei are CSV or JSON, as their consoles and APIs give "
            "them; rows\nare what `signpost export --to csv` and `--to json` write. What cannot be "
            "kept is a warning.",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .run = run,
};
