// SPDX-License-Identifier: GPL-3.0-or-later
//
// signpost.yaml: any text is refused with places, or gives a configuration.
#include "publish.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diags diags = {0};
    struct config *config = config_read(fuzz_file(data, size), &diags);
    SP_ASSERT((config != NULL) == (diags.error_count == 0));
    config_free(config);
    check_diags(&diags);
    return 0;
}
