// SPDX-License-Identifier: GPL-3.0-or-later
//
// Master files.
#include "publish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_zone(zone_file_read, data, size);
}
