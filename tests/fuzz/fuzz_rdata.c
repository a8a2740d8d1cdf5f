// SPDX-License-Identifier: GPL-3.0-or-later
//
// Record data. The first two octets are the type, the rest is text: what rdata_parse makes of it
// has the form of the type, and its text form parses back to the same bytes. Then the rest is taken
// as wire form and goes the same way.
#include "fuzz.h"

#include "zone/rdata.h"

enum { TEXT_SIZE_MAX = 5 * RDATA_MAX_SIZE };

static const uint8_t origin[] = "\7example\3com";

static void check_round_trip(uint16_t type, const uint8_t *rdata, size_t size)
{
    static char text[TEXT_SIZE_MAX];
    static uint8_t again[RDATA_MAX_SIZE];
    const char *reason = NULL;
    SP_ASSERT(rdata_format(type, rdata, size, text, sizeof(text)) == text);
    size_t again_size = rdata_parse(type, text, origin, again, sizeof(again), &reason);
    if (again_size == 0) {
        fprintf(stderr, "type %u: \"%s\": %s\n", type, text, reason);
    }
    SP_ASSERT(again_size == size);
    SP_ASSERT(memcmp(again, rdata, size) == 0);
    SP_ASSERT(rdata_equal(type, rdata, size, again, size));
    // A short buffer cuts the text and never more than that.
    char small[16];
    rdata_format(type, rdata, size, small, sizeof(small));
    SP_ASSERT(strlen(small) < sizeof(small));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t rdata[RDATA_MAX_SIZE];
    if (size < 2 || size > 4096) {
        return 0;
    }
    uint16_t type = (uint16_t)(data[0] << 8 | data[1]);
    char *text = mem_alloc(size - 1);
    memcpy(text, data + 2, size - 2);
    const char *reason = NULL;
    size_t rdata_size = rdata_parse(type, text, origin, rdata, sizeof(rdata), &reason);
    SP_ASSERT(rdata_size > 0 || reason != NULL);
    free(text);
    if (rdata_size > 0) {
        SP_ASSERT(rdata_check(type, rdata, rdata_size));
        check_round_trip(type, rdata, rdata_size);
    }
    if (size > 2 && rr_type_is_data(type) && rdata_check(type, data + 2, size - 2)) {
        check_round_trip(type, data + 2, size - 2);
    }
    return 0;
}
