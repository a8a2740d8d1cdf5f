// SPDX-License-Identifier: GPL-3.0-or-later
//
// shared.yaml: any text gives lines that the catalogue takes or refuses.
#include "publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diags diags = {0};
    struct shared *shared = shared_read(fuzz_file(data, size), &diags);
    if (diags.error_count == 0) {
        struct lines *lines = lines_new(shared->lines, shared->line_count, &diags);
        lines_free(lines);
    }
    shared_free(shared);
    check_diags(&diags);
    return 0;
}
