// SPDX-License-Identifier: GPL-3.0-or-later
//
// The file of cookie secrets: any bytes are refused with a fault or give one to four secrets, which
// make cookies that they take back. No fault tells a line of the file.
#include "fuzz.h"

#include "config/cookie_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diags diags = {0};
    struct cookie_secrets secrets = {0};
    bool good = cookie_file_read(fuzz_file(data, size), &secrets, &diags);
    SP_ASSERT(good == (diags.error_count == 0));
    if (good) {
        struct address client = {.family = FAMILY_IPV4, .bytes = {192, 0, 2, 1}};
        struct edns_request request = {.cookie_size = COOKIE_CLIENT_SIZE + COOKIE_SERVER_SIZE};
        SP_ASSERT(secrets.count >= 1 && secrets.count <= COOKIE_SECRETS_MAX);
        cookie_make(secrets.secrets[0], request.cookie, &client, 7,
                    request.cookie + COOKIE_CLIENT_SIZE);
        SP_ASSERT(cookie_check(&secrets, &request, &client, 7) == COOKIE_VALID);
    }
    diags_clear(&diags);
    return 0;
}
