// SPDX-License-Identifier: GPL-3.0-or-later
//
// YAML zone documents.
#include "publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_zone(zone_yaml_read, data, size);
}
