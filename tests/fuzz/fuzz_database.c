// SPDX-License-Identifier: GPL-3.0-or-later
//
// Geo databases, MMDB or CSV by their content: any bytes are refused, or give geo data.
#include "publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lines *lines = surroundings()->lines;
    const char *path = fuzz_file(data, size);
    struct geo_config config = {.database_paths = &path, .database_count = 1};
    struct diags diags = {0};
    struct geo *geo = geo_load(&config, lines, &diags);
    struct address client = {.family = FAMILY_IPV4, .bytes = {1, 1, 1, 1}};
    SP_ASSERT(geo_locate(geo, &client).location < geo_location_count(geo));
    geo_free(geo);
    check_diags(&diags);
    return 0;
}
