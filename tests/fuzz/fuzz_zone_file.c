// SPDX-License-Identifier: GPL-3.0-or-later
//
// Master files: any text is refused with places, or becomes a zone that can be published.
#include "publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t apex[] = "\7example\3com";
    struct diags diags = {0};
    struct zone_reader reader = fuzz_reader(&diags);
    struct zone *zone = zone_file_read(fuzz_file(data, size), apex, &reader);
    SP_ASSERT((zone != NULL) == (diags.error_count == 0));
    if (zone != NULL) {
        publish_and_free(zone);
    }
    zone_free(zone);
    check_diags(&diags);
    return 0;
}
