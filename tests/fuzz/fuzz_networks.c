// SPDX-License-Identifier: GPL-3.0-or-later
//
// networks.csv: any text is refused with places, or gives geo data that can be asked.
#include "publish.h"

static void check_geo(const struct geo *geo)
{
    static const char *const clients[] = {"192.0.2.1", "10.0.0.1", "2001:db8::1", "::", "0.0.0.0"};
    for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
        struct address client;
        SP_ASSERT(address_parse(clients[i], &client));
        struct geo_match match = geo_locate(geo, &client);
        SP_ASSERT(match.location < geo_location_count(geo));
        SP_ASSERT(match.length <= (client.family == FAMILY_IPV4 ? 32 : 64));
        const struct location *location = geo_location(geo, match.location);
        SP_ASSERT(strlen(location->country) == 0 || strlen(location->country) == 2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lines *lines = surroundings()->lines;
    struct geo_config config = {.networks_path = fuzz_file(data, size)};
    struct diags diags = {0};
    struct geo *geo = geo_load(&config, lines, &diags);
    check_geo(geo);
    geo_free(geo);
    check_diags(&diags);
    return 0;
}
