// SPDX-License-Identifier: GPL-3.0-or-later
//
// An operator's rows of the catalogue: any text is refused with places, or gives lines that can be
// asked.
#include "publish.h"

static void on_clash(void *context, const struct line *a, const struct line *b,
                     const struct prefix *network)
{
    (void)context;
    SP_ASSERT(a != b && network->length <= 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diags diags = {0};
    struct lines *lines = lines_load(fuzz_file(data, size), NULL, 0, &diags);
    for (size_t i = 0; i < lines_count(lines); i++) {
        SP_ASSERT(lines_find(lines, lines_get(lines, i)->id) == (int)i);
    }
    lines_isp_of_asn(lines, 4134, "Chinanet", "CN");
    lines_clashes(lines, on_clash, NULL);
    lines_free(lines);
    check_diags(&diags);
    return 0;
}
