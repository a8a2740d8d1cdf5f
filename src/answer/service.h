// SPDX-License-Identifier: GPL-3.0-or-later
//
// SVCB and HTTPS records whose hints follow the addresses of their target. Internal to answer/.
#pragma once

#include "answer/respond.h"
#include "dns/svcb.h"

// Record data with both hints full.
enum {
    SERVICE_RDATA_MAX =
        SVCB_FOLLOWING_MAX_SIZE + 2 * SVCB_PARAM_HEAD_SIZE + SVCB_HINTS_MAX * (4 + 16)
};

// Fills the hints that follow with the addresses that this client gets for the target ("." is
// `owner`), the first SVCB_HINTS_MAX of each family; a hint without any is left out. Lowers *ttl to
// that of the addresses. Returns the size of `filled`. The rdata is well-formed and follows.
size_t response_service(struct response *response, const uint8_t *owner, const uint8_t *rdata,
                        size_t rdata_size, uint8_t filled[SERVICE_RDATA_MAX], uint32_t *ttl);
