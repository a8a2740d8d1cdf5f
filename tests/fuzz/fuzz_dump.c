// SPDX-License-Identifier: GPL-3.0-or-later
//
// Dumps of DNS consoles, CSV or JSON: any bytes are refused with places, or become a document that
// the zone reader can be asked about. The first byte chooses the provider.
#include "publish.h"

#include "format/import.h"
#include "format/writers.h"

#include <stdio.h>
#include <stdlib.h>

// What is written by a writer is read by the reader, and written the same again.
static void write_again(struct zone *zone, const struct lines *lines)
{
    for (int dialect = DIALECT_SIGNPOST; dialect <= DIALECT_OCTODNS; dialect++) {
        char *text = NULL;
        size_t size = 0;
        struct diags diags = {0};
        FILE *out = open_memstream(&text, &size);
        const struct zone_writer writer = {.lines = lines, .out = out, .diags = &diags};
        zone_yaml_write(zone, (enum zone_dialect)dialect, &writer);
        zone_file_write(zone, &writer);
        zone_rows_write(zone, ROWS_CSV, &writer);
        zone_rows_write(zone, ROWS_JSON, &writer);
        fclose(out);
        free(text);
        check_diags(&diags);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t apex[] = "\7example\3com";
    struct diags diags = {0};
    if (size == 0) {
        return 0;
    }
    struct zone_reader reader = fuzz_reader(&diags);
    const struct import import = {.provider = (enum dump_provider)(data[0] % DUMP_PROVIDER_COUNT),
                                  .path = fuzz_file(data + 1, size - 1),
                                  .apex = apex,
                                  .lines = reader.lines};
    char *text = NULL;
    size_t text_size = 0;
    FILE *out = open_memstream(&text, &text_size);
    bool good = import_dump(&import, out, &diags);
    fclose(out);
    if (good) {
        struct zone *zone =
            zone_yaml_read(fuzz_file((const uint8_t *)text, text_size), apex, &reader);
        if (zone != NULL) {
            write_again(zone, reader.lines);
        }
        zone_free(zone);
    }
    free(text);
    check_diags(&diags);
    return 0;
}
