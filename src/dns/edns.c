// SPDX-License-Identifier: GPL-3.0-or-later
#include "dns/edns.h"

#include <string.h>

// RFC 7873, 5.2.2: any other length is a format error. Of several cookies the first counts.
static bool cookie_read(const uint8_t *data, size_t size, struct edns_request *request)
{
    if (size != COOKIE_CLIENT_SIZE && (size < 16 || size > COOKIE_OPTION_MAX)) {
        return false;
    }
    if (!(request->asked & EDNS_ASKED_COOKIE)) {
        request->asked |= EDNS_ASKED_COOKIE;
        request->cookie_size = (uint8_t)size;
        memcpy(request->cookie, data, size);
    }
    return true;
}

bool edns_option_read(unsigned code, const uint8_t *data, size_t size, struct edns_request *request)
{
    switch (code) {
    case EDNS_NSID: // a query has no data there, and what it has is not looked at (RFC 5001, 2.2)
        request->asked |= EDNS_ASKED_NSID;
        return true;
    case EDNS_COOKIE:
        return cookie_read(data, size, request);
    case EDNS_KEEPALIVE: // a query has no timeout there (RFC 7828, 3.2.1); none is looked at
        request->asked |= EDNS_ASKED_KEEPALIVE;
        return true;
    case EDNS_PADDING: // of any content (RFC 7830, 3)
        request->asked |= EDNS_ASKED_PADDING;
        return true;
    default:
        return true;
    }
}
